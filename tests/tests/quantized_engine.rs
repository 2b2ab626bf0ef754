//! Training with rounding computes what the exported network does: whole random networks, to the last bit.

use niwaki::engine::{Engine, EngineOf, EngineOptions, Real};
use niwaki::export::export;
use niwaki::graph::{Activation, Graph, GraphError, Op, Padding, Role, Sliding, TensorId};
use niwaki::io::AlignedBytes;
use niwaki::ops;
use niwaki::quantize::{Calibration, Granularity, Precision, Quantize, QuantizeError, Scheme, prepare};
use niwaki_core::num::{dequantize, quantize_i8};
use niwaki_core::{Model, Session};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Random choices.
struct Dice(ChaCha8Rng);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0.next_u32() as usize % n
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn is(&mut self) -> bool {
        self.below(2) == 1
    }

    fn reals(&mut self, len: usize, size: f32) -> Vec<f32> {
        (0..len).map(|_| (self.0.next_u32() as f32 / u32::MAX as f32 * 2.0 - 1.0) * size).collect()
    }

    fn activation(&mut self) -> Activation {
        self.of(&[Activation::None, Activation::Relu, Activation::Relu, Activation::Relu6, Activation::ReluN1To1])
    }
}

/// A network that grows by random operators.
struct Growing {
    graph: Graph,
    dice: Dice,
    count: usize,
}

impl Growing {
    fn push(&mut self, op: impl Into<Op>, inputs: &[TensorId]) -> Result<TensorId, GraphError> {
        self.count += 1;
        let op = op.into();
        let name = format!("{}{}", op.name(), self.count);
        self.graph.push(&name, op, inputs)
    }

    fn shape(&self, id: TensorId) -> [usize; 3] {
        let shape = &self.graph[id].shape;
        [shape[0], shape[1], shape[2]]
    }

    fn constant(&mut self, what: &str, shape: &[usize], size: f32) -> TensorId {
        let values = self.dice.reals(shape.iter().product(), size);
        self.graph.parameter(&format!("{what}{}", self.count), shape, values)
    }

    /// A convolution of any kind with `filters` filters.
    fn conv(&mut self, x: TensorId, filters: usize, stride: usize) -> Result<TensorId, GraphError> {
        let c = self.shape(x)[2];
        let (kernel, size) = (self.dice.of(&[1, 3, 5]), self.dice.of(&[0.1, 0.5, 2.0]));
        let (sliding, activation) = (Sliding::strided(stride, Padding::Same), self.dice.activation());
        let w = self.constant("conv.weight", &[filters, kernel, kernel, c], size);
        let mut inputs = vec![x, w];
        if self.dice.is() {
            inputs.push(self.constant("conv.bias", &[filters], 0.5));
        }
        self.push(ops::Conv2d { sliding, activation }, &inputs)
    }

    fn grow(&mut self, x: TensorId) -> Result<TensorId, GraphError> {
        let [h, w, c] = self.shape(x);
        let (filters, stride) = (1 + self.dice.below(9), 1 + self.dice.below(2));
        let activation = self.dice.activation();
        match self.dice.below(14) {
            0..=2 => self.conv(x, filters, stride),
            3 => {
                let multiplier = 1 + self.dice.below(2);
                let weights = self.constant("depthwise.weight", &[3, 3, c * multiplier], 0.7);
                let bias = self.constant("depthwise.bias", &[c * multiplier], 0.5);
                let sliding = Sliding::strided(stride, Padding::Same);
                self.push(ops::DepthwiseConv2d { sliding, activation }, &[x, weights, bias])
            }
            4 => {
                let kernel = [h.min(2), w.min(2)];
                let sliding = Sliding::strided(stride, Padding::Valid);
                match self.dice.is() {
                    true => self.push(ops::MaxPool2d { kernel, sliding }, &[x]),
                    false => self.push(ops::AveragePool2d { kernel, sliding }, &[x]),
                }
            }
            5 | 6 => {
                let y = self.conv(x, c, 1)?;
                match self.dice.below(3) {
                    0 => self.push(ops::Sub { activation }, &[x, y]),
                    1 => self.push(ops::Mul { activation }, &[x, y]),
                    _ => self.push(ops::Add { activation }, &[x, y]),
                }
            }
            7 => {
                let y = self.conv(x, filters, 1)?;
                self.push(ops::Concat { axis: 2 }, &[y, x])
            }
            8 => {
                let gate = self.push(ops::Logistic, &[x])?;
                self.push(ops::Mul { activation }, &[x, gate])
            }
            9 => {
                let value = self.dice.of(&[0.0, 0.0, 0.75]);
                self.push(ops::Pad { pads: vec![[1, 0], [0, 2], [0, 0]], value }, &[x])
            }
            10 => match self.dice.below(4) {
                0 => self.push(ops::HardSwish, &[x]),
                1 => self.push(ops::LeakyRelu { alpha: 0.125 }, &[x]),
                2 => self.push(ops::Tanh, &[x]),
                _ => self.push(ops::Clamp(activation), &[x]),
            },
            11 => {
                let scale = self.constant("scale", &[c], 1.5);
                match self.dice.is() {
                    true => self.push(ops::Mul { activation }, &[x, scale]),
                    false => self.push(ops::Add { activation }, &[x, scale]),
                }
            }
            12 => {
                let x = self.push(ops::Transpose { order: vec![1, 0, 2] }, &[x])?;
                let (begin, size) = (vec![0, 0, 0], vec![w.div_ceil(2), h, c]);
                self.push(ops::Slice { begin, size, stride: vec![2, 1, 1] }, &[x])
            }
            _ => self.push(ops::ResizeNearest { size: [h + 1, w + 1], grid: Default::default() }, &[x]),
        }
    }

    fn head(&mut self, x: TensorId) -> Result<TensorId, GraphError> {
        let x = match self.dice.below(3) {
            0 => self.push(ops::Mean { axes: vec![0, 1], keep_axes: false }, &[x])?,
            1 => {
                let len = self.graph[x].element_count();
                self.push(ops::Reshape { shape: vec![len] }, &[x])?
            }
            _ => x,
        };
        let (len, outputs) = (self.graph[x].element_count(), 2 + self.dice.below(9));
        let w = self.constant("dense.weight", &[outputs, len], 0.6);
        let bias = self.constant("dense.bias", &[outputs], 0.5);
        let y = self.push(ops::Dense { activation: Activation::None }, &[x, w, bias])?;
        if self.dice.is() { self.push(ops::Softmax, &[y]) } else { Ok(y) }
    }
}

/// A random network; `Err` where its operators do not fit.
fn network(seed: u64) -> Result<Graph, GraphError> {
    let mut growing = Growing { graph: Graph::default(), dice: Dice(ChaCha8Rng::seed_from_u64(seed)), count: 0 };
    let shape = [3 + growing.dice.below(6), 3 + growing.dice.below(6), 1 + growing.dice.below(3)];
    let mut x = growing.graph.input("x", &shape);
    for _ in 0..1 + growing.dice.below(5) {
        x = growing.grow(x)?;
    }
    let y = growing.head(x)?;
    growing.graph.outputs.push(y);
    Ok(growing.graph)
}

fn options(dice: &mut Dice) -> Quantize {
    let weights = dice.of(&[Precision::Int8, Precision::Int4]);
    Quantize {
        weights,
        ends: dice.of(&[Precision::Int8, weights]),
        calibration: dice.of(&Calibration::ALL.map(|(_, c)| c)),
        weight_calibration: dice.of(&[Calibration::MinMax, Calibration::Mse]),
        granularity: dice.of(&[Granularity::Channel, Granularity::Channel, Granularity::Tensor]),
        equalize: dice.is(),
        bias_correction: dice.below(4) == 0,
        lsq: dice.is(),
        ..Quantize::default()
    }
}

/// The float network and its scheme as in the middle of training: every weight and every learned scale has moved since
/// calibration.
fn moved(graph: &Graph, dice: &mut Dice) -> Result<(Graph, Scheme), QuantizeError> {
    let len = graph[graph.inputs[0]].element_count();
    let samples: Vec<Vec<f32>> = (0..4).map(|_| dice.reals(len, 1.0)).collect();
    let samples: Vec<&[f32]> = samples.iter().map(Vec::as_slice).collect();
    let options = options(dice);
    let (mut float, mut scheme) = prepare(graph, &samples, &options)?;
    if options.lsq {
        scheme.learn_steps(&mut float);
    }
    for t in float.tensors.iter_mut().filter(|t| t.role == Role::Parameter) {
        let by = dice.reals(t.element_count(), 0.3);
        let learned = t.name.ends_with(".step");
        for (v, by) in t.f32s_mut().into_iter().flatten().zip(by) {
            *v = if learned { by } else { *v * (1.0 + by) };
        }
    }
    Ok((float, scheme))
}

fn session_codes(file: &AlignedBytes, input: &[i8]) -> Vec<i8> {
    let model = Model::verify(file, niwaki_core::ops::ALL).expect("the exporter verified it");
    let mut arena = AlignedBytes::zeroed(model.arena_bytes());
    let mut session = Session::new(model, &mut arena).expect("the arena is large enough");
    for (to, from) in session.input_bytes_mut(0).iter_mut().zip(input) {
        *to = from.cast_unsigned();
    }
    session.run();
    session.output_bytes(0).iter().map(|b| b.cast_signed()).collect()
}

/// How many outputs of the engine and of the exported file differ, and how many there are.
fn compare<T: Real>(float: &Graph, scheme: &Scheme, dice: &mut Dice) -> (usize, usize) {
    let integer = scheme.apply(float).expect("rounds");
    let (file, _) = export(&integer).expect("exports");
    let batch = 3;
    let mut engine = EngineOf::<T>::new(float, EngineOptions { batch, threads: 1 }).expect("trains");
    engine.quantize(&integer, &scheme.steps(float)).expect("computes in integers");
    let (input, output) = (integer.inputs[0], integer.outputs[0]);
    let len = integer[input].element_count();
    let x = dice.reals(batch * len, 1.4);
    let real: Vec<T> = x.iter().map(|&v| T::from_f32(v)).collect();
    let got = engine.forward(&real, batch).expect("runs").to_vec();
    let of = |id: TensorId| integer[id].quant.clone().expect("int8");
    let (from, to) = (of(input), of(output));
    let want = x.chunks(len).flat_map(|x| {
        let codes: Vec<i8> = x.iter().map(|&v| quantize_i8(v, from.scales[0], from.zero_point)).collect();
        session_codes(&file, &codes)
    });
    let want: Vec<T> = want.map(|c| T::from_f32(dequantize(c, to.scales[0], to.zero_point))).collect();
    assert_eq!(got.len(), want.len());
    (got.iter().zip(&want).filter(|(a, b)| a != b).count(), want.len())
}

#[test]
fn a_thousand_random_networks_are_exported_as_they_were_trained() {
    let (mut networks, mut refused, mut outputs, mut different, mut distinct) = (0, 0, 0, 0, 0);
    let mut operators = std::collections::BTreeMap::new();
    for seed in 0.. {
        if networks == 1000 {
            break;
        }
        let mut dice = Dice(ChaCha8Rng::seed_from_u64(1_000_000 + seed));
        // Some operators do not fit what is there, and some cannot share a quantisation: those are not counted.
        let Some((float, scheme)) = network(seed).ok().and_then(|graph| moved(&graph, &mut dice).ok()) else {
            refused += 1;
            continue;
        };
        networks += 1;
        for node in &float.nodes {
            *operators.entry(node.op.name()).or_insert(0) += 1;
        }
        let (wrong, of) = compare::<f32>(&float, &scheme, &mut dice);
        (different, outputs) = (different + wrong, outputs + of);
        if networks % 10 == 0 {
            let (wrong, of) = compare::<f64>(&float, &scheme, &mut dice);
            (different, outputs) = (different + wrong, outputs + of);
        }
        distinct += usize::from(of > 0);
    }
    println!("{networks} networks ({refused} refused), {outputs} outputs, {different} differ; {operators:?}");
    assert_eq!(different, 0, "of {outputs} outputs");
    assert_eq!(distinct, 1000);
    for op in
        ["conv2d", "depthwise_conv2d", "dense", "add", "sub", "mul", "max_pool2d", "average_pool2d", "mean", "concat"]
    {
        assert!(operators.get(op).is_some_and(|&n| n >= 20), "{op}: {operators:?}");
    }
}

#[test]
fn sums_too_large_for_a_float_run_on_core() {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(5));
    let mut graph = Graph::default();
    let x = graph.input("x", &[1024]);
    // All weights at the largest code and all inputs at one end: 1024 * 127 * 255 > 2^24.
    let w = graph.parameter("w", &[2, 1024], [vec![1.0; 1024], dice.reals(1024, 1.0)].concat());
    let y = graph.push("y", ops::Dense { activation: Activation::None }, &[x, w]).expect("fits");
    graph.outputs.push(y);
    let sample = [vec![1.0; 1023], vec![0.0]].concat();
    let (float, scheme) = prepare(&graph, &[&sample], &Quantize::default()).expect("calibrates");
    let integer = scheme.apply(&float).expect("rounds");
    let mut engine = Engine::new(&float, EngineOptions { batch: 1, threads: 1 }).expect("trains");
    engine.quantize(&integer, &[]).expect("computes in integers");
    assert_eq!(engine.forward(&sample, 1).expect("runs"), integer.predict(&sample).expect("runs"));
    assert_eq!(compare::<f32>(&float, &scheme, &mut dice).0, 0);
}
