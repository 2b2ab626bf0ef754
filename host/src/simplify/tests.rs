//! Every pass finds what it is for and changes no byte, on random int8 networks run by the reference kernels.

use super::*;
use crate::graph::eval::Value;
use crate::graph::{Activation, Data, Op, Padding, Quant, Sliding};
use crate::ops;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// A network that grows at its end, with the share of filters that are zero.
struct Net {
    graph: Graph,
    rng: ChaCha8Rng,
    end: TensorId,
    /// Of 8 filters, how many are zero.
    dead: u32,
}

impl Net {
    fn new(seed: u64, shape: &[usize], dead: u32) -> Self {
        let mut graph = Graph::default();
        let end = graph.input("x", shape);
        graph.quantise(end, Quant { scales: vec![0.05], zero_point: -9, axis: None });
        Self { graph, rng: ChaCha8Rng::seed_from_u64(seed), end, dead }
    }

    fn below(&mut self, n: u32) -> u32 {
        self.rng.next_u32() % n
    }

    /// A per-tensor quantisation; often the one of values that are never negative.
    fn quant(&mut self, scale: f32) -> Quant {
        let zero_point = if self.below(2) == 0 { -128 } else { self.below(256) as i32 - 128 };
        Quant { scales: vec![scale], zero_point, axis: None }
    }

    fn push(&mut self, op: impl Into<Op>, inputs: &[TensorId], quant: Quant) -> TensorId {
        let name = format!("node{}", self.graph.nodes.len());
        self.end = self.graph.push(&name, op, inputs).expect("fits");
        self.graph.quantise(self.end, quant);
        self.end
    }

    /// An operator that hands its operand's quantisation on.
    fn same(&mut self, op: impl Into<Op>) -> TensorId {
        let quant = self.graph[self.end].quant.clone().expect("quantised");
        self.push(op, &[self.end], quant)
    }

    /// A weighted operator whose weights have `shape` and their channels along `axis`.
    fn weighted(&mut self, op: impl Into<Op>, shape: &[usize], axis: usize) -> TensorId {
        let (len, channels): (usize, usize) = (shape.iter().product(), shape[axis]);
        let zero: Vec<bool> = (0..channels).map(|_| self.below(8) < self.dead).collect();
        let inner: usize = shape[axis + 1..].iter().product();
        let weights: Vec<i8> =
            (0..len).map(|i| if zero[i / inner % channels] { 0 } else { self.rng.next_u32() as i8 / 2 }).collect();
        let bias = (0..channels).map(|_| self.below(6000) as i32 - 3000).collect();
        let n = self.graph.nodes.len();
        let w = self.graph.constant(&format!("node{n}.weight"), shape, Data::I8(weights));
        let scales: Vec<f32> = (0..channels).map(|_| 0.01 + self.below(100) as f32 / 5000.0).collect();
        self.graph[w].quant = Some(Quant { scales, zero_point: 0, axis: Some(axis) });
        let b = self.graph.constant(&format!("node{n}.bias"), &[channels], Data::I32(bias));
        let in_scale = self.graph[self.end].quant.as_ref().expect("quantised").scales[0];
        let quant = self.quant(in_scale * (len / channels) as f32 / 5.0);
        self.push(op, &[self.end, w, b], quant)
    }

    fn activation(&mut self) -> Activation {
        [Activation::None, Activation::Relu, Activation::Relu6][self.below(3) as usize]
    }

    fn conv(&mut self, outputs: usize, kernel: usize, padding: Padding) -> TensorId {
        let channels = self.graph[self.end].shape[2];
        let op = ops::Conv2d { sliding: Sliding::unit(padding), activation: self.activation() };
        self.weighted(op, &[outputs, kernel, kernel, channels], 0)
    }

    fn depthwise(&mut self, padding: Padding) -> TensorId {
        let channels = self.graph[self.end].shape[2];
        let op = ops::DepthwiseConv2d { sliding: Sliding::unit(padding), activation: self.activation() };
        self.weighted(op, &[3, 3, channels], 2)
    }

    fn dense(&mut self, outputs: usize) -> TensorId {
        let len = self.graph[self.end].element_count();
        self.weighted(ops::Dense { activation: Activation::None }, &[outputs, len], 0)
    }

    fn done(mut self) -> Graph {
        self.graph.outputs.push(self.end);
        self.graph.validate().expect("is a network");
        self.graph
    }
}

/// The bytes of the outputs for random inputs.
fn answers(graph: &Graph) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let len = graph[graph.inputs[0]].element_count();
    let answer = |_| {
        let x: Vec<f32> = (0..len).map(|_| (rng.next_u32() % 4001) as f32 / 200.0 - 10.0).collect();
        let values = graph.evaluate(&x).expect("runs");
        let bytes = |id: &TensorId| values[id.0].as_ref().map(Value::to_bytes).expect("is written");
        graph.outputs.iter().flat_map(bytes).collect::<Vec<u8>>()
    };
    (0..6).flat_map(answer).collect()
}

fn simplified(graph: &Graph) -> Graph {
    let small = simplify(graph).expect("simplifies");
    assert_eq!(answers(graph), answers(&small));
    small
}

fn names(graph: &Graph) -> Vec<&'static str> {
    graph.nodes.iter().map(|n| n.op.name()).collect()
}

/// A chain as of a small MobileNet, with a branch that is added and a flattening.
fn random_network(seed: u64, dead: u32) -> Graph {
    let mut net = Net::new(seed, &[6, 5, 3], dead);
    let padding = |net: &mut Net| if net.below(2) == 0 { Padding::Same } else { Padding::Valid };
    let first = padding(&mut net);
    net.conv(8, 3, first);
    net.depthwise(Padding::Same);
    let a = net.conv(9, 1, Padding::Same);
    let second = padding(&mut net);
    net.conv(9, 3, Padding::Same);
    let b = net.depthwise(Padding::Same);
    let quant = net.quant(0.3);
    net.push(ops::Add { activation: Activation::Relu }, &[a, b], quant);
    net.same(ops::Clamp(Activation::Relu6));
    match net.below(4) {
        0 => net.same(ops::LeakyRelu { alpha: 0.1 }),
        1 => net.same(ops::HardSwish),
        2 => net.same(ops::Pad { pads: vec![[1, 0], [0, 1], [0, 0]], value: 0.0 }),
        _ => net.end,
    };
    net.conv(7, 2, second);
    match net.below(3) {
        0 => net.same(ops::MaxPool2d { kernel: [2, 2], sliding: Sliding::unit(Padding::Same) }),
        1 => net.same(ops::AveragePool2d { kernel: [2, 1], sliding: Sliding::unit(Padding::Same) }),
        _ => {
            let quant = net.quant(0.1);
            net.push(ops::Mean { axes: vec![0, 1], keep_axes: false }, &[net.end], quant)
        }
    };
    let len = net.graph[net.end].element_count();
    net.same(ops::Reshape { shape: vec![1, len] });
    net.same(ops::Reshape { shape: vec![len] });
    net.dense(6);
    net.dense(4);
    net.done()
}

#[test]
fn random_networks_answer_the_same_bytes_with_fewer_macs() {
    for seed in 0..60 {
        let graph = random_network(seed, seed as u32 % 8);
        let small = simplified(&graph);
        assert!(small.macs() <= graph.macs());
        if seed % 8 > 4 {
            assert!(small.macs() * 4 < graph.macs() * 3, "seed {seed}: {} of {} MACs", small.macs(), graph.macs());
        }
    }
}

#[test]
fn a_network_without_dead_channels_stays_as_it_is() {
    let mut net = Net::new(3, &[5, 5, 2], 0);
    net.conv(6, 3, Padding::Same);
    net.depthwise(Padding::Same);
    net.conv(4, 1, Padding::Same);
    let graph = net.done();
    assert_eq!(simplify(&graph).expect("simplifies"), graph);
}

#[test]
fn a_dead_channel_is_folded_into_the_bias_behind_a_depthwise_layer() {
    let mut net = Net::new(5, &[4, 4, 3], 0);
    net.conv(5, 1, Padding::Same);
    let conv = net.graph.nodes[0].clone();
    // Filter 2 is zero, and its bias comes out as the code of zero, so that the padded border is no exception.
    let Some(Data::I8(w)) = &mut net.graph[conv.inputs[1]].data else { panic!("int8") };
    w[6..9].fill(0);
    let Some(Data::I32(b)) = &mut net.graph[conv.inputs[2]].data else { panic!("int32") };
    b[2] = 0;
    let y = net.depthwise(Padding::Same);
    net.graph[y].quant.as_mut().expect("quantised").zero_point = -20;
    let Some(Data::I32(b)) = &mut net.graph.nodes[1].inputs.get(2).and_then(|&b| net.graph.tensors[b.0].data.as_mut())
    else {
        panic!("int32")
    };
    b[2] = 3000;
    net.conv(4, 1, Padding::Same);
    let graph = net.done();
    let small = simplified(&graph);
    let channels: Vec<usize> = small.nodes.iter().map(|n| small[n.output].shape[2]).collect();
    assert_eq!(channels, [4, 4, 4], "was 5, 5, 4");
    let bias = |g: &Graph| g[g.nodes[2].inputs[2]].data.clone();
    assert_ne!(bias(&graph), bias(&small), "the depthwise bias of the channel moves on");
    assert_eq!(small[small.nodes[0].inputs[1]].quant.as_ref().map(|q| q.scales.len()), Some(4));
}

#[test]
fn a_constant_that_a_padded_filter_cuts_at_the_border_stays() {
    let mut net = Net::new(5, &[4, 4, 3], 0);
    net.conv(5, 1, Padding::Same);
    let conv = net.graph.nodes[0].clone();
    let Some(Data::I8(w)) = &mut net.graph[conv.inputs[1]].data else { panic!("int8") };
    w[6..9].fill(0);
    let Some(Data::I32(b)) = &mut net.graph[conv.inputs[2]].data else { panic!("int32") };
    b[2] = 2000;
    net.graph[conv.output].quant = Some(Quant { scales: vec![0.05], zero_point: -100, axis: None });
    net.conv(4, 3, Padding::Same);
    let small = simplified(&net.done());
    assert_eq!(small[small.nodes[0].output].shape[2], 5);
}

#[test]
fn channels_that_a_residual_addition_needs_stay() {
    for seed in 0..10 {
        let mut net = Net::new(seed, &[4, 4, 6], 0);
        let input = net.end;
        net.dead = 7;
        let dead = net.conv(6, 3, Padding::Same);
        let quant = net.quant(0.4);
        net.push(ops::Add { activation: Activation::None }, &[input, dead], quant);
        net.dead = 0;
        net.conv(2, 1, Padding::Same);
        let small = simplified(&net.done());
        assert_eq!(small[small.nodes[0].output].shape, [4, 4, 6], "the other operand is the network's input");
    }
}

#[test]
fn identities_and_chains_of_reshapes_go() {
    let mut net = Net::new(1, &[4, 4, 2], 0);
    net.same(ops::Reshape { shape: vec![4, 4, 2] });
    net.conv(3, 1, Padding::Same);
    net.same(ops::Clamp(Activation::None));
    net.same(ops::Reshape { shape: vec![16, 3] });
    net.same(ops::Reshape { shape: vec![2, 24] });
    net.same(ops::Reshape { shape: vec![48] });
    net.dense(3);
    net.same(ops::Reshape { shape: vec![3] });
    assert_eq!(names(&simplified(&net.done())), ["conv2d", "dense"]);
}

#[test]
fn a_clamp_moves_into_the_operator_before_it_unless_it_rescales() {
    let mut net = Net::new(2, &[4, 4, 2], 0);
    net.weighted(ops::Conv2d { sliding: Sliding::unit(Padding::Same), activation: Activation::Relu }, &[3, 1, 1, 2], 0);
    net.same(ops::Clamp(Activation::Relu6));
    net.weighted(ops::Conv2d { sliding: Sliding::unit(Padding::Same), activation: Activation::None }, &[3, 1, 1, 3], 0);
    let quant = Quant { scales: vec![0.123], zero_point: 3, axis: None };
    net.push(ops::Clamp(Activation::Relu), &[net.end], quant);
    let small = simplified(&net.done());
    assert_eq!(names(&small), ["conv2d", "conv2d", "relu"]);
    assert_eq!(small.nodes[0].op.get::<ops::Conv2d>().map(|conv| conv.activation), Some(Activation::Relu6));
}

#[test]
fn a_border_of_zeros_becomes_padding_and_another_one_stays() {
    let sliding = Sliding::strided(2, Padding::Valid);
    let pads = vec![[1, 0], [0, 1], [0, 0]];
    for (value, expected) in [(0.0, vec!["conv2d"]), (0.5, vec!["pad", "conv2d"])] {
        let mut net = Net::new(4, &[5, 6, 2], 0);
        net.same(ops::Pad { pads: pads.clone(), value });
        net.weighted(ops::Conv2d { sliding, activation: Activation::None }, &[3, 3, 3, 2], 0);
        assert_eq!(names(&simplified(&net.done())), expected, "border of {value}");
    }
    let mut net = Net::new(4, &[5, 6, 2], 0);
    net.same(ops::Pad { pads, value: 0.0 });
    net.same(ops::AveragePool2d { kernel: [2, 2], sliding });
    assert_eq!(names(&simplified(&net.done())), ["pad", "average_pool2d"], "a mean counts the taps of the border");
}

#[test]
fn codes_that_were_real_values_in_between_stay_codes() {
    let mut net = Net::new(6, &[4, 4, 2], 0);
    net.conv(3, 1, Padding::Same);
    let quant = net.graph[net.end].quant.clone().expect("quantised");
    let other = Quant { scales: vec![quant.scales[0] * 1.1], ..quant.clone() };
    for (again, expected) in
        [(quant, vec!["conv2d", "conv2d"]), (other, vec!["conv2d", "dequantize", "quantize", "conv2d"])]
    {
        let mut net = Net { graph: net.graph.clone(), rng: net.rng.clone(), ..net };
        let real = net.graph.push("real", ops::Dequantize, &[net.end]).expect("fits");
        net.push(ops::Quantize, &[real], again);
        net.conv(2, 1, Padding::Same);
        assert_eq!(names(&simplified(&net.done())), expected);
    }
}

#[test]
fn nodes_of_constants_become_constants_and_unread_nodes_go() {
    let mut graph = Graph::default();
    let x = graph.input("x", &[4]);
    let a = graph.parameter("a", &[2, 2], vec![1.0, -2.0, 3.0, 4.0]);
    let a = graph.push("flat", ops::Reshape { shape: vec![4] }, &[a]).expect("fits");
    let a = graph.push("relu", ops::Clamp(Activation::Relu), &[a]).expect("fits");
    graph.push("unread", ops::Clamp(Activation::Relu), &[x]).expect("fits");
    let y = graph.push("add", ops::Add { activation: Activation::None }, &[x, a]).expect("fits");
    graph.outputs.push(y);
    let small = simplify(&graph).expect("simplifies");
    assert_eq!(names(&small), ["add"]);
    assert_eq!(small[small.nodes[0].inputs[1]].f32s(), Some(&[1.0, 0.0, 3.0, 4.0][..]));
}

#[test]
fn dead_channels_leave_a_concatenation_and_its_reader() {
    for seed in 0..8 {
        let mut net = Net::new(seed, &[4, 4, 3], 3);
        let x = net.end;
        let quant = Quant { scales: vec![0.1], zero_point: -7, axis: None };
        let branch = |net: &mut Net, filters: usize| {
            net.end = x;
            let y = net.conv(filters, 1, Padding::Same);
            net.graph[y].quant = Some(quant.clone());
            y
        };
        let (a, b) = (branch(&mut net, 5), branch(&mut net, 6));
        let y = net.push(ops::Concat { axis: 2 }, &[a, b], quant.clone());
        net.dead = 0;
        net.conv(4, 1, Padding::Same);
        net.graph.outputs.push(net.end);
        let alive = |graph: &Graph, n: usize| {
            let Some(Data::I8(w)) = &graph[graph.nodes[n].inputs[1]].data else { panic!("int8") };
            w.chunks_exact(3).filter(|filter| filter.iter().any(|&w| w != 0)).count().max(1)
        };
        let small = simplified(&net.graph);
        assert_eq!(net.graph[y].shape[2], 11);
        assert_eq!(small[small.nodes[2].output].shape[2], alive(&net.graph, 0) + alive(&net.graph, 1), "seed {seed}");
    }
}
