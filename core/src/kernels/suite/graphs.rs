//! Random graphs, features and constants of operators over nodes.

use super::Lcg;
use crate::graph::Csr;
use crate::kernels::nodes::{Attention, BLOCK, NeighbourWeights, Slope};
use crate::kernels::{Clamp, Gathering, KeptEdges, RowConstants, RowScaling, Sparse};
use crate::num::{Multiplier, Rounding};
use alloc::{vec, vec::Vec};

/// Rows of rising columns in every width that files have.
pub(crate) struct Matrix {
    pub(crate) offsets: Vec<u32>,
    pub(crate) columns: Vec<u32>,
    narrow: (Vec<u16>, Vec<u16>),
    width: usize,
    form: usize,
}

impl Matrix {
    pub(crate) fn random(rng: &mut Lcg, rows: usize, width: usize) -> Self {
        let density = 1 + rng.below(6);
        let mut row = |_| (0..width as u32).filter(|_| rng.below(density) == 0).collect();
        let rows: Vec<Vec<u32>> = (0..rows).map(&mut row).collect();
        Self::of(rng, rows, width)
    }

    /// The graph without its self loops.
    pub(crate) fn without_loops(&self, rng: &mut Lcg) -> Self {
        let row = |(row, ends): (usize, &[u32])| {
            let columns = &self.columns[ends[0] as usize..ends[1] as usize];
            columns.iter().copied().filter(|&column| column as usize != row).collect()
        };
        Self::of(rng, self.offsets.windows(2).enumerate().map(row).collect(), self.width)
    }

    /// The matrix with those entries that are kept.
    #[cfg(test)]
    pub(crate) fn filtered(&self, rng: &mut Lcg, kept: KeptEdges<'_>) -> Self {
        let row = |ends: &[u32]| {
            let entries = (ends[0] as usize..ends[1] as usize).filter(|&entry| kept.has(entry));
            entries.map(|entry| self.columns[entry]).collect()
        };
        Self::of(rng, self.offsets.windows(2).map(row).collect(), self.width)
    }

    fn of(rng: &mut Lcg, rows: Vec<Vec<u32>>, width: usize) -> Self {
        let mut offsets = vec![0_u32];
        offsets.extend(rows.iter().scan(0, |end, row| {
            *end += row.len() as u32;
            Some(*end)
        }));
        let columns = rows.concat();
        let narrow = |v: &[u32]| v.iter().map(|&v| v as u16).collect();
        let narrow = (narrow(&offsets), narrow(&columns));
        Self { offsets, columns, narrow, width, form: rng.below(3) }
    }

    pub(crate) fn view(&self) -> Sparse<'_> {
        match self.form {
            0 => Sparse::Narrow(Csr::try_new(&self.narrow.0, &self.narrow.1, self.width).unwrap()),
            1 => Sparse::Long(Csr::try_new(&self.offsets, &self.narrow.1, self.width).unwrap()),
            _ => Sparse::Wide(Csr::try_new(&self.offsets, &self.columns, self.width).unwrap()),
        }
    }
}

/// The constants of a [`RowScaling`].
pub(crate) struct Constants {
    pub(crate) factors: Vec<u16>,
    bias: Vec<i32>,
    multipliers_q31: Vec<i32>,
    shifts: Vec<i32>,
    output_zero_point: i32,
    clamp: Clamp<i32>,
    rounding: Rounding,
}

impl Constants {
    /// Multipliers that spread sums of about `size` over the codes.
    pub(crate) fn random(rng: &mut Lcg, rows: usize, channels: usize, size: f64) -> Self {
        let factored = rng.below(3) > 0;
        let unit = if factored { 32768.0 } else { 1.0 };
        let rounding = if rng.below(4) == 0 { Rounding::Single } else { Rounding::Double };
        let multiplier = |rng: &mut Lcg| {
            let m = Multiplier::from_real((20.0 + rng.below(200) as f64) / (size * unit), rounding);
            (m.mantissa_q31, m.shift)
        };
        let (multipliers_q31, shifts) = (0..channels).map(|_| multiplier(rng)).unzip();
        Self {
            factors: (0..if factored { rows } else { 0 }).map(|_| rng.below(65_536) as u16).collect(),
            bias: (0..channels).map(|_| ((rng.below(201) as f64 - 100.0) / 100.0 * size * unit / 4.0) as i32).collect(),
            multipliers_q31,
            shifts,
            output_zero_point: rng.zero_point(),
            // Inner loops may know a smallest output and no largest one.
            clamp: if rng.below(2) == 0 { Clamp { min: -128 + rng.below(60) as i32, max: 127 } } else { rng.clamp() },
            rounding,
        }
    }

    pub(crate) fn view(&self) -> RowScaling<'_> {
        RowScaling::new(RowConstants {
            factors: &self.factors,
            bias: &self.bias,
            multipliers_q31: &self.multipliers_q31,
            shifts: &self.shifts,
            output_zero_point: self.output_zero_point,
            clamp: self.clamp,
            rounding: self.rounding,
        })
    }
}

pub(super) fn gathering(rng: &mut Lcg) -> Gathering {
    match rng.below(3) {
        0 => Gathering::Mean,
        1 => Gathering::Sum { own_weight: rng.below(2) as i32, fraction_bits: 0 },
        _ => Gathering::Sum { own_weight: rng.below(600) as i32 - 100, fraction_bits: 8 },
    }
}

/// Bits of edges that are kept.
pub(crate) struct Bits(Vec<i8>);

impl Bits {
    pub(crate) fn random(rng: &mut Lcg, entries: usize) -> Self {
        Self(rng.int8s(KeptEdges::bytes(entries)))
    }

    pub(crate) fn view(&self) -> KeptEdges<'_> {
        KeptEdges::of(&self.0)
    }
}

/// What one kind of [`NeighbourWeights`] borrows.
pub(crate) struct Weights {
    by_degree: Vec<u16>,
    pub(crate) vectors: Vec<i8>,
    slopes: Vec<i32>,
}

impl Weights {
    /// `heads`: 0 for weights by degree. `unit`: the real value of 1 in a sum of products with the vectors.
    pub(crate) fn new(rng: &mut Lcg, graph: Sparse<'_>, channels: usize, heads: usize, unit: f64) -> Self {
        let by_degree = (0..=graph.longest_row()).map(|d| (65_535.0 / libm::sqrt(d as f64 + 1.0)) as u16).collect();
        let of = |real: f64| Multiplier::from_real((real * 6553.5).max(Slope::MIN), Rounding::Double);
        let [rising, falling] = [of(unit), of(0.2 * unit)];
        let rows = [rising.mantissa_q31, rising.shift, falling.mantissa_q31, falling.shift];
        let slopes = rows.iter().flat_map(|&word| core::iter::repeat_n(word, heads)).collect();
        Self { by_degree, vectors: rng.int8s(2 * channels), slopes }
    }

    pub(crate) fn view(&self) -> NeighbourWeights<'_> {
        if self.slopes.is_empty() {
            NeighbourWeights::ByDegree(&self.by_degree)
        } else {
            NeighbourWeights::Attention(Attention { vectors: &self.vectors, slopes: &self.slopes })
        }
    }
}

/// The packed form of `[inputs, channels]`.
pub(crate) fn compressed_entries(w: &[i8], channels: usize) -> Vec<u16> {
    let (mut offsets, mut entries) = (vec![0], Vec::new());
    for first in (0..channels).step_by(BLOCK) {
        for row in w.chunks(channels) {
            let block = row[first..].iter().take(BLOCK).enumerate().filter(|(_, w)| **w != 0);
            entries.extend(block.map(|(channel, &w)| u16::from_le_bytes([channel as u8, w.cast_unsigned()])));
            offsets.push(entries.len() as u16);
        }
    }
    offsets.extend(entries);
    offsets
}
