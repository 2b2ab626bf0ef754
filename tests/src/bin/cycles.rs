//! `cycles IMAGE.elf BEGIN END [--machine M] [--json]`: estimated Cortex-M4 cycles of any firmware image, from the
//! first time that the function BEGIN is entered to the next time that END is.

use niwaki::chip::{
    Activity, Chip,
    cycles::{ASSUMPTIONS, Estimate, Window, estimate},
};
use std::{path::Path, process::ExitCode};

const USAGE: &str = "usage: cycles IMAGE.elf BEGIN END [--machine M] [--json]
BEGIN and END are symbols of functions; M is a machine of QEMU, the Cortex-M4's unless given. The image's working directory is
this one.";

/// The machine of the chip whose timings are known.
const MACHINE: &str = Chip::CortexM4.spec().expect("is emulated").machine;

/// What the arguments ask for.
struct Arguments {
    image: String,
    begin: String,
    end: String,
    machine: String,
    json: bool,
}

fn arguments() -> Option<Arguments> {
    let (mut names, mut machine, mut json) = (Vec::new(), MACHINE.to_owned(), false);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--machine" => machine = words.next()?,
            "--json" => json = true,
            option if option.starts_with('-') => return None,
            _ => names.push(word),
        }
    }
    let [image, begin, end] = names.try_into().ok()?;
    Some(Arguments { image, begin, end, machine, json })
}

fn main() -> ExitCode {
    let Some(Arguments { image, begin, end, machine, json }) = arguments() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let window = Window { begin: &begin, end: &end };
    let mut show = |step: Activity<'_>| {
        if let Activity::Doing(text) | Activity::Tool(text) = step {
            eprintln!("{text}");
        }
    };
    match estimate(Path::new(&image), &machine, window, &mut show) {
        Ok(estimate) if json => println!("{}", as_json(&estimate)),
        Ok(estimate) => print!("{}", as_text(&estimate)),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn as_json(estimate: &Estimate) -> serde_json::Value {
    let functions = estimate.functions.iter().map(|function| {
        serde_json::json!({ "name": function.name, "instructions": function.instructions, "cycles": function.cycles })
    });
    serde_json::json!({
        "instructions": estimate.instructions,
        "est_cycles": estimate.cycles,
        "assumptions": ASSUMPTIONS,
        "functions": functions.collect::<Vec<_>>(),
    })
}

fn as_text(estimate: &Estimate) -> String {
    let ratio = |cycles: u64, instructions: u64| cycles as f64 / instructions.max(1) as f64;
    let Estimate { instructions, cycles, functions } = estimate;
    let mut text = format!("{:>12} {:>12} {:>6} {:>7}  function\n", "instructions", "cycles", "ratio", "share");
    for f in functions {
        text.push_str(&format!(
            "{:>12} {:>12} {:>6.3} {:>6.1}%  {}\n",
            f.instructions,
            f.cycles,
            ratio(f.cycles, f.instructions),
            100.0 * ratio(f.cycles, *cycles),
            f.name
        ));
    }
    let whole = ratio(*cycles, *instructions);
    text + &format!(
        "{instructions} instructions, {cycles} estimated cycles ({ASSUMPTIONS}), {whole:.3} an instruction\n"
    )
}
