//! Which edges of a graph stay: by TEDDY's scores, against them, or at random. Scores and cuts are core's.

use super::SparsifyError;
use crate::graph::{Adjacency, Graph, Propagation, Quant, TensorId};
use crate::ops;
use crate::ops::{KeepEdges, Propagate};
use niwaki_core::error::GraphError;
use niwaki_core::format::DType;
use niwaki_core::teddy::{self, Scores};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use std::sync::Arc;

pub use niwaki_core::teddy::{DropUnit, level_ratio, zero_count};

/// Share of the edges that a level drops of those that are left.
pub const EDGES_A_LEVEL: f64 = 0.05;
/// Share of the weights that a level zeroes of those that are left.
pub const WEIGHTS_A_LEVEL: f64 = 0.1;

/// How sparse: shares of what there was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Share of the edges that go.
    pub edges: f64,
    /// Share of the weights that are zero.
    pub weights: f64,
}

impl Level {
    /// The paper's levels: 5 % of the edges and 10 % of the weights of what is left, so many times.
    pub fn of(level: u32) -> Self {
        Self { edges: level_ratio(EDGES_A_LEVEL, level), weights: level_ratio(WEIGHTS_A_LEVEL, level) }
    }
}

/// Whether a network attends over the edges of its graph: then self loops are scored as edges too.
pub fn has_attention(network: &Graph) -> bool {
    let attends = |op: &ops::Propagate| matches!(op.rule, Propagation::Attention { .. });
    network.nodes.iter().filter_map(|node| node.op.get()).any(attends)
}

/// What edges are ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeOrder {
    /// TEDDY: edges between nodes of many neighbours go first.
    Degree,
    /// The other way round.
    Inverted,
    /// By chance, from this seed.
    Random(u64),
}

/// The order in which the edges of a graph go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeRanks {
    /// One an edge; self loops have [`teddy::NEVER`].
    ranks: Vec<u32>,
    unit: DropUnit,
    /// Edges that ratios are taken of.
    counted: usize,
}

impl EdgeRanks {
    /// Ranks the edges of `graph`. `loops`: scores and counts are those of the graph with a self loop on every node, as GAT
    /// sees it (specs/sparse_and_graph.md §1.2).
    ///
    /// # Errors
    /// [`GraphError::Asymmetric`] for pairs of a graph that has one-way edges.
    pub fn new(graph: &Adjacency, order: EdgeOrder, unit: DropUnit, loops: bool) -> Result<Self, GraphError> {
        let seen = if loops { graph.with_self_loops() } else { graph.clone() };
        let (csr, nodes) = (seen.csr(), seen.nodes());
        let mut scores = vec![0.0_f64; seen.edges()];
        if let EdgeOrder::Random(seed) = order {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            scores.fill_with(|| f64::from(rng.next_u32()));
        } else {
            let (mut scratch, mut of_nodes) = (vec![0.0; nodes], vec![0.0; nodes]);
            teddy::node_scores(&csr, &mut scratch, &mut of_nodes)?;
            Scores::try_new(csr, &of_nodes)?.write(&mut scores)?;
        }
        if order == EdgeOrder::Inverted {
            let largest = scores.iter().copied().fold(0.0, f64::max);
            scores.iter_mut().for_each(|score| *score = largest - *score);
        }
        let (mut order, mut all) = (vec![0; 2 * seen.edges()], vec![0; seen.edges()]);
        teddy::ranks(&csr, &scores, unit, &mut order, &mut all)?;
        // The loops that were added are no edges of the graph.
        let own = graph.csr();
        let ranks = csr.entries().zip(all).filter(|((from, to), _)| from != to || own.contains(*from, *to));
        Ok(Self { ranks: ranks.map(|(_, rank)| rank).collect(), unit, counted: seen.edges() })
    }

    /// One rank an edge of the graph: it stays when its rank is not below [`drop_count`](Self::drop_count).
    pub fn ranks(&self) -> &[u32] {
        &self.ranks
    }

    /// How many edges, or pairs of them, can go.
    pub fn count(&self) -> usize {
        self.ranks.iter().filter(|rank| **rank != teddy::NEVER).max().map_or(0, |rank| *rank as usize + 1)
    }

    /// How many ranks go at a ratio.
    pub fn drop_count(&self, ratio: f64) -> usize {
        self.unit.drop_count(self.counted, ratio)
    }

    /// Which edges stay at a ratio.
    pub fn keep(&self, ratio: f64) -> Vec<bool> {
        let drop = self.drop_count(ratio) as u64;
        self.ranks.iter().map(|rank| u64::from(*rank) >= drop).collect()
    }
}

/// `network` over all edges of `graph`, with an input that says how many ranks go: it chooses its edges where it runs.
///
/// # Errors
/// [`SparsifyError::NoEdges`] where there is no edge that could go.
pub fn choose_edges(network: &Graph, graph: &Adjacency, ranks: &EdgeRanks) -> Result<Graph, SparsifyError> {
    let mut network = network.clone();
    let drop = network.input("dropped_edges", &[1]);
    network[drop].element = DType::I32;
    // GCN and GAT count the node itself, whether or not the graph says so.
    let loops: Vec<bool> = graph.csr().entries().map(|(from, to)| from == to).collect();
    let others = ranks.ranks().iter().zip(&loops).filter(|(_, is_loop)| !**is_loop).map(|(rank, _)| *rank);
    let forms =
        [(Arc::new(graph.clone()), ranks.ranks().to_vec()), (Arc::new(graph.without_self_loops()), others.collect())];
    let mut bits: [Option<TensorId>; 2] = [None; 2];
    for n in (0..network.nodes.len()).rev() {
        let Some(&Propagate { rule, .. }) = network.nodes[n].op.get() else { continue };
        let form = usize::from(matches!(rule, Propagation::Gcn | Propagation::Attention { .. }));
        if bits[form].is_none() {
            let ranks = Arc::new(forms[form].1.clone());
            if ranks.iter().all(|rank| *rank == teddy::NEVER) {
                return Err(SparsifyError::NoEdges);
            }
            let name = ["kept_edges", "kept_others"][form];
            let kept = network.push(name, KeepEdges { ranks }, &[drop])?;
            network[kept].element = DType::I8;
            network[kept].quant = Some(Quant { scales: vec![1.0], zero_point: 0, axis: None });
            bits[form] = Some(kept);
        }
        if let Some(Propagate { adjacency, .. }) = network.nodes[n].op.get_mut() {
            adjacency.clone_from(&forms[form].0);
        }
        network.nodes[n].inputs.extend(bits[form]);
    }
    // They run first.
    let made = bits.iter().flatten().count();
    network.nodes.rotate_right(made);
    network.validate()?;
    Ok(network)
}

/// How many nodes have each number of neighbours.
pub fn degree_histogram(graph: &Adjacency) -> Vec<usize> {
    let mut histogram = Vec::new();
    for neighbours in graph.csr().rows() {
        if histogram.len() <= neighbours.len() {
            histogram.resize(neighbours.len() + 1, 0);
        }
        histogram[neighbours.len()] += 1;
    }
    histogram
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hub with five neighbours, one of which leads to a path of three.
    fn graph() -> Adjacency {
        let edges = [(0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (5, 6), (6, 7)];
        Adjacency::from_edges(8, edges.into_iter().flat_map(|(u, v)| [(u, v), (v, u)])).expect("in range")
    }

    fn kept(order: EdgeOrder, ratio: f64) -> Adjacency {
        let graph = graph();
        graph.filtered(&EdgeRanks::new(&graph, order, DropUnit::Pair, false).expect("symmetric").keep(ratio))
    }

    #[test]
    fn hubs_lose_edges_first_and_leaves_last() {
        let first = kept(EdgeOrder::Degree, 2.0 / 14.0);
        assert_eq!((first.edges(), first.is_symmetric()), (12, true));
        assert_eq!(first.row(0), [1, 2, 3, 4], "the edge to the connector");
        let inverted = kept(EdgeOrder::Inverted, 2.0 / 14.0);
        assert_eq!(inverted.row(7), [] as [u32; 0], "the last edge of the path");
    }

    #[test]
    fn chance_depends_on_the_seed_alone_and_drops_as_many() {
        let half = |seed| kept(EdgeOrder::Random(seed), 0.5);
        assert_eq!((half(1), half(1).edges()), (half(1), 8));
        assert!((2..20).any(|seed| half(seed) != half(1)));
    }

    #[test]
    fn loops_that_attention_adds_are_counted_but_never_dropped() {
        let graph = graph();
        let ranks = EdgeRanks::new(&graph, EdgeOrder::Degree, DropUnit::Direction, true).expect("a graph");
        assert_eq!((ranks.ranks().len(), ranks.drop_count(0.5)), (14, 11));
        assert_eq!(ranks.keep(0.5).iter().filter(|keep| !**keep).count(), 11);
        assert!(ranks.keep(0.999).iter().all(|keep| !keep), "all that are no loops");
    }

    #[test]
    fn the_histogram_counts_every_node_once() {
        assert_eq!(degree_histogram(&graph()), [0, 5, 2, 0, 0, 1]);
    }
}
