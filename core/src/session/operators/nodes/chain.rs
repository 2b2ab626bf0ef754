//! The operators behind one that runs: those that make the rows of its operand, down to what lies in memory.

use super::constants::{Proof, node_dense, propagate, sparse_dense};
use super::matrix;
use crate::error::OperatorError;
use crate::format::{OpCode, Place, Step};
use crate::kernels::nodes::{RowOperator, scratch_words};
use crate::session::operands::activation;

/// Most operators that one may run, itself included.
const DEPTH_MAX: usize = 6;

/// An operator and those below it that are on demand.
pub(super) struct Chain<'a> {
    /// The first [`len`](Self::len) ones, and behind them what lies in memory, if the last one reads that.
    operators: [RowOperator<'a>; DEPTH_MAX + 1],
    len: usize,
    /// The place in the arena of the rows at the end; empty where they do not lie there.
    pub(super) stored: (usize, usize),
}

impl<'a> Chain<'a> {
    /// No operators.
    pub(super) const EMPTY: Self =
        Self { operators: [RowOperator::Stored { x: &[], width: 0 }; DEPTH_MAX + 1], len: 0, stored: (0, 0) };

    /// Becomes the chain of `step`: its own operator and those of its operand, for a gather those of the operand alone.
    ///
    /// In place and never inlined, so that what it needs is not on the stack below the kernels.
    #[inline(never)]
    pub(super) fn read(&mut self, step: &Step<'a>) -> Result<(), OperatorError> {
        let chain = self;
        let mut step = *step;
        loop {
            match step.code() {
                OpCode::Propagate => chain.push(RowOperator::Propagate(propagate(&step, Proof::Done)?))?,
                OpCode::NodeDense => {
                    chain.push(RowOperator::NodeDense(node_dense(&step)?, step.constant(1)?))?;
                }
                OpCode::SparseDense => {
                    chain.push(RowOperator::SparseDense(sparse_dense(&step, Proof::Done)?, step.constant(0)?))?;
                    return Ok(());
                }
                _ => {}
            }
            let x = activation::<i8>(&step, 0)?;
            let [_, width] = matrix(&x, 0)?;
            let missing = OperatorError::Missing { operand: 0 };
            match x.location().ok_or(missing)? {
                Place::OnDemand => {
                    let [tensor, ..] = step.record.inputs;
                    let producer = step.model.producer(tensor.into(), step.index).ok_or(missing)?;
                    step = step.model.step(producer).ok_or(missing)?;
                }
                Place::Data => {
                    chain.push(RowOperator::Stored { x: step.constant(0)?, width })?;
                    return Ok(());
                }
                Place::Arena => {
                    chain.stored = x.span();
                    chain.push(RowOperator::Stored { x: &[], width })?;
                    return Ok(());
                }
            }
        }
    }

    fn push(&mut self, operator: RowOperator<'a>) -> Result<(), OperatorError> {
        let too_long = OperatorError::Param { name: "operators on demand", value: DEPTH_MAX as i32 };
        *self.operators.get_mut(self.len).ok_or(too_long)? = operator;
        self.len += 1;
        Ok(())
    }

    fn operators(&self) -> &[RowOperator<'a>] {
        self.operators.get(..self.len).unwrap_or_default()
    }

    /// Words of working memory.
    pub(super) fn scratch_words(&self) -> usize {
        scratch_words(self.operators())
    }

    /// The operators, of which the last reads `x` where it reads the arena.
    pub(super) fn over(&mut self, x: &'a [i8]) -> &[RowOperator<'a>] {
        if self.stored.0 < self.stored.1
            && let Some(RowOperator::Stored { x: rows, .. }) = self.operators.get_mut(self.len.saturating_sub(1))
        {
            *rows = x;
        }
        self.operators()
    }
}

/// The place of the working memory of `step`; one that is empty may lie anywhere.
pub(super) fn scratch(step: &Step<'_>) -> (usize, usize) {
    let (start, bytes) = (step.record.scratch_offset as usize, step.record.scratch_bytes as usize);
    if bytes == 0 { (0, 0) } else { (start, start.saturating_add(bytes)) }
}

/// Parts of the arena that share no byte.
pub(super) fn split<const N: usize>(
    arena: &mut [u8],
    spans: [(usize, usize); N],
) -> Result<[&mut [u8]; N], OperatorError> {
    let lost = OperatorError::Missing { operand: usize::MAX };
    arena.get_disjoint_mut(spans.map(|(start, end)| start..end)).map_err(|_| lost)
}

/// Bytes as elements, none where they are not aligned.
pub(super) fn elements<T: bytemuck::Pod>(bytes: &mut [u8]) -> &mut [T] {
    bytemuck::try_cast_slice_mut(bytes).unwrap_or_default()
}
