//! `cargo run --release -p niwaki-tests --bin costs [-- CHIP...]`: measures what operators cost on emulated chips and
//! writes the tables that the exporter chooses layouts by, `host/data/costs/CHIP.json`.
//!
//! Layers of every operator code run once; their counted instructions are fitted by sums of terms
//! (`niwaki::tune::cost`). The counts are the same on every machine, and so are the tables.

mod fit;
mod layers;

use layers::{Kind, Measured};
use niwaki::chip::{self, Chip};
use niwaki::export::export_with;
use niwaki::hardware::Isa;
use niwaki::tune::{
    cost::{CostTable, OperatorCost},
    work,
};
use niwaki_core::format::Model;
use niwaki_core::ops::{self, OpCode};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: costs [CHIP...]";

/// The op codes of a model in execution order.
fn codes(file: &[u8]) -> Result<Vec<OpCode>, Box<dyn Error>> {
    let model = Model::verify(file, niwaki_core::ops::ALL).map_err(|error| format!("{error}"))?;
    let code = |n| model.operator(n).and_then(|record| OpCode::from_byte(record.code));
    (0..model.operator_count()).map(|n| code(n).ok_or_else(|| "an operator without a code".into())).collect()
}

/// Measures the layers of one kind: by code, the terms and instructions of each, and the cost of the whole model.
fn measure(chip: Chip, kind: &Kind) -> Result<(OpCode, Vec<Measured>, chip::Cost), Box<dyn Error>> {
    let (graph, inputs) = kind.network()?;
    let layouts = vec![kind.layout; graph.nodes.len()];
    let (file, _) = export_with(&graph, Isa::Portable, &layouts)?;
    let codes = codes(&file)?;
    let code = codes[0];
    if codes.iter().any(|&other| other != code) {
        return Err(format!("{}: layers of more than one operator code", kind.name).into());
    }
    let cost = chip::run(chip, &file, &[inputs], &mut |_| ())?.cost.ok_or("an emulated chip has costs")?;
    let layers = cost.per_op.iter().enumerate().map(|(n, &instructions)| {
        Ok(Measured { work: work(&graph, n, kind.layout)?, instructions: instructions as f64 })
    });
    let layers = layers.collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    Ok((code, layers, cost))
}

fn table(chip: Chip) -> Result<CostTable, Box<dyn Error>> {
    let mut operators = BTreeMap::new();
    let (mut base, mut stack_bytes) = (0, 0);
    for kind in layers::kinds() {
        let (code, measured, cost) = measure(chip, &kind).map_err(|error| format!("{}: {error}", kind.name))?;
        if code == ops::Op::Reshape.into() {
            // A reshape moves nothing: what it costs is the session's own work.
            base = cost.code_bytes;
        }
        stack_bytes = stack_bytes.max(cost.stack_bytes);
        let mut by_case: BTreeMap<&str, Vec<Measured>> = BTreeMap::new();
        measured.into_iter().for_each(|layer| by_case.entry(layer.work.case).or_default().push(layer));
        let mut cases = BTreeMap::new();
        for (case, layers) in by_case {
            let fitted = fit::fit(&layers)?;
            let [mean, worst] = fitted.error.map(|error| 100.0 * error);
            println!(
                "{:>24} {case:>9} {:>3} layers, missed by {mean:>4.1} % (mean), {worst:>4.1} % (worst)",
                code.name(),
                layers.len(),
            );
            cases.insert(case.to_owned(), fitted);
        }
        let code_bytes = cost.code_bytes.saturating_sub(base);
        operators.insert(code.name().to_owned(), OperatorCost { code_bytes, cases });
    }
    Ok(CostTable { chip: chip.to_string(), base_code_bytes: base, stack_bytes, operators })
}

fn write(chip: Chip) -> Result<(), Box<dyn Error>> {
    println!("{chip}");
    let table = table(chip)?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/data/costs").join(format!("{chip}.json"));
    std::fs::write(&path, serde_json::to_string_pretty(&table)? + "\n")?;
    println!("written: {}\n", path.display());
    Ok(())
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let known = |name: &String| name.parse().ok().filter(|chip| Chip::EMULATED.contains(chip));
    let chips = match words.iter().map(known).collect::<Option<Vec<Chip>>>() {
        Some(chips) if chips.is_empty() => Chip::EMULATED.to_vec(),
        Some(chips) => chips,
        None => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    for chip in chips {
        if let Err(error) = write(chip) {
            eprintln!("{chip}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
