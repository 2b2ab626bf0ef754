//! `cargo run --release -p niwaki-tests --bin sparse [--chip cortex-m4]`: what each layout of weights costs on an
//! emulated chip, in executed instructions and in bytes, beside the dense packed layer.
//!
//! A benchmark, not a test: it prints. The counts are the same on every machine.

use niwaki::chip::{self, Chip};
use niwaki::export::{Layout, export_with, pack_layer};
use niwaki::hardware::Isa;
use niwaki_tests::sparse::{Layer, Pattern};
use std::{error::Error, process::ExitCode};

const USAGE: &str = "usage: sparse [--chip CHIP]";

/// Layers that are measured.
const LAYERS: [(&str, Layer); 3] = [
    ("conv2d 3x3 64->64 on 16x16", Layer::Conv2d { input: [16, 16, 64], kernel: [3, 3], filters: 64 }),
    ("conv2d 1x1 128->128 on 8x8", Layer::Conv2d { input: [8, 8, 128], kernel: [1, 1], filters: 128 }),
    ("dense 256->256", Layer::Dense { inputs: 256, outputs: 256 }),
];

/// Parts of the weights that are kept.
const KEPT: [f64; 3] = [0.5, 0.25, 0.1];

/// One line of the table.
struct Row {
    layout: Layout,
    pattern: Pattern,
    keep: f64,
}

fn rows(layer: Layer) -> Vec<Row> {
    let row = |layout, pattern, keep| Row { layout, pattern, keep };
    let mut rows = vec![
        row(Layout::Tiled, Pattern::All, 1.0),
        row(Layout::Int4, Pattern::Int4, 1.0),
        row(Layout::Codebook, Pattern::Codebook, 1.0),
    ];
    let structured = [
        (Layout::Blocks, Pattern::Blocks { rows: 4, columns: 4 }),
        (Layout::Taps, Pattern::Blocks { rows: 4, columns: 1 }),
        (Layout::Kept, Pattern::Positions),
        (Layout::Rows, Pattern::Rows),
    ];
    for (layout, pattern) in structured {
        rows.extend(KEPT.map(|keep| row(layout, pattern, keep)));
    }
    rows.extend([1, 2].map(|n| row(Layout::Taps, Pattern::OfEach { n, m: 4 }, n as f64 / 4.0)));
    if let Layer::Dense { .. } = layer {
        rows.extend(KEPT.map(|keep| row(Layout::Compressed, Pattern::Anywhere, keep)));
    }
    rows
}

fn table(name: &str, layer: Layer, chip: Chip) -> Result<(), Box<dyn Error>> {
    let rows = rows(layer);
    let mut network = niwaki_tests::sparse::Network::new(1);
    rows.iter().try_for_each(|row| network.add(layer, row.pattern, row.keep))?;
    let inputs = network.inputs(1);
    let graph = &network.graph;
    let layouts: Vec<_> = rows.iter().map(|row| Some(row.layout)).collect();
    let (file, _) = export_with(graph, Isa::ArmDsp, &layouts)?;
    let cost = chip::run(chip, &file, &inputs, &mut |_| ())?.cost.ok_or("an emulated chip has costs")?;
    let bytes = graph.nodes.iter().zip(&rows).map(|(node, row)| Ok(pack_layer(graph, node, row.layout)?.bytes()));
    let bytes = bytes.collect::<Result<Vec<usize>, Box<dyn Error>>>()?;
    println!("\n{name} on {chip}");
    println!(
        "{:>12} {:>14} {:>6} {:>13} {:>7} {:>9} {:>7}",
        "layout", "zeros in", "zeros", "instructions", "ratio", "bytes", "ratio"
    );
    for ((row, instructions), bytes_here) in rows.iter().zip(&cost.per_op).zip(&bytes) {
        println!(
            "{:>12} {:>14} {:>5.0}% {:>13} {:>7.3} {:>9} {:>7.3}",
            row.layout.name(),
            row.pattern.to_string(),
            100.0 * (1.0 - row.keep),
            instructions,
            *instructions as f64 / cost.per_op[0] as f64,
            bytes_here,
            *bytes_here as f64 / bytes[0] as f64,
        );
    }
    Ok(())
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let chip = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Some(Chip::CortexM4),
        ["--chip", name] => name.parse().ok().filter(|chip| Chip::EMULATED.contains(chip)),
        _ => None,
    };
    let Some(chip) = chip else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    for (name, layer) in LAYERS {
        if let Err(error) = table(name, layer, chip) {
            eprintln!("{name}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
