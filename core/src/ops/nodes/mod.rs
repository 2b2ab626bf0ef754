//! Operators on matrices with one row a node. Operands that are on demand are computed row by row where they are read.
//!
//! Operands of sums: `x, offsets, neighbours, table, factors or vectors, kept edges`; of products: `weights, offsets,
//! columns, table, factors, values`; of a layer a node: `x, w, table, factors`; of a gather: `x, row numbers`.

mod chain;
mod constants;

pub use constants::{write_clamp, write_features, write_gathering, write_heads, write_symmetric};

use super::memory::{elements, split};
use super::words::StoredClamp;
use super::{Cost, Outcome, Record};
use crate::error::{GraphError, Operand, OperatorError};
use crate::format::{Params, Place, RowsOf, Shared, Step, TensorRecord};
use crate::kernels::nodes::{BLOCK, Link, NeighbourWeights, Slope, compute_row, compute_rows, keep_edges};
use crate::kernels::{Best, KeptEdges, RowScaling, Sparse, Weighted};
use crate::num::Multiplier;
use crate::shape::expect_len;
use chain::Chain;
use constants::{
    FEATURES, HEADS, KEPT, Proof, SYMMETRIC, attend, by_degree, compressed, node_dense, propagate, ranks, sparse_dense,
};

/// Rows of a tensor along its first axis, and elements of a row.
fn matrix(tensor: &TensorRecord, operand: Operand) -> Result<[usize; 2], OperatorError> {
    match tensor.shape() {
        &[rows, ref row @ ..] if !row.is_empty() => {
            Ok([rows as usize, row.iter().fold(1, |len: usize, &size| len.saturating_mul(size as usize))])
        }
        _ => Err(OperatorError::Activation { operand, expected: "[nodes, .., channels]" }),
    }
}

/// Rows and columns of operand 0.
fn input_matrix(step: &Step<'_>) -> Result<[usize; 2], OperatorError> {
    matrix(step.input(0)?, Operand::Input(0))
}

/// Rows and columns of the output.
fn output_matrix(step: &Step<'_>) -> Result<[usize; 2], OperatorError> {
    matrix(step.result::<i8>()?, Operand::Output)
}

/// Checks that a graph has a node for each row of operand 0 and what it claims, and which of its edges count; the number
/// of elements of that operand.
fn check_graph(step: &Step<'_>, graph: &Sparse<'_>) -> Result<usize, OperatorError> {
    let ([rows, channels], [_, output_channels]) = (input_matrix(step)?, output_matrix(step)?);
    expect_len("nodes", graph.row_count(), rows)?;
    expect_len("channels", output_channels, channels)?;
    if SYMMETRIC.flag(&step.record.params)?
        && let Some((from, to)) = graph.first_asymmetric()
    {
        return Err(OperatorError::Graph(GraphError::Asymmetric { from, to }));
    }
    if step.has(KEPT) {
        expect_len("kept", KeptEdges::bytes(graph.entry_count()), step.in_arena::<i8>(KEPT)?.element_count())?;
    }
    Ok(rows * channels)
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
    if step.output()?.is_in(Place::OnDemand) {
        return Ok(());
    }
    let (words, bytes) = (chain.scratch_words(), step.record.scratch_bytes as usize);
    Ok(expect_len("scratch", bytes.next_multiple_of(size_of::<i32>()).max(words * size_of::<i32>()), bytes)?)
}

/// Every row of the output, unless that is on demand.
fn run_rows(step: &Step<'_>, arena: &mut [u8]) -> Outcome {
    let output = step.output()?;
    if output.is_in(Place::OnDemand) {
        return Ok(());
    }
    let [_, channels] = matrix(output, Operand::Output)?;
    let (y, scratch, shared) = split(step, arena)?;
    let mut chain = Chain::new();
    chain.read(step, &shared)?;
    compute_rows(chain.links(), channels, elements(y), scratch);
    Ok(())
}

/// What an operator costs that multiplies or adds each entry of its sparse matrix once a channel. A graph is data, not
/// trained.
fn cost_of_entries(step: &Step<'_>) -> Cost {
    let entries = step.input(2).map_or(0, TensorRecord::element_count);
    let [_, channels] = output_matrix(step).unwrap_or_default();
    Cost { macs: entries * channels, ..Cost::NONE }
}

/// Weights that are stored of `len` words: those after the offsets of the rows of each block.
fn compressed_weights(len: usize, inputs: usize, channels: usize) -> usize {
    len.saturating_sub(inputs * channels.div_ceil(BLOCK) + 1)
}

/// Writes the clamp of `step` again.
fn write_clamp_again(step: &Step<'_>, params: &mut Params) {
    if let Ok(clamp) = i32::read_clamp(&step.record.params) {
        write_clamp(params, clamp);
    }
}

/// An operator whose rows are computed one by one; everything is read where its rows are.
macro_rules! operator_by_rows {
    ($(#[$doc:meta])* $name:ident, reads_rows = $reads:literal, |$step:ident, $shared:ident| $link:expr,
     check = |$at_verify:ident| $check:expr, write = |$params:ident| $write:expr, cost = $cost:expr) => {
        $(#[$doc])*
        pub(super) struct $name;

        impl $name {
            fn link<'a>($step: &Step<'a>, $shared: &Shared<'a>) -> Result<Link<'a>, OperatorError> {
                Ok($link)
            }
        }

        impl<'m> Record<'m> for $name {
            const READS_ROWS: bool = $reads;
            const ROWS: Option<RowsOf> = Some(Self::link);

            fn read(_: &Step<'m>) -> Result<Self, OperatorError> {
                Ok(Self)
            }

            fn write(&self, $at_verify: &Step<'m>, $params: &mut Params) {
                let () = $write;
                write_clamp_again($at_verify, $params);
            }

            fn check(&self, $at_verify: &Step<'m>) -> Outcome {
                $check?;
                check_rows($at_verify)
            }

            fn cost(&self, $at_verify: &Step<'m>) -> Cost {
                $cost($at_verify)
            }

            fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
                run_rows(step, arena)
            }
        }
    };
}

fn check_propagate(step: &Step<'_>) -> Outcome {
    let op = propagate(step, Proof::Whole, &Shared::NONE)?;
    let x = check_graph(step, &op.graph)?;
    op.check(x, step.output()?.element_count())?;
    check_sums(&op.scaling, op.is_exact())
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
        let operand = Operand::Input(2);
        return Err(OperatorError::Activation { operand, expected: "neighbours without self loops" });
    }
    check_sums(&op.scaling, op.is_exact())
}

/// Checks a product of features with this many weights.
fn check_product(step: &Step<'_>, features: usize, weights: usize) -> Outcome {
    let op = sparse_dense(step, features, Proof::Whole)?;
    op.check(weights, step.output()?.element_count())?;
    check_sums(&op.scaling, op.is_exact())
}

/// Checks a layer of each node with this many weights.
fn check_layer(step: &Step<'_>, weights: usize) -> Outcome {
    let op = node_dense(step)?;
    let ([rows, inputs], y) = (input_matrix(step)?, step.output()?.element_count());
    expect_len("rows", op.rows, rows)?;
    op.check(rows * inputs, weights, y)?;
    check_sums(&op.scaling, op.is_exact())
}

/// Features that weights without zeros are for.
fn features(step: &Step<'_>) -> Result<usize, OperatorError> {
    FEATURES.size(&step.record.params)
}

/// Features that a matrix of weights is for.
fn weight_rows(step: &Step<'_>) -> Result<usize, OperatorError> {
    Ok(step.input(0)?.dim(0))
}

operator_by_rows!(
    /// Sums over neighbours, [`Propagate`](crate::kernels::Propagate).
    Propagate, reads_rows = true,
    |step, shared| Link::propagate::<Best>(propagate(step, Proof::Done, shared)?),
    check = |step| check_propagate(step),
    write = |params| {
        write_symmetric(params, SYMMETRIC.get(&step.record.params) == 1);
        if let Ok(op) = propagate(step, Proof::Done, &Shared::NONE) {
            write_gathering(params, op.gathering);
        }
    },
    cost = cost_of_entries
);
operator_by_rows!(
    /// Sums over neighbours that count by the degrees that are left, [`Weighted`].
    PropagateByDegree, reads_rows = true,
    |step, shared| Link::by_degree::<Best>(by_degree(step, Proof::Done, shared)?),
    check = |step| check_weighted(step, &by_degree(step, Proof::Whole, &Shared::NONE)?),
    write = |params| write_symmetric(params, SYMMETRIC.get(&step.record.params) == 1),
    cost = cost_of_entries
);
operator_by_rows!(
    /// Sums over neighbours by attention, [`Weighted`].
    Attend, reads_rows = true,
    |step, shared| Link::attention::<Best>(attend(step, Proof::Done, shared)?),
    check = |step| check_weighted(step, &attend(step, Proof::Whole, &Shared::NONE)?),
    write = |params| {
        write_symmetric(params, SYMMETRIC.get(&step.record.params) == 1);
        HEADS.put(params, HEADS.get(&step.record.params));
    },
    cost = cost_of_entries
);
operator_by_rows!(
    /// Sparse features times dense weights, [`SparseDense`](crate::kernels::SparseDense).
    SparseDense, reads_rows = false,
    |step, _shared| Link::sparse_dense::<Best>(sparse_dense(step, weight_rows(step)?, Proof::Done)?, step.constant(0)?),
    check = |step| {
        input_matrix(step)?;
        check_product(step, weight_rows(step)?, step.constant::<i8>(0)?.len())
    },
    write = |_params| (),
    cost = |step: &Step<'_>| Cost { weights: step.input(0).map_or(0, TensorRecord::element_count), ..cost_of_entries(step) }
);
operator_by_rows!(
    /// Sparse features times sparse weights, [`SparseDense`](crate::kernels::SparseDense).
    SparseCompressed, reads_rows = false,
    |step, _shared| {
        let op = sparse_dense(step, features(step)?, Proof::Done)?;
        Link::sparse_compressed::<Best>(op, compressed(step, 0, features(step)?, Proof::Done)?)
    },
    check = |step| check_product(step, features(step)?, compressed(step, 0, features(step)?, Proof::Whole)?.matrix_len()),
    write = |params| write_features(params, features(step).unwrap_or(0)),
    cost = |step: &Step<'_>| {
        let ([_, channels], inputs) = (output_matrix(step).unwrap_or_default(), features(step).unwrap_or(0));
        let len = step.input(0).map_or(0, TensorRecord::element_count);
        Cost { weights: compressed_weights(len, inputs, channels), ..cost_of_entries(step) }
    }
);
operator_by_rows!(
    /// A fully connected layer for each node, [`NodeDense`](crate::kernels::NodeDense).
    NodeDense, reads_rows = true,
    |step, _shared| Link::node_dense::<Best>(node_dense(step)?, step.constant(1)?),
    check = |step| check_layer(step, step.constant::<i8>(1)?.len()),
    write = |_params| (),
    cost = |step: &Step<'_>| {
        let ([rows, _], weights) = (output_matrix(step).unwrap_or_default(), step.input(1).map_or(0, TensorRecord::element_count));
        Cost { macs: rows * weights, weights, biases: 0 }
    }
);
operator_by_rows!(
    /// A fully connected layer for each node with sparse weights, [`NodeDense`](crate::kernels::NodeDense).
    NodeCompressed, reads_rows = true,
    |step, _shared| {
        let op = node_dense(step)?;
        Link::node_compressed::<Best>(op, compressed(step, 1, op.inputs, Proof::Done)?)
    },
    check = |step| {
        let [_, inputs] = input_matrix(step)?;
        check_layer(step, compressed(step, 1, inputs, Proof::Whole)?.matrix_len())
    },
    write = |_params| (),
    cost = |step: &Step<'_>| {
        let ([rows, channels], [_, inputs]) = (output_matrix(step).unwrap_or_default(), input_matrix(step).unwrap_or_default());
        let weights = compressed_weights(step.input(1).map_or(0, TensorRecord::element_count), inputs, channels);
        Cost { macs: rows * weights, weights, biases: 0 }
    }
);

/// Which edges of a graph count, [`keep_edges`].
pub(super) struct KeepEdges;

impl<'m> Record<'m> for KeepEdges {
    fn read(_: &Step<'m>) -> Result<Self, OperatorError> {
        Ok(Self)
    }

    fn write(&self, _: &Step<'m>, _: &mut Params) {}

    fn check(&self, step: &Step<'m>) -> Outcome {
        expect_len("drop", 1, step.in_arena::<i32>(0)?.element_count())?;
        Ok(expect_len("bits", KeptEdges::bytes(ranks(step)?.len()), step.result::<i8>()?.element_count())?)
    }

    fn cost(&self, _: &Step<'m>) -> Cost {
        Cost::NONE
    }

    /// The bits of the edges whose rank is at least operand 0.
    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let (bits, _, shared) = split(step, arena)?;
        let drop = shared.elements::<i32>(step.input(0)?.span()).first().copied().unwrap_or(0);
        Ok(keep_edges(ranks(step)?, drop, elements(bits))?)
    }
}

/// Rows by number.
pub(super) struct Gather;

impl<'m> Record<'m> for Gather {
    const READS_ROWS: bool = true;

    fn read(_: &Step<'m>) -> Result<Self, OperatorError> {
        Ok(Self)
    }

    fn write(&self, _: &Step<'m>, _: &mut Params) {}

    fn check(&self, step: &Step<'m>) -> Outcome {
        let ([_, width], [count, channels]) = (input_matrix(step)?, output_matrix(step)?);
        expect_len("channels", width, channels)?;
        expect_len("rows", count, step.in_arena::<i32>(1)?.element_count())?;
        check_rows(step)
    }

    fn cost(&self, _: &Step<'m>) -> Cost {
        Cost::NONE
    }

    /// The rows with the numbers in operand 1, each at least 0 and at most the last.
    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let ([rows, _], output) = (input_matrix(step)?, step.output()?);
        let [_, channels] = matrix(output, Operand::Output)?;
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
}
