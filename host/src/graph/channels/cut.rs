//! Physical removal: a network without some channels is an ordinary smaller network.

use super::{ChannelSpace, Slice};
use crate::graph::{Data, Graph, GraphError, TensorId};
use std::collections::BTreeMap;

/// Which channels of a space stay.
#[derive(Debug, Clone, Copy)]
pub struct Cut<'a> {
    /// The space, of the graph as it is before all cuts.
    pub space: &'a ChannelSpace,
    /// The channels that stay; ascending, at least one.
    pub keep: &'a [usize],
}

impl Cut<'_> {
    /// Whether the channels to keep are some of the space's.
    ///
    /// # Errors
    /// [`GraphError::Keep`] names the layer.
    pub fn check(&self) -> Result<(), GraphError> {
        let (name, channels, keep) = (&self.space.name, self.space.channels, self.keep);
        let fits = keep.is_sorted_by(|a, b| a < b) && keep.last().is_some_and(|&last| last < channels);
        if fits {
            return Ok(());
        }
        Err(GraphError::Keep { space: name.clone(), keep: keep.to_vec(), channels })
    }
}

/// Removes all channels but those to keep, from every space at once: weights that read a concatenation lose channels of
/// several. `graph` is left as it is on an error.
///
/// # Errors
/// [`GraphError`] when nothing of a space would be left, a space is of another graph, or the result is no network.
pub fn prune(graph: &mut Graph, cuts: &[Cut]) -> Result<(), GraphError> {
    // Which indices of an axis of a tensor stay.
    let mut kept: BTreeMap<(TensorId, usize), Vec<bool>> = BTreeMap::new();
    for cut in cuts {
        cut.check()?;
        let space = cut.space;
        for slice in space.members.iter().chain(&space.readers).chain(&space.activations) {
            let size = axis_size(graph, space, slice)?;
            let kept = kept.entry((slice.tensor, slice.axis)).or_insert_with(|| vec![true; size]);
            for (index, kept) in kept.iter_mut().enumerate() {
                *kept &= slice.channel(index, space.channels).is_none_or(|c| cut.keep.binary_search(&c).is_ok());
            }
        }
    }
    let mut smaller = graph.clone();
    for (&(tensor, axis), kept) in &kept {
        if graph[tensor].data.is_some() {
            keep_indices(&mut smaller, tensor, axis, kept);
        }
    }
    for node in &mut smaller.nodes {
        let x = node.inputs[0];
        let axis = graph[x].shape.len().saturating_sub(1);
        if let Some(kept) = kept.get(&(x, axis)) {
            node.op.operator_mut().keep_channels(kept);
        }
    }
    smaller.propagate_shapes()?;
    smaller.validate()?;
    *graph = smaller;
    Ok(())
}

/// Size of the axis of `slice`, if it fits the graph.
fn axis_size(graph: &Graph, space: &ChannelSpace, slice: &Slice) -> Result<usize, GraphError> {
    let size = graph.tensors.get(slice.tensor.0).and_then(|tensor| tensor.shape.get(slice.axis)).copied();
    size.filter(|size| size.is_multiple_of(slice.period) && slice.offset + space.channels <= slice.period)
        .ok_or_else(|| GraphError::ForeignSpace { space: space.name.clone() })
}

/// Keeps some indices of an axis of a constant, and the scales that go with them.
fn keep_indices(graph: &mut Graph, id: TensorId, axis: usize, kept: &[bool]) {
    let tensor = &mut graph[id];
    let inner: usize = tensor.shape[axis + 1..].iter().product();
    fn pick<T>(values: &mut Vec<T>, kept: impl Fn(usize) -> bool) {
        let mut index = 0;
        values.retain(|_| {
            index += 1;
            kept(index - 1)
        });
    }
    let element = |i: usize| kept[i / inner % kept.len()];
    match &mut tensor.data {
        Some(Data::F32(v)) => pick(v, element),
        Some(Data::I8(v)) => pick(v, element),
        Some(Data::I32(v)) => pick(v, element),
        Some(Data::I16(v)) => pick(v, element),
        Some(Data::I64(v)) => pick(v, element),
        Some(Data::F16(v)) => pick(v, element),
        None => {}
    }
    tensor.shape[axis] = kept.iter().filter(|&&kept| kept).count();
    if let Some(quant) = tensor.quant.as_mut().filter(|q| q.axis == Some(axis)) {
        pick(&mut quant.scales, |i| kept[i]);
    }
}
