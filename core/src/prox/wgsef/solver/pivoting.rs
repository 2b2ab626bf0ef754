//! Randomised pivoting: every trial `η` is a breakpoint of an open group, and closes about half of them.

use super::{Bracket, Ramp, Ramps};
use crate::real::Real;

/// The sum of groups that are linear between the ends of the search, as a function of `η`.
#[derive(Default)]
struct Closed {
    /// Used by those that are at 1.
    full: f64,
    slope: f64,
    offset: f64,
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
        // Few open groups are left in a long list just before it is swept: halving the interval serves as well then.
        let Some(trial) = pivot(groups, lo, hi, &mut random).or_else(|| T::between(lo, hi)) else { break };
        visits += open;
        let used;
        (open, used) = sweep(groups, &mut closed, (lo, hi), trial);
        if open == 0 {
            break;
        }
        let linear = closed.full + (closed.slope * trial.to_f64() - closed.offset);
        if linear + used >= ramps.budget { hi = trial } else { lo = trial }
    }
    Bracket { lo, hi, visits }
}

/// Closes groups without a breakpoint inside `(lo, hi)`; gives the number of those that stay open, which are the first
/// ones of the list then, and what they use at `trial`.
fn sweep<T: Real>(groups: &mut [Ramp<T>], closed: &mut Closed, (lo, hi): (T, T), trial: T) -> (usize, f64) {
    let (mut open, mut used) = (0, 0.0);
    for place in 0..groups.len() {
        let Some(ramp) = groups.get(place).copied() else { break };
        let (start, end) = (ramp.start(), ramp.end());
        if end <= lo {
            closed.full += ramp.cost.to_f64();
        } else if start <= lo && end >= hi {
            closed.slope += ramp.cost.to_f64() * ramp.slope.to_f64();
            closed.offset += ramp.cost.to_f64() * ramp.offset.to_f64();
        } else if start < hi {
            used += ramp.used(trial);
            if let Some(slot) = groups.get_mut(open) {
                *slot = ramp;
            }
            open += 1;
        }
    }
    (open, used)
}

/// The median of three breakpoints inside `(lo, hi)`, of fewer when few draws find one.
fn pivot<T: Real>(groups: &[Ramp<T>], lo: T, hi: T, random: &mut Random) -> Option<T> {
    const DRAWS: usize = 16;
    let inside = |point: T| (point > lo && point < hi).then_some(point);
    let mut draws = (0..DRAWS).filter_map(|_| {
        let ramp = groups.get(random.below(groups.len())?)?;
        match (inside(ramp.start()), inside(ramp.end())) {
            (Some(start), Some(end)) => Some(if random.next() & 1 == 0 { start } else { end }),
            (start, end) => start.or(end),
        }
    });
    let a = draws.next()?;
    let (Some(b), Some(c)) = (draws.next(), draws.next()) else { return Some(a) };
    Some(a.min(b).max(a.max(b).min(c)))
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
