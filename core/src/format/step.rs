//! One operator of a model and access to its operands.

use super::{Element, Model, NONE, Operator, OperatorRecord, Place, TensorRecord};
use crate::error::{Operand, OperatorError};
use crate::num::Rounding;

/// One operator of a model, where it lies, with its kernel.
#[derive(Clone, Copy)]
pub struct Step<'m> {
    pub(crate) model: &'m Model<'m>,
    /// Position in the file.
    pub index: usize,
    /// The operator's record.
    pub record: &'m OperatorRecord,
    /// What runs.
    pub operator: &'m Operator,
}

impl<'m> Step<'m> {
    /// Whether there is a tensor at operand position `index`.
    pub(crate) fn has(&self, index: usize) -> bool {
        self.record.inputs.get(index).is_some_and(|&tensor| tensor != NONE)
    }

    /// The tensor at operand position `index`.
    ///
    /// # Errors
    /// [`OperatorError::Missing`].
    pub fn input(&self, index: usize) -> Result<&'m TensorRecord, OperatorError> {
        // No file has as many tensors as the index that means none.
        let tensor = self.record.inputs.get(index).and_then(|&tensor| self.model.tensor(tensor.into()));
        tensor.ok_or(OperatorError::Missing { operand: Operand::Input(index) })
    }

    /// The tensor that is written.
    ///
    /// # Errors
    /// [`OperatorError::Missing`].
    pub fn output(&self) -> Result<&'m TensorRecord, OperatorError> {
        self.model.tensor(self.record.output.into()).ok_or(OperatorError::Missing { operand: Operand::Output })
    }

    /// The values of a constant operand.
    pub(crate) fn constant<T: Element>(&self, index: usize) -> Result<&'m [T], OperatorError> {
        let tensor = self.input(index)?;
        let wrong = OperatorError::Constant { operand: index, expected: T::DTYPE.name() };
        if tensor.dtype != T::DTYPE.code() {
            return Err(wrong);
        }
        let bytes = self.model.constant(tensor).ok_or(wrong)?;
        bytemuck::try_cast_slice(bytes).map_err(|_| wrong)
    }

    /// What the operator costs, and its parameter words written again by what reads them.
    ///
    /// # Errors
    /// [`OperatorError`] where the model was not verified.
    #[cfg(feature = "host")]
    pub fn describe(&self) -> Result<(super::Cost, super::Params), OperatorError> {
        (self.operator.describe)(self)
    }

    /// How requantisation rounds.
    pub(crate) const fn rounding(&self) -> Rounding {
        self.model.rounding()
    }

    /// Operand `index` as an activation of type `T`.
    pub(crate) fn activation<T: Element>(&self, index: usize) -> Result<&'m TensorRecord, OperatorError> {
        let tensor = self.input(index)?;
        of_type::<T>(tensor, Operand::Input(index))?;
        Ok(tensor)
    }

    /// Operand `index` as an activation of type `T` that the caller or an operator writes.
    pub(crate) fn in_arena<T: Element>(&self, index: usize) -> Result<&'m TensorRecord, OperatorError> {
        let tensor = self.activation::<T>(index)?;
        let wrong = OperatorError::Activation { operand: Operand::Input(index), expected: "in the arena" };
        if tensor.is_in(Place::Arena) { Ok(tensor) } else { Err(wrong) }
    }

    /// The output as an activation of type `T`.
    pub(crate) fn result<T: Element>(&self) -> Result<&'m TensorRecord, OperatorError> {
        let tensor = self.output()?;
        of_type::<T>(tensor, Operand::Output)?;
        Ok(tensor)
    }
}

fn of_type<T: Element>(tensor: &TensorRecord, operand: Operand) -> Result<(), OperatorError> {
    if tensor.dtype == T::DTYPE.code() {
        Ok(())
    } else {
        Err(OperatorError::Activation { operand, expected: T::DTYPE.name() })
    }
}
