//! Times of code, in ticks of the board's clock.

use crate::{board, machine};
use niwaki_core::session::Session;

/// `Session::run`, never inlined, so that measured windows and stack frames stay apart from it.
#[inline(never)]
pub fn run(session: &mut Session<'_, '_>) {
    session.run();
}

/// Ticks of one [`run`] between `bench_begin` and `bench_end`.
#[inline(never)]
pub fn timed_run(session: &mut Session<'_, '_>) -> u64 {
    timed(|| run(session))
}

/// Ticks of `body`, [`overhead`] included.
#[inline(always)]
pub fn timed(body: impl FnOnce()) -> u64 {
    let begin_100hz = machine::counter_100hz();
    let begin = machine::bench_begin();
    body();
    let end = machine::bench_end();
    let elapsed_100hz = machine::counter_100hz().wrapping_sub(begin_100hz);
    unwrapped(end.wrapping_sub(begin), elapsed_100hz)
}

/// Ticks that [`timed`] counts for an empty body.
#[inline(never)]
pub fn overhead() -> u32 {
    timed(|| ()) as u32
}

/// Ticks between two operators that do nothing. `stamps` are overwritten.
#[inline(never)]
pub fn operator_overhead(stamps: &mut [u32]) -> u32 {
    machine::stamp(stamps, 0);
    machine::stamp(stamps, 1);
    match stamps {
        [first, second, ..] => second.wrapping_sub(*first),
        _ => 0,
    }
}

/// Runs with a stamp before the first and after each operator and leaves `stamps[i]` = ticks of operator `i`.
#[inline(never)]
pub fn operators(session: &mut Session<'_, '_>, stamps: &mut [u32]) {
    machine::stamp(stamps, 0);
    session.run_observed(|operator_idx| machine::stamp(stamps, operator_idx + 1));
    for idx in 1..stamps.len() {
        if let Some([before, after]) = stamps.get_mut(idx - 1..).and_then(<[u32]>::first_chunk_mut) {
            *before = after.wrapping_sub(*before);
        }
    }
}

/// The interval of which 32 bits are `ticks` and that has about `elapsed_100hz` hundredths of a second.
fn unwrapped(ticks: u32, elapsed_100hz: u32) -> u64 {
    let about = u64::from(elapsed_100hz) * u64::from(board::TICK_HZ / 100);
    let wraps = (about + (1 << 31)).saturating_sub(u64::from(ticks)) >> 32;
    (wraps << 32) + u64::from(ticks)
}
