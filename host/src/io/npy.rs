//! `.npy` files of the element types that models and labels have: floats of 32 bits, integers of 8 to 64.

use super::{FileError, atomic};
use npyz::WriterBuilder;
use std::{fs, path::Path};

/// An array in row-major order.
///
/// # Shapes
/// `values` has as many elements as the product of `shape`.
#[derive(Debug, Clone, PartialEq)]
pub struct Array<T> {
    /// The length of each axis; empty for a scalar.
    pub shape: Vec<usize>,
    /// Elements, row-major.
    pub values: Vec<T>,
}

/// An array of any element type read here.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyArray {
    /// `float32`
    F32(Array<f32>),
    /// `int8`
    I8(Array<i8>),
    /// `uint8`
    U8(Array<u8>),
    /// `int16`
    I16(Array<i16>),
    /// `int32`
    I32(Array<i32>),
    /// `int64`
    I64(Array<i64>),
}

impl AnyArray {
    /// The length of each axis.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::F32(a) => &a.shape,
            Self::I8(a) => &a.shape,
            Self::U8(a) => &a.shape,
            Self::I16(a) => &a.shape,
            Self::I32(a) => &a.shape,
            Self::I64(a) => &a.shape,
        }
    }

    /// The element type by NumPy's name.
    pub fn element(&self) -> &'static str {
        match self {
            Self::F32(_) => f32::NAME,
            Self::I8(_) => i8::NAME,
            Self::U8(_) => u8::NAME,
            Self::I16(_) => i16::NAME,
            Self::I32(_) => i32::NAME,
            Self::I64(_) => i64::NAME,
        }
    }

    /// The elements, unless they are floats.
    pub fn integers(&self) -> Option<Vec<i64>> {
        match self {
            Self::F32(_) => None,
            Self::I8(a) => Some(a.values.iter().map(|&v| v.into()).collect()),
            Self::U8(a) => Some(a.values.iter().map(|&v| v.into()).collect()),
            Self::I16(a) => Some(a.values.iter().map(|&v| v.into()).collect()),
            Self::I32(a) => Some(a.values.iter().map(|&v| v.into()).collect()),
            Self::I64(a) => Some(a.values.clone()),
        }
    }
}

/// An element type of `.npy` files; NumPy's names.
pub trait Element: npyz::Deserialize + npyz::AutoSerialize + sealed::Sealed + Copy {
    /// As in `numpy.dtype(…).name`.
    const NAME: &'static str;
    /// The type's letter and size in a header.
    #[doc(hidden)]
    const CODE: (npyz::TypeChar, u64);
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! element {
    ($($type:ty: $name:literal, $char:ident;)*) => {$(
        impl sealed::Sealed for $type {}
        impl Element for $type {
            const NAME: &'static str = $name;
            const CODE: (npyz::TypeChar, u64) = (npyz::TypeChar::$char, size_of::<$type>() as u64);
        }
    )*};
}
element! {
    f32: "float32", Float;
    i8: "int8", Int;
    u8: "uint8", Uint;
    i16: "int16", Int;
    i32: "int32", Int;
    i64: "int64", Int;
    u16: "uint16", Uint;
    u32: "uint32", Uint;
}

/// Reads an array whose elements are `T`.
///
/// # Errors
/// Names the file; a wrong element type names both types and the NumPy call that converts.
pub fn read<T: Element>(path: &Path) -> Result<Array<T>, FileError> {
    Opened::new(path, &read_bytes(path)?)?.values()
}

/// Reads an array of any type in [`AnyArray`].
///
/// # Errors
/// As [`read`].
pub fn read_any(path: &Path) -> Result<AnyArray, FileError> {
    let bytes = read_bytes(path)?;
    let file = Opened::new(path, &bytes)?;
    match &file.header.dtype() {
        dtype if is::<f32>(dtype) => file.values().map(AnyArray::F32),
        dtype if is::<i8>(dtype) => file.values().map(AnyArray::I8),
        dtype if is::<u8>(dtype) => file.values().map(AnyArray::U8),
        dtype if is::<i16>(dtype) => file.values().map(AnyArray::I16),
        dtype if is::<i32>(dtype) => file.values().map(AnyArray::I32),
        dtype if is::<i64>(dtype) => file.values().map(AnyArray::I64),
        _ => Err(file.wrong_type("float32, int8, uint8, int16, int32 or int64", "float32")),
    }
}

/// Reads an array of any integers as indices: none negative, none above `u32::MAX - 1`.
///
/// # Errors
/// As [`read`]; the first element that is no index, by its place.
pub fn read_indices(path: &Path) -> Result<Array<u32>, FileError> {
    let bytes = read_bytes(path)?;
    let file = Opened::new(path, &bytes)?;
    match &file.header.dtype() {
        dtype if is::<u32>(dtype) => return file.values(),
        dtype if is::<u16>(dtype) => {
            let Array { shape, values } = file.values::<u16>()?;
            return Ok(Array { shape, values: values.into_iter().map(u32::from).collect() });
        }
        _ => {}
    }
    let array = read_any(path)?;
    let mismatch = |what| FileError::Mismatch { path: path.into(), what };
    let values = array
        .integers()
        .ok_or_else(|| mismatch("expected integers, got float32; save x.astype(numpy.uint32)".into()))?;
    let index = |(at, value): (usize, &i64)| {
        u32::try_from(*value).map_err(|_| mismatch(format!("element {at} is {value}, no index")))
    };
    let values = values.iter().enumerate().map(index).collect::<Result<_, _>>()?;
    Ok(Array { shape: array.shape().to_vec(), values })
}

/// Writes `values` to `path` atomically.
///
/// # Errors
/// [`FileError::Mismatch`] when `shape` and `values` disagree; [`FileError::Write`] names the file.
pub fn write<T: Element>(path: &Path, shape: &[usize], values: &[T]) -> Result<(), FileError> {
    if shape.iter().product::<usize>() != values.len() {
        let what = format!("shape {shape:?} does not hold {} values", values.len());
        return Err(FileError::Mismatch { path: path.into(), what });
    }
    let shape: Vec<u64> = shape.iter().map(|&d| d as u64).collect();
    atomic::write_with(path, |out| {
        let mut writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(out).begin_nd()?;
        writer.extend(values.iter().copied())?;
        writer.finish()
    })?;
    Ok(())
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, FileError> {
    fs::read(path).map_err(|source| FileError::Read { path: path.into(), source })
}

fn is<T: Element>(dtype: &npyz::DType) -> bool {
    matches!(dtype, npyz::DType::Plain(t) if (t.type_char(), t.size_field()) == T::CODE)
}

/// A file whose header holds together: the shape's product fits the bytes that follow.
struct Opened<'a> {
    path: &'a Path,
    header: npyz::NpyFile<&'a [u8]>,
    shape: Vec<usize>,
}

impl<'a> Opened<'a> {
    fn new(path: &'a Path, bytes: &'a [u8]) -> Result<Self, FileError> {
        let format = |offset, what: String| FileError::Format { path: path.into(), offset, what };
        let data_offset = data_offset(bytes).map_err(|what| format(0, what))?;
        // npyz multiplies the axes without a check.
        let elements = element_count(&bytes[..data_offset])
            .ok_or_else(|| format(0, "the shape is missing or larger than a file can be".into()))?;
        let header = npyz::NpyFile::new(bytes).map_err(|e| format(0, format!("not a readable .npy header: {e}")))?;
        if header.order() == npyz::Order::Fortran && header.shape().len() > 1 {
            let what = "the array is stored column by column; save numpy.ascontiguousarray(x)".into();
            return Err(format(data_offset as u64, what));
        }
        let shape: Vec<usize> = header.shape().iter().map(|&d| d as usize).collect();
        if let Some(element_bytes) = header.dtype().num_bytes() {
            let expected = elements.saturating_mul(element_bytes as u64);
            let got = (bytes.len() - data_offset) as u64;
            if got != expected {
                let offset = data_offset as u64;
                return Err(FileError::Length { path: path.into(), what: "the values", offset, expected, got });
            }
        }
        Ok(Self { path, header, shape })
    }

    fn values<T: Element>(self) -> Result<Array<T>, FileError> {
        if !is::<T>(&self.header.dtype()) {
            return Err(self.wrong_type(T::NAME, T::NAME));
        }
        let Self { path, header, shape } = self;
        let values = header.into_vec().map_err(|source| FileError::Read { path: path.into(), source })?;
        Ok(Array { shape, values })
    }

    fn wrong_type(&self, expected: &str, convert: &str) -> FileError {
        let found = self.header.dtype().descr();
        let what = format!("expected elements of {expected}, got {found}; save x.astype(numpy.{convert})");
        FileError::Mismatch { path: self.path.into(), what }
    }
}

/// Where the values start: magic, version and header length are checked against the file.
fn data_offset(bytes: &[u8]) -> Result<usize, String> {
    let (fixed, header_len) = match bytes {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _, a, b, ..] => (10, u32::from(u16::from_le_bytes([*a, *b]))),
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, _, a, b, c, d, ..] => (12, u32::from_le_bytes([*a, *b, *c, *d])),
        [0x93, b'N', b'U', b'M', b'P', b'Y', major, minor, ..] => {
            return Err(format!("version {major}.{minor} or a cut header; versions 1 to 3 can be read"));
        }
        _ => return Err("not a .npy file: it does not start with \\x93NUMPY".into()),
    };
    let end = (fixed as u64).saturating_add(u64::from(header_len));
    usize::try_from(end)
        .ok()
        .filter(|end| *end <= bytes.len())
        .ok_or_else(|| format!("the header is {end} bytes long, the file {}", bytes.len()))
}

/// The product of `'shape': (…)` in a header, if there is one and it fits, also where an axis is empty.
fn element_count(header: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(header);
    let shape = text.split_once("'shape'").or_else(|| text.split_once("\"shape\""))?.1;
    let axes = shape.split_once('(')?.1.split_once(')')?.0;
    let mut count = (1u64, false);
    for axis in axes.split(',').map(str::trim).filter(|a| !a.is_empty()) {
        // Python 2 wrote long integers as `3L`.
        let len: u64 = axis.trim_end_matches('L').parse().ok()?;
        count = (count.0.checked_mul(len.max(1))?, count.1 | (len == 0));
    }
    Some(if count.1 { 0 } else { count.0 })
}
