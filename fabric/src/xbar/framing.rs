//! How a frame stands in a datagram.

use crate::raw::{self, BROADCAST, CROSSBARS, ENVELOPE, ETHERTYPE, Mac};

/// What a datagram of a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// A frame, and nothing else.
    Plain,
    /// A frame as a network card sends it: behind an Ethernet header and its length, and perhaps padded.
    Ethernet,
}

/// What was in a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A frame.
    Frame,
    /// Something that an operating system sends of its own accord: its ethertype is not ours.
    Foreign,
    /// No frame.
    Malformed,
}

impl Framing {
    /// Bytes in front of a frame.
    pub(super) const fn envelope(self) -> usize {
        match self {
            Framing::Plain => 0,
            Framing::Ethernet => ENVELOPE,
        }
    }

    /// Appends what comes before a frame of this length.
    pub(super) fn open(self, from: Mac, length: usize, out: &mut Vec<u8>) {
        if self == Framing::Ethernet {
            out.extend_from_slice(&raw::envelope_of_cable(BROADCAST, from, length));
        }
    }

    /// The datagram for a frame on its way to a host.
    pub(super) fn wrap(self, frame: &[u8]) -> Vec<u8> {
        let mut datagram = Vec::with_capacity(self.envelope() + frame.len());
        self.open(CROSSBARS, frame.len(), &mut datagram);
        datagram.extend_from_slice(frame);
        datagram
    }

    /// Leaves of a datagram the frame in it.
    pub(super) fn unwrap(self, datagram: &mut Vec<u8>) -> Content {
        match self {
            Framing::Plain => Content::Frame,
            Framing::Ethernet if raw::ethertype(datagram) != Some(ETHERTYPE) => Content::Foreign,
            Framing::Ethernet => match raw::contents(datagram) {
                Ok(contents) => {
                    datagram.truncate(contents.end);
                    datagram.drain(..contents.start);
                    Content::Frame
                }
                Err(_) => Content::Malformed,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of `docs/xbar.md`.
    #[test]
    fn a_frame_of_a_card() {
        let datagram = Framing::Ethernet.wrap(&[0x01, 0xaa]);
        let header = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x54, 0x57, 0, 0, 0, 0x88, 0xb5];
        assert_eq!(datagram, [&header[..], &[2, 0, 0x01, 0xaa]].concat());
    }

    #[test]
    fn what_is_not_ours_is_told_from_what_is_broken() {
        let mut arp = [&[0xff; 12][..], &[0x08, 0x06], &[0; 28]].concat();
        assert_eq!(Framing::Ethernet.unwrap(&mut arp), Content::Foreign);
        let mut short = vec![0xff; 13];
        assert_eq!(Framing::Ethernet.unwrap(&mut short), Content::Foreign);
        let mut cut = Framing::Ethernet.wrap(&[1; 100]);
        cut.pop();
        assert_eq!(Framing::Ethernet.unwrap(&mut cut), Content::Malformed);
    }

    proptest! {
        #[test]
        fn a_frame_comes_out_as_it_went_in(frame in prop::collection::vec(any::<u8>(), 0..200), padded in any::<bool>()) {
            for framing in [Framing::Plain, Framing::Ethernet] {
                let mut datagram = framing.wrap(&frame);
                if padded && framing == Framing::Ethernet {
                    datagram.resize(datagram.len().max(60), 0);
                }
                prop_assert_eq!(framing.unwrap(&mut datagram), Content::Frame);
                prop_assert_eq!(&datagram, &frame);
            }
        }

        #[test]
        fn no_datagram_panics(mut datagram in prop::collection::vec(any::<u8>(), 0..80), ours in any::<bool>()) {
            if let (true, Some(place)) = (ours, datagram.get_mut(12..14)) {
                place.copy_from_slice(&ETHERTYPE.to_be_bytes());
            }
            let _ = Framing::Ethernet.unwrap(&mut datagram);
        }
    }
}
