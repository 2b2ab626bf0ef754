//! Operators on matrices with one row a node: sums over neighbours, sparse features times weights, a layer a node.
//!
//! Every one of them makes a row of sums and turns it into codes with a [`RowScaling`]. A factor of GCN's normalisation
//! belongs to a node, never to an edge: that of the neighbour is part of the operator that made its row, that of the node
//! itself scales its sums. So the loop over the edges only adds. Where the edges are chosen at run time, and with them the
//! degrees, or where attention decides, each neighbour counts a weight instead ([`Weighted`]).

mod chain;
mod compressed;
mod gathering;
mod kept_edges;
mod rows;
mod scaling;
mod sparse;
mod sums;
mod weighted;
mod weighted_row;

pub use chain::{Link, RowOperator, compute_row, scratch_words};
pub use compressed::{CompressedWeights, LayerWeights};
pub use gathering::Gathering;
pub use kept_edges::{KeptEdges, Ranks, keep_edges};
pub use scaling::{RowConstants, RowScale, RowScaling};
pub use sparse::{Columns, Sparse};
pub use sums::{BLOCK, Block, Sums};
pub use weighted::{
    Attention, NeighbourWeights, Normalizer, Scoring, Slope, Weighted, degree_weight, exponential, score,
};

pub(crate) use chain::compute_rows;
pub(crate) use sums::heads;

use crate::error::ShapeError;
use crate::shape::{MAX_LEN, expect_len};

/// Most that a sum may become, its factor and bias included, so that every spelling of a multiplier is exact.
pub const MAX_SUM: i64 = 3 << 29;

/// Largest distance of an int8 code from a zero point.
pub const MAX_DISTANCE: i64 = 255;

/// Sums over the neighbours of each node that are kept.
///
/// # Shapes
/// `x, y: [nodes, channels]` row-major; `graph: [nodes, nodes]`, row `i` has the nodes that node `i` gathers from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Propagate<'a> {
    /// The graph.
    pub graph: Sparse<'a>,
    /// Which of its edges count.
    pub kept: KeptEdges<'a>,
    /// Columns of `x` and `y`.
    pub channels: usize,
    /// What is gathered.
    pub gathering: Gathering,
    /// Of `x`, in `-128..=127`.
    pub input_zero_point: i32,
    /// How sums become codes.
    pub scaling: RowScaling<'a>,
}

impl Propagate<'_> {
    /// Checks all operands.
    ///
    /// # Errors
    /// [`ShapeError`] names the operand.
    pub fn check(&self, x: usize, y: usize) -> Result<(), ShapeError> {
        check_gathered(&self.graph, self.channels, x, y)?;
        self.scaling.check(self.graph.row_count(), self.channels)
    }

    /// Whether no sum can be more than [`MAX_SUM`], whatever edges are kept.
    pub fn is_exact(&self) -> bool {
        let bias = self.scaling.largest_bias();
        (0..self.graph.row_count()).all(|row| {
            let largest = self.gathering.largest(self.graph.row(row).len());
            largest.saturating_mul(self.scaling.of_row(row).factor.into()).saturating_add(bias) <= MAX_SUM
        })
    }
}

/// Sparse features times dense weights.
///
/// # Shapes
/// `features: [rows, inputs]` · `values`: one an entry, or none where every entry is 1 · `w: [inputs, channels]`
/// row-major · `y: [rows, channels]`
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SparseDense<'a> {
    /// Which features each row has.
    pub features: Sparse<'a>,
    /// Their codes, with zero point 0; empty where each is 1.
    pub values: &'a [i8],
    /// Columns of `w` and `y`.
    pub channels: usize,
    /// How sums become codes.
    pub scaling: RowScaling<'a>,
}

impl SparseDense<'_> {
    /// Checks all operands.
    ///
    /// # Errors
    /// [`ShapeError`] names the operand.
    pub fn check(&self, w: usize, y: usize) -> Result<(), ShapeError> {
        let rows = self.features.row_count();
        if !self.values.is_empty() {
            expect_len("values", self.features.entry_count(), self.values.len())?;
        }
        expect_len("w", matrix("w", self.features.column_count(), self.channels)?, w)?;
        expect_len("y", matrix("y", rows, self.channels)?, y)?;
        self.scaling.check(rows, self.channels)
    }

    /// The codes of the features of `row`; empty where each is 1.
    #[inline]
    pub fn row_values(&self, row: usize) -> &[i8] {
        self.features.span(row).and_then(|span| self.values.get(span)).unwrap_or_default()
    }

    /// Whether no sum can be more than [`MAX_SUM`].
    pub fn is_exact(&self) -> bool {
        let bias = self.scaling.largest_bias();
        let value = if self.values.is_empty() { 1 } else { 128 };
        (0..self.features.row_count()).all(|row| {
            let largest = self.features.row(row).len() as i64 * value * 128;
            largest.saturating_mul(self.scaling.of_row(row).factor.into()).saturating_add(bias) <= MAX_SUM
        })
    }
}

/// One fully connected layer for every row.
///
/// # Shapes
/// `x: [rows, inputs]` · `w: [inputs, channels]` · `y: [rows, channels]`, row-major.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodeDense<'a> {
    /// Rows of `x` and `y`.
    pub rows: usize,
    /// Columns of `x`.
    pub inputs: usize,
    /// Columns of `w` and `y`.
    pub channels: usize,
    /// Of `x`, in `-128..=127`.
    pub input_zero_point: i32,
    /// How sums become codes.
    pub scaling: RowScaling<'a>,
}

impl NodeDense<'_> {
    /// Checks all operands.
    ///
    /// # Errors
    /// [`ShapeError`] names the operand.
    pub fn check(&self, x: usize, w: usize, y: usize) -> Result<(), ShapeError> {
        expect_len("x", matrix("x", self.rows, self.inputs)?, x)?;
        expect_len("w", matrix("w", self.inputs, self.channels)?, w)?;
        expect_len("y", matrix("y", self.rows, self.channels)?, y)?;
        self.scaling.check(self.rows, self.channels)
    }

    /// Whether no sum can be more than [`MAX_SUM`].
    pub fn is_exact(&self) -> bool {
        let factor = self.scaling.constants().factors.iter().max().map_or(1, |&factor| factor.into());
        let largest = (self.inputs as i64).saturating_mul(128 * MAX_DISTANCE).saturating_mul(factor);
        largest.saturating_add(self.scaling.largest_bias()) <= MAX_SUM
    }
}

/// Checks that `graph` is square and that `x` and `y` have so many channels for each of its nodes.
fn check_gathered(graph: &Sparse<'_>, channels: usize, x: usize, y: usize) -> Result<(), ShapeError> {
    let nodes = graph.row_count();
    expect_len("nodes of the graph", nodes, graph.column_count())?;
    expect_len("x", matrix("x", nodes, channels)?, x)?;
    expect_len("y", x, y)
}

/// Elements of a matrix, at least one and at most [`MAX_LEN`].
fn matrix(name: &'static str, rows: usize, columns: usize) -> Result<usize, ShapeError> {
    let len = rows.checked_mul(columns).filter(|len| (1..=MAX_LEN).contains(len));
    len.ok_or(ShapeError::Dim { name, value: columns })
}
