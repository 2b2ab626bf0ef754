use crate::data;
use crate::graph::{Data, Graph};
use crate::pipeline::score::argmax;
use crate::recipe::{DEMO, Recipe};
use crate::sparsify::cost::Meter;
use crate::sparsify::method::Prox;
use crate::sparsify::options::Unit;
use crate::train::{Phase, TrainError, TrainOptions, Trained, train};
use crate::zoo;
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

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

fn recipe(sets: &[&str]) -> Recipe {
    let mut all = vec!["train.epochs=2", "sparsity.ramp_epochs=1", "sparsity.finetune_epochs=1", "quantize.samples=64"];
    all.extend(sets);
    let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
    Recipe::parse(DEMO, "demo", &all).expect("a recipe")
}

/// Trains a network with batch norms in `dir`, until the end or for one more epoch.
fn go_on(recipe: &Recipe, dir: &Path, one_epoch: bool) -> Result<Trained, TrainError> {
    let data = data::load("digits", None).expect("bundled");
    let network = zoo::by_name("compact-cnn").expect("in the zoo");
    let graph = network.build(&data.input_shape, data.classes, 1).expect("fits");
    let stop = AtomicBool::new(one_epoch);
    let options = TrainOptions { threads: 2, prox: Prox::Cpu, meter: &mut NoMeter, stop: &stop };
    train(recipe, graph, &data, dir, options, &mut |_| ())
}

/// Share of validation samples that core's integers classify right.
fn accuracy(integer: &Graph) -> f64 {
    let data = data::load("digits", None).expect("bundled");
    let right = (0..data.val.len()).filter(|&i| {
        let scores = integer.predict(data.val.sample(i)).expect("runs");
        argmax(&scores) == data.val.y[i] as usize
    });
    right.count() as f64 / data.val.len() as f64
}

#[test]
fn the_phase_ends_with_the_network_that_is_exported_and_goes_on_to_the_same_bits_after_any_epoch() {
    let cases: [&[&str]; 3] = [
        &["sparsity.method=none", "quantize.qat_epochs=2"],
        &["sparsity.method=magnitude", "quantize.weights=int4", "quantize.qat_epochs=3", "quantize.lsq=true"],
        &[
            "sparsity.method=set",
            "sparsity.groups=weight",
            "sparsity.keep=0.3",
            "quantize.weights=int4",
            "quantize.weight_calibration=mse",
            "quantize.qat_epochs=2",
            "quantize.qat_distill=0.5",
            "quantize.reconstruct=50",
            "quantize.bias_correction=true",
        ],
    ];
    for sets in cases {
        let recipe = recipe(sets);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
        for dir in [&whole, &parts] {
            std::fs::create_dir(dir).expect("a folder");
        }
        let trained = go_on(&recipe, &whole, false).unwrap_or_else(|e| panic!("{sets:?}: {e}"));
        let integer = trained.quantized.as_ref().expect("was quantised");
        let rows: Vec<_> = trained.epochs.iter().filter(|row| row.phase == Phase::Qat).collect();
        assert_eq!(rows.len(), recipe.quantize.qat_epochs, "{sets:?}");
        let last = rows.last().expect("epochs");
        // The network ends in a softmax, whose codes may tie where the scores do not.
        assert!((accuracy(integer) - last.val_accuracy).abs() < 0.02, "{sets:?}: {} {last:?}", accuracy(integer));

        let (mut stops, mut failed) = (0, None);
        let resumed = loop {
            match go_on(&recipe, &parts, true) {
                Err(TrainError::Interrupted { .. }) => stops += 1,
                Ok(done) => break Some(done),
                Err(e) => {
                    failed = Some(e);
                    break None;
                }
            }
        };
        assert!(failed.is_none(), "{sets:?}: {failed:?}");
        assert_eq!(stops, trained.epochs.len(), "{sets:?}");
        assert!(resumed.expect("ended").quantized == trained.quantized, "{sets:?}: other bits after interruptions");
        assert!(go_on(&recipe, &whole, false).expect("is finished").quantized == trained.quantized, "read again");

        if !recipe.sparsity.groups.is_removed() {
            let sparse = trained.sparse.as_ref().expect("was made sparse");
            let (mut dropped, mut back) = (0, 0);
            for node in integer.nodes.iter().filter(|node| node.inputs.len() == 3) {
                let w = &integer[node.inputs[1]];
                let float = sparse.tensors.iter().find(|t| t.name == w.name).and_then(|t| t.f32s()).expect("weights");
                let Some(Data::I8(codes)) = &w.data else { panic!("codes of `{}`", w.name) };
                dropped += float.iter().filter(|v| **v == 0.0).count();
                back += float.iter().zip(codes).filter(|(v, code)| **v == 0.0 && **code != 0).count();
            }
            assert!(dropped > 1000 && back == 0, "{back} of {dropped} dropped weights came back");
        }
    }
}

#[test]
fn a_phase_whose_loss_is_no_number_says_where_and_what_to_change() {
    let recipe = recipe(&[
        "train.epochs=0",
        "sparsity.method=none",
        "optimizer.name=sgd",
        "optimizer.lr=1e30",
        "optimizer.schedule=constant",
        "quantize.qat_epochs=1",
    ]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let error = go_on(&recipe, folder.path(), false).expect_err("diverges");
    assert!(matches!(error, TrainError::Diverged { phase: Phase::Qat, .. }), "{error}");
    let message = error.to_string();
    assert!(message.contains("qat phase, epoch 1, step") && message.contains("quantize.qat_lr"), "{message}");
}
