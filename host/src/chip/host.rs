//! A session on this machine.

use super::{Activity, Chip, ChipError};
use crate::export::rust::operator_names;
use crate::io::AlignedBytes;
use niwaki_core::{format::Model, ops, session::Session};
use std::fmt::Display;

/// The outputs for each input.
pub(super) fn run(
    model: &[u8],
    inputs: &[Vec<u8>],
    progress: &mut dyn FnMut(Activity<'_>),
) -> Result<Vec<Vec<u8>>, ChipError> {
    let refused = refused(Chip::Host);
    let file = AlignedBytes::from(model);
    let model = Model::verify(&file, ops::ALL).map_err(|error| refused(&error))?;
    let mut arena = AlignedBytes::zeroed(model.arena_bytes());
    let mut session = Session::new(model, &mut arena).map_err(|error| refused(&error))?;
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
        progress(Activity::Ran { done: input_idx + 1, total: inputs.len() });
    }
    Ok(outputs)
}

/// The names in `niwaki_core::ops` of what a model is made of.
///
/// # Errors
/// [`ChipError::Refused`] on behalf of `chip` if this is no model.
pub(super) fn operators(chip: Chip, model: &[u8]) -> Result<Vec<&'static str>, ChipError> {
    let file = AlignedBytes::from(model);
    let model = Model::verify(&file, ops::ALL).map_err(|error| refused(chip)(&error))?;
    Ok(operator_names(&model))
}

fn refused(chip: Chip) -> impl Fn(&dyn Display) -> ChipError {
    move |error| ChipError::Refused { chip: chip.to_string(), reason: error.to_string() }
}
