//! From operators over node sets to what core runs for them in int8: indices as narrow as they fit, and every factor an integer.
//!
//! A tensor that a GCN propagation reads is quantised by node: node `j` has scale `s / g_j` with `g_j = d_j^-1/2`. So its
//! codes are those of `g_j x_j`, and the propagation only adds codes. Who writes the tensor scales each row by that factor.

mod forms;

pub use forms::{Counts, Indices, Nodes, Pattern, Scale};

use super::clamp_codes;
use crate::graph::{Activation, Adjacency, Data, Features, Graph, Node, Op, Propagation, Quant, TensorId, Worth};
use crate::ops;
use niwaki_core::format::DType;
use niwaki_core::graph::{Csr, propagate};
use niwaki_core::kernels::Gathering;
use niwaki_core::kernels::nodes::{MAX_SUM, Slope};
use niwaki_core::num::{Multiplier, Rounding, quantize_i8, round_away};

/// `d^-1/2` of every node, as GCN counts degrees.
pub fn gcn_factors(graph: &Csr<'_, u32, u32>) -> Vec<f64> {
    let mut factors = vec![0.0; graph.row_count()];
    propagate::gcn_factors(graph, &mut factors).expect("as many factors as nodes");
    factors
}

/// The real value of a unit of a sum, by row and by channel.
struct Units<'a> {
    /// What each row is multiplied by in reals; none where that is 1.
    rows: Option<Vec<f64>>,
    /// Real value of 1 in each channel's sum.
    channels: Vec<f64>,
    /// Real bias of each channel; none at all is 0.
    bias: &'a [f32],
    /// The largest sum of each row; the last goes for all that follow.
    largest: Vec<i64>,
}

impl Graph {
    /// Whether a convolution is a layer of each node: one tap, over the nodes of a graph.
    fn is_node_layer(&self, node: &Node) -> bool {
        let over_nodes = |node: &Node| matches!(node.op, Op::Propagate(_) | Op::SparseDense(_));
        let (x, w) = (&self[node.inputs[0]], &self[node.inputs[1]]);
        let one_tap = matches!((&*x.shape, &*w.shape), ([_, 1, _], [_, 1, 1, _]));
        one_tap && x.element == DType::I8 && x.quant.is_some() && self.nodes.iter().any(over_nodes)
    }

    /// What core runs for an int8 operator over node sets; `None` for every other operator.
    pub(super) fn lower_nodes(&self, node: &Node) -> Result<Option<Nodes>, String> {
        if self[node.output].quant.is_none() {
            return Ok(None);
        }
        let codes = |id: TensorId| match &self[id].data {
            Some(Data::I8(codes)) => Ok(codes.clone()),
            _ => Err(format!("weights `{}` are not int8", self[id].name)),
        };
        match &node.op {
            Op::SparseDense(ops::SparseDense { features, activation }) => {
                let (values, unit, rows, value_max) = worth(features)?;
                let w = self.quant(node.inputs[0])?;
                let bias = self.real_bias(node, 1)?;
                let nonzeros = features.offsets().windows(2).map(|ends| i64::from(ends[1] - ends[0]));
                let units = Units {
                    rows,
                    channels: w.scales.iter().map(|&scale| unit * f64::from(scale)).collect(),
                    bias: &bias,
                    largest: nonzeros.map(|entries| entries * 128 * value_max).collect(),
                };
                Ok(Some(Nodes::SparseDense {
                    features: Pattern::new(features.offsets(), features.columns(), features.width()),
                    values,
                    w: codes(node.inputs[0])?,
                    channels: self[node.inputs[0]].shape[1],
                    scale: self.row_scale(node, *activation, units)?,
                }))
            }
            Op::Propagate(_) => self.lower_propagate(node).map(Some),
            Op::Conv2d(ops::Conv2d { activation, .. }) if self.is_node_layer(node) => {
                let (x, w) = (self.whole_quant(node.inputs[0])?, self.quant(node.inputs[1])?);
                let &[channels, .., inputs] = &*self[node.inputs[1]].shape else { return Ok(None) };
                let by_output = codes(node.inputs[1])?;
                let bias = self.real_bias(node, 2)?;
                let units = Units {
                    rows: None,
                    channels: w.scales.iter().map(|&scale| f64::from(x.scales[0]) * f64::from(scale)).collect(),
                    bias: &bias,
                    largest: vec![inputs as i64 * 255 * 128],
                };
                Ok(Some(Nodes::NodeDense {
                    rows: self[node.inputs[0]].shape[0],
                    inputs,
                    w: (0..inputs * channels).map(|at| by_output[at % channels * inputs + at / channels]).collect(),
                    channels,
                    input_zero_point: x.zero_point,
                    scale: self.row_scale(node, *activation, units)?,
                }))
            }
            Op::Gather(_) => Ok(Some(Nodes::Gather)),
            Op::KeepEdges(ops::KeepEdges { ranks }) => Ok(Some(Nodes::KeepEdges { ranks: Indices::of_ranks(ranks) })),
            _ => Ok(None),
        }
    }

    fn lower_propagate(&self, node: &Node) -> Result<Nodes, String> {
        let Op::Propagate(ops::Propagate { adjacency, rule, activation }) = &node.op else {
            return Err("propagates nothing".into());
        };
        let kept = node.inputs.get(rule.operands()).map(|_| rule.operands());
        if matches!((rule, kept), (Propagation::Attention { .. }, _) | (Propagation::Gcn, Some(_))) {
            return self.lower_weighted(node, adjacency, *rule, *activation, kept);
        }
        let x = self.quant(node.inputs[0])?;
        let channels = self[node.inputs[0]].element_count() / adjacency.nodes();
        let (offsets, neighbours) = (adjacency.offsets(), adjacency.neighbours());
        let mut graph = Pattern::new(offsets, neighbours, adjacency.nodes());
        let mut rows = None;
        let (gathering, unit) = match rule {
            Propagation::Gcn => {
                let factors = gcn_factors(&adjacency.csr());
                let unit = unit_by_node(x, &factors)?;
                // The node itself counts once, whether or not the graph says so.
                let others = adjacency.without_self_loops();
                graph = Pattern::new(others.offsets(), others.neighbours(), adjacency.nodes());
                rows = Some(factors);
                (Gathering::Sum { own_weight: 1, fraction_bits: 0 }, unit)
            }
            Propagation::Mean => (Gathering::Mean, f64::from(self.whole_quant(node.inputs[0])?.scales[0]) / 256.0),
            Propagation::Sum => {
                let scale = f64::from(self.whole_quant(node.inputs[0])?.scales[0]);
                let eps = self[node.inputs[1]].f32s().and_then(|eps| eps.first()).ok_or("eps is not f32")?;
                let degree = offsets.windows(2).map(|ends| (ends[1] - ends[0]) as usize).max().unwrap_or(0);
                own_weight(1.0 + f64::from(*eps), degree, scale)?
            }
            Propagation::Attention { .. } => return Err("attention is a weighted sum".into()),
        };
        let degrees = graph.view();
        let largest = (0..adjacency.nodes()).map(|row| gathering.largest(degrees.row(row).len())).collect();
        let units = Units { rows, channels: vec![unit; channels], bias: &[], largest };
        Ok(Nodes::Propagate {
            symmetric: adjacency.is_symmetric(),
            channels,
            gathering,
            input_zero_point: x.zero_point,
            scale: self.row_scale(node, *activation, units)?,
            graph,
            kept,
        })
    }

    /// GAT, and GCN where it is not known before it runs which edges count.
    fn lower_weighted(
        &self,
        node: &Node,
        adjacency: &Adjacency,
        rule: Propagation,
        activation: Activation,
        kept: Option<usize>,
    ) -> Result<Nodes, String> {
        let x = self.whole_quant(node.inputs[0])?;
        let scale = f64::from(x.scales[0]);
        let channels = self[node.inputs[0]].element_count() / adjacency.nodes();
        let others = adjacency.without_self_loops();
        if kept.is_some() && others.edges() != adjacency.edges() {
            return Err("the edges that count must not be self loops, which the rule adds".into());
        }
        let longest = others.offsets().windows(2).map(|ends| ends[1] - ends[0]).max().unwrap_or(0);
        let (counts, unit) = match rule {
            Propagation::Attention { heads, slope } => {
                let vector = |index: usize| {
                    let id = node.inputs[index];
                    self[id].f32s().ok_or_else(|| format!("vector `{}` is not f32", self[id].name))
                };
                (attention([vector(1)?, vector(2)?], heads, slope, scale), scale / f64::from(1 << 22))
            }
            _ => {
                let (factors, unit) = factors_by_degree(longest);
                (Counts::ByDegree(factors), scale * unit)
            }
        };
        let units = Units { rows: None, channels: vec![unit; channels], bias: &[], largest: Vec::new() };
        Ok(Nodes::Weighted {
            graph: Pattern::new(others.offsets(), others.neighbours(), others.nodes()),
            symmetric: others.is_symmetric(),
            channels,
            counts,
            input_zero_point: x.zero_point,
            scale: self.row_scale(node, activation, units)?,
            kept,
        })
    }

    fn quant(&self, id: TensorId) -> Result<&Quant, String> {
        let tensor = &self[id];
        tensor.quant.as_ref().ok_or_else(|| format!("`{}` is not quantised", tensor.name))
    }

    /// The quantisation of an activation that has one scale.
    fn whole_quant(&self, id: TensorId) -> Result<&Quant, String> {
        let quant = self.quant(id)?;
        if quant.axis.is_none() { Ok(quant) } else { Err(format!("`{}` is quantised by node", self[id].name)) }
    }

    /// The bias at operand `index` in reals; empty where there is none.
    fn real_bias(&self, node: &Node, index: usize) -> Result<Vec<f32>, String> {
        let Some(&id) = node.inputs.get(index) else { return Ok(Vec::new()) };
        match (&self[id].data, &self[id].quant) {
            (Some(Data::F32(bias)), _) => Ok(bias.clone()),
            (Some(Data::I32(bias)), Some(quant)) => {
                Ok(bias.iter().zip(&quant.scales).map(|(&bias, &scale)| bias as f32 * scale).collect())
            }
            _ => Err(format!("bias `{}` is neither f32 nor int32", self[id].name)),
        }
    }

    /// The integers that turn sums of these units into the codes of the node's output.
    fn row_scale(&self, node: &Node, activation: Activation, units: Units<'_>) -> Result<Scale, String> {
        let y = self.quant(node.output)?;
        let by_node = y.axis == Some(0);
        if by_node && units.bias.iter().any(|&bias| bias != 0.0) {
            return Err("a GCN propagation follows, so its bias has to follow that".into());
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
        let multiplier = |&channel: &f64| Multiplier::from_real(unit * channel / base, self.rounding);
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
            rounding: self.rounding,
        })
    }
}

/// Largest magnitude of a bias, and of a sum without it: they must fit together.
const PART_MAX: f64 = (MAX_SUM / 4) as f64;

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

/// Factors in proportion to `(d + 1)^-1/2` for `d` up to `longest`, as large as sums of that many codes allow, and the real
/// value of one unit of the product of two of them.
fn factors_by_degree(longest: u32) -> (Vec<u16>, f64) {
    let fits = 65536.0 * PART_MAX / (255.0 * (f64::from(longest) + 1.0).sqrt());
    let largest = fits.sqrt().min(65535.0);
    let factor = |degree: u32| round_away(largest / (f64::from(degree) + 1.0).sqrt()) as u16;
    ((0..=longest).map(factor).collect(), 65536.0 / (largest * largest))
}

/// Both vectors of each head in codes of one scale, and the multipliers that make scores in core's units of their products
/// with codes of scale `x`.
fn attention(vectors: [&[f32]; 2], heads: usize, slope: f32, x: f64) -> Counts {
    let part = vectors[0].len() / heads;
    let peak = |head: usize| {
        let of_head = vectors.iter().flat_map(|vector| &vector[head * part..][..part]);
        of_head.fold(f32::MIN_POSITIVE, |peak, value| peak.max(value.abs()))
    };
    let scales: Vec<f32> = (0..heads).map(|head| peak(head) / 127.0).collect();
    let codes = |vector: &[f32]| -> Vec<i8> {
        vector.iter().enumerate().map(|(c, &value)| quantize_i8(value, scales[c / part], 0)).collect()
    };
    // exp_i16 has 6553.5 steps for 1.
    let multiplier = |scale: &f32, slope: f32| {
        let real = f64::from(*scale) * x * 6553.5 * f64::from(slope);
        Multiplier::from_real(real.max(Slope::MIN), Rounding::Double)
    };
    let of = |slope: f32| scales.iter().map(move |scale| multiplier(scale, slope)).collect::<Vec<_>>();
    let slopes = [of(1.0), of(slope)].into_iter().flat_map(|of_heads| {
        let shifts: Vec<i32> = of_heads.iter().map(|m| m.shift).collect();
        of_heads.into_iter().map(|m| m.mantissa_q31).chain(shifts)
    });
    Counts::Attention { vectors: vectors.map(codes).concat(), slopes: slopes.collect() }
}

/// The real value of a code of `g_j x_j` where the tensor of `x` is quantised by node.
fn unit_by_node(x: &Quant, factors: &[f64]) -> Result<f64, String> {
    let by_node = "the input of a GCN propagation must be quantised by node";
    if x.axis != Some(0) || x.scales.len() != factors.len() {
        return Err(by_node.into());
    }
    let unit = f64::from(x.scales[0]) * factors[0];
    let same = |(&scale, &factor): (&f32, &f64)| (f64::from(scale) * factor / unit - 1.0).abs() < 1e-5;
    if x.scales.iter().zip(factors).all(same) { Ok(unit) } else { Err(by_node.into()) }
}

/// The weight of a node's own row with as many fraction bits as sums over `degree` neighbours leave room for.
fn own_weight(weight: f64, degree: usize, scale: f64) -> Result<(Gathering, f64), String> {
    let of = |fraction_bits: u32| {
        let own_weight = round_away(weight * f64::from(1_u32 << fraction_bits)).clamp(-1e9, 1e9) as i32;
        (Gathering::Sum { own_weight, fraction_bits }, scale / f64::from(1_u32 << fraction_bits))
    };
    let fits = |(gathering, _): &(Gathering, f64)| gathering.largest(degree) <= MAX_SUM / 2;
    (0..=12).rev().map(of).find(fits).ok_or_else(|| format!("sums over {degree} neighbours do not fit into 32 bits"))
}

/// The codes of features, the real value of one, real factors of the rows, and the largest code.
type Codes = (Vec<i8>, f64, Option<Vec<f64>>, i64);

fn worth(features: &Features) -> Result<Codes, String> {
    match features.worth() {
        Worth::Ones => Ok((Vec::new(), 1.0, None, 1)),
        Worth::Rows(rows) if rows.iter().all(|&row| row >= 0.0) => {
            Ok((Vec::new(), 1.0, Some(rows.iter().map(|&row| row.into()).collect()), 1))
        }
        Worth::Rows(_) => Err("a row of the features has a negative value".into()),
        Worth::Each(values) => {
            let peak = values.iter().fold(f32::MIN_POSITIVE, |peak, value| peak.max(value.abs()));
            let scale = peak / 127.0;
            Ok((values.iter().map(|&value| quantize_i8(value, scale, 0)).collect(), scale.into(), None, 128))
        }
    }
}
