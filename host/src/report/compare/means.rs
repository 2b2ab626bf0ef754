//! The rows of a comparison: means over seeds, and which method is best at each cost.

use super::{Cell, Comparison, unit_words};
use crate::recipe::Unit;
use serde::Serialize;

/// Values over seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Sample standard deviation; 0 for a single value.
    pub sd: f64,
    /// Number of values.
    pub n: usize,
}

impl Spread {
    /// Of no value, the mean is not a number.
    pub fn of(values: impl Iterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.collect();
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        Self { mean, sd: if n > 1 { (squares / (n - 1) as f64).sqrt() } else { 0.0 }, n }
    }

    /// Percent with two decimals, as in `90.93 ± 0.21`.
    pub fn percent(&self) -> String {
        let mean = format!("{:.2}", 100.0 * self.mean);
        if self.n > 1 { format!("{mean} ± {:.2}", 100.0 * self.sd) } else { mean }
    }
}

/// A method at one cost, over all seeds that have a result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Name of the method, or `dense`.
    pub method: String,
    /// Share of the dense network's cost; none for the dense network itself.
    pub keep: Option<f64>,
    /// The cost that `keep` is a share of.
    pub keep_unit: Option<Unit>,
    /// Number of seeds.
    pub n: usize,
    /// Accuracy of the float network, 0 to 1.
    pub f32: Spread,
    /// Accuracy of the exported network, 0 to 1.
    pub int8: Spread,
    /// Mean over the seeds of what the exported network loses against the dense float one of its seed, in points.
    pub drop_points: Option<f64>,
    /// Mean of each cost.
    pub cost: Cost,
    /// `cost` as shares of the dense networks' mean.
    pub ratio: Cost,
    /// Whether no other that keeps the same share of the same cost has a higher accuracy after export.
    pub best: bool,
}

/// What a network costs; not a number where it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(missing_docs, reason = "as in `Cell`")]
pub struct Cost {
    pub macs: f64,
    pub model_bytes: f64,
    pub instructions: f64,
    pub arena_bytes: f64,
}

impl Cost {
    fn mean(cells: &[&Cell]) -> Self {
        let mean = |of: fn(&Cell) -> f64| cells.iter().map(|c| of(c)).sum::<f64>() / cells.len() as f64;
        Self {
            macs: mean(|c| c.macs as f64),
            model_bytes: mean(|c| c.model_bytes as f64),
            instructions: mean(|c| c.instructions.map_or(f64::NAN, |n| n as f64)),
            arena_bytes: mean(|c| c.arena_bytes as f64),
        }
    }

    fn over(self, base: Self) -> Self {
        Self {
            macs: self.macs / base.macs,
            model_bytes: self.model_bytes / base.model_bytes,
            instructions: self.instructions / base.instructions,
            arena_bytes: self.arena_bytes / base.arena_bytes,
        }
    }
}

impl Comparison {
    /// The dense network, then the methods at each cost; without those that have no result yet.
    pub fn rows(&self) -> Vec<Row> {
        let of = |method: &str, keep: Option<f64>| -> Vec<&Cell> {
            self.cells.iter().filter(|c| c.method == method && c.keep == keep).collect()
        };
        let dense = of("dense", None);
        let base = Cost::mean(&dense);
        let row = |cells: &[&Cell]| {
            let first = cells.first()?;
            let lost = cells.iter().filter_map(|c| {
                let of_seed = dense.iter().find(|d| d.seed == c.seed)?;
                Some(100.0 * (of_seed.accuracy_f32 - c.accuracy_int8))
            });
            let cost = Cost::mean(cells);
            Some(Row {
                method: first.method.clone(),
                keep: first.keep,
                keep_unit: first.keep_unit,
                n: cells.len(),
                f32: Spread::of(cells.iter().map(|c| c.accuracy_f32)),
                int8: Spread::of(cells.iter().map(|c| c.accuracy_int8)),
                drop_points: Some(Spread::of(lost).mean).filter(|points| points.is_finite()),
                cost,
                ratio: cost.over(base),
                best: false,
            })
        };
        let mut rows: Vec<Row> = row(&dense).into_iter().collect();
        for &keep in &self.keeps {
            let start = rows.len();
            rows.extend(self.methods.iter().filter_map(|method| row(&of(method, Some(keep)))));
            if let Some(best) = self.ranked(&rows[start..]).first().map(|row| row.int8.mean) {
                let ranked = rows[start..].iter_mut().filter(|row| row.keep_unit == Some(self.unit));
                ranked.for_each(|row| row.best = row.int8.mean == best);
            }
        }
        rows
    }

    /// Those of `rows` that were given the cost which is compared by, the best first.
    fn ranked<'a>(&self, rows: &'a [Row]) -> Vec<&'a Row> {
        let mut ranked: Vec<&Row> = rows.iter().filter(|row| row.keep_unit == Some(self.unit)).collect();
        ranked.sort_by(|a, b| b.int8.mean.total_cmp(&a.int8.mean));
        ranked
    }

    /// A sentence for each cost: which method is best, and whether by more than chance explains.
    ///
    /// The spread of the distance between two methods is the root of the sum of their variances over seeds.
    pub fn verdicts(&self) -> Vec<String> {
        let rows = self.rows();
        let mut sentences = Vec::new();
        for &keep in &self.keeps {
            let of_keep: Vec<Row> = rows.iter().filter(|row| row.keep == Some(keep)).cloned().collect();
            let ranked = self.ranked(&of_keep);
            let Some((best, others)) = ranked.split_first() else { continue };
            let head = format!("At {keep}× the dense network's {}, {}", unit_words(self.unit), best.method);
            let Some(second) = others.first() else {
                sentences.push(format!("{head} classifies {} % right.", best.int8.percent()));
                continue;
            };
            let gap = best.int8.mean - second.int8.mean;
            let spread = best.int8.sd.hypot(second.int8.sd);
            let seeds = best.n.min(second.n);
            let chance = match seeds {
                1 => "one seed tells no spread".into(),
                _ if gap <= spread => format!("within the spread of {:.2} over {seeds} seeds", 100.0 * spread),
                _ => format!("more than the spread of {:.2} over {seeds} seeds", 100.0 * spread),
            };
            sentences.push(format!(
                "{head} is best with {} %, {:.2} points above {} ({} %): {chance}.",
                best.int8.percent(),
                100.0 * gap,
                second.method,
                second.int8.percent()
            ));
        }
        if sentences.is_empty() {
            sentences.push("No method has finished yet.".into());
        }
        sentences
    }
}
