//! The front of choices that no other beats in both flash and instructions.

use super::{Chosen, Planner};
use niwaki_core::ops::OpCode;
use std::collections::BTreeSet;

/// A choice for some layers; the others are 0.
#[derive(Clone)]
pub(super) struct Point {
    pub(super) bytes: u64,
    pub(super) instructions: u64,
    pub(super) chosen: Chosen,
}

/// Points of a front that are kept, those that lie evenly: with fewer the front is exact.
const FRONT_MAX: usize = 1024;

/// Those of `points`, each with its bytes and instructions, that no other beats in both, by rising bytes.
fn unbeaten<T>(mut points: Vec<(u64, u64, T)>) -> Vec<(u64, u64, T)> {
    points.sort_by_key(|&(bytes, instructions, _)| (bytes, instructions));
    let mut least = u64::MAX;
    points.retain(|&(_, instructions, _)| {
        let better = instructions < least;
        least = least.min(instructions);
        better
    });
    let steps = points.len().saturating_sub(1);
    if points.len() > FRONT_MAX {
        let mut n = 0;
        points.retain(|_| {
            let kept = n * (FRONT_MAX - 1) % steps < FRONT_MAX - 1;
            n += 1;
            kept
        });
    }
    points
}

impl Planner<'_> {
    /// All choices that no other beats in both flash and instructions.
    ///
    /// Layers of one kind share kernels, and a kernel is linked once however many layers run on it: for every set of
    /// kernels of a kind the front of its layers, then the front of all sets, then that of all kinds together.
    pub(super) fn front(&self) -> Vec<Point> {
        let program = self.table.code_bytes(self.fixed_codes.iter().copied());
        let nothing = vec![0; self.layers.len()];
        let start = Point {
            bytes: self.fixed_bytes + program,
            instructions: self.fixed_instructions as u64,
            chosen: nothing.clone(),
        };
        let kinds: BTreeSet<OpCode> = self.layers.iter().map(|layer| layer.codes[0]).collect();
        kinds.into_iter().fold(vec![start], |front, kind| {
            let layers: Vec<usize> = (0..self.layers.len()).filter(|&l| self.layers[l].codes[0] == kind).collect();
            let codes: BTreeSet<OpCode> = layers.iter().flat_map(|&l| self.layers[l].codes.iter().copied()).collect();
            let codes = Vec::from_iter(codes);
            let sets = (1_usize..1 << codes.len()).filter(|set| set.count_ones() as usize <= layers.len());
            let of_set = |set: usize| {
                let codes: Vec<OpCode> = (0..codes.len()).filter(|c| set >> c & 1 == 1).map(|c| codes[c]).collect();
                let kernels = self.table.code_bytes(codes.iter().copied()) - self.table.base_code_bytes;
                let first = vec![Point { bytes: kernels, instructions: 0, chosen: nothing.clone() }];
                layers.iter().fold(first, |points, &l| self.with_layer(&points, l, &codes))
            };
            let all = sets.flat_map(of_set).map(|point| (point.bytes, point.instructions, point));
            let of_kind: Vec<Point> = unbeaten(all.collect()).into_iter().map(|(.., point)| point).collect();
            let pairs = front.iter().flat_map(|a| of_kind.iter().map(move |b| (a, b)));
            let sums = pairs.map(|(a, b)| (a.bytes + b.bytes, a.instructions + b.instructions, (a, b)));
            let both = |a: &Point, b: &Point| a.chosen.iter().zip(&b.chosen).map(|(a, b)| a + b).collect();
            let joined = unbeaten(sums.collect()).into_iter();
            joined.map(|(bytes, instructions, (a, b))| Point { bytes, instructions, chosen: both(a, b) }).collect()
        })
    }

    /// `points` with each candidate of a layer that runs on one of these kernels and has room in RAM.
    fn with_layer(&self, points: &[Point], l: usize, codes: &[OpCode]) -> Vec<Point> {
        let layer = &self.layers[l];
        let usable = |c: &usize| layer.candidates[*c].fits_ram && codes.contains(&layer.codes[*c]);
        let usable: Vec<usize> = (0..layer.candidates.len()).filter(usable).collect();
        let pairs = points.iter().flat_map(|point| usable.iter().map(move |&c| (point, c)));
        let sums = pairs.map(|(point, c)| {
            let candidate = &layer.candidates[c];
            (point.bytes + candidate.bytes, point.instructions + candidate.instructions, (point, c))
        });
        let joined = unbeaten(sums.collect()).into_iter();
        joined
            .map(|(bytes, instructions, (point, c))| {
                let mut chosen = point.chosen.clone();
                chosen[l] = c;
                Point { bytes, instructions, chosen }
            })
            .collect()
    }
}
