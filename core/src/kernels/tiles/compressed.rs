//! Dense layers whose weights are zero here and there without a pattern: compressed rows.
//!
//! First the inputs are put into another order, the `columns`, so that weights of one row that are not zero are often
//! neighbours; an input may stand there more than once. A row is then a list of *units*: two weights for two neighbouring
//! columns, and the distance of the first from that of the unit before (of the first unit: from column 0), a byte. A
//! distance above 255 takes a unit without weights on the way.
//!
//! A row is `[start | mantissa_q32 | head | quads]` in words. A quad is four units: a word with their four distances, the
//! first in the low byte, then a word of two i16 weights for each, that of the first column in the low half. The head has
//! the exponent of the multiplier in bits 0 to 7 and the number of units less 1 in bits 9 to 13; they stand at the end of
//! their quads, the places left over in the first quad are zeros. Where bit 8 is set the row goes on after its quads,
//! with another head and its quads.

use super::TiledInt8;
use super::packed::check_multiplier;
use crate::error::{OperatorError, ShapeError};
use crate::kernels::Dense;
use crate::num::SmallMultiplier;
use crate::shape::{MAX_DIM, expect_len};

/// Units of a quad.
pub const UNITS: usize = 4;
/// Words of a quad.
pub const QUAD_WORDS: usize = 1 + UNITS;
/// Most units of one head.
pub const MAX_UNITS: usize = 32;
/// A head has it where the row goes on after its quads.
const MORE: i32 = 1 << 8;
/// Bits of a head below the number of units.
const COUNT: u32 = 9;

/// A dense layer in compressed rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompressedRows<'a> {
    words: &'a [i32],
    columns: &'a [i16],
    dense: Dense,
}

/// One row of [`CompressedRows`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    /// What the accumulator starts with.
    pub(crate) start: i32,
    pub(crate) multiplier: SmallMultiplier,
    /// Heads and quads.
    words: &'a [i32],
}

/// Two weights of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// Columns from the unit before.
    pub distance: u8,
    /// Those of the column and of the next one.
    pub weights: [i16; 2],
}

/// The units of the head that `words` start with, whether another head follows, and the words after its units.
fn stretch(words: &[i32]) -> Option<(impl Iterator<Item = Unit> + use<'_>, bool, &[i32])> {
    let (&head, rest) = words.split_first()?;
    let count = 1 + (head >> COUNT).cast_unsigned() as usize % MAX_UNITS;
    let (quads, rest) = rest.split_at_checked(count.div_ceil(UNITS) * QUAD_WORDS)?;
    let units = quads.as_chunks::<QUAD_WORDS>().0.iter().flat_map(|[distances, weights @ ..]| {
        distances.to_le_bytes().into_iter().zip(weights).map(|(distance, &weights)| {
            let [a, b, c, d] = weights.to_le_bytes();
            Unit { distance, weights: [i16::from_le_bytes([a, b]), i16::from_le_bytes([c, d])] }
        })
    });
    Some((units.skip(count.next_multiple_of(UNITS) - count), head & MORE != 0, rest))
}

impl<'a> Row<'a> {
    fn split(words: &'a [i32]) -> Option<(Self, &'a [i32])> {
        let (&[start, mantissa], rest) = words.split_first_chunk()?;
        let [exponent, ..] = rest.first()?.to_le_bytes();
        let mut after = rest;
        loop {
            let (_, more, next) = stretch(after)?;
            after = next;
            if !more {
                break;
            }
        }
        let words = rest.get(..rest.len() - after.len())?;
        let multiplier = SmallMultiplier { mantissa_q32: mantissa.cast_unsigned(), exponent };
        Some((Self { start, multiplier, words }, after))
    }

    /// The column of each unit with its weights.
    #[inline]
    pub(crate) fn units(&self) -> impl Iterator<Item = (usize, [i16; 2])> + use<'a> {
        let (mut rest, mut column) = (self.words, 0);
        let stretches = core::iter::from_fn(move || {
            let (units, _, after) = stretch(rest)?;
            rest = after;
            Some(units)
        });
        stretches.flatten().map(move |unit| {
            column += usize::from(unit.distance);
            (column, unit.weights)
        })
    }

    /// The heads, in order.
    fn heads(&self) -> impl Iterator<Item = i32> + use<'a> {
        let mut rest = self.words;
        core::iter::from_fn(move || {
            let head = rest.first().copied()?;
            rest = stretch(rest)?.2;
            Some(head)
        })
    }
}

impl<'a> CompressedRows<'a> {
    /// Checks all rows of a layer: once this is `Ok` every kernel computes what the definition says.
    ///
    /// # Errors
    /// [`ShapeError::Len`] `rows` where the rows are not exactly `words`; [`OperatorError::Param`] `column` for one that is
    /// no input or a unit that leads past the last, `head` for one with other bits, `multiplier`, or `rows` with a start
    /// whose row can leave its range.
    pub fn try_new(words: &'a [i32], columns: &'a [i16], dense: Dense) -> Result<Self, OperatorError> {
        let compressed = Self::verified(words, columns, dense);
        if columns.is_empty() || columns.len() > MAX_DIM {
            return Err(ShapeError::Dim { name: "columns", value: columns.len() }.into());
        }
        if let Some(&column) = columns.iter().find(|&&c| c < 0 || c as usize >= dense.inputs().get()) {
            return Err(OperatorError::Param { name: "column", value: column.into() });
        }
        let (mut rows, mut taken) = (0, 0);
        for row in compressed.rows() {
            compressed.check(&row)?;
            rows += 1;
            taken += 2 + row.words.len();
        }
        expect_len("rows", dense.outputs().get(), rows)?;
        expect_len("rows", taken, words.len())?;
        Ok(compressed)
    }

    /// What [`try_new`](Self::try_new) found good once: the kernels trust the columns.
    pub(crate) const fn verified(words: &'a [i32], columns: &'a [i16], dense: Dense) -> Self {
        Self { words, columns, dense }
    }

    fn check(&self, row: &Row<'_>) -> Result<(), OperatorError> {
        let exponent = i32::from(row.multiplier.exponent);
        let known = MORE | (MAX_UNITS as i32 - 1) << COUNT;
        if let Some(value) = row.heads().find(|head| head & !known != exponent) {
            return Err(OperatorError::Param { name: "head", value });
        }
        check_multiplier(row.multiplier)?;
        let mut sum = 0_i64;
        for (column, [first, second]) in row.units() {
            if column + usize::from(second != 0) >= self.columns.len() {
                return Err(OperatorError::Param { name: "column", value: column as i32 });
            }
            sum += i64::from(first).abs() + i64::from(second).abs();
        }
        if i64::from(row.start).abs() + 128 * sum > i64::from(SmallMultiplier::MAX_ACC) {
            return Err(OperatorError::Param { name: "rows", value: row.start });
        }
        Ok(())
    }

    /// The layer.
    pub const fn dense(&self) -> Dense {
        self.dense
    }

    /// All words.
    pub const fn words(&self) -> &'a [i32] {
        self.words
    }

    /// The input of each column.
    pub const fn columns(&self) -> &'a [i16] {
        self.columns
    }

    /// The rows.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let mut rest = self.words;
        core::iter::from_fn(move || {
            let (row, after) = Row::split(rest)?;
            rest = after;
            Some(row)
        })
    }

    /// Words of scratch memory: the columns, expanded to 16 bits, and zeros after them.
    pub const fn scratch_words(&self) -> usize {
        self.columns.len() / 2 + 1
    }

    /// Checks the operands' lengths.
    ///
    /// # Errors
    /// [`ShapeError::Len`] names the operand.
    pub fn check_lens(&self, x: usize, y: usize, scratch: usize) -> Result<(), ShapeError> {
        expect_len("x", self.dense.inputs().get(), x)?;
        expect_len("y", self.dense.outputs().get(), y)?;
        expect_len("scratch", self.scratch_words().max(scratch), scratch)
    }

    /// Weight `k` of row `o`, as slowly as it is easily read.
    pub fn weight(&self, o: usize, k: usize) -> i32 {
        let Some(row) = self.rows().nth(o) else { return 0 };
        let here = |column: usize| self.columns.get(column).is_some_and(|&input| input as usize == k);
        let of = |(column, [first, second]): (usize, [i16; 2])| {
            i32::from(here(column)) * i32::from(first) + i32::from(here(column + 1)) * i32::from(second)
        };
        row.units().map(of).sum()
    }

    /// The output of an accumulator of `row`.
    #[inline]
    pub(crate) fn finish(numerics: &TiledInt8, row: &Row<'_>, acc: i32) -> i8 {
        numerics.finish(acc, row.multiplier)
    }
}

/// Hands the words of a row to `put`, one after the other. A row without units gets one without weights.
pub fn pack(start: i32, multiplier: SmallMultiplier, units: &[Unit], put: &mut impl FnMut(i32)) {
    const NOTHING: Unit = Unit { distance: 0, weights: [0; 2] };
    let units = if units.is_empty() { &[NOTHING] } else { units };
    put(start);
    put(multiplier.mantissa_q32.cast_signed());
    let stretches = units.len().div_ceil(MAX_UNITS);
    for (n, units) in units.chunks(MAX_UNITS).enumerate() {
        let more = if n + 1 < stretches { MORE } else { 0 };
        put(i32::from(multiplier.exponent) | more | (units.len() as i32 - 1) << COUNT);
        let missing = units.len().next_multiple_of(UNITS) - units.len();
        let quads = units.len().div_ceil(UNITS);
        let mut units = core::iter::repeat_n(NOTHING, missing).chain(units.iter().copied());
        for _ in 0..quads {
            let quad: [Unit; UNITS] = core::array::from_fn(|_| units.next().unwrap_or(NOTHING));
            put(i32::from_le_bytes(quad.map(|unit| unit.distance)));
            for Unit { weights: [low, high], .. } in quad {
                put(i32::from(high) << 16 | (i32::from(low) & 0xFFFF));
            }
        }
    }
}
