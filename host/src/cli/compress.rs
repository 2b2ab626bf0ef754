//! `niwaki compress`: sparsify and quantise the dense network of a run, or an imported one.

use super::{CliError, DeviceArg, train};
use crate::pipeline::RECIPE_FILE;
use crate::train::recipe::{Model, Recipe};
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct CompressArgs {
    /// The folder of a run, or a .tflite file with a float network
    #[arg(value_name = "RUN|MODEL.tflite")]
    network: PathBuf,
    /// How groups are ranked and emptied; the same as --set sparsity.method=M
    #[arg(long)]
    method: String,
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
    /// The data set (`niwaki data list`); that of the run unless given
    #[arg(long, value_name = "NAME")]
    data: Option<String>,
    /// Change a value of the recipe, as in --set sparsity.finetune_epochs=3; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Where proximal steps run
    #[arg(long, value_enum, default_value = "auto")]
    device: DeviceArg,
    /// The new run's folder [default: runs/NAME-METHOD-KEEP-seedN]
    #[arg(long)]
    out: Option<PathBuf>,
    /// The same as --set train.seed=N
    #[arg(long)]
    seed: Option<u64>,
    /// Threads; the result does not depend on them [default: all cores]
    #[arg(long)]
    threads: Option<usize>,
    /// Print one JSON object and nothing else on standard output
    #[arg(long)]
    json: bool,
}

pub(super) fn compress(args: CompressArgs) -> Result<(), CliError> {
    let recipe = recipe(&args)?;
    let dir = args.out.unwrap_or_else(|| Path::new("runs").join(name(&args.network, &recipe)));
    let run = train::Run { dir: &dir, threads: args.threads, chip: None, verbose: false };
    let finished = run.go(&recipe, args.device)?;
    train::show(&dir, &finished, args.json)
}

/// The recipe of the run, or the default one for a file, with the network as it is and what the arguments ask for.
fn recipe(args: &CompressArgs) -> Result<Recipe, CliError> {
    let is_run = args.network.is_dir();
    let (text, file) = if is_run { of_run(args)? } else { (of_file(args)?, args.network.display().to_string()) };
    let set = |key: &str, value: &Option<String>| value.as_ref().map(|value| format!("{key}={value}"));
    let mut sets = vec![format!("sparsity.method={}", args.method)];
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

/// A recipe for a file of another tool.
fn of_file(args: &CompressArgs) -> Result<String, CliError> {
    let place = args.network.display();
    if !args.network.is_file() || args.network.extension().is_none_or(|e| e != "tflite") {
        return Err(CliError::Input(format!("{place}: neither the folder of a run nor a .tflite file")));
    }
    let Some(name) = &args.data else {
        return Err(CliError::Input(format!("{place}: a file names no data set to train on; add --data NAME")));
    };
    crate::data::known::by_name(name)?;
    let table = |key: &str, value: toml::Value| toml::Value::Table([(key.to_owned(), value)].into_iter().collect());
    let import = args.network.to_string_lossy().into_owned();
    let recipe: toml::Table = [
        ("data".to_owned(), table("name", name.clone().into())),
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
    format!("{stem}-{}-{kept}-seed{}", sparsity.method.name(), recipe.train.seed)
}
