//! Where the instructions go: a bar for each operator, coloured by its kind; SVG that the page's style sheet colours.

use super::{
    OperatorRow,
    charts::{shortened, text_width},
    page::Text,
};
use crate::io::format;
use std::fmt::Write;

const ROW: f64 = 24.0;
const BAR: f64 = 16.0;
const WIDTH: f64 = 900.0;
/// Names that are longer are cut.
const NAME_WIDTH: f64 = 220.0;
const GAP: f64 = 10.0;
/// Colours of the style sheet; kinds share them where there are more.
const COLOURS: usize = 6;

/// The chart; empty if no operator ran on a chip.
pub(super) fn chart(operators: &[OperatorRow]) -> String {
    let total: u64 = operators.iter().filter_map(|o| o.instructions).sum();
    let largest = operators.iter().filter_map(|o| o.instructions).max().unwrap_or(0);
    if largest == 0 {
        return String::new();
    }
    let labels: Vec<String> = operators.iter().map(|o| label(o, total)).collect();
    let widest = |texts: &mut dyn Iterator<Item = &str>| texts.map(text_width).fold(0.0, f64::max);
    let names = widest(&mut operators.iter().map(|o| o.name.as_str())).min(NAME_WIDTH);
    let values = widest(&mut labels.iter().map(String::as_str));
    let room = (WIDTH - names - values - 2.0 * GAP).max(ROW);
    let mut kinds: Vec<&str> = Vec::new();
    let mut out = format!(
        "<figure class=\"wide\"><figcaption>Instructions of each operator</figcaption>\
         <svg class=\"operators\" viewBox=\"0 0 {WIDTH} {}\" role=\"img\">",
        ROW * operators.len() as f64
    );
    for (i, (operator, label)) in operators.iter().zip(&labels).enumerate() {
        let kind = kinds.iter().position(|&kind| kind == operator.op).unwrap_or_else(|| {
            kinds.push(&operator.op);
            kinds.len() - 1
        });
        let (top, middle) = (ROW * i as f64 + (ROW - BAR) / 2.0, ROW * i as f64 + 16.0);
        let width = operator.instructions.unwrap_or(0) as f64 / largest as f64 * room;
        let bar_x = names + GAP;
        let _ = write!(
            out,
            "<g class=\"t{}\"><title>{}, {}: {label}</title><text class=\"name\" y=\"{middle}\">{}</text>\
             <rect x=\"{bar_x:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\"/>\
             <text x=\"{:.1}\" y=\"{middle}\">{label}</text></g>",
            kind % COLOURS,
            Text(&operator.name),
            Text(&operator.op),
            Text(&shortened(&operator.name, names)),
            bar_x + width + GAP,
        );
    }
    out + "</svg></figure>"
}

fn label(operator: &OperatorRow, total: u64) -> String {
    let Some(instructions) = operator.instructions else { return "–".into() };
    let share = format::percent(instructions as f64 / total.max(1) as f64);
    let text = format!("{} · {share}", format::count(instructions));
    if operator.macs == 0 {
        return text;
    }
    format!("{text} · {:.2} per MAC", instructions as f64 / operator.macs as f64)
}
