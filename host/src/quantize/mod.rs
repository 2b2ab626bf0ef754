//! Quantisation: a float network becomes an int8 one, with weights of eight or four bits, or of sixteen values.
//!
//! [`quantize`] goes through what a recipe asks for, in this order: batch norms folded and clamps fused (`fold`),
//! weights equalised between layers ([`equalize`]), scales chosen (`calibrate`, `scheme`), then layer by layer the
//! codes and biases that suit the samples best (`refine`). Over the nodes of a graph, some scales are by node (`nodes`).
//!
//! Activations have one scale and a zero point each, weights one scale a filter (or one a layer) and codes
//! `-127..=127` or `-7..=7`, or sixteen of the former (`codebook`); biases are int32 in units of the product of both scales (specs/integer_arithmetic.md §1).

mod calibrate;
mod codebook;
mod codes;
mod equalize;
mod error;
pub mod fidelity;
mod fold;
mod histogram;
mod nodes;
pub mod options;
mod patches;
mod reconstruct;
mod refine;
mod scheme;
mod shared;

pub use calibrate::{Calibration, ranges};
pub use codes::activation_quant;
pub use equalize::equalize;
pub use error::{QuantizeError, Unfoldable, Unpropagated};
pub use fold::{fold_batch_norm, fuse_activations};
pub use options::{Granularity, Precision, Quantize};
pub use scheme::{Scheme, with_steps};

use crate::graph::{Graph, Quant};

/// Quantises `graph` with weights of int8 per output channel: the defaults of [`Quantize`] with this calibration.
///
/// # Errors
/// [`QuantizeError`] names the operator or activation that cannot be quantised.
pub fn post_training(graph: &Graph, samples: &[&[f32]], calibration: Calibration) -> Result<Graph, QuantizeError> {
    quantize(graph, samples, &Quantize { calibration, ..Quantize::default() })
}

/// Quantises `graph` after training: everything of `options` but quantisation-aware training.
///
/// # Errors
/// [`QuantizeError`] names the operator or activation that cannot be quantised.
pub fn quantize(graph: &Graph, samples: &[&[f32]], options: &Quantize) -> Result<Graph, QuantizeError> {
    let (float, scheme) = prepare(graph, samples, options)?;
    let mut graph = scheme.apply(&float)?;
    nodes::quantise_features(&mut graph, &float)?;
    nodes::quantise_by_node(&mut graph, &float, samples, options.calibration)?;
    Ok(graph)
}

/// The float network whose weights are to be rounded, and the scales for that.
///
/// # Errors
/// As [`quantize`].
pub fn prepare(graph: &Graph, samples: &[&[f32]], options: &Quantize) -> Result<(Graph, Scheme), QuantizeError> {
    if options.trains_codebook() {
        return Err(QuantizeError::TrainedCodebook);
    }
    let mut float = folded(graph, options)?;
    if options.equalize {
        equalize(&mut float);
    }
    let mut scheme = Scheme::calibrate(&float, samples, options)?;
    if options.bias_correction || options.reconstruct > 0 {
        refine::refine(&mut float, &mut scheme, samples, options)?;
    }
    Ok((float, scheme))
}

/// `graph` with batch norms folded and clamps fused, and with biases everywhere if `options` change any. What tensors it
/// has depends on the nodes of `graph` alone.
///
/// # Errors
/// [`QuantizeError::Fold`] names a batch norm that follows nothing it could be folded into.
pub fn folded(graph: &Graph, options: &Quantize) -> Result<Graph, QuantizeError> {
    let mut float = fuse_activations(&fold_batch_norm(&nodes::without_dropout(graph))?);
    if options.bias_correction || options.reconstruct > 0 || options.qat_epochs > 0 {
        refine::add_biases(&mut float);
    }
    Ok(float)
}

#[cfg(test)]
mod tests;
