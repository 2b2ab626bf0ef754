//! Operators over node sets in int8: what a GCN propagation reads is quantised by node.

use super::scheme::finite;
use super::{QuantizeError, Unpropagated};
use super::{activation_quant, calibrate::range_of};
use crate::graph::lower::nodes::gcn_factors;
use crate::graph::{Data, Graph, Propagation, Quant, TensorId};
use crate::ops::{Dropout, Propagate, SparseDense};
use crate::quantize::Calibration;
use niwaki_core::num::quantize_i8;

/// `graph` without dropout, which does nothing outside training.
pub(super) fn without_dropout(graph: &Graph) -> Graph {
    let mut graph = graph.clone();
    while let Some(n) = graph.nodes.iter().position(|node| node.op.is::<Dropout>()) {
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
/// [`QuantizeError`] when something else reads that too, or cannot write it so.
pub(super) fn quantise_by_node(
    graph: &mut Graph,
    float: &Graph,
    samples: &[&[f32]],
    calibration: Calibration,
) -> Result<(), QuantizeError> {
    for node in &float.nodes {
        let Some(Propagate { adjacency, rule: Propagation::Gcn, .. }) = node.op.get() else { continue };
        // Degrees that are known at run time alone are not in the scales.
        if node.inputs.len() > Propagation::Gcn.operands() {
            continue;
        }
        let x = node.inputs[0];
        let fail = |why| QuantizeError::Propagation { node: node.name.clone(), why };
        let gcn = |n: &usize| match float.nodes[*n].op.get() {
            Some(Propagate { adjacency: other, rule: Propagation::Gcn, .. }) => other == adjacency,
            _ => false,
        };
        if !float.consumers(x).iter().all(gcn) || float.outputs.contains(&x) {
            return Err(fail(Unpropagated::ReadElsewhere));
        }
        let writes_rows = |n: usize| float.nodes[n].op.rules().scales_rows;
        if !float.producer(x).is_some_and(writes_rows) {
            return Err(fail(Unpropagated::NoRows));
        }
        let factors = gcn_factors(&adjacency.csr());
        let channels = float[x].element_count() / factors.len();
        let mut scaled = Vec::new();
        for sample in samples {
            let values = float.evaluate(sample)?;
            let values =
                values[x.0].as_ref().and_then(|values| values.f32s()).ok_or_else(|| fail(Unpropagated::NoValues))?;
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

/// Quantises the weights of every product with sparse features, one scale a column; biases stay, the kernel's integers
/// hold them.
pub(super) fn quantise_features(graph: &mut Graph, float: &Graph) -> Result<(), QuantizeError> {
    for node in float.nodes.iter().filter(|node| node.op.is::<SparseDense>()) {
        let w = node.inputs[0];
        let weights = finite(graph, w)?;
        let columns = graph[w].shape[1];
        let mut scales = vec![0.0_f32; columns];
        for (i, weight) in weights.iter().enumerate() {
            scales[i % columns] = scales[i % columns].max(weight.abs() / 127.0);
        }
        scales.iter_mut().filter(|scale| **scale == 0.0).for_each(|scale| *scale = 1.0);
        let code = |(i, &weight): (usize, &f32)| quantize_i8(weight, scales[i % columns], 0).max(-127);
        let codes = weights.iter().enumerate().map(code).collect();
        graph[w].data = Some(Data::I8(codes));
        graph[w].quant = Some(Quant { scales, zero_point: 0, axis: Some(1) });
    }
    Ok(())
}
