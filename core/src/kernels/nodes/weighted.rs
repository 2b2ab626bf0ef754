//! Sums over neighbours that count differently: by the degrees that are left at run time, or by attention.
//!
//! Weights are integers, so that every spelling of the sums gives the same ones. The rows that are summed may lie in memory
//! or be computed on demand; where attention needs them twice, they are computed twice.

use super::{KeptEdges, MAX_DISTANCE, MAX_SUM, RowScaling, Sparse, check_gathered};
use crate::error::ShapeError;
use crate::num::{Multiplier, Rounding, exp_i16};
use crate::shape::expect_len;

/// What each neighbour of a node, and the node itself, counts in its sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NeighbourWeights<'a> {
    /// GCN with the edges that are left: `(f[d_i] * f[d_j] + 2^15) >> 16`, with the numbers of neighbours that `i` and `j`
    /// keep. `f`, Q0.16, one for each number from 0 to the largest that a node can have, is in proportion to `(d + 1)^-1/2`.
    ByDegree(&'a [u16]),
    /// GAT.
    Attention(Attention<'a>),
}

/// GAT's softmax over the neighbours and the node itself, a head at a time.
///
/// # Numerics
/// `q_ij = Σ_c source[c] (x_j[c] - z) + Σ_c target[c] (x_i[c] - z)` over the channels of a head; its score is `rising(q)` where
/// `q > 0`, else `falling(q)`, in units of 1 / 6553.5. With the distance `d` from the largest score of the row,
/// `w_j = exp_i16(32767 + d)`, or 0 below `-65535`; what the neighbour counts is `w_j / Σ w` with 22 fraction bits
/// ([`Normalizer`]).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attention<'a> {
    /// `[2, channels]`, int8 codes: `source` scores a node as a neighbour, `target` as the one that gathers.
    pub vectors: &'a [i8],
    /// `[4, heads]`: mantissas and shifts of `rising`, then of `falling`.
    pub slopes: &'a [i32],
}

/// Fraction bits of what attention makes a neighbour count.
const WEIGHT_BITS: u32 = 22;

/// Most entries of a row, the node itself included, whose weights add up to no more than 32 bits.
const ENTRIES_MAX: usize = 1 << 16;

impl<'a> Attention<'a> {
    /// Number of heads.
    pub const fn heads(&self) -> usize {
        self.slopes.len() / 4
    }

    /// `source` and `target`.
    #[inline]
    pub fn halves(&self) -> [&'a [i8]; 2] {
        let (source, target) = self.vectors.split_at_checked(self.vectors.len() / 2).unwrap_or_default();
        [source, target]
    }

    /// `rising` and `falling` of head `head`.
    #[inline]
    pub fn multipliers(&self, head: usize) -> [Multiplier; 2] {
        let word = |row: usize| self.slopes.get(row * self.heads() + head).copied().unwrap_or(0);
        let rising = Multiplier { mantissa_q31: word(0), shift: word(1) };
        [rising, Multiplier { mantissa_q31: word(2), shift: word(3) }]
    }
}

/// The score of a sum `q` in units of 1 / 6553.5.
#[inline]
pub fn score([rising, falling]: [Multiplier; 2], q: i32) -> i32 {
    let slope = if q > 0 { rising } else { falling };
    slope.apply(q, Rounding::Double)
}

/// A multiplier as a few words and no branches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Slope {
    /// In `[2^31, 2^32)`.
    mantissa_q32: u32,
    left: u32,
    /// -1 where halves below zero go away from it, 0 where nothing is shifted to the right.
    below_zero: i32,
    half: i32,
    right: u32,
}

impl Slope {
    /// The smallest multiplier that can be one.
    pub const MIN: f64 = 1.0 / (1_u64 << 29) as f64;

    /// Whether `multiplier` can be one: a mantissa of at least 2^30, a shift in `-28..=30`.
    pub const fn fits(multiplier: Multiplier) -> bool {
        multiplier.mantissa_q31 >= 1 << 30 && multiplier.shift >= -28 && multiplier.shift <= 30
    }

    /// The same multiplier, which must fit.
    #[inline]
    pub const fn new(multiplier: Multiplier) -> Self {
        let Multiplier { mantissa_q31, shift } = multiplier;
        let (left, right) = if shift > 0 { (shift as u32, 0) } else { (0, shift.unsigned_abs()) };
        let below_zero = if right > 0 { -1 } else { 0 };
        Self { mantissa_q32: (mantissa_q31 as u32) << 1, left, below_zero, half: (1 << (right & 31)) >> 1, right }
    }

    /// `round(q * multiplier)` as [`Multiplier::apply`] rounds it, twice, for `|q| <=` [`MAX_SUM`].
    #[inline]
    pub const fn apply(self, q: i32) -> i32 {
        let product = q.wrapping_shl(self.left) as i64 * self.mantissa_q32 as i64;
        let high = (product.wrapping_add(1 << 31) >> 32) as i32;
        let rounded = high.wrapping_add(self.below_zero & (high >> 31)).wrapping_add(self.half);
        rounded >> (self.right & 31)
    }
}

/// How the products of one head become the scores of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Scoring {
    /// What the node that gathers adds to every product.
    pub offset: i32,
    /// `rising` and `falling`.
    pub slopes: [Slope; 2],
}

/// `exp` of the distance between a score and the largest one, Q0.15.
#[inline]
pub fn exponential(score: i32, largest: i32) -> u32 {
    let distance = score.saturating_sub(largest);
    let code = i16::try_from(distance.saturating_add(0x7FFF)).ok();
    code.map_or(0, |code| exp_i16(code).max(0).cast_unsigned().into())
}

/// Divides by the sum of a row's exponentials: `w * floor(2^31 / (sum >> e)) / 2^(9 + e)`, half up, where `sum >> e` has 16
/// bits, or `e = 0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Normalizer {
    pub(crate) reciprocal: u32,
    pub(crate) half: u32,
    pub(crate) shift: u32,
}

impl Normalizer {
    /// Divides by `sum`, which is at least 1.
    #[inline]
    pub fn new(sum: u32) -> Self {
        let excess = 16_u32.saturating_sub(sum.leading_zeros());
        let reciprocal = (1_u32 << 31).checked_div(sum >> (excess & 31)).unwrap_or(0);
        let shift = 31 - WEIGHT_BITS + excess;
        Self { reciprocal, half: 1 << (shift.wrapping_sub(1) & 31), shift: shift & 31 }
    }

    /// What an exponential counts, with 22 fraction bits.
    #[inline]
    pub const fn weight(self, exponential: u32) -> i32 {
        (exponential.wrapping_mul(self.reciprocal).wrapping_add(self.half) >> (self.shift & 31)) as i32
    }
}

/// What a neighbour counts of whose factor and of the node's own one these are.
#[inline]
pub const fn degree_weight(own: u16, other: u16) -> i32 {
    ((own as u32 * other as u32 + (1 << 15)) >> 16) as i32
}

/// Weighted sums over the neighbours of each node and the node itself. The graph has no self loops.
///
/// # Shapes
/// `x, y: [nodes, channels]` row-major; `graph: [nodes, nodes]`, row `i` has the nodes that node `i` gathers from.
/// # Numerics
/// `y = clamp(multiplier[c] * (Σ_j w_ij (x_j[c] - z) + bias[c]) + output_zero_point)`, `j` over the neighbours that are kept
/// and `i` itself. Bit-exact on every target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weighted<'a> {
    /// The graph.
    pub graph: Sparse<'a>,
    /// Which of its edges count.
    pub kept: KeptEdges<'a>,
    /// Columns of `x` and `y`.
    pub channels: usize,
    /// What neighbours count.
    pub weights: NeighbourWeights<'a>,
    /// Of `x`, in `-128..=127`.
    pub input_zero_point: i32,
    /// How sums become codes; without factors.
    pub scaling: RowScaling<'a>,
}

impl Weighted<'_> {
    /// Checks all operands.
    ///
    /// # Errors
    /// [`ShapeError`] names the operand.
    pub fn check(&self, x: usize, y: usize) -> Result<(), ShapeError> {
        check_gathered(&self.graph, self.channels, x, y)?;
        expect_len("factors", 0, self.scaling.constants().factors.len())?;
        match &self.weights {
            NeighbourWeights::ByDegree(factors) => {
                expect_len("factors by degree", self.graph.longest_row() + 1, factors.len())?;
            }
            NeighbourWeights::Attention(attention) => {
                let heads = attention.heads();
                if self.channels.checked_rem(heads) != Some(0) {
                    return Err(ShapeError::Dim { name: "heads", value: heads });
                }
                expect_len("vectors", self.channels.saturating_mul(2), attention.vectors.len())?;
                expect_len("slopes", heads * 4, attention.slopes.len())?;
            }
        }
        self.scaling.check(self.graph.row_count(), self.channels)
    }

    /// Channels of a head.
    #[inline]
    pub fn head_channels(&self) -> usize {
        match &self.weights {
            NeighbourWeights::ByDegree(_) => self.channels,
            NeighbourWeights::Attention(attention) => self.channels.checked_div(attention.heads()).unwrap_or(0),
        }
    }

    /// Words of working memory for one row, besides the rows that are read.
    pub fn scratch_words(&self) -> usize {
        let scores = match &self.weights {
            NeighbourWeights::ByDegree(_) => 0,
            // Those of the neighbours, of the node itself, and what it adds to them all.
            NeighbourWeights::Attention(attention) => attention.heads().saturating_mul(self.graph.longest_row() + 2),
        };
        self.channels.saturating_add(scores)
    }

    /// Whether no sum can be more than [`MAX_SUM`].
    pub fn is_exact(&self) -> bool {
        let longest = self.graph.longest_row();
        let weights = match &self.weights {
            NeighbourWeights::ByDegree(factors) => {
                let most = factors.iter().copied().max().unwrap_or(0);
                let sums = (1_i64..).zip(*factors).map(|(count, &own)| count * i64::from(degree_weight(own, most)));
                sums.max().unwrap_or(0)
            }
            NeighbourWeights::Attention(_) => {
                let products = 2 * (self.head_channels() as i64).saturating_mul(128 * MAX_DISTANCE);
                if longest >= ENTRIES_MAX || products > MAX_SUM {
                    return false;
                }
                // The reciprocal may be one part in 2^15 too large, and each weight rounded up by a half.
                (1 << WEIGHT_BITS) + (1 << (WEIGHT_BITS - 15)) + longest as i64 / 2 + 1
            }
        };
        weights.saturating_mul(MAX_DISTANCE).saturating_add(self.scaling.largest_bias()) <= MAX_SUM
    }
}
