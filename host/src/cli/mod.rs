//! The command line: arguments in, library calls, words and numbers out. Names and JSON keys are relied on by others.

mod bench;
mod compare;
mod compress;
mod data;
mod error;
mod export;
mod import;
mod model;
mod progress;
mod train;
mod training_run;

pub use error::CliError;

use crate::chip::{Chip, ChipError};
use crate::pipeline::Device;
use crate::report::{HTML_FILE, Report};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::io::Write;
use std::path::PathBuf;

/// Train a network, prune and quantise it until it fits, plant it on a microcontroller.
#[derive(Debug, Parser)]
#[command(name = "niwaki", version, max_term_width = 100, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The whole path on bundled data, from training to an emulated Cortex-M4; about a minute, no download
    Demo(train::DemoArgs),
    /// Train, sparsify, quantise and export what a recipe describes; goes on with an interrupted run
    Train(train::TrainArgs),
    /// Show a model's operators, shapes, quantisation, sizes and arena
    Inspect(model::InspectArgs),
    /// Run a model over the inputs in a .npy file
    Run(model::RunArgs),
    /// Accuracy of a model on a data set
    Eval(model::EvalArgs),
    /// Instructions, memory and flash of a model on an emulated chip, in total and per operator
    Bench(bench::BenchArgs),
    /// Draw report.html of a run again
    Report(ReportArgs),
    /// Make a .niwaki file of a .tflite file
    Import(import::ImportArgs),
    /// Sparsify and quantise the dense network of an existing run, or an imported one
    Compress(compress::CompressArgs),
    /// Methods beside each other, at several costs and over several seeds; goes on with an interrupted comparison
    Compare(compare::CompareArgs),
    /// A model as a Rust module for other firmware
    Export(export::ExportArgs),
    /// Write a model to a real board (not built yet)
    #[command(disable_help_flag = true)]
    Flash(Rest),
    /// Known data sets, and fetching them
    #[command(subcommand)]
    Data(data::DataCommand),
}

/// Whatever follows a command that is not built yet.
#[derive(Debug, Args)]
struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _arguments: Vec<String>,
}

#[derive(Debug, Args)]
struct ReportArgs {
    /// The run's folder
    run: PathBuf,
}

/// `--device`
#[derive(Debug, Clone, Copy, ValueEnum)]
enum DeviceArg {
    Auto,
    Cpu,
    Cuda,
    Vulkan,
    Metal,
}

impl DeviceArg {
    fn device(self) -> Result<Device, CliError> {
        match self {
            Self::Auto => Ok(Device::Auto),
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda => Ok(Device::Cuda),
            Self::Vulkan => Ok(Device::Vulkan),
            Self::Metal => Err(CliError::NotBuilt { command: "train --device metal" }),
        }
    }
}

/// Parses the arguments of this process and does what they say.
///
/// # Errors
/// [`CliError`] with what to print and the exit code. Wrong usage ends the process with code 2 as clap does.
pub fn main() -> Result<(), CliError> {
    match Cli::parse().command {
        Command::Demo(args) => train::demo(args),
        Command::Train(args) => train::train(args),
        Command::Inspect(args) => model::inspect(args),
        Command::Run(args) => model::run(args),
        Command::Eval(args) => model::eval(args),
        Command::Bench(args) => bench::bench(args),
        Command::Report(args) => {
            Report::load(&args.run)?.save(&args.run)?;
            print(&format!("{}\n", args.run.join(HTML_FILE).display()))
        }
        Command::Import(args) => import::import(args),
        Command::Compress(args) => compress::compress(args),
        Command::Compare(args) => compare::compare(args),
        Command::Export(args) => export::export(args),
        Command::Flash(_) => Err(CliError::NotBuilt { command: "flash" }),
        Command::Data(command) => data::data(command),
    }
}

/// Writes to standard output; a closed pipe (`| head`) is no error.
fn print(text: &str) -> Result<(), CliError> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(CliError::Input(format!("standard output: {e}"))),
        _ => Ok(()),
    }
}

/// Prints one JSON object on a line of its own.
fn print_json(value: &serde_json::Value) -> Result<(), CliError> {
    print(&format!("{value}\n"))
}

/// Parses `--on`.
fn chip(name: &str) -> Result<Chip, CliError> {
    Ok(name.parse().map_err(ChipError::from)?)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
