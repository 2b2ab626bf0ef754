//! One inference with the exported module and nothing but core.
#![no_std]

pub mod model;

use niwaki_core::format::{Aligned, Model};
use niwaki_core::session::Session;

const _: () = assert!(model::input::LEN == model::input::SHAPE[0] * model::input::SHAPE[1] * model::input::SHAPE[2]);

/// Writes the output for `x` to `y`; whether the model could be used and both lengths fit.
pub fn infer(x: &[model::input::Element], y: &mut [model::output::Element]) -> bool {
    let mut arena = Aligned([0; model::ARENA_BYTES]);
    let Ok(network) = Model::verify(&*model::MODEL, model::OPERATORS) else { return false };
    let Ok(mut session) = Session::new(&network, &mut *arena) else { return false };
    let input: &mut [model::input::Element] = session.input_mut(0);
    if input.len() != x.len() || input.len() != model::input::LEN || y.len() != model::output::LEN {
        return false;
    }
    input.copy_from_slice(x);
    session.run();
    y.copy_from_slice(session.output(0));
    true
}
