//! Buffers that start on a cache line, so that no vector load straddles two.

use std::ops::{Deref, DerefMut};

/// Bytes of a cache line, and of the widest vector.
const LINE: usize = 64;
/// Bytes after which addresses look alike to a CPU that compares only their low bits.
const PAGE: usize = 4096;

/// A slice of zeros to begin with, on the heap.
#[derive(Debug, Default)]
pub(super) struct Aligned<T> {
    data: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy + Default> Aligned<T> {
    /// `len` zeros. Buffers with neighbouring `index` start at different places of a page: a kernel that reads one
    /// and writes the other at the same position would else wait for stores that have nothing to do with its loads.
    pub(super) fn zeros(len: usize, index: usize) -> Self {
        if len == 0 {
            return Self::default();
        }
        let data = vec![T::default(); len + PAGE / size_of::<T>() + LINE];
        let stagger = index % 7 * (PAGE / 8) / size_of::<T>();
        let start = data.as_ptr().align_offset(LINE).min(LINE) + stagger;
        Self { data, start, len }
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.data[self.start..self.start + self.len]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.data[self.start..self.start + self.len]
    }
}
