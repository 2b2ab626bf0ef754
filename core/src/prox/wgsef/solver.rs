//! Three ways to find the `η` at which the groups use up the budget, and how the factors follow from it.

use crate::error::ProxError;
use crate::real::Real;

mod pivoting;
mod sorting;

/// How to find `η`. All solvers end with the same exact solve, so their factors differ at most by rounding.
///
/// The memory is the caller's. Its content before does not matter; its content afterwards has no meaning.
#[derive(Debug)]
pub enum Solver<'s, T> {
    /// Bisection over bit patterns: no memory, at most as many passes as the type has bits.
    Bisection,
    /// Sorts the breakpoints of all groups in place (heapsort) and bisects over their ranks: `O(m log m)`.
    Sorting {
        /// At least [`points_len`] elements.
        points: &'s mut [T],
    },
    /// Randomised pivoting over the breakpoints of groups that are not decided yet: expected `O(m)`
    /// (specs/sparse_and_graph.md §2.5 b).
    Pivoting {
        /// At least [`ramps_len`] elements.
        ramps: &'s mut [Ramp<T>],
        /// Seed of the choice of pivots: decides how long it takes, not the result.
        seed: u64,
    },
}

/// Elements that [`Solver::Sorting`] needs for so many groups.
pub const fn points_len(groups: usize) -> usize {
    groups.saturating_mul(2)
}

/// Elements that [`Solver::Pivoting`] needs for so many groups.
pub const fn ramps_len(groups: usize) -> usize {
    groups
}

/// What a search for `η` found, and how many visits it took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Search {
    /// The solution; 0 for a budget of 0, infinite when all groups fit into the budget.
    pub eta: f64,
    /// Visits to groups that are not zero: all passes of the search and the exact solve, without the two passes
    /// (coefficients, factors) that every prox needs and without sorting.
    pub visits: usize,
}

/// One group's `u` as a function of `η`: 0 up to `offset / slope`, then rising to 1 at `(1 + offset) / slope`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ramp<T> {
    /// `c_j = √(d_j / w_j) ||t_j||`
    pub(super) slope: T,
    /// `λ d_j`
    pub(super) offset: T,
    /// `w_j`
    pub(super) cost: T,
}

impl<T: Real> Ramp<T> {
    /// What the group takes from the budget at `eta`.
    #[inline]
    fn used(&self, eta: T) -> f64 {
        self.cost.to_f64() * unit(eta * self.slope - self.offset).to_f64()
    }

    /// Where it leaves 0.
    #[inline]
    fn start(&self) -> T {
        self.offset / self.slope
    }

    /// Where it reaches 1.
    #[inline]
    fn end(&self) -> T {
        (T::ONE + self.offset) / self.slope
    }
}

/// The equation `Σ w_j u_j(η) = K` over groups that are not zero and together cost more than `K > 0`.
pub(super) struct Ramps<F> {
    /// A new pass over the groups.
    pub(super) each: F,
    /// `K`
    pub(super) budget: f64,
}

/// Two points around the solution, and the visits that it took to find them.
struct Bracket<T> {
    lo: T,
    hi: T,
    visits: usize,
}

impl<T: Real, I: Iterator<Item = Ramp<T>>, F: Fn() -> I> Ramps<F> {
    /// Whether the groups use up the budget at `eta`: false, then true as `eta` rises, since rounding keeps the order.
    fn reached(&self, eta: T) -> bool {
        (self.each)().map(|ramp| ramp.used(eta)).sum::<f64>() >= self.budget
    }

    /// The first start, up to which nothing is used, and the last end, from which everything is used.
    fn ends(&self) -> (T, T) {
        (self.each)().fold((T::INFINITY, T::ZERO), |(lo, hi), ramp| (lo.min(ramp.start()), hi.max(ramp.end())))
    }

    fn bisect(&self) -> Bracket<T> {
        let (mut lo, mut hi) = self.ends();
        let groups = (self.each)().count();
        let mut visits = 0;
        while let Some(mid) = T::between(lo, hi) {
            visits += groups;
            if self.reached(mid) { hi = mid } else { lo = mid }
        }
        Bracket { lo, hi, visits }
    }

    /// Solves on the piece that `lo` and `hi` enclose, where the sum is linear.
    fn solve_between(&self, bracket: &Bracket<T>) -> Search {
        let (lo, hi) = (bracket.lo.to_f64(), bracket.hi.to_f64());
        let inside = 0.5 * lo + 0.5 * hi;
        let (mut used, mut rise, mut groups) = (0.0, 0.0, 0);
        for ramp in (self.each)() {
            let (cost, offset) = (ramp.cost.to_f64(), ramp.offset.to_f64());
            // At most 1 + offset where it counts; the sum of the slopes themselves could overflow.
            let reach = inside * ramp.slope.to_f64();
            if reach - offset >= 1.0 {
                used += cost;
            } else if reach - offset > 0.0 {
                used -= cost * offset;
                rise += cost * reach;
            }
            groups += 1;
        }
        // A kink between neighbouring floats can move the solution of the linear piece outside of them; there an expensive
        // group that is counted wrongly would displace cheap ones.
        let slack = 4.0 * (hi - lo);
        let linear = inside * ((self.budget - used) / rise);
        let eta = if linear >= lo - slack && linear <= hi + slack { linear } else { hi };
        Search { eta, visits: bracket.visits + groups }
    }
}

impl<T: Real> Solver<'_, T> {
    pub(super) fn check_memory(&self, groups: usize) -> Result<(), ProxError> {
        let (operand, expected, got) = match self {
            Self::Bisection => return Ok(()),
            Self::Sorting { points } => ("points", points_len(groups), points.len()),
            Self::Pivoting { ramps, .. } => ("ramps", ramps_len(groups), ramps.len()),
        };
        if got >= expected { Ok(()) } else { Err(ProxError::Scratch { operand, expected, got }) }
    }

    pub(super) fn solve<I: Iterator<Item = Ramp<T>>>(self, ramps: &Ramps<impl Fn() -> I>) -> Search {
        let bracket = match self {
            Self::Bisection => ramps.bisect(),
            Self::Sorting { points } => sorting::bracket(ramps, points),
            Self::Pivoting { ramps: open, seed } => pivoting::bracket(ramps, open, seed),
        };
        ramps.solve_between(&bracket)
    }
}

/// The factor `u / (u + λd)` of a group; NaN for one that diverged, 0 for one that is zero.
pub(super) fn factor<T: Real>(eta: f64, slope: T, offset: T) -> T {
    if !slope.is_finite() {
        return T::NAN;
    }
    let offset = offset.to_f64();
    let u = unit(eta * slope.to_f64() - offset);
    if u > 0.0 { T::from_f64(u / (u + offset)) } else { T::ZERO }
}

/// Clips to `[0, 1]`; NaN gives 0.
#[inline]
fn unit<T: Real>(x: T) -> T {
    if x >= T::ONE {
        T::ONE
    } else if x > T::ZERO {
        x
    } else {
        T::ZERO
    }
}
