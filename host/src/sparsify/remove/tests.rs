//! A pruned network computes what the masked one does, value for value, whatever is pruned.

use super::*;
use crate::graph::{Data, Padding, Role, Sliding};
use crate::ops::{self, Op};
use crate::sparsify::blocks::blocks;
use crate::sparsify::channels::channel_spaces;
use crate::sparsify::cost::channel_cost;
use crate::zoo;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Random prunings of each network.
const PRUNINGS: u64 = 500;

/// A network that is built layer by layer; [`randomise`] fills in the values.
#[derive(Default)]
struct Net {
    graph: Graph,
}

const RELU: Activation = Activation::Relu;
const NONE: Activation = Activation::None;

impl Net {
    fn push(&mut self, name: &str, op: impl Into<Op>, inputs: &[TensorId]) -> TensorId {
        self.graph.push(name, op, inputs).expect("fits")
    }

    fn parameter(&mut self, name: &str, shape: &[usize]) -> TensorId {
        self.graph.parameter(name, shape, vec![0.0; shape.iter().product()])
    }

    fn last(&self, x: TensorId) -> usize {
        *self.graph[x].shape.last().expect("has channels")
    }

    /// A convolution with a bias.
    fn conv(
        &mut self,
        name: &str,
        x: TensorId,
        filters: usize,
        [kernel, stride]: [usize; 2],
        activation: Activation,
    ) -> TensorId {
        let w = self.parameter(&format!("{name}.weight"), &[filters, kernel, kernel, self.last(x)]);
        let b = self.parameter(&format!("{name}.bias"), &[filters]);
        let op = ops::Conv2d { sliding: Sliding::strided(stride, Padding::Same), activation };
        self.push(name, op, &[x, w, b])
    }

    /// A convolution without a bias, followed by batch norm.
    fn conv_norm(
        &mut self,
        name: &str,
        x: TensorId,
        filters: usize,
        [kernel, stride]: [usize; 2],
        activation: Activation,
    ) -> TensorId {
        let w = self.parameter(&format!("{name}.weight"), &[filters, kernel, kernel, self.last(x)]);
        let op = ops::Conv2d { sliding: Sliding::strided(stride, Padding::Same), activation: NONE };
        let y = self.push(name, op, &[x, w]);
        self.norm(&format!("{name}.norm"), y, activation)
    }

    fn norm(&mut self, name: &str, x: TensorId, activation: Activation) -> TensorId {
        let c = self.last(x);
        let [gamma, beta] = ["gamma", "beta"].map(|n| self.parameter(&format!("{name}.{n}"), &[c]));
        let [mean, var] =
            ["running_mean", "running_var"].map(|n| self.graph.buffer(&format!("{name}.{n}"), &[c], vec![0.0; c]));
        self.push(name, ops::BatchNorm { epsilon: 1e-3, momentum: 0.1, activation }, &[x, gamma, beta, mean, var])
    }

    fn depthwise(&mut self, name: &str, x: TensorId, activation: Activation) -> TensorId {
        let c = self.last(x);
        let w = self.parameter(&format!("{name}.weight"), &[3, 3, c]);
        let b = self.parameter(&format!("{name}.bias"), &[c]);
        self.push(name, ops::DepthwiseConv2d { sliding: Sliding::unit(Padding::Same), activation }, &[x, w, b])
    }

    fn add(&mut self, name: &str, a: TensorId, b: TensorId, activation: Activation) -> TensorId {
        self.push(name, ops::Add { activation }, &[a, b])
    }

    fn concat(&mut self, name: &str, inputs: &[TensorId]) -> TensorId {
        self.push(name, ops::Concat { axis: 2 }, inputs)
    }

    fn mean(&mut self, x: TensorId) -> TensorId {
        self.push("mean", ops::Mean { axes: vec![0, 1], keep_axes: false }, &[x])
    }

    fn dense(&mut self, name: &str, x: TensorId, outputs: usize, activation: Activation) -> TensorId {
        let len = self.graph[x].element_count();
        let w = self.parameter(&format!("{name}.weight"), &[outputs, len]);
        let b = self.parameter(&format!("{name}.bias"), &[outputs]);
        self.push(name, ops::Dense { activation }, &[x, w, b])
    }

    /// The network with `y` as its output.
    fn done(mut self, y: TensorId) -> Graph {
        self.graph.outputs.push(y);
        self.graph.validate().expect("is a network");
        self.graph
    }
}

/// The residual network of MLPerf Tiny: 16, 32 and 64 filters, a strided 1x1 convolution on the skips of the last two.
fn resnet8() -> Graph {
    let mut net = Net::default();
    let x = net.graph.input("x", &[8, 8, 3]);
    let mut x = net.conv_norm("stem", x, 16, [3, 1], RELU);
    for (block, filters, stride) in [("block1", 16, 1), ("block2", 32, 2), ("block3", 64, 2)] {
        let y = net.conv_norm(&format!("{block}.conv1"), x, filters, [3, stride], RELU);
        let y = net.conv_norm(&format!("{block}.conv2"), y, filters, [3, 1], NONE);
        if stride > 1 {
            x = net.conv(&format!("{block}.skip"), x, filters, [1, stride], NONE);
        }
        x = net.add(&format!("{block}.add"), x, y, RELU);
    }
    let x = net.mean(x);
    let y = net.dense("classifier", x, 10, NONE);
    net.done(y)
}

/// The keyword network of the zoo, up to its logits.
fn ds_cnn() -> Graph {
    let mut graph = zoo::by_name("ds-cnn").expect("in the zoo").build(&[13, 8, 1], 4, 1).expect("fits");
    graph.nodes.pop();
    graph.outputs = vec![graph.nodes.last().expect("has nodes").output];
    graph
}

/// Three branches, one of them a pool, put one after the other; then a concatenation that is added to one layer's result,
/// and a flattened concatenation of a concatenation.
fn inception() -> Graph {
    let mut net = Net::default();
    let x = net.graph.input("x", &[6, 6, 2]);
    let x = net.conv("stem", x, 8, [3, 1], RELU);
    let a = net.conv("point", x, 5, [1, 1], RELU);
    let b = net.conv_norm("reduce", x, 4, [1, 1], RELU);
    let b = net.conv_norm("wide", b, 6, [3, 1], RELU);
    let pool = Op::from(ops::MaxPool2d { kernel: [3, 3], sliding: Sliding::unit(Padding::Same) });
    let c = net.push("pool", pool, &[x]);
    let c = net.conv("pooled", c, 4, [1, 1], RELU);
    let x = net.concat("branches", &[a, b, c]);
    let sum = net.conv("sum", x, 10, [3, 2], NONE);
    let a = net.conv("left", x, 6, [1, 2], NONE);
    let b = net.conv("right", x, 4, [3, 2], NONE);
    let sides = net.concat("sides", &[a, b]);
    let y = net.add("joined", sides, sum, RELU);
    let z = net.conv("again", y, 3, [3, 1], Activation::Relu6);
    let all = net.concat("all", &[y, z, sides, y]);
    let y = net.push("flatten", ops::Reshape { shape: vec![9 * 33] }, &[all]);
    let y = net.dense("hidden", y, 12, RELU);
    let y = net.dense("classifier", y, 4, NONE);
    net.done(y)
}

/// Residual blocks of equal shape, each of which can be left out whole.
fn skips() -> Graph {
    let mut net = Net::default();
    let x = net.graph.input("x", &[5, 5, 2]);
    let mut x = net.conv_norm("stem", x, 8, [3, 1], RELU);
    for (block, activation) in [("block1", RELU), ("block2", NONE), ("block3", NONE), ("block4", Activation::Relu6)] {
        let y = net.conv_norm(&format!("{block}.conv1"), x, 7, [1, 1], RELU);
        let y = net.depthwise(&format!("{block}.depthwise"), y, RELU);
        let y = net.conv_norm(&format!("{block}.conv2"), y, 8, [3, 1], NONE);
        // On either side of the addition.
        x = if block == "block2" {
            net.add(&format!("{block}.add"), y, x, activation)
        } else {
            net.add(&format!("{block}.add"), x, y, activation)
        };
    }
    let x = net.mean(x);
    let y = net.dense("classifier", x, 4, NONE);
    net.done(y)
}

/// A gate after a logistic function, a scale, a split, a transposed convolution, borders and resizing.
fn gated() -> Graph {
    let mut net = Net::default();
    let x = net.graph.input("x", &[4, 4, 2]);
    let x = net.conv("stem", x, 9, [3, 1], Activation::ReluN1To1);
    let scale = net.parameter("scale", &[1, 1, 9]);
    let x = net.push("scaled", ops::Mul { activation: NONE }, &[scale, x]);
    let gate = net.push("squeeze", ops::Mean { axes: vec![0, 1], keep_axes: true }, &[x]);
    let gate = net.conv("inner", gate, 4, [1, 1], RELU);
    let gate = net.conv("excite", gate, 9, [1, 1], NONE);
    let gate = net.push("gate", ops::Logistic, &[gate]);
    let x = net.push("gated", ops::Mul { activation: NONE }, &[x, gate]);
    let part = |begin: usize, size: usize| {
        Op::from(ops::Slice { begin: vec![0, 0, begin], size: vec![4, 4, size], stride: vec![1; 3] })
    };
    let a = net.push("low", part(0, 5), &[x]);
    let b = net.push("high", part(5, 4), &[x]);
    let a = net.conv("a", a, 6, [1, 1], NONE);
    let a = net.push("swish", ops::HardSwish, &[a]);
    let b = net.conv("b", b, 6, [3, 1], NONE);
    let b = net.push("tanh", ops::Tanh, &[b]);
    let y = net.push("difference", ops::Sub { activation: NONE }, &[a, b]);
    let w = net.parameter("up.weight", &[5, 2, 2, 6]);
    let up =
        Op::from(ops::TransposeConv2d { sliding: Sliding::strided(2, Padding::Same), size: [8, 8], activation: NONE });
    let y = net.push("up", up, &[y, w]);
    let y = net.push("border", ops::Pad { pads: vec![[1, 0], [0, 1], [0, 0]], value: 0.0 }, &[y]);
    let y = net.push("resized", ops::ResizeBilinear { size: [4, 5], grid: Default::default() }, &[y]);
    let y = net.push("turned", ops::Transpose { order: vec![1, 0, 2] }, &[y]);
    let y = net.dense("classifier", y, 3, NONE);
    net.done(y)
}

fn uniform(rng: &mut ChaCha8Rng) -> f32 {
    (rng.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0
}

/// Random values of about the scale that keeps activations from growing; variances are positive.
fn randomise(graph: &mut Graph, rng: &mut ChaCha8Rng) {
    for t in graph.tensors.iter_mut().filter(|t| t.role != Role::Activation) {
        let scale = if t.shape.len() > 1 { (6.0 * t.shape[0] as f32 / t.element_count() as f32).sqrt() } else { 1.0 };
        let offset = if t.name.ends_with("running_var") { 1.5 } else { 0.0 };
        t.data = Some(Data::F32((0..t.element_count()).map(|_| uniform(rng) * scale + offset).collect()));
    }
}

fn input(graph: &Graph, rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..graph[graph.inputs[0]].element_count()).map(|_| uniform(rng)).collect()
}

/// Some channels of a space, one or more; of some spaces few, of others many.
fn some_channels(channels: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let of_16 = rng.next_u32() % 17;
    let keep: Vec<usize> = (0..channels).filter(|_| rng.next_u32() % 16 < of_16).collect();
    if keep.is_empty() { vec![rng.next_u32() as usize % channels] } else { keep }
}

/// Drops blocks and prunes channels at random in one copy of `graph` and masks them in the other; both must agree in
/// every value. `with_blocks` says whether there are blocks.
fn prune_at_random(name: &str, graph: &Graph, with_blocks: bool) {
    let (all_spaces, all_blocks) = (channel_spaces(graph), blocks(graph));
    assert_eq!(all_blocks.is_empty(), !with_blocks, "{name}");
    let mut changed = 0;
    for seed in 0..PRUNINGS {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut masked = graph.clone();
        randomise(&mut masked, &mut rng);
        let (dense, mut pruned) = (masked.clone(), masked.clone());
        let drop: Vec<Block> = all_blocks.iter().filter(|_| rng.next_u32() % 2 == 0).cloned().collect();
        drop.iter().for_each(|block| mask_block(&mut masked, block));
        drop_blocks(&mut pruned, &drop).expect("still a network");
        let spaces = channel_spaces(&pruned);
        let keeps: Vec<Vec<usize>> = spaces.iter().map(|space| some_channels(space.channels, &mut rng)).collect();
        let cuts: Vec<Cut> = spaces.iter().zip(&keeps).map(|(space, keep)| Cut { space, keep }).collect();
        prune(&mut pruned, &cuts).expect("still a network");
        let in_all =
            |cut: &Cut<'_>| all_spaces.iter().find(|space| space.name == cut.space.name).expect("has the space");
        let cuts: Vec<Cut> = cuts.iter().map(|cut| Cut { space: in_all(cut), keep: cut.keep }).collect();
        mask(&mut masked, &cuts).expect("fits");
        let x = input(graph, &mut rng);
        let (a, b) = (masked.predict(&x).expect("runs"), pruned.predict(&x).expect("runs"));
        assert!(a.iter().all(|v| v.is_finite()), "{name}, seed {seed}: {a:?}");
        assert_eq!(a, b, "{name}, seed {seed}");
        changed += usize::from(a != dense.predict(&x).expect("runs"));
    }
    assert!(changed as u64 > PRUNINGS * 9 / 10, "{name}: only {changed} prunings change the answer");
}

#[test]
fn a_residual_network_pruned_computes_what_the_masked_one_does() {
    prune_at_random("resnet-8", &resnet8(), true);
}

#[test]
fn a_depthwise_network_pruned_computes_what_the_masked_one_does() {
    prune_at_random("ds-cnn", &ds_cnn(), false);
}

#[test]
fn a_network_with_concatenations_pruned_computes_what_the_masked_one_does() {
    prune_at_random("inception", &inception(), false);
}

#[test]
fn a_network_without_some_of_its_layers_computes_what_the_masked_one_does() {
    prune_at_random("skips", &skips(), true);
}

#[test]
fn a_network_with_gates_and_splits_pruned_computes_what_the_masked_one_does() {
    prune_at_random("gated", &gated(), false);
}

fn named(graph: &Graph) -> Vec<(String, usize)> {
    channel_spaces(graph).into_iter().map(|space| (space.name, space.channels)).collect()
}

fn expected(list: &[(&str, usize)]) -> Vec<(String, usize)> {
    list.iter().map(|(name, channels)| (name.to_string(), *channels)).collect()
}

#[test]
fn spaces_follow_additions_and_split_where_a_concatenation_is_added() {
    let resnet = [("stem", 16), ("block1.conv1", 16), ("block2.conv1", 32), ("block2.conv2", 32)];
    let last = [("block3.conv1", 64), ("block3.conv2", 64)];
    assert_eq!(named(&resnet8()), expected(&[&resnet[..], &last].concat()));
    assert_eq!(named(&ds_cnn()).len(), 5, "the first convolution and four pointwise ones");
    let branches = [("stem", 8), ("point", 5), ("reduce", 4), ("wide", 6), ("pooled", 4)];
    let joined = [("sum[0..6]", 6), ("sum[6..10]", 4), ("again", 3), ("hidden", 12)];
    assert_eq!(named(&inception()), expected(&[&branches[..], &joined].concat()));
    assert_eq!(named(&gated()), expected(&[("stem[0..5]", 5), ("stem[5..9]", 4), ("inner", 4), ("a", 6), ("up", 5)]));
}

/// A convolution of 3 channels whose result goes through `then` and a dense layer.
fn with_layer(then: impl Fn(&mut Net, TensorId) -> TensorId) -> Vec<(String, usize)> {
    let mut net = Net::default();
    let x = net.graph.input("x", &[4, 4, 2]);
    let y = net.conv("conv", x, 3, [1, 1], NONE);
    let y = then(&mut net, y);
    let y = net.dense("out", y, 2, NONE);
    named(&net.done(y))
}

/// Adds a layer after another.
type Then = fn(&mut Net, TensorId) -> TensorId;

#[test]
fn channels_stay_where_a_mask_would_not_be_zero_or_not_be_theirs() {
    assert_eq!(with_layer(|_, y| y), expected(&[("conv", 3)]));
    let kept: [(&str, Then); 9] = [
        ("a logistic function makes 0.5 of zero", |net, y| net.push("then", ops::Logistic, &[y])),
        ("a border that is not zero", |net, y| {
            net.push("then", ops::Pad { pads: vec![[1, 1], [0, 0], [0, 0]], value: 1.0 }, &[y])
        }),
        ("softmax mixes channels", |net, y| net.push("then", ops::Softmax, &[y])),
        ("so does another axis in the last place", |net, y| {
            net.push("then", ops::Transpose { order: vec![0, 2, 1] }, &[y])
        }),
        ("a constant added to all channels", |net, y| {
            let one = net.parameter("one", &[1]);
            net.add("then", y, one, NONE)
        }),
        ("statistics that shift and are no parameters", |net, y| {
            let constants = ["gamma", "beta", "mean", "var"].map(|n| net.graph.buffer(n, &[3], vec![1.0; 3]));
            let norm = Op::from(ops::BatchNorm { epsilon: 1e-3, momentum: 0.1, activation: NONE });
            net.push("then", norm, &[&[y], &constants[..]].concat())
        }),
        ("the input keeps its channels", |net, y| {
            let x = net.graph.inputs[0];
            let x = net.concat("wide", &[x, x]);
            let part = Op::from(ops::Slice { begin: vec![0; 3], size: vec![4, 4, 3], stride: vec![1; 3] });
            let x = net.push("three", part, &[x]);
            net.add("then", y, x, NONE)
        }),
        ("a depthwise layer with two filters a channel", |net, y| {
            let w = net.parameter("w", &[1, 1, 6]);
            net.push("then", ops::DepthwiseConv2d { sliding: Sliding::unit(Padding::Same), activation: NONE }, &[y, w])
        }),
        ("a slice that skips channels", |net, y| {
            net.push("then", ops::Slice { begin: vec![0; 3], size: vec![4, 4, 2], stride: vec![1, 1, 2] }, &[y])
        }),
    ];
    for (why, then) in kept {
        assert_eq!(with_layer(then), [], "{why}");
    }
}

#[test]
fn layers_that_share_weights_keep_their_channels() {
    let mut net = Net::default();
    let x = net.graph.input("x", &[4, 4, 2]);
    let shared = net.parameter("shared", &[3, 1, 1, 2]);
    let op = ops::Conv2d { sliding: Sliding::unit(Padding::Same), activation: NONE };
    let a = net.push("a", op, &[x, shared]);
    let b = net.push("b", op, &[x, shared]);
    let (a, b) = (net.dense("c", a, 3, NONE), net.dense("d", b, 4, NONE));
    let y = net.push("y", ops::Concat { axis: 0 }, &[a, b]);
    let y = net.dense("out", y, 2, NONE);
    assert_eq!(named(&net.done(y)), expected(&[("c", 3), ("d", 4)]));
}

#[test]
fn a_branch_is_a_block_only_if_it_is_nothing_but_zeros_without_its_parameters() {
    let names = |graph: &Graph| blocks(graph).into_iter().map(|block| block.name).collect::<Vec<_>>();
    assert_eq!(names(&resnet8()), ["block1.add"], "the other skips have layers of their own");
    assert_eq!(names(&skips()), ["block1.add", "block2.add", "block3.add", "block4.add"]);
    let outer = |leak: bool, logistic: bool| {
        let mut net = Net::default();
        let x = net.graph.input("x", &[4, 4, 3]);
        let a = net.conv("a", x, 3, [1, 1], NONE);
        let b = net.conv("b", a, 3, [1, 1], NONE);
        let inner = net.add("inner", a, b, NONE);
        let c = net.conv("c", inner, 3, [1, 1], NONE);
        let c = if logistic { net.push("logistic", ops::Logistic, &[c]) } else { c };
        let y = net.add("outer", x, c, NONE);
        let y = if leak { net.concat("leak", &[y, a]) } else { y };
        net.done(y)
    };
    let mut nested = outer(false, false);
    assert_eq!(names(&nested), ["inner"], "the innermost first");
    let inner = blocks(&nested);
    drop_blocks(&mut nested, &inner).expect("is a network");
    assert_eq!(names(&nested), ["outer"]);
    for graph in [outer(true, false), outer(false, true)] {
        let mut graph = graph;
        let inner = blocks(&graph);
        drop_blocks(&mut graph, &inner).expect("is a network");
        assert_eq!(names(&graph), [""; 0]);
    }
}

#[test]
fn dropped_blocks_leave_no_node_and_no_tensor() {
    let mut graph = skips();
    let all = blocks(&graph);
    drop_blocks(&mut graph, &all).expect("is a network");
    let names: Vec<&str> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
    // Additions that clamp remain as clamps.
    assert_eq!(names, ["stem", "stem.norm", "block1.add", "block4.add", "mean", "classifier"]);
    assert!(graph.tensors.iter().all(|t| !t.name.contains("conv") && !t.name.contains("depthwise")));
}

#[test]
fn what_does_not_fit_is_refused_by_the_name_of_the_layer() {
    let mut graph = inception();
    let before = graph.clone();
    let spaces = channel_spaces(&graph);
    for keep in [&[][..], &[1, 1], &[2, 1], &[8]] {
        let error = prune(&mut graph, &[Cut { space: &spaces[0], keep }]).expect_err("cannot be kept");
        assert!(error.to_string().starts_with("`stem`: cannot keep channels"), "{error}");
        assert!(mask(&mut graph, &[Cut { space: &spaces[0], keep }]).is_err());
    }
    assert_eq!(graph, before);
    let cut = [Cut { space: &spaces[0], keep: &[0, 1] }];
    prune(&mut graph, &cut).expect("is a network");
    let error = prune(&mut graph, &cut).expect_err("of another graph");
    assert!(error.to_string().starts_with("`stem`: the channel space is of another graph"), "{error}");
    let mut graph = skips();
    let stale = blocks(&graph);
    drop_blocks(&mut graph, &stale[..1]).expect("is a network");
    let error = drop_blocks(&mut graph, &stale[1..2]).expect_err("of another graph");
    assert!(error.to_string().starts_with("`block2.add` is no block of this graph"), "{error}");
}

#[test]
fn a_channel_costs_what_the_network_is_smaller_by_without_it() {
    for graph in [resnet8(), ds_cnn(), inception(), skips(), gated()] {
        let spaces = channel_spaces(&graph);
        for (space, cost) in spaces.iter().map(|space| (space, channel_cost(&graph, space))) {
            let mut smaller = graph.clone();
            let keep: Vec<usize> = (1..space.channels).collect();
            prune(&mut smaller, &[Cut { space, keep: &keep }]).expect("is a network");
            assert_eq!(cost.macs, graph.macs() - smaller.macs(), "{}", space.name);
            let values = graph.parameter_count() - smaller.parameter_count();
            assert_eq!(cost.parameter_bytes, values * size_of::<f32>(), "{}", space.name);
        }
    }
}

/// Some channels in `3 x 3`, put together at random: sums and products of equals, concatenations, splits, reshapes.
fn random_network(rng: &mut ChaCha8Rng) -> Graph {
    let mut net = Net::default();
    let x = net.graph.input("x", &[3, 3, 2]);
    let mut results = vec![net.conv("first", x, 6, [3, 1], NONE), net.conv("second", x, 4, [1, 1], RELU)];
    for step in 0..14 {
        let name = format!("node{step}");
        let mut below = |n: usize| rng.next_u32() as usize % n;
        let x = results[below(results.len())];
        let c = net.last(x);
        let equals: Vec<TensorId> = results.iter().copied().filter(|&other| net.last(other) == c).collect();
        let other = equals[below(equals.len())];
        let y = match below(12) {
            0 | 1 => net.conv(&name, x, 2 + below(5), [3, 1], NONE),
            // One more of the same kind, so that there are equals.
            2 | 3 => net.conv_norm(&name, results[below(results.len())], c, [1, 1], RELU),
            4 => net.add(&name, x, other, NONE),
            5 => {
                let y = net.push(&name, ops::Mul { activation: NONE }, &[x, other]);
                net.push(&format!("{name}.tanh"), ops::Tanh, &[y])
            }
            6 | 7 => {
                let others = [x, results[below(results.len())], x];
                net.concat(&name, &others[..2 + below(2)])
            }
            8 if c > 1 => {
                let begin = below(c);
                let size = 1 + below(c - begin);
                net.push(
                    &name,
                    ops::Slice { begin: vec![0, 0, begin], size: vec![3, 3, size], stride: vec![1; 3] },
                    &[x],
                )
            }
            9 => {
                let flat = net.push(&name, ops::Reshape { shape: vec![3, 3 * c] }, &[x]);
                net.push(&format!("{name}.back"), ops::Reshape { shape: vec![3, 3, c] }, &[flat])
            }
            10 => net.push(&name, ops::Logistic, &[x]),
            _ => net.depthwise(&name, x, RELU),
        };
        if net.last(y) <= 24 {
            results.push(y);
        }
    }
    let ends: Vec<TensorId> = results[results.len() - 3..].to_vec();
    let y = net.concat("ends", &ends);
    let y = net.dense("hidden", y, 5, RELU);
    let y = net.dense("classifier", y, 4, NONE);
    net.done(y)
}

#[test]
fn networks_put_together_at_random_pruned_compute_what_the_masked_ones_do() {
    let (mut pruned_channels, mut channels) = (0, 0);
    for seed in 0..2 * PRUNINGS {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut masked = random_network(&mut rng);
        randomise(&mut masked, &mut rng);
        let mut pruned = masked.clone();
        let spaces = channel_spaces(&masked);
        let keeps: Vec<Vec<usize>> = spaces.iter().map(|space| some_channels(space.channels, &mut rng)).collect();
        let cuts: Vec<Cut> = spaces.iter().zip(&keeps).map(|(space, keep)| Cut { space, keep }).collect();
        prune(&mut pruned, &cuts).expect("still a network");
        mask(&mut masked, &cuts).expect("fits");
        let x = input(&masked, &mut rng);
        let (a, b) = (masked.predict(&x).expect("runs"), pruned.predict(&x).expect("runs"));
        assert!(a.iter().all(|v| v.is_finite()), "seed {seed}: {a:?}");
        assert_eq!(a, b, "seed {seed}");
        channels += spaces.iter().map(|space| space.channels).sum::<usize>();
        pruned_channels += spaces.iter().zip(&keeps).map(|(space, keep)| space.channels - keep.len()).sum::<usize>();
    }
    assert!(
        channels > 20 * PRUNINGS as usize && pruned_channels > 5 * PRUNINGS as usize,
        "{pruned_channels} of {channels}"
    );
}
