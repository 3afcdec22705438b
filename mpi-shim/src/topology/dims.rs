//! `MPI_Dims_create`: lengths of a grid as close to one another as they can be.
//!
//! Among all ways to write the number of nodes as a product, the one with the least difference between the longest and
//! the shortest dimension, and then with the shortest longest one. The search walks the divisors from the root
//! upwards, so that the first products found are nearly cubes and cut off almost all others.
use crate::abi::{MPI_ERR_ARG, MPI_ERR_DIMS};
use crate::error::{Error, Result};
use std::ffi::c_int;

/// Fills in the zeros of `dims`, in falling order, so that the product is `nodes`.
pub fn complete(nodes: c_int, dims: &mut [c_int]) -> Result<()> {
    if nodes < 1 {
        return Err(Error::new(MPI_ERR_ARG, format!("a grid of {nodes} nodes")));
    }
    let mut fixed: i64 = 1;
    for &dim in dims.iter().filter(|&&dim| dim != 0) {
        if dim < 0 {
            return Err(Error::new(MPI_ERR_DIMS, format!("a dimension of {dim}; it must be 0 (free) or more")));
        }
        fixed = fixed.saturating_mul(i64::from(dim));
    }
    let free = dims.iter().filter(|&&dim| dim == 0).count();
    if i64::from(nodes) % fixed != 0 || (free == 0 && i64::from(nodes) != fixed) {
        let text = format!("{nodes} nodes do not fill a grid whose given dimensions make {fixed}");
        return Err(Error::new(MPI_ERR_DIMS, text));
    }
    let found = balanced((i64::from(nodes) / fixed) as u32, free);
    let mut found = found.into_iter();
    for dim in dims.iter_mut().filter(|dim| **dim == 0) {
        *dim = found.next().map_or(1, |length| length as c_int);
    }
    Ok(())
}

fn balanced(nodes: u32, count: usize) -> Vec<u32> {
    // More dimensions than prime factors only add ones.
    let used = count.min(32);
    let mut search = Search { divisors: divisors(nodes), best: vec![1; used], spread: u32::MAX };
    if used > 0 {
        search.best[0] = nodes;
        search.walk(nodes, &mut Vec::new(), used);
        search.best.resize(count, 1);
    }
    search.best
}

struct Search {
    divisors: Vec<u32>,
    best: Vec<u32>,
    spread: u32,
}

impl Search {
    /// Splits `rest` into `count` factors, none longer than the last one in `chosen`.
    fn walk(&mut self, rest: u32, chosen: &mut Vec<u32>, count: usize) {
        let longest = chosen.first().copied();
        // The shortest factor is at most the root of what is left.
        let shortest = root(rest, count);
        if longest.is_some_and(|longest| longest - shortest.min(longest) >= self.spread) {
            return;
        }
        if count == 1 {
            if chosen.last().is_none_or(|&last| rest <= last) {
                self.spread = longest.unwrap_or(rest) - rest;
                self.best = chosen.iter().copied().chain([rest]).collect();
            }
            return;
        }
        let least = if power(shortest, count) == u64::from(rest) { shortest } else { shortest + 1 };
        let from = self.divisors.partition_point(|&divisor| divisor < least);
        let most = chosen.last().copied().unwrap_or(rest);
        for place in from..self.divisors.len() {
            let divisor = self.divisors[place];
            if divisor > most || (chosen.is_empty() && divisor - shortest >= self.spread) {
                break;
            }
            if rest.is_multiple_of(divisor) {
                chosen.push(divisor);
                self.walk(rest / divisor, chosen, count - 1);
                chosen.pop();
            }
        }
    }
}

fn divisors(nodes: u32) -> Vec<u32> {
    let small = (1..=root(nodes, 2)).filter(|&low| nodes.is_multiple_of(low));
    let mut all: Vec<u32> = small.flat_map(|low| [low, nodes / low]).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The largest whole number whose power is not beyond `value`.
fn root(value: u32, degree: usize) -> u32 {
    let (mut low, mut high) = (1, value);
    while low < high {
        let middle = high - (high - low) / 2;
        if power(middle, degree) <= u64::from(value) { low = middle } else { high = middle - 1 }
    }
    low
}

fn power(base: u32, degree: usize) -> u64 {
    (0..degree).fold(1_u64, |product, _| product.saturating_mul(base.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dims(nodes: c_int, dims: &[c_int]) -> Result<Vec<c_int>> {
        let mut dims = dims.to_vec();
        complete(nodes, &mut dims).map(|()| dims)
    }

    #[test]
    fn the_examples_of_the_standard() {
        assert_eq!(dims(6, &[0, 0]), Ok(vec![3, 2]));
        assert_eq!(dims(7, &[0, 0]), Ok(vec![7, 1]));
        assert_eq!(dims(6, &[0, 3, 0]), Ok(vec![2, 3, 1]));
        assert_eq!(dims(7, &[0, 3, 0]).unwrap_err().code, MPI_ERR_DIMS);
    }

    #[test]
    fn cubes_are_found() {
        assert_eq!(dims(1 << 30, &[0; 3]), Ok(vec![1024; 3]));
        assert_eq!(dims(1 << 30, &[0; 10]), Ok(vec![8; 10]));
        assert_eq!(dims(2_147_483_646, &[0; 1]), Ok(vec![2_147_483_646]));
        assert_eq!(dims(2_147_483_647, &[0; 40]).unwrap()[0], 2_147_483_647);
    }

    /// The least spread by trying everything.
    fn least_spread(rest: u32, count: usize, longest: u32, shortest: u32) -> u32 {
        if count == 0 {
            return if rest == 1 { longest - shortest } else { u32::MAX };
        }
        let divisors = (1..=rest).filter(|&divisor| rest.is_multiple_of(divisor));
        let spreads = divisors
            .map(|divisor| least_spread(rest / divisor, count - 1, longest.max(divisor), shortest.min(divisor)));
        spreads.min().unwrap_or(u32::MAX)
    }

    #[test]
    fn no_other_product_is_closer_to_a_cube() {
        for nodes in 1..200 {
            for count in 1..5 {
                let found = dims(nodes, &vec![0; count]).unwrap();
                assert_eq!(found.iter().product::<c_int>(), nodes);
                assert!(found.is_sorted_by(|one, next| one >= next), "{found:?}");
                let spread = (found[0] - found[count - 1]) as u32;
                assert_eq!(spread, least_spread(nodes as u32, count, 0, u32::MAX), "{nodes} as {found:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_filled_is_refused() {
        assert_eq!(dims(0, &[0]).unwrap_err().code, MPI_ERR_ARG);
        assert_eq!(dims(4, &[-1, 0]).unwrap_err().code, MPI_ERR_DIMS);
        assert_eq!(dims(4, &[3]).unwrap_err().code, MPI_ERR_DIMS);
        assert_eq!(dims(4, &[]).unwrap_err().code, MPI_ERR_DIMS);
        assert_eq!(dims(1, &[]), Ok(vec![]));
        assert_eq!(dims(4, &[c_int::MAX; 5]).unwrap_err().code, MPI_ERR_DIMS);
    }
}
