//! What becomes of the sum over a node's neighbours.

use super::MAX_DISTANCE;

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
