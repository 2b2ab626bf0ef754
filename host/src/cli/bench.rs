//! `niwaki bench`: what a model costs on an emulated chip.

use super::{CliError, chip, print, print_json, progress::Progress};
use crate::chip::{self, Chip, Cost, cycles};
use crate::export::read::{Description, ModelFile, OperatorInfo};
use crate::io::format;
use crate::plan::limits::Limits;
use crate::report::console;
use crate::tune::read_planned;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Inputs that instructions are counted over.
const INPUTS: usize = 3;

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// A .niwaki or .tflite file
    model: PathBuf,
    /// The chip
    #[arg(long, value_name = "CHIP", default_value = "cortex-m4")]
    on: String,
    /// Print one JSON object and nothing else on standard output
    #[arg(long)]
    json: bool,
    /// Show what cargo, the package manager and the firmware print
    #[arg(long, short)]
    verbose: bool,
}

pub(super) fn bench(args: BenchArgs) -> Result<(), CliError> {
    let on = chip(&args.on)?;
    if on == Chip::Host {
        return Err(CliError::Input("bench counts instructions on an emulated chip: give --on cortex-m4".into()));
    }
    let (ModelFile { bytes, description }, _) = read_planned(&args.model, Some(on), &Limits::default())?;
    let inputs: Vec<Vec<u8>> = (0..INPUTS).map(|k| input(&description, k)).collect();
    let mut progress = Progress::new(args.verbose);
    let measured = chip::run(on, &bytes, &inputs, &mut |step| progress.chip(step));
    let estimate = chip::estimate_cycles(on, &bytes, &inputs[0], &mut |step| progress.chip(step));
    let image = chip::bench_image(on, &bytes, &inputs[0], &mut |step| progress.chip(step));
    progress.finish();
    let cost = measured?.cost.ok_or_else(|| CliError::Input(format!("{on} measures nothing")))?;
    let (estimate, image) = (estimate?, image?);
    if args.json {
        return print_json(&json!({
            "chip": on.to_string(),
            "instructions": cost.instructions,
            "instructions_min": cost.instructions_min,
            "instructions_max": cost.instructions_max,
            "est_cycles": estimate.as_ref().map(|estimate| estimate.cycles),
            "est_cycles_per_function": estimate.as_ref().map(per_function),
            "arena_bytes": cost.arena_bytes,
            "stack_bytes": cost.stack_bytes,
            "flash_code_bytes": cost.code_bytes,
            "flash_model_bytes": description.file_bytes,
            "macs": description.macs,
            "per_op": per_op(&description, &cost),
            "elf": image,
        }));
    }
    print(&text(&description, &cost, estimate.as_ref(), &on.to_string()))
}

/// Input `k`: the codes of a linear congruential generator; floats in -0.5..0.5.
fn input(description: &Description, k: usize) -> Vec<u8> {
    let mut state = 1000 + k as u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state
    };
    let mut bytes = Vec::new();
    for port in &description.inputs {
        match port.dtype {
            "f32" => bytes.extend(
                (0..port.bytes / 4).flat_map(|_| ((next() >> 40) as f32 / (1 << 24) as f32 - 0.5).to_le_bytes()),
            ),
            // Numbers of nodes.
            "i32" => bytes.extend((0..port.bytes / 4).flat_map(|_| ((next() >> 33) as i32 % 1000).to_le_bytes())),
            _ => bytes.extend((0..port.bytes).map(|_| ((next() >> 33) & 255) as u8)),
        }
    }
    bytes
}

fn per_op(description: &Description, cost: &Cost) -> serde_json::Value {
    let rows = description.operators.iter().zip(&cost.per_op).map(|(o, &instructions)| {
        json!({ "op": o.op, "dtype": o.dtype, "input_shape": o.input_shape, "output_shape": o.output_shape,
                "macs": o.macs, "instructions": instructions })
    });
    rows.collect()
}

fn per_function(estimate: &cycles::Estimate) -> serde_json::Value {
    let rows = estimate.functions.iter();
    rows.map(|f| json!({ "name": f.name, "instructions": f.instructions, "cycles": f.cycles })).collect()
}

/// The estimate beside the count; nothing for chips whose timings are not known.
fn cycles_line(estimate: Option<&cycles::Estimate>) -> String {
    let Some(estimate) = estimate else { return String::new() };
    let ratio = estimate.cycles as f64 / estimate.instructions.max(1) as f64;
    let cycles = format::exact(estimate.cycles);
    format!("estimated cycles {cycles} ({}), {ratio:.2} an instruction\n", cycles::ASSUMPTIONS)
}

fn text(description: &Description, cost: &Cost, estimate: Option<&cycles::Estimate>, chip: &str) -> String {
    let sum: u64 = cost.per_op.iter().sum();
    let row = |(n, (o, &instructions)): (usize, (&OperatorInfo, &u64))| {
        vec![
            n.to_string(),
            o.op.to_string(),
            format::shape(&o.output_shape),
            format::exact(o.macs),
            format::exact(instructions),
            if o.macs == 0 { String::new() } else { format!("{:.2}", instructions as f64 / o.macs as f64) },
            format::percent(instructions as f64 / sum.max(1) as f64),
        ]
    };
    let rows = description.operators.iter().zip(&cost.per_op).enumerate().map(row).collect();
    let heads = ["#", "operator", "output", "MACs", "instructions", "per MAC", "share"];
    let table = console::grid(&heads, rows, &[], &[1, 2]);
    let spread = if cost.instructions_min == cost.instructions_max {
        String::new()
    } else {
        format!(" ({} to {})", format::exact(cost.instructions_min), format::exact(cost.instructions_max))
    };
    format!(
        "{table}\n\n\
         {chip}: {} instructions an inference{spread}, median of {INPUTS} inputs; a count, not cycles\n\
         {}arena {} · stack {} · code {} · model {} · {} MACs\n",
        format::exact(cost.instructions),
        cycles_line(estimate),
        format::bytes(cost.arena_bytes),
        format::bytes(cost.stack_bytes),
        format::bytes(cost.code_bytes),
        format::bytes(description.file_bytes),
        format::exact(description.macs),
    )
}
