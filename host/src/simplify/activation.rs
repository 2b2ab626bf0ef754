//! Clamps on their own move into the operator before them.

use super::{only_reader, replace};
use crate::graph::{Activation, Graph};
use crate::ops::Clamp;

/// Fuses clamps that clamp codes or floats as they are; whether there were any.
///
/// A clamp to another scale stays: it rounds a second time.
pub(super) fn fuse(graph: &mut Graph) -> bool {
    let mut changed = false;
    for n in 0..graph.nodes.len() {
        let Some(&Clamp(second)) = graph.nodes[n].op.get() else { continue };
        let (x, y) = (graph.nodes[n].inputs[0], graph.nodes[n].output);
        let Some(producer) = graph.producer(x).filter(|_| only_reader(graph, x) == Some(n)) else { continue };
        if graph[x].quant != graph[y].quant || graph[x].element != graph[y].element {
            continue;
        }
        let Some(first) = graph.nodes[producer].op.activation_mut() else { continue };
        let Some(both) = both(*first, second) else { continue };
        *first = both;
        replace(graph, y, x);
        changed = true;
    }
    changed
}

/// The clamp that is `first` and then `second`, where there is one.
fn both(first: Activation, second: Activation) -> Option<Activation> {
    use Activation::{None as All, Relu, Relu6};
    match (first, second) {
        (All, other) | (other, All) => Some(other),
        (Relu | Relu6, Relu6) | (Relu6, Relu) => Some(Relu6),
        (a, b) if a == b => Some(a),
        _ => None,
    }
}
