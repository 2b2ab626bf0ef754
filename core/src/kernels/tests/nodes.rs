//! Operators over nodes: what is refused, and what a mean is.

use crate::error::GraphError;
use crate::graph::Csr;
use crate::kernels::nodes::{CompressedWeights, LayerWeights, MAX_SUM};
use crate::kernels::{BackEnd as _, Portable};
use crate::kernels::{Clamp, Gathering, KeptEdges, Propagate, RowConstants, RowScaling, Sparse, SparseDense};
use crate::num::Rounding;
use std::vec::Vec;

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
    let op = Propagate {
        graph: lonely,
        kept: KeptEdges::ALL,
        channels: 1,
        gathering: own(weight),
        input_zero_point: 0,
        scaling,
    };
    assert!(op.is_exact() && !Propagate { gathering: own(-weight - 1), ..op }.is_exact());
}

#[test]
fn a_mean_rounds_half_away_from_zero_and_is_zero_alone() {
    let mean = |sum, degree| Gathering::Mean.finish(sum, 0, 0, degree);
    // 256 * 1 / 512 = ½.
    assert_eq!([mean(1, 512), mean(-1, 512), mean(3, 0), mean(-7, 2)], [1, -1, 0, -896]);
    assert_eq!(Gathering::Mean.finish(30, 0, 10, 3), 0, "three codes at their zero point");
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
