//! Nodes whose operands are all constant become constants.

use crate::graph::eval::Value;
use crate::graph::{Data, Graph, Role, TensorId};
use niwaki_core::format::DType;

/// Largest result that is computed here; a larger one costs more flash than the operators that make it.
const MAX_ELEMENTS: usize = 1 << 20;

/// Evaluates what depends on constants alone; whether there was any.
pub(super) fn fold(graph: &mut Graph) -> bool {
    let mut changed = false;
    for n in 0..graph.nodes.len() {
        let node = &graph.nodes[n];
        let output = node.output;
        // What the caller reads stays in the arena.
        let foldable = node.inputs.iter().all(|&id| graph[id].data.is_some())
            && !graph.outputs.contains(&output)
            && node.op.rules().folds
            && graph[output].data.is_none()
            && graph[output].element_count() <= MAX_ELEMENTS;
        if let Some(data) = foldable.then(|| evaluate(graph, n)).flatten() {
            let tensor = &mut graph[output];
            tensor.role = Role::Parameter;
            tensor.data = Some(data);
            changed = true;
        }
    }
    // The nodes that wrote them.
    let written: Vec<bool> = graph.nodes.iter().map(|node| graph[node.output].data.is_some()).collect();
    let mut flags = written.into_iter();
    graph.nodes.retain(|_| !flags.next().unwrap_or(false));
    changed
}

/// The result of node `n`, if there is a kernel for constants of this type.
fn evaluate(graph: &Graph, n: usize) -> Option<Data> {
    let node = &graph.nodes[n];
    let mut values = vec![None; graph.tensors.len()];
    for &TensorId(id) in &node.inputs {
        values[id] = value(graph.tensors[id].data.as_ref()?);
    }
    let bytes = graph.evaluate_node(node, &values).ok()?.to_bytes();
    match graph[node.output].element {
        DType::F32 => Some(Data::F32(crate::graph::eval::f32s(&bytes))),
        DType::I8 => Some(Data::I8(bytes.into_iter().map(|b| b as i8).collect())),
        DType::I16 => Some(Data::I16(bytes.as_chunks().0.iter().map(|&b| i16::from_le_bytes(b)).collect())),
        _ => None,
    }
    .filter(|data| data.len() == graph[node.output].element_count())
}

fn value(data: &Data) -> Option<Value> {
    match data {
        Data::F32(v) => Some(Value::F32(v.clone())),
        Data::I8(v) => Some(Value::I8(v.clone())),
        Data::I16(v) => Some(Value::I16(v.clone())),
        _ => None,
    }
}
