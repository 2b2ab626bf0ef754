//! `quantization DIR RUN… [--only NAME] [--threads N]`: a table of the dense network of every RUN (the runs differ in their
//! seeds), quantised in every way. Each cell is a run in a folder under DIR; a finished one is only read.

use niwaki::pipeline::{self, Device, RECIPE_FILE, RunOptions};
use niwaki::recipe::{Model, Recipe};
use niwaki::report::Report;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

const USAGE: &str = "usage: quantization DIR RUN... [--only NAME] [--threads N]
RUN is the folder of a finished dense run; --only takes rows whose name contains NAME.";

/// A row of the table: its name and what it changes in the recipe.
type Row = (&'static str, &'static [&'static str]);

const CODEBOOK: &str = "quantize.weights=codebook";
const INT4: &str = "quantize.weights=int4";
const QAT: &str = "quantize.qat_epochs=8";

const ROWS: &[Row] = &[
    ("ptq-int8-minmax", &["quantize.calibration=minmax"]),
    ("ptq-int8-moving-average", &["quantize.calibration=moving-average"]),
    ("ptq-int8-percentile", &["quantize.calibration=percentile"]),
    ("ptq-int8-mse", &["quantize.calibration=mse"]),
    ("ptq-int8-kl", &["quantize.calibration=kl"]),
    ("ptq-int8-bias-correction", &["quantize.bias_correction=true"]),
    ("ptq-int8-tensor", &["quantize.granularity=tensor"]),
    ("ptq-int8-tensor-equalized", &["quantize.granularity=tensor", "quantize.equalize=true"]),
    ("ptq-codebook", &[CODEBOOK]),
    ("ptq-codebook-bias-correction", &[CODEBOOK, "quantize.bias_correction=true"]),
    ("ptq-int4-minmax", &[INT4, "quantize.weight_calibration=minmax"]),
    ("ptq-int4-percentile", &[INT4, "quantize.weight_calibration=percentile"]),
    ("ptq-int4-mse", &[INT4]),
    ("ptq-int4-kl", &[INT4, "quantize.weight_calibration=kl"]),
    ("ptq-int4-bias-correction", &[INT4, "quantize.bias_correction=true"]),
    ("ptq-int4-reconstruct", &[INT4, "quantize.reconstruct=1000", "quantize.bias_correction=true"]),
    ("ptq-int4-tensor", &[INT4, "quantize.granularity=tensor"]),
    ("ptq-int4-tensor-equalized", &[INT4, "quantize.granularity=tensor", "quantize.equalize=true"]),
    ("qat-int8", &[QAT]),
    ("qat-int8-distill", &[QAT, "quantize.qat_distill=0.5"]),
    ("qat-int8-lsq", &[QAT, "quantize.lsq=true"]),
    ("qat-int4", &[INT4, QAT]),
    ("qat-int4-lsq", &[INT4, QAT, "quantize.lsq=true"]),
    ("qat-int4-distill", &[INT4, QAT, "quantize.qat_distill=0.5"]),
    ("qat-int4-all-layers", &[INT4, QAT, "quantize.ends=int4"]),
];

struct Arguments {
    dir: PathBuf,
    runs: Vec<PathBuf>,
    only: String,
    threads: usize,
}

fn arguments() -> Option<Arguments> {
    let (mut names, mut only, mut threads) = (Vec::new(), String::new(), 1);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--only" => only = words.next()?,
            "--threads" => threads = words.next()?.parse().ok()?,
            option if option.starts_with('-') => return None,
            _ => names.push(PathBuf::from(word)),
        }
    }
    let dir = (names.len() > 1).then(|| names.remove(0))?;
    Some(Arguments { dir, runs: names, only, threads })
}

fn main() -> ExitCode {
    let Some(arguments) = arguments() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match table(&arguments) {
        Ok(text) => print!("{text}"),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn accuracy(report: &Report, stage: &str) -> Result<f64, String> {
    let found = report.stages.iter().find(|s| s.name == stage);
    found.map(|s| 100.0 * s.accuracy).ok_or_else(|| format!("{}: has no stage {stage}", report.title))
}

fn table(arguments: &Arguments) -> Result<String, Box<dyn Error>> {
    let mut float = Vec::new();
    for run in &arguments.runs {
        float.push(accuracy(&Report::load(run)?, "dense-f32")?);
    }
    let mut text = String::from("| | mean | sd | less than f32 | by run |\n| --- | --- | --- | --- | --- |\n");
    text += &line("f32", &float, &float);
    for (name, sets) in ROWS.iter().filter(|(name, _)| name.contains(&arguments.only)) {
        let mut row = Vec::new();
        for run in &arguments.runs {
            row.push(cell(arguments, name, sets, run)?);
        }
        let line = line(name, &row, &float);
        eprint!("{line}");
        text += &line;
    }
    Ok(text)
}

fn cell(arguments: &Arguments, name: &str, sets: &[&str], run: &Path) -> Result<f64, Box<dyn Error>> {
    let mut dense = Recipe::load(&run.join(RECIPE_FILE), &[])?;
    dense.model = Model { run: Some(run.into()), ..Model::default() };
    (dense.train.epochs, dense.compare) = (0, None);
    let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
    // A default that depends on another key must not be written out when that key is about to change.
    let text: String =
        dense.to_toml().lines().filter(|l| !l.starts_with("weight_calibration")).map(|l| format!("{l}\n")).collect();
    let recipe = Recipe::parse(&text, name, &sets)?;
    let dir = arguments.dir.join(format!("{name}-seed{}", recipe.train.seed));
    if let Ok(report) = Report::load(&dir) {
        return Ok(accuracy(&report, "int8-host")?);
    }
    let stop = AtomicBool::new(false);
    let options = RunOptions {
        dir: &dir,
        threads: arguments.threads,
        device: Device::Cpu,
        chip: None,
        chip_inputs: None,
        keep_limits: false,
        stop: &stop,
    };
    let finished = pipeline::run(&recipe, options, &mut |_| ())?;
    Ok(accuracy(&finished.report, "int8-host")?)
}

fn line(name: &str, row: &[f64], float: &[f64]) -> String {
    let n = row.len() as f64;
    let mean = row.iter().sum::<f64>() / n;
    let variance = row.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    let less = float.iter().sum::<f64>() / n - mean;
    let cells: Vec<String> = row.iter().map(|a| format!("{a:.2}")).collect();
    format!("| {name} | {mean:.2} % | {:.2} | {less:+.2} | {} |\n", variance.sqrt(), cells.join(" "))
}
