use super::*;
use crate::chip;
use crate::chip::Chip;
use crate::export::export_for;
use crate::graph::{Activation, Data};
use crate::ops;
use crate::quantize::{Calibration, post_training};
use crate::tune::{TuneError, export_planned, plan_of, write_planned};
use crate::zoo;

/// A quantised network with zeros in blocks, in positions and anywhere, a pattern a layer.
fn network() -> Graph {
    sparse(zoo::by_name("small-cnn").expect("in the zoo").build(&[8, 8, 1], 10, 1).expect("fits"))
}

/// Dense layers of 64 inputs, whose sparse kernels take more memory than their inputs and outputs.
fn dense_layers() -> Graph {
    let mut graph = Graph::default();
    let mut x = graph.input("x", &[64]);
    for layer in 0..3 {
        let weights = (0..64 * 64).map(|i| ((i * 37 + layer) % 101) as f32 / 50.0 - 1.0).collect();
        let w = graph.parameter(&format!("w{layer}"), &[64, 64], weights);
        let activation = Activation::None;
        x = graph.push(&format!("dense{layer}"), ops::Dense { activation }, &[x, w]).expect("fits");
    }
    graph.outputs.push(x);
    sparse(graph)
}

fn sparse(mut graph: Graph) -> Graph {
    let weights: Vec<_> = graph.nodes.iter().filter_map(|node| node.inputs.get(1).copied()).collect();
    let mut layer = 0;
    for id in weights {
        let shape = graph[id].shape.clone();
        let (Some(Data::F32(values)), true) = (&mut graph[id].data, shape.len() > 1) else { continue };
        let len: usize = shape[1..].iter().product();
        for (at, value) in values.iter_mut().enumerate() {
            let (filter, position) = (at / len, at % len);
            let zero = match layer % 4 {
                0 => position % 3 != 0,
                1 => (filter / 4 + position / 4) % 2 == 0,
                2 => (filter * 7 + position * 5) % 11 > 1,
                _ => false,
            };
            if zero {
                *value = 0.0;
            }
        }
        layer += 1;
    }
    let sample: Vec<f32> = (0..64).map(|i| (i % 7) as f32 / 7.0).collect();
    post_training(&graph, &[&sample], Calibration::MinMax).expect("quantises")
}

fn planned(graph: &Graph, limits: &Limits) -> Result<Plan, TuneError> {
    Ok(export_planned(graph, Some(Chip::CortexM4), limits)?.2.expect("the chip has a table"))
}

/// Every choice there is, with flash and instructions.
fn all_choices(planner: &Planner<'_>) -> Vec<(u64, u64)> {
    let mut all = vec![vec![]];
    for layer in &planner.layers {
        let longer = |chosen: &Chosen| {
            let chosen = chosen.clone();
            (0..layer.candidates.len()).map(move |c| [chosen.clone(), vec![c]].concat())
        };
        all = all.iter().flat_map(longer).collect();
    }
    all.iter().map(|chosen| (planner.flash(chosen), planner.instructions(chosen))).collect()
}

#[test]
fn every_table_is_of_its_chip_and_has_the_layouts() {
    for &chip in Chip::EMULATED.iter().filter(|chip| chip.spec().is_some_and(|spec| spec.costs.is_some())) {
        let table = CostTable::of(chip).unwrap_or_else(|| panic!("{chip} has no table"));
        for code in ["conv2d", "conv2d_tiled", "conv2d_taps", "dense_compressed", "depthwise_conv2d_tiled", "softmax"] {
            assert!(table.operators.contains_key(code), "{chip}: {code}");
        }
    }
}

#[test]
fn the_plan_is_the_best_of_all_choices_within_the_flash() {
    let graph = network();
    let table = CostTable::of(Chip::CortexM4).expect("measured");
    let planner = Planner::new(&graph, table, &Limits::default()).expect("plans");
    let all = all_choices(&planner);
    assert!(all.len() > 100, "{} choices are no choice", all.len());
    // Where a larger limit begins to help, and a byte before the next one.
    let beats = |other: &(u64, u64), choice: &(u64, u64)| other.0 <= choice.0 && other.1 <= choice.1 && other != choice;
    let helps = all.iter().filter(|choice| !all.iter().any(|other| beats(other, choice))).map(|choice| choice.0);
    let helps: BTreeSet<u64> = helps.collect();
    let ends = helps.iter().skip(1).map(|flash| flash - 1);
    let mut seen = BTreeSet::new();
    for flash in helps.iter().copied().chain(ends) {
        let plan = planned(&graph, &Limits { flash: Some(flash), ..Limits::default() }).expect("the least fits");
        let within = all.iter().filter(|choice| choice.0 <= flash);
        assert_eq!(plan.needs.instructions, within.map(|choice| choice.1).min().expect("the least"), "{flash} bytes");
        assert!(plan.needs.flash <= flash);
        seen.insert(plan.needs.instructions);
        let limits = Limits { instructions: Some(plan.needs.instructions), least: Least::Flash, ..Limits::default() };
        let within = all.iter().filter(|choice| choice.1 <= plan.needs.instructions);
        let small = planned(&graph, &limits).expect("one takes as many");
        // The choices have padding that the file may do without.
        let missed = within.map(|choice| choice.0).min().expect("the same").checked_sub(small.needs.flash);
        assert!(missed.is_some_and(|missed| missed <= 30), "{missed:?} bytes beside the least flash");
    }
    assert!(seen.len() > 3, "the limit changed nothing: {seen:?}");
}

#[test]
fn a_planned_model_answers_as_any_other() {
    let graph = network();
    let tiled = export_for(&graph, Isa::ArmDsp).expect("exports").0;
    let inputs: Vec<Vec<u8>> = (0..20_u8).map(|n| (0..64_u8).map(|i| i.wrapping_mul(n * 13 + 5)).collect()).collect();
    let outputs = |file: &[u8]| chip::run(Chip::Host, file, &inputs, &mut |_| ()).expect("runs").outputs;
    let expected = outputs(&tiled);
    for least in [Least::Instructions, Least::Flash] {
        let (file, _, plan) =
            export_planned(&graph, Some(Chip::CortexM4), &Limits { least, ..Limits::default() }).expect("plans");
        let plan = plan.expect("the chip has a table");
        assert!(plan.layers.iter().any(|l| !["plain", "tiled"].contains(&&*l.candidates[l.chosen].layout)), "{plan:?}");
        assert_eq!(outputs(&file), expected);
    }
}

#[test]
fn less_ram_excludes_layouts_with_scratch_and_says_so() {
    let graph = dense_layers();
    let free = planned(&graph, &Limits::default()).expect("plans");
    let table = CostTable::of(Chip::CortexM4).expect("measured");
    let planner = Planner::new(&graph, table, &Limits::default()).expect("plans");
    let least = planner.arena_bytes(&planner.frugal()) as u64 + table.stack_bytes;
    assert!(least < free.needs.ram);
    let tight = planned(&graph, &Limits { ram: Some(least), ..Limits::default() }).expect("the least fits");
    assert!(tight.needs.ram <= least && tight.needs.instructions > free.needs.instructions);
    assert!(tight.layers.iter().any(|l| l.why.contains("RAM")), "{:?}", tight.layers);
    let refused = planned(&graph, &Limits { ram: Some(least - 16), ..Limits::default() });
    assert!(matches!(refused, Err(TuneError::Export(ExportError::Ram { .. }))));
}

#[test]
fn limits_that_nothing_keeps_are_refused_with_the_closest_plan_and_what_would_have_to_give() {
    let graph = network();
    let free = planned(&graph, &Limits::default()).expect("plans").needs;
    let small = planned(&graph, &Limits { least: Least::Flash, ..Limits::default() }).expect("plans").needs;
    let refused = |flash, instructions| {
        let limits = Limits { flash, instructions, ..Limits::default() };
        match planned(&graph, &limits) {
            Err(TuneError::Limits(shortfall)) => *shortfall,
            other => panic!("{other:?}"),
        }
    };
    let few = refused(Some(small.flash - 1000), None);
    assert_eq!(few.closest.needs.flash, small.flash);
    let text = few.to_string();
    for words in ["bytes of flash of", "at least", "prune", "int4"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let slow = refused(None, Some(free.instructions - 1000)).to_string();
    assert!(slow.contains("at least") && slow.contains("sparsity.budget"), "{slow}");
    // Each limit alone can be kept, both together cannot.
    let both = refused(Some(small.flash + 30), Some(free.instructions)).to_string();
    assert!(both.contains("with ") && both.contains("within "), "{both}");
}

#[test]
fn a_chip_without_a_table_gets_plain_weights() {
    let graph = network();
    let (file, _, plan) = export_planned(&graph, None, &Limits::default()).expect("exports");
    assert!(plan.is_none());
    assert_eq!(file, export_for(&graph, Isa::Portable).expect("exports").0);
}

#[test]
fn a_plan_is_read_back_for_its_own_model_alone_and_whatever_stands_in_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = folder.path().join("model.niwaki");
    let (file, _, plan) = export_planned(&network(), Some(Chip::CortexM4), &Limits::default()).expect("plans");
    let mut plan = plan.expect("the chip has a table");
    write_planned(&model, &file, Some(&plan)).expect("writes");
    assert_eq!(plan_of(&model, &file).as_ref(), Some(&plan));
    assert_eq!(plan_of(&model, &file[1..]), None, "another model");
    plan.layers[0].chosen = 99;
    write_planned(&model, &file, Some(&plan)).expect("writes");
    assert!(plan_of(&model, &file).is_some_and(|plan| plan.layers[0].taken().is_none()));
    write_planned(&model, &file, None).expect("writes");
    assert_eq!(plan_of(&model, &file), None, "the old plan is gone");
}
