//! The report as one HTML page: style and drawings inline, no script, nothing fetched.

use super::page::{Page, Text, Tone};
use super::{CYCLES_NOTE, INSTRUCTIONS_NOTE, OperatorRow, Report, Stage, arena, charts, degrees, operator_bars};
use crate::io::format;
use std::fmt::Write;

/// The whole page.
pub fn render(report: &Report) -> String {
    let mut sections = String::new();
    let mut section = |title: &str, about: &str, body: String| {
        if !body.is_empty() {
            let about = if about.is_empty() { String::new() } else { format!("<p class=\"about\">{about}</p>") };
            let _ = writeln!(sections, "<section><h2>{title}</h2>{about}{body}</section>");
        }
    };
    section("Stages", "", stages(report));
    section("Training", TRAINING_ABOUT, row("curves", charts::curves(report)));
    let degrees = report.graph.as_ref().map(degrees::panels).unwrap_or_default();
    section("Graph", GRAPH_ABOUT, row("", degrees));
    section(
        "Memory",
        &format!("{ARENA_ABOUT} In all: {}.", format::bytes(report.arena.total_bytes)),
        arena::map(report),
    );
    section("Operators", "", operators(report));
    section("Notes", "", notes(&report.notes));
    let page = Page {
        title: &report.title,
        subject: &format!("{} · {} · seed {}", report.dataset, report.model, report.seed),
        verdict: &report.verdict(),
        tone: if report.bytes_equal == Some(false) { Tone::Bad } else { Tone::Good },
    };
    page.around(&(tiles(report) + &sections))
}

const TRAINING_ABOUT: &str = "Epochs from left to right through all phases; shaded bands mark every other phase.";
const GRAPH_ABOUT: &str = "How many nodes have how many neighbours.";
const ARENA_ABOUT: &str = "The working memory on the chip: time runs to the right, operator by operator, addresses upward. \
     A rectangle is a tensor; free space above and beside it is reused.";

/// `body` in a row of figures, or nothing.
fn row(class: &str, body: String) -> String {
    if body.is_empty() { body } else { format!("<div class=\"figures {class}\">{body}</div>") }
}

/// The numbers that decide, large.
fn tiles(report: &Report) -> String {
    let Some((first, last)) = report.stages.first().zip(report.stages.last()) else { return String::new() };
    let mut out = String::from("<div class=\"tiles\">");
    let mut tile = |label: &str, value: String, below: String| {
        let _ = write!(out, "<div><span>{label}</span><b>{value}</b><small>{below}</small></div>");
    };
    let several = report.stages.len() > 1;
    let than_first = |pair: Option<(u64, u64)>| {
        let ratio = pair.and_then(|(value, base)| format::ratio(value, base)).filter(|_| several);
        ratio.map(|r| format!("{r} {}", Text(&first.name))).unwrap_or_default()
    };
    let distance = format::points_from(last.accuracy, first.accuracy, &first.name);
    let distance = if several { Text(&distance).to_string() } else { String::new() };
    tile("Accuracy", format::percent(last.accuracy), distance);
    if let Some(bytes) = last.model_bytes {
        tile("Model", format::bytes(bytes), than_first(last.model_bytes.zip(first.model_bytes)));
    }
    tile("MACs", format::count(last.macs), than_first(Some((last.macs, first.macs))));
    if let Some(instructions) = last.instructions {
        let per_mac = format!("{:.2} per MAC", instructions as f64 / last.macs.max(1) as f64);
        tile("Instructions", format::count(instructions), per_mac);
    }
    if let Some(arena) = last.arena_bytes {
        let stack = last.stack_bytes.map(|s| format!("and {} of stack", format::bytes(s))).unwrap_or_default();
        tile("Arena", format::bytes(arena), stack);
    }
    if let Some(same) = report.bytes_equal {
        let (value, below) = if same { ("equal", "byte for byte") } else { ("differ", "do not ship") };
        tile("Host and chip", value.into(), below.into());
    }
    out + "</div>\n"
}

/// A column of the stage table: its head, and a stage's value with its ratio to the first.
type Column = (&'static str, fn(&Stage, &Stage) -> Option<(String, Option<String>)>);

const COLUMNS: &[Column] = &[
    ("accuracy", |s, _| Some((format::percent(s.accuracy), None))),
    ("loss", |s, _| s.loss.map(|l| (format!("{l:.3}"), None))),
    ("params", |s, first| Some((format::count(s.params), format::ratio(s.params, first.params)))),
    ("MACs", |s, first| Some((format::count(s.macs), format::ratio(s.macs, first.macs)))),
    ("model", |s, first| with_ratio(s.model_bytes, first.model_bytes, format::bytes)),
    ("instructions", |s, first| with_ratio(s.instructions, first.instructions, format::count)),
    ("est. cycles", |s, first| with_ratio(s.est_cycles, first.est_cycles, format::count)),
    ("arena", |s, first| with_ratio(s.arena_bytes, first.arena_bytes, format::bytes)),
    ("stack", |s, _| s.stack_bytes.map(|n| (format::bytes(n), None))),
    ("code", |s, _| s.code_bytes.map(|n| (format::bytes(n), None))),
    ("time", |s, _| (s.seconds > 0.0).then(|| (format::seconds(s.seconds), None))),
];

fn with_ratio(value: Option<u64>, first: Option<u64>, show: fn(u64) -> String) -> Option<(String, Option<String>)> {
    Some((show(value?), first.and_then(|first| format::ratio(value?, first))))
}

fn stages(report: &Report) -> String {
    let Some(first) = report.stages.first() else { return String::new() };
    let used = |c: &&Column| report.stages.iter().any(|s| c.1(s, first).is_some());
    let columns: Vec<&Column> = COLUMNS.iter().filter(used).collect();
    let mut out = String::from("<div class=\"scroll\"><table><thead><tr><th>stage</th>");
    for (head, _) in &columns {
        let _ = write!(out, "<th>{head}</th>");
    }
    out += "</tr></thead><tbody>";
    for (i, stage) in report.stages.iter().enumerate() {
        let _ = write!(out, "<tr><th><i class=\"s{}\"></i>{}</th>", i % 4, Text(&stage.name));
        for (_, cell) in &columns {
            let (value, ratio) = cell(stage, first).unwrap_or(("–".into(), None));
            let ratio = ratio.filter(|_| i > 0).map(|r| format!("<small>{r}</small>")).unwrap_or_default();
            let _ = write!(out, "<td>{value}{ratio}</td>");
        }
        out += "</tr>";
    }
    out += "</tbody></table></div>";
    if report.stages.iter().any(|s| s.instructions.is_some()) {
        let _ = write!(out, "<p class=\"about\">{}</p>", INSTRUCTIONS_NOTE);
    }
    if report.stages.iter().any(|s| s.est_cycles.is_some()) {
        let _ = write!(out, "<p class=\"about\">{}</p>", CYCLES_NOTE);
    }
    // One bar compares nothing.
    if report.stages.len() > 1 { out + &row("", charts::bars(&report.stages)) } else { out }
}

fn operators(report: &Report) -> String {
    if report.operators.is_empty() {
        return String::new();
    }
    let instructions = report.operators.iter().any(|o| o.instructions.is_some());
    let cost = |o: &OperatorRow| if instructions { o.instructions.unwrap_or(0) } else { o.macs };
    let total: u64 = report.operators.iter().map(cost).sum();
    let mut out = operator_bars::chart(&report.operators);
    out += "<div class=\"scroll\"><table><thead><tr><th>operator</th><th class=\"left\">kind</th>";
    out += "<th>input</th><th>output</th><th>weights</th><th>MACs</th>";
    out += if instructions { "<th>instructions</th><th>per MAC</th>" } else { "" };
    out += "<th class=\"left\">share</th></tr></thead><tbody>";
    for o in &report.operators {
        let _ = write!(
            out,
            "<tr><th>{}</th><td class=\"left\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>",
            Text(&o.name),
            Text(&o.op),
            format::shape(&o.input_shape),
            format::shape(&o.output_shape),
            if o.weight_bytes > 0 { format::bytes(o.weight_bytes) } else { "–".into() },
            if o.macs > 0 { format::count(o.macs) } else { "–".into() },
        );
        if instructions {
            let per_mac = o.instructions.filter(|_| o.macs > 0).map(|n| format!("{:.2}", n as f64 / o.macs as f64));
            let count = o.instructions.map_or("–".into(), format::count);
            let _ = write!(out, "<td>{count}</td><td>{}</td>", per_mac.unwrap_or("–".into()));
        }
        let share = cost(o) as f64 / total.max(1) as f64 * 100.0;
        let _ =
            write!(out, "<td class=\"share\"><i style=\"width:{share:.1}%\"></i><span>{share:.0} %</span></td></tr>");
    }
    out + "</tbody></table></div>"
}

fn notes(notes: &[String]) -> String {
    let items: String = notes.iter().map(|n| format!("<li>{}</li>", Text(n))).collect();
    if items.is_empty() { items } else { format!("<ul>{items}</ul>") }
}
