//! DSP kernels on emulated chips against the plain kernels on this machine, on random geometries.

use niwaki::chip::Chip;
use niwaki::export::{export, export_for, read::describe};
use niwaki::hardware::Isa;
use niwaki_core::format::Model;
use niwaki_tests::layers::Layers;
use niwaki_tests::parity::compared;

/// Layers in one network, and networks.
const LAYERS: usize = 40;
const NETWORKS: u64 = 8;
/// Inputs of each network.
const INPUTS: usize = 2;

/// Layers of every kind that has a DSP kernel.
fn network(seed: u64) -> Layers {
    let mut layers = Layers::new(seed);
    while layers.graph.nodes.len() < LAYERS {
        // A kernel that does not fit into its input is drawn again.
        let _ = match layers.below(8) {
            0 => layers.dense(),
            1..4 => layers.conv2d(),
            4..6 => layers.depthwise_conv2d(),
            6 => layers.add(),
            _ => layers.pool2d(),
        };
    }
    layers
}

/// Runs every network on `chip` and compares every byte; prints that it is skipped where the emulator is missing.
fn same_bytes_on(chip: Chip) {
    let mut outputs = 0;
    for seed in 0..NETWORKS {
        let mut layers = network(seed);
        let inputs = layers.inputs(INPUTS);
        let (plain, _) = export(&layers.graph).expect("exports");
        let (tiled, arena) = export_for(&layers.graph, Isa::ArmDsp).expect("exports");
        let description = describe(&Model::verify(&tiled, niwaki_core::ops::ALL).expect("verifies"));
        let weighted = |op: &str| op.starts_with("conv") || op.starts_with("depthwise") || op.starts_with("dense");
        let packed = description.operators.iter().all(|o| o.op.ends_with("_tiled") || !weighted(o.op));
        assert!(packed, "seed {seed}: a layer was not packed");
        assert!(arena.bytes < 1 << 20);
        let label = |_| format!("seed {seed}");
        let Some(counts) = compared(chip, &layers.graph, [&plain, &tiled], &inputs, label) else { return };
        outputs += counts.iter().sum::<usize>();
    }
    println!("{chip}: {outputs} outputs are equal");
    assert!(outputs > 30_000);
}

#[test]
fn tiled_layers_answer_the_plain_ones_bytes_here() {
    same_bytes_on(Chip::Host);
}

#[test]
fn tiled_layers_answer_the_plain_ones_bytes_on_cortex_m4() {
    same_bytes_on(Chip::CortexM4);
}

#[test]
fn tiled_layers_answer_the_plain_ones_bytes_on_cortex_m7() {
    same_bytes_on(Chip::CortexM7);
}
