//! How weights lie in a file.

/// How the weights of an operator lie in a file (`core/SPEC.md` §6). Every layout computes the same outputs; they differ
/// in bytes and in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Layout {
    /// As their tensor says, or none at all.
    Plain,
    /// All weights in tiles of four filters.
    Tiled,
    /// Blocks of four filters by four weights, those left out that are zero.
    Blocks,
    /// For every four filters the positions where any of them has a weight that is not zero: blocks of 4 × 1, N:M.
    Taps,
    /// The positions in the unrolled filter where any filter has a weight that is not zero.
    Kept,
    /// The filters that have a weight that is not zero.
    Rows,
    /// All weights in four bits: values from -8 to 7.
    Int4,
    /// All weights as four bits that say which of at most sixteen values a weight has.
    Codebook,
    /// The weights that are not zero, row by row.
    Compressed,
}

impl Layout {
    /// Every layout but the plain one.
    pub const PACKED: [Self; 8] =
        [Self::Tiled, Self::Blocks, Self::Taps, Self::Kept, Self::Rows, Self::Int4, Self::Codebook, Self::Compressed];

    /// The layout's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tiled => "tiled",
            Self::Blocks => "blocks",
            Self::Taps => "taps",
            Self::Kept => "kept",
            Self::Rows => "rows",
            Self::Int4 => "int4",
            Self::Codebook => "codebook",
            Self::Compressed => "compressed",
        }
    }
}
