use super::*;
use std::collections::BTreeSet;

fn pair(processes: usize) -> (Vec<u64>, [Cells; 2]) {
    let counts = Counts::new(processes);
    let mut memory = vec![0_u64; counts.bytes() / 8];
    let base = memory.as_mut_ptr().cast();
    (memory, [true, false].map(|first| Cells::new(base, counts, first)))
}

/// All cells of one length that a side has.
fn take_all(cells: &mut Cells, len: usize) -> Vec<Parcel> {
    std::iter::from_fn(|| cells.take(len)).collect()
}

fn read(cells: &Cells, parcel: &Parcel) -> Vec<u8> {
    let mut data = vec![0; parcel.bytes()];
    cells.read(parcel, |position, piece| data[position..position + piece.len()].copy_from_slice(piece));
    data
}

#[test]
fn at_first_each_side_has_half_and_no_cell_is_in_both() {
    for processes in [2, 4, 5, 8, 9, 16, 17, 64, 65] {
        let (_memory, mut sides) = pair(processes);
        let Counts(counts) = Counts::new(processes);
        for (len, count) in [1, BYTES[0] + 1, BYTES[1] + 1, BYTES[2] + 1].into_iter().zip(counts) {
            let all = sides.each_mut().map(|side| take_all(side, len));
            assert_eq!(all.each_ref().map(Vec::len), [count / 2; 2], "{processes} processes, {len} bytes");
            let places: BTreeSet<_> = all.iter().flatten().map(|parcel| sides[0].place(parcel)).collect();
            assert_eq!(places.len(), count);
        }
    }
}

#[test]
fn the_cell_that_came_last_goes_back_first() {
    let (_memory, [mut one, mut other]) = pair(2);
    let sent = one.take(100).unwrap();
    one.begin(&sent, true, |_, place| place.fill(7));
    let came = other.parcel(sent.number()).unwrap();
    assert_eq!(read(&other, &came), [7; 100]);
    let cell = came.cell;
    other.give(came);
    assert_eq!(other.take(BYTES[0]).unwrap().cell, cell);
}

#[test]
fn whoever_only_sends_runs_out_and_gets_cells_back_with_answers() {
    let (_memory, [mut one, mut other]) = pair(2);
    let sent = take_all(&mut one, BYTES[1]);
    assert!(one.take(BYTES[1]).is_none() && one.take(1).is_some(), "one kind ran out, not both");
    for parcel in sent {
        let came = other.parcel(parcel.number()).unwrap();
        other.give(came);
    }
    let Counts([_, middle, ..]) = Counts::new(2);
    assert_eq!(take_all(&mut other, BYTES[1]).len(), middle);
}

#[test]
fn the_longest_data_of_all_cells_does_not_overlap() {
    let (_memory, mut sides) = pair(2);
    let mut parcels = Vec::new();
    for (index, side) in sides.iter_mut().enumerate() {
        for len in BYTES {
            for parcel in take_all(side, len) {
                let mark = parcels.len() as u8 + 1;
                side.begin(&parcel, false, |_, place| place.fill(mark));
                parcels.push((index, parcel, mark));
            }
        }
    }
    for (index, parcel, mark) in &parcels {
        assert!(read(&sides[*index], parcel).iter().all(|byte| byte == mark));
    }
}

#[test]
fn what_names_no_cell_or_more_than_it_holds_is_refused() {
    let (_memory, [one, _]) = pair(2);
    let Counts([small, middle, large, largest]) = Counts::new(2);
    let number = |cell: usize, len: usize| (cell as u64) << 32 | len as u64;
    assert!(one.parcel(number(0, BYTES[0])).is_some() && one.parcel(number(small, BYTES[1])).is_some());
    assert!(one.parcel(number(0, BYTES[0] + 1)).is_none());
    assert!(one.parcel(number(small + middle - 1, BYTES[1] + 1)).is_none());
    assert!(one.parcel(number(small + middle, BYTES[1] + 1)).is_some());
    assert!(one.parcel(number(small + middle + large + largest - 1, BYTES[3])).is_some());
    assert!(one.parcel(number(small + middle + large + largest, 1)).is_none());
    assert!(one.parcel(u64::MAX).is_none());
    let (_memory, [none, _]) = pair(65);
    assert!(none.parcel(number(0, 0)).is_none());
}

#[test]
fn a_reader_that_begins_early_reads_what_is_written_while_it_reads() {
    struct Sent(Cells);
    // SAFETY: the test hands each side of the pair to one thread.
    unsafe impl Send for Sent {}
    for len in [BYTES[0] + 1, PIECE, PIECE + 1, 100_000, BYTES[1], BYTES[2], BYTES[3]] {
        let (_memory, [mut one, other]) = pair(2);
        let byte = |position: usize| (position * 7 + position / 256) as u8;
        let write = |position: usize, place: &mut [u8]| {
            place.iter_mut().zip(position..).for_each(|(at, position)| *at = byte(position));
        };
        let parcel = one.take(len).unwrap();
        one.begin(&parcel, true, write);
        let (came, other) = (other.parcel(parcel.number()).unwrap(), Sent(other));
        let reader = thread::spawn(move || {
            let other = other;
            read(&other.0, &came)
        });
        one.finish(&parcel, write);
        let data = reader.join().unwrap();
        assert!(data.iter().zip(0..).all(|(&got, position)| got == byte(position)), "{len} bytes");
    }
}
