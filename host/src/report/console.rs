//! The report in a terminal: a table of stages and a verdict of two lines, fitted to the width.

use super::{CYCLES_NOTE, INSTRUCTIONS_NOTE, Report, Stage};
use crate::io::format;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle, presets};
use std::io::IsTerminal;

/// What the text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terminal {
    /// Columns; `None` is a file or a pipe, where lines may be long.
    pub columns: Option<u16>,
    /// Whether escape codes for bold and colour are welcome.
    pub ansi: bool,
}

impl Terminal {
    /// Standard output as it is: no width and no escape codes unless it is a terminal; `NO_COLOR` is respected.
    pub fn of_stdout() -> Self {
        if !std::io::stdout().is_terminal() {
            return Self::default();
        }
        let ansi = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Self { columns: Table::new().width(), ansi }
    }

    pub(super) fn fits(self, text: &str) -> bool {
        self.columns.is_none_or(|columns| text.lines().all(|line| line.chars().count() <= usize::from(columns)))
    }

    /// A line of text from anywhere, broken to the width.
    pub(super) fn line(self, code: &str, text: &str) -> String {
        self.paint(code, &wrapped(&printable(text), self.columns)) + "\n"
    }

    pub(super) fn paint(self, code: &str, text: &str) -> String {
        if self.ansi { format!("\x1b[{code}m{text}\x1b[0m") } else { text.into() }
    }
}

pub(super) const PLAIN: &str = "0";
pub(super) const BOLD: &str = "1";
pub(super) const GREEN: &str = "32";
pub(super) const RED: &str = "1;31";
pub(super) const DIM: &str = "2";

/// Title, table, verdict; ends with a newline.
///
/// Where the table is too wide, it loses time and estimates, then its ratios, then both; at last, stages become lists.
pub fn render(report: &Report, terminal: Terminal) -> String {
    let line = |code, text: &str| terminal.line(code, text);
    let mut out = line(BOLD, &report.title);
    out += &line(DIM, &format!("{} · {} · seed {}", report.dataset, report.model, report.seed));
    out.push('\n');
    if !report.stages.is_empty() {
        let layouts = [(true, true), (true, false), (false, true), (false, false)];
        let mut tables = layouts.into_iter().map(|(ratios, extras)| table(&report.stages, Show { ratios, extras }));
        let body = tables.find(|t| terminal.fits(t)).unwrap_or_else(|| list(&report.stages));
        let (head, rows) = body.split_once('\n').unwrap_or((&body, ""));
        out += &format!("{}\n{rows}\n", terminal.paint(BOLD, head));
        if report.stages.iter().any(|s| s.instructions.is_some()) {
            out += &line(DIM, INSTRUCTIONS_NOTE);
        }
        if body.contains(CYCLES) {
            out += &line(DIM, CYCLES_NOTE);
        }
        out.push('\n');
    }
    let colour = if report.bytes_equal == Some(false) { RED } else { GREEN };
    for sentence in report.verdict() {
        out += &line(colour, &sentence);
    }
    for note in &report.notes {
        out += &line(PLAIN, &format!("· {note}"));
    }
    out
}

/// A column: its head, its text, and what is compared with the first stage.
struct Column {
    head: &'static str,
    text: fn(&Stage) -> Option<String>,
    compared: fn(&Stage) -> Option<u64>,
}

const TIME: &str = "time";
const CYCLES: &str = "est. cycles";

const COLUMNS: &[Column] = &[
    Column { head: "accuracy", text: |s| Some(format::percent(s.accuracy)), compared: |_| None },
    Column { head: "params", text: |s| Some(format::count(s.params)), compared: |s| Some(s.params) },
    Column { head: "MACs", text: |s| Some(format::count(s.macs)), compared: |s| Some(s.macs) },
    Column { head: "model", text: |s| s.model_bytes.map(format::bytes), compared: |s| s.model_bytes },
    Column { head: "instructions", text: |s| s.instructions.map(format::count), compared: |s| s.instructions },
    Column { head: CYCLES, text: |s| s.est_cycles.map(format::count), compared: |s| s.est_cycles },
    Column { head: TIME, text: |s| (s.seconds > 0.0).then(|| format::seconds(s.seconds)), compared: |_| None },
];

impl Column {
    fn ratio(&self, stage: &Stage, first: &Stage) -> Option<String> {
        if std::ptr::eq(stage, first) {
            return None;
        }
        format::ratio((self.compared)(stage)?, (self.compared)(first)?)
    }
}

/// Only a rule below the head.
const STYLE: TableStyle = presets::NOTHING.header_separator(LineStyle::none().fill('─').junction('─'));

/// What a table can do without.
#[derive(Clone, Copy)]
struct Show {
    ratios: bool,
    /// Time and estimates.
    extras: bool,
}

fn table(stages: &[Stage], show: Show) -> String {
    let mut heads = vec!["stage"];
    let mut gaps = vec![0];
    let mut rows: Vec<Vec<String>> = stages.iter().map(|s| vec![printable(&s.name)]).collect();
    let mut add = |head, missing: &str, gap, cells: Vec<Option<String>>| {
        if cells.iter().all(Option::is_none) {
            return;
        }
        heads.push(head);
        gaps.push(gap);
        for (row, cell) in rows.iter_mut().zip(cells) {
            row.push(cell.unwrap_or_else(|| missing.into()));
        }
    };
    for column in COLUMNS.iter().filter(|c| show.extras || ![TIME, CYCLES].contains(&c.head)) {
        add(column.head, "–", 2, stages.iter().map(column.text).collect());
        if show.ratios {
            add("", "", 0, stages.iter().map(|s| column.ratio(s, &stages[0])).collect());
        }
    }
    grid(&heads, rows, &gaps, &[0])
}

/// A table with a rule below its head: `gaps` are the columns' left paddings, `left` the columns that align left.
pub(crate) fn grid(heads: &[&str], rows: Vec<Vec<String>>, gaps: &[u16], left: &[usize]) -> String {
    let mut table = Table::new();
    table.force_no_tty().load_style(STYLE).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(heads.to_vec()).add_rows(rows);
    // Beside the one space that comfy-table puts between columns; a ratio stands near its value.
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_padding((gaps.get(i).copied().unwrap_or(1), 0));
        column.set_cell_alignment(if left.contains(&i) { CellAlignment::Left } else { CellAlignment::Right });
    }
    table.trim_fmt()
}

fn list(stages: &[Stage]) -> String {
    let mut lines = Vec::new();
    for stage in stages {
        lines.push(printable(&stage.name));
        for column in COLUMNS {
            let Some(text) = (column.text)(stage) else { continue };
            let ratio = column.ratio(stage, &stages[0]).map(|r| format!("  {r}")).unwrap_or_default();
            lines.push(format!("  {:<12}  {text}{ratio}", column.head));
        }
    }
    lines.join("\n")
}

/// Names come from files of others: an escape code in one must not reach the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '�' } else { c }).collect()
}

/// Breaks between words where a line would be longer than `columns`.
fn wrapped(text: &str, columns: Option<u16>) -> String {
    let limit = columns.map_or(usize::MAX, usize::from);
    let mut out = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let len = word.chars().count();
        if used > 0 && used + 1 + len > limit {
            out.push('\n');
            used = 0;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out += word;
        used += len;
    }
    out
}
