//! Bars for stages, curves for training: SVG that the page's style sheet colours.

use super::{EpochRow, Report, Stage, page::Text};
use crate::io::format;
use plotters::prelude::*;
use std::{fmt::Write, ops::Range};

/// Three panels of bars: accuracy, size, cost; a panel without values is left out.
pub(super) fn bars(stages: &[Stage]) -> String {
    let accuracy = |s: &Stage| Some((s.accuracy, format::percent(s.accuracy)));
    let size = |s: &Stage| s.model_bytes.map(|n| (n as f64, format::bytes(n)));
    let macs = |s: &Stage| Some((s.macs as f64, format::count(s.macs)));
    let instructions = |s: &Stage| s.instructions.map(|n| (n as f64, format::count(n)));
    let mut out = panel("Accuracy", stages, accuracy, Some(1.0));
    out += &panel("Model size", stages, size, None);
    // Instructions are what the chip pays; MACs are the same for every chip and known without one.
    out += &panel("Multiply-accumulates", stages, macs, None);
    if stages.iter().filter(|s| s.instructions.is_some()).count() > 1 {
        out += &panel("Instructions", stages, instructions, None);
    }
    out
}

const ROW: f64 = 34.0;
const NAME_WIDTH: f64 = 74.0;
const BAR_WIDTH: f64 = 150.0;

fn panel(title: &str, stages: &[Stage], of: impl Fn(&Stage) -> Option<(f64, String)>, full: Option<f64>) -> String {
    let values: Vec<_> = stages.iter().map(of).collect();
    let largest = values.iter().flatten().map(|v| v.0).fold(0.0, f64::max);
    let full = full.unwrap_or(largest);
    if values.iter().all(Option::is_none) {
        return String::new();
    }
    let height = ROW * stages.len() as f64;
    let mut out = format!(
        "<figure><figcaption>{title}</figcaption><svg class=\"bars\" viewBox=\"0 0 310 {height}\" role=\"img\">"
    );
    for (i, (stage, value)) in stages.iter().zip(&values).enumerate() {
        let (top, middle) = (ROW * i as f64 + 6.0, ROW * i as f64 + 21.0);
        let (value, label) = value.clone().unwrap_or((0.0, "–".into()));
        let width = if full > 0.0 && value.is_finite() { (value / full).clamp(0.0, 1.0) * BAR_WIDTH } else { 0.0 };
        let name = Text(&stage.name);
        let short = shortened(&stage.name, NAME_WIDTH);
        let _ = write!(
            out,
            "<g class=\"s{}\"><title>{name}: {label}</title><text class=\"name\" y=\"{middle}\">{}</text>\
             <rect class=\"track\" x=\"{NAME_WIDTH}\" y=\"{top}\" width=\"{BAR_WIDTH}\" height=\"22\" rx=\"3\"/>\
             <rect x=\"{NAME_WIDTH}\" y=\"{top}\" width=\"{width:.1}\" height=\"22\" rx=\"3\"/>\
             <text class=\"value\" x=\"{}\" y=\"{middle}\">{label}</text></g>",
            i % 4,
            Text(&short),
            NAME_WIDTH + BAR_WIDTH + 10.0,
        );
    }
    out + "</svg></figure>"
}

/// Mean width of a glyph at the page's 12-pixel type, rounded up: the page cannot measure.
const GLYPH_WIDTH: f64 = 6.8;

/// What `text` takes at most.
pub(super) fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * GLYPH_WIDTH
}

/// `text`, cut with an ellipsis where it would be wider than `width`; empty if nothing fits.
pub(super) fn shortened(text: &str, width: f64) -> String {
    let fitting = (width / GLYPH_WIDTH) as usize;
    match text.chars().count() {
        len if len <= fitting => text.into(),
        _ if fitting < 4 => String::new(),
        _ => text.chars().take(fitting - 1).chain(['…']).collect(),
    }
}

/// Loss, accuracy and living groups over all epochs; a panel without values is left out.
pub(super) fn curves(report: &Report) -> String {
    let rows = &report.training;
    let series = |of: fn(&EpochRow) -> f64| rows.iter().map(of).collect::<Vec<_>>();
    let loss = series(|r| r.train_loss);
    let accuracy = series(|r| r.val_accuracy);
    let groups = series(|r| r.alive_groups.map_or(f64::NAN, |n| n as f64));
    let last = |values: &[f64]| values.iter().rev().copied().find(|v| v.is_finite()).unwrap_or(f64::NAN);
    let worst = accuracy.iter().copied().filter(|v| v.is_finite()).fold(0.9, f64::min);
    let from_zero = |values: &[f64]| 0.0..values.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max) * 1.08;
    let number = |v: &f64| format!("{}", (v * 100.0).round() / 100.0);
    let percent = |v: &f64| format!("{:.0} %", v * 100.0);
    let lambda = rows.iter().filter_map(|r| r.lambda).fold(0.0, f64::max);
    let pressure = if lambda > 0.0 { format!("; λ up to {lambda}") } else { String::new() };
    let mut out = String::new();
    for (title, values, y, label) in [
        (
            format!("Training loss, {:.3} at the end", last(&loss)),
            &loss,
            from_zero(&loss),
            &number as &dyn Fn(&f64) -> String,
        ),
        (
            format!("Validation accuracy, {} at the end", format::percent(last(&accuracy))),
            &accuracy,
            (worst * 10.0).floor() / 10.0..1.005,
            &percent,
        ),
        (format!("Groups alive, {} at the end{pressure}", last(&groups)), &groups, from_zero(&groups), &number),
    ] {
        if values.iter().any(|v| v.is_finite()) {
            let svg = Curve { rows, values, y, label }.draw();
            let _ = write!(out, "<figure><figcaption>{}</figcaption>{svg}</figure>", Text(&title));
        }
    }
    out
}

// plotters writes colours as numbers and has no classes: these stand for style.css's `.plot [stroke="#…"]` rules.
const INK: RGBColor = RGBColor(1, 1, 1);
const GRID: RGBColor = RGBColor(2, 2, 2);
const LINE: RGBColor = RGBColor(3, 3, 3);
const BAND: RGBColor = RGBColor(4, 4, 4);

/// Drawn on twice the grid that is shown, since plotters rounds to whole units.
const CURVE_SIZE: (u32, u32) = (720, 400);
const TYPE_SIZE: i32 = 28;

struct Curve<'a> {
    rows: &'a [EpochRow],
    values: &'a [f64],
    y: Range<f64>,
    label: &'a dyn Fn(&f64) -> String,
}

impl Curve<'_> {
    fn draw(&self) -> String {
        let mut svg = String::new();
        self.draw_into(&mut svg).expect("drawing into a string cannot fail");
        // plotters' own opening tag has a fixed size and a name space that inline SVG does not need.
        let content = svg.split_once('>').map_or("", |s| s.1);
        let (width, height) = CURVE_SIZE;
        format!("<svg class=\"plot\" viewBox=\"0 0 {width} {height}\" role=\"img\">{content}")
    }

    fn draw_into<'s>(
        &self,
        svg: &'s mut String,
    ) -> Result<(), DrawingAreaErrorKind<<SVGBackend<'s> as DrawingBackend>::ErrorType>> {
        let area = SVGBackend::with_string(svg, CURVE_SIZE).into_drawing_area();
        // All values 0 or the like must still leave a range to draw.
        let y = if self.y.end > self.y.start { self.y.clone() } else { self.y.start..self.y.start + 1.0 };
        let x = 0.5..self.rows.len() as f64 + 0.5;
        let mut chart = ChartBuilder::on(&area)
            .margin_top(44)
            .margin_right(16)
            .x_label_area_size(52)
            .y_label_area_size(84)
            .build_cartesian_2d(x, y.clone())?;
        let type_face = |colour: RGBColor| ("sans-serif", TYPE_SIZE).into_font().color(&colour);
        for (i, phase) in phases(self.rows).into_iter().enumerate() {
            let (left, right) = (phase.start as f64 + 0.5, phase.end as f64 + 0.5);
            let corners = [(left, y.start), (right, y.end)];
            if i % 2 == 1 {
                chart.draw_series([Rectangle::new(corners, BAND.filled())])?;
            }
            let [start, end] = [left, right].map(|x| chart.backend_coord(&(x, y.end)));
            // Twice the grid that is shown, see CURVE_SIZE.
            let name = self.rows[phase.start].phase.to_string();
            let name = shortened(&name, f64::from(end.0 - start.0) / 2.0);
            area.draw(&plotters::element::Text::new(name, (start.0 + 4, 8), type_face(INK)))?;
        }
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(type_face(INK))
            .x_labels(8)
            .y_labels(5)
            .x_label_formatter(&|v| if *v == v.round() { format!("{v:.0}") } else { String::new() })
            .y_label_formatter(&self.label)
            .draw()?;
        for run in finite_runs(self.values) {
            let points: Vec<(f64, f64)> = run.map(|i| (i as f64 + 1.0, self.values[i])).collect();
            if let [only] = points[..] {
                chart.draw_series([Circle::new(only, 6, LINE.filled())])?;
            } else {
                chart.draw_series(LineSeries::new(points, LINE.stroke_width(5)))?;
            }
        }
        area.present()
    }
}

/// Neighbouring rows of one phase.
fn phases(rows: &[EpochRow]) -> Vec<Range<usize>> {
    runs(rows.len(), |a, b| rows[a].phase == rows[b].phase)
}

/// Neighbouring values that can be drawn: a diverged epoch leaves a gap.
fn finite_runs(values: &[f64]) -> Vec<Range<usize>> {
    let runs = runs(values.len(), |a, b| values[a].is_finite() == values[b].is_finite());
    runs.into_iter().filter(|r| values[r.start].is_finite()).collect()
}

/// Splits `0..len` where neighbours are not `alike`.
fn runs(len: usize, alike: impl Fn(usize, usize) -> bool) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for i in 0..len {
        match runs.last_mut() {
            Some(run) if alike(run.start, i) => run.end = i + 1,
            _ => runs.push(i..i + 1),
        }
    }
    runs
}
