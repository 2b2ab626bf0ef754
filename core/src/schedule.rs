//! Schedules: how the learning rate and the weight of a penalty move over the steps of a phase (specs/optimizers.md §3, §4).
//!
//! Every schedule is a function of how much of the phase is done and keeps no state, so a run that goes on after an
//! interruption meets the same rates.
//!
//! ```
//! use niwaki_core::schedule::{Schedule, progress, ramp};
//!
//! let rate = |step| Schedule::Cosine.rate(0.1, progress(step, 100));
//! assert_eq!((rate(50), rate(100)), (0.05, 0.0));
//! assert_eq!([ramp(1, 4), ramp(4, 4), ramp(9, 4)], [0.25, 1.0, 1.0]);
//! ```
//!
//! # Adding a schedule
//! A variant of [`Schedule`], its row in [`Schedule::NAMES`] and its arm in [`Schedule::rate`].

use core::f64::consts::PI;

/// How a learning rate moves from the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// It stays.
    Constant,
    /// Half a cosine from the largest rate to 0 (Loshchilov and Hutter 2017, without restarts).
    Cosine,
}

impl Schedule {
    /// Every schedule.
    pub const ALL: &'static [Self] = &[Self::Constant, Self::Cosine];
    /// Their names, in the same order.
    pub const NAMES: &'static [&'static str] = &["constant", "cosine"];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Cosine => "cosine",
        }
    }

    /// The rate of the step after which `done` of the phase, 0 to 1, is done; `largest` is where the schedule starts.
    ///
    /// # Numerics
    /// In `f64`, by a cosine that has the same bits on every target.
    pub fn rate(self, largest: f64, done: f64) -> f64 {
        match self {
            Self::Constant => largest,
            Self::Cosine => largest * 0.5 * (1.0 + libm::cos(PI * done)),
        }
    }
}

/// The share of a phase of `steps` steps that is done after step number `step`, which counts from 1.
pub fn progress(step: u32, steps: usize) -> f64 {
    f64::from(step) / steps.max(1) as f64
}

/// What a weight that rises evenly over `steps` steps, and then stays, has reached at step number `step`: 0 to 1.
pub fn ramp(step: u32, steps: usize) -> f64 {
    let risen = progress(step, steps);
    if risen < 1.0 { risen } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::{Schedule, progress, ramp};

    #[test]
    fn names_stand_in_the_order_of_the_schedules() {
        assert!(Schedule::ALL.iter().map(|schedule| schedule.name()).eq(Schedule::NAMES.iter().copied()));
    }

    #[test]
    fn a_cosine_falls_from_the_largest_rate_to_zero_and_a_constant_stays() {
        let mut last = Schedule::Cosine.rate(3e-3, 0.0);
        assert_eq!(last, 3e-3);
        for step in 1..=1000 {
            let rate = Schedule::Cosine.rate(3e-3, progress(step, 1000));
            assert!(rate < last && rate >= 0.0, "step {step}");
            assert_eq!(Schedule::Constant.rate(3e-3, progress(step, 1000)), 3e-3);
            last = rate;
        }
        assert_eq!(last, 0.0);
    }

    /// Steps run in `f32`: there the rates are those of the platform's own cosine.
    #[test]
    fn rates_in_single_precision_do_not_depend_on_the_cosine() {
        for steps in [1, 7, 450, 2820, 9400, 46_900] {
            for step in 1..=steps as u32 {
                let done = progress(step, steps);
                let platform = 3e-3 * 0.5 * (1.0 + (core::f64::consts::PI * done).cos());
                assert_eq!(Schedule::Cosine.rate(3e-3, done) as f32, platform as f32, "step {step} of {steps}");
            }
        }
    }

    #[test]
    fn a_ramp_rises_evenly_and_stays_and_no_steps_are_one() {
        assert_eq!([1, 5, 10, 11].map(|step| ramp(step, 10)), [0.1, 0.5, 1.0, 1.0]);
        assert_eq!((ramp(1, 0), progress(1, 0)), (1.0, 1.0));
    }
}
