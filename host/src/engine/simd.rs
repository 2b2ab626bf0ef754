//! Loops compiled once for each instruction set, chosen at run time.

use pulp::Arch;

/// Runs `body` compiled for the CPU at hand. Use through [`vectorize!`].
///
/// The bound makes closures `FnOnce` and nothing else: one that could be called twice would be reached through a shim
/// that the compiler need not inline, and then it is compiled for the oldest CPU.
#[inline(always)]
pub(super) fn dispatch<R>(arch: Arch, body: impl FnOnce() -> R) -> R {
    arch.dispatch(body)
}

/// `vectorize!(arch, expression)`: the expression, and every `#[inline(always)]` function that it calls, compiled for
/// the CPU at hand.
macro_rules! vectorize {
    ($arch:expr, $body:expr) => {
        $crate::engine::simd::dispatch(
            $arch,
            #[inline(always)]
            || $body,
        )
    };
}
pub(super) use vectorize;
