//! The arena while an operator runs, without what it writes.

/// The parts of an arena that are not written, with the place where each one begins.
pub(crate) struct Shared<'a>(pub(crate) [(usize, &'a [u8]); 3]);

impl<'a> Shared<'a> {
    /// Nothing to read from: lengths are as recorded, elements are not there.
    pub(crate) const NONE: Self = Self([(0, &[]); 3]);

    /// The elements at a place; none where it is written or not aligned.
    pub(crate) fn elements<T: bytemuck::Pod>(&self, (start, end): (usize, usize)) -> &'a [T] {
        let inside = |&(first, part): &(usize, &'a [u8])| part.get(start.checked_sub(first)?..end.checked_sub(first)?);
        self.0.iter().find_map(inside).and_then(|bytes| bytemuck::try_cast_slice(bytes).ok()).unwrap_or_default()
    }
}
