//! The operators behind one that runs: those that make the rows of its operand, down to what lies in memory.

use super::arena::Shared;
use super::constants::{Proof, attend, by_degree, node_dense, propagate, sparse_dense, weights};
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
}

impl<'a> Chain<'a> {
    /// No operators. Made where it is used: as a constant it would lie in flash, and be moved.
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self { operators: core::array::from_fn(|_| RowOperator::Stored { x: &[], width: 0 }), len: 0 }
    }

    /// Becomes the chain of `step`: its own operator and those of its operand, for a gather those of the operand alone.
    /// What lies in the arena is read from `shared`.
    ///
    /// In place and never inlined, so that what it needs is not on the stack below the kernels.
    #[inline(never)]
    pub(super) fn read(&mut self, step: &Step<'a>, shared: &Shared<'a>) -> Result<(), OperatorError> {
        let chain = self;
        let mut step = *step;
        loop {
            match step.code() {
                OpCode::Propagate => chain.push(RowOperator::Propagate(propagate(&step, Proof::Done, shared)?))?,
                OpCode::PropagateByDegree => {
                    chain.push(RowOperator::Weighted(by_degree(&step, Proof::Done, shared)?))?;
                }
                OpCode::Attend => chain.push(RowOperator::Weighted(attend(&step, Proof::Done, shared)?))?,
                OpCode::NodeDense | OpCode::NodeCompressed => {
                    let op = node_dense(&step)?;
                    chain.push(RowOperator::NodeDense(op, weights(&step, Proof::Done)?))?;
                }
                OpCode::SparseDense | OpCode::SparseCompressed => {
                    let op = sparse_dense(&step, Proof::Done)?;
                    chain.push(RowOperator::SparseDense(op, weights(&step, Proof::Done)?))?;
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
                    chain.push(RowOperator::Stored { x: shared.elements(x.span()), width })?;
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

    /// The operators.
    pub(super) fn operators(&self) -> &[RowOperator<'a>] {
        self.operators.get(..self.len).unwrap_or_default()
    }

    /// Words of working memory.
    pub(super) fn scratch_words(&self) -> usize {
        scratch_words(self.operators())
    }
}
