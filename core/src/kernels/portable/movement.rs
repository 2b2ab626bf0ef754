//! Elements from one place to another: neighbours that stay neighbours move as one run.

use crate::error::ShapeError;
use crate::kernels::{AXES, StridedCopy};
use crate::shape::expect_len;

/// One axis of a copy, steps in bytes.
#[derive(Clone, Copy, Default)]
struct Line {
    size: usize,
    from: isize,
    to: isize,
}

/// A copy in bytes with as few axes as its runs allow.
struct Plan {
    run_bytes: usize,
    /// Outermost first; size 1 where there is nothing left to walk.
    lines: [Line; AXES],
}

impl Plan {
    fn new(op: &StridedCopy) -> Self {
        let bytes = op.element_bytes() as isize;
        let mut plan = Self { run_bytes: op.element_bytes(), lines: [Line { size: 1, from: 0, to: 0 }; AXES] };
        let mut free = plan.lines.iter_mut().rev();
        let mut merging = true;
        // Each is reversed by itself: a reversed `zip` has a panic path.
        let (sizes, [from, to]) = (op.sizes(), [op.from(), op.to()].map(|walk| walk.steps.into_iter().rev()));
        for ((size, from), to) in sizes.into_iter().rev().zip(from).zip(to) {
            let (from, to) = (from.wrapping_mul(bytes), to.wrapping_mul(bytes));
            if size == 1 {
                continue;
            }
            merging &= from == to && from == plan.run_bytes as isize;
            if merging {
                plan.run_bytes = plan.run_bytes.saturating_mul(size);
            } else if let Some(line) = free.next() {
                *line = Line { size, from, to };
            }
        }
        plan
    }
}

/// Copies `count` runs of `N` bytes.
#[inline(always)]
fn copy_line<const N: usize>(line: Line, mut from: usize, mut to: usize, x: &[u8], y: &mut [u8]) {
    for _ in 0..line.size {
        let run = x.get(from..).and_then(|x| x.first_chunk::<N>());
        let place = y.get_mut(to..).and_then(|y| y.first_chunk_mut::<N>());
        if let (Some(run), Some(place)) = (run, place) {
            *place = *run;
        }
        from = from.wrapping_add_signed(line.from);
        to = to.wrapping_add_signed(line.to);
    }
}

fn copy_runs(line: Line, run_bytes: usize, mut from: usize, mut to: usize, x: &[u8], y: &mut [u8]) {
    for _ in 0..line.size {
        let run = x.get(from..from.wrapping_add(run_bytes));
        let place = y.get_mut(to..to.wrapping_add(run_bytes));
        if let (Some(run), Some(place)) = (run, place) {
            // Both have `run_bytes`; `zip` says so without a length check that could fail.
            place.iter_mut().zip(run).for_each(|(y, &x)| *y = x);
        }
        from = from.wrapping_add_signed(line.from);
        to = to.wrapping_add_signed(line.to);
    }
}

/// [`BackEnd::strided_copy`](crate::kernels::BackEnd::strided_copy)
pub(crate) fn strided_copy(op: &StridedCopy, x: &[u8], y: &mut [u8]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    let Plan { run_bytes, lines: [a, b, c, line] } = Plan::new(op);
    let start = [op.from().start, op.to().start].map(|at| at * op.element_bytes());
    let step =
        |[from, to]: [usize; 2], line: Line| [from.wrapping_add_signed(line.from), to.wrapping_add_signed(line.to)];
    let mut at_a = start;
    for _ in 0..a.size {
        let mut at_b = at_a;
        for _ in 0..b.size {
            let mut at = at_b;
            for _ in 0..c.size {
                let [from, to] = at;
                match run_bytes {
                    1 => copy_line::<1>(line, from, to, x, y),
                    2 => copy_line::<2>(line, from, to, x, y),
                    4 => copy_line::<4>(line, from, to, x, y),
                    _ => copy_runs(line, run_bytes, from, to, x, y),
                }
                at = step(at, c);
            }
            at_b = step(at_b, b);
        }
        at_a = step(at_a, a);
    }
    Ok(())
}

/// [`BackEnd::pad`](crate::kernels::BackEnd::pad)
pub(crate) fn pad(op: &StridedCopy, border: &[u8], x: &[u8], y: &mut [u8]) -> Result<(), ShapeError> {
    op.check(x.len(), y.len())?;
    expect_len("border", op.element_bytes(), border.len())?;
    match border {
        &[byte] => y.fill(byte),
        _ => y.chunks_exact_mut(border.len().max(1)).for_each(|y| {
            y.iter_mut().zip(border).for_each(|(y, &byte)| *y = byte);
        }),
    }
    strided_copy(op, x, y)
}
