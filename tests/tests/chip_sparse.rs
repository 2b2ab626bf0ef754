//! Sparse and four-bit layers on emulated chips against the plain kernels on this machine, on random geometries.

use niwaki::chip::Chip;
use niwaki::export::{Layout, export, export_with, pack_layer};
use niwaki::graph::{Activation, Padding, Sliding};
use niwaki::hardware::Isa;
use niwaki_core::format::Model;
use niwaki_core::ops::{Op, OpCode};
use niwaki_tests::parity::compared;
use niwaki_tests::sparse::{Layer, Network, Pattern};
use std::collections::BTreeMap;

/// Outputs of every operator that are compared on every chip.
const OUTPUTS: usize = 20_000;
/// Inputs of each network.
const INPUTS: usize = 12;
/// Layers of each operator in one network.
const LAYERS: usize = 4;

/// Every packed operator with the patterns that it is for.
const OPERATORS: [(Op, Layout); 13] = [
    (Op::Conv2d, Layout::Blocks),
    (Op::Dense, Layout::Blocks),
    (Op::Conv2d, Layout::Taps),
    (Op::Dense, Layout::Taps),
    (Op::Conv2d, Layout::Kept),
    (Op::Dense, Layout::Kept),
    (Op::Conv2d, Layout::Rows),
    (Op::Dense, Layout::Rows),
    (Op::Conv2d, Layout::Int4),
    (Op::Dense, Layout::Int4),
    (Op::Conv2d, Layout::Codebook),
    (Op::Dense, Layout::Codebook),
    (Op::Dense, Layout::Compressed),
];

fn pattern(network: &mut Network, layout: Layout) -> Pattern {
    match layout {
        Layout::Int4 => Pattern::Int4,
        Layout::Codebook => Pattern::Codebook,
        Layout::Kept => Pattern::Positions,
        Layout::Rows => Pattern::Rows,
        Layout::Taps if network.below(2) == 0 => Pattern::OfEach { n: 1 + network.below(3), m: 4 },
        Layout::Blocks | Layout::Taps => Pattern::Blocks { rows: 1 + network.below(5), columns: 1 + network.below(5) },
        _ => Pattern::Anywhere,
    }
}

fn layer(network: &mut Network, is_conv2d: bool) -> (Layer, Sliding) {
    let mut upto = |n: usize| 1 + network.below(n);
    if !is_conv2d {
        let inputs = if upto(4) == 1 { 300 + upto(400) } else { upto(90) };
        return (Layer::Dense { inputs, outputs: 20 + upto(100) }, Sliding::unit(Padding::Valid));
    }
    let (input, kernel) = ([upto(9), upto(9), upto(9)], [upto(4), upto(4)]);
    let dilation = [if upto(4) == 1 { 2 } else { 1 }, if upto(4) == 1 { 2 } else { 1 }];
    let padding = match upto(3) {
        1 => Padding::Valid,
        2 => Padding::Same,
        _ => {
            let mut pad = |axis: usize| upto((kernel[axis] - 1) * dilation[axis] + 1) - 1;
            Padding::Explicit { top: pad(0), bottom: pad(0), left: pad(1), right: pad(1) }
        }
    };
    let stride = if upto(2) == 1 { [1, 1] } else { [upto(3), upto(3)] };
    (Layer::Conv2d { input, kernel, filters: upto(19) }, Sliding { stride, dilation, padding })
}

/// A network of some layers of each operator, with their layouts.
fn network(seed: u64) -> (Network, Vec<Option<Layout>>) {
    let (mut network, mut layouts) = (Network::new(seed), Vec::new());
    for (op, layout) in OPERATORS {
        let end = layouts.len() + LAYERS;
        while layouts.len() < end {
            let (layer, sliding) = layer(&mut network, op == Op::Conv2d);
            let activations = [Activation::None, Activation::None, Activation::Relu, Activation::ReluN1To1];
            let activation = activations[network.below(activations.len())];
            let (pattern, keep) = (pattern(&mut network, layout), network.below(11) as f64 / 10.0);
            // A kernel that does not fit into its input is drawn again.
            if network.push(layer, sliding, activation, pattern, keep).is_ok() {
                layouts.push(Some(layout));
            }
        }
    }
    (network, layouts)
}

/// Runs networks on `chip` until enough outputs of every operator were compared; prints that it is skipped where the
/// emulator is missing.
fn same_bytes_on(chip: Chip) {
    let mut totals: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0.. {
        let (mut network, layouts) = network(seed);
        let inputs = network.inputs(INPUTS);
        let graph = &network.graph;
        let (plain, _) = export(graph).expect("exports");
        let (packed, arena) = export_with(graph, Isa::ArmDsp, &layouts).expect("exports");
        assert!(arena.bytes < 1 << 20);
        let model = Model::verify(&packed, niwaki_core::ops::ALL).expect("verifies");
        let records = (0..model.operator_count()).filter_map(|n| model.operator(n));
        let codes: Vec<OpCode> = records.filter_map(|record| OpCode::from_byte(record.code)).collect();
        let label = |n: usize| format!("seed {seed}: {}", codes[n].name());
        let Some(counts) = compared(chip, graph, [&plain, &packed], &inputs, label) else { return };
        for (code, count) in codes.iter().zip(counts) {
            *totals.entry(code.name()).or_default() += count;
        }
        let enough = |code: OpCode| totals.get(code.name()).is_some_and(|&n| n >= OUTPUTS);
        if OPERATORS.iter().all(|&(op, layout)| OpCode::of(op, layout).is_some_and(enough)) {
            break;
        }
        assert!(seed < 40, "{totals:?}: an operator gets too few outputs");
    }
    println!("{chip}: equal outputs: {totals:?}");
}

#[test]
fn a_layout_that_a_layer_cannot_have_is_refused_by_name() {
    let mut network = Network::new(0);
    network.add(Layer::Conv2d { input: [4, 4, 3], kernel: [3, 3], filters: 5 }, Pattern::All, 1.0).expect("fits");
    let node = &network.graph.nodes[0];
    let refused = |layout| pack_layer(&network.graph, node, layout).expect_err("refused").to_string();
    let says = "`layer0` cannot be packed as";
    assert_eq!(refused(Layout::Compressed), format!("{says} compressed: it is no dense layer"));
    assert_eq!(refused(Layout::Int4), format!("{says} int4: a weight or a sum of weights is out of its range"));
    let why = "its weights have more than 16 values, 0 included where a tile is filled up";
    assert_eq!(refused(Layout::Codebook), format!("{says} codebook: {why}"));
}

#[test]
fn sparse_and_four_bit_layers_answer_the_plain_ones_bytes_here() {
    same_bytes_on(Chip::Host);
}

#[test]
fn sparse_and_four_bit_layers_answer_the_plain_ones_bytes_on_cortex_m3() {
    same_bytes_on(Chip::CortexM3);
}

#[test]
fn sparse_and_four_bit_layers_answer_the_plain_ones_bytes_on_cortex_m4() {
    same_bytes_on(Chip::CortexM4);
}

#[test]
fn sparse_and_four_bit_layers_answer_the_plain_ones_bytes_on_cortex_m7() {
    same_bytes_on(Chip::CortexM7);
}

#[test]
fn sparse_and_four_bit_layers_answer_the_plain_ones_bytes_on_cortex_m33() {
    same_bytes_on(Chip::CortexM33);
}
