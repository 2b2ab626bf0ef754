//! The breakpoints of all groups in order, and bisection over their ranks.

use super::{Bracket, Ramp, Ramps};
use crate::real::Real;

/// Neighbouring breakpoints around the solution.
///
/// Sums are computed anew at each of the `log m` ranks: a running sum along the ranks would lose digits by cancellation.
pub(super) fn bracket<T: Real, I: Iterator<Item = Ramp<T>>>(
    ramps: &Ramps<impl Fn() -> I>,
    memory: &mut [T],
) -> Bracket<T> {
    let mut count = 0;
    let points = (ramps.each)().flat_map(|ramp| [ramp.start(), ramp.end()]);
    for (slot, point) in memory.iter_mut().zip(points) {
        *slot = point;
        count += 1;
    }
    let points = memory.get_mut(..count).unwrap_or_default();
    heapsort(points);
    let (mut lo, mut hi, mut visits) = (0, count.saturating_sub(1), 0);
    while hi - lo > 1 {
        let mid = lo + (hi - lo) / 2;
        visits += count / 2;
        if points.get(mid).is_some_and(|point| ramps.reached(*point)) { hi = mid } else { lo = mid }
    }
    let at = |rank: usize| points.get(rank).copied().unwrap_or(T::ZERO);
    Bracket { lo: at(lo), hi: at(hi), visits }
}

/// Sorts in place, ascending, in `O(n log n)` for every order. Written here because Rust's own sorts contain calls to the
/// panic handler.
pub(super) fn heapsort<T: Real>(values: &mut [T]) {
    for root in (0..values.len() / 2).rev() {
        if let Some(value) = values.get(root).copied() {
            sift_down(values, root, value);
        }
    }
    let mut heap = values;
    while let [head, .., last] = heap {
        // The largest value moves to the end, out of the heap; the one that was there is sifted down from the root.
        let value = *last;
        *last = *head;
        let Some((_, shorter)) = heap.split_last_mut() else { return };
        sift_down(shorter, 0, value);
        heap = shorter;
    }
}

/// Puts `value` into its place at or below the hole `root`; everything below is a heap already.
fn sift_down<T: Real>(heap: &mut [T], mut root: usize, value: T) {
    while let Some([left, right]) = children(heap, root) {
        let (child, larger) = if right.1 > left.1 { right } else { left };
        if larger <= value {
            break;
        }
        if let Some(hole) = heap.get_mut(root) {
            *hole = larger;
        }
        root = child;
    }
    if let Some(hole) = heap.get_mut(root) {
        *hole = value;
    }
}

/// The two children of a node with their places; an only child twice.
fn children<T: Real>(heap: &[T], root: usize) -> Option<[(usize, T); 2]> {
    let place = 2 * root + 1;
    let left = (place, *heap.get(place)?);
    Some([left, heap.get(place + 1).map_or(left, |right| (place + 1, *right))])
}

#[cfg(test)]
mod tests {
    use super::heapsort;
    use std::vec::Vec;

    #[test]
    fn heapsort_sorts_every_short_sequence() {
        for len in 0..8_u32 {
            for code in 0..4_u32.pow(len) {
                let mut values: Vec<f32> = (0..len).map(|i| (code >> (2 * i) & 3) as f32).collect();
                let mut want = values.clone();
                want.sort_by(f32::total_cmp);
                heapsort(&mut values);
                assert_eq!(values, want);
            }
        }
    }
}
