//! Shape rules of the operators over node sets.

use crate::graph::{Op, Propagation};
use crate::ops;
use niwaki_core::kernels::Kept;

/// As [`super::infer`].
pub(super) fn infer(op: &Op, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
    let vector = |name: &str, i: usize, len: usize| match inputs.get(i) {
        Some(&[n]) if *n == len => Ok(()),
        other => Err(format!("{name} must be [{len}], got {other:?}")),
    };
    match op {
        Op::Propagate(ops::Propagate { adjacency, rule, .. }) => {
            let operands = rule.operands();
            if !(operands..=operands + 1).contains(&inputs.len()) {
                return Err(format!("takes {operands} inputs and perhaps the edges that count, got {}", inputs.len()));
            }
            if inputs.len() > operands {
                vector("the bits of the edges that count", operands, Kept::bytes(adjacency.edges()))?;
            }
            let x = inputs[0];
            if x.len() < 2 || x[0] != adjacency.nodes() {
                return Err(format!("x must be [{}, .., C], one row a node of the graph", adjacency.nodes()));
            }
            let channels: usize = x[1..].iter().product();
            match *rule {
                Propagation::Gcn | Propagation::Mean => {}
                Propagation::Sum => vector("eps", 1, 1)?,
                Propagation::Attention { heads, .. } => {
                    if heads == 0 || !channels.is_multiple_of(heads) {
                        return Err(format!("{heads} heads do not divide {channels} channels"));
                    }
                    vector("source", 1, channels)?;
                    vector("target", 2, channels)?;
                }
            }
            Ok(x.to_vec())
        }
        Op::KeepEdges(ops::KeepEdges { ranks }) => {
            vector("drop", 0, 1)?;
            Ok(vec![Kept::bytes(ranks.len())])
        }
        Op::SparseDense(ops::SparseDense { features, .. }) => {
            if !(1..=2).contains(&inputs.len()) {
                return Err(format!("takes 1 or 2 inputs, got {}", inputs.len()));
            }
            let &[width, outputs] = inputs[0] else { return Err("w must be [F, O]".into()) };
            if width != features.width() {
                return Err(format!("w reads {width} features, there are {}", features.width()));
            }
            if inputs.len() == 2 {
                vector("bias", 1, outputs)?;
            }
            Ok(vec![features.rows(), 1, outputs])
        }
        Op::Gather(_) => {
            let &[&[_, ref row @ ..], &[count]] = inputs else { return Err("takes x and rows: [Q]".into()) };
            Ok([&[count], row].concat())
        }
        Op::Dropout(ops::Dropout { rate }) => {
            if inputs.len() != 1 || !(0.0..1.0).contains(rate) {
                return Err(format!("takes one input and a rate in [0, 1), got {} and {rate}", inputs.len()));
            }
            Ok(inputs[0].to_vec())
        }
        _ => Err("is no operator over nodes".into()),
    }
}
