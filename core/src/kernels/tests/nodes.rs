//! Operators over nodes: the fast spelling is the reference, and rows on demand are those that would be stored.

use super::Lcg;
use super::nodes_weighted::Bits;
use crate::error::GraphError;
use crate::graph::Csr;
use crate::kernels::nodes::{
    BLOCK, CompressedWeights, LayerWeights, Link, MAX_SUM, RowOperator, compute_row, scratch_words,
};
use crate::kernels::{BackEnd as _, Portable};
use crate::kernels::{
    Clamp, Gathering, Kept, NodeDense, Propagate, RowConstants, RowScaling, Sparse, SparseDense, reference,
};
use crate::num::{Multiplier, Rounding};
use std::vec::Vec;

const CASES: usize = 400;

/// Rows of rising columns in every width that files have.
pub(super) struct Matrix {
    pub(super) offsets: Vec<u32>,
    pub(super) columns: Vec<u32>,
    narrow: (Vec<u16>, Vec<u16>),
    width: usize,
    form: usize,
}

impl Matrix {
    pub(super) fn random(rng: &mut Lcg, rows: usize, width: usize) -> Self {
        let density = 1 + rng.below(6);
        let mut row = |_| (0..width as u32).filter(|_| rng.below(density) == 0).collect();
        let rows: Vec<Vec<u32>> = (0..rows).map(&mut row).collect();
        Self::of(rng, rows, width)
    }

    /// The graph without its self loops.
    pub(super) fn without_loops(&self, rng: &mut Lcg) -> Self {
        let row = |(row, ends): (usize, &[u32])| {
            let columns = &self.columns[ends[0] as usize..ends[1] as usize];
            columns.iter().copied().filter(|&column| column as usize != row).collect()
        };
        Self::of(rng, self.offsets.windows(2).enumerate().map(row).collect(), self.width)
    }

    /// The matrix with those entries that are kept.
    pub(super) fn filtered(&self, rng: &mut Lcg, kept: Kept<'_>) -> Self {
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

    pub(super) fn view(&self) -> Sparse<'_> {
        match self.form {
            0 => Sparse::Narrow(Csr::try_new(&self.narrow.0, &self.narrow.1, self.width).unwrap()),
            1 => Sparse::Long(Csr::try_new(&self.offsets, &self.narrow.1, self.width).unwrap()),
            _ => Sparse::Wide(Csr::try_new(&self.offsets, &self.columns, self.width).unwrap()),
        }
    }
}

/// The constants of a [`RowScaling`].
pub(super) struct Constants {
    pub(super) factors: Vec<u16>,
    bias: Vec<i32>,
    multipliers_q31: Vec<i32>,
    shifts: Vec<i32>,
    output_zero_point: i32,
    clamp: Clamp<i32>,
    rounding: Rounding,
}

impl Constants {
    /// Multipliers that spread sums of about `size` over the codes.
    pub(super) fn random(rng: &mut Lcg, rows: usize, channels: usize, size: f64) -> Self {
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
            clamp: rng.clamp(),
            rounding,
        }
    }

    pub(super) fn view(&self) -> RowScaling<'_> {
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

fn gathering(rng: &mut Lcg) -> Gathering {
    match rng.below(3) {
        0 => Gathering::Mean,
        1 => Gathering::Sum { own_weight: rng.below(2) as i32, fraction_bits: 0 },
        _ => Gathering::Sum { own_weight: rng.below(600) as i32 - 100, fraction_bits: 8 },
    }
}

/// The outputs of both spellings, which must be one.
pub(super) fn same(len: usize, reference: impl Fn(&mut [i8]), fast: impl Fn(&mut [i8])) -> Vec<i8> {
    let (mut want, mut got) = (vec![1; len], vec![2; len]);
    reference(&mut want);
    fast(&mut got);
    assert_eq!(got, want);
    want
}

#[test]
fn every_operator_over_nodes_equals_the_reference() {
    let (mut rng, mut codes) = (Lcg(11), [false; 256]);
    for _ in 0..CASES {
        let (nodes, channels, inputs) = (1 + rng.below(20), 1 + rng.below(20), 1 + rng.below(20));
        let (graph, features) = (Matrix::random(&mut rng, nodes, nodes), Matrix::random(&mut rng, nodes, inputs));
        let (x, w) = (rng.int8s(nodes * inputs), rng.int8s(inputs * channels));
        let constants = Constants::random(&mut rng, nodes, channels, 20_000.0);
        let op =
            NodeDense { rows: nodes, inputs, channels, input_zero_point: rng.zero_point(), scaling: constants.view() };
        assert!(op.is_exact() || !constants.factors.is_empty());
        let y = same(
            nodes * channels,
            |y| reference::node_dense_int8(&op, &x, &LayerWeights::Whole(&w), y).unwrap(),
            |y| Portable::node_dense_int8(&op, &x, &LayerWeights::Whole(&w), y).unwrap(),
        );
        let constants = Constants::random(&mut rng, nodes, channels, 400.0);
        let values = if rng.below(2) == 0 { rng.int8s(features.columns.len()) } else { Vec::new() };
        let op = SparseDense { features: features.view(), values: &values, channels, scaling: constants.view() };
        let z = same(
            nodes * channels,
            |y| reference::sparse_dense_int8(&op, &LayerWeights::Whole(&w), y).unwrap(),
            |y| Portable::sparse_dense_int8(&op, &LayerWeights::Whole(&w), y).unwrap(),
        );
        let gathering = gathering(&mut rng);
        let size = if let Gathering::Sum { fraction_bits: 0, .. } = gathering { 300.0 } else { 60_000.0 };
        let constants = Constants::random(&mut rng, nodes, channels, size);
        let (graph, input_zero_point) = (graph.view(), rng.zero_point());
        let bits = Bits::random(&mut rng, graph.entry_count());
        let kept = if rng.below(2) == 0 { Kept::ALL } else { bits.view() };
        let op = Propagate { graph, kept, channels, gathering, input_zero_point, scaling: constants.view() };
        let p = same(
            nodes * channels,
            |y| reference::propagate_int8(&op, &y.iter().map(|_| 3).collect::<Vec<_>>(), y).unwrap(),
            |y| Portable::propagate_int8(&op, &y.iter().map(|_| 3).collect::<Vec<_>>(), y).unwrap(),
        );
        let p2 = same(
            nodes * channels,
            |out| reference::propagate_int8(&op, &y, out).unwrap(),
            |out| Portable::propagate_int8(&op, &y, out).unwrap(),
        );
        [y, z, p, p2].into_iter().flatten().for_each(|code| codes[usize::from(code.cast_unsigned())] = true);
    }
    assert!(codes.iter().all(|&seen| seen), "the cases reach every code");
}

#[test]
fn rows_on_demand_are_the_rows_that_would_be_stored() {
    let mut rng = Lcg(12);
    for _ in 0..CASES / 4 {
        let (nodes, hidden, classes, inputs) =
            (1 + rng.below(15), 1 + rng.below(20), 1 + rng.below(9), 1 + rng.below(30));
        let (graph, features) = (Matrix::random(&mut rng, nodes, nodes), Matrix::random(&mut rng, nodes, inputs));
        let (w, w2) = (rng.int8s(inputs * hidden), rng.int8s(hidden * classes));
        let scalings = [(hidden, 400.0), (hidden, 60_000.0), (classes, 20_000.0), (classes, 60_000.0)]
            .map(|(channels, size)| Constants::random(&mut rng, nodes, channels, size));
        let [a, b, c, d] = &scalings;
        let first = SparseDense { features: features.view(), values: &[], channels: hidden, scaling: a.view() };
        let bits = Bits::random(&mut rng, graph.columns.len());
        let second = Propagate {
            graph: graph.view(),
            kept: if rng.below(2) == 0 { Kept::ALL } else { bits.view() },
            channels: hidden,
            gathering: gathering(&mut rng),
            input_zero_point: rng.zero_point(),
            scaling: b.view(),
        };
        let third =
            NodeDense { rows: nodes, inputs: hidden, channels: classes, input_zero_point: 3, scaling: c.view() };
        let fourth = Propagate { channels: classes, gathering: gathering(&mut rng), scaling: d.view(), ..second };
        let (mut x1, mut x2) = (vec![0; nodes * hidden], vec![0; nodes * hidden]);
        let (mut x3, mut want) = (vec![0; nodes * classes], vec![0; nodes * classes]);
        reference::sparse_dense_int8(&first, &LayerWeights::Whole(&w), &mut x1).unwrap();
        reference::propagate_int8(&second, &x1, &mut x2).unwrap();
        reference::node_dense_int8(&third, &x2, &LayerWeights::Whole(&w2), &mut x3).unwrap();
        reference::propagate_int8(&fourth, &x3, &mut want).unwrap();
        let on_demand = [
            RowOperator::Propagate(fourth),
            RowOperator::NodeDense(third, LayerWeights::Whole(&w2)),
            RowOperator::Propagate(second),
            RowOperator::SparseDense(first, LayerWeights::Whole(&w)),
        ];
        let over = |x, width, from: usize| {
            let stored = [RowOperator::Stored { x, width }];
            on_demand[..from].iter().chain(&stored).copied().collect::<Vec<_>>()
        };
        for chain in [over(&x3, classes, 1), over(&x2, hidden, 2), over(&x1, hidden, 3), on_demand.to_vec()] {
            let words = scratch_words(chain.iter());
            let links: Vec<_> = chain.into_iter().map(Link::new::<Portable>).collect();
            for row in (0..nodes).rev() {
                // Working memory of just the length, with something in it.
                let (mut scratch, mut y) = (vec![-1; words], vec![9; classes]);
                compute_row(&links, row, &mut y, &mut scratch);
                assert_eq!(y, want[row * classes..(row + 1) * classes], "row {row}");
            }
        }
    }
}

#[test]
fn wrong_lengths_and_sums_that_are_too_large_are_noticed() {
    let (offsets, columns) = ([0_u16, 2], [0_u16, 1]);
    let features = Sparse::Narrow(Csr::try_new(&offsets, &columns, 2).unwrap());
    let constants = RowConstants {
        factors: &[65_535],
        bias: &[0],
        multipliers_q31: &[1 << 30],
        shifts: &[0],
        output_zero_point: 0,
        clamp: Clamp { min: -128, max: 127 },
        rounding: Rounding::Double,
    };
    let scaling = RowScaling::new(constants);
    let op = SparseDense { features, values: &[], channels: 1, scaling };
    let mut y = [7];
    let error = Portable::sparse_dense_int8(&op, &LayerWeights::Whole(&[1]), &mut y).unwrap_err();
    assert_eq!((error, y), (crate::error::ShapeError::Len { operand: "w", expected: 2, got: 1 }, [7]));
    assert!(op.is_exact());
    let biased = |bias: &[i32]| {
        let scaling = RowScaling::new(RowConstants { bias, ..constants });
        SparseDense { scaling, ..op }.is_exact()
    };
    let bias = [(MAX_SUM - 2 * 128 * 65_535) as i32];
    assert!(biased(&bias));
    assert!(!biased(&[bias[0] + 1]));
    let lonely = Sparse::Narrow(Csr::try_new(&[0_u16, 0], &[], 1).unwrap());
    let weight = i32::try_from(MAX_SUM / 65_535 / 255).unwrap();
    let own = |own_weight| Gathering::Sum { own_weight, fraction_bits: 0 };
    let op =
        Propagate { graph: lonely, kept: Kept::ALL, channels: 1, gathering: own(weight), input_zero_point: 0, scaling };
    assert!(op.is_exact() && !Propagate { gathering: own(-weight - 1), ..op }.is_exact());
}

#[test]
fn a_mean_rounds_half_away_from_zero_and_is_zero_alone() {
    let mean = |sum, degree| Gathering::Mean.finish(sum, 0, 0, degree);
    // 256 * 1 / 512 = ½.
    assert_eq!([mean(1, 512), mean(-1, 512), mean(3, 0), mean(-7, 2)], [1, -1, 0, -896]);
    assert_eq!(Gathering::Mean.finish(30, 0, 10, 3), 0, "three codes at their zero point");
}

/// The packed form of `[inputs, channels]`.
fn compressed(w: &[i8], channels: usize) -> Vec<u16> {
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

#[test]
fn compressed_weights_give_what_the_whole_matrix_gives() {
    let mut rng = Lcg(13);
    for case in 0..CASES {
        let (nodes, channels, inputs) = (1 + rng.below(12), 1 + rng.below(50), 1 + rng.below(20));
        let (features, keep) = (Matrix::random(&mut rng, nodes, inputs), case % 5);
        let (x, mut w) = (rng.int8s(nodes * inputs), rng.int8s(inputs * channels));
        // All weights, some, and in every fifth case none.
        w.iter_mut().for_each(|w| *w = if rng.below(4) < keep { *w } else { 0 });
        if case % 3 == 0 {
            w[..channels].fill(0);
        }
        let packed = compressed(&w, channels);
        let packed = CompressedWeights::try_new(&packed, inputs, channels).unwrap();
        assert_eq!(packed.entry_count(), w.iter().filter(|w| **w != 0).count());
        let constants = Constants::random(&mut rng, nodes, channels, 2_000.0);
        let input_zero_point = rng.zero_point();
        let layer = NodeDense { rows: nodes, inputs, channels, input_zero_point, scaling: constants.view() };
        let dense = |y: &mut [i8]| reference::node_dense_int8(&layer, &x, &LayerWeights::Whole(&w), y).unwrap();
        same(nodes * channels, dense, |y| {
            reference::node_dense_int8(&layer, &x, &LayerWeights::Compressed(packed), y).unwrap()
        });
        same(nodes * channels, dense, |y| {
            Portable::node_dense_int8(&layer, &x, &LayerWeights::Compressed(packed), y).unwrap()
        });
        let values = if rng.below(2) == 0 { rng.int8s(features.columns.len()) } else { Vec::new() };
        let first = SparseDense { features: features.view(), values: &values, channels, scaling: constants.view() };
        let dense = |y: &mut [i8]| reference::sparse_dense_int8(&first, &LayerWeights::Whole(&w), y).unwrap();
        let hidden = same(nodes * channels, dense, |y| {
            reference::sparse_dense_int8(&first, &LayerWeights::Compressed(packed), y).unwrap()
        });
        same(nodes * channels, dense, |y| {
            Portable::sparse_dense_int8(&first, &LayerWeights::Compressed(packed), y).unwrap()
        });
        // A layer over rows of features that are on demand.
        let mut w2 = rng.int8s(channels * 3);
        w2.iter_mut().for_each(|w| *w = if rng.below(4) < keep { *w } else { 0 });
        let (packed2, constants) = (compressed(&w2, 3), Constants::random(&mut rng, nodes, 3, 2_000.0));
        let packed2 = CompressedWeights::try_new(&packed2, channels, 3).unwrap();
        let second = NodeDense { inputs: channels, channels: 3, scaling: constants.view(), ..layer };
        let mut want = vec![0; nodes * 3];
        reference::node_dense_int8(&second, &hidden, &LayerWeights::Whole(&w2), &mut want).unwrap();
        let chain = [
            RowOperator::NodeDense(second, LayerWeights::Compressed(packed2)),
            RowOperator::SparseDense(first, LayerWeights::Compressed(packed)),
        ];
        let links = chain.map(Link::new::<Portable>);
        for row in 0..nodes {
            let (mut scratch, mut y) = (vec![-1; scratch_words(chain.iter())], [9; 3]);
            compute_row(&links, row, &mut y, &mut scratch);
            assert_eq!(y, want[row * 3..][..3], "row {row}");
        }
    }
}

#[test]
fn compressed_weights_that_are_none_are_refused() {
    // Two rows of 17 channels: spans 0 and 1 of the first block, 2 and 3 of the second, which has one channel.
    let good = [0_u16, 2, 2, 3, 3, 0x0101, 0x0103, 0xFF00];
    let read = |edit: &dyn Fn(&mut Vec<u16>)| {
        let mut packed = good.to_vec();
        edit(&mut packed);
        CompressedWeights::try_new(&packed, 2, 17).map(|w| w.entry_count())
    };
    assert_eq!(read(&|_| ()), Ok(3));
    assert_eq!(read(&|packed| packed[0] = 1), Err(GraphError::Offsets { position: 0 }));
    assert_eq!(read(&|packed| packed[2] = 1), Err(GraphError::Offsets { position: 2 }));
    assert_eq!(read(&|packed| packed.push(0)), Err(GraphError::Offsets { position: 4 }));
    assert_eq!(read(&|packed| packed.truncate(7)), Err(GraphError::Offsets { position: 4 }));
    assert_eq!(read(&|packed| packed.truncate(4)), Err(GraphError::Offsets { position: 4 }));
    assert_eq!(read(&|packed| packed[6] = 0x0101), Err(GraphError::Order { row: 0 }));
    assert_eq!(read(&|packed| packed[5] = 0x0110), Err(GraphError::Range { row: 0, index: 16, columns: 16 }));
    assert_eq!(read(&|packed| packed[7] = 0x0101), Err(GraphError::Range { row: 2, index: 1, columns: 1 }));
    assert_eq!(CompressedWeights::try_new(&good, 0, 17), Err(GraphError::Empty { what: "weights" }));
}
