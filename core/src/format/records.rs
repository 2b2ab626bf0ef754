//! The fixed-size records of a `.niwaki` file, read where they lie. Offsets are in `SPEC.md`.

use bytemuck::{Pod, Zeroable};

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

/// The parameter words of an operator; what each one means is said by the operator's file in `ops`.
pub type Params = [i32; PARAM_COUNT];

/// Element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u8)]
pub enum DType {
    /// 32-bit float.
    F32 = 1,
    /// 8-bit integer, two's complement.
    I8 = 2,
    /// 32-bit integer, two's complement.
    I32 = 3,
    /// 16-bit integer, two's complement.
    I16 = 4,
    /// 64-bit integer, two's complement.
    I64 = 5,
    /// 16-bit float, IEEE 754 binary16: weights only, computed with as f32.
    F16 = 6,
}

impl DType {
    /// The byte that stands for this type.
    pub const fn code(self) -> u8 {
        self as u8
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
#[repr(u8)]
pub enum Place {
    /// In the caller's arena.
    Arena = 0,
    /// In the file's data section.
    Data = 1,
    /// Nowhere: what reads a row of it has that row computed.
    OnDemand = 2,
}

/// Copies a record from the start of `bytes`; zeros past their end.
fn copied<T: Pod>(bytes: &[u8]) -> T {
    let mut record = T::zeroed();
    bytemuck::bytes_of_mut(&mut record).iter_mut().zip(bytes).for_each(|(to, &from)| *to = from);
    record
}

/// The first byte that is not zero, or zero.
fn used(reserved: &[u8]) -> u32 {
    reserved.iter().copied().find(|&byte| byte != 0).unwrap_or(0).into()
}

/// The first 64 bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`]
    pub magic: [u8; 8],
    /// [`VERSION`]
    pub version: u16,
    /// Bit 0: requantisation rounds once instead of twice.
    pub flags: u16,
    /// CRC-32 of everything after this field.
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
    /// Zeros.
    pub reserved: [u8; 12],
}

impl Header {
    /// Where the checksummed part starts.
    pub const CHECKSUM_FROM: usize = 16;

    /// A header with [`MAGIC`] and [`VERSION`], and zeros elsewhere.
    pub fn new() -> Self {
        Self { magic: MAGIC, version: VERSION, ..Self::zeroed() }
    }

    /// Reads the fields; nothing is checked.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        copied(bytes)
    }

    /// The bytes of the header.
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        bytemuck::cast(*self)
    }

    pub(super) fn used_reserve(&self) -> u32 {
        used(&self.reserved)
    }
}

impl Default for Header {
    fn default() -> Self {
        Self::new()
    }
}

/// One tensor.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub struct TensorRecord {
    /// [`DType::code`]
    pub dtype: u8,
    /// Axes, 0 to 4.
    pub rank: u8,
    /// 0 = arena, 1 = data section, 2 = on demand.
    pub place: u8,
    /// Zero.
    pub reserved: u8,
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
    /// Zeros.
    pub reserved_end: [u8; 4],
}

impl TensorRecord {
    /// Reads the fields; nothing is checked.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        copied(bytes)
    }

    /// The bytes of the record.
    pub fn to_bytes(&self) -> [u8; TENSOR_BYTES] {
        bytemuck::cast(*self)
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

    /// Whether the tensor lies in `place`.
    pub(crate) const fn is_in(&self, place: Place) -> bool {
        self.place == place as u8
    }

    /// First byte and end within its place; saturates.
    pub const fn span(&self) -> (usize, usize) {
        (self.offset as usize, (self.offset as usize).saturating_add(self.bytes as usize))
    }

    pub(super) fn used_reserve(&self) -> u32 {
        let Self { reserved, reserved_end: [a, b, c, d], .. } = *self;
        used(&[reserved, a, b, c, d])
    }
}

impl Default for TensorRecord {
    fn default() -> Self {
        Self::zeroed()
    }
}

/// One operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct OperatorRecord {
    /// What is computed, and how its weights lie.
    pub code: u8,
    /// [`DType::code`] of the input activations.
    pub dtype: u8,
    /// Tensor indices; [`NONE`] where absent.
    pub inputs: [u16; 6],
    /// Tensor index.
    pub output: u16,
    /// What the operator's file in `ops` says.
    pub params: Params,
    /// Scratch memory in the arena.
    pub scratch_offset: u32,
    /// Size of the scratch memory.
    pub scratch_bytes: u32,
    /// Zeros.
    pub reserved: [u8; 8],
}

impl OperatorRecord {
    /// Reads the fields; nothing is checked.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        copied(bytes)
    }

    /// The bytes of the record.
    pub fn to_bytes(&self) -> [u8; OPERATOR_BYTES] {
        bytemuck::cast(*self)
    }

    /// First byte and end of the scratch memory; an empty one may lie anywhere.
    pub(crate) const fn scratch(&self) -> (usize, usize) {
        if self.scratch_bytes == 0 {
            return (0, 0);
        }
        (self.scratch_offset as usize, (self.scratch_offset as usize).saturating_add(self.scratch_bytes as usize))
    }

    pub(super) fn used_reserve(&self) -> u32 {
        used(&self.reserved)
    }
}

impl Default for OperatorRecord {
    fn default() -> Self {
        Self { inputs: [NONE; 6], ..Self::zeroed() }
    }
}
