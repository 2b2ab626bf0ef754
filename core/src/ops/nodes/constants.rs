//! Graphs, features, weights and scalings as files store them.

use super::{matrix, output_matrix};
use crate::error::{Operand, OperatorError};
use crate::format::{Element, Params, Shared, Step};
use crate::graph::{Csr, Index};
use crate::kernels::nodes::{Attention, CompressedWeights, NeighbourWeights, Ranks};
use crate::kernels::{
    Clamp, Gathering, KeptEdges, NodeDense, Propagate, RowConstants, RowScaling, Sparse, SparseDense, Weighted,
};
use crate::ops::words::{StoredClamp, Word};
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
    if !step.has(index) {
        return Ok(&[]);
    }
    let missing = OperatorError::Missing { operand: Operand::Input(index) };
    bytemuck::try_cast_slice(step.constant::<T>(index)?).map_err(|_| missing)
}

/// Whether operand `index` holds the wider of the two integers that indices have.
fn is_wide(step: &Step<'_>, index: usize) -> bool {
    step.input(index).is_ok_and(|tensor| tensor.dtype == i32::DTYPE.code())
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

/// `N` runs of `len` words at the start of `words`, and those after them.
fn runs<const N: usize>(words: &[i32], len: usize) -> ([&[i32]; N], &[i32]) {
    let (mut runs, mut rest) = ([&[][..]; N], words);
    for run in &mut runs {
        (*run, rest) = rest.split_at_checked(len).unwrap_or_default();
    }
    (runs, rest)
}

/// The scaling of these biases, mantissas and shifts.
fn scaling_of<'m>(
    step: &Step<'m>,
    [bias, multipliers_q31, shifts]: [&'m [i32]; 3],
    factors: &'m [u16],
) -> Result<RowScaling<'m>, OperatorError> {
    Ok(RowScaling::new(RowConstants {
        factors,
        bias,
        multipliers_q31,
        shifts,
        output_zero_point: step.output()?.zero_point,
        clamp: StoredClamp::read_clamp(&step.record.params)?,
        rounding: step.rounding(),
    }))
}

/// The scaling whose table is operand `table` and whose factors are operand `factors`, if it has any.
fn scaling<'m>(step: &Step<'m>, table: usize, factors: Option<usize>) -> Result<RowScaling<'m>, OperatorError> {
    let [_, channels] = output_matrix(step)?;
    let words = step.constant::<i32>(table)?;
    expect_len("table", channels.saturating_mul(3), words.len())?;
    let factors = factors.map_or(Ok(&[][..]), |factors| unsigned::<i16, u16>(step, factors))?;
    scaling_of(step, runs(words, channels).0, factors)
}

/// Propagate: what the node itself counts.
const OWN_WEIGHT: Word = Word::new(0, "own_weight");
/// Propagate: fraction bits of the own weight.
const FRACTION_BITS: Word = Word::new(1, "fraction_bits");
/// Propagate: 0 for a sum, 1 for a mean.
const GATHERING: Word = Word::new(2, "gathering");
/// Operators that gather: 1 where the graph claims to have every edge in both directions.
pub(super) const SYMMETRIC: Word = Word::new(3, "symmetric");
/// Attend: number of heads.
pub(super) const HEADS: Word = Word::new(0, "heads");
/// Sparse features times sparse weights: number of features.
pub(super) const FEATURES: Word = Word::new(0, "features");

fn gathering(params: &Params) -> Result<Gathering, OperatorError> {
    let own_weight = OWN_WEIGHT.get(params);
    match (GATHERING.get(params), u32::try_from(FRACTION_BITS.get(params))) {
        (0, Ok(fraction_bits)) if fraction_bits <= Gathering::MAX_FRACTION_BITS => {
            Ok(Gathering::Sum { own_weight, fraction_bits })
        }
        (0, _) => Err(FRACTION_BITS.refused(params)),
        (1, _) => Ok(Gathering::Mean),
        _ => Err(GATHERING.refused(params)),
    }
}

/// Writes how a sum or a mean over neighbours is taken.
pub fn write_gathering(params: &mut Params, gathering: Gathering) {
    match gathering {
        Gathering::Mean => GATHERING.put(params, 1),
        Gathering::Sum { own_weight, fraction_bits } => {
            OWN_WEIGHT.put(params, own_weight);
            FRACTION_BITS.put(params, fraction_bits.cast_signed());
        }
    }
}

/// Writes whether a graph has every edge in both directions.
pub fn write_symmetric(params: &mut Params, symmetric: bool) {
    SYMMETRIC.put(params, symmetric.into());
}

/// Writes the number of heads of an attention.
pub fn write_heads(params: &mut Params, heads: usize) {
    HEADS.put_size(params, heads);
}

/// Writes the number of features that compressed weights are for.
pub fn write_features(params: &mut Params, features: usize) {
    FEATURES.put_size(params, features);
}

/// Writes the clamp of a row's quantised values.
pub fn write_clamp(params: &mut Params, clamp: Clamp<i32>) {
    StoredClamp::write_clamp(clamp, params);
}

/// The operand that says which edges count.
pub(super) const KEPT: usize = 5;

/// The edges that count: all where there is no operand that says so.
fn kept<'m>(step: &Step<'m>, shared: &Shared<'m>) -> Result<KeptEdges<'m>, OperatorError> {
    if !step.has(KEPT) {
        return Ok(KeptEdges::ALL);
    }
    Ok(KeptEdges::of(shared.elements(step.input(KEPT)?.span())))
}

pub(super) fn propagate<'m>(
    step: &Step<'m>,
    proof: Proof,
    shared: &Shared<'m>,
) -> Result<Propagate<'m>, OperatorError> {
    let [nodes, channels] = output_matrix(step)?;
    Ok(Propagate {
        graph: sparse(step, nodes, proof)?,
        kept: kept(step, shared)?,
        channels,
        gathering: gathering(&step.record.params)?,
        input_zero_point: step.input(0)?.zero_point,
        scaling: scaling(step, 3, Some(4))?,
    })
}

pub(super) fn by_degree<'m>(step: &Step<'m>, proof: Proof, shared: &Shared<'m>) -> Result<Weighted<'m>, OperatorError> {
    let [nodes, channels] = output_matrix(step)?;
    Ok(Weighted {
        graph: sparse(step, nodes, proof)?,
        kept: kept(step, shared)?,
        channels,
        weights: NeighbourWeights::ByDegree(unsigned::<i16, u16>(step, 4)?),
        input_zero_point: step.input(0)?.zero_point,
        scaling: scaling(step, 3, None)?,
    })
}

pub(super) fn attend<'m>(step: &Step<'m>, proof: Proof, shared: &Shared<'m>) -> Result<Weighted<'m>, OperatorError> {
    let ([nodes, channels], heads) = (output_matrix(step)?, HEADS.size(&step.record.params)?);
    let words = step.constant::<i32>(3)?;
    expect_len("table", channels.saturating_mul(3).saturating_add(heads.saturating_mul(4)), words.len())?;
    let (of_channels, of_heads) = runs(words, channels);
    Ok(Weighted {
        graph: sparse(step, nodes, proof)?,
        kept: kept(step, shared)?,
        channels,
        weights: NeighbourWeights::Attention(Attention { vectors: step.constant(4)?, slopes: of_heads }),
        input_zero_point: step.input(0)?.zero_point,
        scaling: scaling_of(step, of_channels, &[])?,
    })
}

/// The ranks of edges in operand 1.
pub(super) fn ranks<'m>(step: &Step<'m>) -> Result<Ranks<'m>, OperatorError> {
    Ok(if is_wide(step, 1) {
        Ranks::Wide(unsigned::<i32, u32>(step, 1)?)
    } else {
        Ranks::Narrow(unsigned::<i16, u16>(step, 1)?)
    })
}

/// The weights that are not zero in operand `index`, of a layer that reads `inputs` elements.
pub(super) fn compressed<'m>(
    step: &Step<'m>,
    index: usize,
    inputs: usize,
    proof: Proof,
) -> Result<CompressedWeights<'m>, OperatorError> {
    let ([_, channels], packed) = (output_matrix(step)?, unsigned::<i16, u16>(step, index)?);
    match proof {
        Proof::Whole => CompressedWeights::try_new(packed, inputs, channels).map_err(OperatorError::Graph),
        Proof::Done => Ok(CompressedWeights::proved(packed, inputs, channels)),
    }
}

/// The product of so many features.
pub(super) fn sparse_dense<'m>(
    step: &Step<'m>,
    features: usize,
    proof: Proof,
) -> Result<SparseDense<'m>, OperatorError> {
    let [_, channels] = output_matrix(step)?;
    Ok(SparseDense {
        features: sparse(step, features, proof)?,
        values: unsigned::<i8, i8>(step, 5)?,
        channels,
        scaling: scaling(step, 3, Some(4))?,
    })
}

pub(super) fn node_dense<'m>(step: &Step<'m>) -> Result<NodeDense<'m>, OperatorError> {
    let ([rows, channels], x) = (output_matrix(step)?, step.input(0)?);
    let [_, inputs] = matrix(x, Operand::Input(0))?;
    Ok(NodeDense { rows, inputs, channels, input_zero_point: x.zero_point, scaling: scaling(step, 2, Some(3))? })
}
