//! Threads over rows: cut into the same parts whatever their number, so that results do not depend on it.

use super::super::EngineError;
use rayon::prelude::*;

/// Parts that rows are cut into.
pub(super) const PARTS: usize = 16;

/// Threads that share the rows, or the caller's alone.
pub(super) struct Pool(Option<rayon::ThreadPool>);

impl Pool {
    pub(super) fn new(threads: usize) -> Result<Self, EngineError> {
        Ok(Self(if threads > 1 { Some(super::super::start_threads(threads)?) } else { None }))
    }

    /// Calls `work(first element, part)` for the parts of `data`, which hold whole rows of `width` elements.
    pub(super) fn rows<T: Send>(&self, data: &mut [T], width: usize, work: impl Fn(usize, &mut [T]) + Sync) {
        let rows = data.len() / width.max(1);
        self.parts(data, rows.div_ceil(PARTS).max(1) * width.max(1), work);
    }

    /// Calls `work(first element, part)` for parts of `len` elements.
    pub(super) fn parts<T: Send>(&self, data: &mut [T], len: usize, work: impl Fn(usize, &mut [T]) + Sync) {
        match &self.0 {
            Some(pool) => pool.install(|| {
                let parts = data.par_chunks_mut(len).enumerate().with_max_len(1);
                parts.for_each(|(part, data)| work(part * len, data));
            }),
            None => data.chunks_mut(len).enumerate().for_each(|(part, data)| work(part * len, data)),
        }
    }
}
