//! Operators on matrices with one row a node. Operands that are on demand are computed row by row where they are read.

mod arena;
mod chain;
mod constants;

use super::super::operands::{activation, output};
use super::{Outcome, operator};
use crate::error::{GraphError, OperatorError};
use crate::format::{DType, Element, NONE, OpCode, Operator, Overlap, Place, Shared, Step, TensorRecord, param};
use crate::kernels::nodes::{Link, NeighbourWeights, Slope, compute_row, compute_rows, keep_edges};
use crate::kernels::{Best, Kept, RowScaling, Sparse, Weighted};
use crate::num::Multiplier;
use crate::shape::expect_len;
use arena::{elements, split};
use chain::Chain;
use constants::{
    KEPT, Proof, attend, by_degree, compressed, feature_count, node_dense, propagate, ranks, sparse_dense,
};

operator!(/// int8 sums over neighbours, [`Propagate`](crate::kernels::Propagate)
    PROPAGATE_I8 = Propagate, I8, Overlap::Never, check_propagate, run, Some(propagate_rows));
operator!(/// int8 sums over neighbours that count by the degrees that are left, [`Weighted`]
    PROPAGATE_BY_DEGREE_I8 = PropagateByDegree, I8, Overlap::Never, check_by_degree, run, Some(by_degree_rows));
operator!(/// int8 sums over neighbours by attention, [`Weighted`]
    ATTEND_I8 = Attend, I8, Overlap::Never, check_attend, run, Some(attend_rows));
operator!(/// which edges of a graph count, [`keep_edges`]
    KEEP_EDGES_I32 = KeepEdges, I32, Overlap::Never, check_keep_edges, run_keep_edges);
operator!(/// int8 sparse features times dense weights, [`SparseDense`](crate::kernels::SparseDense)
    SPARSE_DENSE_I8 = SparseDense, I8, Overlap::Never, check_sparse_dense, run, Some(sparse_dense_rows));
operator!(/// int8 fully connected layer for each node, [`NodeDense`](crate::kernels::NodeDense)
    NODE_DENSE_I8 = NodeDense, I8, Overlap::Never, check_node_dense, run, Some(node_dense_rows));
operator!(/// int8 sparse features times sparse weights, [`SparseDense`](crate::kernels::SparseDense)
    SPARSE_COMPRESSED_I16 = SparseCompressed, I16, Overlap::Never, check_sparse_compressed, run, Some(sparse_compressed_rows));
operator!(/// int8 fully connected layer for each node with sparse weights, [`NodeDense`](crate::kernels::NodeDense)
    NODE_COMPRESSED_I8 = NodeCompressed, I8, Overlap::Never, check_node_compressed, run, Some(node_compressed_rows));
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
    let op = propagate(step, Proof::Whole, &Shared::NONE)?;
    let x = check_graph(step, &op.graph)?;
    op.check(x, step.output()?.element_count())?;
    check_sums(&op.scaling, op.is_exact())?;
    check_rows(step)
}

/// Checks that a graph has a node for each row of operand 0 and what it claims, and which of its edges count; the number
/// of elements of that operand.
fn check_graph(step: &Step<'_>, graph: &Sparse<'_>) -> Result<usize, OperatorError> {
    let ([rows, channels], [_, output_channels]) = (matrix(&step.input(0)?, 0)?, output_matrix(step)?);
    expect_len("nodes", graph.row_count(), rows)?;
    expect_len("channels", output_channels, channels)?;
    match step.param(param::SYMMETRIC) {
        0 => {}
        1 => {
            if let Some((from, to)) = graph.first_asymmetric() {
                return Err(OperatorError::Graph(GraphError::Asymmetric { from, to }));
            }
        }
        value => return Err(OperatorError::Param { name: "symmetric", value }),
    }
    if step.record.inputs.get(KEPT).is_some_and(|&tensor| tensor != NONE) {
        expect_len("kept", Kept::bytes(graph.entry_count()), in_arena::<i8>(step, KEPT)?.element_count())?;
    }
    Ok(rows * channels)
}

/// Operand `index`, which the caller or an operator writes.
fn in_arena<T: Element>(step: &Step<'_>, index: usize) -> Result<TensorRecord, OperatorError> {
    let tensor = activation::<T>(step, index)?;
    let placed = tensor.location() == Some(Place::Arena);
    if placed { Ok(tensor) } else { Err(OperatorError::Activation { operand: index, expected: "in the arena" }) }
}

fn check_by_degree(step: &Step<'_>) -> Outcome {
    check_weighted(step, &by_degree(step, Proof::Whole, &Shared::NONE)?)
}

fn check_attend(step: &Step<'_>) -> Outcome {
    check_weighted(step, &attend(step, Proof::Whole, &Shared::NONE)?)
}

fn check_weighted(step: &Step<'_>, op: &Weighted<'_>) -> Outcome {
    let x = check_graph(step, &op.graph)?;
    op.check(x, step.output()?.element_count())?;
    if let NeighbourWeights::Attention(attention) = &op.weights {
        for multiplier in (0..attention.heads()).flat_map(|head| attention.multipliers(head)) {
            check_multiplier(multiplier, Slope::fits(multiplier))?;
        }
    }
    if op.graph.has_diagonal() {
        return Err(OperatorError::Activation { operand: 2, expected: "neighbours without self loops" });
    }
    check_sums(&op.scaling, op.is_exact())?;
    check_rows(step)
}

fn check_keep_edges(step: &Step<'_>) -> Outcome {
    expect_len("drop", 1, in_arena::<i32>(step, 0)?.element_count())?;
    Ok(expect_len("bits", Kept::bytes(ranks(step)?.len()), output::<i8>(step)?.element_count())?)
}

/// The bits of the edges whose rank is at least operand 0.
fn run_keep_edges(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let (bits, _, shared) = split(step, arena)?;
    let drop = shared.elements::<i32>(step.input(0)?.span()).first().copied().unwrap_or(0);
    Ok(keep_edges(ranks(step)?, drop, elements(bits))?)
}

fn check_sparse_dense(step: &Step<'_>) -> Outcome {
    matrix(&step.input(0)?, 0)?;
    check_product(step, step.constant::<i8>(0)?.len())
}

fn check_sparse_compressed(step: &Step<'_>) -> Outcome {
    check_product(step, compressed(step, 0, feature_count(step)?, Proof::Whole)?.matrix_len())
}

/// Checks a product of features with this many weights.
fn check_product(step: &Step<'_>, weights: usize) -> Outcome {
    let op = sparse_dense(step, Proof::Whole)?;
    op.check(weights, step.output()?.element_count())?;
    check_sums(&op.scaling, op.is_exact())?;
    check_rows(step)
}

fn check_node_dense(step: &Step<'_>) -> Outcome {
    check_layer(step, step.constant::<i8>(1)?.len())
}

fn check_node_compressed(step: &Step<'_>) -> Outcome {
    let [_, inputs] = matrix(&step.input(0)?, 0)?;
    check_layer(step, compressed(step, 1, inputs, Proof::Whole)?.matrix_len())
}

/// Checks a layer of each node with this many weights.
fn check_layer(step: &Step<'_>, weights: usize) -> Outcome {
    let op = node_dense(step)?;
    let ([rows, inputs], y) = (matrix(&step.input(0)?, 0)?, step.output()?.element_count());
    expect_len("rows", op.rows, rows)?;
    op.check(rows * inputs, weights, y)?;
    check_sums(&op.scaling, op.is_exact())?;
    check_rows(step)
}

fn propagate_rows<'a>(step: &Step<'a>, shared: &Shared<'a>) -> Result<Link<'a>, OperatorError> {
    Ok(Link::propagate::<Best>(propagate(step, Proof::Done, shared)?))
}

fn by_degree_rows<'a>(step: &Step<'a>, shared: &Shared<'a>) -> Result<Link<'a>, OperatorError> {
    Ok(Link::by_degree::<Best>(by_degree(step, Proof::Done, shared)?))
}

fn attend_rows<'a>(step: &Step<'a>, shared: &Shared<'a>) -> Result<Link<'a>, OperatorError> {
    Ok(Link::attention::<Best>(attend(step, Proof::Done, shared)?))
}

fn sparse_dense_rows<'a>(step: &Step<'a>, _: &Shared<'a>) -> Result<Link<'a>, OperatorError> {
    Ok(Link::sparse_dense::<Best>(sparse_dense(step, Proof::Done)?, step.constant(0)?))
}

fn sparse_compressed_rows<'a>(step: &Step<'a>, _: &Shared<'a>) -> Result<Link<'a>, OperatorError> {
    let op = sparse_dense(step, Proof::Done)?;
    Ok(Link::sparse_compressed::<Best>(op, compressed(step, 0, feature_count(step)?, Proof::Done)?))
}

fn node_dense_rows<'a>(step: &Step<'a>, _: &Shared<'a>) -> Result<Link<'a>, OperatorError> {
    Ok(Link::node_dense::<Best>(node_dense(step)?, step.constant(1)?))
}

fn node_compressed_rows<'a>(step: &Step<'a>, _: &Shared<'a>) -> Result<Link<'a>, OperatorError> {
    let op = node_dense(step)?;
    Ok(Link::node_compressed::<Best>(op, compressed(step, 1, op.inputs, Proof::Done)?))
}

fn check_multiplier(multiplier: Multiplier, fits: bool) -> Outcome {
    let value = multiplier.shift;
    if fits { Ok(()) } else { Err(OperatorError::Param { name: "multiplier", value }) }
}

/// Checks that every multiplier is defined and that no sum is too large for one.
fn check_sums(scaling: &RowScaling<'_>, exact: bool) -> Outcome {
    let constants = scaling.constants();
    for (&mantissa_q31, &shift) in constants.multipliers_q31.iter().zip(constants.shifts) {
        let multiplier = Multiplier { mantissa_q31, shift };
        check_multiplier(multiplier, multiplier.is_valid())?;
    }
    // The largest sum itself may not fit into a number that could be shown.
    if exact { Ok(()) } else { Err(OperatorError::Param { name: "largest sum", value: i32::MAX }) }
}

/// Checks the operators that make the rows of operand 0, and the working memory for them.
fn check_rows(step: &Step<'_>) -> Outcome {
    let mut chain = Chain::new();
    chain.read(step, &Shared::NONE)?;
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
    let (y, scratch, shared) = split(step, arena)?;
    let mut chain = Chain::new();
    chain.read(step, &shared)?;
    compute_rows(chain.links(), channels, elements(y), scratch);
    Ok(())
}

fn check_gather(step: &Step<'_>) -> Outcome {
    let ([_, width], [count, channels]) = (matrix(&step.input(0)?, 0)?, output_matrix(step)?);
    expect_len("channels", width, channels)?;
    expect_len("rows", count, in_arena::<i32>(step, 1)?.element_count())?;
    check_rows(step)
}

/// The rows with the numbers in operand 1, each at least 0 and at most the last.
fn run_gather(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let ([rows, _], output) = (matrix(&step.input(0)?, 0)?, step.output()?);
    let [_, channels] = matrix(&output, usize::MAX)?;
    let (y, scratch, shared) = split(step, arena)?;
    let mut chain = Chain::new();
    chain.read(step, &shared)?;
    let mut rest: &mut [i8] = elements(y);
    for &number in shared.elements::<i32>(step.input(1)?.span()) {
        let Some((y, after)) = core::mem::take(&mut rest).split_at_mut_checked(channels) else { break };
        rest = after;
        let row = usize::try_from(number).unwrap_or(0).min(rows.saturating_sub(1));
        compute_row(chain.links(), row, y, scratch);
    }
    Ok(())
}
