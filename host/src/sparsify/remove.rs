//! Physical removal: a network without the dropped channels is an ordinary smaller network.

use super::groups::{ChannelSpace, Slice};
use crate::graph::{Data, Graph, GraphError};

/// Removes all channels of `space` but those in `keep` (ascending) from `graph`.
///
/// # Errors
/// [`GraphError`] when nothing would be left or the result is no network.
pub fn keep_channels(graph: &mut Graph, space: &ChannelSpace, keep: &[usize]) -> Result<(), GraphError> {
    if keep.is_empty() || keep.windows(2).any(|w| w[0] >= w[1]) || keep.iter().any(|&c| c >= space.channels) {
        let (name, channels) = (&space.name, space.channels);
        return Err(GraphError::Eval(format!("`{name}`: cannot keep channels {keep:?} of {channels}")));
    }
    for slice in space.members.iter().chain(&space.readers) {
        keep_slices(graph, *slice, space.channels, keep);
    }
    graph.propagate_shapes()?;
    graph.validate()
}

/// Sets the dropped channels to zero instead, with the batch-norm statistics left as they are.
pub fn mask_channels(graph: &mut Graph, space: &ChannelSpace, keep: &[usize]) {
    let parameters: Vec<Slice> = space.parameters(graph).collect();
    for slice in parameters {
        let shape = graph[slice.tensor].shape.clone();
        let inner: usize = shape[slice.axis + 1..].iter().product();
        if let Some(values) = graph[slice.tensor].f32s_mut() {
            for (i, v) in values.iter_mut().enumerate() {
                let channel = i / inner % shape[slice.axis] % space.channels;
                if keep.binary_search(&channel).is_err() {
                    *v = 0.0;
                }
            }
        }
    }
}

/// Keeps the indices `p * channels + c` with `c` in `keep` along an axis.
fn keep_slices(graph: &mut Graph, slice: Slice, channels: usize, keep: &[usize]) {
    let tensor = &mut graph[slice.tensor];
    let size = tensor.shape[slice.axis];
    let inner: usize = tensor.shape[slice.axis + 1..].iter().product();
    let indices: Vec<usize> = (0..size / channels).flat_map(|p| keep.iter().map(move |c| p * channels + c)).collect();
    fn pick<T: Copy>(values: &mut Vec<T>, size: usize, inner: usize, indices: &[usize]) {
        *values = values
            .chunks_exact(size * inner)
            .flat_map(|block| indices.iter().flat_map(|&i| block[i * inner..(i + 1) * inner].iter().copied()))
            .collect();
    }
    match &mut tensor.data {
        Some(Data::F32(v)) => pick(v, size, inner, &indices),
        Some(Data::I8(v)) => pick(v, size, inner, &indices),
        Some(Data::I32(v)) => pick(v, size, inner, &indices),
        Some(Data::I16(v)) => pick(v, size, inner, &indices),
        Some(Data::I64(v)) => pick(v, size, inner, &indices),
        Some(Data::F16(v)) => pick(v, size, inner, &indices),
        None => {}
    }
    tensor.shape[slice.axis] = indices.len();
}

#[cfg(test)]
mod tests {
    use super::super::groups::channel_spaces;
    use super::*;
    use crate::graph::{Activation, Op, Padding, Role, Sliding, TensorId};
    use crate::zoo;
    use rand_chacha::{
        ChaCha8Rng,
        rand_core::{Rng, SeedableRng},
    };

    fn randomise(graph: &mut Graph, rng: &mut ChaCha8Rng) {
        for t in graph.tensors.iter_mut().filter(|t| t.role != Role::Activation) {
            let offset = if t.name.ends_with("running_var") { 1.5 } else { 0.0 };
            let len = t.element_count();
            let random = |_| (rng.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0 + offset;
            t.data = Some(Data::F32((0..len).map(random).collect()));
        }
    }

    /// Conv, pool, flatten into dense, dense: the flattened inputs go with their channel.
    fn flattened() -> Graph {
        let mut g = Graph::default();
        let x = g.input("x", &[6, 6, 2]);
        let w = g.parameter("conv.weight", &[7, 3, 3, 2], vec![0.0; 7 * 18]);
        let b = g.parameter("conv.bias", &[7], vec![0.0; 7]);
        let op = Op::Conv2d { sliding: Sliding::unit(Padding::Same), activation: Activation::Relu };
        let y = g.push("conv", op, &[x, w, b]).expect("fits");
        let pool = Op::MaxPool2d { kernel: [2, 2], sliding: Sliding::strided(2, Padding::Valid) };
        let y = g.push("pool", pool, &[y]).expect("fits");
        let y = g.push("flatten", Op::Reshape { shape: vec![63] }, &[y]).expect("fits");
        let dense = |g: &mut Graph, name: &str, x: TensorId, i: usize, o: usize, activation| {
            let w = g.parameter(&format!("{name}.weight"), &[o, i], vec![0.0; o * i]);
            let b = g.parameter(&format!("{name}.bias"), &[o], vec![0.0; o]);
            g.push(name, Op::Dense { activation }, &[x, w, b]).expect("fits")
        };
        let y = dense(&mut g, "hidden", y, 63, 9, Activation::Relu);
        let y = dense(&mut g, "out", y, 9, 4, Activation::None);
        g.outputs.push(y);
        g
    }

    fn networks() -> Vec<(&'static str, Graph)> {
        let zoo =
            |name: &str, input: [usize; 3]| zoo::by_name(name).expect("in the zoo").build(&input, 4, 1).expect("fits");
        vec![
            ("small-cnn", zoo("small-cnn", [8, 8, 1])),
            ("ds-cnn", zoo("ds-cnn", [13, 8, 1])),
            ("tiny-resnet", zoo("tiny-resnet", [7, 7, 2])),
            ("flattened", flattened()),
        ]
    }

    #[test]
    fn spaces_follow_additions_depthwise_layers_and_flattening() {
        let spaces = |g: &Graph| -> Vec<(String, usize)> {
            channel_spaces(g).into_iter().map(|s| (s.name, s.channels)).collect()
        };
        let named = |list: &[(&str, usize)]| list.iter().map(|(n, c)| (n.to_string(), *c)).collect::<Vec<_>>();
        let nets = networks();
        assert_eq!(spaces(&nets[0].1), named(&[("conv1", 16), ("conv2", 32), ("conv3", 32)]));
        assert_eq!(spaces(&nets[1].1).len(), 5, "the first convolution and four pointwise ones");
        // The stem and the first block's output are added, and so are the second block's output and its skip.
        let resnet = [("stem", 16), ("block1.conv1", 16), ("block2.conv1", 32), ("block2.conv2", 32)];
        assert_eq!(spaces(&nets[2].1), named(&resnet));
        assert_eq!(spaces(&nets[3].1), named(&[("conv", 7), ("hidden", 9)]));
    }

    #[test]
    fn every_operand_of_an_operator_that_is_not_followed_keeps_its_channels() {
        let mut g = Graph::default();
        let x = g.input("x", &[4, 4, 2]);
        let branch = |g: &mut Graph, name: &str| {
            let w = g.parameter(&format!("{name}.weight"), &[3, 1, 1, 2], vec![0.0; 6]);
            let op = Op::Conv2d { sliding: Sliding::unit(Padding::Same), activation: Activation::None };
            g.push(name, op, &[x, w]).expect("fits")
        };
        let (a, b) = (branch(&mut g, "a"), branch(&mut g, "b"));
        let y = g.push("product", Op::Mul { activation: Activation::None }, &[a, b]).expect("fits");
        g.outputs.push(y);
        assert!(channel_spaces(&g).is_empty());
    }

    #[test]
    fn a_pruned_network_computes_what_the_masked_one_does() {
        for (name, graph) in networks() {
            for seed in 0..40 {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let mut masked = graph.clone();
                randomise(&mut masked, &mut rng);
                let mut pruned = masked.clone();
                for space in channel_spaces(&graph) {
                    let mut keep: Vec<usize> = (0..space.channels).filter(|_| rng.next_u32() % 2 == 0).collect();
                    if keep.is_empty() {
                        keep.push(0);
                    }
                    mask_channels(&mut masked, &space, &keep);
                    keep_channels(&mut pruned, &space, &keep).expect("still a network");
                }
                assert!(pruned.parameter_count() < masked.parameter_count());
                let len = masked[masked.inputs[0]].element_count();
                let x: Vec<f32> = (0..len).map(|_| rng.next_u32() as f32 / u32::MAX as f32 - 0.5).collect();
                let (a, b) = (masked.predict(&x).expect("runs"), pruned.predict(&x).expect("runs"));
                assert_eq!(a, b, "{name}, seed {seed}");
            }
        }
    }
}
