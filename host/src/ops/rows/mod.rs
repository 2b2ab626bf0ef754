//! int8 operators over node sets, row by row: indices as narrow as they fit, and every factor an integer.
//!
//! A tensor that a GCN propagation reads is quantised by node: node `j` has scale `s / g_j` with `g_j = d_j^-1/2`. So its
//! quantised values are those of `g_j x_j`, and the propagation only adds them. Who writes the tensor scales each row by
//! that factor.

mod constants;
mod forms;

pub use constants::{Counts, Indices, Pattern, Scale};
pub use forms::Nodes;

use super::lowered::clamp_codes;
use super::{Activation, Computed, Data, Misfit, Operands, Quant, Tensor, Value};
use niwaki_core::format::DType;
use niwaki_core::graph::{Csr, propagate};
use niwaki_core::kernels::nodes::{MAX_SUM, RowOperator, keep_edges};
use niwaki_core::kernels::{KeptEdges, Propagate, Weighted, reference};
use niwaki_core::num::{Multiplier, round_away};

/// `d^-1/2` of every node, as GCN counts degrees.
pub fn gcn_factors(graph: &Csr<'_, u32, u32>) -> Vec<f64> {
    let mut factors = vec![0.0; graph.row_count()];
    propagate::gcn_factors(graph, &mut factors).expect("as many factors as nodes");
    factors
}

/// The real value of a unit of a sum, by row and by channel.
pub(super) struct Units<'a> {
    /// What each row is multiplied by in reals; none where that is 1.
    pub(super) rows: Option<Vec<f64>>,
    /// Real value of 1 in each channel's sum.
    pub(super) channels: Vec<f64>,
    /// Real bias of each channel; none at all is 0.
    pub(super) bias: &'a [f32],
    /// The largest sum of each row; the last goes for all that follow.
    pub(super) largest: Vec<i64>,
}

/// How a tensor is quantised.
pub(super) fn quant(tensor: &Tensor) -> Result<&Quant, Misfit> {
    tensor.quant.as_ref().ok_or_else(|| Misfit::NotQuantised { tensor: tensor.name.clone() })
}

/// The quantisation of an activation that has one scale.
pub(super) fn whole_quant(tensor: &Tensor) -> Result<&Quant, Misfit> {
    let quant = quant(tensor)?;
    if quant.axis.is_none() { Ok(quant) } else { Err(Misfit::ByNode { tensor: tensor.name.clone() }) }
}

/// The int8 values of weights.
pub(super) fn int8(weights: &Tensor) -> Result<&[i8], Misfit> {
    match &weights.data {
        Some(Data::I8(values)) => Ok(values),
        _ => Err(Misfit::WeightType { tensor: weights.name.clone() }),
    }
}

/// A bias in reals; empty where there is none.
pub(super) fn real_bias(bias: Option<&&Tensor>) -> Result<Vec<f32>, Misfit> {
    let Some(tensor) = bias else { return Ok(Vec::new()) };
    match (&tensor.data, &tensor.quant) {
        (Some(Data::F32(bias)), _) => Ok(bias.clone()),
        (Some(Data::I32(bias)), Some(quant)) => {
            Ok(bias.iter().zip(&quant.scales).map(|(&bias, &scale)| bias as f32 * scale).collect())
        }
        _ => Err(Misfit::BiasType { tensor: tensor.name.clone() }),
    }
}

/// A layer of each node: a convolution of one tap over the nodes of a graph; `None` for every other convolution.
pub(super) fn node_dense(on: &Operands<'_>, activation: Activation) -> Result<Option<Nodes>, Misfit> {
    let (x, w) = (on.x(), on.inputs[1]);
    let (&[rows, 1, _], &[channels, 1, 1, inputs]) = (&*x.shape, &*w.shape) else { return Ok(None) };
    if !on.over_nodes || x.element != DType::I8 || x.quant.is_none() || on.output.quant.is_none() {
        return Ok(None);
    }
    let (x, w_quant, by_output) = (whole_quant(x)?, quant(w)?, int8(w)?);
    let bias = real_bias(on.inputs.get(2))?;
    let units = Units {
        rows: None,
        channels: w_quant.scales.iter().map(|&scale| f64::from(x.scales[0]) * f64::from(scale)).collect(),
        bias: &bias,
        largest: vec![inputs as i64 * 255 * 128],
    };
    Ok(Some(Nodes::NodeDense {
        rows,
        inputs,
        w: (0..inputs * channels).map(|at| by_output[at % channels * inputs + at / channels]).collect(),
        channels,
        input_zero_point: x.zero_point,
        scale: row_scale(on, activation, units)?,
    }))
}

/// The integers that turn sums of these units into the quantised values of the output.
pub(super) fn row_scale(on: &Operands<'_>, activation: Activation, units: Units<'_>) -> Result<Scale, Misfit> {
    let y = quant(on.output)?;
    let by_node = y.axis == Some(0);
    if by_node && units.bias.iter().any(|&bias| bias != 0.0) {
        return Err(Misfit::BiasBeforePropagation);
    }
    // The scale of the first row stands for all; the factors have the rest.
    let base = f64::from(y.scales[0]);
    let mut rows = units.rows;
    if by_node {
        let of_output: Vec<f64> = y.scales.iter().map(|&scale| base / f64::from(scale)).collect();
        rows = Some(match rows {
            Some(rows) => rows.iter().zip(&of_output).map(|(a, b)| a * b).collect(),
            None => of_output,
        });
    }
    let (factors, unit) = rows.map_or((Vec::new(), 1.0), |rows| q15(&rows, &units.largest));
    let multiplier = |&channel: &f64| Multiplier::from_real(unit * channel / base, on.rounding);
    let bias = |(c, channel): (usize, &f64)| {
        let bias = units.bias.get(c).map_or(0.0, |&bias| f64::from(bias) / (unit * channel));
        round_away(bias.clamp(-PART_MAX, PART_MAX)) as i32
    };
    let multipliers = || units.channels.iter().map(multiplier);
    Ok(Scale {
        factors,
        bias: units.channels.iter().enumerate().map(bias).collect(),
        multipliers_q31: multipliers().map(|m| m.mantissa_q31).collect(),
        shifts: multipliers().map(|m| m.shift).collect(),
        output_zero_point: y.zero_point,
        clamp: clamp_codes::<i8>(activation, y),
        rounding: on.rounding,
    })
}

/// Largest magnitude of a bias, and of a sum without it: they must fit together.
pub(super) const PART_MAX: f64 = (MAX_SUM / 4) as f64;

/// Factors in 16 bits, as large as they may be for sums of these sizes, and the real value of one unit.
fn q15(rows: &[f64], largest: &[i64]) -> (Vec<u16>, f64) {
    let sums = largest.iter().chain(std::iter::repeat(largest.last().unwrap_or(&0)));
    let unit_of = |(&factor, &sum): (&f64, &i64)| (factor / 65535.0).max(factor * sum as f64 / PART_MAX);
    let unit = rows.iter().zip(sums).map(unit_of).fold(0.0, f64::max);
    if unit == 0.0 {
        return (vec![0; rows.len()], 1.0);
    }
    (rows.iter().map(|&factor| round_away(factor / unit).min(65535.0) as u16).collect(), unit)
}

/// What an int8 operator makes of `x` and, for some, of other operands.
pub(super) fn evaluate(op: &Nodes, on: &Operands<'_>, computed: &Computed<'_>, x: &Value) -> Result<Value, Misfit> {
    let mut y = vec![0; on.output.element_count()];
    if let (Nodes::KeepEdges { ranks }, Value::I32(drop)) = (op, x) {
        keep_edges(ranks.ranks(), drop.first().copied().unwrap_or(0), &mut y)?;
        return Ok(Value::I8(y));
    }
    let Value::I8(x) = x else { return Err(Misfit::OperandType { operand: 0, dtype: "int8" }) };
    let bits = op.kept().map(|at| on.value(at, computed).map(|bits| (at, bits))).transpose()?;
    let kept = match &bits {
        None => KeptEdges::ALL,
        Some((operand, bits)) => match &**bits {
            Value::I8(bits) => KeptEdges::of(bits),
            _ => return Err(Misfit::OperandType { operand: *operand, dtype: "bits" }),
        },
    };
    match op.view() {
        Some(RowOperator::Propagate(op)) => reference::propagate_int8(&Propagate { kept, ..op }, x, &mut y)?,
        Some(RowOperator::Weighted(op)) => reference::weighted_int8(&Weighted { kept, ..op }, x, &mut y)?,
        Some(RowOperator::SparseDense(op, w)) => reference::sparse_dense_int8(&op, &w, &mut y)?,
        Some(RowOperator::NodeDense(op, w)) => reference::node_dense_int8(&op, x, &w, &mut y)?,
        Some(RowOperator::Stored { .. }) | None => {
            let numbers = on.value(1, computed)?;
            let Value::I32(numbers) = &*numbers else {
                return Err(Misfit::OperandType { operand: 1, dtype: "int32" });
            };
            let channels = y.len() / numbers.len().max(1);
            let last = x.len() / channels.max(1) - 1;
            let row = |&number: &i32| usize::try_from(number).unwrap_or(0).min(last) * channels;
            y = numbers.iter().map(row).flat_map(|at| x[at..at + channels].to_vec()).collect();
        }
    }
    Ok(Value::I8(y))
}
