//! Changing records of a `.niwaki` file in place, and correcting its checksum.

use niwaki::io::AlignedBytes;
use niwaki_core::format::{HEADER_BYTES, Header, OPERATOR_BYTES, OperatorRecord, TENSOR_BYTES, TensorRecord, crc32};
use niwaki_core::ops::{Layout, Op, OpCode};

/// A file to be changed.
#[derive(Debug, Clone)]
pub struct Editor {
    /// The file.
    pub bytes: Vec<u8>,
}

impl Editor {
    /// A copy of `file`.
    pub fn new(file: &[u8]) -> Self {
        Self { bytes: file.to_vec() }
    }

    /// The header as it is now.
    pub fn header(&self) -> Header {
        Header::from_bytes(&self.bytes)
    }

    /// Changes the header.
    pub fn edit_header(&mut self, edit: impl FnOnce(&mut Header)) {
        let mut header = self.header();
        edit(&mut header);
        // The magic and the reserved bytes stay as they are.
        self.bytes[8..52].copy_from_slice(&header.to_bytes()[8..52]);
    }

    /// Where the record of a tensor starts.
    pub fn tensor_at(&self, index: u16) -> usize {
        self.header().tensors_offset as usize + usize::from(index) * TENSOR_BYTES
    }

    /// The record of a tensor.
    pub fn tensor(&self, index: u16) -> TensorRecord {
        TensorRecord::from_bytes(&self.bytes[self.tensor_at(index)..])
    }

    /// Changes the record of a tensor.
    pub fn edit_tensor(&mut self, index: u16, edit: impl FnOnce(&mut TensorRecord)) {
        let mut tensor = self.tensor(index);
        edit(&mut tensor);
        let at = self.tensor_at(index);
        self.bytes[at..at + TENSOR_BYTES].copy_from_slice(&tensor.to_bytes());
    }

    /// Where the record of an operator starts.
    pub fn operator_at(&self, index: u16) -> usize {
        self.header().operators_offset as usize + usize::from(index) * OPERATOR_BYTES
    }

    /// The record of an operator.
    pub fn operator(&self, index: u16) -> OperatorRecord {
        OperatorRecord::from_bytes(&self.bytes[self.operator_at(index)..])
    }

    /// Changes the record of an operator.
    pub fn edit_operator(&mut self, index: u16, edit: impl FnOnce(&mut OperatorRecord)) {
        let mut operator = self.operator(index);
        edit(&mut operator);
        let at = self.operator_at(index);
        self.bytes[at..at + OPERATOR_BYTES].copy_from_slice(&operator.to_bytes());
    }

    /// The first operator of a kind.
    pub fn find(&self, code: impl Into<OpCode>) -> u16 {
        let byte = code.into().byte();
        let mut indices = 0..self.header().operator_count;
        indices.find(|&index| self.operator(index).code == byte).expect("the model has such an operator")
    }

    /// The start of entry `index` of the list of inputs and outputs.
    pub fn io_at(&self, index: usize) -> usize {
        self.header().io_offset as usize + index * 2
    }

    /// Changes an entry of the list of inputs and outputs.
    pub fn edit_io(&mut self, index: usize, tensor: u16) {
        let at = self.io_at(index);
        self.bytes[at..at + 2].copy_from_slice(&tensor.to_le_bytes());
    }

    /// Bytes of a constant tensor.
    pub fn data_mut(&mut self, tensor: u16) -> &mut [u8] {
        let (start, end) = self.tensor(tensor).span();
        let base = self.header().data_offset as usize;
        &mut self.bytes[base + start..base + end]
    }

    /// Corrects the checksum.
    pub fn seal(&mut self) {
        if self.bytes.len() >= HEADER_BYTES {
            let checksum = crc32(&self.bytes[Header::CHECKSUM_FROM..]);
            self.bytes[12..Header::CHECKSUM_FROM].copy_from_slice(&checksum.to_le_bytes());
        }
    }

    /// The file at the boundary that a model needs.
    pub fn aligned(&self) -> AlignedBytes {
        AlignedBytes::from(self.bytes.as_slice())
    }
}

/// The code of an operator whose weights lie in `layout`.
///
/// # Panics
/// The operator has no such layout.
pub fn layer(op: Op, layout: Layout) -> OpCode {
    OpCode::of(op, layout).expect("the operator has this layout")
}
