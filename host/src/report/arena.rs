//! The arena over time: one rectangle a tensor, operators from left to right, addresses from bottom to top.

use super::{
    Report,
    charts::{shortened, text_width},
    page::Text,
};
use crate::io::format;
use std::fmt::Write;

const LEFT: f64 = 72.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 14.0;
const WIDTH: f64 = 1000.0;
const PLOT_HEIGHT: f64 = 300.0;
/// Below this, operator names below the columns would touch each other.
const MIN_COLUMN_FOR_NAME: f64 = 15.0;
/// Plain glyphs are this much narrower than bold ones.
const BOLD: f64 = 0.88;
/// Degrees that operator names lean where they do not fit below their column.
const SLANT: f64 = 38.0;
const LONGEST_NAME: f64 = 92.0;

/// The map as SVG; empty if no tensor is placed.
pub(super) fn map(report: &Report) -> String {
    let arena = &report.arena;
    let end = arena.tensors.iter().map(|t| t.offset.saturating_add(t.bytes)).chain([arena.total_bytes]).max();
    let columns = arena.tensors.iter().map(|t| t.last_op.saturating_add(1)).chain([report.operators.len()]).max();
    let (Some(end @ 1..), Some(columns @ 1..), false) = (end, columns, arena.tensors.is_empty()) else {
        return String::new();
    };
    let scale = Scale { column: (WIDTH - LEFT - RIGHT) / columns as f64, byte: PLOT_HEIGHT / end as f64 };
    let names: Vec<String> = (0..columns).map(|op| shortened(&operator(report, op), LONGEST_NAME)).collect();
    let name_width = names.iter().map(|n| text_width(n)).fold(0.0, f64::max);
    let slant = if name_width <= scale.column - 4.0 { 0.0 } else { SLANT };
    let label_height = if scale.column < MIN_COLUMN_FOR_NAME { 0.0 } else { name_width * slant.to_radians().sin() };
    let height = TOP + PLOT_HEIGHT + label_height + 26.0;
    let mut out = format!("<svg class=\"arena\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">");
    for offset in ticks(end) {
        draw_tick(&mut out, offset, &scale);
    }
    for i in 0..arena.tensors.len() {
        draw_tensor(&mut out, report, i, &scale);
    }
    let bottom = TOP + PLOT_HEIGHT;
    if scale.column >= MIN_COLUMN_FOR_NAME {
        for (op, name) in names.iter().enumerate() {
            let (x, y) = (scale.x(op) + scale.column / 2.0, bottom + 16.0);
            let anchor = if slant == 0.0 { "middle" } else { "end" };
            let _ = write!(
                out,
                "<text class=\"op\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y}\" \
                 transform=\"rotate(-{slant} {x:.1} {y})\">{}</text>",
                Text(name)
            );
        }
    } else {
        let _ = write!(
            out,
            "<text class=\"axis\" x=\"{LEFT}\" y=\"{}\">{columns} operators, in order</text>",
            bottom + 18.0
        );
    }
    out + "</svg>"
}

/// The line of an address, with its label.
fn draw_tick(out: &mut String, offset: u64, scale: &Scale) {
    let y = scale.y(offset);
    let label = format::bytes(offset);
    let _ = write!(
        out,
        "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
         <text class=\"tick\" x=\"{}\" y=\"{:.1}\">{label}</text>",
        WIDTH - RIGHT,
        LEFT - 8.0,
        y + 4.0
    );
}

/// The rectangle of tensor `i`, with its name and size where there is room.
fn draw_tensor(out: &mut String, report: &Report, i: usize, scale: &Scale) {
    let tensor = &report.arena.tensors[i];
    let (x, y) = (scale.x(tensor.first_op), scale.y(tensor.offset.saturating_add(tensor.bytes)));
    let operators = tensor.last_op.saturating_sub(tensor.first_op) + 1;
    let (w, h) = (operators as f64 * scale.column, tensor.bytes as f64 * scale.byte);
    let _ = write!(
        out,
        "<g class=\"t{}\"><title>{}: {} at {}, from {} to {}</title>\
         <rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"2\"/>",
        i % 6,
        Text(&tensor.name),
        format::bytes(tensor.bytes),
        format::exact(tensor.offset),
        Text(&operator(report, tensor.first_op)),
        Text(&operator(report, tensor.last_op)),
        x + 1.0,
        y + 0.5,
        (w - 2.0).max(1.0),
        (h - 1.0).max(0.5),
    );
    let mut line = |text: &str, class: &str, y: f64| {
        let _ = write!(out, "<text class=\"{class}\" x=\"{:.1}\" y=\"{y:.1}\">{}</text>", x + 7.0, Text(text));
    };
    if h >= 16.0 {
        line(&shortened(&tensor.name, (w - 12.0) * BOLD), "name", y + 13.0);
    }
    let size = format::bytes(tensor.bytes);
    if h >= 32.0 && text_width(&size) <= w - 8.0 {
        line(&size, "size", y + 27.0);
    }
    out.push_str("</g>");
}

struct Scale {
    column: f64,
    byte: f64,
}

impl Scale {
    fn x(&self, op: usize) -> f64 {
        LEFT + op as f64 * self.column
    }

    fn y(&self, offset: u64) -> f64 {
        TOP + PLOT_HEIGHT - offset as f64 * self.byte
    }
}

fn operator(report: &Report, index: usize) -> String {
    report.operators.get(index).map_or_else(|| format!("operator {index}"), |o| o.name.clone())
}

/// Four to eight round offsets from 0 to `end`.
fn ticks(end: u64) -> impl Iterator<Item = u64> {
    let step = (end / 4).max(1).next_power_of_two();
    let step = if end / step < 4 { (step / 2).max(1) } else { step };
    (0..=end / step).map(move |i| i * step)
}
