//! `cargo ci`: the one command that checks everything. `cargo ci NAME…` runs some gates, `--list` names them all,
//! `--bless` rewrites goldens and budgets from what is measured now.

mod arrows;
mod bless;
mod budgets;
mod circles;
mod citations;
mod firmware;
mod gates;
mod machine;
mod objects;
mod operators;
mod panics;
mod run;
mod source;
mod text;

use gates::{GATES, Gate};
use machine::Machine;
use run::{Context, Verdict};
use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Instant,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let known = |name: &String| GATES.iter().any(|gate| gate.name == name);
    match arguments.iter().find(|argument| !known(argument)).map(String::as_str) {
        None => check(&arguments),
        Some("--list") => {
            GATES.iter().for_each(|gate| println!("{:<16} {}", gate.name, gate.proves));
            ExitCode::SUCCESS
        }
        Some("--bless") if arguments.len() == 1 => match bless::bless(&Context::here()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                println!("{error}");
                ExitCode::FAILURE
            }
        },
        Some(other) => {
            println!("`{other}` is not a gate; usage: cargo ci [--list | --bless | NAME…]");
            ExitCode::from(2)
        }
    }
}

/// Runs the gates called `names`, or all.
fn check(names: &[String]) -> ExitCode {
    let chosen: Vec<&Gate> =
        GATES.iter().filter(|gate| names.is_empty() || names.iter().any(|name| name == gate.name)).collect();
    let context = Context::here();
    let mut machine = Machine::new(&context);
    let (mut passed, mut failed, mut skipped) = (0, Vec::new(), Vec::new());
    let start = Instant::now();
    for gate in chosen {
        let missing = gate.needs.iter().find_map(|need| machine.lacks(*need));
        print!("{:<16} ", gate.name);
        // Goes on checking even when the terminal is gone.
        let _ = io::stdout().flush();
        let clock = Instant::now();
        let outcome = match missing {
            Some(reason) => Ok(Verdict::Skipped(reason)),
            None => (gate.run)(&context),
        };
        let seconds = clock.elapsed().as_secs_f64();
        match outcome {
            Ok(Verdict::Passed(notes)) => {
                println!("ok       {seconds:7.1} s");
                notes.iter().for_each(|note| println!("{:<16}   {note}", ""));
                passed += 1;
            }
            Ok(Verdict::Skipped(reason)) => {
                println!("skipped: {reason}");
                skipped.push((gate, reason));
            }
            Err(output) => {
                println!("FAILED   {seconds:7.1} s");
                println!("--- {}: {}\n{}\n---", gate.name, gate.proves, output.trim_end());
                failed.push(gate);
            }
        }
    }
    println!("\n{:.0} s in all", start.elapsed().as_secs_f64());
    failed.iter().for_each(|gate| println!("FAILED   {}: {}", gate.name, gate.proves));
    skipped.iter().for_each(|(gate, reason)| println!("skipped  {}: {reason}", gate.name));
    println!("{passed} passed, {} failed, {} skipped", failed.len(), skipped.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
