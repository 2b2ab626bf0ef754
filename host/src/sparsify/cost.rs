//! What a network costs, and what share of that goes with each group.

use super::error::SparsifyError;
use super::family::Families;
use super::options::{GroupWeights, Unit};
use crate::graph::{Graph, Node};
use std::collections::HashMap;

/// Finds out what a network costs once it is exported.
pub trait Meter {
    /// The cost of `graph` as it is, in `unit`, which is not [`Unit::Macs`].
    ///
    /// # Errors
    /// Why it cannot be measured.
    fn total(&mut self, graph: &Graph, unit: Unit) -> Result<f64, String>;

    /// Instructions of each node by its name; folded nodes are missing.
    ///
    /// # Errors
    /// Why they cannot be measured.
    fn instructions(&mut self, graph: &Graph) -> Result<HashMap<String, f64>, String>;
}

/// The cost of `graph`.
///
/// # Errors
/// [`SparsifyError::Meter`].
pub fn total(graph: &Graph, unit: Unit, meter: &mut dyn Meter) -> Result<f64, SparsifyError> {
    match unit {
        Unit::Macs => Ok(macs(graph)),
        _ => meter.total(graph, unit).map_err(|what| SparsifyError::Meter { unit: unit.name(), what }),
    }
}

/// Multiply-accumulates with weights that are not zero.
pub fn macs(graph: &Graph) -> f64 {
    graph.nodes.iter().map(|node| node_macs(graph, node)).sum()
}

fn node_macs(graph: &Graph, node: &Node) -> f64 {
    let all = graph.node_macs(node) as f64;
    let Some(weights) = node.inputs.get(1).and_then(|&w| graph[w].f32s()).filter(|w| !w.is_empty()) else { return all };
    all * weights.iter().filter(|w| **w != 0.0).count() as f64 / weights.len() as f64
}

/// The weights `d_j` of all groups, one list a family; their mean is 1.
///
/// # Errors
/// [`SparsifyError::Meter`].
pub fn group_weights(
    graph: &Graph,
    families: &Families,
    weights: GroupWeights,
    meter: &mut dyn Meter,
) -> Result<Vec<Vec<f64>>, SparsifyError> {
    let costs: HashMap<String, f64> = match weights {
        GroupWeights::One => return Ok(families.list.iter().map(|f| vec![1.0; f.groups]).collect()),
        GroupWeights::Size => HashMap::new(),
        GroupWeights::Macs => graph.nodes.iter().map(|n| (n.name.clone(), graph.node_macs(n) as f64)).collect(),
        GroupWeights::Instructions => {
            let failed = |what| SparsifyError::Meter { unit: Unit::Instructions.name(), what };
            meter.instructions(graph).map_err(failed)?
        }
    };
    let mut all: Vec<Vec<f64>> = Vec::new();
    for family in &families.list {
        if weights == GroupWeights::Size {
            all.push(family.sizes.iter().map(|&size| size as f64).collect());
            continue;
        }
        let tensors: Vec<_> = match family.space() {
            Some(space) => space.members.iter().chain(&space.readers).map(|s| s.tensor).collect(),
            None => Vec::new(),
        };
        let with = |node: &&Node| node.name == family.name || node.inputs.iter().any(|id| tensors.contains(id));
        let cost: f64 = graph.nodes.iter().filter(with).filter_map(|node| costs.get(&node.name)).sum();
        all.push(vec![cost / family.groups as f64; family.groups]);
    }
    let groups = families.groups().max(1) as f64;
    let mean = all.iter().flatten().sum::<f64>() / groups;
    if !(mean > 0.0) {
        return Err(SparsifyError::Meter { unit: "group weights", what: "every group costs nothing".into() });
    }
    // A group that costs nothing would weigh nothing, which the envelope does not have.
    all.iter_mut().flatten().for_each(|d| *d = (*d / mean).max(1e-6));
    Ok(all)
}
