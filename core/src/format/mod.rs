//! The `.niwaki` file: little-endian, versioned, checksummed, read in place. `SPEC.md` is the written format.

mod crc32;
mod model;
mod operator;
mod port;
mod records;
mod shared;
mod step;
mod verify;

pub use crc32::crc32;
pub use model::{Element, Model, Reads};
pub(crate) use operator::RowsOf;
pub use operator::{Cost, Operator, Overlap};
pub use port::{Input, Output};
pub use records::{
    ALIGN, DType, HEADER_BYTES, Header, MAGIC, NONE, OPERATOR_BYTES, OperatorRecord, PARAM_COUNT, Params, Place,
    TENSOR_BYTES, TensorRecord, VERSION,
};
pub(crate) use shared::Shared;
pub use step::Step;

/// Puts a value at a 16-byte boundary, which models and arenas need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(16))]
pub struct Aligned<T: ?Sized>(pub T);

impl<T: ?Sized> core::ops::Deref for Aligned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized> core::ops::DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// The bytes of a `.niwaki` file in flash, aligned for [`Model::verify`].
///
/// The path is relative to the source file, as with `include_bytes!`.
#[macro_export]
macro_rules! include_model {
    ($path:expr $(,)?) => {
        $crate::format::Aligned(*include_bytes!($path))
    };
}
