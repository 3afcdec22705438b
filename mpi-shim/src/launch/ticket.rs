//! What `mpirun` tells each process that it starts, in the environment variable `TWOWIRE_JOB`.

use std::fmt;
use std::str::FromStr;

/// The name of the environment variable.
pub const VARIABLE: &str = "TWOWIRE_JOB";

/// A process's place in a job, and where the job's memory is: `RANK,SIZE,APPNUM,PID,DESCRIPTOR,INODE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The number of the process.
    pub rank: u32,
    /// Processes of the job.
    pub size: u32,
    /// Which of the programs of the command line it runs (those between colons), from 0.
    pub appnum: u32,
    /// The process that has the memory open.
    pub holder: Holder,
}

/// A process that has the job's memory open, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The process's id.
    pub process: u32,
    /// Its descriptor of the memory; a process that `mpirun` starts inherits it by the same number.
    pub descriptor: i32,
    /// The memory's inode number, by which it is recognised.
    pub inode: u64,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{}", self.process, self.descriptor, self.inode)
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{},{}", self.rank, self.size, self.appnum, self.holder)
    }
}

impl FromStr for Holder {
    type Err = String;

    fn from_str(text: &str) -> Result<Holder, String> {
        let wrong = || format!("{text}: expected PID,DESCRIPTOR,INODE");
        let fields: Vec<&str> = text.split(',').collect();
        let [process, descriptor, inode] = fields[..] else { return Err(wrong()) };
        Ok(Holder {
            process: process.parse().map_err(|_| wrong())?,
            descriptor: descriptor.parse().map_err(|_| wrong())?,
            inode: inode.parse().map_err(|_| wrong())?,
        })
    }
}

impl FromStr for Ticket {
    type Err = String;

    fn from_str(text: &str) -> Result<Ticket, String> {
        let wrong = || format!("{VARIABLE}={text}: expected RANK,SIZE,APPNUM,PID,DESCRIPTOR,INODE with RANK < SIZE");
        let fields: Vec<&str> = text.splitn(4, ',').collect();
        let [rank, size, appnum, holder] = fields[..] else { return Err(wrong()) };
        let number = |field: &str| field.parse::<u32>().map_err(|_| wrong());
        let (rank, size, appnum) = (number(rank)?, number(size)?, number(appnum)?);
        if rank >= size {
            return Err(wrong());
        }
        Ok(Ticket { rank, size, appnum, holder: holder.parse().map_err(|_| wrong())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_ticket_is_read_as_it_was_written(rank: u32, more in 1_u32.., appnum: u32, process: u32, descriptor: i32, inode: u64) {
            let size = rank.saturating_add(more);
            prop_assume!(rank < size);
            let ticket = Ticket { rank, size, appnum, holder: Holder { process, descriptor, inode } };
            prop_assert_eq!(ticket.to_string().parse(), Ok(ticket));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9,x-]{0,40}") {
            let _ = text.parse::<Ticket>();
        }
    }

    #[test]
    fn what_is_wrong_is_shown() {
        for text in ["", "1,2,0", "2,2,0,1,1,1", "0,1,0,5,3,", "0,1,0,5,3,9,9"] {
            let error = text.parse::<Ticket>().unwrap_err();
            assert!(error.contains(&format!("TWOWIRE_JOB={text}: expected RANK")), "{error}");
        }
    }
}
