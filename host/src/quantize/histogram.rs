//! Counts of values, and the ranges that are cut from them: by percentile, by squared error, by divergence.

/// Bins of a histogram (specs/integer_arithmetic.md §8).
const BINS: usize = 2048;
/// Share of values that percentile calibration cuts from each end.
const TAIL: f64 = 0.5e-4;
/// What a level without any probability counts as in a divergence (specs/integer_arithmetic.md §8).
const SMOOTHING: f64 = 1e-4;

/// Counts of values between the smallest and the largest.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    min: f32,
    max: f32,
    counts: Vec<u64>,
}

impl Histogram {
    pub(super) fn new(min: f32, max: f32) -> Self {
        Self { min, max, counts: vec![0; BINS] }
    }

    /// Of few values: so many bins that they hold eight values each on average, but four for each level at least.
    pub(super) fn of_few(min: f32, max: f32, values: usize, levels: usize) -> Self {
        let bins = (values / 8).clamp((4 * levels).min(BINS), BINS);
        Self { min, max, counts: vec![0; bins] }
    }

    fn bins(&self) -> usize {
        self.counts.len()
    }

    fn centre(&self, bin: usize) -> f64 {
        let width = f64::from(self.max - self.min) / self.bins() as f64;
        f64::from(self.min) + (bin as f64 + 0.5) * width
    }

    pub(super) fn add(&mut self, value: f32) {
        let width = (self.max - self.min) / self.bins() as f32;
        let bin = if width > 0.0 { ((value - self.min) / width) as usize } else { 0 };
        let last = self.bins() - 1;
        self.counts[bin.min(last)] += 1;
    }

    /// The range without the 0.005 % of values at either end.
    pub(super) fn percentile(&self) -> (f32, f32) {
        let total: u64 = self.counts.iter().sum();
        let cut = (total as f64 * TAIL).floor() as u64;
        let low = self.first_beyond(cut, 0..self.bins()).map_or(self.min, |b| self.centre(b) as f32);
        let high = self.first_beyond(cut, (0..self.bins()).rev()).map_or(self.max, |b| self.centre(b) as f32);
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
        (0..self.bins()).map(|b| self.counts[b] as f64 * error(self.centre(b))).sum()
    }

    /// The fraction of the full range, from 0.20 to 1.00, with the smallest squared error.
    pub(super) fn least_squared_error(&self) -> (f32, f32) {
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

    /// Of a histogram of magnitudes: the largest one that is worth a code, where `levels` codes have a magnitude.
    ///
    /// For every clip of at least `levels` bins, `P` is the histogram below it with everything above in its last bin,
    /// and `Q` what is left of the histogram when runs of bins share a level, each level spread evenly over its bins
    /// that are not empty. The clip with the smallest `KL(P ‖ Q) = Σ P ln(P / Q)` wins (Migacz 2017), the wider
    /// of two that tie.
    pub(super) fn least_divergence(&self, levels: usize) -> f32 {
        let width = f64::from(self.max - self.min) / self.bins() as f64;
        let (mut best, mut least) = (self.max, f64::INFINITY);
        for bins in (levels.min(self.bins())..=self.bins()).rev() {
            let divergence = self.divergence(bins, levels);
            if divergence < least {
                best = if bins == self.bins() { self.max } else { ((bins as f64 + 0.5) * width) as f32 };
                least = divergence;
            }
        }
        best
    }

    fn divergence(&self, bins: usize, levels: usize) -> f64 {
        let inside = &self.counts[..bins];
        let mut p: Vec<f64> = inside.iter().map(|&n| n as f64).collect();
        p[bins - 1] += self.counts[bins..].iter().sum::<u64>() as f64;
        let mut q = vec![0.0; bins];
        for level in 0..levels {
            let run = level * bins / levels..(level + 1) * bins / levels;
            let filled = inside[run.clone()].iter().filter(|&&n| n > 0).count();
            let share = inside[run.clone()].iter().sum::<u64>() as f64 / filled.max(1) as f64;
            for bin in run.filter(|&bin| inside[bin] > 0) {
                q[bin] = share;
            }
        }
        smooth(&mut p);
        smooth(&mut q);
        p.iter().zip(&q).map(|(p, q)| p * (p / q).ln()).sum()
    }
}

/// Makes counts a distribution without zeros: what the empty bins are given is taken from the others alike.
fn smooth(counts: &mut [f64]) {
    let total: f64 = counts.iter().sum();
    let empty = counts.iter().filter(|&&n| n == 0.0).count();
    let filled = counts.len() - empty;
    if filled == 0 {
        counts.fill(1.0 / counts.len() as f64);
        return;
    }
    let mass = 1.0 + SMOOTHING * empty as f64;
    for n in counts {
        *n = if *n == 0.0 { SMOOTHING } else { *n / total } / mass;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: &[f32]) -> Histogram {
        let min = values.iter().copied().fold(f32::INFINITY, f32::min);
        let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut h = Histogram::new(min, max);
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

    #[test]
    fn divergence_cuts_a_far_outlier_and_keeps_what_is_even() {
        let mut values: Vec<f32> = (0..100_000).map(|i| ((i % 1000) as f32 + 0.5) / 1000.0).collect();
        let mut even = Histogram::new(0.0, 1.0);
        values.iter().for_each(|&v| even.add(v));
        assert!(even.least_divergence(256) > 0.95, "{}", even.least_divergence(256));
        values.push(16.0);
        let mut far = Histogram::new(0.0, 16.0);
        values.iter().for_each(|&v| far.add(v));
        let clip = far.least_divergence(128);
        assert!((0.9..1.2).contains(&clip), "the even part, not the outlier: {clip}");
    }

    #[test]
    fn the_divergence_of_as_many_levels_as_bins_is_that_of_the_clipped_part_alone() {
        let mut h = Histogram::new(0.0, 1.0);
        (0..BINS).for_each(|b| h.add((b as f32 + 0.5) / BINS as f32));
        assert_eq!(h.divergence(BINS, BINS), 0.0, "nothing is clipped, nothing is merged");
        // Half of all values in one bin of 1024: P = (1 - 1/2 - 1/2048) even, 1/2 + 1/2048 in the last; Q even.
        let (even, last) = (1.0 / 2048.0_f64, 1025.0 / 2048.0_f64);
        let want = 1023.0 * even * (even * 1024.0).ln() + last * (last * 1024.0).ln();
        assert!((h.divergence(1024, 1024) - want).abs() < 1e-12, "{} {want}", h.divergence(1024, 1024));
    }
}
