//! Blocks of channels of a row, which back ends add up and turn into codes.

/// Channels that are summed in one pass over the rows.
pub const BLOCK: usize = 16;

/// The channels of a block in a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Channels of the matrix.
    pub width: usize,
    /// The first channel of the block.
    pub first: usize,
}

/// Sums of a block of channels.
pub type Sums = [i32; BLOCK];

/// The number of heads, and the channels of each, where `columns` rows of `channels` channels have `products` products;
/// none if either is zero.
pub(crate) fn heads(columns: usize, channels: usize, products: usize) -> Option<[usize; 2]> {
    let heads = products.checked_div(columns).filter(|&heads| heads > 0)?;
    Some([heads, channels / heads]).filter(|&[_, part]| part > 0)
}
