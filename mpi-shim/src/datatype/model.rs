//! A simple model of datatypes for tests: the list of basic elements with their displacements, as the standard
//! defines a type map, and random recipes that build a model and a datatype alike.

use super::{Basic, Darray, Datatype, Distribution, Form, Shape, Subarray, predefined};
use crate::abi::{
    MPI_DISTRIBUTE_BLOCK, MPI_DISTRIBUTE_CYCLIC, MPI_DISTRIBUTE_DFLT_DARG, MPI_ORDER_C, MPI_ORDER_FORTRAN,
};
use proptest::prelude::*;
use std::sync::Arc;

/// A type map, spelled out.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) entries: Vec<(Basic, isize)>,
    /// The end of the last part, with the gap at its end.
    end: Option<isize>,
    lower: Option<isize>,
    upper: Option<isize>,
}

impl Model {
    fn of(shape: Shape) -> Self {
        let entries = match shape {
            Shape::One(basic) => vec![(basic, 0)],
            Shape::Pair(value, index) => {
                let at = value.size().div_ceil(index.alignment()) * index.alignment();
                vec![(value, 0), (index, at as isize)]
            }
        };
        let end = entries.iter().map(|entry| entry.1 + entry.0.size() as isize).max();
        Self { entries, end, ..Self::default() }
    }

    pub(super) fn size(&self) -> usize {
        self.entries.iter().map(|entry| entry.0.size()).sum()
    }

    pub(super) fn lower(&self) -> isize {
        self.lower.or(self.entries.iter().map(|entry| entry.1).min()).unwrap_or(0)
    }

    pub(super) fn extent(&self) -> isize {
        if let Some(upper) = self.upper {
            return upper - self.lower();
        }
        let Some(end) = self.end else { return 0 };
        let alignment = self.entries.iter().map(|entry| entry.0.alignment() as isize).max().unwrap_or(1);
        let mut extent = end - self.lower();
        while extent % alignment != 0 {
            extent += 1;
        }
        extent
    }

    pub(super) fn true_bounds(&self) -> (isize, isize) {
        let low = self.entries.iter().map(|entry| entry.1).min().unwrap_or(0);
        let high = self.entries.iter().map(|entry| entry.1 + entry.0.size() as isize).max().unwrap_or(0);
        (low, high)
    }

    /// Appends a copy of `other` at a displacement.
    fn add(&mut self, other: &Self, at: isize) {
        self.entries.extend(other.entries.iter().map(|entry| (entry.0, entry.1 + at)));
        let hull = |mine: Option<isize>, theirs: Option<isize>, choose: fn(isize, isize) -> isize| {
            let theirs = theirs.map(|theirs| theirs + at);
            mine.map_or(theirs, |mine| Some(theirs.map_or(mine, |theirs| choose(mine, theirs))))
        };
        let end = other.end.map(|_| other.lower() + other.extent());
        self.end = hull(self.end, end, isize::max);
        self.lower = hull(self.lower, other.lower, isize::min);
        self.upper = hull(self.upper, other.upper, isize::max);
    }

    fn blocks(&self, blocks: impl IntoIterator<Item = (i64, i64)>) -> Self {
        let mut all = Self::default();
        for (length, at) in blocks {
            for index in 0..length {
                all.add(self, at as isize + index as isize * self.extent());
            }
        }
        all
    }

    fn resized(mut self, lower: isize, extent: isize) -> Self {
        self.lower = Some(lower);
        self.upper = Some(lower + extent);
        self
    }

    /// The elements of an array whose indices pass a test, in order, first dimension first if `fortran`.
    fn elements_of_array(&self, sizes: &[i64], fortran: bool, belongs: impl Fn(usize, i64) -> bool) -> Self {
        let mut all = Self::default();
        let total: i64 = sizes.iter().product();
        for linear in 0..total {
            let mut rest = linear;
            let mut inside = true;
            let dimensions: Vec<usize> =
                if fortran { (0..sizes.len()).collect() } else { (0..sizes.len()).rev().collect() };
            for dimension in dimensions {
                inside &= belongs(dimension, rest % sizes[dimension]);
                rest /= sizes[dimension];
            }
            if inside {
                all.add(self, linear as isize * self.extent());
            }
        }
        all.resized(0, total as isize * self.extent())
    }
}

/// How a datatype is built.
#[derive(Clone, Debug)]
pub(super) enum Recipe {
    Named(usize),
    Dup(Box<Recipe>),
    Contiguous(i64, Box<Recipe>),
    Vector(i64, i64, i64, Box<Recipe>),
    Hvector(i64, i64, i64, Box<Recipe>),
    Indexed(Vec<(i64, i64)>, Box<Recipe>),
    Hindexed(Vec<(i64, i64)>, Box<Recipe>),
    IndexedBlock(i64, Vec<i64>, Box<Recipe>),
    HindexedBlock(i64, Vec<i64>, Box<Recipe>),
    Struct(Vec<(i64, i64, Recipe)>),
    Resized(i64, i64, Box<Recipe>),
    /// Size, subsize, start of each dimension.
    Subarray(Vec<(i64, i64, i64)>, bool, Box<Recipe>),
    /// Size, kind, block and processes of each dimension; which process.
    Darray(Vec<(i64, i32, i32, i32)>, i32, bool, Box<Recipe>),
}

/// Random recipes of some depth.
pub(super) fn recipes() -> impl Strategy<Value = Recipe> {
    let names = predefined().iter().flatten().count();
    let leaf = (0..names).prop_map(Recipe::Named);
    leaf.prop_recursive(4, 24, 3, |inner| {
        let one = inner.clone().prop_map(Box::new);
        let blocks = prop::collection::vec((0..4_i64, -6..12_i64), 0..5);
        let places = prop::collection::vec(-6..12_i64, 0..5);
        let byte_places = prop::collection::vec(-40..90_i64, 0..5);
        let byte_blocks = prop::collection::vec((0..4_i64, -40..90_i64), 0..5);
        let fields = prop::collection::vec((0..3_i64, -40..90_i64, inner.clone()), 0..4);
        let sub = (1..5_i64, 0..5_i64, 0..5_i64)
            .prop_map(|(size, a, b)| (size, 1 + a % size, (b % size).min(size - 1 - a % size)));
        let dealt = (1..9_i64, 0..4_i32, 1..4_i32, 1..4_i32);
        prop_oneof![
            one.clone().prop_map(Recipe::Dup),
            (0..5_i64, one.clone()).prop_map(|(n, of)| Recipe::Contiguous(n, of)),
            (0..5_i64, 0..4_i64, -5..8_i64, one.clone()).prop_map(|(n, b, s, of)| Recipe::Vector(n, b, s, of)),
            (0..5_i64, 0..4_i64, -50..80_i64, one.clone()).prop_map(|(n, b, s, of)| Recipe::Hvector(n, b, s, of)),
            (blocks, one.clone()).prop_map(|(blocks, of)| Recipe::Indexed(blocks, of)),
            (byte_blocks, one.clone()).prop_map(|(blocks, of)| Recipe::Hindexed(blocks, of)),
            (0..4_i64, places, one.clone()).prop_map(|(b, places, of)| Recipe::IndexedBlock(b, places, of)),
            (0..4_i64, byte_places, one.clone()).prop_map(|(b, places, of)| Recipe::HindexedBlock(b, places, of)),
            fields.prop_map(Recipe::Struct),
            (-20..20_i64, -20..60_i64, one.clone()).prop_map(|(lb, extent, of)| Recipe::Resized(lb, extent, of)),
            (prop::collection::vec(sub, 1..4), any::<bool>(), one.clone())
                .prop_map(|(dims, fortran, of)| Recipe::Subarray(dims, fortran, of)),
            (prop::collection::vec(dealt, 1..3), 0..64_i32, any::<bool>(), one)
                .prop_map(|(dims, rank, fortran, of)| Recipe::Darray(dims, rank, fortran, of)),
        ]
    })
}

impl Recipe {
    /// The datatype and its model.
    pub(super) fn build(&self, form: Form) -> (Arc<Datatype>, Model) {
        let (datatype, model) = self.build_one(form);
        (Arc::new(datatype), model)
    }

    fn build_one(&self, form: Form) -> (Datatype, Model) {
        match self {
            Self::Named(index) => {
                let named = predefined().into_iter().flatten().nth(*index).expect("within the table");
                let model = Model::of(named.role().expect("named types have one").shape);
                (Arc::into_inner(named).expect("just made"), model)
            }
            Self::Struct(fields) => structure(fields, form),
            Self::Dup(of) | Self::Contiguous(_, of) | Self::Vector(.., of) | Self::Hvector(.., of) => {
                self.derive(form, of.build_one(form))
            }
            Self::Indexed(_, of) | Self::Hindexed(_, of) | Self::IndexedBlock(.., of) | Self::HindexedBlock(.., of) => {
                self.derive(form, of.build_one(form))
            }
            Self::Resized(.., of) | Self::Subarray(.., of) | Self::Darray(.., of) => {
                self.derive(form, of.build_one(form))
            }
        }
    }

    fn derive(&self, form: Form, (old, model): (Datatype, Model)) -> (Datatype, Model) {
        let extent = model.extent() as i64;
        let steps = |count: i64, length: i64, stride: i64| (0..count).map(move |index| (length, index * stride));
        let scaled = |blocks: &[(i64, i64)]| blocks.iter().map(|block| (block.0, block.1 * extent)).collect::<Vec<_>>();
        let (datatype, model) = match self {
            Self::Dup(_) => (old.duplicate(), model),
            &Self::Contiguous(count, _) => (old.contiguous(form, count), model.blocks([(count, 0)])),
            &Self::Vector(count, length, stride, _) => {
                (old.vector(form, count, length, stride), model.blocks(steps(count, length, stride * extent)))
            }
            &Self::Hvector(count, length, stride, _) => {
                (old.hvector(form, count, length, stride), model.blocks(steps(count, length, stride)))
            }
            Self::Indexed(blocks, _) => {
                let (lengths, places): (Vec<_>, Vec<_>) = blocks.iter().copied().unzip();
                (old.indexed(form, &lengths, &places), model.blocks(scaled(blocks)))
            }
            Self::Hindexed(blocks, _) => {
                let (lengths, places): (Vec<_>, Vec<_>) = blocks.iter().copied().unzip();
                (old.hindexed(form, &lengths, &places), model.blocks(blocks.iter().copied()))
            }
            Self::IndexedBlock(length, places, _) => {
                let blocks: Vec<_> = places.iter().map(|&place| (*length, place)).collect();
                (old.indexed_block(form, *length, places), model.blocks(scaled(&blocks)))
            }
            Self::HindexedBlock(length, places, _) => {
                let blocks = places.iter().map(|&place| (*length, place));
                (old.hindexed_block(form, *length, places), model.blocks(blocks))
            }
            &Self::Resized(lower, extent, _) => {
                (old.resized(form, lower, extent), model.resized(lower as isize, extent as isize))
            }
            Self::Subarray(dimensions, fortran, _) => subarray(dimensions, *fortran, form, &old, &model),
            Self::Darray(dimensions, rank, fortran, _) => darray(dimensions, *rank, *fortran, form, &old, &model),
            Self::Named(_) | Self::Struct(_) => unreachable!("not made of one type"),
        };
        (datatype.expect("small types fit"), model)
    }
}

fn structure(fields: &[(i64, i64, Recipe)], form: Form) -> (Datatype, Model) {
    let mut model = Model::default();
    let (mut lengths, mut places, mut types) = (vec![], vec![], vec![]);
    for (length, place, recipe) in fields {
        let (datatype, field) = recipe.build(form);
        for index in 0..*length {
            model.add(&field, *place as isize + index as isize * field.extent());
        }
        lengths.push(*length);
        places.push(*place);
        types.push(datatype);
    }
    (Datatype::structure(form, &lengths, &places, &types).expect("small types fit"), model)
}

fn order(fortran: bool) -> i32 {
    if fortran { MPI_ORDER_FORTRAN } else { MPI_ORDER_C }
}

fn subarray(
    dimensions: &[(i64, i64, i64)],
    fortran: bool,
    form: Form,
    old: &Datatype,
    model: &Model,
) -> (crate::error::Result<Datatype>, Model) {
    let column = |field: fn(&(i64, i64, i64)) -> i64| dimensions.iter().map(field).collect::<Vec<_>>();
    let (sizes, subsizes, starts) = (column(|each| each.0), column(|each| each.1), column(|each| each.2));
    let array = Subarray { sizes: &sizes, subsizes: &subsizes, starts: &starts, order: order(fortran) };
    let inside =
        |dimension: usize, index| (starts[dimension]..starts[dimension] + subsizes[dimension]).contains(&index);
    (old.subarray(form, array), model.elements_of_array(&sizes, fortran, inside))
}

fn darray(
    dimensions: &[(i64, i32, i32, i32)],
    rank: i32,
    fortran: bool,
    form: Form,
    old: &Datatype,
    model: &Model,
) -> (crate::error::Result<Datatype>, Model) {
    let dimensions: Vec<Distribution> = dimensions
        .iter()
        .map(|&(size, kind, block, processes)| {
            let default = Distribution { size, kind: MPI_DISTRIBUTE_BLOCK, block: MPI_DISTRIBUTE_DFLT_DARG, processes };
            match kind {
                0 => default,
                1 => Distribution { block: (size as i32 + processes - 1) / processes + block - 1, ..default },
                2 => Distribution { kind: MPI_DISTRIBUTE_CYCLIC, ..default },
                _ => Distribution { kind: MPI_DISTRIBUTE_CYCLIC, block, ..default },
            }
        })
        .collect();
    let size = dimensions.iter().map(|each| each.processes).product();
    let rank = rank % size;
    let owner = |dimension: usize, index: i64| {
        let Distribution { size, kind, block, processes } = dimensions[dimension];
        let block = match (kind, block) {
            (MPI_DISTRIBUTE_BLOCK, MPI_DISTRIBUTE_DFLT_DARG) => (size as i32 + processes - 1) / processes,
            (_, MPI_DISTRIBUTE_DFLT_DARG) => 1,
            (_, block) => block,
        };
        index as i32 / block % processes
    };
    let after = |dimension: usize| dimensions[dimension + 1..].iter().map(|each| each.processes).product::<i32>();
    let mine =
        |dimension: usize, index| owner(dimension, index) == rank / after(dimension) % dimensions[dimension].processes;
    let sizes: Vec<i64> = dimensions.iter().map(|each| each.size).collect();
    let array = Darray { size, rank, dimensions: &dimensions, order: order(fortran) };
    (old.darray(form, array), model.elements_of_array(&sizes, fortran, mine))
}
