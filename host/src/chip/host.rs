//! A session on this machine.

use super::{ChipError, Step};
use niwaki_core::{
    format::{ALIGN, Model},
    session::{Session, operators},
};
use std::fmt::Display;

/// The outputs for each input.
pub(super) fn run(
    model: &[u8],
    inputs: &[Vec<u8>],
    progress: &mut dyn FnMut(Step<'_>),
) -> Result<Vec<Vec<u8>>, ChipError> {
    fn refused(error: impl Display) -> ChipError {
        ChipError::Refused { chip: "host".into(), reason: error.to_string() }
    }
    let mut file = AlignedBytes::zeroed(model.len());
    file.bytes_mut().copy_from_slice(model);
    let model = Model::verify(file.bytes(), operators::ALL).map_err(refused)?;
    let mut arena = AlignedBytes::zeroed(model.arena_bytes());
    let mut session = Session::new(&model, arena.bytes_mut()).map_err(refused)?;
    let expected = (0..model.input_count()).map(|tensor_idx| session.input_bytes_mut(tensor_idx).len()).sum();
    let mut outputs = Vec::with_capacity(inputs.len());
    for (input_idx, input) in inputs.iter().enumerate() {
        if input.len() != expected {
            return Err(ChipError::Input { input_idx, expected, got: input.len() });
        }
        let mut rest = input.as_slice();
        for tensor_idx in 0..model.input_count() {
            let tensor = session.input_bytes_mut(tensor_idx);
            let (bytes, after) = rest.split_at(tensor.len());
            tensor.copy_from_slice(bytes);
            rest = after;
        }
        session.run();
        let tensors = (0..model.output_count()).map(|tensor_idx| session.output_bytes(tensor_idx));
        outputs.push(tensors.collect::<Vec<_>>().concat());
        progress(Step::Ran { done: input_idx + 1, total: inputs.len() });
    }
    Ok(outputs)
}

/// Bytes on the heap at a boundary that models and arenas need.
struct AlignedBytes {
    blocks: Vec<u128>,
    len: usize,
}

const _: () = assert!(align_of::<u128>() >= ALIGN);

impl AlignedBytes {
    fn zeroed(len: usize) -> Self {
        Self { blocks: vec![0; len.div_ceil(size_of::<u128>())], len }
    }

    fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.blocks)[..self.len]
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.blocks)[..self.len]
    }
}
