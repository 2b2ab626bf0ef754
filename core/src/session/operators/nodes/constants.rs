//! Graphs, features, weights and scalings as files store them.

use super::{matrix, output_matrix};
use crate::error::OperatorError;
use crate::format::{Element, NONE, Step, StoredClamp, param};
use crate::graph::{Csr, Index};
use crate::kernels::{Gathering, NodeDense, Propagate, RowConstants, RowScaling, Sparse, SparseDense};
use crate::num::Multiplier;
use crate::shape::expect_len;

/// Whether a graph is proved, or was when the file was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// Proves it.
    Whole,
    /// It is.
    Done,
}

/// Operand `index`, constant integers as the unsigned ones `U` of their width; empty where there is no operand.
fn unsigned<'m, T: Element, U: bytemuck::Pod>(step: &Step<'m>, index: usize) -> Result<&'m [U], OperatorError> {
    if step.record.inputs.get(index).is_none_or(|&tensor| tensor == NONE) {
        return Ok(&[]);
    }
    bytemuck::try_cast_slice(step.constant::<T>(index)?).map_err(|_| OperatorError::Missing { operand: index })
}

/// Whether operand `index` holds the wider of the two integers that indices have.
fn is_wide(step: &Step<'_>, index: usize) -> bool {
    step.input(index).is_ok_and(|tensor| tensor.element() == Some(i32::DTYPE))
}

fn csr<'m, O: Index, I: Index>(
    offsets: &'m [O],
    indices: &'m [I],
    columns: usize,
    proof: Proof,
) -> Result<Csr<'m, O, I>, OperatorError> {
    match proof {
        Proof::Whole => Csr::try_new(offsets, indices, columns).map_err(OperatorError::Graph),
        Proof::Done => Ok(Csr::proved(offsets, indices, columns)),
    }
}

/// The sparse matrix in operands 1 and 2.
fn sparse<'m>(step: &Step<'m>, columns: usize, proof: Proof) -> Result<Sparse<'m>, OperatorError> {
    let wide_indices = is_wide(step, 2);
    Ok(if is_wide(step, 1) {
        let offsets = unsigned::<i32, u32>(step, 1)?;
        if wide_indices {
            Sparse::Wide(csr(offsets, unsigned::<i32, u32>(step, 2)?, columns, proof)?)
        } else {
            Sparse::Long(csr(offsets, unsigned::<i16, u16>(step, 2)?, columns, proof)?)
        }
    } else {
        let offsets = unsigned::<i16, u16>(step, 1)?;
        Sparse::Narrow(csr(offsets, unsigned::<i16, u16>(step, 2)?, columns, proof)?)
    })
}

/// The scaling whose table is operand `table` and whose factors are operand `factors`.
fn scaling<'m>(step: &Step<'m>, table: usize, factors: usize) -> Result<RowScaling<'m>, OperatorError> {
    let [_, channels] = output_matrix(step)?;
    let words = step.constant::<i32>(table)?;
    expect_len("table", channels.saturating_mul(3), words.len())?;
    let (bias, rest) = words.split_at_checked(channels).unwrap_or_default();
    let (multipliers_q31, shifts) = rest.split_at_checked(channels).unwrap_or_default();
    Ok(RowScaling::new(RowConstants {
        factors: unsigned::<i16, u16>(step, factors)?,
        bias,
        multipliers_q31,
        shifts,
        output_zero_point: step.output()?.zero_point,
        clamp: StoredClamp::read_clamp(step)?,
        rounding: step.model.rounding(),
    }))
}

/// Checks that every multiplier is defined.
pub(super) fn check_multipliers(scaling: &RowScaling<'_>) -> Result<(), OperatorError> {
    let constants = scaling.constants();
    for (&mantissa_q31, &shift) in constants.multipliers_q31.iter().zip(constants.shifts) {
        if !(Multiplier { mantissa_q31, shift }).is_valid() {
            return Err(OperatorError::Param { name: "multiplier", value: shift });
        }
    }
    Ok(())
}

fn gathering(step: &Step<'_>) -> Result<Gathering, OperatorError> {
    let (own_weight, bits) = (step.param(param::OWN_WEIGHT), step.param(param::FRACTION_BITS));
    let rule = step.param(param::GATHERING);
    match (rule, u32::try_from(bits)) {
        (0, Ok(fraction_bits)) if fraction_bits <= Gathering::MAX_FRACTION_BITS => {
            Ok(Gathering::Sum { own_weight, fraction_bits })
        }
        (0, _) => Err(OperatorError::Param { name: "fraction_bits", value: bits }),
        (1, _) => Ok(Gathering::Mean),
        _ => Err(OperatorError::Param { name: "gathering", value: rule }),
    }
}

pub(super) fn propagate<'m>(step: &Step<'m>, proof: Proof) -> Result<Propagate<'m>, OperatorError> {
    let [nodes, channels] = output_matrix(step)?;
    Ok(Propagate {
        graph: sparse(step, nodes, proof)?,
        channels,
        gathering: gathering(step)?,
        input_zero_point: step.input(0)?.zero_point,
        scaling: scaling(step, 3, 4)?,
    })
}

pub(super) fn sparse_dense<'m>(step: &Step<'m>, proof: Proof) -> Result<SparseDense<'m>, OperatorError> {
    let [_, channels] = output_matrix(step)?;
    Ok(SparseDense {
        features: sparse(step, step.input(0)?.dim(0), proof)?,
        values: unsigned::<i8, i8>(step, 5)?,
        channels,
        scaling: scaling(step, 3, 4)?,
    })
}

pub(super) fn node_dense<'m>(step: &Step<'m>) -> Result<NodeDense<'m>, OperatorError> {
    let ([rows, channels], x) = (output_matrix(step)?, step.input(0)?);
    let [_, inputs] = matrix(&x, 0)?;
    Ok(NodeDense { rows, inputs, channels, input_zero_point: x.zero_point, scaling: scaling(step, 2, 3)? })
}
