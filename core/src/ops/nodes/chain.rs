//! The operators below one that runs: those that make the rows of its operand, down to what lies in memory.

use super::matrix;
use crate::error::{Operand, OperatorError};
use crate::format::{Place, Shared, Step};
use crate::kernels::nodes::{Link, scratch_words};

/// Most operators that one may run, itself included.
const DEPTH_MAX: usize = 6;

/// An operator and those below it that are on demand, and what lies in memory, if the last one reads that.
pub(super) struct Chain<'a>(heapless::Vec<Link<'a>, { DEPTH_MAX + 1 }>);

impl<'a> Chain<'a> {
    /// No operators.
    pub(super) const fn new() -> Self {
        Self(heapless::Vec::new())
    }

    /// Becomes the chain of `step`: its own operator and those of its operand, for a gather those of the operand alone.
    /// What lies in the arena is read from `shared`.
    ///
    /// In place and never inlined, so that what it needs is not on the stack below the kernels.
    #[inline(never)]
    pub(super) fn read(&mut self, step: &Step<'a>, shared: &Shared<'a>) -> Result<(), OperatorError> {
        let mut step = *step;
        loop {
            if let Some(rows) = step.operator.rows {
                self.push(rows(&step, shared)?)?;
            }
            if !step.operator.reads_rows {
                return Ok(());
            }
            let x = step.activation::<i8>(0)?;
            let [_, width] = matrix(x, Operand::Input(0))?;
            let missing = OperatorError::Missing { operand: Operand::Input(0) };
            match x.location().ok_or(missing)? {
                Place::OnDemand => {
                    let [tensor, ..] = step.record.inputs;
                    let producer = step.model.producer(tensor.into(), step.index).ok_or(missing)?;
                    step = step.model.step(producer).ok_or(missing)?;
                }
                Place::Data => {
                    self.push(Link::stored(step.constant(0)?, width))?;
                    return Ok(());
                }
                Place::Arena => {
                    self.push(Link::stored(shared.elements(x.span()), width))?;
                    return Ok(());
                }
            }
        }
    }

    fn push(&mut self, link: Link<'a>) -> Result<(), OperatorError> {
        self.0.push(link).map_err(|_| OperatorError::Param { name: "operators on demand", value: DEPTH_MAX as i32 })
    }

    /// The links.
    pub(super) fn links(&self) -> &[Link<'a>] {
        &self.0
    }

    /// Words of working memory.
    pub(super) fn scratch_words(&self) -> usize {
        scratch_words(self.links().iter().map(Link::operator))
    }
}
