//! `niwaki inspect`, `niwaki run` and `niwaki eval`: one model file.

use super::{CliError, chip, print, print_json, progress::Progress};
use crate::chip;
use crate::export::read::{ModelFile, OperatorInfo, Port};
use crate::graph::eval::f32s;
use crate::io::format;
use crate::io::npy::{self, AnyArray};
use crate::pipeline::score::{class_of, elements};
use crate::plan::limits::Limits;
use crate::report::console;
use crate::tune::{LayerPlan, Needs, Plan, read_planned};
use clap::Args;
use niwaki_core::num::quantize_i8;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// A .niwaki or .tflite file
    model: PathBuf,
    /// Print one JSON object and nothing else on standard output
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// A .niwaki or .tflite file
    model: PathBuf,
    /// N inputs along the first axis, in the model's element type or float (which is quantised)
    #[arg(long, value_name = "X.npy")]
    input: PathBuf,
    /// Where the N outputs go, in the model's element type
    #[arg(long, value_name = "Y.npy")]
    output: PathBuf,
    /// Where it runs
    #[arg(long, value_name = "CHIP", default_value = "host")]
    on: String,
    /// Print one JSON object and nothing else on standard output
    #[arg(long)]
    json: bool,
    /// Show what cargo, the package manager and the firmware print
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Debug, Args)]
pub(super) struct EvalArgs {
    /// A .niwaki or .tflite file
    model: PathBuf,
    /// The test split of a data set (`niwaki data list`), or a folder of labels.npy (integers, one a sample) and inputs: its
    /// other .npy files, samples along the first axis, one file after the other in the order of their names
    #[arg(long, value_name = "NAME|DIR")]
    data: String,
    /// Where it runs
    #[arg(long, value_name = "CHIP", default_value = "host")]
    on: String,
    /// Print one JSON object and nothing else on standard output
    #[arg(long)]
    json: bool,
}

impl ModelFile {
    /// The only input, for commands that take one array.
    fn input(&self) -> Result<&Port, CliError> {
        match self.description.inputs.as_slice() {
            [port] => Ok(port),
            ports => Err(CliError::Input(format!("the model has {} inputs; one array fills one", ports.len()))),
        }
    }

    fn output(&self) -> Result<&Port, CliError> {
        match self.description.outputs.as_slice() {
            [port] => Ok(port),
            ports => Err(CliError::Input(format!("the model has {} outputs; one array holds one", ports.len()))),
        }
    }

    fn run(&self, on: &str, inputs: &[Vec<u8>], verbose: bool) -> Result<chip::Measured, CliError> {
        let on = chip(on)?;
        let mut progress = Progress::new(verbose);
        let measured = chip::run(on, &self.bytes, inputs, &mut |step| progress.chip(step));
        progress.finish();
        Ok(measured?)
    }
}

pub(super) fn inspect(args: InspectArgs) -> Result<(), CliError> {
    let (model, plan) = read_planned(&args.model, None, &Limits::default())?;
    let d = model.description;
    if args.json {
        let mut value = serde_json::to_value(&d).unwrap_or_default();
        value["plan"] = serde_json::to_value(&plan).unwrap_or_default();
        return print_json(&value);
    }
    let row = |(n, o): (usize, &OperatorInfo)| {
        vec![
            n.to_string(),
            o.op.to_string(),
            o.dtype.to_string(),
            o.layout.unwrap_or_default().to_string(),
            format::shape(&o.input_shape),
            format::shape(&o.output_shape),
            format::exact(o.macs),
            format::bytes(o.constant_bytes),
            arena_bar(o, d.arena_bytes),
        ]
    };
    let rows = d.operators.iter().enumerate().map(row).collect();
    let heads = ["#", "operator", "type", "layout", "input", "output", "MACs", "constants", "arena in use"];
    let table = console::grid(&heads, rows, &[], &[1, 2, 3, 4, 5, 8]);
    let mut text = format!("{table}\n\n");
    let ports = d.inputs.iter().map(|p| ("input", p)).chain(d.outputs.iter().map(|p| ("output", p)));
    for (name, p) in ports {
        text += &format!("{name:<7} {} {}", format::shape(&p.shape), p.dtype);
        if p.scale > 0.0 {
            text += &format!(" · real = {} × (code − {})", p.scale, p.zero_point);
        }
        text += "\n";
    }
    text += &format!(
        "{} MACs · {} parameters · file {} · arena {} (█ written by the operator, ▒ read later or now, s scratch)\n",
        format::exact(d.macs),
        format::exact(d.params),
        format::bytes(d.file_bytes),
        format::bytes(d.arena_bytes)
    );
    text += &plan.as_ref().map_or_else(String::new, planned);
    print(&text)
}

/// Why the layers have the layouts that they have.
fn planned(plan: &Plan) -> String {
    let row = |layer: &LayerPlan| {
        let taken = layer.taken()?;
        Some(vec![
            format::shortened(&layer.name, 28),
            taken.layout.clone(),
            format::bytes(taken.bytes),
            format::exact(taken.instructions),
            layer.why.clone(),
        ])
    };
    let rows = plan.layers.iter().filter_map(row).collect();
    let heads = ["layer", "layout", "in the file", "instructions", "why"];
    let table = console::grid(&heads, rows, &[], &[0, 1, 4]);
    let Needs { ram, flash, instructions } = plan.needs;
    let mut text = format!(
        "\nplanned for {}: about {} instructions, {} of flash with the program, {} of RAM with the stack\n{table}\n",
        plan.chip,
        format::exact(instructions),
        format::bytes(flash),
        format::bytes(ram),
    );
    if !plan.not_counted.is_empty() {
        text += &format!("no table has the instructions of: {}\n", plan.not_counted.join(", "));
    }
    text
}

/// The arena as a line: where an operator writes and works, and what else is in use while it runs.
fn arena_bar(o: &OperatorInfo, arena: u64) -> String {
    const CELLS: u64 = 32;
    let cell = |c: u64| [c * arena / CELLS, (c + 1) * arena / CELLS];
    let meets = |[a, b]: [u64; 2], [from, to]: [u64; 2]| a < to && from < b;
    let output = [o.output_offset, o.output_offset + o.output_bytes];
    let scratch = [o.scratch_offset, o.scratch_offset + o.scratch_bytes];
    let draw = |c| match cell(c) {
        cell if meets(cell, output) => '█',
        cell if meets(cell, scratch) => 's',
        cell if o.live.iter().any(|&live| meets(cell, live)) => '▒',
        _ => '·',
    };
    format!("{} {}", (0..CELLS).map(draw).collect::<String>(), format::bytes(o.live_bytes))
}

/// The inputs of an array as the model's bytes; the first axis counts them.
fn model_inputs(path: &Path, array: AnyArray, port: &Port) -> Result<Vec<Vec<u8>>, CliError> {
    let shape = array.shape();
    let len: usize = port.shape.iter().product();
    let fits = shape.first().is_some_and(|_| shape[1..].iter().product::<usize>() == len);
    if !fits {
        let wanted: Vec<String> = port.shape.iter().map(usize::to_string).collect();
        let wanted = wanted.join(", ");
        return Err(CliError::Input(format!("{}: shape {shape:?}, the model takes [N, {wanted}]", path.display())));
    }
    let rows = |bytes: &[u8], row_bytes: usize| bytes.chunks_exact(row_bytes).map(<[u8]>::to_vec).collect();
    match (&array, port.dtype) {
        (AnyArray::I8(a), "i8") => Ok(rows(bytemuck::cast_slice(&a.values), len)),
        (AnyArray::I16(a), "i16") => Ok(rows(bytemuck::cast_slice(&a.values), 2 * len)),
        (AnyArray::I32(a), "i32") => Ok(rows(bytemuck::cast_slice(&a.values), 4 * len)),
        (AnyArray::F32(a), "f32") => Ok(rows(bytemuck::cast_slice(&a.values), 4 * len)),
        (AnyArray::F32(a), "i8") => {
            let codes: Vec<i8> = a.values.iter().map(|&v| quantize_i8(v, port.scale, port.zero_point)).collect();
            Ok(rows(bytemuck::cast_slice(&codes), len))
        }
        (_, wanted) => {
            let (path, found) = (path.display(), array.element());
            Err(CliError::Input(format!("{path}: elements are {found}, the model takes {wanted}, or float32 as i8")))
        }
    }
}

pub(super) fn run(args: RunArgs) -> Result<(), CliError> {
    let (model, _) = read_planned(&args.model, Some(chip(&args.on)?), &Limits::default())?;
    let (input, output) = (model.input()?, model.output()?);
    let inputs = model_inputs(&args.input, npy::read_any(&args.input)?, input)?;
    let measured = model.run(&args.on, &inputs, args.verbose)?;
    let mut shape = vec![inputs.len()];
    shape.extend(&output.shape);
    let bytes = measured.outputs.concat();
    match output.dtype {
        "i8" => npy::write::<i8>(&args.output, &shape, bytemuck::cast_slice(&bytes))?,
        "i16" => npy::write::<i16>(&args.output, &shape, &elements(&bytes, i16::from_le_bytes))?,
        "i32" => npy::write::<i32>(&args.output, &shape, &elements(&bytes, i32::from_le_bytes))?,
        _ => npy::write(&args.output, &shape, &f32s(&bytes))?,
    }
    if args.json {
        return print_json(&json!({
            "inputs": inputs.len(),
            "output": args.output,
            "output_shape": shape,
            "dtype": output.dtype,
            "on": args.on,
            "instructions": measured.cost.as_ref().map(|c| c.instructions),
        }));
    }
    let cost =
        measured.cost.map_or(String::new(), |c| format!(", {} instructions each", format::exact(c.instructions)));
    print(&format!("{} inputs on {}{cost}: {}\n", inputs.len(), args.on, args.output.display()))
}

pub(super) fn eval(args: EvalArgs) -> Result<(), CliError> {
    let (model, _) = read_planned(&args.model, Some(chip(&args.on)?), &Limits::default())?;
    let port = model.input()?;
    let (inputs, labels) = labelled(&args.data, port)?;
    if inputs.len() != labels.len() {
        return Err(CliError::Input(format!("{}: {} inputs but {} labels", args.data, inputs.len(), labels.len())));
    }
    let Port { dtype, shape, .. } = model.output()?;
    // One 32-bit integer is the class itself; how many there are, the file does not say.
    let classes = if *dtype == "i32" { i64::MAX } else { shape.iter().product::<usize>() as i64 };
    if let Some(label) = labels.iter().find(|label| !(0..classes).contains(label)) {
        return Err(CliError::Input(format!("{}: label {label}, but the model has {classes} classes", args.data)));
    }
    let measured = model.run(&args.on, &inputs, false)?;
    let right = measured.outputs.iter().zip(&labels).filter(|(y, label)| class_of(y, dtype) == **label);
    let correct = right.count();
    let accuracy = correct as f64 / labels.len().max(1) as f64;
    if args.json {
        return print_json(&json!({
            "accuracy": accuracy,
            "correct": correct,
            "samples": labels.len(),
            "on": args.on,
            "instructions": measured.cost.as_ref().map(|c| c.instructions),
        }));
    }
    print(&format!("{} ({correct} of {}) on {}\n", format::percent(accuracy), labels.len(), args.on))
}

/// The file of a folder of samples that is not inputs, without its extension.
const LABELS: &str = "labels";

/// The `.npy` files of a folder in the order of their names, without that of the labels.
pub(super) fn input_arrays(dir: &Path) -> Result<Vec<PathBuf>, CliError> {
    let entries = std::fs::read_dir(dir).map_err(|e| CliError::Input(format!("{}: {e}", dir.display())))?;
    let mut arrays: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    arrays.retain(|p| p.extension().is_some_and(|e| e == "npy") && p.file_stem().is_some_and(|s| s != LABELS));
    arrays.sort_unstable();
    Ok(arrays)
}

/// Inputs and labels of a data set or a folder.
fn labelled(data: &str, port: &Port) -> Result<(Vec<Vec<u8>>, Vec<i64>), CliError> {
    let dir = Path::new(data);
    if !dir.is_dir() {
        let split = crate::data::load(data, None)?.test;
        let x = AnyArray::F32(npy::Array { shape: vec![split.len(), split.x.len() / split.len()], values: split.x });
        return Ok((model_inputs(dir, x, port)?, split.y.iter().map(|&y| y.into()).collect()));
    }
    let bad = |what: &str| CliError::Input(format!("{}: {what}", dir.display()));
    let arrays = input_arrays(dir)?;
    if arrays.is_empty() {
        return Err(bad("has no inputs: needs labels.npy and at least one other .npy file"));
    }
    let labels = npy::read_any(&dir.join(LABELS).with_extension("npy"))?.integers();
    let labels = labels.ok_or_else(|| bad("labels.npy must hold integers"))?;
    let mut inputs = Vec::with_capacity(labels.len());
    for path in arrays {
        inputs.extend(model_inputs(&path, npy::read_any(&path)?, port)?);
    }
    Ok((inputs, labels))
}
