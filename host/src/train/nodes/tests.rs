//! The whole path on the karate club, in moments.

use super::*;
use crate::data::graph::karate;
use crate::recipe::{Optimizer, OptimizerName, Schedule};
use crate::sparsify::teddy::DropUnit;
use crate::sparsify::teddy::Level;
use crate::train::Phase;
use crate::zoo::{self, NodeSizes};
use std::sync::atomic::AtomicBool;

static GO: AtomicBool = AtomicBool::new(false);
const SIZES: NodeSizes = NodeSizes { hidden: 16, layers: 2 };

fn optimizer() -> Optimizer {
    let name = OptimizerName::Adam;
    Optimizer { name, lr: 0.01, schedule: Schedule::Constant, weight_decay: 5e-4, ..Optimizer::default() }
}

fn fit(optimizer: &Optimizer) -> Fit<'_> {
    Fit { epochs: 60, optimizer, seed: 1, threads: 1, teacher: None, weights: Weights::Free, stop: &GO }
}

fn dense(task: &NodeTask, network: &str) -> Fitted {
    let graph = zoo::by_name(network).expect("in the zoo").build_over(&task.input, SIZES, 1).expect("fits");
    fit(&optimizer()).run(&graph, task, Phase::Dense, &mut |_| ()).expect("trains")
}

#[test]
fn every_network_learns_the_factions_of_the_karate_club() {
    let task = NodeTask::new(&karate()).expect("a graph");
    for network in ["gcn", "gat", "gin", "sage"] {
        let fitted = dense(&task, network);
        assert!(fitted.test_accuracy > 0.75, "{network}: {}", fitted.test_accuracy);
        assert!(fitted.epochs.last().expect("trained").train_loss < fitted.epochs[0].train_loss, "{network}");
    }
}

#[test]
fn a_level_has_as_few_edges_and_weights_as_it_says_and_the_same_bits_every_time() {
    let task = NodeTask::new(&karate()).expect("a graph");
    let dense = dense(&task, "gcn");
    let (optimizer, probabilities) = (optimizer(), dense.probabilities(2));
    let teacher = Teacher { dense: &dense, probabilities: &probabilities, weight: 10.0 };
    let network = (zoo::by_name("gcn").expect("in the zoo"), SIZES);
    let level = Level::of(20);
    let pruned = prune(&task, Edges::Teddy, DropUnit::Pair, level.edges, false, 1).expect("symmetric");
    assert_eq!((pruned.input.adjacency.edges(), pruned.input.adjacency.is_symmetric()), (156 - 2 * 50, true));
    for rule in [WeightRule::Projected, WeightRule::Magnitude] {
        let train = |threads| {
            let fit = Fit { threads, ..fit(&optimizer) };
            train_level(network, &pruned, (rule, level.weights), teacher, fit, &mut |_| ()).expect("trains").graph
        };
        let graph = train(1);
        let values = graph.tensors.iter().filter_map(|t| t.f32s()).flatten();
        let zeros = values.filter(|value| **value == 0.0).count();
        assert!(
            zeros >= crate::sparsify::teddy::zero_count(graph.parameter_count(), level.weights),
            "{rule:?}: {zeros}"
        );
        assert_eq!(graph, train(3), "{rule:?}");
    }
}

#[test]
fn rounds_of_masks_leave_a_twentieth_fewer_edges_each() {
    let task = NodeTask::new(&karate()).expect("a graph");
    let optimizer = optimizer();
    let network = (zoo::by_name("gcn").expect("in the zoo"), SIZES);
    let mut edges = vec![156];
    let masked = Masked { rounds: 3, ..Masked::default() };
    let fit = Fit { epochs: 20, ..fit(&optimizer) };
    iterative_masks(network, &task, masked, fit, &mut |round, task, fitted| {
        edges.push(task.input.adjacency.edges());
        let values = fitted.graph.tensors.iter().filter_map(|t| t.f32s()).flatten();
        let zeros = values.filter(|value| **value == 0.0).count();
        let expected = crate::sparsify::teddy::level_ratio(0.1, round) * fitted.graph.parameter_count() as f64;
        // A tenth is counted down each round.
        assert!((expected - zeros as f64).abs() <= f64::from(round), "{zeros} zeros, not {expected}");
    })
    .expect("trains");
    assert_eq!(edges, [156, 156 - 6, 150 - 6, 144 - 6]);
    let gat = (zoo::by_name("gat").expect("in the zoo"), SIZES);
    let refused = iterative_masks(gat, &task, masked, fit, &mut |_, _, _| ()).expect_err("no masks").to_string();
    assert!(refused.contains("choose gcn, gin or sage"), "{refused}");
}

#[test]
fn layers_without_a_gradient_between_them_learn_the_factions() {
    let task = NodeTask::new(&karate()).expect("a graph");
    let how = SingleForward { hidden: 16, layers: 3, epochs: 150, ..SingleForward::default() };
    let layers = how.run(&task).expect("trains");
    // Four nodes to learn from and none of the features alike: 14 of 22 are enough.
    assert!(layers[2].test_accuracy > 0.6, "{}", layers[2].test_accuracy);
    let first = SingleForward { layers: 1, ..how }.run(&task).expect("trains");
    assert_eq!(first[0], layers[0], "later layers change nothing of the first");
    assert_eq!(SingleForward { threads: 3, ..how }.run(&task).expect("trains"), layers);
    // Labels that no training node has may change: nothing of them is seen but by the choice of the best step.
    let mut other = task.clone();
    other.test.iter().for_each(|node| other.labels[*node as usize] ^= 1);
    let weights = |layers: &[ForwardLayer]| layers.iter().map(|layer| layer.weights.clone()).collect::<Vec<_>>();
    assert_eq!(weights(&how.run(&other).expect("trains")), weights(&layers));
}

#[test]
fn a_random_split_has_every_node_once() {
    let split = NodeTask::new(&karate()).expect("a graph").with_random_split(3);
    assert_eq!((split.test.len(), split.val.len(), split.train.len()), (6, 5, 23));
    let mut all = [split.train, split.val, split.test].concat();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..34));
}
