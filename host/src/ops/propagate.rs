//! Neighbours brought together over the edges of a graph, and the choice of edges.

use super::lowered::{Lowered, clamp_f32};
use super::rows::{Counts, Indices, Nodes, PART_MAX, Pattern, Units, gcn_factors, quant, row_scale, whole_quant};
use super::training::Training;
use super::{
    Activation, Adjacency, Computed, Misfit, Operands, Operator, Propagation, Quant, Rules, Value, Zero, answers,
    arity, example, vector,
};
use niwaki_core::graph::propagate::{self, AttentionVectors};
use niwaki_core::kernels::nodes::{MAX_SUM, Slope};
use niwaki_core::kernels::{Gathering, KeptEdges};
use niwaki_core::num::{Multiplier, Rounding, quantize_i8, round_away};
use std::borrow::Cow;
use std::sync::Arc;

/// Inputs `x: [N, .., C]`, then for [`Propagation::Sum`] `eps: [1]`, for [`Propagation::Attention`] `source: [C]` and
/// `target: [C]`, then optionally the output of a [`KeepEdges`]; output of the same shape. Row `i` is made of the
/// rows of node `i`'s neighbours, of those whose edges count.
#[derive(Debug, Clone, PartialEq)]
pub struct Propagate {
    /// The graph of `N` nodes.
    pub adjacency: Arc<Adjacency>,
    /// How they come together.
    pub rule: Propagation,
    /// Fused clamp.
    pub activation: Activation,
}

/// Input `drop: [1]`, i32; output one bit an edge, int8 `[E / 8]` rounded up: set where the rank of the edge is not below
/// `drop`. Ranks of [`niwaki_core::teddy::NEVER`] stay whatever happens.
#[derive(Debug, Clone, PartialEq)]
pub struct KeepEdges {
    /// One an edge of the graph that the bits are for.
    pub ranks: Arc<Vec<u32>>,
}

impl Operator for Propagate {
    fn name(&self) -> &'static str {
        "propagate"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        let (adjacency, operands) = (&self.adjacency, self.rule.operands());
        // The edges that count may follow.
        arity(inputs, operands..=operands + 1)?;
        vector(inputs, "the bits of the edges that count", operands, KeptEdges::bytes(adjacency.edges()))?;
        let (x, nodes) = (inputs[0], adjacency.nodes());
        if x.len() < 2 || x[0] != nodes {
            return Err(Misfit::Rows { nodes });
        }
        let channels: usize = x[1..].iter().product();
        match self.rule {
            Propagation::Gcn | Propagation::Mean => {}
            Propagation::Sum => vector(inputs, "eps", 1, 1)?,
            Propagation::Attention { heads, .. } => {
                if heads == 0 || !channels.is_multiple_of(heads) {
                    return Err(Misfit::Heads { heads, channels });
                }
                vector(inputs, "source", 1, channels)?;
                vector(inputs, "target", 2, channels)?;
            }
        }
        Ok(x.to_vec())
    }

    fn macs(&self, on: &Operands<'_>) -> usize {
        self.adjacency.edges() * (on.x().element_count() / self.adjacency.nodes())
    }

    fn rules(&self) -> Rules {
        Rules { over_nodes: true, scales_rows: true, ..Rules::computed() }
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        if on.output.quant.is_none() {
            return Err(Misfit::NoKernel);
        }
        let kept = on.inputs.get(self.rule.operands()).map(|_| self.rule.operands());
        if matches!((self.rule, kept), (Propagation::Attention { .. }, _) | (Propagation::Gcn, Some(_))) {
            return self.lower_weighted(on, kept).map(Lowered::Nodes);
        }
        let x = quant(on.x())?;
        let adjacency = &*self.adjacency;
        let channels = on.x().element_count() / adjacency.nodes();
        let offsets = adjacency.offsets();
        let mut graph = Pattern::new(offsets, adjacency.neighbours(), adjacency.nodes());
        let mut rows = None;
        let (gathering, unit) = match self.rule {
            Propagation::Sum => {
                let scale = f64::from(whole_quant(on.x())?.scales[0]);
                let eps = on.inputs[1];
                let wrong = || Misfit::NotFloat { tensor: eps.name.clone() };
                let eps = eps.f32s().and_then(|eps| eps.first()).ok_or_else(wrong)?;
                let degree = offsets.windows(2).map(|ends| (ends[1] - ends[0]) as usize).max().unwrap_or(0);
                own_weight(1.0 + f64::from(*eps), degree, scale)?
            }
            Propagation::Mean => (Gathering::Mean, f64::from(whole_quant(on.x())?.scales[0]) / 256.0),
            // Attention is a weighted sum.
            Propagation::Gcn | Propagation::Attention { .. } => {
                let factors = gcn_factors(&adjacency.csr());
                let unit = unit_by_node(x, &factors)?;
                // The node itself counts once, whether or not the graph says so.
                let others = adjacency.without_self_loops();
                graph = Pattern::new(others.offsets(), others.neighbours(), adjacency.nodes());
                rows = Some(factors);
                (Gathering::Sum { own_weight: 1, fraction_bits: 0 }, unit)
            }
        };
        let degrees = graph.view();
        let largest = (0..adjacency.nodes()).map(|row| gathering.largest(degrees.row(row).len())).collect();
        let units = Units { rows, channels: vec![unit; channels], bias: &[], largest };
        Ok(Lowered::Nodes(Nodes::Propagate {
            symmetric: adjacency.is_symmetric(),
            channels,
            gathering,
            input_zero_point: x.zero_point,
            scale: row_scale(on, self.activation, units)?,
            graph,
            kept,
        }))
    }

    fn evaluate(&self, on: &Operands<'_>, computed: &Computed<'_>) -> Result<Value, Misfit> {
        if on.output.quant.is_some() {
            return self.lower(on)?.evaluate(on, computed);
        }
        let mut y = vec![0.0; on.output.element_count()];
        let adjacency = &*self.adjacency;
        let bits = self.rule.operands();
        let left = match computed.get(bits) {
            None => Cow::Borrowed(adjacency),
            Some(Some(Value::I8(bits))) => {
                let kept = KeptEdges::of(bits);
                Cow::Owned(adjacency.filtered(&(0..adjacency.edges()).map(|e| kept.has(e)).collect::<Vec<_>>()))
            }
            Some(_) => return Err(Misfit::OperandType { operand: bits, dtype: "bits" }),
        };
        let (graph, x) = (left.csr(), on.floats(0, computed)?);
        match self.rule {
            Propagation::Gcn => {
                let mut factors = vec![0.0; adjacency.nodes()];
                propagate::gcn_factors(&graph, &mut factors)?;
                propagate::gcn(&graph, &factors, x, &mut y)?;
            }
            Propagation::Sum => propagate::sum(&graph, on.floats(1, computed)?[0], x, &mut y)?,
            Propagation::Mean => propagate::mean(&graph, x, &mut y)?,
            Propagation::Attention { heads, slope } => {
                let (source, target) = (on.floats(1, computed)?, on.floats(2, computed)?);
                propagate::attention(&graph, &AttentionVectors { heads, slope, source, target }, x, &mut y)?;
            }
        }
        let clamp = clamp_f32(self.activation);
        y.iter_mut().for_each(|y| *y = clamp.apply(*y));
        Ok(Value::F32(y))
    }

    fn train(&self, on: &Operands<'_>) -> Result<Training, Misfit> {
        if on.inputs.len() > self.rule.operands() {
            return Err(Misfit::TrainedEdges);
        }
        let Self { adjacency, rule, activation } = self.clone();
        Ok(Training::Propagate { adjacency, rule, activation })
    }

    answers!(mixes_channels, no_identity, no_factor, fused_activation, no_window, no_counts);
}

example!(
    Propagate = Propagate { adjacency: adjacency(), rule: Propagation::Mean, activation: RELU },
    [value(&[NODES, 1, 4])]
);

impl Propagate {
    /// GAT, and GCN where it is not known before it runs which edges count.
    fn lower_weighted(&self, on: &Operands<'_>, kept: Option<usize>) -> Result<Nodes, Misfit> {
        let x = whole_quant(on.x())?;
        let scale = f64::from(x.scales[0]);
        let channels = on.x().element_count() / self.adjacency.nodes();
        let others = self.adjacency.without_self_loops();
        if kept.is_some() && others.edges() != self.adjacency.edges() {
            return Err(Misfit::SelfLoops);
        }
        let longest = others.offsets().windows(2).map(|ends| ends[1] - ends[0]).max().unwrap_or(0);
        let (counts, unit) = match self.rule {
            Propagation::Attention { heads, slope } => {
                let vector = |i: usize| {
                    let tensor = on.inputs[i];
                    tensor.f32s().ok_or_else(|| Misfit::NotFloat { tensor: tensor.name.clone() })
                };
                (attention([vector(1)?, vector(2)?], heads, slope, scale), scale / f64::from(1 << 22))
            }
            Propagation::Gcn | Propagation::Sum | Propagation::Mean => {
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
            scale: row_scale(on, self.activation, units)?,
            kept,
        })
    }
}

impl Operator for KeepEdges {
    fn name(&self) -> &'static str {
        "keep_edges"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        arity(inputs, 1..=1)?;
        vector(inputs, "drop", 0, 1)?;
        Ok(vec![KeptEdges::bytes(self.ranks.len())])
    }

    fn rules(&self) -> Rules {
        Rules { zero: Zero::Never, ..Rules::computed() }
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        if on.output.quant.is_none() {
            return Err(Misfit::NoKernel);
        }
        Ok(Lowered::Nodes(Nodes::KeepEdges { ranks: Indices::of_ranks(&self.ranks) }))
    }

    answers!(no_macs, mixes_channels, no_identity, no_factor, no_activation, no_window, no_counts, untrained);
    answers!(evaluated_as_lowered);
}

example!(KeepEdges = KeepEdges { ranks: Arc::new((0..12).collect()) }, [numbers(&[5])]);

/// Factors in proportion to `(d + 1)^-1/2` for `d` up to `longest`, as large as sums of that many values allow, and the
/// real value of one unit of the product of two of them.
fn factors_by_degree(longest: u32) -> (Vec<u16>, f64) {
    let fits = 65536.0 * PART_MAX / (255.0 * (f64::from(longest) + 1.0).sqrt());
    let largest = fits.sqrt().min(65535.0);
    let factor = |degree: u32| round_away(largest / (f64::from(degree) + 1.0).sqrt()) as u16;
    ((0..=longest).map(factor).collect(), 65536.0 / (largest * largest))
}

/// Both vectors of each head in int8 of one scale, and the multipliers that make scores in core's units of their products
/// with quantised values of scale `x`.
fn attention(vectors: [&[f32]; 2], heads: usize, slope: f32, x: f64) -> Counts {
    let part = vectors[0].len() / heads;
    let peak = |head: usize| {
        let of_head = vectors.iter().flat_map(|vector| &vector[head * part..][..part]);
        of_head.fold(f32::MIN_POSITIVE, |peak, value| peak.max(value.abs()))
    };
    let scales: Vec<f32> = (0..heads).map(|head| peak(head) / 127.0).collect();
    let quantised = |vector: &[f32]| -> Vec<i8> {
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
    Counts::Attention { vectors: vectors.map(quantised).concat(), slopes: slopes.collect() }
}

/// The real value of a step of `g_j x_j` where the tensor of `x` is quantised by node.
fn unit_by_node(x: &Quant, factors: &[f64]) -> Result<f64, Misfit> {
    if x.axis != Some(0) || x.scales.len() != factors.len() {
        return Err(Misfit::NotByNode);
    }
    let unit = f64::from(x.scales[0]) * factors[0];
    let same = |(&scale, &factor): (&f32, &f64)| (f64::from(scale) * factor / unit - 1.0).abs() < 1e-5;
    if x.scales.iter().zip(factors).all(same) { Ok(unit) } else { Err(Misfit::NotByNode) }
}

/// The weight of a node's own row with as many fraction bits as sums over `degree` neighbours leave room for.
fn own_weight(weight: f64, degree: usize, scale: f64) -> Result<(Gathering, f64), Misfit> {
    let of = |fraction_bits: u32| {
        let own_weight = round_away(weight * f64::from(1_u32 << fraction_bits)).clamp(-1e9, 1e9) as i32;
        (Gathering::Sum { own_weight, fraction_bits }, scale / f64::from(1_u32 << fraction_bits))
    };
    let fits = |(gathering, _): &(Gathering, f64)| gathering.largest(degree) <= MAX_SUM / 2;
    (0..=12).rev().map(of).find(fits).ok_or(Misfit::LargeSums { degree })
}
