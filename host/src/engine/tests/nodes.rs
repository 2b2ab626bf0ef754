//! Gradients against central differences, outputs against the graph's own evaluation, bits against thread counts.

use crate::engine::{EngineOf, EngineOptions, NodeTeacher, Objective, Randomness, Real, softmax};
use crate::graph::{Activation, Adjacency, Features, Graph, Op, Padding, Propagation, Sliding, TensorId, Worth};
use crate::ops;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use std::sync::Arc;

/// The one table of tolerances: all are relative to the largest magnitude of what is compared.
mod tolerance {
    /// Step of the central differences in f64: so short that none straddles a rectifier's kink; rounding stays near 1e-9.
    pub(super) const DIFFERENCE_STEP: f64 = 1e-7;
    /// Gradient of the f64 engine against f64 central differences.
    pub(super) const GRADIENT: f64 = 1e-7;
    /// Outputs of the f32 engine against the same sums in another order.
    pub(super) const F32_OUTPUT: f64 = 1e-5;
}

const NODES: usize = 23;
const FEATURES: usize = 9;
const CLASSES: usize = 4;
const STEP: Randomness = Randomness { seed: 5, step: 3 };

struct Net {
    graph: Graph,
    rng: ChaCha8Rng,
    adjacency: Arc<Adjacency>,
}

impl Net {
    fn new(seed: u64, symmetric: bool) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut edges = Vec::new();
        for _ in 0..40 {
            // Node 0 stays alone, and some edges are self loops.
            let [u, v] = [0; 2].map(|_| 1 + rng.next_u32() % (NODES as u32 - 1));
            edges.push((u, v));
            if symmetric {
                edges.push((v, u));
            }
        }
        let adjacency = Arc::new(Adjacency::from_edges(NODES, edges).expect("in range"));
        Self { graph: Graph::default(), rng, adjacency }
    }

    fn parameter(&mut self, name: &str, shape: &[usize]) -> TensorId {
        let len = shape.iter().product();
        let values = (0..len).map(|_| (self.rng.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0).collect();
        self.graph.parameter(name, shape, values)
    }

    fn push(&mut self, op: impl Into<Op>, inputs: &[TensorId]) -> TensorId {
        let op = op.into();
        let name = format!("{}{}", op.name(), self.graph.nodes.len());
        self.graph.push(&name, op, inputs).expect("the test's shapes fit")
    }

    fn features(&mut self, width: usize, activation: Activation) -> TensorId {
        let (mut offsets, mut columns, mut values) = (vec![0], Vec::new(), Vec::new());
        for node in 0..NODES {
            columns.extend((0..FEATURES as u32).filter(|f| (node as u32 * 7 + f * 5).is_multiple_of(4)));
            offsets.push(columns.len() as u32);
        }
        values.extend((0..columns.len()).map(|at| 0.5 + at as f32 % 3.0));
        let features = Features::try_new(offsets, columns, FEATURES, Worth::Each(values)).expect("rows rise");
        let (w, bias) =
            (self.parameter("features.weight", &[FEATURES, width]), self.parameter("features.bias", &[width]));
        self.push(ops::SparseDense { features: Arc::new(features), activation }, &[w, bias])
    }

    fn linear(&mut self, x: TensorId, outputs: usize, activation: Activation) -> TensorId {
        let inputs = self.graph[x].shape[2];
        let name = format!("linear{}", self.graph.nodes.len());
        let w = self.parameter(&format!("{name}.weight"), &[outputs, 1, 1, inputs]);
        let bias = self.parameter(&format!("{name}.bias"), &[outputs]);
        self.push(ops::Conv2d { sliding: Sliding::unit(Padding::Valid), activation }, &[x, w, bias])
    }

    fn propagate(&mut self, rule: Propagation, x: TensorId, activation: Activation) -> TensorId {
        let channels = self.graph[x].shape[2];
        let name = format!("rule{}", self.graph.nodes.len());
        let more = match rule {
            Propagation::Gcn | Propagation::Mean => vec![],
            Propagation::Sum => vec![self.parameter(&format!("{name}.eps"), &[1])],
            Propagation::Attention { .. } => vec![
                self.parameter(&format!("{name}.source"), &[channels]),
                self.parameter(&format!("{name}.target"), &[channels]),
            ],
        };
        let op = ops::Propagate { adjacency: self.adjacency.clone(), rule, activation };
        self.push(op, &[&[x], &more[..]].concat())
    }

    fn finish(mut self, x: TensorId) -> Graph {
        self.graph.outputs.push(x);
        self.graph
    }
}

/// One network with everything in it around `rule`.
fn network(rule: Propagation, symmetric: bool) -> Graph {
    let mut net = Net::new(11, symmetric);
    let x = net.features(20, Activation::Relu);
    let x = net.push(ops::Dropout { rate: 0.3 }, &[x]);
    let x = net.propagate(rule, x, Activation::Relu6);
    let h = net.push(ops::Dropout { rate: 0.5 }, &[x]);
    let a = net.linear(h, CLASSES, Activation::None);
    let b = net.linear(x, CLASSES, Activation::None);
    let b = net.propagate(Propagation::Gcn, b, Activation::None);
    let b = net.push(ops::Clamp(Activation::Relu), &[b]);
    let sum = net.push(ops::Add { activation: Activation::None }, &[a, b]);
    let half = net.graph.buffer("half", &[1], vec![0.5]);
    let y = net.push(ops::Mul { activation: Activation::None }, &[sum, half]);
    net.finish(y)
}

/// A network whose first layer is computed block by block, by two heads, over more channels than a block has.
fn blocked(rule: Propagation) -> Graph {
    let mut net = Net::new(11, false);
    let features = Features::try_new(
        (0..=NODES as u32).collect(),
        (0..NODES as u32).map(|node| node % FEATURES as u32).collect(),
        FEATURES,
        Worth::Ones,
    );
    let w = net.parameter("w", &[FEATURES, 72]);
    let op = ops::SparseDense { features: Arc::new(features.expect("one each")), activation: Activation::None };
    let x = net.push(op, &[w]);
    let x = net.propagate(rule, x, Activation::Relu);
    let a = net.push(ops::Dropout { rate: 0.5 }, &[x]);
    let a = net.linear(a, CLASSES, Activation::Relu);
    let a = net.propagate(Propagation::Gcn, a, Activation::None);
    let b = net.linear(x, CLASSES, Activation::None);
    let y = net.push(ops::Add { activation: Activation::None }, &[a, b]);
    let bias = net.parameter("bias", &[CLASSES]);
    let y = net.push(ops::Add { activation: Activation::None }, &[y, bias]);
    net.finish(y)
}

/// A network of every operator, and one with a wide first layer.
fn networks(rule: Propagation, symmetric: bool) -> [Graph; 2] {
    [network(rule, symmetric), blocked(rule)]
}

const RULES: [Propagation; 4] =
    [Propagation::Gcn, Propagation::Sum, Propagation::Mean, Propagation::Attention { heads: 4, slope: 0.2 }];

fn engine<T: Real>(graph: &Graph, threads: usize) -> EngineOf<T> {
    EngineOf::new(graph, EngineOptions { batch: 1, threads }).expect("the test's graph can be trained")
}

fn relative_error(got: &[f64], want: &[f64]) -> f64 {
    let magnitude = want.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    got.iter().zip(want).fold(0.0, |m: f64, (g, w)| m.max((g - w).abs())) / magnitude
}

fn labels() -> Vec<u32> {
    (0..NODES as u32).map(|node| node * 7 % CLASSES as u32).collect()
}

fn teacher() -> Vec<f64> {
    let odd = |node: usize, class: usize| 1.0 + ((node * 5 + class * 3) % 7) as f64;
    let rows = (0..NODES).flat_map(|node| {
        let sum: f64 = (0..CLASSES).map(|class| odd(node, class)).sum();
        (0..CLASSES).map(move |class| odd(node, class) / sum)
    });
    rows.collect()
}

#[test]
fn gradients_are_the_differences_of_the_loss() {
    let (labels, teacher) = (labels(), teacher());
    let rows = [1, 4, 5, 9, 17, 22];
    let taught = NodeTeacher { probabilities: &teacher, weight: 3.0 };
    for rule in RULES {
        let cases = [(true, None), (false, Some(taught))];
        let cases = cases
            .into_iter()
            .flat_map(|(symmetric, teacher)| networks(rule, symmetric).map(|graph| (symmetric, teacher, graph)));
        for (symmetric, teacher, graph) in cases {
            let objective = Objective { labels: &labels, rows: &rows, teacher };
            let mut engine = engine::<f64>(&graph, 1);
            engine.loss_and_gradients_of_nodes(&objective, STEP).expect("fits");
            let gradients = engine.gradients().to_vec();
            let mut loss_at = |at: usize, step: f64| {
                engine.values_mut()[at] += step;
                let loss = engine.loss_and_gradients_of_nodes(&objective, STEP).expect("fits").mean;
                engine.values_mut()[at] -= step;
                loss
            };
            let step = tolerance::DIFFERENCE_STEP;
            let differences: Vec<f64> =
                (0..gradients.len()).map(|at| (loss_at(at, step) - loss_at(at, -step)) / (2.0 * step)).collect();
            let error = relative_error(&gradients, &differences);
            assert!(error < tolerance::GRADIENT, "{rule:?}, symmetric: {symmetric}: {error}");
        }
    }
}

#[test]
fn gradients_of_edge_weights_are_the_differences_of_the_loss() {
    let labels = labels();
    let rows = [1, 4, 5, 9, 17, 22];
    let objective = Objective { labels: &labels, rows: &rows, teacher: None };
    let mut net = Net::new(11, true);
    let x = net.features(20, Activation::None);
    let x = net.propagate(Propagation::Gcn, x, Activation::Relu);
    let x = net.linear(x, CLASSES, Activation::None);
    let x = net.propagate(Propagation::Gcn, x, Activation::None);
    let graph = net.finish(x);
    let mut engine = engine::<f64>(&graph, 1);
    let edges = Net::new(11, true).adjacency;
    let others = edges.edges() - edges.csr().self_loops();
    assert!(engine.set_edge_mask(Some(vec![1.0; others + 1])).is_err());
    engine.set_edge_mask(Some((0..others).map(|at| 0.5 + at as f64 / others as f64).collect())).expect("one an edge");
    engine.loss_and_gradients_of_nodes(&objective, STEP).expect("fits");
    let gradients = engine.edge_mask().expect("set").gradients.clone();
    let step = tolerance::DIFFERENCE_STEP;
    let mut loss_at = |at: usize, step: f64| {
        engine.edge_mask().expect("set").values[at] += step;
        let loss = engine.loss_and_gradients_of_nodes(&objective, STEP).expect("fits").mean;
        engine.edge_mask().expect("set").values[at] -= step;
        loss
    };
    let differences: Vec<f64> = (0..others).map(|at| (loss_at(at, step) - loss_at(at, -step)) / (2.0 * step)).collect();
    let error = relative_error(&gradients, &differences);
    assert!(error < tolerance::GRADIENT, "{error}");
}

#[test]
fn inference_is_what_the_definitions_evaluate() {
    for (rule, graph) in RULES.into_iter().flat_map(|rule| networks(rule, false).map(|graph| (rule, graph))) {
        let expected: Vec<f64> = graph.predict(&[]).expect("evaluates").into_iter().map(f64::from).collect();
        let got: Vec<f64> =
            engine::<f32>(&graph, 1).logits(&[], 1).expect("fits").iter().map(|y| f64::from(*y)).collect();
        let error = relative_error(&got, &expected);
        assert!(error < tolerance::F32_OUTPUT, "{rule:?}: {error}");
    }
}

#[test]
fn a_step_has_the_same_bits_for_any_number_of_threads_and_after_an_inference() {
    let labels = labels();
    let objective = Objective { labels: &labels, rows: &[2, 3, 8], teacher: None };
    for (rule, graph) in RULES.into_iter().flat_map(|rule| networks(rule, true).map(|graph| (rule, graph))) {
        let bits = |threads: usize, look: bool| {
            let mut engine = engine::<f32>(&graph, threads);
            if look {
                engine.logits(&[], 1).expect("fits");
            }
            engine.loss_and_gradients_of_nodes(&objective, STEP).expect("fits");
            engine.gradients().iter().map(|g| g.to_bits()).collect::<Vec<_>>()
        };
        assert!(bits(1, false) == bits(3, true), "{rule:?}");
    }
}

#[test]
fn a_student_that_answers_as_its_teacher_learns_nothing_from_it() {
    let mut net = Net::new(11, true);
    let x = net.features(CLASSES, Activation::None);
    let y = net.propagate(Propagation::Gcn, x, Activation::None);
    let graph = net.finish(y);
    let mut engine = engine::<f64>(&graph, 1);
    let mut answers = vec![0.0; NODES * CLASSES];
    softmax(CLASSES, engine.logits(&[], 1).expect("fits"), &mut answers);
    let teacher = Some(NodeTeacher { probabilities: &answers, weight: 10.0 });
    let loss = engine
        .loss_and_gradients_of_nodes(&Objective { labels: &labels(), rows: &[], teacher }, STEP)
        .expect("fits")
        .mean;
    assert_eq!((loss, engine.gradients().iter().all(|g| *g == 0.0)), (0.0, true));
}

#[test]
fn a_final_softmax_is_part_of_the_loss_over_nodes_too() {
    let (labels, rows) = (labels(), [2, 3, 8]);
    let objective = Objective { labels: &labels, rows: &rows, teacher: None };
    let gradients = |head: bool| {
        let mut net = Net::new(11, true);
        let x = net.features(CLASSES, Activation::None);
        let y = net.propagate(Propagation::Gcn, x, Activation::None);
        let y = if head { net.push(ops::Softmax, &[y]) } else { y };
        let mut engine = engine::<f64>(&net.finish(y), 1);
        let loss = engine.loss_and_gradients_of_nodes(&objective, STEP).expect("fits");
        (loss, engine.gradients().to_vec())
    };
    assert_eq!(gradients(true), gradients(false));
}

#[test]
fn what_cannot_be_trained_over_nodes_is_refused_by_name() {
    let refusal = |graph: &Graph| {
        EngineOf::<f32>::new(graph, EngineOptions { batch: 1, threads: 1 }).err().expect("refused").to_string()
    };
    let mut net = Net::new(1, true);
    let x = net.features(CLASSES, Activation::None);
    let Some(op) = net.graph.nodes[0].op.get::<ops::SparseDense>().cloned() else { panic!("the features come first") };
    let w = net.graph.nodes[0].inputs[0];
    let again = net.push(op, &[w]);
    let y = net.push(ops::Add { activation: Activation::None }, &[x, again]);
    let refused = refusal(&net.finish(y));
    assert!(refused.contains("its weights may not be shared"), "{refused}");
    let mut net = Net::new(1, true);
    let x = net.features(CLASSES, Activation::None);
    let w = net.parameter("wide", &[CLASSES, 3, 1, CLASSES]);
    let y = net.push(ops::Conv2d { sliding: Sliding::unit(Padding::Same), activation: Activation::None }, &[x, w]);
    let refused = refusal(&net.finish(y));
    assert!(refused.contains("1x1 taps"), "{refused}");
    let labels = labels();
    let wrong = Objective { labels: &labels, rows: &[99], teacher: None };
    let mut engine = engine::<f32>(&network(Propagation::Gcn, true), 1);
    assert!(engine.loss_and_gradients_of_nodes(&wrong, STEP).is_err());
    assert!(engine.gradients_from(&[0.0; NODES * CLASSES]).expect_err("refused").to_string().contains("dropout"));
}
