//! Random nested types against the model.

use super::contents::Form;
use super::model::{Model, recipes};
use super::*;
use proptest::prelude::*;

/// More basic elements than this make a case slow without making it more telling.
const ELEMENTS: usize = 4000;

/// A buffer for `count` elements of a model with bytes of a pattern, and the index where the elements begin.
fn buffer(model: &Model, count: usize) -> (Vec<u8>, usize) {
    let (low, high) = model.true_bounds();
    let last = model.extent() * count.saturating_sub(1) as isize;
    let (first, end) = (low + last.min(0), high + last.max(0));
    let base = (-first).max(0) as usize;
    let len = base + end.max(0) as usize;
    ((0..len).map(|index| (index * 7 + index / 251) as u8).collect(), base)
}

/// What packing must give.
fn packed(model: &Model, memory: &[u8], base: usize, count: usize) -> Vec<u8> {
    let mut all = Vec::new();
    for element in 0..count as isize {
        for &(basic, at) in &model.entries {
            let first = (base as isize + element * model.extent() + at) as usize;
            all.extend_from_slice(&memory[first..first + basic.size()]);
        }
    }
    all
}

fn any_form() -> impl Strategy<Value = Form> {
    prop_oneof![Just(Form::Int), Just(Form::Large)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn bounds_and_sizes_are_the_models(recipe in recipes(), form in any_form()) {
        let (datatype, model) = recipe.build(form);
        prop_assert_eq!(datatype.size(), model.size());
        prop_assert_eq!(datatype.elements(), model.entries.len());
        prop_assert_eq!(datatype.lower_bound(), model.lower());
        prop_assert_eq!(datatype.extent(), model.extent());
        let (low, high) = model.true_bounds();
        prop_assert_eq!((datatype.true_lower_bound(), datatype.true_extent()), (low, high - low));
        let external: usize = model.entries.iter().map(|entry| entry.0.external_size()).sum();
        prop_assert_eq!(datatype.external_size(3), Some(3 * external));
    }

    #[test]
    fn any_pieces_pack_and_unpack_like_the_model(
        recipe in recipes(), count in 0..4_usize, pieces in prop::collection::vec(1..60_usize, 1..6),
    ) {
        let (datatype, model) = recipe.build(Form::Int);
        prop_assume!(model.entries.len() * count <= ELEMENTS);
        let (memory, base) = buffer(&model, count);
        let expected = packed(&model, &memory, base, count);
        let mut whole = vec![0; expected.len() + 9];
        prop_assert_eq!(datatype.pack_slice(&memory, base, count, 0, &mut whole), expected.len());
        prop_assert_eq!(&whole[..expected.len()], &expected[..]);
        if let Some((offset, len)) = datatype.contiguous_run(count) {
            let first = if len == 0 { 0 } else { (base as isize + offset) as usize };
            prop_assert_eq!(&memory[first..first + len], &expected[..]);
        }

        let mut copy = vec![0xa5; memory.len()];
        let mut position = 0;
        for &len in pieces.iter().cycle() {
            let mut piece = vec![0; len];
            let got = datatype.pack_slice(&memory, base, count, position, &mut piece);
            prop_assert_eq!(got, len.min(expected.len() - position));
            prop_assert_eq!(&piece[..got], &expected[position..position + got]);
            prop_assert_eq!(datatype.unpack_slice(&mut copy, base, count, position, &piece), got);
            position += got;
            if position == expected.len() {
                break;
            }
        }
        let mut touched = vec![false; memory.len()];
        for element in 0..count as isize {
            for &(basic, at) in &model.entries {
                let first = (base as isize + element * model.extent() + at) as usize;
                touched[first..first + basic.size()].fill(true);
            }
        }
        for (index, touched) in touched.into_iter().enumerate() {
            prop_assert_eq!(copy[index], if touched { memory[index] } else { 0xa5 }, "byte {}", index);
        }
    }

    #[test]
    fn elements_are_counted_like_the_model(recipe in recipes(), bytes in 0..3000_usize) {
        let (datatype, model) = recipe.build(Form::Int);
        let sizes = model.entries.iter().map(|entry| entry.0.size());
        let (mut elements, mut left) = (0, bytes);
        for size in sizes.cycle() {
            if size > left {
                break;
            }
            left -= size;
            elements += 1;
        }
        prop_assert_eq!(datatype.elements_in(bytes), (elements, left));
        if !model.entries.is_empty() {
            prop_assert_eq!(datatype.bytes_of_elements(elements), Some(bytes - left));
        }
    }

    #[test]
    fn contents_build_an_equal_type(recipe in recipes(), form in any_form()) {
        let (datatype, _) = recipe.build(form);
        prop_assume!(datatype.contents().combiner != crate::abi::MPI_COMBINER_NAMED);
        let again = rebuilt(&datatype, form);
        prop_assert_eq!(&again.core.map, &datatype.core.map);
        prop_assert_eq!(&again.contents().integers, &datatype.contents().integers);
        prop_assert_eq!(&again.contents().addresses, &datatype.contents().addresses);
        prop_assert_eq!(&again.contents().large_counts, &datatype.contents().large_counts);
    }

    #[test]
    fn external32_comes_back(recipe in recipes(), count in 0..3_usize, seed in any::<u64>()) {
        let (datatype, model) = recipe.build(Form::Int);
        prop_assume!(model.entries.len() * count <= ELEMENTS);
        let mut random = fastrand::Rng::with_seed(seed);
        let outside: Vec<u8> = (0..datatype.external_size(count).unwrap()).map(|_| random.u8(..)).collect();
        let first = decoded(&datatype, count, &outside);
        let mut canonical = vec![0; outside.len()];
        let size = datatype.encode(count, &mut canonical, |position, out| {
            out.copy_from_slice(&first[position..position + out.len()]);
        });
        prop_assert_eq!(size, Ok(outside.len()));
        prop_assert_eq!(decoded(&datatype, count, &canonical), first);
        let long_double = |entry: &(Basic, isize)| matches!(entry.0, Basic::Real(Float::Extended) | Basic::Complex(Float::Extended));
        if !model.entries.iter().any(long_double) {
            prop_assert_eq!(canonical, outside);
        }
    }
}

/// The packed native bytes of `external32` bytes.
fn decoded(datatype: &Datatype, count: usize, outside: &[u8]) -> Vec<u8> {
    let mut native = vec![0; datatype.size() * count];
    let read = datatype.decode(count, outside, |position, bytes| {
        native[position..position + bytes.len()].copy_from_slice(bytes);
    });
    assert_eq!(read, Ok(outside.len()));
    native
}

/// A type made from what another one says of itself, as a program would that was handed envelope and contents.
fn rebuilt(datatype: &Datatype, form: Form) -> Datatype {
    use crate::abi::*;
    let contents = datatype.contents();
    let types: Vec<Arc<Datatype>> = datatype.constituents().map(|(_, datatype)| Arc::new(datatype)).collect();
    let integers: Vec<i64> = contents.integers.iter().map(|&value| value.into()).collect();
    let addresses: Vec<i64> = contents.addresses.iter().map(|&value| value as i64).collect();
    // Counts and then displacements in bytes, whichever form was used.
    let all: Vec<i64> = match form {
        Form::Int => [&integers[..], &addresses].concat(),
        Form::Large => contents.large_counts.clone(),
    };
    let blocks = |fixed: usize| all[fixed..].split_at((all.len() - fixed) / 2);
    let old = types.first();
    let old = || old.expect("made of a type");
    match contents.combiner {
        MPI_COMBINER_DUP => old().duplicate(),
        MPI_COMBINER_CONTIGUOUS => old().contiguous(form, all[0]),
        MPI_COMBINER_VECTOR => old().vector(form, all[0], all[1], all[2]),
        MPI_COMBINER_HVECTOR => old().hvector(form, all[0], all[1], all[2]),
        MPI_COMBINER_INDEXED => old().indexed(form, blocks(1).0, blocks(1).1),
        MPI_COMBINER_HINDEXED => old().hindexed(form, blocks(1).0, blocks(1).1),
        MPI_COMBINER_INDEXED_BLOCK => old().indexed_block(form, all[1], &all[2..]),
        MPI_COMBINER_HINDEXED_BLOCK => old().hindexed_block(form, all[1], &all[2..]),
        MPI_COMBINER_STRUCT => Datatype::structure(form, blocks(1).0, blocks(1).1, &types),
        MPI_COMBINER_RESIZED => old().resized(form, all[0], all[1]),
        MPI_COMBINER_SUBARRAY => {
            let columns = if form == Form::Int { &integers[1..integers.len() - 1] } else { &all[..] };
            let each = columns.len() / 3;
            let order = *contents.integers.last().unwrap();
            let (sizes, rest) = columns.split_at(each);
            let (subsizes, starts) = rest.split_at(each);
            old().subarray(form, Subarray { sizes, subsizes, starts, order })
        }
        MPI_COMBINER_DARRAY => {
            let sizes = if form == Form::Int { &integers[3..3 + contents.integers[2] as usize] } else { &all[..] };
            let dealt = &contents.integers[contents.integers.len() - 1 - 3 * sizes.len()..];
            let dimension = |index: usize| Distribution {
                size: sizes[index],
                kind: dealt[index],
                block: dealt[sizes.len() + index],
                processes: dealt[2 * sizes.len() + index],
            };
            let dimensions: Vec<_> = (0..sizes.len()).map(dimension).collect();
            let order = *contents.integers.last().unwrap();
            let (size, rank) = (contents.integers[0], contents.integers[1]);
            old().darray(form, Darray { size, rank, dimensions: &dimensions, order })
        }
        combiner => panic!("combiner {combiner} is not made by a recipe"),
    }
    .expect("what was built once can be built again")
}
