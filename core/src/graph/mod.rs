//! Graphs and sparse matrices as compressed rows over slices that the caller owns, checked once.
//!
//! [`Csr`] is any sparse pattern: the neighbours of each node, or the features that each node has. [`Undirected`] is a
//! [`Csr`] that holds every edge in both directions. Neither has weights: a rule computes those that it needs from the
//! pattern ([`propagate`]), or takes a slice with one weight for each entry.
//!
//! # Examples
//! The path 0 – 1 – 2:
//! ```
//! use niwaki_core::graph::{Csr, Undirected};
//! let graph = Csr::try_new(&[0_u16, 1, 3, 4], &[1_u16, 0, 2, 1], 3)?;
//! let graph = Undirected::try_new(graph)?;
//! assert_eq!(graph.csr().row(1), [0, 2]);
//! # Ok::<(), niwaki_core::error::GraphError>(())
//! ```

pub mod propagate;

#[cfg(test)]
mod tests;

use crate::error::GraphError;
use core::fmt::Debug;
use core::ops::Range;

/// Checks that an operand has the length that a graph asks for.
pub(crate) fn check_len(operand: &'static str, expected: usize, got: usize) -> Result<(), GraphError> {
    if expected == got { Ok(()) } else { Err(GraphError::Len { operand, expected, got }) }
}

/// An unsigned integer that numbers nodes, columns or entries.
pub trait Index: Copy + Ord + Debug + 'static {
    /// The same number.
    fn to_usize(self) -> usize;
}

impl Index for u16 {
    #[inline(always)]
    fn to_usize(self) -> usize {
        self.into()
    }
}

impl Index for u32 {
    #[inline(always)]
    fn to_usize(self) -> usize {
        self as usize
    }
}

/// A binary sparse matrix: row `i` has its ones in the columns `indices[offsets[i]..offsets[i + 1]]`.
///
/// As a graph, row `i` lists the nodes that node `i` gathers from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Csr<'a, O, I> {
    offsets: &'a [O],
    indices: &'a [I],
    columns: usize,
}

impl<'a, O: Index, I: Index> Csr<'a, O, I> {
    /// Checks a matrix of `offsets.len() - 1` rows. Any row, and all of them, may be empty: an isolated node.
    ///
    /// # Shapes
    /// `offsets: [rows + 1]` · `indices: [offsets[rows]]`, each below `columns`
    /// # Errors
    /// [`GraphError::Empty`] without rows or columns; [`GraphError::Offsets`] unless `offsets` begins with 0, never
    /// falls and ends with the number of indices; [`GraphError::Range`] for an index outside the columns;
    /// [`GraphError::Order`] unless the indices of each row rise, so that no entry is there twice.
    pub fn try_new(offsets: &'a [O], indices: &'a [I], columns: usize) -> Result<Self, GraphError> {
        let (Some(first), Some(last)) = (offsets.first(), offsets.get(1..).and_then(<[O]>::last)) else {
            return Err(GraphError::Empty { what: "rows" });
        };
        if columns == 0 {
            return Err(GraphError::Empty { what: "columns" });
        }
        let falls = || offsets.windows(2).position(|pair| pair.first() > pair.last()).map(|before| before + 1);
        let ends_wrong = || (last.to_usize() != indices.len()).then(|| offsets.len() - 1);
        if let Some(position) = (first.to_usize() != 0).then_some(0).or_else(falls).or_else(ends_wrong) {
            return Err(GraphError::Offsets { position });
        }
        let csr = Self { offsets, indices, columns };
        for (row, indices) in csr.rows().enumerate() {
            if let Some(index) = indices.iter().map(|index| index.to_usize()).find(|index| *index >= columns) {
                return Err(GraphError::Range { row, index, columns });
            }
            if indices.windows(2).any(|pair| pair.first() >= pair.last()) {
                return Err(GraphError::Order { row });
            }
        }
        Ok(csr)
    }

    /// A matrix from slices that [`try_new`](Self::try_new) has accepted before; nothing is checked again.
    ///
    /// Other slices do no harm to memory, but rows may come out empty and columns may lie outside the matrix.
    #[inline]
    pub const fn proved(offsets: &'a [O], indices: &'a [I], columns: usize) -> Self {
        Self { offsets, indices, columns }
    }

    /// Number of rows: the nodes of a graph.
    #[inline]
    pub fn row_count(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Number of columns.
    #[inline]
    pub fn column_count(&self) -> usize {
        self.columns
    }

    /// Number of ones: the directed edges of a graph.
    #[inline]
    pub fn entry_count(&self) -> usize {
        self.indices.len()
    }

    /// The positions of one row's entries among all entries.
    #[inline]
    pub fn span(&self, row: usize) -> Option<Range<usize>> {
        let (start, end) = self.offsets.get(row).zip(self.offsets.get(row + 1))?;
        Some(start.to_usize()..end.to_usize())
    }

    /// The columns of one row; empty after the last row.
    #[inline]
    pub fn row(&self, row: usize) -> &'a [I] {
        self.span(row).and_then(|span| self.indices.get(span)).unwrap_or_default()
    }

    /// The columns of every row, in order.
    #[inline]
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &'a [I]> + Clone + use<'a, O, I> {
        let (indices, ends) = (self.indices, self.offsets.get(1..).unwrap_or_default());
        let bounds = self.offsets.iter().zip(ends);
        bounds.map(move |(start, end)| indices.get(start.to_usize()..end.to_usize()).unwrap_or_default())
    }

    /// Every entry as `(row, column)`, in the order in which they lie.
    #[inline]
    pub fn entries(&self) -> impl Iterator<Item = (usize, usize)> + Clone + use<'a, O, I> {
        self.rows().enumerate().flat_map(|(row, columns)| columns.iter().map(move |column| (row, column.to_usize())))
    }

    /// Entries on the diagonal.
    pub fn self_loops(&self) -> usize {
        self.entries().filter(|(row, column)| row == column).count()
    }

    /// The position of entry `(row, column)` among all entries, if it is there.
    #[inline]
    pub fn entry(&self, row: usize, column: usize) -> Option<usize> {
        let within = self.row(row).binary_search_by(|probe| probe.to_usize().cmp(&column)).ok()?;
        Some(self.offsets.get(row)?.to_usize() + within)
    }

    /// Whether entry `(row, column)` is there.
    #[inline]
    pub fn contains(&self, row: usize, column: usize) -> bool {
        self.entry(row, column).is_some()
    }

    /// Checks that there are as many rows as columns, as a graph has.
    ///
    /// # Errors
    /// [`GraphError::Square`].
    pub fn check_square(&self) -> Result<(), GraphError> {
        let (rows, columns) = (self.row_count(), self.columns);
        if rows == columns { Ok(()) } else { Err(GraphError::Square { rows, columns }) }
    }
}

/// A graph that holds every edge in both directions; self loops are one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undirected<'a, O, I>(Csr<'a, O, I>);

impl<'a, O: Index, I: Index> Undirected<'a, O, I> {
    /// Checks that the graph is symmetric, in `O(E log d)`.
    ///
    /// # Errors
    /// [`GraphError::Square`]; [`GraphError::Asymmetric`] names the first edge without its mirror image.
    pub fn try_new(csr: Csr<'a, O, I>) -> Result<Self, GraphError> {
        csr.check_square()?;
        match csr.entries().find(|(from, to)| !csr.contains(*to, *from)) {
            Some((from, to)) => Err(GraphError::Asymmetric { from, to }),
            None => Ok(Self(csr)),
        }
    }

    /// The graph.
    #[inline]
    pub fn csr(&self) -> Csr<'a, O, I> {
        self.0
    }

    /// Every edge between two nodes once, as `(u, v)` with `u < v`, in the order of `u`, then `v`.
    #[inline]
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + Clone + use<'a, O, I> {
        self.0.entries().filter(|(from, to)| from < to)
    }
}
