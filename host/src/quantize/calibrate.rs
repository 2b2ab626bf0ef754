//! What the codes of an activation, or of a filter, must reach: five ways to choose it.

use super::QuantizeError;
use super::histogram::Histogram;
use crate::graph::{Graph, TensorId};
use std::cmp::Ordering;

/// How the range of an activation is chosen from its values, or the largest weight from a filter's
/// (specs/integer_arithmetic.md §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Calibration {
    /// Smallest and largest value.
    MinMax,
    /// The moving average of the smallest and of the largest value of 16 samples, `r = 0.9 r + 0.1 new`.
    #[serde(rename = "moving-average")]
    MovingAverage,
    /// The range without the 0.005 % of values at either end; of magnitudes, without the largest 0.01 %.
    Percentile,
    /// The range with the smallest expected squared error among 81 fractions of the full one.
    Mse,
    /// The range with the smallest Kullback-Leibler divergence between values and codes, by magnitudes (Migacz 2017).
    /// Exact zeros are not counted: every range has a code for them.
    Kl,
}

impl Calibration {
    /// Every one, with its name in recipes.
    pub const ALL: [(&'static str, Self); 5] = [
        ("minmax", Self::MinMax),
        ("moving-average", Self::MovingAverage),
        ("percentile", Self::Percentile),
        ("mse", Self::Mse),
        ("kl", Self::Kl),
    ];

    /// Whether it looks at how often values occur, not only at their extremes.
    fn counts(self) -> bool {
        matches!(self, Self::Percentile | Self::Mse | Self::Kl)
    }

    /// Its name in recipes.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, c)| *c == self).map_or("", |(name, _)| name)
    }
}

/// Samples whose extremes are averaged as one.
const AVERAGED_SAMPLES: usize = 16;
/// Weight of what a moving average held before.
const DECAY: f32 = 0.9;
/// Share of magnitudes that percentile calibration keeps.
const KEPT: f64 = 0.9999;

/// What was seen of one activation.
#[derive(Debug, Clone)]
struct Seen {
    min: f32,
    max: f32,
    /// Extremes of the samples that are averaged next.
    next: (f32, f32),
    average: Option<(f32, f32)>,
    histogram: Option<Histogram>,
}

impl Seen {
    fn new() -> Self {
        let none = (f32::INFINITY, f32::NEG_INFINITY);
        Self { min: none.0, max: none.1, next: none, average: None, histogram: None }
    }

    fn see(&mut self, v: f32) {
        (self.min, self.max) = (self.min.min(v), self.max.max(v));
        self.next = (self.next.0.min(v), self.next.1.max(v));
    }

    /// Ends a group of samples that are averaged as one.
    fn average(&mut self) {
        let (low, high) = self.next;
        if low > high {
            return;
        }
        let moved = |old: f32, new: f32| DECAY * old + (1.0 - DECAY) * new;
        let first = self.average.unwrap_or(self.next);
        self.average = Some((moved(first.0, low), moved(first.1, high)));
        self.next = (f32::INFINITY, f32::NEG_INFINITY);
    }

    /// Makes room for counts, where `calibration` needs them.
    fn start_counting(&mut self, calibration: Calibration) {
        self.histogram = match calibration {
            Calibration::Kl => Some(Histogram::new(0.0, self.peak())),
            _ if calibration.counts() => Some(Histogram::new(self.min, self.max)),
            _ => None,
        };
    }

    fn count(&mut self, values: &[f32], calibration: Calibration) {
        let Some(histogram) = &mut self.histogram else { return };
        match calibration {
            Calibration::Kl => values.iter().filter(|&&v| v != 0.0).for_each(|&v| histogram.add(v.abs())),
            _ => values.iter().for_each(|&v| histogram.add(v)),
        }
    }

    fn peak(&self) -> f32 {
        self.max.abs().max(self.min.abs())
    }

    fn range(&self, calibration: Calibration) -> (f32, f32) {
        let full = (self.min, self.max);
        let of = |cut: &dyn Fn(&Histogram) -> (f32, f32)| self.histogram.as_ref().map_or(full, cut);
        match calibration {
            Calibration::MinMax => full,
            Calibration::MovingAverage => self.average.unwrap_or(full),
            Calibration::Percentile => of(&Histogram::percentile),
            Calibration::Mse => of(&Histogram::least_squared_error),
            Calibration::Kl => of(&|magnitudes| {
                // Of 255 steps, those on the larger side of zero have a magnitude of their own.
                let levels = if self.min < 0.0 { 128 } else { 256 };
                let clip = magnitudes.least_divergence(levels);
                (self.min.max(-clip), self.max.min(clip))
            }),
        }
    }
}

/// The range of every float activation of `graph` over `samples`, indexed by tensor.
///
/// # Errors
/// [`QuantizeError`] when a sample does not fit, when there is none, and when an activation is not finite.
pub fn ranges(
    graph: &Graph,
    samples: &[&[f32]],
    calibration: Calibration,
) -> Result<Vec<Option<(f32, f32)>>, QuantizeError> {
    if samples.is_empty() {
        return Err(QuantizeError::NoSamples { what: "calibration" });
    }
    let mut seen: Vec<Option<Seen>> = vec![None; graph.tensors.len()];
    for samples in samples.chunks(AVERAGED_SAMPLES) {
        visit(graph, samples, |id, values| {
            let seen = seen[id.0].get_or_insert_with(Seen::new);
            for &v in values {
                if !v.is_finite() {
                    return Err(QuantizeError::Activation { tensor: graph[id].name.clone(), value: v });
                }
                seen.see(v);
            }
            Ok(())
        })?;
        seen.iter_mut().flatten().for_each(Seen::average);
    }
    if calibration.counts() {
        seen.iter_mut().flatten().for_each(|s| s.start_counting(calibration));
        visit(graph, samples, |id, values| {
            if let Some(seen) = &mut seen[id.0] {
                seen.count(values, calibration);
            }
            Ok(())
        })?;
    }
    Ok(seen.into_iter().map(|s| s.map(|s| s.range(calibration))).collect())
}

/// The range of `values`, which are finite.
pub(super) fn range_of(values: &[f32], calibration: Calibration) -> (f32, f32) {
    let mut seen = Seen::new();
    values.iter().for_each(|&v| seen.see(v));
    seen.average();
    seen.start_counting(calibration);
    seen.count(values, calibration);
    seen.range(calibration)
}

fn visit(
    graph: &Graph,
    samples: &[&[f32]],
    mut f: impl FnMut(TensorId, &[f32]) -> Result<(), QuantizeError>,
) -> Result<(), QuantizeError> {
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

/// For every group of weights that share a scale: the largest weight that a code of `-codes..=codes` stands for, as a
/// share of the largest there is.
///
/// For weights a moving average has nothing to move over and means [`Calibration::MinMax`]. A filter has too few weights
/// for a distribution, so the divergence is that of the whole layer, each group measured in its largest weight.
pub(super) fn weight_shares(groups: &[Vec<f32>], calibration: Calibration, codes: i32) -> Vec<f32> {
    if calibration != Calibration::Kl {
        return groups.iter().map(|weights| weight_share(weights, calibration, codes)).collect();
    }
    let levels = codes as usize + 1;
    let relative = groups.iter().flat_map(|weights| {
        let peak = weights.iter().fold(0.0_f32, |peak, w| peak.max(w.abs()));
        weights.iter().filter(|&&w| w != 0.0).map(move |w| w.abs() / peak)
    });
    let relative: Vec<f32> = relative.collect();
    let mut magnitudes = Histogram::of_few(0.0, 1.0, relative.len(), levels);
    relative.iter().for_each(|&w| magnitudes.add(w));
    let share = if relative.is_empty() { 1.0 } else { magnitudes.least_divergence(levels) };
    vec![share; groups.len()]
}

/// [`weight_shares`] of one group by anything but divergence.
fn weight_share(weights: &[f32], calibration: Calibration, codes: i32) -> f32 {
    let peak = weights.iter().fold(0.0_f32, |peak, w| peak.max(w.abs()));
    if peak == 0.0 {
        return 1.0;
    }
    match calibration {
        Calibration::MinMax | Calibration::MovingAverage | Calibration::Kl => 1.0,
        Calibration::Percentile => {
            let mut magnitudes: Vec<f32> = weights.iter().map(|w| w.abs()).collect();
            magnitudes.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
            let rank = (magnitudes.len() as f64 * KEPT).ceil() as usize;
            let clip = magnitudes[rank.clamp(1, magnitudes.len()) - 1];
            if clip > 0.0 { clip / peak } else { 1.0 }
        }
        Calibration::Mse => {
            let (mut best, mut least) = (1.0, f64::INFINITY);
            // From the full range down, so that a tie keeps the wider one.
            for percent in (20..=100).rev() {
                let share = percent as f32 / 100.0;
                let (step, codes) = (share * peak / codes as f32, codes as f32);
                let error = |&w: &f32| f64::from(w - (w / step).round().clamp(-codes, codes) * step).powi(2);
                let error: f64 = weights.iter().map(error).sum();
                if error < least {
                    (best, least) = (share, error);
                }
            }
            best
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_recipes_write() {
        for (name, calibration) in Calibration::ALL {
            assert_eq!(serde_json::to_string(&calibration).ok(), Some(format!("\"{name}\"")));
            assert_eq!(calibration.name(), name);
        }
    }

    #[test]
    fn a_moving_average_starts_at_the_first_extremes_and_follows_slowly() {
        let mut graph = Graph::default();
        let x = graph.input("x", &[1]);
        graph.outputs.push(x);
        let samples: Vec<[f32; 1]> = (0..48).map(|i| [if i == 40 { 11.0 } else { 1.0 }]).collect();
        let samples: Vec<&[f32]> = samples.iter().map(|s| &s[..]).collect();
        let range = |calibration| ranges(&graph, &samples, calibration).expect("runs")[0].expect("seen");
        assert_eq!(range(Calibration::MinMax), (1.0, 11.0));
        let last = DECAY + (1.0 - DECAY) * 11.0;
        assert_eq!(
            range(Calibration::MovingAverage),
            (1.0, last),
            "the last of three groups, with a tenth of its weight"
        );
    }

    #[test]
    fn four_bits_clip_a_lonely_weight_by_squared_error_and_by_divergence() {
        let mut weights: Vec<f32> = (0..2000).map(|i| (i % 101) as f32 / 50.0 - 1.0).collect();
        weights.push(4.0);
        let groups = [weights, vec![0.0; 4]];
        let shares = |calibration| weight_shares(&groups, calibration, 7);
        assert_eq!(shares(Calibration::MinMax), [1.0, 1.0]);
        for calibration in [Calibration::Mse, Calibration::Kl] {
            let share = shares(calibration)[0];
            assert!((0.2..0.6).contains(&share), "{calibration:?}: {share}");
        }
        assert_eq!(shares(Calibration::Mse)[1], 1.0, "nothing to clip");
    }

    #[test]
    fn a_small_filter_is_not_clipped_to_where_its_few_weights_happen_to_lie() {
        // Eight filters of a hundred weights that are spread evenly: all of them are worth their codes.
        let filter = |f: usize| (0..100).map(|i| ((i * 37 + f) % 100) as f32 / 50.0 - 0.99).collect();
        let groups: Vec<Vec<f32>> = (0..8).map(filter).collect();
        let shares = weight_shares(&groups, Calibration::Kl, 7);
        assert!(shares.iter().all(|&share| share > 0.9), "{shares:?}");
    }
}
