//! Accuracy against cost, one line a method: SVG that the page's style sheet colours.

use super::{Comparison, Row};
use crate::io::format;
use crate::report::page::Text;
use plotters::prelude::*;
use std::fmt::Write;
use std::ops::Range;

/// Colours of `style.css`, beside that of the dense network.
const COLOURS: usize = 8;

/// The number of a method's colour; 0 is the dense network.
pub(super) fn colour(comparison: &Comparison, method: &str) -> usize {
    comparison.methods.iter().position(|known| known == method).map_or(0, |i| 1 + i % COLOURS)
}

/// plotters writes colours as numbers and has no classes: these stand for style.css's `.lines [stroke="#…"]` rules.
fn paint(colour: usize) -> RGBColor {
    let shade = 0x10 + colour as u8;
    RGBColor(shade, shade, shade)
}

const INK: RGBColor = RGBColor(1, 1, 1);
const GRID: RGBColor = RGBColor(2, 2, 2);

/// Drawn on twice the grid that is shown, since plotters rounds to whole units.
const SIZE: (u32, u32) = (1200, 640);
const TYPE_SIZE: i32 = 26;

/// A figure for each cost that is known, and a legend; nothing without methods.
pub(super) fn figures(comparison: &Comparison, rows: &[Row]) -> String {
    if !rows.iter().any(|row| row.keep.is_some()) {
        return String::new();
    }
    let mut out = String::from("<p class=\"legend\">");
    for method in ["dense"].into_iter().chain(comparison.methods.iter().map(String::as_str)) {
        if rows.iter().any(|row| row.method == method) {
            let _ = write!(out, "<span><i class=\"m{}\"></i>{}</span>", colour(comparison, method), Text(method));
        }
    }
    out += "</p><div class=\"figures lines\">";
    let count = |v: &f64| format::count(v.max(0.0).round() as u64);
    let bytes = |v: &f64| format::bytes(v.max(0.0).round() as u64);
    let costs: [Axis<'_>; 3] = [
        ("MACs with weights that are not zero".into(), |row| row.cost.macs, &count),
        ("Bytes of the exported model".into(), |row| row.cost.model_bytes, &bytes),
        (format!("Instructions on the emulated {}", comparison.chip), |row| row.cost.instructions, &count),
    ];
    for (title, of, label) in costs {
        let points = points(comparison, rows, of);
        if points.iter().any(|point| point.colour > 0) {
            let svg = Plot { points, label }.draw();
            let _ = write!(out, "<figure class=\"wide\"><figcaption>{}</figcaption>{svg}</figure>", Text(&title));
        }
    }
    out + "</div>"
}

/// A cost: its name, its value, and how values are written.
type Axis<'a> = (String, fn(&Row) -> f64, &'a dyn Fn(&f64) -> String);

/// A row in one plot.
#[derive(Debug, Clone, Copy)]
struct Point {
    colour: usize,
    cost: f64,
    accuracy: f64,
    sd: f64,
}

/// By method, each from the cheapest to the dearest.
fn points(comparison: &Comparison, rows: &[Row], of: fn(&Row) -> f64) -> Vec<Point> {
    let point = |row: &Row| Point {
        colour: colour(comparison, &row.method),
        cost: of(row),
        accuracy: row.int8.mean,
        sd: row.int8.sd,
    };
    let mut points: Vec<Point> =
        rows.iter().map(point).filter(|p| p.cost.is_finite() && p.accuracy.is_finite()).collect();
    points.sort_by(|a, b| a.colour.cmp(&b.colour).then(a.cost.total_cmp(&b.cost)));
    points
}

struct Plot<'a> {
    points: Vec<Point>,
    label: &'a dyn Fn(&f64) -> String,
}

impl Plot<'_> {
    fn draw(&self) -> String {
        let mut svg = String::new();
        self.draw_into(&mut svg).expect("drawing into a string cannot fail");
        // plotters' own opening tag has a fixed size and a name space that inline SVG does not need.
        let content = svg.split_once('>').map_or("", |s| s.1);
        format!("<svg class=\"plot\" viewBox=\"0 0 {} {}\" role=\"img\">{content}", SIZE.0, SIZE.1)
    }

    /// Around all points and their bars; never empty, and not so narrow that noise looks like a trend.
    fn accuracies(&self) -> Range<f64> {
        let low = self.points.iter().map(|p| p.accuracy - p.sd).fold(1.0, f64::min);
        let high = self.points.iter().map(|p| p.accuracy + p.sd).fold(0.0, f64::max);
        let margin = 0.06 * (high - low).max(0.01);
        low - margin..high + margin
    }

    fn draw_into<'s>(
        &self,
        svg: &'s mut String,
    ) -> Result<(), DrawingAreaErrorKind<<SVGBackend<'s> as DrawingBackend>::ErrorType>> {
        let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        let dearest = self.points.iter().map(|p| p.cost).fold(1.0, f64::max);
        let mut chart = ChartBuilder::on(&area)
            .margin_top(16)
            .margin_right(36)
            .x_label_area_size(52)
            .y_label_area_size(104)
            .build_cartesian_2d(0.0..1.06 * dearest, self.accuracies())?;
        let type_face = ("sans-serif", TYPE_SIZE).into_font().color(&INK);
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(type_face)
            .x_labels(8)
            .y_labels(6)
            .x_label_formatter(&self.label)
            .y_label_formatter(&|v| format!("{:.1} %", 100.0 * v))
            .draw()?;
        for line in self.points.chunk_by(|a, b| a.colour == b.colour) {
            let colour = paint(line[0].colour);
            let places = line.iter().map(|p| (p.cost, p.accuracy));
            if line.len() > 1 {
                chart.draw_series(LineSeries::new(places.clone(), colour.stroke_width(4)))?;
            }
            for p in line.iter().filter(|p| p.sd > 0.0) {
                let bar = vec![(p.cost, p.accuracy - p.sd), (p.cost, p.accuracy + p.sd)];
                chart.draw_series([PathElement::new(bar, colour.stroke_width(3))])?;
            }
            // The dense network is a ring, every method a disc.
            let style = if line[0].colour == 0 { colour.stroke_width(4) } else { colour.filled() };
            chart.draw_series(places.map(|place| Circle::new(place, 8, style)))?;
        }
        area.present()
    }
}
