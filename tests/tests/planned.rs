//! Models whose layouts were planned by cost tables, on the chips of those tables: the same bytes as on this machine, at the
//! estimated cost.

use niwaki::chip::{self, Chip};
use niwaki::graph::{Data, Graph};
use niwaki::plan::limits::{Least, Limits};
use niwaki::quantize::{Calibration, post_training};
use niwaki::tune::cost::CostTable;
use niwaki::tune::export_planned;
use niwaki::zoo;

/// The share by which the instructions of a whole network may differ from the estimate. Single layers may differ by more: the
/// tables say by how much.
const INSTRUCTIONS: f64 = 0.12;
/// The same for flash: kernels share code, and what compilers inline depends on everything else.
const FLASH: f64 = 0.3;

/// A network of the zoo, quantised, most of its weights zero in blocks or at single positions.
fn network(name: &str, input: [usize; 3]) -> Graph {
    let mut graph = zoo::by_name(name).expect("in the zoo").build(&input, 10, 1).expect("fits");
    let weights: Vec<_> = graph.nodes.iter().filter_map(|node| node.inputs.get(1).copied()).collect();
    let mut blocks = false;
    for id in weights {
        let shape = graph[id].shape.clone();
        let (Some(Data::F32(values)), 4) = (&mut graph[id].data, shape.len()) else { continue };
        let len: usize = shape[1..].iter().product();
        blocks = !blocks;
        for (at, value) in values.iter_mut().enumerate() {
            let (filter, position) = (at / len, at % len);
            let unit = if blocks { filter / 4 + position / 4 } else { filter / 4 + position };
            let kept = unit % 4 == 0;
            *value *= f32::from(u8::from(kept));
        }
    }
    let sample: Vec<f32> = (0..input.iter().product()).map(|i| (i % 11) as f32 / 11.0).collect();
    post_training(&graph, &[&sample], Calibration::MinMax).expect("quantises")
}

/// The layouts that a plan takes.
fn check(name: &str, input: [usize; 3], chip: Chip, least: Least) -> Vec<String> {
    let graph = network(name, input);
    let (file, _, plan) = export_planned(&graph, Some(chip), &Limits { least, ..Limits::default() }).expect("plans");
    let plan = plan.expect("the chip has a table");
    let len = input.iter().product::<usize>();
    let inputs: Vec<Vec<u8>> = (0..3).map(|n| (0..len).map(|i| (i * (2 * n + 3)) as u8).collect()).collect();
    let on = |chip| chip::run(chip, &file, &inputs, &mut |_| ()).expect("runs");
    let measured = on(chip);
    assert_eq!(measured.outputs, on(Chip::Host).outputs, "{name} on {chip}");
    let cost = measured.cost.expect("an emulated chip has costs");
    for layer in &plan.layers {
        let (taken, counted) = (&layer.candidates[layer.chosen], cost.per_op[layer.operator]);
        println!(
            "  {} {}: {counted} instructions, estimated {:.3} of that",
            layer.name,
            taken.layout,
            taken.instructions as f64 / counted as f64
        );
    }
    let ratio = plan.needs.instructions as f64 / cost.instructions as f64;
    assert!((ratio - 1.0).abs() <= INSTRUCTIONS, "{name} on {chip}: estimated {ratio:.3} of the instructions");
    let (flash, stack) = (file.len() as u64 + cost.code_bytes, CostTable::of(chip).expect("there").stack_bytes);
    let of_flash = plan.needs.flash as f64 / flash as f64;
    assert!((of_flash - 1.0).abs() <= FLASH, "{name} on {chip}: estimated {of_flash:.3} of the flash");
    assert!(cost.stack_bytes <= stack, "{name} on {chip}: a stack of {}, {stack} planned", cost.stack_bytes);
    println!(
        "{name} on {chip}: {} instructions, estimated {ratio:.3} of that; {flash} bytes of flash, \
         estimated {of_flash:.3} of that",
        cost.instructions
    );
    plan.layers.iter().map(|layer| layer.candidates[layer.chosen].layout.clone()).collect()
}

#[test]
fn planned_models_cost_what_was_estimated() {
    let cnn = check("compact-cnn", [28, 28, 1], Chip::CortexM4, Least::Instructions);
    assert!(cnn.contains(&"blocks".to_owned()) && cnn.contains(&"taps".to_owned()), "{cnn:?}");
    check("compact-cnn", [28, 28, 1], Chip::CortexM4, Least::Flash);
    check("resnet-8", [16, 16, 3], Chip::CortexM4, Least::Instructions);
    check("ds-cnn", [49, 10, 1], Chip::CortexM33, Least::Instructions);
}
