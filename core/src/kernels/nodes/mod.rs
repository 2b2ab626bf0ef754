//! Operators on matrices with one row a node: sums over neighbours, sparse features times weights, a layer a node.
//!
//! Every one of them makes a row of sums and turns it into codes with a [`RowScaling`]. A factor of GCN's normalisation
//! belongs to a node, never to an edge: that of the neighbour is part of the operator that made its row, that of the node
//! itself scales its sums. So the loop over the edges only adds. Where the edges are chosen at run time, and with them the
//! degrees, or where attention decides, each neighbour counts a weight instead ([`Weighted`]).

mod chain;
mod compressed;
mod kept;
mod rows;
mod sparse;
mod sums;
mod weighted;
mod weighted_row;

pub use chain::{Link, RowOperator, compute_row, scratch_words};
pub use compressed::{CompressedWeights, LayerWeights};
pub use kept::{Kept, Ranks, keep_edges};
pub use sparse::{Columns, Sparse};
pub use sums::{BLOCK, Block, Sums};
pub use weighted::{
    Attention, NeighbourWeights, Normalizer, Scoring, Slope, Weighted, degree_weight, exponential, score,
};

pub(crate) use chain::compute_rows;
pub(crate) use sums::heads;

use super::Clamp;
use crate::error::ShapeError;
use crate::num::{Multiplier, Rounding, SmallMultiplier, saturate_i8};
use crate::shape::{MAX_LEN, expect_len};

/// Most that a sum may become, its factor and bias included, so that every spelling of a multiplier is exact.
pub const MAX_SUM: i64 = 3 << 29;

/// Largest distance of an int8 code from a zero point.
pub const MAX_DISTANCE: i64 = 255;

/// The constants of a [`RowScaling`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowConstants<'a> {
    /// One a row, Q1.15; empty where every row has 1.
    pub factors: &'a [u16],
    /// One a channel.
    pub bias: &'a [i32],
    /// Q0.31 mantissas, one a channel.
    pub multipliers_q31: &'a [i32],
    /// Exponents, one a channel, each in `-31..=30`.
    pub shifts: &'a [i32],
    /// In `-128..=127`.
    pub output_zero_point: i32,
    /// Within `-128..=127`.
    pub clamp: Clamp<i32>,
    /// How multipliers round.
    pub rounding: Rounding,
}

/// How the sums of a row become int8 codes.
///
/// # Numerics
/// `y = clamp(multiplier[c] * (factor[row] * sum[c] + bias[c]) + output_zero_point)` with a Q1.15 factor as an integer of
/// 0 … 65535, or 1 where there are none. Exact while `factor * |sum| + |bias| <=` [`MAX_SUM`]. Bit-exact on every target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowScaling<'a> {
    constants: RowConstants<'a>,
    /// Whether every multiplier is a [`SmallMultiplier`] and rounds twice.
    small: bool,
}

impl<'a> RowScaling<'a> {
    /// The scaling with these constants.
    pub fn new(constants: RowConstants<'a>) -> Self {
        let mut multipliers = constants.multipliers_q31.iter().zip(constants.shifts);
        let is_small = |(&mantissa_q31, &shift)| SmallMultiplier::new(Multiplier { mantissa_q31, shift }).is_some();
        Self { constants, small: constants.rounding == Rounding::Double && multipliers.all(is_small) }
    }

    /// Whether every multiplier is a [`SmallMultiplier`] and rounds twice.
    pub const fn is_small(&self) -> bool {
        self.small
    }

    /// The constants.
    pub const fn constants(&self) -> &RowConstants<'a> {
        &self.constants
    }

    /// Checks that there is a factor for each of `rows`, or none at all, and every constant for each of `channels`.
    ///
    /// # Errors
    /// [`ShapeError::Len`] names the constant.
    pub fn check(&self, rows: usize, channels: usize) -> Result<(), ShapeError> {
        let RowConstants { factors, bias, multipliers_q31, shifts, .. } = self.constants;
        if !factors.is_empty() {
            expect_len("factors", rows, factors.len())?;
        }
        expect_len("bias", channels, bias.len())?;
        expect_len("multipliers", channels, multipliers_q31.len())?;
        expect_len("shifts", channels, shifts.len())
    }

    /// What the sums of `row` are scaled by, nothing added.
    #[inline]
    pub fn of_row(&self, row: usize) -> RowScale {
        RowScale { factor: self.constants.factors.get(row).map_or(1, |&factor| factor.into()), offset: 0 }
    }

    /// The largest magnitude of a bias.
    pub fn largest_bias(&self) -> i64 {
        self.constants.bias.iter().map(|&bias| i64::from(bias).abs()).max().unwrap_or(0)
    }

    /// The code of `sum` in a row with this scale.
    pub fn code(&self, row: RowScale, channel: usize, sum: i32) -> i8 {
        let mut code = [0];
        self.codes(row, channel, &[sum], &mut code);
        let [code] = code;
        code
    }

    /// The codes of `sums` from channel `first` on in a row with this scale.
    #[inline]
    pub fn codes(&self, row: RowScale, first: usize, sums: &[i32], y: &mut [i8]) {
        let RowConstants { bias, multipliers_q31, shifts, output_zero_point, clamp, rounding, .. } = self.constants;
        let from = |values: &'a [i32]| values.get(first..).unwrap_or_default().iter();
        let constants = from(bias).zip(from(multipliers_q31)).zip(from(shifts));
        for ((y, &sum), ((&bias, &mantissa_q31), &shift)) in y.iter_mut().zip(sums).zip(constants) {
            let sum = sum.wrapping_add(row.offset).wrapping_mul(row.factor).wrapping_add(bias);
            let code = if self.small {
                let exponent = (-1_i32).wrapping_sub(shift) as u8;
                SmallMultiplier { mantissa_q32: (mantissa_q31 as u32) << 1, exponent }.code(sum, output_zero_point)
            } else {
                Multiplier { mantissa_q31, shift }.apply(sum, rounding).wrapping_add(output_zero_point)
            };
            *y = saturate_i8(clamp.apply(code));
        }
    }
}

/// What the sums of one row become before their bias: `factor * (sum + offset)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowScale {
    /// In `0..=65535`, or 1 where there are none.
    pub factor: i32,
    /// The same for every channel.
    pub offset: i32,
}

/// What the sum over a node's neighbours is combined with and divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gathering {
    /// `2^fraction_bits * Σ_j (x_j - z) + own_weight * (x_i - z)`: `own_weight` 1 and no fraction bits for GCN,
    /// `(1 + eps) * 2^fraction_bits` for GIN.
    Sum {
        /// What the node itself counts.
        own_weight: i32,
        /// At most [`Gathering::MAX_FRACTION_BITS`].
        fraction_bits: u32,
    },
    /// `round(256 * Σ_j (x_j - z) / d_i)`, half away from zero; 0 for a node without neighbours.
    Mean,
}

impl Gathering {
    /// Most fraction bits of an own weight.
    pub const MAX_FRACTION_BITS: u32 = 15;

    /// Whether the node itself counts.
    pub const fn counts_own(self) -> bool {
        matches!(self, Self::Sum { own_weight, .. } if own_weight != 0)
    }

    /// Whether the node itself counts what each of its neighbours does.
    pub const fn is_plain(self) -> bool {
        matches!(self, Self::Sum { own_weight: 1, fraction_bits: 0 })
    }

    /// The largest magnitude of what `degree` neighbours give.
    pub fn largest(self, degree: usize) -> i64 {
        let degree = degree as i64;
        match self {
            Self::Sum { own_weight, fraction_bits } => {
                ((degree << (fraction_bits & 31)) + i64::from(own_weight).abs()) * MAX_DISTANCE
            }
            Self::Mean => degree * MAX_DISTANCE * 256,
        }
    }

    /// [`finish`](Self::finish) of a row of sums and the node's own codes.
    #[inline]
    pub fn finish_row(self, sums: &mut [i32], own: &[i8], zero_point: i32, degree: usize) {
        let rows = sums.iter_mut().zip(own);
        match self {
            Self::Mean => rows.for_each(|(sum, &own)| *sum = self.finish(*sum, own, zero_point, degree)),
            Self::Sum { own_weight, fraction_bits } => {
                // What zero points come to is the same for every channel.
                let zeros = self.finish(0, 0, zero_point, degree);
                rows.for_each(|(sum, &own)| {
                    let own = own_weight.wrapping_mul(own.into());
                    *sum = sum.wrapping_shl(fraction_bits).wrapping_add(own).wrapping_add(zeros);
                });
            }
        }
    }

    /// What becomes of the plain sum of the codes of `degree` neighbours and of the node's `own` code.
    #[inline]
    pub fn finish(self, sum: i32, own: i8, zero_point: i32, degree: usize) -> i32 {
        let sum = sum.wrapping_sub((degree as i32).wrapping_mul(zero_point));
        match self {
            Self::Sum { own_weight, fraction_bits } => {
                let own = own_weight.wrapping_mul(i32::from(own) - zero_point);
                sum.wrapping_shl(fraction_bits).wrapping_add(own)
            }
            Self::Mean => {
                let half = if sum < 0 { -(degree as i32 / 2) } else { degree as i32 / 2 };
                sum.wrapping_mul(256).wrapping_add(half).checked_div(degree as i32).unwrap_or(0)
            }
        }
    }
}

/// Sums over the neighbours of each node that are kept.
///
/// # Shapes
/// `x, y: [nodes, channels]` row-major; `graph: [nodes, nodes]`, row `i` has the nodes that node `i` gathers from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Propagate<'a> {
    /// The graph.
    pub graph: Sparse<'a>,
    /// Which of its edges count.
    pub kept: Kept<'a>,
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
        let factor = self.scaling.constants.factors.iter().max().map_or(1, |&factor| factor.into());
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
