//! Threads over rows: cut into the same parts whatever their number, so that results do not depend on it.

use super::EngineError;
use rayon::prelude::*;

/// Parts that rows are cut into.
pub(super) const PARTS: usize = 16;

/// Threads that share the work, or the caller's alone.
pub(super) struct Threads(Option<rayon::ThreadPool>);

impl Threads {
    /// The caller's thread alone.
    pub(super) const ALONE: &'static Self = &Self(None);

    pub(super) fn new(threads: usize) -> Result<Self, EngineError> {
        if threads == 1 {
            return Ok(Self(None));
        }
        let name = |i| format!("engine-{i}");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build();
        pool.map(|pool| Self(Some(pool))).map_err(|e| EngineError::Threads { threads, what: e.to_string() })
    }

    /// The threads that there are besides the caller's.
    pub(super) fn pool(&self) -> Option<&rayon::ThreadPool> {
        self.0.as_ref()
    }

    /// Calls `work(first element, part)` for parts of `data` whose elements do not depend on each other.
    pub(super) fn elements<T: Send>(&self, data: &mut [T], work: impl Fn(usize, &mut [T]) + Sync) {
        match self.0 {
            Some(_) => self.rows(data, 1, work),
            None => work(0, data),
        }
    }

    /// Calls `work(first element, part)` for the parts of `data`, which hold whole rows of `width` elements.
    pub(super) fn rows<T: Send>(&self, data: &mut [T], width: usize, work: impl Fn(usize, &mut [T]) + Sync) {
        let rows = data.len() / width.max(1);
        self.parts(data, rows.div_ceil(PARTS).max(1) * width.max(1), work);
    }

    /// Calls `work(first element, part)` for parts of `len` elements.
    pub(super) fn parts<T: Send>(&self, data: &mut [T], len: usize, work: impl Fn(usize, &mut [T]) + Sync) {
        match &self.0 {
            Some(threads) => threads.install(|| {
                let parts = data.par_chunks_mut(len).enumerate().with_max_len(1);
                parts.for_each(|(part, data)| work(part * len, data));
            }),
            None => data.chunks_mut(len).enumerate().for_each(|(part, data)| work(part * len, data)),
        }
    }
}
