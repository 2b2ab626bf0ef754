//! Fully connected layers: `x, w, bias` and for integers `multipliers, shifts`; packed weights: `packed`.

use super::memory::{Operands, operands};
use super::weighted::{Layer, Stored, weights};
use super::{Cost, Outcome, Record};
use crate::error::OperatorError;
use crate::format::{Params, Step};
use crate::kernels::{self as shapes};
use crate::kernels::{BackEnd as _, Best};

/// A layer with plain weights `[O, I]`.
pub(super) struct Dense<'m, S: Stored> {
    op: shapes::Dense,
    layer: Layer<'m, S>,
}

impl<'m, S: Stored> Record<'m> for Dense<'m, S> {
    fn read(step: &Step<'m>) -> Result<Self, OperatorError> {
        let w = weights(step, 2)?;
        Ok(Self { op: shapes::Dense::try_new(w.dim(1), w.dim(0))?, layer: Layer::read(step)? })
    }

    fn write(&self, _: &Step<'m>, params: &mut Params) {
        S::write(&self.layer.arithmetic, params);
    }

    fn check(&self, step: &Step<'m>) -> Outcome {
        let [x, w, bias, y] = self.layer.check(step, self.op.outputs().get())?;
        Ok(self.op.check(x, w, bias, y)?)
    }

    fn cost(&self, _: &Step<'m>) -> Cost {
        self.layer.cost(1)
    }

    #[inline(never)] // its frame and that of reading are not needed at one time
    fn run(&self, step: &Step<'_>, arena: &mut [u8]) -> Outcome {
        let Operands { inputs: [x], output, .. } = operands(step, arena)?;
        let Layer { arithmetic, weights, bias } = &self.layer;
        Ok(Best::dense(&self.op, arithmetic, x, weights, bias, output)?)
    }
}
