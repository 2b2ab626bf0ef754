//! A comparison in a terminal: a table of methods and costs, and a sentence for each cost.

use super::{Comparison, Row, unit_words};
use crate::io::format;
use crate::report;
use crate::report::console::{BOLD, DIM, GREEN, PLAIN, RED, Terminal, grid};

/// Title, table, verdicts, remarks; ends with a newline.
///
/// Where the table is too wide it loses the arena, then the float accuracy, then its ratios.
pub fn render(comparison: &Comparison, terminal: Terminal) -> String {
    let Comparison { dataset, model, seeds, unit, .. } = comparison;
    let mut out = terminal.line(BOLD, &comparison.title);
    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
    let subject = format!("{dataset} · {model} · by {} · seeds {}", unit_words(*unit), seeds.join(", "));
    out += &terminal.line(DIM, &subject);
    out.push('\n');
    let rows = comparison.rows();
    if !rows.is_empty() {
        let layouts = [Layout::Full, Layout::NoArena, Layout::NoFloat, Layout::NoRatios];
        let mut tables = layouts.map(|layout| table(comparison, &rows, layout)).into_iter();
        let last = tables.next_back().unwrap_or_default();
        let body = tables.find(|table| terminal.fits(table)).unwrap_or(last);
        let (head, rest) = body.split_once('\n').unwrap_or((&body, ""));
        out += &format!("{}\n{rest}\n", terminal.paint(BOLD, head));
        out += &terminal.line(DIM, LEGEND);
        if rows.iter().any(|row| row.cost.instructions.is_finite()) {
            out += &terminal.line(DIM, report::INSTRUCTIONS_NOTE);
        }
        out.push('\n');
    }
    for sentence in comparison.verdicts() {
        out += &terminal.line(GREEN, &sentence);
    }
    for remark in comparison.remarks() {
        let alarm = remark.contains("DISAGREE") || remark.contains(" failed: ");
        out += &terminal.line(if alarm { RED } else { PLAIN }, &format!("· {remark}"));
    }
    out
}

/// What the table's columns mean.
pub(super) const LEGEND: &str = "Accuracy in percent of the test samples, mean ± standard deviation over the seeds; drop \
     in points from the dense f32 network; MACs with weights that are not zero; * best at its cost.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layout {
    Full,
    NoArena,
    NoFloat,
    NoRatios,
}

/// A cost with its share of the dense network's.
type Costs = (&'static str, fn(&Row) -> [f64; 2], fn(u64) -> String);

/// The columns of costs.
pub(super) const COSTS: [Costs; 4] = [
    ("MACs", |row| [row.cost.macs, row.ratio.macs], format::count),
    ("model", |row| [row.cost.model_bytes, row.ratio.model_bytes], format::bytes),
    ("instructions", |row| [row.cost.instructions, row.ratio.instructions], format::count),
    ("arena", |row| [row.cost.arena_bytes, row.ratio.arena_bytes], format::bytes),
];

/// The share that a row keeps; `†` where it is one of another cost than the comparison's.
pub(super) fn keep(comparison: &Comparison, row: &Row) -> String {
    let other = if row.keep_unit.is_some_and(|unit| unit != comparison.unit) { "†" } else { "" };
    row.keep.map_or(String::new(), |keep| format!("{keep}{other}"))
}

/// A share of 1 as `0.31×`; three digits, so that a target can be told from a near miss.
pub(super) fn ratio(value: f64) -> String {
    if value.is_finite() { format!("{value:.3}×") } else { String::new() }
}

fn table(comparison: &Comparison, rows: &[Row], layout: Layout) -> String {
    let mut heads = vec!["method", "keep", "n"];
    let mut gaps = vec![0, 2, 2];
    if layout < Layout::NoFloat {
        heads.push("f32 %");
        gaps.push(2);
    }
    heads.extend(["int8 %", "drop"]);
    gaps.extend([2, 2]);
    let known = |cost: &&Costs| rows.iter().any(|row| (cost.1)(row)[0].is_finite());
    let wanted = |cost: &&Costs| layout < Layout::NoArena || cost.0 != "arena";
    let costs: Vec<&Costs> = COSTS.iter().filter(known).filter(wanted).collect();
    for cost in &costs {
        heads.push(cost.0);
        gaps.push(2);
        if layout < Layout::NoRatios {
            heads.push("");
            gaps.push(0);
        }
    }
    let cells = |row: &Row| {
        let star = if row.best { " *" } else { "" };
        let mut cells = vec![format!("{}{star}", row.method), keep(comparison, row), row.n.to_string()];
        if layout < Layout::NoFloat {
            cells.push(row.f32.percent());
        }
        cells.push(row.int8.percent());
        cells.push(row.drop_points.map_or("–".into(), |points| format!("{points:.2}")));
        for (_, of, show) in &costs {
            let [value, share] = of(row);
            cells.push(if value.is_finite() { show(value.round() as u64) } else { "–".into() });
            if layout < Layout::NoRatios {
                cells.push(ratio(share));
            }
        }
        cells
    };
    grid(&heads, rows.iter().map(cells).collect(), &gaps, &[0])
}
