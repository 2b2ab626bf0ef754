//! `niwaki compress`: sparsify and quantise the dense network of a run, or an imported one.

use super::{CliError, model::input_arrays, print, print_json, training_run::TrainingArgs};
use crate::io::format;
use crate::io::npy;
use crate::pipeline::{RECIPE_FILE, imported::quantize_imported};
use crate::recipe::{Model, Precision, Recipe};
use crate::sparsify::options::Method;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct CompressArgs {
    /// The folder of a run, or a .tflite file with a float network
    #[arg(value_name = "RUN|MODEL.tflite")]
    network: PathBuf,
    /// How groups are ranked and emptied; the same as --set sparsity.method=M [default: none, with --quantize]
    #[arg(long, required_unless_present = "quantize")]
    method: Option<String>,
    /// Type of the weights; the same as --set quantize.weights=T
    #[arg(long, value_name = "T")]
    quantize: Option<WeightsArg>,
    /// Share of the groups that stays, above 0 and at most 1; the same as --set sparsity.keep=K
    #[arg(long, conflicts_with = "budget", allow_negative_numbers = true)]
    keep: Option<String>,
    /// What the network may cost: macs, bytes or instructions; up to 1 a share of the dense network, as in macs=0.3
    #[arg(long, value_name = "UNIT=LIMIT")]
    budget: Option<String>,
    /// What is kept or dropped as one; the same as --set sparsity.groups=G
    #[arg(long)]
    groups: Option<String>,
    /// How the groups that stay are spread over the layers; the same as --set sparsity.allocation=A
    #[arg(long)]
    allocation: Option<String>,
    /// The data set (`niwaki data list`); that of the run unless given. For a file that is only to be quantised also a
    /// folder of .npy files, float32 and samples along the first axis: every second sample sets the ranges, the others
    /// show how close int8 stays to float
    #[arg(long, value_name = "NAME|DIR")]
    data: Option<String>,
    /// Change a value of the recipe, as in --set sparsity.finetune_epochs=3; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// The folder of the new run, or of the model [default: runs/NAME-METHOD-KEEP-seedN or runs/NAME-T]
    #[arg(long)]
    out: Option<PathBuf>,
    /// The same as --set train.seed=N
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    training: TrainingArgs,
}

/// `--quantize`
#[derive(Debug, Clone, Copy, ValueEnum)]
enum WeightsArg {
    Int8,
    Int4,
    Codebook,
}

impl WeightsArg {
    fn name(self) -> &'static str {
        match self {
            Self::Int8 => Precision::Int8.name(),
            Self::Int4 => Precision::Int4.name(),
            Self::Codebook => Precision::Codebook.name(),
        }
    }
}

pub(super) fn compress(args: CompressArgs) -> Result<(), CliError> {
    if let Some(weights) = args.quantize
        && let Some(dir) = args.data.as_deref().map(Path::new).filter(|_| !args.network.is_dir())
        && dir.is_dir()
    {
        return quantize_file(&args, weights, dir);
    }
    let recipe = recipe(&args)?;
    let dir = args.out.unwrap_or_else(|| Path::new("runs").join(name(&args.network, &recipe)));
    args.training.run(&recipe, &dir)
}

/// The recipe of the run, or the default one for a file, with the network as it is and what the arguments ask for.
fn recipe(args: &CompressArgs) -> Result<Recipe, CliError> {
    let is_run = args.network.is_dir();
    let (text, file) = match &args.data {
        _ if is_run => of_run(args)?,
        Some(data) => (of_file(args, data)?, args.network.display().to_string()),
        None => {
            let place = args.network.display();
            if !args.network.exists() {
                return Err(no_network(args));
            }
            return Err(CliError::Input(format!("{place}: a file names no data set to train on; add --data NAME")));
        }
    };
    let set = |key: &str, value: &Option<String>| value.as_ref().map(|value| format!("{key}={value}"));
    let mut sets = vec![format!("sparsity.method={}", args.method.as_deref().unwrap_or("none"))];
    sets.extend(args.quantize.map(|weights| format!("quantize.weights={}", weights.name())));
    sets.extend(set("sparsity.keep", &args.keep));
    sets.extend(set("sparsity.groups", &args.groups));
    sets.extend(set("sparsity.allocation", &args.allocation));
    sets.extend(set("data.name", &args.data.clone().filter(|_| is_run)));
    if let Some(budget) = &args.budget {
        let (unit, limit) = budget.split_once('=').ok_or_else(|| {
            CliError::Input(format!("--budget {budget}: expected UNIT=LIMIT, for example instructions=0.3"))
        })?;
        sets.push(format!("sparsity.budget={{ {unit} = {limit} }}"));
    }
    sets.extend(args.sets.iter().cloned());
    sets.extend(args.seed.map(|seed| format!("train.seed={seed}")));
    Ok(Recipe::parse(&text, &file, &sets)?)
}

/// Quantises a file by the inputs of a folder and says how close it stayed.
fn quantize_file(args: &CompressArgs, weights: WeightsArg, data: &Path) -> Result<(), CliError> {
    let place = args.network.display();
    let pruning = [&args.method, &args.keep, &args.budget, &args.groups, &args.allocation];
    if pruning.iter().any(|argument| argument.as_ref().is_some_and(|value| value != "none")) || args.seed.is_some() {
        let what = "a folder of inputs has no labels to train on: give the name of a data set, or --quantize alone";
        return Err(CliError::Input(format!("{place}: {what}")));
    }
    if let Some(set) = args.sets.iter().find(|set| !set.starts_with("quantize.") && !set.starts_with("target.")) {
        return Err(CliError::Input(format!("--set {set}: only keys of [quantize] and [target] have an effect here")));
    }
    let mut sets = vec![format!("quantize.weights={}", weights.name())];
    sets.extend(args.sets.iter().cloned());
    // The recipe needs the name of a data set; nothing of it is read.
    let recipe = Recipe::parse(&of_file(args, "digits")?, &place.to_string(), &sets)?;
    if recipe.quantize.qat_epochs > 0 {
        let what = "quantize.qat_epochs trains, which takes labels: give the name of a data set";
        return Err(CliError::Input(format!("{place}: {what}")));
    }
    let stem = args.network.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let dir = args.out.clone().unwrap_or_else(|| Path::new("runs").join(format!("{stem}-{}", weights.name())));
    let quantized = quantize_imported(&recipe, &samples(data)?, &dir)?;
    if args.training.json {
        return print_json(&serde_json::to_value(&quantized).unwrap_or_default());
    }
    if !quantized.four_bits.is_empty() {
        let names: Vec<String> = quantized.four_bits.iter().map(|name| format::shortened(name, 28)).collect();
        print(&format!("four bits, as the flash asks for: {}\n", names.join(", ")))?;
    }
    let f = &quantized.fidelity;
    print(&format!(
        "{} against float on {} inputs that were not among the {} for calibration\n\
         correlation    {:.5}\nmean error     {:.4}\nworst error    {:.4}   (scores from {:.2} to {:.2})\n\
         same class     {}\nmodel          {}: {}, arena {}\n",
        weights.name(),
        f.samples,
        quantized.calibration_samples,
        f.correlation,
        f.mean_error,
        f.worst_error,
        f.range.0,
        f.range.1,
        format::percent(f.agreement),
        quantized.model.display(),
        format::bytes(quantized.model_bytes),
        format::bytes(quantized.arena_bytes),
    ))
}

/// The samples of a folder of `.npy` files.
fn samples(dir: &Path) -> Result<Vec<Vec<f32>>, CliError> {
    let mut samples = Vec::new();
    for path in input_arrays(dir)? {
        let array = npy::read::<f32>(&path)?;
        let count = array.shape.first().copied().unwrap_or(0);
        let len = (array.values.len() / count.max(1)).max(1);
        samples.extend(array.values.chunks_exact(len).map(<[f32]>::to_vec));
    }
    if samples.is_empty() {
        return Err(CliError::Input(format!("{}: has no .npy files with inputs", dir.display())));
    }
    Ok(samples)
}

/// The run's own recipe, from its dense network on; the file's name.
fn of_run(args: &CompressArgs) -> Result<(String, String), CliError> {
    let path = args.network.join(RECIPE_FILE);
    let mut recipe = Recipe::load(&path, &[])?;
    recipe.model = Model { run: Some(args.network.clone()), ..Model::default() };
    recipe.train.epochs = 0;
    recipe.compare = None;
    // Of the two, what was asked for counts.
    recipe.sparsity.budget = recipe.sparsity.budget.filter(|_| args.keep.is_none());
    Ok((recipe.to_toml(), path.display().to_string()))
}

fn no_network(args: &CompressArgs) -> CliError {
    CliError::Input(format!("{}: neither the folder of a run nor a .tflite file", args.network.display()))
}

/// A recipe for a file of another tool and a data set.
fn of_file(args: &CompressArgs, name: &str) -> Result<String, CliError> {
    if !args.network.is_file() || args.network.extension().is_none_or(|e| e != "tflite") {
        return Err(no_network(args));
    }
    crate::data::known::by_name(name)?;
    let table = |key: &str, value: toml::Value| toml::Value::Table([(key.to_owned(), value)].into_iter().collect());
    let import = args.network.to_string_lossy().into_owned();
    let recipe: toml::Table = [
        ("data".to_owned(), table("name", name.into())),
        ("model".to_owned(), table("import", import.into())),
        ("train".to_owned(), table("epochs", 0.into())),
    ]
    .into_iter()
    .collect();
    Ok(recipe.to_string())
}

/// What the new run is called.
fn name(network: &Path, recipe: &Recipe) -> String {
    // `runs/dense/..` and `.` have no name of their own.
    let network = network.canonicalize().unwrap_or_else(|_| network.into());
    let stem = if network.is_dir() { network.file_name() } else { network.file_stem() };
    let sparsity = &recipe.sparsity;
    let kept = match &sparsity.budget {
        Some(budget) => format!("{}-{}", budget.unit.name(), budget.limit),
        None => sparsity.keep.to_string(),
    };
    let stem = stem.unwrap_or_default().to_string_lossy();
    if sparsity.method == Method::None {
        return format!("{stem}-{}-seed{}", recipe.quantize.weights.name(), recipe.train.seed);
    }
    format!("{stem}-{}-{kept}-seed{}", sparsity.method.name(), recipe.train.seed)
}
