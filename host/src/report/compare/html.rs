//! A comparison as one HTML page: style and drawings inline, no script, nothing fetched.

use super::{Comparison, Row, console, plot};
use crate::report;
use crate::report::page::{Page, Text, Tone};
use std::fmt::Write;

/// The whole page.
pub fn render(comparison: &Comparison) -> String {
    let rows = comparison.rows();
    let mut body = String::new();
    let mut section = |title: &str, about: &str, content: String| {
        if !content.is_empty() {
            let about = if about.is_empty() { String::new() } else { format!("<p class=\"about\">{about}</p>") };
            let _ = writeln!(body, "<section><h2>{title}</h2>{about}{content}</section>");
        }
    };
    section("Accuracy against cost", PLOTS_ABOUT, plot::figures(comparison, &rows));
    section("Methods", "", table(comparison, &rows));
    let remarks: String = comparison.remarks().iter().map(|note| format!("<li>{}</li>", Text(note))).collect();
    section("Notes", "", if remarks.is_empty() { remarks } else { format!("<ul>{remarks}</ul>") });
    let seeds: Vec<String> = comparison.seeds.iter().map(u64::to_string).collect();
    let differ = comparison.cells.iter().any(|cell| cell.bytes_equal == Some(false));
    let page = Page {
        title: &comparison.title,
        subject: &format!("{} · {} · seeds {}", comparison.dataset, comparison.model, seeds.join(", ")),
        verdict: &comparison.verdicts(),
        tone: if differ { Tone::Bad } else { Tone::Good },
    };
    page.around(&body)
}

const PLOTS_ABOUT: &str = "Accuracy of the exported int8 network on the test samples: up and to the left is better. A \
     point is the mean over the seeds, its bar one standard deviation up and down; the ring is the dense network.";

fn table(comparison: &Comparison, rows: &[Row]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let costs: Vec<_> =
        console::COSTS.iter().filter(|cost| rows.iter().any(|row| (cost.1)(row)[0].is_finite())).collect();
    let mut out = String::from(
        "<div class=\"scroll\"><table><thead><tr><th>method</th><th>keep</th><th>seeds</th><th>f32 %</th><th>int8 %</th>\
         <th>drop</th>",
    );
    for (head, ..) in &costs {
        let _ = write!(out, "<th>{head}</th>");
    }
    out += "</tr></thead><tbody>";
    for row in rows {
        let _ = write!(
            out,
            "<tr{}><th><i class=\"m{}\"></i>{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>",
            if row.best { " class=\"best\"" } else { "" },
            plot::colour(comparison, &row.method),
            Text(&row.method),
            console::keep(comparison, row),
            row.n,
            row.f32.percent(),
            row.int8.percent(),
            row.drop_points.map_or("–".into(), |points| format!("{points:.2}")),
        );
        for (_, of, show) in &costs {
            let [value, share] = of(row);
            let value = if value.is_finite() { show(value.round() as u64) } else { "–".into() };
            let _ = write!(out, "<td>{value}<small>{}</small></td>", console::ratio(share));
        }
        out += "</tr>";
    }
    out += "</tbody></table></div>";
    let _ = write!(out, "<p class=\"about\">{}</p>", console::LEGEND.replace("* best", "bold: best"));
    if rows.iter().any(|row| row.cost.instructions.is_finite()) {
        let _ = write!(out, "<p class=\"about\">{}</p>", report::INSTRUCTIONS_NOTE);
    }
    out
}
