//! The errors of core: one `Copy` enum for each function that checks, made of numbers and static names.

use core::fmt;

/// Why a geometry or an operand was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ShapeError {
    /// A size is zero or too large.
    Dim {
        /// The quantity.
        name: &'static str,
        /// What it was.
        value: usize,
    },
    /// The dilated kernel does not fit into the padded input.
    Window {
        /// Input elements that the dilated kernel spans.
        extent: usize,
        /// Input elements with padding.
        padded: usize,
    },
    /// An operand has the wrong number of elements.
    Len {
        /// The operand.
        operand: &'static str,
        /// Elements that the geometry asks for.
        expected: usize,
        /// Elements that were given.
        got: usize,
    },
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Dim { name, value } => write!(f, "{name} = {value} is out of range"),
            Self::Window { extent, padded } => {
                write!(f, "the kernel spans {extent} elements but the padded input has {padded}")
            }
            Self::Len { operand, expected, got } => {
                write!(f, "{operand} has {got} elements, expected {expected}")
            }
        }
    }
}

impl core::error::Error for ShapeError {}

/// A place at an operator that takes a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Operand {
    /// The operand at this position.
    Input(usize),
    /// What is written.
    Output,
    /// Working memory.
    Scratch,
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(position) => write!(f, "operand {position}"),
            Self::Output => f.write_str("the output"),
            Self::Scratch => f.write_str("the working memory"),
        }
    }
}

/// Why an operator of a file was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum OperatorError {
    /// An operand is absent.
    Missing {
        /// The operand.
        operand: Operand,
    },
    /// An operand must be a constant of a given type.
    Constant {
        /// Operand position.
        operand: usize,
        /// The type.
        expected: &'static str,
    },
    /// An operand must be an activation of a given type and rank.
    Activation {
        /// The operand.
        operand: Operand,
        /// What it must be.
        expected: &'static str,
    },
    /// A parameter is out of range.
    Param {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: i32,
    },
    /// Sizes do not fit together.
    Shape(ShapeError),
    /// A graph or sparse matrix breaks its rules.
    Graph(GraphError),
}

impl fmt::Display for OperatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Missing { operand } => write!(f, "{operand} is missing"),
            Self::Constant { operand, expected } => {
                write!(f, "operand {operand} must be constant data of type {expected}")
            }
            Self::Activation { operand, expected } => write!(f, "{operand} must be {expected}"),
            Self::Param { name, value } => write!(f, "{name} = {value} is out of range"),
            Self::Shape(error) => error.fmt(f),
            Self::Graph(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for OperatorError {}

impl From<ShapeError> for OperatorError {
    fn from(error: ShapeError) -> Self {
        Self::Shape(error)
    }
}

/// Why `Model::verify` refused a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum VerifyError {
    /// The file is shorter or longer than it says.
    Truncated {
        /// Bytes that there should be.
        expected: usize,
        /// Bytes that there are.
        got: usize,
    },
    /// The first byte is not at a 16-byte boundary.
    Misaligned,
    /// Not a `.niwaki` file.
    Magic {
        /// The first bytes.
        got: [u8; 8],
    },
    /// A version that this crate does not read.
    Version {
        /// The file's version.
        got: u16,
    },
    /// The content was changed after it was written.
    Checksum {
        /// What the file says.
        stored: u32,
        /// What it is.
        computed: u32,
    },
    /// A header field is out of range.
    Header {
        /// Field name in SPEC.md.
        field: &'static str,
        /// Its value.
        value: u32,
    },
    /// A field of a tensor record is out of range.
    Tensor {
        /// Tensor index.
        tensor: u16,
        /// Field name in SPEC.md.
        field: &'static str,
        /// Its value (bits).
        value: u32,
    },
    /// An entry of the input or output list is not a tensor in the arena.
    Io {
        /// `inputs` or `outputs`.
        field: &'static str,
        /// Position in the list.
        index: u16,
        /// The entry.
        tensor: u32,
    },
    /// A field of an operator record is out of range.
    Operator {
        /// Operator index.
        operator: u16,
        /// Field name in SPEC.md.
        field: &'static str,
        /// Its value.
        value: u32,
    },
    /// No kernel was named for this operator.
    Unsupported {
        /// Operator index.
        operator: u16,
        /// Operator code.
        code: u8,
        /// Element type code.
        dtype: u8,
    },
    /// The operands do not fit the operator.
    Operand {
        /// Operator index.
        operator: u16,
        /// What does not fit.
        error: OperatorError,
    },
    /// The operators that may run are not in the order of [`crate::ops::ALL`], or one stands there twice.
    Operators {
        /// The first one that stands too late.
        position: usize,
    },
    /// Two inputs of the model share memory.
    Inputs {
        /// Their tensor indices.
        tensors: [u16; 2],
    },
    /// An operator writes over a tensor that is still needed.
    Overlap {
        /// Operator index.
        operator: u16,
        /// The tensor that is needed.
        tensor: u16,
        /// The tensor that is written over it.
        writes: u16,
    },
    /// A tensor is read before anything wrote it.
    Unwritten {
        /// Operator index.
        operator: u16,
        /// Tensor index.
        tensor: u16,
    },
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { expected, got } => write!(f, "file_bytes: expected {expected} bytes, got {got}"),
            Self::Misaligned => f.write_str("the model must start at a 16-byte boundary"),
            Self::Magic { .. } => f.write_str("magic: not a .niwaki file"),
            Self::Version { got } => write!(f, "version = {got} is not supported (this build reads version 1)"),
            Self::Checksum { stored, computed } => {
                write!(f, "checksum: the file says {stored:#010x} but its content gives {computed:#010x}")
            }
            Self::Header { field, value } => write!(f, "header: {field} = {value} is out of range"),
            Self::Tensor { tensor, field, value } => write!(f, "tensor {tensor}: {field} = {value} is out of range"),
            Self::Io { field, index, tensor } => {
                write!(f, "{field}[{index}] = {tensor} is not a tensor in the arena")
            }
            Self::Operator { operator, field, value } => {
                write!(f, "operator {operator}: {field} = {value} is out of range")
            }
            Self::Unsupported { operator, code, dtype } => {
                write!(f, "operator {operator}: code = {code} with dtype = {dtype} has no kernel in this build")
            }
            Self::Operand { operator, error } => write!(f, "operator {operator}: {error}"),
            Self::Operators { position } => {
                write!(f, "operators[{position}] stands too late: list them in the order of niwaki_core::ops::ALL")
            }
            Self::Inputs { tensors: [a, b] } => write!(f, "offset: inputs {a} and {b} share memory"),
            Self::Overlap { operator, tensor, writes } => {
                write!(
                    f,
                    "offset: operator {operator} writes tensor {writes} over tensor {tensor}, which is still needed"
                )
            }
            Self::Unwritten { operator, tensor } => {
                write!(f, "operator {operator}: inputs: tensor {tensor} is read before anything writes it")
            }
        }
    }
}

impl core::error::Error for VerifyError {}

/// Why `Session::new` could not start a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SessionError {
    /// The arena is smaller than the model needs.
    ArenaTooSmall {
        /// Bytes that the model needs.
        needed: usize,
        /// Bytes that were given.
        got: usize,
    },
    /// The arena does not start at a 16-byte boundary.
    ArenaMisaligned,
    /// A frame has another length than its input.
    Frame {
        /// Elements of the input.
        expected: usize,
        /// Elements that were given.
        got: usize,
    },
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ArenaTooSmall { needed, got } => write!(f, "the arena has {got} bytes, the model needs {needed}"),
            Self::ArenaMisaligned => f.write_str("the arena must start at a 16-byte boundary (wrap it in `Aligned`)"),
            Self::Frame { expected, got } => write!(f, "the frame has {got} elements, the input {expected}"),
        }
    }
}

impl core::error::Error for SessionError {}

/// Why a model has no such input or output; `Model::input`, `Model::output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PortError {
    /// There are fewer.
    Missing {
        /// The position that was asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// Its elements are of another type.
    Type {
        /// The position.
        index: usize,
        /// The type of its elements.
        has: &'static str,
        /// The type that was asked for.
        asked: &'static str,
    },
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Missing { index, count } => write!(f, "there are {count}, none at position {index}"),
            Self::Type { index, has, asked } => write!(f, "position {index} has elements of {has}, not {asked}"),
        }
    }
}

impl core::error::Error for PortError {}

/// Why a description of groups, or an operand that it describes, was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum GroupError {
    /// There is no group, or a loop of the description runs zero times.
    Empty,
    /// The loops reach an element twice: it would be counted and scaled twice.
    Overlap,
    /// The part is shorter than the elements that the loops reach.
    Part {
        /// Elements that the loops span.
        span: usize,
        /// Elements that were given.
        got: usize,
    },
    /// An array with one entry a group has the wrong length.
    Len {
        /// The operand.
        operand: &'static str,
        /// Groups.
        expected: usize,
        /// Entries that were given.
        got: usize,
    },
    /// Blocks do not divide a side of the matrix.
    Ragged {
        /// Rows or columns of the matrix.
        size: usize,
        /// Rows or columns of a block.
        block: usize,
    },
    /// The starts of index sets do not begin at 0, do not rise, or do not end at the number of indices.
    Starts {
        /// The entry.
        position: usize,
    },
    /// The indices of a set do not rise.
    Order {
        /// The set.
        set: usize,
    },
    /// An index is outside the part.
    Range {
        /// The index.
        index: usize,
        /// Elements of the part.
        len: usize,
    },
    /// An index is in two sets.
    Shared {
        /// The index.
        index: usize,
    },
    /// The scratch in which index sets are checked is too short.
    Scratch {
        /// Words that the check needs.
        expected: usize,
        /// Words that were given.
        got: usize,
    },
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => f.write_str("a loop of the group layout has length 0"),
            Self::Overlap => f.write_str("the loops of the group layout reach one element twice"),
            Self::Part { span, got } => write!(f, "the groups span {span} elements but the part has {got}"),
            Self::Len { operand, expected, got } => write!(f, "{operand} has {got} entries for {expected} groups"),
            Self::Ragged { size, block } => {
                write!(f, "blocks of {block} do not divide {size}; pad the matrix or list the blocks as index sets")
            }
            Self::Starts { position } => {
                write!(f, "starts[{position}]: starts begin with 0, rise and end with the number of indices")
            }
            Self::Order { set } => write!(f, "the indices of set {set} must rise"),
            Self::Range { index, len } => write!(f, "index {index} is outside the part of {len} elements"),
            Self::Shared { index } => write!(f, "index {index} is in two sets"),
            Self::Scratch { expected, got } => write!(f, "seen has {got} words, the check needs {expected}"),
        }
    }
}

impl core::error::Error for GroupError {}

/// Why a proximal operator was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ProxError {
    /// An array with one entry a group has the wrong length.
    Len {
        /// The operand.
        operand: &'static str,
        /// Groups.
        expected: usize,
        /// Entries that were given.
        got: usize,
    },
    /// The weight of a group is not a positive finite number.
    Weight {
        /// The group.
        group: usize,
    },
    /// The cost of a group is not a positive finite number.
    Cost {
        /// The group.
        group: usize,
    },
    /// The budget is negative or not finite.
    Budget,
    /// The step times the penalty is negative or not finite.
    Lambda,
    /// The half-space constant is outside `[0, 1)`.
    Epsilon,
    /// The memory of a solver is too short.
    Scratch {
        /// The operand.
        operand: &'static str,
        /// Elements that the solver needs.
        expected: usize,
        /// Elements that were given.
        got: usize,
    },
}

impl fmt::Display for ProxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Len { operand, expected, got } => write!(f, "{operand} has {got} entries for {expected} groups"),
            Self::Weight { group } => write!(f, "the weight of group {group} is not a positive finite number"),
            Self::Cost { group } => write!(f, "the cost of group {group} is not a positive finite number"),
            Self::Budget => f.write_str("the budget is negative or not finite"),
            Self::Lambda => f.write_str("lambda is negative or not finite"),
            Self::Epsilon => f.write_str("the half-space constant epsilon is not in [0, 1)"),
            Self::Scratch { operand, expected, got } => {
                write!(f, "{operand} has {got} elements, the solver needs {expected}")
            }
        }
    }
}

impl core::error::Error for ProxError {}

/// Why an optimizer step was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum OptimError {
    /// An operand has another length than the values.
    Len {
        /// The operand.
        operand: &'static str,
        /// Elements of the values.
        expected: usize,
        /// Elements that were given.
        got: usize,
    },
    /// The rule keeps another number of slices of state.
    Slots {
        /// Slices that it keeps.
        expected: usize,
        /// Slices that were given.
        got: usize,
    },
    /// A hyper-parameter is outside the range in which the step is defined.
    Hyper {
        /// The hyper-parameter.
        name: &'static str,
    },
}

impl fmt::Display for OptimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Len { operand, expected, got } => {
                write!(f, "{operand} has {got} elements but there are {expected} values")
            }
            Self::Slots { expected, got } => write!(f, "the rule keeps {expected} slices of state, {got} were given"),
            Self::Hyper { name } => write!(f, "{name} is out of range"),
        }
    }
}

impl core::error::Error for OptimError {}

/// Why a graph, or an operand of one, was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum GraphError {
    /// A matrix without rows or without columns.
    Empty {
        /// Rows or columns.
        what: &'static str,
    },
    /// Row offsets do not begin at 0, fall, or do not end at the number of indices.
    Offsets {
        /// The entry.
        position: usize,
    },
    /// An index is outside the columns.
    Range {
        /// The row.
        row: usize,
        /// The index.
        index: usize,
        /// Columns.
        columns: usize,
    },
    /// The indices of a row do not rise.
    Order {
        /// The row.
        row: usize,
    },
    /// A graph does not have as many rows as columns.
    Square {
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
    },
    /// An edge is there in one direction only.
    Asymmetric {
        /// The node that gathers.
        from: usize,
        /// The node that is gathered.
        to: usize,
    },
    /// An operand has the wrong number of elements.
    Len {
        /// The operand.
        operand: &'static str,
        /// Elements that the graph asks for.
        expected: usize,
        /// Elements that were given.
        got: usize,
    },
    /// The heads do not divide the channels.
    Heads {
        /// Heads.
        heads: usize,
        /// Channels.
        channels: usize,
    },
    /// A class is out of range.
    Class {
        /// The entry of the labels.
        position: usize,
        /// The class.
        class: usize,
        /// Classes.
        classes: usize,
    },
    /// A hyper-parameter is outside the range in which a rule is defined.
    Hyper {
        /// The hyper-parameter.
        name: &'static str,
    },
    /// A map does not contract: the absolute values of a row sum up to more than 1.
    Contraction {
        /// The row.
        row: usize,
    },
    /// A fixed point was not reached.
    Diverged {
        /// Steps that were taken.
        steps: usize,
    },
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty { what } => write!(f, "the graph has no {what}"),
            Self::Offsets { position } => {
                write!(f, "offsets[{position}]: offsets begin with 0, never fall and end with the number of indices")
            }
            Self::Range { row, index, columns } => write!(f, "row {row} has index {index}, but there are {columns}"),
            Self::Order { row } => write!(f, "the indices of row {row} must rise, without doubles"),
            Self::Square { rows, columns } => write!(f, "a graph of {rows} rows cannot have {columns} columns"),
            Self::Asymmetric { from, to } => write!(f, "edge {from} -> {to} is there, {to} -> {from} is not"),
            Self::Len { operand, expected, got } => write!(f, "{operand} has {got} elements, expected {expected}"),
            Self::Heads { heads, channels } => write!(f, "{heads} heads do not divide {channels} channels"),
            Self::Class { position, class, classes } => {
                write!(f, "labels[{position}] is class {class}, but there are {classes}")
            }
            Self::Hyper { name } => write!(f, "{name} is out of range"),
            Self::Contraction { row } => {
                write!(f, "the absolute values of row {row} sum up to more than 1: the map does not contract")
            }
            Self::Diverged { steps } => write!(f, "no fixed point was reached in {steps} steps"),
        }
    }
}

impl core::error::Error for GraphError {}
