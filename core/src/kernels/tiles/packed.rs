//! What every packing of weights has in common: its meaning weight by weight, and the memory that its kernels ask for.

use super::conv2d::Conv2dTiled;
use super::filters::{GROUP, check_sum};
use super::{FILTERS, TiledInt8, TiledWeights};
use crate::error::{OperatorError, ShapeError};
use crate::num::SmallMultiplier;
use crate::shape::expect_len;

/// The weights of a convolution or of a dense layer in some packing, checked when it was made.
///
/// # Numerics
/// `y[o] = finish(o, start(o) + Σ weight(o, k) * x[k])` over the `filter_len` inputs under the window in the order row,
/// column, channel; inputs in the padding are the input's zero point.
pub trait Packed: TiledWeights {
    /// Output channels.
    fn filters(&self) -> usize;

    /// Weights of a filter, those that are left out included.
    fn filter_len(&self) -> usize;

    /// What the accumulator of filter `o` starts with.
    fn start(&self, o: usize) -> i32;

    /// Weight `k` of filter `o`, as slowly as it is easily read.
    fn weight(&self, o: usize, k: usize) -> i32;

    /// The output of an accumulator of filter `o`.
    fn finish(&self, numerics: &TiledInt8, o: usize, acc: i32) -> i8;

    /// Words that hold two expanded pixels and whatever their products need.
    fn pair_words(&self) -> usize {
        self.patch_len()
    }

    /// Words that the products of one input need besides it.
    fn single_words(&self) -> usize {
        0
    }

    /// Whether windows of more than a pixel are copied together before they are expanded.
    fn gathers(&self) -> bool {
        false
    }

    /// Weights of a filter in whole groups.
    fn patch_len(&self) -> usize {
        self.filter_len().next_multiple_of(GROUP)
    }

    /// Words of scratch memory for two pixels, or for the last one copied together.
    fn window_words(&self) -> usize {
        let last = self.patch_len() / size_of::<i32>() + 1 + self.single_words();
        self.pair_words().max(last)
    }

    /// Words of scratch memory of a convolution.
    fn conv2d_scratch_words(&self, op: &Conv2dTiled) -> usize {
        self.window_words() + op.patches_words(self.gathers())
    }

    /// Words of scratch memory of a dense layer: for the inputs in whole groups where they are not, and the products'.
    fn dense_scratch_words(&self) -> usize {
        let patch_len = self.patch_len();
        let padded = if patch_len == self.filter_len() { 0 } else { patch_len / size_of::<i32>() };
        padded + self.single_words()
    }

    /// Checks that these are the weights of a layer of so many filters of so many weights.
    ///
    /// # Errors
    /// [`ShapeError::Len`].
    fn check_dims(&self, filters: usize, filter_len: usize) -> Result<(), ShapeError> {
        expect_len("filters", filters, self.filters())?;
        expect_len("weights of a filter", filter_len, self.filter_len())
    }
}

/// The first four words, so many words, and the four multipliers after them; and the words after all that.
pub(super) type Split<'a> = ([i32; FILTERS], &'a [i32], [SmallMultiplier; FILTERS], &'a [i32]);

/// Splits a record whose weights are `weight_words` words off `words`.
pub(super) fn split_record(words: &[i32], weight_words: usize) -> Option<Split<'_>> {
    let (start, rest) = words.split_first_chunk::<FILTERS>()?;
    let (weights, rest) = rest.split_at_checked(weight_words)?;
    let (mantissas, rest) = rest.split_first_chunk::<FILTERS>()?;
    let (&exponents, rest) = rest.split_first()?;
    Some((*start, weights, super::multipliers(mantissas, exponents), rest))
}

/// Checks that a multiplier is one.
pub(super) fn check_multiplier(multiplier: SmallMultiplier) -> Result<(), OperatorError> {
    if multiplier.is_valid() {
        Ok(())
    } else {
        Err(OperatorError::Param { name: "multiplier", value: multiplier.mantissa_q32.cast_signed() })
    }
}

/// Checks the multipliers of a record's filters, and that their starts with the sums of their weights' magnitudes stay in
/// their ranges.
pub(super) fn check_filters(
    starts: [i32; FILTERS],
    sums: [i32; FILTERS],
    multipliers: [SmallMultiplier; FILTERS],
) -> Result<(), OperatorError> {
    for (f, ((start, sum), multiplier)) in starts.into_iter().zip(sums).zip(multipliers).enumerate() {
        check_multiplier(multiplier)?;
        check_sum(f, start, sum)?;
    }
    Ok(())
}

/// The records one after the other that `split` takes off the front of `words`.
pub(super) fn records<'a, R>(
    words: &'a [i32],
    split: impl Fn(&'a [i32]) -> Option<(R, &'a [i32])>,
) -> impl Iterator<Item = R> {
    let mut rest = words;
    core::iter::from_fn(move || {
        let (record, after) = split(rest)?;
        rest = after;
        Some(record)
    })
}

/// Checks that `list` does not fall and that everything in it is below `end`; `strictly` if it must rise.
pub(super) fn check_list(name: &'static str, list: &[i16], end: usize, strictly: bool) -> Result<(), OperatorError> {
    let mut least = 0;
    for &entry in list {
        let value = i32::from(entry);
        if !usize::try_from(value).is_ok_and(|entry| entry < end) || value < least {
            return Err(OperatorError::Param { name, value });
        }
        least = value + i32::from(strictly);
    }
    Ok(())
}
