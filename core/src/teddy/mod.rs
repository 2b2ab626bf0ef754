//! TEDDY (specs/sparse_and_graph.md §1; Seo, Yun and Yang, ICLR 2024): edges that lead from hub to hub go first.
//!
//! The score of an edge is the product of one number for each of its ends, so `O(N)` memory holds all scores, and the cut is
//! found by passes over the edges ([`prune`]). A graph that is to choose its sparsity on the device carries a rank for each
//! edge ([`ranks`]) and keeps the edges with `rank >= k`.
//!
//! # Examples
//! ```
//! use niwaki_core::graph::Csr;
//! use niwaki_core::teddy::{self, DropUnit, Scores};
//! // 0 – 1, 0 – 2, 0 – 3, 3 – 4, 4 – 5
//! let graph = Csr::try_new(&[0_u16, 3, 4, 5, 7, 9, 10], &[1_u16, 2, 3, 0, 0, 0, 4, 3, 5, 4], 6)?;
//! let (mut scratch, mut nodes, mut keep) = ([0.0_f64; 6], [0.0; 6], [true; 10]);
//! teddy::node_scores(&graph, &mut scratch, &mut nodes)?;
//! let scores = Scores::try_new(graph, &nodes)?;
//! teddy::prune(&scores, DropUnit::Pair, 1, &mut keep)?;
//! // The hub's edge to the connector, in both directions.
//! assert_eq!(keep, [true, true, false, true, true, false, true, true, true, true]);
//! # Ok::<(), niwaki_core::error::GraphError>(())
//! ```

mod project;

#[cfg(test)]
mod tests;

pub use project::{project_l0, zero_count};

use crate::error::GraphError;
use crate::graph::{Csr, Index, Undirected, check_len};
use crate::real::Real;
use crate::select::Cut;

/// The score `T` of every node: `d_i^-2 Σ_j d_j^-1/2` over its neighbours, 0 for an isolated one. `O(N + E)`.
///
/// Degrees are those of the graph as given; GAT takes its graph with a self loop on every node.
///
/// # Shapes
/// `scratch, scores: [nodes]`
/// # Errors
/// [`GraphError`]; nothing is written then.
pub fn node_scores<O: Index, I: Index, T: Real>(
    graph: &Csr<'_, O, I>,
    scratch: &mut [T],
    scores: &mut [T],
) -> Result<(), GraphError> {
    graph.check_square()?;
    check_len("scratch", graph.row_count(), scratch.len())?;
    check_len("scores", graph.row_count(), scores.len())?;
    let inverse = |degree: usize| if degree > 0 { T::ONE / T::from_f64(degree as f64) } else { T::ZERO };
    for (neighbours, root) in graph.rows().zip(scratch.iter_mut()) {
        *root = inverse(neighbours.len()).sqrt();
    }
    for (neighbours, score) in graph.rows().zip(scores) {
        let roots = neighbours.iter().map(|neighbour| scratch.get(neighbour.to_usize()).copied().unwrap_or(T::ZERO));
        let inverse = inverse(neighbours.len());
        *score = roots.fold(T::ZERO, |sum, root| sum + root) * inverse * inverse;
    }
    Ok(())
}

/// The scores of all edges, each computed when it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Scores<'a, O, I, T> {
    graph: Csr<'a, O, I>,
    nodes: &'a [T],
}

impl<'a, O: Index, I: Index, T: Real> Scores<'a, O, I, T> {
    /// The scores of `graph`'s edges, from the scores of its nodes.
    ///
    /// # Errors
    /// [`GraphError`] unless the graph is square and there is one score for each node.
    pub fn try_new(graph: Csr<'a, O, I>, nodes: &'a [T]) -> Result<Self, GraphError> {
        graph.check_square()?;
        check_len("nodes", graph.row_count(), nodes.len())?;
        Ok(Self { graph, nodes })
    }

    /// The score of an edge; edges with high scores stay.
    #[inline]
    pub fn of(&self, from: usize, to: usize) -> T {
        self.node(from) * self.node(to)
    }

    /// Writes one score for each edge. Self loops get the largest of all.
    ///
    /// # Errors
    /// [`GraphError::Len`].
    pub fn write(&self, scores: &mut [T]) -> Result<(), GraphError> {
        check_len("scores", self.graph.entry_count(), scores.len())?;
        let all = self.graph.entries().map(|(from, to)| self.of(from, to));
        let largest = all.clone().fold(T::ZERO, Real::max);
        for ((score, value), (from, to)) in scores.iter_mut().zip(all).zip(self.graph.entries()) {
            *score = if from == to { largest } else { value };
        }
        Ok(())
    }

    #[inline]
    fn node(&self, node: usize) -> T {
        self.nodes.get(node).copied().unwrap_or(T::ZERO)
    }

    /// The scores of the edges that compete, as integers in the same order.
    #[inline]
    fn keys(&self, unit: DropUnit) -> impl Iterator<Item = u64> + Clone {
        let competing = self.graph.entries().filter(move |(from, to)| unit.competes(*from, *to));
        let scores = *self;
        competing.map(move |(from, to)| scores.of(from, to).magnitude_bits())
    }
}

/// What is dropped or kept as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DropUnit {
    /// Both directions of an edge together: a symmetric graph stays symmetric.
    #[default]
    Pair,
    /// Each direction by itself, as in the authors' code; a tie at the cut may split a pair.
    Direction,
}

impl DropUnit {
    /// Whether an edge is ranked. Self loops never are.
    #[inline]
    fn competes(self, from: usize, to: usize) -> bool {
        match self {
            Self::Pair => from < to,
            Self::Direction => from != to,
        }
    }

    /// How many to drop of `edges` directed edges, self loops included: `floor(edges * ratio)` directions, or half as many
    /// pairs, rounded down.
    pub fn drop_count(self, edges: usize, ratio: f64) -> usize {
        let directed = libm::floor(edges as f64 * ratio.clamp(0.0, 1.0)) as usize;
        match self {
            Self::Pair => directed / 2,
            Self::Direction => directed,
        }
    }
}

/// The share that is dropped after `level` steps if each drops the share `step` of what is left:
/// `1 - (1 - step)^level`.
pub fn level_ratio(step: f64, level: u32) -> f64 {
    1.0 - (0..level).fold(1.0, |kept, _| kept * (1.0 - step))
}

/// Marks the edges that stay when the `drop` edges or pairs with the smallest scores go. Of equal scores the edge that
/// comes first goes first. Self loops stay; where there are fewer other edges than `drop`, fewer go.
///
/// # Shapes
/// `keep`: one for each entry of the graph
/// # Errors
/// [`GraphError`]: a wrong length, or for pairs a graph that is not symmetric. `keep` is untouched then.
pub fn prune<O: Index, I: Index, T: Real>(
    scores: &Scores<'_, O, I, T>,
    unit: DropUnit,
    drop: usize,
    keep: &mut [bool],
) -> Result<(), GraphError> {
    check_len("keep", scores.graph.entry_count(), keep.len())?;
    if unit == DropUnit::Pair {
        Undirected::try_new(scores.graph)?;
    }
    let mut cut = Cut::above_smallest(|| scores.keys(unit), T::BITS, drop);
    let whole = cut;
    for (at, (from, to)) in scores.graph.entries().enumerate() {
        let key = scores.of(from, to).magnitude_bits();
        let kept = if unit.competes(from, to) {
            !cut.takes(key)
        } else if from == to {
            true
        } else if whole.is_at(key) {
            // The other direction came first and has decided.
            scores.graph.entry(to, from).and_then(|mirror| keep.get(mirror).copied()).unwrap_or(true)
        } else {
            let mut above = whole;
            !above.takes(key)
        };
        if let Some(flag) = keep.get_mut(at) {
            *flag = kept;
        }
    }
    Ok(())
}

/// The rank of self loops, which no `k` reaches.
pub const NEVER: u32 = u32::MAX;

/// Writes the rank of each edge, or of its pair, in the order in which [`prune`] drops them: `rank >= k` says whether an
/// edge stays when `k` go. Returns how many ranks there are.
///
/// # Shapes
/// `scores, ranks`: one for each entry of the graph; `scores` from [`Scores::write`] or any others that are not negative ·
/// `order`: two words for each entry
/// # Errors
/// [`GraphError`]: a wrong length, or for pairs a graph that is not symmetric. `ranks` is untouched then.
pub fn ranks<O: Index, I: Index, T: Real>(
    graph: &Csr<'_, O, I>,
    scores: &[T],
    unit: DropUnit,
    order: &mut [u32],
    ranks: &mut [u32],
) -> Result<usize, GraphError> {
    let entries = graph.entry_count();
    graph.check_square()?;
    check_len("scores", entries, scores.len())?;
    check_len("ranks", entries, ranks.len())?;
    check_len("order", 2 * entries, order.len())?;
    if unit == DropUnit::Pair {
        Undirected::try_new(*graph)?;
    }
    let halves = order.split_at_mut_checked(entries);
    let (mut sorted, mut spare) = halves.ok_or(GraphError::Len { operand: "order", expected: entries, got: 0 })?;
    let mut count = 0;
    let competing = (0_u32..).zip(graph.entries()).filter(|(_, (from, to))| unit.competes(*from, *to));
    for ((at, _), slot) in competing.zip(sorted.iter_mut()) {
        *slot = at;
        count += 1;
    }
    let key = |at: u32| scores.get(at as usize).map_or(0, |score| score.magnitude_bits());
    // The last byte first; each pass keeps the order of equal bytes.
    for shift in (0..T::BITS.div_ceil(8)).map(|byte| 8 * byte) {
        let mut starts = [0_usize; 256];
        let bucket = |at: u32| usize::from((key(at) >> shift) as u8);
        for at in sorted.iter().take(count) {
            if let Some(start) = starts.get_mut(bucket(*at)) {
                *start += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += core::mem::replace(start, sum);
        }
        for at in sorted.iter().take(count) {
            if let Some(start) = starts.get_mut(bucket(*at)) {
                if let Some(slot) = spare.get_mut(*start) {
                    *slot = *at;
                }
                *start += 1;
            }
        }
        core::mem::swap(&mut sorted, &mut spare);
    }
    ranks.fill(NEVER);
    for (rank, at) in (0_u32..).zip(sorted.iter().take(count)) {
        if let Some(slot) = ranks.get_mut(*at as usize) {
            *slot = rank;
        }
    }
    if unit == DropUnit::Pair {
        for (at, (from, to)) in graph.entries().enumerate().filter(|(_, (from, to))| from > to) {
            let mirror = graph.entry(to, from).and_then(|mirror| ranks.get(mirror).copied());
            if let (Some(slot), Some(rank)) = (ranks.get_mut(at), mirror) {
                *slot = rank;
            }
        }
    }
    Ok(count)
}
