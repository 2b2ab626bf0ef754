//! What core runs for int8 operators over node sets, with the constants that it borrows.

use super::constants::{Counts, Indices, Pattern, Scale};
use niwaki_core::format::Params;
use niwaki_core::kernels::nodes::{LayerWeights, RowOperator};
use niwaki_core::kernels::{Gathering, KeptEdges, NodeDense, Propagate, SparseDense, Weighted};
use niwaki_core::ops::{Op as CoreOp, write};

/// An int8 operator over a node set.
#[derive(Debug, Clone, PartialEq)]
pub enum Nodes {
    /// Sums over neighbours.
    Propagate {
        /// Who gathers from whom.
        graph: Pattern,
        /// Whether every edge is there in both directions.
        symmetric: bool,
        /// Elements of a row.
        channels: usize,
        /// What is gathered.
        gathering: Gathering,
        /// Quantised value of zero in the input.
        input_zero_point: i32,
        /// How sums become quantised values.
        scale: Scale,
        /// The operand with the edges that count, if some may not.
        kept: Option<usize>,
    },
    /// Weighted sums over neighbours.
    Weighted {
        /// Who gathers from whom, without self loops.
        graph: Pattern,
        /// Whether every edge is there in both directions.
        symmetric: bool,
        /// Elements of a row.
        channels: usize,
        /// What neighbours count.
        counts: Counts,
        /// Quantised value of zero in the input.
        input_zero_point: i32,
        /// How sums become quantised values.
        scale: Scale,
        /// The operand with the edges that count, if some may not.
        kept: Option<usize>,
    },
    /// Which edges count.
    KeepEdges {
        /// One an edge.
        ranks: Indices,
    },
    /// Features times weights.
    SparseDense {
        /// Which features each node has.
        features: Pattern,
        /// Their quantised values; none where all are 1.
        values: Vec<i8>,
        /// `[features, channels]`
        w: Vec<i8>,
        /// Elements of a row.
        channels: usize,
        /// How sums become quantised values.
        scale: Scale,
    },
    /// A layer of each node.
    NodeDense {
        /// Nodes.
        rows: usize,
        /// Elements of a row of the input.
        inputs: usize,
        /// `[inputs, channels]`
        w: Vec<i8>,
        /// Elements of a row.
        channels: usize,
        /// Quantised value of zero in the input.
        input_zero_point: i32,
        /// How sums become quantised values.
        scale: Scale,
    },
    /// Rows by number.
    Gather,
}

impl Nodes {
    /// Writes its parameter words, but for those of weights without their zeros; what it is in a file.
    pub(crate) fn write(&self, params: &mut Params) -> CoreOp {
        let (op, scale) = match self {
            Self::Propagate { symmetric, gathering, scale, .. } => {
                write::symmetric(params, *symmetric);
                write::gathering(params, *gathering);
                (CoreOp::Propagate, Some(scale))
            }
            Self::Weighted { symmetric, counts, scale, .. } => {
                write::symmetric(params, *symmetric);
                match counts {
                    Counts::ByDegree(_) => (CoreOp::PropagateByDegree, Some(scale)),
                    Counts::Attention { slopes, .. } => {
                        write::heads(params, slopes.len() / 4);
                        (CoreOp::Attend, Some(scale))
                    }
                }
            }
            Self::KeepEdges { .. } => (CoreOp::KeepEdges, None),
            Self::SparseDense { scale, .. } => (CoreOp::SparseDense, Some(scale)),
            Self::NodeDense { scale, .. } => (CoreOp::NodeDense, Some(scale)),
            Self::Gather => (CoreOp::Gather, None),
        };
        if let Some(scale) = scale {
            write::node_clamp(params, scale.clamp);
        }
        op
    }

    /// The view that core computes with, with all edges; what computes no rows has none.
    pub fn view(&self) -> Option<RowOperator<'_>> {
        Some(match self {
            Self::Propagate { graph, channels, gathering, input_zero_point, scale, .. } => {
                RowOperator::Propagate(Propagate {
                    graph: graph.view(),
                    kept: KeptEdges::ALL,
                    channels: *channels,
                    gathering: *gathering,
                    input_zero_point: *input_zero_point,
                    scaling: scale.view(),
                })
            }
            Self::SparseDense { features, values, w, channels, scale } => RowOperator::SparseDense(
                SparseDense { features: features.view(), values, channels: *channels, scaling: scale.view() },
                LayerWeights::Whole(w),
            ),
            Self::NodeDense { rows, inputs, w, channels, input_zero_point, scale } => RowOperator::NodeDense(
                NodeDense {
                    rows: *rows,
                    inputs: *inputs,
                    channels: *channels,
                    input_zero_point: *input_zero_point,
                    scaling: scale.view(),
                },
                LayerWeights::Whole(w),
            ),
            Self::Weighted { graph, channels, counts, input_zero_point, scale, .. } => {
                RowOperator::Weighted(Weighted {
                    graph: graph.view(),
                    kept: KeptEdges::ALL,
                    channels: *channels,
                    weights: counts.view(),
                    input_zero_point: *input_zero_point,
                    scaling: scale.view(),
                })
            }
            Self::Gather | Self::KeepEdges { .. } => return None,
        })
    }

    /// The operand with the edges that count, if some may not.
    pub fn kept(&self) -> Option<usize> {
        match self {
            Self::Propagate { kept, .. } | Self::Weighted { kept, .. } => *kept,
            _ => None,
        }
    }
}
