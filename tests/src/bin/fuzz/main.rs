//! `cargo run --release -p niwaki-tests --bin fuzz -- TARGET [--minutes 10] [--seed 1]`: fuzzing without cargo-fuzz.
//!
//! Damages whole files at random, knowing their structure but not the coverage. What panics is kept as a file, which
//! `fuzz TARGET --file PATH` tries again. `fuzz TARGET --seeds DIR` writes the whole files, for cargo-fuzz's corpus.

use niwaki_tests::fuzz::Target;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::{
    error::Error,
    fs, panic,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

/// What to do, from the command line.
struct Arguments {
    target: Target,
    name: &'static str,
    minutes: f64,
    seed: u64,
    file: Option<PathBuf>,
    seeds: Option<PathBuf>,
}

const USAGE: &str = "fuzz import|model [--minutes N] [--seed N] [--file PATH] [--seeds DIR]";

fn arguments() -> Result<Arguments, Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let target = words.next().ok_or(USAGE)?;
    let &(name, target) = Target::ALL.iter().find(|(name, _)| *name == target).ok_or(USAGE)?;
    let mut arguments = Arguments { target, name, minutes: 10.0, seed: 1, file: None, seeds: None };
    while let Some(flag) = words.next() {
        let value = words.next().ok_or(USAGE)?;
        match flag.as_str() {
            "--minutes" => arguments.minutes = value.parse()?,
            "--seed" => arguments.seed = value.parse()?,
            "--file" => arguments.file = Some(value.into()),
            "--seeds" => arguments.seeds = Some(value.into()),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(arguments)
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = arguments()?;
    if let Some(path) = &arguments.file {
        println!("{}", if arguments.target.run(&fs::read(path)?) { "of use" } else { "refused" });
        return Ok(ExitCode::SUCCESS);
    }
    let seeds = arguments.target.seeds()?;
    if let Some(folder) = &arguments.seeds {
        fs::create_dir_all(folder)?;
        for (index, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("seed-{index:03}")), seed)?;
        }
        println!("{} files in {}", seeds.len(), folder.display());
        return Ok(ExitCode::SUCCESS);
    }
    let crashes = fuzz(&arguments, &seeds)?;
    Ok(if crashes == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Fuzzes for as long as asked; the number of crashes.
fn fuzz(arguments: &Arguments, seeds: &[Vec<u8>]) -> Result<u64, Box<dyn Error>> {
    /// Crashes resemble each other: this many are enough.
    const CRASHES_MAX: u64 = 20;
    let mut rng = ChaCha8Rng::seed_from_u64(arguments.seed);
    let (start, mut said) = (Instant::now(), Instant::now());
    let end = Duration::from_secs_f64(arguments.minutes * 60.0);
    let (mut runs, mut of_use, mut crashes, mut slowest) = (0_u64, 0_u64, 0, Duration::ZERO);
    while start.elapsed() < end && crashes < CRASHES_MAX {
        let bytes = arguments.target.damaged(&mut rng, seeds);
        let clock = Instant::now();
        let outcome = panic::catch_unwind(|| arguments.target.run(&bytes));
        slowest = slowest.max(clock.elapsed());
        runs += 1;
        match outcome {
            Ok(used) => of_use += u64::from(used),
            Err(_) => {
                crashes += 1;
                let path = keep(arguments.name, crashes, &bytes)?;
                println!("crash {crashes}: {}", path.display());
            }
        }
        if said.elapsed() >= Duration::from_secs(60) {
            said = Instant::now();
            println!("{:.0} s: {runs} files, {of_use} of use, {crashes} crashes", start.elapsed().as_secs_f64());
        }
    }
    let (name, seconds) = (arguments.name, start.elapsed().as_secs_f64());
    println!(
        "{name}: {runs} damaged files from {} whole ones in {seconds:.0} s, {of_use} of use, {crashes} crashes, \
         slowest {:.3} s",
        seeds.len(),
        slowest.as_secs_f64()
    );
    Ok(crashes)
}

/// Writes the bytes that crashed to where cargo-fuzz writes its own.
fn keep(target: &str, crash: u64, bytes: &[u8]) -> Result<PathBuf, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/artifacts").join(target);
    fs::create_dir_all(&folder)?;
    let path = folder.join(format!("crash-{crash:02}"));
    fs::write(&path, bytes)?;
    Ok(path)
}
