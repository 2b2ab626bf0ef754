use crate::data;
use crate::graph::Graph;
use crate::recipe::{DEMO, Recipe};
use crate::sparsify::cost::Meter;
use crate::sparsify::method::Prox;
use crate::sparsify::options::{Method, Unit};
use crate::sparsify::parameter_groups::ParameterGroups;
use crate::train::{Phase, TrainError, TrainOptions, Trained, train};
use crate::zoo;
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Every method with the settings that show it in a few epochs: its λ, where the default is no use, and single weights
/// where those are what it was published for.
const METHODS: &[(Method, &[&str])] = &[
    (Method::Wgsef, &["half_space_epochs=1"]),
    (Method::Wgsef, &["half_space_epochs=1", "allocation=global"]),
    (Method::Magnitude, &[]),
    (Method::GroupLasso, &["lambda=0.01"]),
    (Method::Hspg, &["half_space_epochs=2", "lambda=0.01"]),
    (Method::Hspg, &["lambda=0.01"]),
    (Method::Sap, &[]),
    (Method::Sap, &["groups=weight", "keep=0.2"]),
    (Method::Rigl, &["groups=weight", "keep=0.2"]),
    (Method::Rigl, &[]),
    (Method::Set, &["groups=weight", "keep=0.2"]),
    (Method::RateDistortion, &[]),
];

/// Nothing here asks for a budget that has to be measured.
struct NoMeter;

impl Meter for NoMeter {
    fn total(&mut self, _: &Graph, unit: Unit) -> Result<f64, String> {
        Err(unit.name().into())
    }

    fn instructions(&mut self, _: &Graph) -> Result<HashMap<String, f64>, String> {
        Err("instructions".into())
    }
}

fn recipe(method: Method, sparsity: &[&str], other: &[&str]) -> Recipe {
    let mut set: Vec<String> = vec!["train.epochs=1".into(), "sparsity.ramp_epochs=4".into()];
    set.extend(["sparsity.finetune_epochs=1".into(), "sparsity.keep=0.5".into()]);
    set.push(format!("sparsity.method={}", method.name()));
    set.extend(sparsity.iter().map(|key| format!("sparsity.{key}")));
    set.extend(other.iter().map(|&key| key.to_owned()));
    Recipe::parse(DEMO, "demo", &set).expect("a recipe")
}

/// Trains in `dir`, until the end or for one more epoch.
fn go_on(recipe: &Recipe, dir: &Path, one_epoch: bool) -> Result<Trained, TrainError> {
    let data = data::load("digits", None).expect("bundled");
    let graph = zoo::by_name("small-cnn").expect("in the zoo").build(&data.input_shape, data.classes, 1).expect("fits");
    let stop = AtomicBool::new(one_epoch);
    let options = TrainOptions { threads: 2, prox: Prox::Cpu, meter: &mut NoMeter, stop: &stop };
    train(recipe, graph, &data, dir, options, &mut |_| ())
}

/// Groups of `graph` that are not zero, and of all.
fn groups(graph: &Graph, recipe: &Recipe) -> (usize, usize) {
    let engine =
        crate::engine::Engine::new(graph, crate::engine::EngineOptions { batch: 1, threads: 1 }).expect("a network");
    let mut layers = ParameterGroups::new(graph, engine.parameters(), &recipe.sparsity).expect("has groups");
    let there = |layer: &mut crate::sparsify::parameter_groups::LayerGroups| {
        layer.squares(engine.values()).expect("fits").iter().filter(|square| **square > 0.0).count()
    };
    (layers.list.iter_mut().map(there).sum(), layers.groups())
}

#[test]
fn every_method_meets_its_target_and_goes_on_to_the_same_bits_after_any_epoch() {
    for &(method, sparsity) in METHODS {
        let case = format!("{} {sparsity:?}", method.name());
        let recipe = recipe(method, sparsity, &[]);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
        for dir in [&whole, &parts] {
            std::fs::create_dir(dir).expect("a folder");
        }
        let trained = go_on(&recipe, &whole, false).unwrap_or_else(|e| panic!("{case}: {e}"));
        let sparse = trained.sparse.as_ref().expect("was made sparse");

        let (_, all) = groups(&trained.dense, &recipe);
        let (there, left) = groups(sparse, &recipe);
        let physical = recipe.sparsity.groups.is_removed();
        // A layer's share is rounded up.
        let target = (recipe.sparsity.keep * all as f64) as usize + 4;
        assert!(there <= target && there > target * 4 / 5, "{case}: {there} groups of {all} for {target}");
        assert_eq!(left < all, physical, "{case}");

        let mut stops = 0;
        let resumed = loop {
            match go_on(&recipe, &parts, true) {
                Err(TrainError::Interrupted { .. }) => stops += 1,
                done => break done.unwrap_or_else(|e| panic!("{case}: {e}")),
            }
        };
        assert_eq!(stops, trained.epochs.len(), "{case}");
        assert!(resumed.sparse == trained.sparse, "{case}: other bits after interruptions");
        let best = trained.epochs.iter().map(|row| row.val_accuracy).fold(0.0, f64::max);
        println!("{case}: {there} groups of {all}, validation accuracy at best {best:.3}");
    }
}

#[test]
fn every_method_stops_where_the_loss_is_no_number_and_says_what_to_change() {
    for &(method, sparsity) in METHODS {
        let case = format!("{} {sparsity:?}", method.name());
        let recipe = recipe(method, sparsity, &["train.epochs=0", "optimizer.name=sgd", "optimizer.lr=1e30"]);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let error = go_on(&recipe, folder.path(), false).expect_err("diverges");
        assert!(matches!(error, TrainError::Diverged { phase: Phase::Ramp, .. }), "{case}: {error}");
        let message = error.to_string();
        assert!(message.contains("step") && message.contains("lower optimizer.lr"), "{case}: {message}");
    }
}
