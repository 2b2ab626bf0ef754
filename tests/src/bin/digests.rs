//! Digests of every model that the tests build and export, of its plan and of its outputs on this machine, one `sha256  name` a
//! line: `tests/bench/digests.py` compares them before and after a change that may not move a byte.

use niwaki::chip::{self, Chip};
use niwaki::export::{Layout, export, export_for, export_with, query, read::describe};
use niwaki::graph::{Activation, Graph, Padding, Sliding};
use niwaki::hardware::Isa;
use niwaki::import;
use niwaki::io::AlignedBytes;
use niwaki::plan::limits::{Least, Limits};
use niwaki::simplify::simplify;
use niwaki::tune::{Needs, export_planned};
use niwaki::zoo;
use niwaki_core::format::{DType, Model};
use niwaki_core::num::Rounding;
use niwaki_core::ops;
use niwaki_tests::layers::Layers;
use niwaki_tests::models::elementwise::every_elementwise;
use niwaki_tests::models::movement::every_movement;
use niwaki_tests::models::nodes::{Edges, Kind, Sizes, choosing, network as over_graph, plans};
use niwaki_tests::models::{every_operator, every_operator_f32, network, quantised, reference, trainable};
use niwaki_tests::sparse::{Layer, Network, Pattern, every_packing};
use niwaki_tests::tflm;
use sha2::{Digest as _, Sha256};
use std::error::Error;
use std::fmt::Display;

const TARGETS: [(&str, Isa); 2] = [("portable", Isa::Portable), ("dsp", Isa::ArmDsp)];

fn main() -> Result<(), Box<dyn Error>> {
    operators_of_the_format()?;
    networks_of_the_zoo()?;
    random_layers()?;
    packed_layers()?;
    networks_over_graphs()?;
    golden_networks()
}

fn digest(name: &str, bytes: &[u8]) {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    println!("{hex}  tests/{name}");
}

/// A file and what it answers, or why there is none.
fn file<E: Display>(name: &str, file: Result<impl AsRef<[u8]>, E>) -> Result<(), Box<dyn Error>> {
    match file {
        Err(error) => digest(&format!("{name} refused"), error.to_string().as_bytes()),
        Ok(file) => {
            digest(name, file.as_ref());
            let outputs = chip::run(Chip::Host, file.as_ref(), &inputs(file.as_ref())?, &mut |_| ())?.outputs;
            digest(&format!("{name} outputs"), &outputs.concat());
        }
    }
    Ok(())
}

/// Three inputs of a linear congruential generator; floats in -0.5..0.5, integers below 8.
fn inputs(file: &[u8]) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let file = AlignedBytes::from(file);
    let ports = describe(&Model::verify(&file, ops::ALL)?).inputs;
    let input = |seed| {
        let mut state: u64 = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        };
        let mut bytes = Vec::new();
        for port in &ports {
            match port.dtype {
                "f32" => bytes.extend(
                    (0..port.bytes / 4).flat_map(|_| ((next() >> 7) as f32 / (1 << 24) as f32 - 0.5).to_le_bytes()),
                ),
                "i32" => bytes.extend((0..port.bytes / 4).flat_map(|_| (next() as u32 % 8).to_le_bytes())),
                _ => bytes.extend((0..port.bytes).map(|_| next() as u8)),
            }
        }
        bytes
    };
    Ok((1000..1003).map(input).collect())
}

/// `graph` for each target, every layer as the target has it.
fn for_targets(name: &str, graph: &Graph) -> Result<(), Box<dyn Error>> {
    for (target_name, target) in TARGETS {
        file(&format!("{name} {target_name}"), export_for(graph, target).map(|(file, _)| file.to_vec()))?;
    }
    Ok(())
}

/// `graph` with planned layouts within `limits`, and the plan; what it needs.
fn planned(name: &str, graph: &Graph, chip: Chip, limits: &Limits) -> Result<Needs, Box<dyn Error>> {
    let exported = export_planned(graph, Some(chip), limits);
    let mut needs = Needs::default();
    if let Ok((_, _, plan)) = &exported {
        needs = plan.as_ref().map_or(needs, |plan| plan.needs);
        digest(&format!("{name} plan"), serde_json::to_string(plan)?.as_bytes());
    }
    file(name, exported.map(|(file, ..)| file.to_vec()))?;
    Ok(needs)
}

fn operators_of_the_format() -> Result<(), Box<dyn Error>> {
    for (name, model) in reference()? {
        file::<String>(&format!("reference {name}"), Ok(model.to_vec()))?;
    }
    for_targets("every operator", &every_operator()?)?;
    for_targets("every operator f32", &every_operator_f32()?)?;
    for rounding in [Rounding::Double, Rounding::Single] {
        for dtype in [DType::I8, DType::I16, DType::F32] {
            let graph = Graph { rounding, ..every_elementwise(dtype)? };
            for_targets(&format!("elementwise {} {rounding:?}", dtype.name()), &graph)?;
        }
        for dtype in [DType::I8, DType::I16, DType::F32, DType::F16] {
            let graph = Graph { rounding, ..every_movement(dtype)? };
            for_targets(&format!("movement {} {rounding:?}", dtype.name()), &graph)?;
        }
    }
    Ok(())
}

fn networks_of_the_zoo() -> Result<(), Box<dyn Error>> {
    for entry in zoo::of_samples() {
        let name = format!("zoo {}", entry.name);
        // Batch norm is refused until it is folded.
        for_targets(&format!("{name} f32 as trained"), &trainable(entry.name, &[16, 12, 3], 7, 1)?)?;
        let float = network(entry.name, &[16, 12, 3], 7, 1)?;
        for_targets(&format!("{name} f32"), &float)?;
        for_targets(&format!("{name} f32 simplified"), &simplify(&float)?)?;
        let int8 = quantised(&float, 2)?;
        for_targets(&format!("{name} int8"), &int8)?;
        for &chip in Chip::EMULATED {
            let name = format!("{name} int8 planned {chip}");
            let fastest = planned(&name, &int8, chip, &Limits::default())?;
            let small = Limits { least: Least::Flash, ..Limits::default() };
            let smallest = planned(&format!("{name} small"), &int8, chip, &small)?;
            let between = |a: u64, b: u64| Some(a / 2 + b / 2);
            let flash = Limits { flash: between(fastest.flash, smallest.flash), ..Limits::default() };
            planned(&format!("{name} flash"), &int8, chip, &flash)?;
            let instructions = between(fastest.instructions, smallest.instructions);
            planned(&format!("{name} instructions"), &int8, chip, &Limits { instructions, ..small })?;
            for (what, ram) in [("ram", fastest.ram - 16), ("too little ram", fastest.ram / 2)] {
                planned(&format!("{name} {what}"), &int8, chip, &Limits { ram: Some(ram), ..Limits::default() })?;
            }
        }
    }
    Ok(())
}

fn random_layers() -> Result<(), Box<dyn Error>> {
    for seed in 0..8 {
        let mut layers = Layers::new(seed);
        for _ in 0..12 {
            // A kernel that does not fit into its input adds nothing.
            let _ = (layers.conv2d(), layers.depthwise_conv2d(), layers.dense(), layers.add(), layers.pool2d());
        }
        for_targets(&format!("layers {seed}"), &layers.graph)?;
        planned(&format!("layers {seed} planned"), &layers.graph, Chip::CortexM4, &Limits::default())?;
    }
    Ok(())
}

fn packed_layers() -> Result<(), Box<dyn Error>> {
    file("every packing", every_packing().map(|file| file.to_vec()))?;
    let layers = [
        Layer::Conv2d { input: [5, 4, 3], kernel: [3, 2], filters: 7 },
        Layer::Conv2d { input: [6, 6, 8], kernel: [1, 1], filters: 12 },
        Layer::Conv2d { input: [3, 7, 9], kernel: [3, 3], filters: 17 },
        Layer::Dense { inputs: 21, outputs: 10 },
        Layer::Dense { inputs: 300, outputs: 33 },
    ];
    let patterns = [
        Pattern::All,
        Pattern::Int4,
        Pattern::Codebook,
        Pattern::Blocks { rows: 4, columns: 4 },
        Pattern::Blocks { rows: 4, columns: 1 },
        Pattern::OfEach { n: 1, m: 4 },
        Pattern::Positions,
        Pattern::Rows,
        Pattern::Anywhere,
    ];
    let windows = [Sliding::unit(Padding::Same), Sliding::strided(2, Padding::Valid)];
    for (l, layer) in layers.into_iter().enumerate() {
        for (p, pattern) in patterns.into_iter().enumerate() {
            for (s, sliding) in windows.into_iter().enumerate() {
                let mut network = Network::new(100 + (10 * l + p) as u64);
                network.push(layer, sliding, Activation::Relu, pattern, [0.25, 0.5][s])?;
                let name = format!("packed {l} {p} {s}");
                file(&name, export(&network.graph).map(|(file, _)| file.to_vec()))?;
                for layout in Layout::PACKED {
                    let exported = export_with(&network.graph, Isa::ArmDsp, &[Some(layout)]);
                    file(&format!("{name} {}", layout.name()), exported.map(|(file, _)| file.to_vec()))?;
                }
                planned(&format!("{name} planned"), &network.graph, Chip::CortexM4, &Limits::default())?;
            }
        }
    }
    Ok(())
}

fn networks_over_graphs() -> Result<(), Box<dyn Error>> {
    let sizes = [
        Sizes { nodes: 1, features: 1, hidden: 1, classes: 1 },
        Sizes { nodes: 13, features: 11, hidden: 16, classes: 7 },
        Sizes { nodes: 40, features: 30, hidden: 37, classes: 18 },
    ];
    let all = |name: &str, graph: &Graph| -> Result<(), Box<dyn Error>> {
        for (what, graph) in [("whole", graph), ("two nodes", &query(graph, 2)?)] {
            for (n, plan) in plans(graph)?.iter().enumerate() {
                file::<String>(&format!("{name} {what} {n}"), Ok(plan))?;
            }
        }
        planned(&format!("{name} planned"), graph, Chip::CortexM4, &Limits::default())?;
        Ok(())
    };
    for (seed, kind) in (0..).zip(Kind::ALL) {
        for (edges, (n, sizes)) in Edges::ALL.into_iter().flat_map(|edges| sizes.map(|s| (edges, (s.nodes, s)))) {
            all(&format!("graph {kind:?} {edges:?} {n}"), &over_graph(kind, edges, sizes, seed)?)?;
            if n > 1 && matches!(edges, Edges::Random | Edges::OneWay) {
                let (_, network, _) = choosing(kind, edges, sizes, seed)?;
                all(&format!("graph {kind:?} {edges:?} {n} choosing"), &network)?;
            }
        }
    }
    Ok(())
}

/// The networks of one operator each that TensorFlow Lite Micro was asked about.
fn golden_networks() -> Result<(), Box<dyn Error>> {
    for (n, bytes) in tflm::networks()?.iter().enumerate() {
        let name = format!("golden network {n}");
        match import::tflite::from_bytes(bytes) {
            Err(fault) => file::<String>(&name, Err::<Vec<u8>, _>(fault.to_string()))?,
            Ok(graph) => {
                let graph = simplify(&graph)?;
                for_targets(&name, &graph)?;
                planned(&format!("{name} planned"), &graph, Chip::CortexM4, &Limits::default())?;
            }
        }
    }
    Ok(())
}
