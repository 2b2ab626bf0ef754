//! The fixed-size records of a `.niwaki` file, to and from bytes. Offsets are in `SPEC.md`.

/// First bytes of a file. The line endings show a transfer in text mode, as PNG's do.
pub const MAGIC: [u8; 8] = *b"NIWAKI\r\n";
/// The version that this crate reads and writes.
pub const VERSION: u16 = 1;
/// Size of [`Header`].
pub const HEADER_BYTES: usize = 64;
/// Size of [`TensorRecord`].
pub const TENSOR_BYTES: usize = 40;
/// Size of [`OperatorRecord`].
pub const OPERATOR_BYTES: usize = 80;
/// Alignment of the file in memory, of the arena, and of every tensor in either.
pub const ALIGN: usize = 16;
/// The tensor index that means "no tensor".
pub const NONE: u16 = 0xFFFF;
/// Words of parameters in an operator record.
pub const PARAM_COUNT: usize = 12;

/// Where each parameter stands in [`OperatorRecord::params`].
pub mod param {
    /// Rows between neighbouring outputs.
    pub const STRIDE_Y: usize = 0;
    /// Columns between neighbouring outputs.
    pub const STRIDE_X: usize = 1;
    /// Rows between neighbouring taps (convolutions).
    pub const DILATION_Y: usize = 2;
    /// Columns between neighbouring taps (convolutions).
    pub const DILATION_X: usize = 3;
    /// Rows of the window (pooling).
    pub const KERNEL_Y: usize = 2;
    /// Columns of the window (pooling).
    pub const KERNEL_X: usize = 3;
    /// Padding rows above.
    pub const PAD_TOP: usize = 4;
    /// Padding rows below.
    pub const PAD_BOTTOM: usize = 5;
    /// Padding columns before.
    pub const PAD_LEFT: usize = 6;
    /// Padding columns after.
    pub const PAD_RIGHT: usize = 7;
    /// Smallest output: a code, or the bits of an f32.
    pub const CLAMP_MIN: usize = 8;
    /// Largest output: a code, or the bits of an f32.
    pub const CLAMP_MAX: usize = 9;
    /// Rows of the kernel (tiled convolutions).
    pub const TILED_KERNEL_Y: usize = 10;
    /// Columns of the kernel (tiled convolutions).
    pub const TILED_KERNEL_X: usize = 11;
    /// Operators of codes without weights: mantissa of the first multiplier; its shift follows, then the next pair.
    pub const MULTIPLIERS: usize = 0;
    /// int16 logistic, tanh: what a code is multiplied by; the number of bits that it is shifted right by follows.
    pub const STEPS: usize = 0;
    /// f32 leaky ReLU: the bits of the slope of the negative side.
    pub const ALPHA: usize = 0;
    /// Mean, sum, arg max: the axes that are reduced, a bit each, bit 0 for the first.
    pub const AXES: usize = 2;
    /// int8 softmax: the smallest difference from the maximum that is not zero.
    pub const DIFFERENCE_MIN: usize = 2;
    /// Pad: elements before the input along the first axis; the other axes follow.
    pub const PAD_BEFORE: usize = 0;
    /// Pad: the border's code, or the bits of an f32.
    pub const PAD_VALUE: usize = 8;
    /// Concat: the axis.
    pub const CONCAT_AXIS: usize = 0;
    /// Slice: first element of the first axis; the other axes follow.
    pub const SLICE_BEGIN: usize = 0;
    /// Slice: elements between neighbours of the first axis, negative backwards; the other axes follow.
    pub const SLICE_STRIDE: usize = 4;
    /// Transpose: the input axis that becomes the first; the other axes follow.
    pub const ORDER: usize = 0;
    /// Propagate: what the node itself counts, with the fraction bits that follow.
    pub const OWN_WEIGHT: usize = 0;
    /// Propagate: fraction bits of the own weight.
    pub const FRACTION_BITS: usize = 1;
    /// Propagate: 0 for a sum, 1 for a mean.
    pub const GATHERING: usize = 2;
    /// Operators that gather: 1 where the graph claims to have every edge in both directions.
    pub const SYMMETRIC: usize = 3;
    /// Attend: number of heads.
    pub const HEADS: usize = 0;
    /// Sparse features times sparse weights: number of features.
    pub const FEATURES: usize = 0;
    /// Resize: 1 where the corner elements lie on each other.
    pub const ALIGN_CORNERS: usize = 0;
    /// Resize: 1 where elements have their value in their middle.
    pub const HALF_PIXEL_CENTERS: usize = 1;
}

/// Element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DType {
    /// 32-bit float.
    F32,
    /// 8-bit integer, two's complement.
    I8,
    /// 32-bit integer, two's complement.
    I32,
    /// 16-bit integer, two's complement.
    I16,
    /// 64-bit integer, two's complement.
    I64,
    /// 16-bit float, IEEE 754 binary16: weights only, computed with as f32.
    F16,
}

impl DType {
    /// The byte that stands for this type.
    pub const fn code(self) -> u8 {
        match self {
            Self::F32 => 1,
            Self::I8 => 2,
            Self::I32 => 3,
            Self::I16 => 4,
            Self::I64 => 5,
            Self::F16 => 6,
        }
    }

    /// The type that `code` stands for.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::F32),
            2 => Some(Self::I8),
            3 => Some(Self::I32),
            4 => Some(Self::I16),
            5 => Some(Self::I64),
            6 => Some(Self::F16),
            _ => None,
        }
    }

    /// Bytes of one element.
    pub const fn element_bytes(self) -> usize {
        match self {
            Self::I8 => 1,
            Self::I16 | Self::F16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::I64 => 8,
        }
    }

    /// `f32`, `i8` and so on.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::I8 => "i8",
            Self::I32 => "i32",
            Self::I16 => "i16",
            Self::I64 => "i64",
            Self::F16 => "f16",
        }
    }
}

/// Where a tensor lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the caller's arena.
    Arena,
    /// In the file's data section.
    Data,
    /// Nowhere: what reads a row of it has that row computed.
    OnDemand,
}

/// Reads little-endian fields one after the other; past the end it reads zeros.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk::<N>() {
            Some((head, rest)) => {
                self.0 = rest;
                *head
            }
            None => [0; N],
        }
    }

    fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.take())
    }

    fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.take())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }
}

/// Writes little-endian fields one after the other; past the end it writes nothing.
struct Writer<'a>(&'a mut [u8]);

impl Writer<'_> {
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        let buffer = core::mem::take(&mut self.0);
        if let Some((head, rest)) = buffer.split_first_chunk_mut::<N>() {
            *head = bytes;
            self.0 = rest;
        }
    }
}

/// The first 64 bytes of a file behind [`MAGIC`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// [`VERSION`]
    pub version: u16,
    /// Bit 0: requantisation rounds once instead of twice.
    pub flags: u16,
    /// CRC-32 of everything behind this field.
    pub checksum: u32,
    /// Size of the file.
    pub file_bytes: u32,
    /// Memory that a session needs.
    pub arena_bytes: u32,
    /// Records in the tensor table.
    pub tensor_count: u16,
    /// Records in the operator table.
    pub operator_count: u16,
    /// Tensors that the caller fills.
    pub input_count: u16,
    /// Tensors that the caller reads.
    pub output_count: u16,
    /// Start of the tensor table.
    pub tensors_offset: u32,
    /// Start of the operator table.
    pub operators_offset: u32,
    /// Start of the list of input and output tensors, u16 each.
    pub io_offset: u32,
    /// Start of the data section.
    pub data_offset: u32,
    /// Size of the data section.
    pub data_bytes: u32,
}

impl Header {
    /// Where the checksummed part starts.
    pub const CHECKSUM_FROM: usize = 16;
    /// First and end of the bytes that must be zero.
    pub(super) const RESERVED: &[(usize, usize)] = &[(52, HEADER_BYTES)];

    /// Reads the fields; nothing is checked.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut r = Reader(bytes.get(MAGIC.len()..).unwrap_or_default());
        Self {
            version: r.u16(),
            flags: r.u16(),
            checksum: r.u32(),
            file_bytes: r.u32(),
            arena_bytes: r.u32(),
            tensor_count: r.u16(),
            operator_count: r.u16(),
            input_count: r.u16(),
            output_count: r.u16(),
            tensors_offset: r.u32(),
            operators_offset: r.u32(),
            io_offset: r.u32(),
            data_offset: r.u32(),
            data_bytes: r.u32(),
        }
    }

    /// The bytes of the header.
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let mut w = Writer(&mut bytes);
        w.put(MAGIC);
        w.put(self.version.to_le_bytes());
        w.put(self.flags.to_le_bytes());
        for word in [self.checksum, self.file_bytes, self.arena_bytes] {
            w.put(word.to_le_bytes());
        }
        for half in [self.tensor_count, self.operator_count, self.input_count, self.output_count] {
            w.put(half.to_le_bytes());
        }
        for word in [self.tensors_offset, self.operators_offset, self.io_offset, self.data_offset, self.data_bytes] {
            w.put(word.to_le_bytes());
        }
        bytes
    }
}

/// One tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TensorRecord {
    /// [`DType::code`]
    pub dtype: u8,
    /// Axes, 0 to 4.
    pub rank: u8,
    /// 0 = arena, 1 = data section.
    pub place: u8,
    /// Sizes; 1 beyond the rank.
    pub dims: [u32; 4],
    /// From the start of the arena or of the data section.
    pub offset: u32,
    /// Size in memory.
    pub bytes: u32,
    /// Real value of one code; 0 where the tensor is not quantised as a whole.
    pub scale: f32,
    /// Code of the real value 0.
    pub zero_point: i32,
}

impl TensorRecord {
    /// First and end of the bytes that must be zero.
    pub(super) const RESERVED: &[(usize, usize)] = &[(3, 4), (36, TENSOR_BYTES)];

    /// Reads the fields; nothing is checked.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut r = Reader(bytes);
        let (dtype, rank, place, _) = (r.u8(), r.u8(), r.u8(), r.u8());
        Self {
            dtype,
            rank,
            place,
            dims: [r.u32(), r.u32(), r.u32(), r.u32()],
            offset: r.u32(),
            bytes: r.u32(),
            scale: f32::from_le_bytes(r.take()),
            zero_point: i32::from_le_bytes(r.take()),
        }
    }

    /// The bytes of the record.
    pub fn to_bytes(&self) -> [u8; TENSOR_BYTES] {
        let mut bytes = [0; TENSOR_BYTES];
        let mut w = Writer(&mut bytes);
        w.put([self.dtype, self.rank, self.place, 0]);
        for word in self.dims.into_iter().chain([self.offset, self.bytes]) {
            w.put(word.to_le_bytes());
        }
        w.put(self.scale.to_le_bytes());
        w.put(self.zero_point.to_le_bytes());
        bytes
    }

    /// Sizes of the axes.
    pub fn shape(&self) -> &[u32] {
        self.dims.get(..self.rank as usize).unwrap_or(&self.dims)
    }

    /// Size of axis `axis`, 1 beyond the rank.
    pub fn dim(&self, axis: usize) -> usize {
        self.shape().get(axis).copied().unwrap_or(1) as usize
    }

    /// Number of elements; saturates.
    #[inline(never)]
    pub fn element_count(&self) -> usize {
        self.shape().iter().fold(1, |n: usize, &d| n.saturating_mul(d as usize))
    }

    /// Element type.
    pub const fn element(&self) -> Option<DType> {
        DType::from_code(self.dtype)
    }

    /// Where the tensor lies.
    pub const fn location(&self) -> Option<Place> {
        match self.place {
            0 => Some(Place::Arena),
            1 => Some(Place::Data),
            2 => Some(Place::OnDemand),
            _ => None,
        }
    }

    /// First byte and end within its place; saturates.
    pub const fn span(&self) -> (usize, usize) {
        (self.offset as usize, (self.offset as usize).saturating_add(self.bytes as usize))
    }
}

/// One operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperatorRecord {
    /// [`OpCode::code`](super::OpCode::code)
    pub code: u8,
    /// [`DType::code`] of the input activations.
    pub dtype: u8,
    /// Tensor indices; [`NONE`] where absent.
    pub inputs: [u16; 6],
    /// Tensor index.
    pub output: u16,
    /// See [`param`].
    pub params: [i32; PARAM_COUNT],
    /// Scratch memory in the arena.
    pub scratch_offset: u32,
    /// Size of the scratch memory.
    pub scratch_bytes: u32,
}

impl OperatorRecord {
    /// First and end of the bytes that must be zero.
    pub(super) const RESERVED: &[(usize, usize)] = &[(72, OPERATOR_BYTES)];

    /// Reads the fields; nothing is checked.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut r = Reader(bytes);
        Self {
            code: r.u8(),
            dtype: r.u8(),
            inputs: core::array::from_fn(|_| r.u16()),
            output: r.u16(),
            params: core::array::from_fn(|_| i32::from_le_bytes(r.take())),
            scratch_offset: r.u32(),
            scratch_bytes: r.u32(),
        }
    }

    /// The bytes of the record.
    pub fn to_bytes(&self) -> [u8; OPERATOR_BYTES] {
        let mut bytes = [0; OPERATOR_BYTES];
        let mut w = Writer(&mut bytes);
        w.put([self.code, self.dtype]);
        for index in self.inputs.into_iter().chain([self.output]) {
            w.put(index.to_le_bytes());
        }
        for word in self.params {
            w.put(word.to_le_bytes());
        }
        w.put(self.scratch_offset.to_le_bytes());
        w.put(self.scratch_bytes.to_le_bytes());
        bytes
    }
}
