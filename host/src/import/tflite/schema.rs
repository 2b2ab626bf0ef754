//! The tables of a `.tflite` file (schema version 3) that the importer reads, by their field numbers.
//!
//! Each table is a view into the file, handed out by [`model`] after flatbuffers' verifier followed every offset that
//! a getter here can follow.
#![allow(unsafe_code, reason = "flatbuffers' accessors trust their caller to have verified the buffer; this file does")]

use flatbuffers::{
    Follow, ForwardsUOffset, InvalidFlatbuffer, Table, Vector, Verifiable, Verifier, VerifierOptions, root_with_opts,
};

/// A vector of numbers.
type Numbers<'a, T> = ForwardsUOffset<Vector<'a, T>>;
/// A vector of tables.
type Tables<'a, T> = ForwardsUOffset<Vector<'a, ForwardsUOffset<T>>>;

/// Deeper than any table of the schema lies, and more tables than a network for a microcontroller has.
const LIMITS: VerifierOptions = VerifierOptions {
    max_depth: 16,
    max_tables: 1 << 18,
    max_apparent_size: 1 << 30,
    ignore_missing_null_terminator: true,
};

/// The root of a file.
///
/// # Errors
/// [`InvalidFlatbuffer`] where an offset or a length points outside of `bytes`, or the limits are passed.
pub(super) fn model(bytes: &[u8]) -> Result<Model<'_>, InvalidFlatbuffer> {
    root_with_opts::<Model<'_>>(&LIMITS, bytes)
}

/// The byte of a vtable in which the offset of field `id` stands.
const fn slot(id: u16) -> u16 {
    4 + 2 * id
}

/// Views of tables: `field @ id: type`, with the schema's default where it has one. A getter gives the default, or an
/// `Option`, for a field that the file leaves out.
macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident { $($field:ident @ $id:literal: $type:ty $(= $default:expr)?),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy)]
            pub(super) struct $name<'a>(Table<'a>);

            impl<'a> Follow<'a> for $name<'a> {
                type Inner = Self;
                unsafe fn follow(buf: &'a [u8], loc: usize) -> Self {
                    // SAFETY: the caller vouches for a table of this kind at `loc`.
                    Self(unsafe { Table::new(buf, loc) })
                }
            }

            impl<'a> Verifiable for $name<'a> {
                fn run_verifier(v: &mut Verifier<'_, '_>, pos: usize) -> Result<(), InvalidFlatbuffer> {
                    v.visit_table(pos)?
                        $(.visit_field::<$type>(stringify!($field), slot($id), false)?)*
                        .finish();
                    Ok(())
                }
            }

            impl<'a> $name<'a> {
                $(tables!(@getter 'a $field $id $type $(= $default)?);)*
            }
        )*
    };
    (@getter $a:lifetime $field:ident $id:literal $type:ty = $default:expr) => {
        pub(super) fn $field(&self) -> $type {
            // SAFETY: the view exists only after the verifier found a value of this type in this field, or none.
            unsafe { self.0.get::<$type>(slot($id), None) }.unwrap_or($default)
        }
    };
    (@getter $a:lifetime $field:ident $id:literal $type:ty) => {
        pub(super) fn $field(&self) -> Option<<$type as Follow<$a>>::Inner> {
            // SAFETY: the view exists only after the verifier found a value of this type in this field, or none.
            unsafe { self.0.get::<$type>(slot($id), None) }
        }
    };
}

tables! {
    /// The file.
    Model {
        operator_codes @ 1: Tables<'a, OperatorCode<'a>>,
        subgraphs @ 2: Tables<'a, SubGraph<'a>>,
        buffers @ 4: Tables<'a, Buffer<'a>>,
    }
    /// What an operator is; new codes stand in `builtin_code`, old writers fill `deprecated_builtin_code` alone.
    OperatorCode {
        deprecated_builtin_code @ 0: i8 = 0,
        custom_code @ 1: Numbers<'a, u8>,
        builtin_code @ 3: i32 = 0,
    }
    /// A network.
    SubGraph {
        tensors @ 0: Tables<'a, Tensor<'a>>,
        inputs @ 1: Numbers<'a, i32>,
        outputs @ 2: Numbers<'a, i32>,
        operators @ 3: Tables<'a, Operator<'a>>,
        name @ 4: Numbers<'a, u8>,
    }
    /// Where the bytes of constants are.
    Buffer {
        data @ 0: Numbers<'a, u8>,
        offset @ 1: u64 = 0,
    }
    /// A tensor.
    Tensor {
        shape @ 0: Numbers<'a, i32>,
        element @ 1: i8 = 0,
        buffer @ 2: u32 = 0,
        name @ 3: Numbers<'a, u8>,
        quantization @ 4: ForwardsUOffset<Quantization<'a>>,
        is_variable @ 5: u8 = 0,
        // The offset itself: only whether there is a table of sparsity is of interest.
        sparsity @ 6: u32 = 0,
    }
    /// Scale and zero point, of a tensor or of each index of one axis.
    Quantization {
        scale @ 2: Numbers<'a, f32>,
        zero_point @ 3: Numbers<'a, i64>,
        quantized_dimension @ 6: i32 = 0,
    }

    Conv2dOptions {
        padding @ 0: i8 = 0,
        stride_w @ 1: i32 = 0,
        stride_h @ 2: i32 = 0,
        activation @ 3: i8 = 0,
        dilation_w @ 4: i32 = 1,
        dilation_h @ 5: i32 = 1,
    }
    DepthwiseConv2dOptions {
        padding @ 0: i8 = 0,
        stride_w @ 1: i32 = 0,
        stride_h @ 2: i32 = 0,
        activation @ 4: i8 = 0,
        dilation_w @ 5: i32 = 1,
        dilation_h @ 6: i32 = 1,
    }
    TransposeConvOptions {
        padding @ 0: i8 = 0,
        stride_w @ 1: i32 = 0,
        stride_h @ 2: i32 = 0,
        activation @ 3: i8 = 0,
    }
    FullyConnectedOptions {
        activation @ 0: i8 = 0,
        weights_format @ 1: i8 = 0,
    }
    Pool2dOptions {
        padding @ 0: i8 = 0,
        stride_w @ 1: i32 = 0,
        stride_h @ 2: i32 = 0,
        filter_w @ 3: i32 = 0,
        filter_h @ 4: i32 = 0,
        activation @ 5: i8 = 0,
    }
    AddOptions { activation @ 0: i8 = 0 }
    SubOptions { activation @ 0: i8 = 0 }
    MulOptions { activation @ 0: i8 = 0 }
    ReducerOptions { keep_dims @ 0: u8 = 0 }
    SoftmaxOptions { beta @ 0: f32 = 0.0 }
    LeakyReluOptions { alpha @ 0: f32 = 0.0 }
    ConcatenationOptions {
        axis @ 0: i32 = 0,
        activation @ 1: i8 = 0,
    }
    StridedSliceOptions {
        begin_mask @ 0: i32 = 0,
        end_mask @ 1: i32 = 0,
        ellipsis_mask @ 2: i32 = 0,
        new_axis_mask @ 3: i32 = 0,
        shrink_axis_mask @ 4: i32 = 0,
        offset @ 5: u8 = 0,
    }
    ResizeNearestOptions {
        align_corners @ 0: u8 = 0,
        half_pixel_centers @ 1: u8 = 0,
    }
    ResizeBilinearOptions {
        align_corners @ 2: u8 = 0,
        half_pixel_centers @ 3: u8 = 0,
    }
    /// What an operator does to which tensors; its options are a table of one of many kinds.
    OperatorFields {
        opcode_index @ 0: u32 = 0,
        inputs @ 1: Numbers<'a, i32>,
        outputs @ 2: Numbers<'a, i32>,
        options_kind @ 3: u8 = 0,
    }
}

/// An operator: its fields, and its options as the table that `options_kind` says they are.
#[derive(Clone, Copy)]
pub(super) struct Operator<'a>(Table<'a>);

/// A kind of operator options.
pub(super) trait BuiltinOptions<'a>: Follow<'a, Inner = Self> + Sized + 'a {
    /// The value of the union's discriminant.
    const KIND: u8;
}

macro_rules! options {
    ($($name:ident = $kind:literal),* $(,)?) => {
        $(impl<'a> BuiltinOptions<'a> for $name<'a> {
            const KIND: u8 = $kind;
        })*

        /// Verifies the options at `pos`; a kind that no operator here reads is never followed.
        fn verify_options(kind: u8, v: &mut Verifier<'_, '_>, pos: usize) -> Result<(), InvalidFlatbuffer> {
            match kind {
                $($kind => v.verify_union_variant::<ForwardsUOffset<$name<'_>>>(stringify!($name), pos),)*
                _ => Ok(()),
            }
        }
    };
}

options! {
    Conv2dOptions = 1,
    DepthwiseConv2dOptions = 2,
    Pool2dOptions = 5,
    FullyConnectedOptions = 8,
    SoftmaxOptions = 9,
    ConcatenationOptions = 10,
    AddOptions = 11,
    ResizeBilinearOptions = 15,
    MulOptions = 21,
    ReducerOptions = 27,
    SubOptions = 28,
    StridedSliceOptions = 32,
    TransposeConvOptions = 49,
    ResizeNearestOptions = 74,
    LeakyReluOptions = 75,
}

impl<'a> Follow<'a> for Operator<'a> {
    type Inner = Self;
    unsafe fn follow(buf: &'a [u8], loc: usize) -> Self {
        // SAFETY: the caller vouches for a table of this kind at `loc`.
        Self(unsafe { Table::new(buf, loc) })
    }
}

impl Verifiable for Operator<'_> {
    fn run_verifier(v: &mut Verifier<'_, '_>, pos: usize) -> Result<(), InvalidFlatbuffer> {
        OperatorFields::run_verifier(v, pos)?;
        let mut table = v.visit_table(pos)?;
        if let (Some(kind), Some(options)) = (table.deref(slot(3))?, table.deref(slot(4))?) {
            let kind = table.verifier().get_u8(kind)?;
            verify_options(kind, table.verifier(), options)?;
        }
        table.finish();
        Ok(())
    }
}

impl<'a> Operator<'a> {
    /// Everything but the options.
    pub(super) fn fields(&self) -> OperatorFields<'a> {
        OperatorFields(self.0)
    }

    /// The options, if they are there and of kind `T`.
    pub(super) fn options<T: BuiltinOptions<'a>>(&self) -> Option<T> {
        if self.fields().options_kind() != T::KIND {
            return None;
        }
        // SAFETY: the view exists only after the verifier found a table of the kind that `options_kind` says.
        unsafe { self.0.get::<ForwardsUOffset<T>>(slot(4), None) }
    }
}
