//! Where the crossbars of a grid are, when it is known which way their cables lead.

use super::{Dimension, NONE, Neighbours};
use std::collections::BTreeMap;

/// The largest part of a graph that hangs together by cables of which it is known where they lead.
pub(super) struct Layout<'a> {
    neighbours: &'a Neighbours,
    /// For each edge the dimension in which it leads a step onwards, 1, or back, -1.
    steps: Vec<Option<(usize, i32)>>,
    /// For each crossbar how many steps it is from the first one in each dimension; empty if it is in another part.
    distances: Vec<Vec<i32>>,
}

impl<'a> Layout<'a> {
    /// Lays out a graph, given for each dimension the edges that lead onwards and those that lead back.
    pub(super) fn of(neighbours: &'a Neighbours, directions: &[[Vec<u32>; 2]]) -> Layout<'a> {
        let mut steps = vec![None; neighbours.to.len()];
        for (dimension, [onwards, back]) in directions.iter().enumerate() {
            onwards.iter().for_each(|&edge| steps[edge as usize] = Some((dimension, 1)));
            back.iter().for_each(|&edge| steps[edge as usize] = Some((dimension, -1)));
        }
        let distances = vec![Vec::new(); neighbours.crossbars() as usize];
        let mut layout = Layout { neighbours, steps, distances };
        let mut parts: Vec<Vec<u32>> = Vec::new();
        for x in 0..neighbours.crossbars() {
            if layout.distances[x as usize].is_empty() {
                parts.push(layout.reach_from(x, directions.len()));
            }
        }
        parts.sort_by_key(Vec::len);
        parts.pop();
        parts.into_iter().flatten().for_each(|x| layout.distances[x as usize].clear());
        layout
    }

    /// Finds the distances of all crossbars that can be reached from one, and says which they are.
    fn reach_from(&mut self, first: u32, dimensions: usize) -> Vec<u32> {
        self.distances[first as usize] = vec![0; dimensions];
        let mut reached = vec![first];
        let mut next = 0;
        while let Some(&x) = reached.get(next) {
            next += 1;
            for edge in self.neighbours.edges(x) {
                let to = self.neighbours.to[edge as usize];
                if self.distances[to as usize].is_empty()
                    && let Some(distance) = self.behind(edge)
                {
                    self.distances[to as usize] = distance;
                    reached.push(to);
                }
            }
        }
        reached
    }

    /// The distance where an edge ends, by that where it starts; none if it is not known where it leads.
    fn behind(&self, edge: u32) -> Option<Vec<i32>> {
        let (dimension, step) = self.steps[edge as usize]?;
        let mut distance = self.distances[self.neighbours.from[edge as usize] as usize].clone();
        *distance.get_mut(dimension)? += step;
        Some(distance)
    }

    /// The dimensions, and the place of each crossbar in them; empty where that is not known.
    pub(super) fn places(&self) -> (Vec<Dimension>, Vec<Vec<u32>>) {
        let mut dimensions = Vec::new();
        let mut places = vec![Vec::new(); self.distances.len()];
        for (dimension, round) in self.rounds().into_iter().enumerate() {
            let known = || self.distances.iter().filter_map(|distance| distance.get(dimension).copied());
            let (first, last) = (known().min().unwrap_or(0), known().max().unwrap_or(0));
            let is_ring = round != NONE;
            let length = if is_ring { round } else { last.abs_diff(first) + 1 };
            dimensions.push(Dimension { length, is_ring });
            for (place, distance) in places.iter_mut().zip(&self.distances) {
                let at = |&distance: &i32| (distance - first) as u32 % length;
                place.extend(distance.get(dimension).map(at));
            }
        }
        (dimensions, places)
    }

    /// For each dimension, after how many steps it comes back to where it began, as most cables have it that lead to a crossbar
    /// for the second time; [`NONE`] if not even a quarter of those do that a ring has.
    fn rounds(&self) -> Vec<u32> {
        let reached = || self.distances.iter().filter(|distance| !distance.is_empty());
        let mut found = vec![BTreeMap::new(); reached().next().map_or(0, Vec::len)];
        for edge in 0..self.neighbours.to.len() as u32 {
            let there = &self.distances[self.neighbours.to[edge as usize] as usize];
            for ((found, one), two) in found.iter_mut().zip(self.behind(edge).unwrap_or_default()).zip(there) {
                *found.entry(one.abs_diff(*two)).or_insert(0) += 1;
            }
        }
        let crossbars = reached().count();
        let is_ring = |&(&steps, &count): &(&u32, &usize)| steps > 0 && 2 * count * steps as usize >= crossbars;
        let most = |found: &BTreeMap<u32, usize>| {
            found.iter().filter(is_ring).max_by_key(|&(_, count)| count).map_or(NONE, |(&steps, _)| steps)
        };
        found.iter().map(most).collect()
    }
}
