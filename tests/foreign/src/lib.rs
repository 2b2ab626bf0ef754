//! One inference with the exported module and nothing but core.
#![no_std]

pub mod model;

use niwaki_core::{Aligned, Model, Session};

const _: () = assert!(model::input::LEN == model::input::SHAPE[0] * model::input::SHAPE[1] * model::input::SHAPE[2]);

/// Writes the output for `x` to `y`; whether the model could be used and both lengths fit.
pub fn infer(x: &[model::input::Element], y: &mut [model::output::Element]) -> bool {
    let mut arena = Aligned([0; model::ARENA_BYTES]);
    let Ok(network) = Model::verify(&*model::MODEL, model::OPERATORS) else { return false };
    let (Ok(input), Ok(output)) = (network.input(0), network.output(0)) else { return false };
    let Ok(mut session) = Session::new(network, &mut *arena) else { return false };
    if input.len() != model::input::LEN || y.len() != output.len() || session.write(input, x).is_err() {
        return false;
    }
    session.run();
    y.copy_from_slice(session.output(output));
    true
}
