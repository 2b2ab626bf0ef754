//! The constant sparse features of every node times weights.

use super::lowered::{Lowered, clamp_f32};
use super::rows::{Nodes, Pattern, Units, int8, quant, real_bias, row_scale};
use super::training::Training;
use super::{
    Activation, Computed, Features, Misfit, Operands, Operator, Rules, Value, Worth, Zero, answers, arity, example,
    form, vector,
};
use niwaki_core::graph::propagate;
use niwaki_core::num::quantize_i8;
use std::sync::Arc;

/// Inputs `w: [F, O]`, optionally `bias: [O]`; output `[N, 1, O]`: the constant features of every node times `w`.
#[derive(Debug, Clone, PartialEq)]
pub struct SparseDense {
    /// `[N, F]`
    pub features: Arc<Features>,
    /// Fused clamp.
    pub activation: Activation,
}

impl Operator for SparseDense {
    fn name(&self) -> &'static str {
        "sparse_dense"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        arity(inputs, 1..=2)?;
        let &[width, outputs] = inputs[0] else { return Err(form("w", "[F, O]")) };
        if width != self.features.width() {
            return Err(Misfit::Features { reads: width, has: self.features.width() });
        }
        vector(inputs, "bias", 1, outputs)?;
        Ok(vec![self.features.rows(), 1, outputs])
    }

    fn macs(&self, on: &Operands<'_>) -> usize {
        self.features.entries() * on.output.shape[2]
    }

    fn rules(&self) -> Rules {
        Rules {
            zero: Zero::All,
            over_nodes: true,
            scales_rows: true,
            // The features of a graph are constant, and a network over them is still to be computed where it runs.
            folds: false,
            ..Rules::computed()
        }
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        if on.output.quant.is_none() {
            return Err(Misfit::NoKernel);
        }
        let Self { features, activation } = self;
        let (values, unit, rows, value_max) = worth(features)?;
        let w = quant(on.x())?;
        let bias = real_bias(on.inputs.get(1))?;
        let nonzeros = features.offsets().windows(2).map(|ends| i64::from(ends[1] - ends[0]));
        let units = Units {
            rows,
            channels: w.scales.iter().map(|&scale| unit * f64::from(scale)).collect(),
            bias: &bias,
            largest: nonzeros.map(|entries| entries * 128 * value_max).collect(),
        };
        Ok(Lowered::Nodes(Nodes::SparseDense {
            features: Pattern::new(features.offsets(), features.columns(), features.width()),
            values,
            w: int8(on.x())?.to_vec(),
            channels: on.x().shape[1],
            scale: row_scale(on, *activation, units)?,
        }))
    }

    fn evaluate(&self, on: &Operands<'_>, computed: &Computed<'_>) -> Result<Value, Misfit> {
        if on.output.quant.is_some() {
            return self.lower(on)?.evaluate(on, computed);
        }
        let mut y = vec![0.0; on.output.element_count()];
        propagate::sparse_dense(&self.features.csr(), Some(&self.features.values()), on.floats(0, computed)?, &mut y)?;
        if on.inputs.len() > 1 {
            let bias = on.floats(1, computed)?;
            y.iter_mut().zip(bias.iter().cycle()).for_each(|(y, bias)| *y += bias);
        }
        let clamp = clamp_f32(self.activation);
        y.iter_mut().for_each(|y| *y = clamp.apply(*y));
        Ok(Value::F32(y))
    }

    fn train(&self, _: &Operands<'_>) -> Result<Training, Misfit> {
        let Self { features, activation } = self.clone();
        Ok(Training::SparseDense { features, activation })
    }

    answers!(mixes_channels, no_identity, no_factor, fused_activation, no_window, no_counts);
}

example!(SparseDense = SparseDense { features: features(), activation: RELU }, [parameter(&[3, 4]), parameter(&[4])]);

/// The quantised values of features, the real value of one, real factors of the rows, and the largest quantised value.
type Quantised = (Vec<i8>, f64, Option<Vec<f64>>, i64);

fn worth(features: &Features) -> Result<Quantised, Misfit> {
    match features.worth() {
        Worth::Ones => Ok((Vec::new(), 1.0, None, 1)),
        Worth::Rows(rows) if rows.iter().all(|&row| row >= 0.0) => {
            Ok((Vec::new(), 1.0, Some(rows.iter().map(|&row| row.into()).collect()), 1))
        }
        Worth::Rows(_) => Err(Misfit::NegativeFeatures),
        Worth::Each(values) => {
            let peak = values.iter().fold(f32::MIN_POSITIVE, |peak, value| peak.max(value.abs()));
            let scale = peak / 127.0;
            Ok((values.iter().map(|&value| quantize_i8(value, scale, 0)).collect(), scale.into(), None, 128))
        }
    }
}
