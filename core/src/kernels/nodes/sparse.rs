//! Compressed rows whose indices are as narrow as their numbers allow.

use super::KeptEdges;
use crate::graph::{Csr, Index};
use core::ops::Range;

/// A [`Csr`] of one of the widths that files have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sparse<'a> {
    /// At most 65,535 entries, 65,536 columns.
    Narrow(Csr<'a, u16, u16>),
    /// At most 65,536 columns.
    Long(Csr<'a, u32, u16>),
    /// Any size.
    Wide(Csr<'a, u32, u32>),
}

/// The columns of a row of a [`Sparse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns<'a> {
    /// Of a narrow or a long matrix.
    Narrow(&'a [u16]),
    /// Of a wide matrix.
    Wide(&'a [u32]),
}

/// Does the same with the matrix, whatever its widths.
macro_rules! any_width {
    ($sparse:expr, $csr:ident => $body:expr) => {
        match $sparse {
            Sparse::Narrow($csr) => $body,
            Sparse::Long($csr) => $body,
            Sparse::Wide($csr) => $body,
        }
    };
}

impl<'a> Sparse<'a> {
    /// Number of rows.
    pub fn row_count(&self) -> usize {
        any_width!(self, csr => csr.row_count())
    }

    /// Number of columns.
    pub fn column_count(&self) -> usize {
        any_width!(self, csr => csr.column_count())
    }

    /// Number of entries.
    pub fn entry_count(&self) -> usize {
        any_width!(self, csr => csr.entry_count())
    }

    /// The columns of one row; none past the last row.
    #[inline]
    pub fn row(&self, row: usize) -> Columns<'a> {
        match self {
            Self::Narrow(csr) => Columns::Narrow(csr.row(row)),
            Self::Long(csr) => Columns::Narrow(csr.row(row)),
            Self::Wide(csr) => Columns::Wide(csr.row(row)),
        }
    }

    /// Where the entries of one row lie among all.
    #[inline]
    pub fn span(&self, row: usize) -> Option<Range<usize>> {
        any_width!(self, csr => csr.span(row))
    }

    /// How many entries of one row are kept.
    #[inline]
    pub fn kept_count(&self, kept: KeptEdges<'_>, row: usize) -> usize {
        kept.count(self.span(row).unwrap_or_default())
    }

    /// The columns of those.
    #[inline]
    pub fn kept_row(&self, kept: KeptEdges<'a>, row: usize) -> impl Iterator<Item = usize> + 'a {
        let (columns, entries) = (self.row(row), self.span(row).unwrap_or_default());
        entries.enumerate().filter(move |&(_, entry)| kept.has(entry)).filter_map(move |(at, _)| columns.get(at))
    }

    /// Entries of the row that has most.
    pub fn longest_row(&self) -> usize {
        any_width!(self, csr => csr.rows().map(<[_]>::len).max().unwrap_or(0))
    }

    /// Whether an entry lies in the column of its row's own number.
    pub fn has_diagonal(&self) -> bool {
        any_width!(self, csr => (0..csr.row_count()).any(|row| csr.contains(row, row)))
    }

    /// The first entry `(row, column)` without its mirror image `(column, row)`.
    pub fn first_asymmetric(&self) -> Option<(usize, usize)> {
        any_width!(self, csr => csr.entries().find(|&(row, column)| !csr.contains(column, row)))
    }
}

impl Columns<'_> {
    /// Number of columns.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Self::Narrow(columns) => columns.len(),
            Self::Wide(columns) => columns.len(),
        }
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Column `at` of them.
    #[inline]
    pub fn get(&self, at: usize) -> Option<usize> {
        match self {
            Self::Narrow(columns) => columns.get(at).map(|column| column.to_usize()),
            Self::Wide(columns) => columns.get(at).map(|column| column.to_usize()),
        }
    }
}
