//! Layers of groups against the tensors that they are made of, the choice of groups against its budget, and the WGSEF step.

use super::alive::Alive;
use super::allocate::{Global, Ranking, Spread, Uniform, choose, count};
use super::channels::channel_spaces;
use super::cost::{Meter, group_weights, macs};
use super::method::{AdamMetric, Moment, Prox, Stage, Start};
use super::options::{Allocation, Budget, GroupKind, GroupWeights, Method, Metric, Sparsity, Unit};
use super::parameter_groups::{KeptGroups, ParameterGroups};
use super::start;
use super::{SparsifyError, method};
use crate::engine::{Engine, EngineOptions, Slots};
use crate::graph::Graph;
use crate::zoo;
use std::collections::HashMap;

const NETWORKS: [(&str, [usize; 3]); 3] =
    [("small-cnn", [8, 8, 1]), ("ds-cnn", [13, 8, 1]), ("tiny-resnet", [7, 7, 2])];

fn network(name: &str, input: [usize; 3]) -> (Graph, Engine) {
    let graph = zoo::by_name(name).expect("in the zoo").build(&input, 4, 1).expect("fits");
    let engine = Engine::new(&graph, EngineOptions { batch: 1, threads: 1 }).expect("trains");
    (graph, engine)
}

fn layers(graph: &Graph, engine: &Engine, groups: GroupKind) -> ParameterGroups {
    let options = Sparsity { groups, ..Sparsity::default() };
    ParameterGroups::new(graph, engine.parameters(), &options).expect("has groups")
}

/// Says that a network costs three instructions a multiply-accumulate.
struct Triple;

impl Meter for Triple {
    fn total(&mut self, graph: &Graph, _: Unit) -> Result<f64, String> {
        Ok(3.0 * macs(graph))
    }

    fn instructions(&mut self, graph: &Graph) -> Result<HashMap<String, f64>, String> {
        Ok(graph.nodes.iter().map(|n| (n.name.clone(), 3.0 * graph.node_macs(n) as f64)).collect())
    }
}

/// Takes one ramp step of `options.method` with every gradient zero.
fn step(options: &Sparsity, graph: &Graph, layers: &mut ParameterGroups, values: &mut [f32], v: &[f32], prox: Prox) {
    let kept = layers.all().iter().map(|all| all[..count(all.len(), options.keep)].to_vec()).collect();
    let weights: Vec<Vec<f64>> = layers.list.iter().map(|f| vec![1.0; f.groups]).collect();
    let adam = Some(AdamMetric { beta2: 0.0, epsilon: 0.0 });
    let from = Start { graph, layers, values, kept: &kept, weights: &weights, prox, adam };
    let mut method = start(options, from).expect("starts").expect("a method");
    let mut alive = Alive::new(layers, layers.all()).expect("fits");
    let mut gradients = vec![0.0; values.len()];
    let mut slots = Slots::with_values([("v".into(), v.to_vec())]);
    let at = Moment { epoch: 0, epochs: 1, step: 1, steps: 10, lr: 0.5, lambda: options.lambda, half_space: false };
    let mut stage = Stage { layers, values, gradients: &mut gradients, slots: &mut slots, alive: &mut alive, at };
    assert_eq!(method.before_step(&mut stage).expect("runs"), method::Update::Optimizer);
    method.after_step(&mut stage).expect("runs");
}

fn wgsef(keep: f64, lambda: f64) -> Sparsity {
    Sparsity { method: Method::Wgsef, keep, lambda, ..Sparsity::default() }
}

#[test]
fn every_parameter_of_a_space_is_scaled_once_and_nothing_else_changes() {
    for (name, input) in NETWORKS {
        let (graph, engine) = network(name, input);
        let mut layers = layers(&graph, &engine, GroupKind::Filter);
        let mut values = vec![1.0; engine.values().len()];
        let v = vec![0.0; values.len()];
        // All groups stay, so that the prox is ridge: one factor, 1 / (1 + lr lambda), for every member of a group.
        step(&wgsef(1.0, 0.5), &graph, &mut layers, &mut values, &v, Prox::Cpu);
        let spaces = channel_spaces(&graph);
        for parameter in engine.parameters() {
            let member = spaces.iter().any(|s| s.parameters(&graph).any(|m| m.tensor == parameter.tensor));
            let want = if member { 1.0 / 1.25 } else { 1.0 };
            let name = &graph[parameter.tensor].name;
            assert!(values[parameter.range.clone()].iter().all(|v| *v == want), "{name}");
        }
    }
}

#[test]
fn adams_metric_shrinks_the_steep_groups_less() {
    let (graph, engine) = network("small-cnn", [8, 8, 1]);
    let mut layers = layers(&graph, &engine, GroupKind::Filter);
    let options = Sparsity { metric: Metric::Adam, ..wgsef(1.0, 0.5) };
    let (mut values, mut v) = (vec![1.0; engine.values().len()], vec![1.0; engine.values().len()]);
    // √v is 4 in group 0 of the first layer and 1 elsewhere; all stay, so the factor is D / (D + lr lambda).
    let mut factors = vec![1.0; layers.list[0].groups];
    factors[0] = 16.0;
    layers.list[0].scale(&mut v, &factors).expect("fits");
    let steep: Vec<bool> = v.iter().map(|v| *v == 16.0).collect();
    step(&options, &graph, &mut layers, &mut values, &v, Prox::Cpu);
    let inside = layers.dropped_values(&layers.list.iter().map(|_| Vec::new()).collect()).expect("fits");
    assert!(inside.iter().any(|&i| steep[i]));
    for i in inside {
        let want = if steep[i] { 4.0 / 4.25 } else { 1.0 / 1.25 };
        assert!((values[i] - want).abs() < 2.0 * f32::EPSILON, "{} {want}", values[i]);
    }
}

#[test]
fn one_budget_for_all_layers_moves_groups_from_layer_to_layer() {
    let (graph, engine) = network("small-cnn", [8, 8, 1]);
    let mut layers = layers(&graph, &engine, GroupKind::Filter);
    let options = Sparsity { allocation: Allocation::Global, ..wgsef(0.25, 40.0) };
    let mut values = engine.values().to_vec();
    // The last layer is made of one large group and small ones.
    let last = layers.list.len() - 1;
    let mut factors = vec![0.01; layers.list[last].groups];
    factors[7] = 3.0;
    layers.list[last].scale(&mut values, &factors).expect("fits");
    let v = vec![0.0; values.len()];
    step(&options, &graph, &mut layers, &mut values, &v, Prox::Cpu);
    let alive: Vec<usize> = (0..=last)
        .map(|f| layers.list[f].squares(&values).expect("fits").iter().filter(|s| **s != 0.0).count())
        .collect();
    assert_eq!(alive[last], 1, "{alive:?}");
    assert!(alive[..last].iter().any(|&n| n > 8), "{alive:?}");
}

/// Largest difference of a GPU's prox, relative to the value before it (`Gpu::wgsef_prox_parts`).
const GPU: f32 = 2e-6;

#[test]
fn a_gpu_gives_the_values_of_the_cpu() {
    let gpu = |(name, input): (&str, [usize; 3])| {
        let gpu = niwaki_kernels::Gpu::open(niwaki_kernels::DeviceKind::Vulkan)?;
        println!("{name} on {}", gpu.name());
        let (graph, engine) = network(name, input);
        let prox = |prox| {
            let (mut values, v) = (engine.values().to_vec(), vec![0.0; engine.values().len()]);
            step(&wgsef(0.4, 0.04), &graph, &mut layers(&graph, &engine, GroupKind::Filter), &mut values, &v, prox);
            values
        };
        let (cpu, gpu) = (prox(Prox::Cpu), prox(Prox::Gpu(Box::new(gpu))));
        assert_ne!(cpu, engine.values(), "the prox moves something");
        for ((cpu, gpu), old) in cpu.iter().zip(&gpu).zip(engine.values()) {
            assert!((cpu - gpu).abs() <= GPU * old.abs(), "{name}: {cpu} {gpu}");
        }
        Ok::<(), niwaki_kernels::GpuError>(())
    };
    for network in NETWORKS {
        if let Err(missing) = gpu(network) {
            println!("skipped: {missing}");
        }
    }
}

const ZEROED: [GroupKind; 6] = [
    GroupKind::Weight,
    GroupKind::InputChannel,
    GroupKind::FilterShape,
    GroupKind::KernelRow,
    GroupKind::KernelColumn,
    GroupKind::Block,
];

#[test]
fn the_groups_of_a_tensor_cover_each_of_its_values_once() {
    for (name, input) in NETWORKS {
        let (graph, engine) = network(name, input);
        for kind in ZEROED {
            let layers = layers(&graph, &engine, kind);
            let mut values = vec![1.0; engine.values().len()];
            for layer in &layers.list {
                layer.scale(&mut values, &vec![2.0; layer.groups]).expect("fits");
            }
            assert!(values.iter().all(|v| [1.0, 2.0].contains(v)), "{name} {kind:?}");
            let scaled = values.iter().filter(|v| **v == 2.0).count();
            assert_eq!(scaled, layers.list.iter().flat_map(|f| &f.sizes).sum::<usize>(), "{name} {kind:?}");
        }
    }
}

#[test]
fn zeroed_groups_are_zero_in_the_network_and_held_there() {
    let (graph, engine) = network("ds-cnn", [13, 8, 1]);
    for kind in ZEROED {
        let layers = layers(&graph, &engine, kind);
        let kept: KeptGroups = layers.list.iter().map(|f| (0..f.groups).filter(|j| j % 3 == 1).collect()).collect();
        let cut = layers.cut(&graph, &kept).expect("a network");
        let alive = Alive::new(&layers, kept).expect("fits");
        let mut held = engine.values().to_vec();
        alive.hold(&mut held);
        for p in engine.parameters() {
            assert_eq!(cut[p.tensor].f32s(), Some(&held[p.range.clone()]), "{kind:?}");
        }
        let zeros = held.iter().filter(|v| **v == 0.0).count() - engine.values().iter().filter(|v| **v == 0.0).count();
        let share = zeros as f64 / layers.list.iter().flat_map(|f| &f.sizes).sum::<usize>() as f64;
        assert!(share > 0.5 && share < 0.9, "{kind:?}: {share}");
        let again = Alive::from_bytes(&layers, &alive.to_bytes(&layers)).expect("fits");
        assert_eq!(again, Some(alive));
    }
}

#[test]
fn branches_left_out_leave_a_network_that_computes_what_zeros_did() {
    let (graph, engine) = network("resnet-8", [8, 8, 1]);
    let layers = layers(&graph, &engine, GroupKind::Layer);
    assert_eq!(layers.groups(), 1, "of three branches one has an identity beside it");
    let kept = vec![Vec::new()];
    let cut = layers.cut(&graph, &kept).expect("a network");
    let mut masked = graph.clone();
    let mut values = engine.values().to_vec();
    Alive::new(&layers, kept.clone()).expect("fits").hold(&mut values);
    for p in engine.parameters() {
        *masked[p.tensor].f32s_mut().expect("floats") = values[p.range.clone()].to_vec();
    }
    assert!(cut.nodes.len() < graph.nodes.len());
    let x: Vec<f32> = (0..64).map(|i| (i as f32 * 0.7).sin()).collect();
    assert_eq!(cut.predict(&x).expect("runs"), masked.predict(&x).expect("runs"));
    assert_eq!(layers.left_out(&kept).len(), 1);
}

fn ranking(layers: &mut ParameterGroups, values: &[f32]) -> Ranking {
    let scores: Vec<Vec<f64>> = layers.list.iter_mut().map(|f| f.squares(values).expect("fits").to_vec()).collect();
    let reference: Vec<f64> = scores.iter().map(|s| s.iter().sum::<f64>() / s.len() as f64).collect();
    let weights: Vec<Vec<f64>> = layers.list.iter().map(|f| vec![1.0; f.groups]).collect();
    Ranking::new(&scores, &reference, &weights, 1)
}

#[test]
fn the_best_stay_and_ties_go_to_the_lower_index() {
    let scores = [vec![1.0, 3.0, 1.0, 2.0], vec![5.0, 5.0]];
    let ranking = |multiple| Ranking::new(&scores, &[1.75, 5.0], &[vec![1.0; 4], vec![1.0; 2]], multiple);
    assert_eq!(Uniform(&ranking(3)).kept(0.25), [vec![0, 1, 3], vec![0, 1]], "whole multiples, or all");
    let ranking = ranking(1);
    assert_eq!(ranking.best(&[3, 1]), [vec![0, 1, 3], vec![0]]);
    assert_eq!(Uniform(&ranking).kept(0.5), [vec![1, 3], vec![0]]);
    // Relative to their layers' means: 1.7, 1.1, 0.6, 0.6 and 1, 1; no layer is left empty.
    assert_eq!(Global(&ranking).kept(0.01), [vec![1], vec![0]]);
    assert_eq!(Global(&ranking).kept(4.0 / 6.0), [vec![1, 3], vec![0, 1]]);
    assert_eq!([count(16, 0.5), count(32, 0.6), count(3, 0.01), count(5, 1.0)], [8, 20, 1, 5]);
}

#[test]
fn a_larger_share_keeps_whatever_a_smaller_one_does() {
    let (graph, engine) = network("ds-cnn", [13, 8, 1]);
    let mut layers = layers(&graph, &engine, GroupKind::Filter);
    let ranking = ranking(&mut layers, engine.values());
    for spread in [&Uniform(&ranking) as &dyn Spread, &Global(&ranking)] {
        let shares = spread.shares();
        assert_eq!((shares.last(), spread.kept(1.0)), (Some(&1.0), layers.all()));
        for pair in shares.windows(2) {
            let (less, more) = (spread.kept(pair[0]), spread.kept(pair[1]));
            assert!(pair[0] < pair[1] && less.iter().zip(&more).all(|(l, m)| l.iter().all(|j| m.contains(j))));
        }
    }
}

/// How far below its limit a choice may cost, relative.
const SLACK: f64 = 0.03;

#[test]
fn a_budget_is_met_from_below_and_used_up() {
    for (name, input) in NETWORKS {
        let (graph, engine) = network(name, input);
        for groups in [GroupKind::Filter, GroupKind::Weight] {
            let mut layers = layers(&graph, &engine, groups);
            let ranking = ranking(&mut layers, engine.values());
            for (unit, limit) in [(Unit::Macs, 0.5), (Unit::Macs, 0.2 * macs(&graph)), (Unit::Instructions, 0.3)] {
                let options = Sparsity { groups, budget: Some(Budget { unit, limit }), ..Sparsity::default() };
                let limit = if limit <= 1.0 { limit * macs(&graph) } else { limit };
                for spread in [&Uniform(&ranking) as &dyn Spread, &Global(&ranking)] {
                    let kept = choose(&options, spread, &ranking, &layers, &graph, &mut Triple).expect("met");
                    let cost = macs(&layers.cut(&graph, &kept).expect("a network"));
                    let range = (1.0 - SLACK) * limit..=limit;
                    assert!(range.contains(&cost), "{name} {groups:?} {unit:?}: {cost} of {limit}");
                }
            }
        }
    }
}

#[test]
fn a_budget_that_cannot_be_met_says_what_can() {
    let (graph, engine) = network("small-cnn", [8, 8, 1]);
    let mut layers = layers(&graph, &engine, GroupKind::Filter);
    let ranking = ranking(&mut layers, engine.values());
    let options = Sparsity { budget: Some(Budget { unit: Unit::Macs, limit: 100.0 }), ..Sparsity::default() };
    let error = choose(&options, &Uniform(&ranking), &ranking, &layers, &graph, &mut Triple).expect_err("too small");
    let least = macs(&layers.cut(&graph, &Uniform(&ranking).kept(1e-9)).expect("a network"));
    assert!(matches!(error, SparsifyError::Budget { least: l, .. } if l == least), "{error}");
    assert!(error.to_string().starts_with("100 macs cannot be met: with one group a layer the network still has "));
}

#[test]
fn group_weights_have_mean_one_and_follow_what_they_count() {
    let (graph, engine) = network("ds-cnn", [13, 8, 1]);
    let layers = layers(&graph, &engine, GroupKind::Filter);
    for kind in [GroupWeights::One, GroupWeights::Size, GroupWeights::Macs, GroupWeights::Instructions] {
        let weights = group_weights(&graph, &layers, kind, &mut Triple).expect("counted");
        let mean = weights.iter().flatten().sum::<f64>() / layers.groups() as f64;
        assert!((mean - 1.0).abs() < 1e-12, "{kind:?}: {mean}");
        let differ = weights.iter().any(|w| w[0] != weights[0][0]);
        assert_eq!(differ, kind != GroupWeights::One);
    }
}
