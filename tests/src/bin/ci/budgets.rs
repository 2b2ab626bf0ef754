//! Budgets: what programs and models may cost, in `tests/budgets.toml`, against what they cost now.

use crate::run::{Context, Outcome, Verdict};
use niwaki::chip::{self, Activity, Chip, Image};
use niwaki_core::format::Model;
use niwaki_tests::models;
use std::collections::BTreeMap;

/// The file that holds the limits; `cargo ci --bless` alone writes it.
pub(crate) const FILE: &str = "tests/budgets.toml";

/// Costs by what has them.
pub(crate) type Costs = BTreeMap<(String, &'static str), u64>;

/// Bytes of flash of the firmware's images.
pub(crate) fn flash(image: &Image) -> Result<Costs, String> {
    let mut costs = Costs::new();
    let runner = chip::flash_bytes(&image.runner).map_err(|error| error.to_string())?;
    costs.insert(("runner on cortex-m4".into(), "flash_bytes"), runner);
    costs.insert(("footprint on cortex-m4".into(), "flash_bytes"), image.code_bytes);
    Ok(costs)
}

/// Instructions, code, stack and arena of reference models on the emulated chip.
pub(crate) fn emulated() -> Result<Costs, String> {
    let mut costs = Costs::new();
    for (name, file) in models::reference().map_err(|error| error.to_string())? {
        let verified = Model::verify(&file, niwaki_core::ops::ALL).map_err(|error| error.to_string())?;
        let input =
            verified.input_tensor(0).and_then(|tensor| verified.tensor(tensor)).map_or(0, |tensor| tensor.bytes);
        let mut log = Vec::new();
        let measured = chip::run(Chip::CortexM4, &file, &[vec![1; input as usize]], &mut |step| {
            if let Activity::Tool(line) | Activity::Log(line) = step {
                log.push(line.to_owned());
            }
        });
        let measured = measured.map_err(|error| format!("{error}\n{}", log.join("\n")))?;
        let cost = measured.cost.ok_or("an emulated chip has no cost")?;
        let mut row = |quantity, value| costs.insert((format!("{name} on cortex-m4"), quantity), value);
        row("instructions", cost.instructions);
        row("code_bytes", cost.code_bytes);
        row("stack_bytes", cost.stack_bytes);
        row("arena_bytes", cost.arena_bytes);
        row("model_bytes", file.len() as u64);
    }
    Ok(costs)
}

/// The gate for models.
pub(crate) fn budgets(context: &Context) -> Outcome {
    Ok(Verdict::Passed(compare(context, &emulated()?)?))
}

/// One line for each cost; the error says which are above their limit.
pub(crate) fn compare(context: &Context, costs: &Costs) -> Result<Vec<String>, String> {
    let limits: toml::Table = context.read(FILE)?.parse().map_err(|error| format!("{FILE}: {error}"))?;
    let (mut fine, mut over) = (Vec::new(), Vec::new());
    for ((program, quantity), &cost) in costs {
        let limit = limits.get(program).and_then(|row| row.get(quantity)).and_then(toml::Value::as_integer);
        match limit.and_then(|limit| u64::try_from(limit).ok()) {
            Some(limit) if cost <= limit => fine.push(format!("{program}: {quantity} {cost} of {limit}")),
            Some(limit) => over.push(format!("{program}: {quantity} {cost} is more than {limit}")),
            None => over.push(format!("{program}: {quantity} {cost} has no limit in {FILE}")),
        }
    }
    if over.is_empty() {
        return Ok(fine);
    }
    Err(format!("{}\nSpend less, or `cargo ci --bless` and say in the commit what the cost buys.", over.join("\n")))
}

/// Writes the file with these costs as limits, with 1 % of room for costs that depend on code.
pub(crate) fn write(context: &Context, certificate: &str, costs: &Costs) -> Result<(), String> {
    let mut text = format!("# Upper limits, about 1 % above what was measured. {certificate}\n");
    let mut last = None;
    for ((program, quantity), &cost) in costs {
        if last != Some(program) {
            text.push_str(&format!("\n[\"{program}\"]\n"));
            last = Some(program);
        }
        // Layout decides sizes exactly; code moves a little with every change.
        let exact = matches!(*quantity, "arena_bytes" | "model_bytes");
        let limit = if exact { cost } else { (cost + cost.div_ceil(100)).next_multiple_of(8) };
        text.push_str(&format!("{quantity} = {limit}  # measured {cost}\n"));
    }
    std::fs::write(context.root.join(FILE), text).map_err(|error| format!("{FILE}: {error}"))
}
