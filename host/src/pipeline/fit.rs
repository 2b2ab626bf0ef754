//! Bits by layer: eight where there is room for them, four where there is not.
//!
//! A layer of four bits takes half of the flash and changes the scores. Which layers pay is a knapsack: the least change
//! that makes room enough. The change is measured with one layer of four bits at a time.

use super::PipelineError;
use crate::graph::Graph;
use crate::plan::limits::{Least, Limits};
use crate::quantize::{Quantize, fidelity::fidelity, prepare, quantize};
use crate::recipe::Recipe;
use crate::sparsify::knapsack::{Choice, solve};
use crate::tune::{Plan, export_planned};

/// Samples by which changes of the scores are measured.
const PROBES: usize = 32;

/// The int8 form of `graph`, with four bits for some layers where `quantize.fit` asks for them and the target's flash is
/// too small otherwise; and the names of those.
///
/// # Errors
/// [`PipelineError::Graph`] names what cannot be quantised. That even four bits are too many is left to the export.
pub(super) fn fitted(
    graph: &Graph,
    samples: &[&[f32]],
    recipe: &Recipe,
) -> Result<(Graph, Vec<String>), PipelineError> {
    let options = &recipe.quantize;
    let integer = quantize(graph, samples, options)?;
    let Some(flash) = recipe.target.limits().flash.filter(|_| options.fit) else { return Ok((integer, Vec::new())) };
    let chip = recipe.target.chip.parse().ok();
    let smallest = |graph: &Graph| -> Result<Option<Plan>, PipelineError> {
        Ok(export_planned(graph, chip, &Limits { least: Least::Flash, ..Limits::default() })?.2)
    };
    let Some(eight) = smallest(&integer)?.filter(|plan| plan.needs.flash > flash) else {
        return Ok((integer, Vec::new()));
    };
    let (float, scheme) = prepare(graph, samples, options)?;
    let probes = &samples[..samples.len().min(PROBES)];
    let mut layers = Vec::new();
    for (l, layer) in eight.layers.iter().enumerate() {
        let mixed = scheme.with_four_bits(&float, layer.operator, options)?.apply(&float)?;
        let bytes = |plan: &Plan| plan.layers[l].candidates.iter().map(|c| c.bytes).min().unwrap_or(0) as f64;
        let four = smallest(&mixed)?.as_ref().map_or(f64::INFINITY, bytes);
        let changed = fidelity(&float, &mixed, probes)?.mean_error;
        layers.push(vec![Choice { cost: bytes(&eight), error: 0.0 }, Choice { cost: four, error: changed * changed }]);
    }
    let all: f64 = layers.iter().map(|choices| choices[0].cost).sum();
    let mut excess = eight.needs.flash - flash;
    loop {
        let chosen = solve(&layers, all - excess as f64);
        let is_last = chosen.is_none();
        let chosen = chosen.unwrap_or_else(|| vec![1; layers.len()]);
        let names = eight.layers.iter().zip(&chosen).filter(|&(_, &c)| c == 1).map(|(layer, _)| layer.name.clone());
        let four_bits = Vec::from_iter(names);
        let integer = quantize(graph, samples, &Quantize { four_bits: four_bits.clone(), ..options.clone() })?;
        // A kernel for four bits takes room too.
        let over = smallest(&integer)?.map_or(0, |plan| plan.needs.flash.saturating_sub(flash));
        if over == 0 || is_last {
            return Ok((integer, four_bits));
        }
        excess += over;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chip::Chip;
    use crate::zoo;

    fn network() -> (Graph, Vec<Vec<f32>>) {
        let graph = zoo::by_name("small-cnn").expect("in the zoo").build(&[8, 8, 1], 10, 3).expect("fits");
        let sample = |n: usize| (0..64).map(|i| ((i * (n + 3)) % 17) as f32 / 17.0).collect();
        (graph, (0..40).map(sample).collect())
    }

    fn recipe(flash: u64, more: &[String]) -> Recipe {
        let mut sets = vec!["quantize.fit=true".to_owned(), format!("target.flash={flash}")];
        sets.extend_from_slice(more);
        Recipe::parse(crate::recipe::DEMO, "demo", &sets).expect("a recipe")
    }

    fn smallest(graph: &Graph) -> u64 {
        let limits = Limits { least: Least::Flash, ..Limits::default() };
        export_planned(graph, Some(Chip::CortexM4), &limits).expect("plans").2.expect("has a table").needs.flash
    }

    #[test]
    fn layers_get_four_bits_only_as_far_as_the_flash_asks_for_it() {
        let (graph, samples) = network();
        let samples: Vec<&[f32]> = samples.iter().map(Vec::as_slice).collect();
        let eight = fitted(&graph, &samples, &recipe(1 << 20, &[])).expect("fits");
        assert!(eight.1.is_empty());
        let (most, names) =
            (smallest(&eight.0), |flash| fitted(&graph, &samples, &recipe(flash, &[])).expect("quantises"));
        let some = names(most - 1000);
        let all = names(1000);
        assert!(!some.1.is_empty() && some.1.len() < all.1.len(), "{:?} of {:?}", some.1, all.1);
        assert!(smallest(&some.0) <= most - 1000);
        let error = |integer: &Graph| fidelity(&graph, integer, &samples).expect("compares").mean_error;
        let errors = [error(&eight.0), error(&some.0), error(&all.0)];
        assert!(errors[0] < errors[1] && errors[1] < errors[2], "{errors:?}");
    }

    #[test]
    fn a_layer_of_four_bits_by_name_has_them_and_a_wrong_name_is_refused() {
        let (graph, samples) = network();
        let samples: Vec<&[f32]> = samples.iter().map(Vec::as_slice).collect();
        let set = |name: &str| recipe(1 << 20, &[format!("quantize.four_bits=[\"{name}\"]")]);
        let (integer, _) = fitted(&graph, &samples, &set("conv2")).expect("quantises");
        let bits = |name: &str| {
            let node = integer.nodes.iter().find(|node| node.name == name).expect("there");
            integer[node.inputs[1]].code_bits
        };
        assert_eq!((bits("conv1"), bits("conv2"), bits("conv3")), (8, 4, 8));
        let refused = fitted(&graph, &samples, &set("conv9")).expect_err("no such layer").to_string();
        assert!(refused.contains("`conv9`") && refused.contains("conv1, "), "{refused}");
    }
}
