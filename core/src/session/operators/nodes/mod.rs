//! Operators on matrices with one row a node. Operands that are on demand are computed row by row where they are read.

mod chain;
mod constants;

use super::super::operands::{activation, output};
use super::{Outcome, operator};
use crate::error::{GraphError, OperatorError};
use crate::format::{DType, OpCode, Operator, Overlap, Place, Step, TensorRecord, param};
use crate::kernels::RowScaling;
use crate::kernels::best as kernels;
use crate::kernels::nodes::compute_row;
use crate::shape::expect_len;
use chain::{Chain, elements, scratch, split};
use constants::{Proof, check_multipliers, node_dense, propagate, sparse_dense};

operator!(/// int8 sums over neighbours, [`Propagate`](crate::kernels::Propagate)
    PROPAGATE_I8 = Propagate, I8, Overlap::Never, check_propagate, run);
operator!(/// int8 sparse features times dense weights, [`SparseDense`](crate::kernels::SparseDense)
    SPARSE_DENSE_I8 = SparseDense, I8, Overlap::Never, check_sparse_dense, run);
operator!(/// int8 fully connected layer for each node, [`NodeDense`](crate::kernels::NodeDense)
    NODE_DENSE_I8 = NodeDense, I8, Overlap::Never, check_node_dense, run);
operator!(/// int8 rows by number
    GATHER_I8 = Gather, I8, Overlap::Never, check_gather, run_gather);

/// Rows of a tensor along its first axis, and elements of a row.
fn matrix(tensor: &TensorRecord, operand: usize) -> Result<[usize; 2], OperatorError> {
    match tensor.shape() {
        &[rows, ref row @ ..] if !row.is_empty() => {
            Ok([rows as usize, row.iter().fold(1, |len: usize, &size| len.saturating_mul(size as usize))])
        }
        _ => Err(OperatorError::Activation { operand, expected: "[nodes, .., channels]" }),
    }
}

/// Rows and columns of the output.
fn output_matrix(step: &Step<'_>) -> Result<[usize; 2], OperatorError> {
    matrix(&output::<i8>(step)?, usize::MAX)
}

fn check_propagate(step: &Step<'_>) -> Outcome {
    let op = propagate(step, Proof::Whole)?;
    let ([rows, channels], y) = (matrix(&step.input(0)?, 0)?, step.output()?.element_count());
    expect_len("nodes", op.graph.row_count(), rows)?;
    expect_len("channels", op.channels, channels)?;
    op.check(rows * channels, y)?;
    match step.param(param::SYMMETRIC) {
        0 => {}
        1 => {
            if let Some((from, to)) = op.graph.first_asymmetric() {
                return Err(OperatorError::Graph(GraphError::Asymmetric { from, to }));
            }
        }
        value => return Err(OperatorError::Param { name: "symmetric", value }),
    }
    check_sums(&op.scaling, op.is_exact())?;
    check_rows(step)
}

fn check_sparse_dense(step: &Step<'_>) -> Outcome {
    let op = sparse_dense(step, Proof::Whole)?;
    matrix(&step.input(0)?, 0)?;
    op.check(step.constant::<i8>(0)?.len(), step.output()?.element_count())?;
    check_sums(&op.scaling, op.is_exact())?;
    check_rows(step)
}

fn check_node_dense(step: &Step<'_>) -> Outcome {
    let op = node_dense(step)?;
    let ([rows, inputs], y) = (matrix(&step.input(0)?, 0)?, step.output()?.element_count());
    expect_len("rows", op.rows, rows)?;
    op.check(rows * inputs, step.constant::<i8>(1)?.len(), y)?;
    check_sums(&op.scaling, op.is_exact())?;
    check_rows(step)
}

/// Checks that every multiplier is defined and that no sum is too large for one.
fn check_sums(scaling: &RowScaling<'_>, exact: bool) -> Outcome {
    check_multipliers(scaling)?;
    // The largest sum itself may not fit into a number that could be shown.
    if exact { Ok(()) } else { Err(OperatorError::Param { name: "largest sum", value: i32::MAX }) }
}

/// Checks the operators that make the rows of operand 0, and the working memory for them.
fn check_rows(step: &Step<'_>) -> Outcome {
    let mut chain = Chain::EMPTY;
    chain.read(step)?;
    if step.output()?.location() == Some(Place::OnDemand) {
        return Ok(());
    }
    let (words, bytes) = (chain.scratch_words(), step.record.scratch_bytes as usize);
    Ok(expect_len("scratch", bytes.next_multiple_of(size_of::<i32>()).max(words * size_of::<i32>()), bytes)?)
}

/// Every row of the output, unless that is on demand.
fn run(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let output = step.output()?;
    if output.location() == Some(Place::OnDemand) {
        return Ok(());
    }
    let [_, channels] = matrix(&output, usize::MAX)?;
    let mut chain = Chain::EMPTY;
    chain.read(step)?;
    let [y, scratch, x] = split(arena, [output.span(), scratch(step), chain.stored])?;
    kernels::compute_rows::<kernels::NodeSums>(chain.over(elements(x)), channels, elements(y), elements(scratch));
    Ok(())
}

fn check_gather(step: &Step<'_>) -> Outcome {
    let ([_, width], [count, channels]) = (matrix(&step.input(0)?, 0)?, output_matrix(step)?);
    let numbers = activation::<i32>(step, 1)?;
    if numbers.location() != Some(Place::Arena) {
        return Err(OperatorError::Activation { operand: 1, expected: "in the arena" });
    }
    expect_len("channels", width, channels)?;
    expect_len("rows", count, numbers.element_count())?;
    check_rows(step)
}

/// The rows with the numbers in operand 1, each at least 0 and at most the last.
fn run_gather(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let ([rows, _], output) = (matrix(&step.input(0)?, 0)?, step.output()?);
    let [_, channels] = matrix(&output, usize::MAX)?;
    let mut chain = Chain::EMPTY;
    chain.read(step)?;
    let spans = [output.span(), scratch(step), chain.stored, step.input(1)?.span()];
    let [y, scratch, x, numbers] = split(arena, spans)?;
    let (chain, scratch) = (chain.over(elements(x)), elements(scratch));
    let (y, numbers): (&mut [i8], &mut [i32]) = (elements(y), elements(numbers));
    let mut rest = y;
    for &mut number in numbers {
        let Some((y, after)) = core::mem::take(&mut rest).split_at_mut_checked(channels) else { break };
        rest = after;
        let row = usize::try_from(number).unwrap_or(0).min(rows.saturating_sub(1));
        compute_row::<kernels::NodeSums>(chain, row, y, scratch);
    }
    Ok(())
}
