//! Inputs and outputs of a model that were asked for once, by position and element type.

use super::{Element, Model, TensorRecord};
use crate::error::PortError;
use core::marker::PhantomData;

/// Where the elements of an input or output lie in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: usize,
    end: usize,
}

macro_rules! port {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name<T> {
            span: Span,
            element: PhantomData<T>,
        }

        impl<T: Element> $name<T> {
            fn of(tensor: Option<&TensorRecord>, index: usize, count: usize) -> Result<Self, PortError> {
                let tensor = tensor.ok_or(PortError::Missing { index, count })?;
                let (start, end) = tensor.span();
                if tensor.dtype == T::DTYPE.code() {
                    Ok(Self { span: Span { start, end }, element: PhantomData })
                } else {
                    let has = tensor.element().map_or("unknown", super::DType::name);
                    Err(PortError::Type { index, has, asked: T::DTYPE.name() })
                }
            }

            /// Number of elements.
            pub const fn len(&self) -> usize {
                (self.span.end - self.span.start) / size_of::<T>()
            }

            /// Whether there are no elements; never, as every axis of a tensor has one.
            pub const fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// First byte and end in the arena.
            pub(crate) const fn span(&self) -> (usize, usize) {
                (self.span.start, self.span.end)
            }
        }
    };
}

port!(
    /// An input of elements `T`; [`Model::input`] gives it, [`Session::write`](crate::Session::write) takes it.
    Input
);
port!(
    /// An output of elements `T`; [`Model::output`] gives it, [`Session::output`](crate::Session::output) takes it.
    Output
);

impl Model<'_> {
    /// Input `index`, whose elements are `T`.
    ///
    /// # Errors
    /// [`PortError`] where there is no such input, or its elements are of another type.
    pub fn input<T: Element>(&self, index: usize) -> Result<Input<T>, PortError> {
        Input::of(self.input_tensor(index).and_then(|tensor| self.tensor(tensor)), index, self.input_count())
    }

    /// Output `index`, whose elements are `T`.
    ///
    /// # Errors
    /// [`PortError`] where there is no such output, or its elements are of another type.
    pub fn output<T: Element>(&self, index: usize) -> Result<Output<T>, PortError> {
        Output::of(self.output_tensor(index).and_then(|tensor| self.tensor(tensor)), index, self.output_count())
    }
}
