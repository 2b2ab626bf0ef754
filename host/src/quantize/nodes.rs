//! Operators over node sets in int8: what a GCN propagation reads is quantised by node.

use super::{activation_quant, calibrate::range_of, quantize_weights};
use crate::graph::lower::nodes::gcn_factors;
use crate::graph::{Data, Graph, GraphError, Op, Propagation, Quant, TensorId, Worth};
use crate::quantize::Calibration;
use niwaki_core::num::quantize_i8;

/// `graph` without dropout, which does nothing outside training.
pub(super) fn without_dropout(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    while let Some(n) = graph.nodes.iter().position(|node| matches!(node.op, Op::Dropout { .. })) {
        let node = graph.nodes.remove(n);
        let renamed = |id: &mut TensorId| {
            if *id == node.output {
                *id = node.inputs[0];
            }
        };
        graph.nodes.iter_mut().flat_map(|node| &mut node.inputs).for_each(renamed);
        graph.outputs.iter_mut().for_each(renamed);
    }
    graph.compact();
    graph
}

/// Quantises by node what each GCN propagation of `graph` reads, with codes of `d_j^-1/2 x_j`.
///
/// # Errors
/// [`GraphError`] when something else reads that too, or cannot write it so.
pub(super) fn quantise_by_node(
    graph: &mut Graph,
    float: &Graph,
    samples: &[&[f32]],
    calibration: Calibration,
) -> Result<(), GraphError> {
    for node in &float.nodes {
        let Op::Propagate { adjacency, rule: Propagation::Gcn, .. } = &node.op else { continue };
        let x = node.inputs[0];
        let fail = |what: &str| GraphError::Eval(format!("propagate `{}`: its input {what}", node.name));
        let gcn = |n: &usize| match &float.nodes[*n].op {
            Op::Propagate { adjacency: other, rule: Propagation::Gcn, .. } => other == adjacency,
            _ => false,
        };
        if !float.consumers(x).iter().all(gcn) || float.outputs.contains(&x) {
            return Err(fail("is also read by something else than GCN propagation"));
        }
        let writes_rows =
            |n: usize| matches!(float.nodes[n].op, Op::SparseDense { .. } | Op::Conv2d { .. } | Op::Propagate { .. });
        if !float.producer(x).is_some_and(writes_rows) {
            return Err(fail("is not made by a layer of each node"));
        }
        let factors = gcn_factors(&adjacency.csr());
        let channels = float[x].element_count() / factors.len();
        let mut scaled = Vec::new();
        for sample in samples {
            let values = float.evaluate(sample)?;
            let values = values[x.0].as_ref().and_then(|values| values.f32s()).ok_or_else(|| fail("has no values"))?;
            let rows = values.chunks_exact(channels).zip(&factors);
            scaled.extend(rows.flat_map(|(row, &factor)| row.iter().map(move |&v| v * factor as f32)));
        }
        let (low, high) = range_of(&scaled, calibration);
        let Quant { scales, zero_point, .. } = activation_quant(low, high);
        let of_node = |&factor: &f64| (f64::from(scales[0]) / factor) as f32;
        graph[x].quant = Some(Quant { scales: factors.iter().map(of_node).collect(), zero_point, axis: Some(0) });
    }
    Ok(())
}

/// Quantises the f32 constants of operators of two operands, such as a factor of ½.
pub(super) fn quantise_constants(graph: &mut Graph, float: &Graph) {
    for node in &float.nodes {
        if !matches!(node.op, Op::Add { .. } | Op::Sub { .. } | Op::Mul { .. }) {
            continue;
        }
        for &id in &node.inputs {
            let Some(values) = float[id].f32s() else { continue };
            let quant = activation_quant(
                values.iter().copied().fold(0.0, f32::min),
                values.iter().copied().fold(0.0, f32::max),
            );
            let code = |&value: &f32| quantize_i8(value, quant.scales[0], quant.zero_point);
            graph[id].data = Some(Data::I8(values.iter().map(code).collect()));
            graph[id].quant = Some(quant);
        }
    }
}

/// Quantises the weights of every product with sparse features; biases stay, the kernel's integers hold them.
pub(super) fn quantise_features(graph: &mut Graph, float: &Graph) -> Result<(), GraphError> {
    for node in &float.nodes {
        if let Op::SparseDense { features, .. } = &node.op {
            let unit = match features.worth() {
                Worth::Ones | Worth::Rows(_) => 1.0,
                Worth::Each(values) => {
                    values.iter().fold(f32::MIN_POSITIVE, |peak, value| peak.max(value.abs())) / 127.0
                }
            };
            quantize_weights(graph, node.inputs[0], None, f64::from(unit), 1)?;
        }
    }
    Ok(())
}
