//! Parameter words: an operator names each of its words once, and is read and written by that name.

use crate::error::OperatorError;
use crate::format::Params;
use crate::kernels::Clamp;
use crate::num::{Code, Multiplier};

/// A word among the [`Params`] of an operator.
#[derive(Clone, Copy)]
pub(super) struct Word {
    at: usize,
    name: &'static str,
}

impl Word {
    /// The word at `at`, called `name` where it is refused.
    pub(super) const fn new(at: usize, name: &'static str) -> Self {
        Self { at, name }
    }

    /// The word as it is.
    pub(super) fn get(self, params: &Params) -> i32 {
        params.get(self.at).copied().unwrap_or(0)
    }

    /// What says that the word is out of range.
    pub(super) fn refused(self, params: &Params) -> OperatorError {
        OperatorError::Param { name: self.name, value: self.get(params) }
    }

    /// A size, a count or a position.
    pub(super) fn size(self, params: &Params) -> Result<usize, OperatorError> {
        usize::try_from(self.get(params)).map_err(|_| self.refused(params))
    }

    /// 0 or 1.
    pub(super) fn flag(self, params: &Params) -> Result<bool, OperatorError> {
        match self.get(params) {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.refused(params)),
        }
    }

    /// The bits of a float.
    pub(super) fn real(self, params: &Params) -> f32 {
        f32::from_bits(self.get(params).cast_unsigned())
    }

    /// Writes the word.
    pub(super) fn put(self, params: &mut Params, value: i32) {
        params.iter_mut().skip(self.at).take(1).for_each(|word| *word = value);
    }

    /// Writes a size; one that was proved fits.
    pub(super) fn put_size(self, params: &mut Params, value: usize) {
        self.put(params, i32::try_from(value).unwrap_or(i32::MAX));
    }

    /// Writes the bits of a float.
    pub(super) fn put_real(self, params: &mut Params, value: f32) {
        self.put(params, value.to_bits().cast_signed());
    }
}

/// The `index`-th multiplier of an operator without weights: a mantissa, and its shift in the next word.
pub(super) fn multiplier(params: &Params, index: usize) -> Result<Multiplier, OperatorError> {
    let [mantissa, shift] = multiplier_words(index);
    let multiplier = Multiplier { mantissa_q31: mantissa.get(params), shift: shift.get(params) };
    if multiplier.is_valid() { Ok(multiplier) } else { Err(shift.refused(params)) }
}

/// Writes multipliers from the first word on.
pub(super) fn put_multipliers(params: &mut Params, multipliers: &[Multiplier]) {
    for (index, multiplier) in multipliers.iter().enumerate() {
        let [mantissa, shift] = multiplier_words(index);
        mantissa.put(params, multiplier.mantissa_q31);
        shift.put(params, multiplier.shift);
    }
}

const fn multiplier_words(index: usize) -> [Word; 2] {
    [Word::new(2 * index, "multiplier"), Word::new(2 * index + 1, "multiplier")]
}

const CLAMP_MIN: Word = Word::new(8, "clamp");
const CLAMP_MAX: Word = Word::new(9, "clamp");

/// The clamp of codes `T`.
pub(super) fn code_clamp<T: Code>(params: &Params) -> Result<Clamp<i32>, OperatorError> {
    let (min, max) = (CLAMP_MIN.get(params), CLAMP_MAX.get(params));
    if min < T::MIN || max > T::MAX || min > max {
        return Err(CLAMP_MIN.refused(params));
    }
    Ok(Clamp { min, max })
}

/// Formats that a clamp is stored in.
pub trait StoredClamp: Sized {
    /// Reads the clamp.
    ///
    /// # Errors
    /// It is empty or leaves the format's range.
    fn read_clamp(params: &Params) -> Result<Clamp<Self>, OperatorError>;

    /// Writes the clamp.
    fn write_clamp(clamp: Clamp<Self>, params: &mut Params);
}

impl StoredClamp for i32 {
    fn read_clamp(params: &Params) -> Result<Clamp<i32>, OperatorError> {
        code_clamp::<i8>(params)
    }

    fn write_clamp(clamp: Clamp<i32>, params: &mut Params) {
        CLAMP_MIN.put(params, clamp.min);
        CLAMP_MAX.put(params, clamp.max);
    }
}

impl StoredClamp for i8 {
    fn read_clamp(params: &Params) -> Result<Clamp<i8>, OperatorError> {
        let Clamp { min, max } = code_clamp::<i8>(params)?;
        Ok(Clamp { min: i8::saturate(min), max: i8::saturate(max) })
    }

    fn write_clamp(clamp: Clamp<i8>, params: &mut Params) {
        i32::write_clamp(Clamp { min: clamp.min.into(), max: clamp.max.into() }, params);
    }
}

impl StoredClamp for i16 {
    fn read_clamp(params: &Params) -> Result<Clamp<i16>, OperatorError> {
        let Clamp { min, max } = code_clamp::<i16>(params)?;
        Ok(Clamp { min: i16::saturate(min), max: i16::saturate(max) })
    }

    fn write_clamp(clamp: Clamp<i16>, params: &mut Params) {
        i32::write_clamp(Clamp { min: clamp.min.into(), max: clamp.max.into() }, params);
    }
}

impl StoredClamp for f32 {
    fn read_clamp(params: &Params) -> Result<Clamp<f32>, OperatorError> {
        let (min, max) = (CLAMP_MIN.real(params), CLAMP_MAX.real(params));
        if min <= max { Ok(Clamp { min, max }) } else { Err(CLAMP_MIN.refused(params)) }
    }

    fn write_clamp(clamp: Clamp<f32>, params: &mut Params) {
        CLAMP_MIN.put_real(params, clamp.min);
        CLAMP_MAX.put_real(params, clamp.max);
    }
}
