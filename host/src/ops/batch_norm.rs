//! Batch normalisation; it is folded into the layer before it when a network is quantised.

use super::lowered::{Lowered, clamp_f32};
use super::rules::{made, whole};
use super::training::Training;
use super::{
    Activation, Channels, Computed, Misfit, OneValue, Operands, Operator, Rules, Value, Zero, answers, arity, example,
    form, vector,
};

/// Inputs `x: [.., C]`, `gamma, beta, running_mean, running_var: [C]`; statistics over batch and positions.
///
/// Training: biased variance of the batch; `running = (1 - momentum) * running + momentum * batch`, with the
/// unbiased variance (as PyTorch). Inference: the running statistics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchNorm {
    /// Added to the variance.
    pub epsilon: f32,
    /// Weight of the newest batch in the running statistics.
    pub momentum: f32,
    /// Fused clamp.
    pub activation: Activation,
}

impl BatchNorm {
    /// At inference `x * scale + shift`, one pair a channel.
    ///
    /// # Errors
    /// [`Misfit::NotFloat`] names a statistic.
    pub fn affine(&self, on: &Operands<'_>) -> Result<(Vec<f32>, Vec<f32>), Misfit> {
        let of = |i: usize| {
            let tensor = on.inputs[i];
            tensor.f32s().ok_or_else(|| Misfit::NotFloat { tensor: tensor.name.clone() })
        };
        let (gamma, beta, mean, var) = (of(1)?, of(2)?, of(3)?, of(4)?);
        let scale: Vec<f32> = gamma.iter().zip(var).map(|(g, v)| g / (v + self.epsilon).sqrt()).collect();
        let shift = beta.iter().zip(mean).zip(&scale).map(|((b, m), s)| b - m * s).collect();
        Ok((scale, shift))
    }
}

impl Operator for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        arity(inputs, 5..=5)?;
        let &c = inputs[0].last().ok_or_else(|| form("x", "[.., C]"))?;
        for (i, name) in ["gamma", "beta", "running_mean", "running_var"].into_iter().enumerate() {
            vector(inputs, name, i + 1, c)?;
        }
        Ok(inputs[0].to_vec())
    }

    fn rules(&self) -> Rules {
        Rules {
            // `x * scale + (beta - mean * scale)`, where gamma is a factor of the scale.
            zero: Zero::Weights,
            one_value: OneValue::ThroughKept,
            ..Rules::computed()
        }
    }

    fn channels(&self, on: &Operands<'_>) -> Channels {
        Channels { runs: Some(vec![whole(on, 0)]), axes: made(on, 0) }
    }

    fn lower(&self, _: &Operands<'_>) -> Result<Lowered, Misfit> {
        Err(Misfit::Unfolded)
    }

    fn evaluate(&self, on: &Operands<'_>, computed: &Computed<'_>) -> Result<Value, Misfit> {
        let (scale, shift) = self.affine(on)?;
        let clamp = clamp_f32(self.activation);
        let x = on.floats(0, computed)?;
        let channels = scale.len().max(1);
        let y = x.iter().enumerate().map(|(i, &x)| clamp.apply(x * scale[i % channels] + shift[i % channels]));
        Ok(Value::F32(y.collect()))
    }

    fn train(&self, _: &Operands<'_>) -> Result<Training, Misfit> {
        let Self { epsilon, momentum, activation } = *self;
        Ok(Training::BatchNorm { epsilon, momentum, activation })
    }

    answers!(no_macs, no_identity, no_factor, fused_activation, no_window, no_counts);
}

example!(
    BatchNorm = BatchNorm { epsilon: 1e-3, momentum: 0.1, activation: RELU },
    [value(&IMAGE), parameter(&[4]), parameter(&[4]), buffer(&[4]), buffer(&[4])]
);
