//! Randomised pivoting: every sweep tries a few breakpoints of open groups, which leaves a few of them open.

use super::sorting::heapsort;
use super::{Bracket, Ramp, Ramps};
use crate::real::Real;

/// Trials a sweep.
///
/// With one trial a sweep halves the number of open groups and a group takes up to 8 visits; with three it quarters it. The
/// time of a visit is mostly reading the group and comparing its ends.
const TRIALS: usize = 3;

/// Breakpoints that are drawn; the 2nd, 4th and 6th of them in order, near the quartiles, are the trials.
const DRAWN: usize = 7;

/// The largest number of draws: a group drawn may have no breakpoint inside the interval any more.
const DRAWS: usize = 32;

/// Keeps the sum of slopes finite when each is finite.
const SHRINK: f64 = 1.0 / (1_u64 << 60) as f64;

/// What groups without a breakpoint inside the interval use there: a linear function of `η`.
#[derive(Default)]
struct Closed {
    /// Used by those that are at 1.
    full: f64,
    /// Times [`SHRINK`].
    slope: f64,
    offset: f64,
}

impl Closed {
    fn used(&self, eta: f64) -> f64 {
        self.full + (self.slope * (eta / SHRINK) - self.offset)
    }
}

/// Two points around the solution without a breakpoint between them.
pub(super) fn bracket<T: Real, I: Iterator<Item = Ramp<T>>>(
    ramps: &Ramps<impl Fn() -> I>,
    memory: &mut [Ramp<T>],
    seed: u64,
) -> Bracket<T> {
    let (mut lo, mut hi) = ramps.ends();
    let mut open = 0;
    for (slot, ramp) in memory.iter_mut().zip((ramps.each)()) {
        *slot = ramp;
        open += 1;
    }
    let (mut closed, mut random, mut visits) = (Closed::default(), Random(seed), 0);
    loop {
        let groups = memory.get_mut(..open).unwrap_or_default();
        let Some(trials) = pivots(groups, lo, hi, &mut random) else { break };
        visits += open;
        let used;
        (open, used) = sweep(groups, &mut closed, (lo, hi), &trials);
        if open == 0 {
            break;
        }
        for (trial, used) in trials.into_iter().zip(used) {
            if closed.used(trial.to_f64()) + used >= ramps.budget {
                hi = trial;
                break;
            }
            lo = trial;
        }
    }
    Bracket { lo, hi, visits }
}

/// Closes groups without a breakpoint inside `(lo, hi)` and moves the others to the front of the list; returns their number
/// and what they use at the trials.
fn sweep<T: Real>(
    groups: &mut [Ramp<T>],
    closed: &mut Closed,
    (lo, hi): (T, T),
    trials: &[T; TRIALS],
) -> (usize, [f64; TRIALS]) {
    let (mut open, mut used) = (0, [0.0; TRIALS]);
    for place in 0..groups.len() {
        let Some(ramp) = groups.get(place).copied() else { break };
        let (start, end) = (ramp.start(), ramp.end());
        if end <= lo {
            closed.full += ramp.cost.to_f64();
        } else if start <= lo && end >= hi {
            closed.slope += ramp.cost.to_f64() * (ramp.slope.to_f64() * SHRINK);
            closed.offset += ramp.cost.to_f64() * ramp.offset.to_f64();
        } else if start < hi {
            used.iter_mut().zip(trials).for_each(|(used, trial)| *used += ramp.used(*trial));
            if let Some(slot) = groups.get_mut(open) {
                *slot = ramp;
            }
            open += 1;
        }
    }
    (open, used)
}

/// Trials inside `(lo, hi)` in ascending order: breakpoints, or the middle where no draw finds one; `None` when there is no
/// number between the ends.
fn pivots<T: Real>(groups: &[Ramp<T>], lo: T, hi: T, random: &mut Random) -> Option<[T; TRIALS]> {
    let mut drawn = [T::between(lo, hi)?; DRAWN];
    let inside = |point: T| (point > lo && point < hi).then_some(point);
    let points = (0..DRAWS).filter_map(|_| {
        let ramp = groups.get(random.below(groups.len())?)?;
        match (inside(ramp.start()), inside(ramp.end())) {
            (Some(start), Some(end)) => Some(if random.next() & 1 == 0 { start } else { end }),
            (start, end) => start.or(end),
        }
    });
    let mut count = 0;
    for (slot, point) in drawn.iter_mut().zip(points) {
        *slot = point;
        count += 1;
    }
    let drawn = drawn.get_mut(..count.max(1))?;
    heapsort(drawn);
    let mut trials = [*drawn.first()?; TRIALS];
    for (i, trial) in trials.iter_mut().enumerate() {
        *trial = *drawn.get((2 * i + 1) * drawn.len() / (2 * TRIALS))?;
    }
    Some(trials)
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 32) as u32
    }

    /// Below `bound`, as good as uniform; none for 0.
    fn below(&mut self, bound: usize) -> Option<usize> {
        (self.next() as usize).checked_rem(bound)
    }
}
