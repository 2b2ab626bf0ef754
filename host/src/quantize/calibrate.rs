//! The range of every activation over calibration samples, by minimum and maximum, percentile or squared error.

use crate::graph::{Graph, GraphError, TensorId};

/// How the range of an activation is chosen from its values.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Calibration {
    /// Smallest and largest value.
    MinMax,
    /// The range without the 0.005 % of values at either end (99.99th percentile).
    Percentile,
    /// The range with the smallest expected squared error among 81 fractions of the full one
    /// (specs/integer_arithmetic.md §8).
    Mse,
}

/// Bins of an activation's histogram.
const BINS: usize = 2048;
/// Share of values that percentile calibration cuts from each end.
const TAIL: f64 = 0.5e-4;

/// Counts of an activation's values between its smallest and largest.
#[derive(Debug, Clone)]
struct Histogram {
    min: f32,
    max: f32,
    counts: Vec<u64>,
}

impl Histogram {
    fn centre(&self, bin: usize) -> f64 {
        let width = f64::from(self.max - self.min) / BINS as f64;
        f64::from(self.min) + (bin as f64 + 0.5) * width
    }

    fn add(&mut self, value: f32) {
        let width = (self.max - self.min) / BINS as f32;
        let bin = if width > 0.0 { ((value - self.min) / width) as usize } else { 0 };
        self.counts[bin.min(BINS - 1)] += 1;
    }

    fn percentile(&self) -> (f32, f32) {
        let total: u64 = self.counts.iter().sum();
        let cut = (total as f64 * TAIL).floor() as u64;
        let low = self.first_beyond(cut, 0..BINS).map_or(self.min, |b| self.centre(b) as f32);
        let high = self.first_beyond(cut, (0..BINS).rev()).map_or(self.max, |b| self.centre(b) as f32);
        if cut == 0 { (self.min, self.max) } else { (low, high) }
    }

    /// The first of `bins` at which more than `cut` values have been passed.
    fn first_beyond(&self, cut: u64, mut bins: impl Iterator<Item = usize>) -> Option<usize> {
        let mut seen = 0;
        bins.find(|&b| {
            seen += self.counts[b];
            seen > cut
        })
    }

    /// Mean squared error of 8-bit codes over `[low, high]`, zero included.
    fn squared_error(&self, low: f64, high: f64) -> f64 {
        let (low, high) = (low.min(0.0), high.max(0.0));
        let step = (high - low) / 255.0;
        if step <= 0.0 {
            return f64::INFINITY;
        }
        let error = |v: f64| {
            let code = ((v - low) / step).round().clamp(0.0, 255.0);
            (v - (low + code * step)).powi(2)
        };
        (0..BINS).map(|b| self.counts[b] as f64 * error(self.centre(b))).sum()
    }

    fn range(&self, calibration: Calibration) -> (f32, f32) {
        match calibration {
            Calibration::MinMax => (self.min, self.max),
            Calibration::Percentile => self.percentile(),
            Calibration::Mse => self.least_squared_error(),
        }
    }

    fn least_squared_error(&self) -> (f32, f32) {
        let (mut best, mut least) = ((self.min, self.max), f64::INFINITY);
        // From the full range down, so that a tie keeps the wider one.
        for percent in (20..=100).rev() {
            let part = f64::from(percent) / 100.0;
            let (low, high) = (f64::from(self.min) * part, f64::from(self.max) * part);
            let error = self.squared_error(low, high);
            if error < least {
                (best, least) = ((low as f32, high as f32), error);
            }
        }
        best
    }
}

/// The range of every activation of `graph` over `samples`, indexed by tensor.
///
/// # Errors
/// [`GraphError`] when a sample does not fit, when there is none, and when an activation is not finite.
pub fn ranges(
    graph: &Graph,
    samples: &[&[f32]],
    calibration: Calibration,
) -> Result<Vec<Option<(f32, f32)>>, GraphError> {
    if samples.is_empty() {
        return Err(GraphError::Eval("calibration needs at least one sample".into()));
    }
    let mut histograms: Vec<Option<Histogram>> = vec![None; graph.tensors.len()];
    visit(graph, samples, |id, values| {
        let h = histograms[id.0].get_or_insert_with(|| Histogram {
            min: f32::INFINITY,
            max: f32::NEG_INFINITY,
            counts: vec![0; BINS],
        });
        for &v in values {
            if !v.is_finite() {
                let name = &graph[id].name;
                return Err(GraphError::Eval(format!("activation `{name}` is {v} during calibration")));
            }
            (h.min, h.max) = (h.min.min(v), h.max.max(v));
        }
        Ok(())
    })?;
    if calibration != Calibration::MinMax {
        visit(graph, samples, |id, values| {
            if let Some(h) = &mut histograms[id.0] {
                values.iter().for_each(|&v| h.add(v));
            }
            Ok(())
        })?;
    }
    Ok(histograms.into_iter().map(|h| h.map(|h| h.range(calibration))).collect())
}

/// The range of `values`, which are finite.
pub(super) fn range_of(values: &[f32], calibration: Calibration) -> (f32, f32) {
    let min = values.iter().copied().fold(f32::INFINITY, f32::min);
    let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut histogram = Histogram { min, max, counts: vec![0; BINS] };
    if calibration != Calibration::MinMax {
        values.iter().for_each(|&value| histogram.add(value));
    }
    histogram.range(calibration)
}

fn visit(
    graph: &Graph,
    samples: &[&[f32]],
    mut f: impl FnMut(TensorId, &[f32]) -> Result<(), GraphError>,
) -> Result<(), GraphError> {
    for sample in samples {
        let values = graph.evaluate(sample)?;
        for id in graph.activations() {
            if let Some(v) = values[id.0].as_ref().and_then(|v| v.f32s()) {
                f(id, v)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: &[f32]) -> Histogram {
        let min = values.iter().copied().fold(f32::INFINITY, f32::min);
        let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut h = Histogram { min, max, counts: vec![0; BINS] };
        values.iter().for_each(|&v| h.add(v));
        h
    }

    #[test]
    fn an_outlier_is_cut_by_percentile_and_weighed_by_squared_error() {
        let mut values: Vec<f32> = (0..100_000).map(|i| (i % 1000) as f32 / 1000.0).collect();
        values.push(2.0);
        let h = histogram(&values);
        assert!(h.percentile().1 < 1.01, "{:?}", h.percentile());
        // Rounding costs n * (r / 255)^2 / 12, the clipped outlier (2 - r)^2: the sum is least at 2 / (1 + n / 780300).
        let optimum = 2.0 / (1.0 + 100_000.0 / (12.0 * 255.0 * 255.0));
        let (_, high) = h.least_squared_error();
        assert!((high - optimum).abs() <= 0.02, "within one of the tried fractions: {high} {optimum}");
    }

    #[test]
    fn a_uniform_activation_keeps_its_range() {
        let values: Vec<f32> = (0..10_000).map(|i| i as f32 / 10_000.0).collect();
        let (low, high) = histogram(&values).least_squared_error();
        assert!(low <= 0.0 && high > 0.99, "{low} {high}");
    }
}
