//! Grids. Ranks count through the last dimension first.
use crate::abi::{MPI_ERR_ARG, MPI_ERR_DIMS, MPI_ERR_RANK, MPI_PROC_NULL};
use crate::error::{Error, Result};
use std::ffi::c_int;

/// A grid of processes, each dimension open or closed to a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cart {
    dims: Vec<c_int>,
    periods: Vec<bool>,
}

impl Cart {
    /// A grid with these lengths, of which those with `periods` are rings.
    pub fn new(dims: &[c_int], periods: &[bool]) -> Result<Cart> {
        if let Some(&dim) = dims.iter().find(|&&dim| dim <= 0) {
            return Err(Error::new(MPI_ERR_DIMS, format!("a dimension of {dim}; it must be 1 or more")));
        }
        let nodes = dims.iter().try_fold(1, |nodes: c_int, &dim| nodes.checked_mul(dim));
        nodes
            .ok_or_else(|| Error::new(MPI_ERR_DIMS, format!("a grid of {dims:?} has more nodes than an int holds")))?;
        Ok(Cart { dims: dims.to_vec(), periods: periods.to_vec() })
    }

    /// The lengths.
    pub fn dims(&self) -> &[c_int] {
        &self.dims
    }

    /// Which dimensions are rings.
    pub fn periods(&self) -> &[bool] {
        &self.periods
    }

    /// The number of places.
    pub fn nodes(&self) -> usize {
        self.dims.iter().map(|&dim| dim as usize).product()
    }

    /// The coordinates of a rank.
    pub fn coords(&self, rank: c_int) -> Result<Vec<c_int>> {
        if rank < 0 || rank as usize >= self.nodes() {
            return Err(Error::new(MPI_ERR_RANK, format!("rank {rank} is outside of a grid of {}", self.nodes())));
        }
        let mut rest = rank;
        let mut coords: Vec<c_int> = self.dims.iter().rev().map(|&dim| (rest % dim, rest /= dim).0).collect();
        coords.reverse();
        Ok(coords)
    }

    /// The rank at coordinates. Those beyond the end of a ring go on at its beginning.
    pub fn rank(&self, coords: &[c_int]) -> Result<c_int> {
        let mut rank = 0;
        for (place, &coord) in coords.iter().enumerate() {
            let coord = self.wrap(place, i64::from(coord)).ok_or_else(|| {
                let text = format!("coordinate {coord} in dimension {place}, of length {}", self.dims[place]);
                Error::new(MPI_ERR_ARG, text)
            })?;
            rank = rank * self.dims[place] + coord;
        }
        Ok(rank)
    }

    /// The ranks to receive from and to send to for a shift along a dimension.
    pub fn shift(&self, rank: c_int, direction: c_int, displacement: c_int) -> Result<(c_int, c_int)> {
        let place = usize::try_from(direction).ok().filter(|&place| place < self.dims.len()).ok_or_else(|| {
            Error::new(MPI_ERR_ARG, format!("direction {direction} in a grid of {} dimensions", self.dims.len()))
        })?;
        let coords = self.coords(rank)?;
        let displacement = i64::from(displacement);
        Ok((self.moved(&coords, place, -displacement), self.moved(&coords, place, displacement)))
    }

    /// The neighbours of a rank: for each dimension the one below, then the one above.
    pub fn neighbours(&self, rank: usize) -> Vec<c_int> {
        let Ok(coords) = self.coords(rank as c_int) else { return Vec::new() };
        let steps = (0..self.dims.len()).flat_map(|place| [(place, -1), (place, 1)]);
        steps.map(|(place, step)| self.moved(&coords, place, step)).collect()
    }

    /// The grid of the dimensions that remain.
    pub fn sub(&self, remain: &[bool]) -> Cart {
        let kept = self.dims.iter().zip(&self.periods).zip(remain).filter(|&(_, &remain)| remain);
        let (dims, periods) = kept.map(|((&dim, &period), _)| (dim, period)).unzip();
        Cart { dims, periods }
    }

    /// Which of the grids that [`Cart::sub`] cuts this one into a rank is in, and its rank there.
    pub fn place_in_sub(&self, rank: c_int, remain: &[bool]) -> Result<(c_int, c_int)> {
        let (mut color, mut key) = (0, 0);
        for ((coord, dim), remain) in self.coords(rank)?.into_iter().zip(&self.dims).zip(remain) {
            let number = if *remain { &mut key } else { &mut color };
            *number = *number * dim + coord;
        }
        Ok((color, key))
    }

    fn moved(&self, coords: &[c_int], place: usize, step: i64) -> c_int {
        let Some(coord) = self.wrap(place, i64::from(coords[place]) + step) else { return MPI_PROC_NULL };
        let along = coords.iter().enumerate().map(|(other, &own)| if other == place { coord } else { own });
        along.zip(&self.dims).fold(0, |rank, (coord, &dim)| rank * dim + coord)
    }

    fn wrap(&self, place: usize, coord: i64) -> Option<c_int> {
        let dim = i64::from(self.dims[place]);
        let inside = if self.periods[place] { coord.rem_euclid(dim) } else { coord };
        (0..dim).contains(&inside).then_some(inside as c_int)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn grids() -> impl Strategy<Value = Cart> {
        proptest::collection::vec((1..5_i32, any::<bool>()), 0..5).prop_map(|dims| {
            let (dims, periods): (Vec<_>, Vec<_>) = dims.into_iter().unzip();
            Cart::new(&dims, &periods).unwrap()
        })
    }

    proptest! {
        #[test]
        fn ranks_and_coordinates_are_inverse(cart in grids()) {
            for rank in 0..cart.nodes() as c_int {
                let coords = cart.coords(rank).unwrap();
                prop_assert_eq!(cart.rank(&coords), Ok(rank));
                let round: Vec<c_int> = coords.iter().zip(cart.dims()).map(|(coord, dim)| coord - 3 * dim).collect();
                let rings = cart.periods().iter().all(|&ring| ring);
                prop_assert_eq!(cart.rank(&round).ok(), rings.then_some(rank));
            }
        }

        #[test]
        fn a_shift_is_undone_by_the_opposite_one(cart in grids(), by in -6..7_i32) {
            for rank in 0..cart.nodes() as c_int {
                for direction in 0..cart.dims().len() as c_int {
                    let (source, destination) = cart.shift(rank, direction, by).unwrap();
                    prop_assert_eq!(cart.shift(rank, direction, -by), Ok((destination, source)));
                    if destination != MPI_PROC_NULL {
                        prop_assert_eq!(cart.shift(destination, direction, by).unwrap().0, rank);
                    } else {
                        prop_assert!(!cart.periods()[direction as usize]);
                    }
                }
            }
        }

        #[test]
        fn the_parts_of_a_grid_hold_every_rank_once(cart in grids(), remain in proptest::collection::vec(any::<bool>(), 5)) {
            let remain = &remain[..cart.dims().len()];
            let part = cart.sub(remain);
            let mut places: Vec<_> =
                (0..cart.nodes() as c_int).map(|rank| cart.place_in_sub(rank, remain).unwrap()).collect();
            prop_assert!(places.iter().all(|&(_, key)| (key as usize) < part.nodes()));
            places.sort_unstable();
            places.dedup();
            prop_assert_eq!(places.len(), cart.nodes());
        }
    }

    #[test]
    fn neighbours_come_dimension_by_dimension_below_first() {
        let cart = Cart::new(&[2, 3], &[false, true]).unwrap();
        assert_eq!(cart.neighbours(0), [MPI_PROC_NULL, 3, 2, 1]);
        assert_eq!(cart.neighbours(5), [2, MPI_PROC_NULL, 4, 3]);
        assert!(Cart::new(&[], &[]).unwrap().neighbours(0).is_empty());
    }

    #[test]
    fn bad_grids_are_refused() {
        assert_eq!(Cart::new(&[2, 0], &[false; 2]).unwrap_err().code, MPI_ERR_DIMS);
        assert_eq!(Cart::new(&[65536, 65536], &[false; 2]).unwrap_err().code, MPI_ERR_DIMS);
        let cart = Cart::new(&[2], &[false]).unwrap();
        assert_eq!(cart.rank(&[2]).unwrap_err().code, MPI_ERR_ARG);
        assert_eq!(cart.coords(2).unwrap_err().code, MPI_ERR_RANK);
        assert_eq!(cart.shift(0, 1, 1).unwrap_err().code, MPI_ERR_ARG);
    }
}
