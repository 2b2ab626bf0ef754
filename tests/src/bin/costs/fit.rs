//! Factors of the terms of [`niwaki::tune::cost::Work`] from measured layers.

use super::layers::Measured;
use good_lp::{Expression, Solution, SolverModel, constraint, microlp, variable, variables};
use niwaki::tune::cost::{CaseCost, TERMS};
use std::error::Error;

/// The factors, all at least 0, with the least sum of relative errors. A linear program: a single odd layer does not distort
/// the fit of the others.
pub(super) fn fit(layers: &[Measured]) -> Result<CaseCost, Box<dyn Error>> {
    let parts: Vec<[f64; TERMS]> =
        layers.iter().map(|layer| layer.work.terms().map(|term| term / layer.instructions)).collect();
    // Factors in units in which the term alone makes about the whole of the instructions.
    let units: [f64; TERMS] = std::array::from_fn(|term| {
        let sum: f64 = parts.iter().map(|parts| parts[term]).sum();
        if sum > 0.0 { parts.len() as f64 / sum } else { 0.0 }
    });
    let mut problem = variables!();
    let factors: Vec<_> = (0..TERMS).map(|_| problem.add(variable().min(0.0))).collect();
    let errors: Vec<_> = layers.iter().map(|_| problem.add(variable().min(0.0))).collect();
    let sum: Expression = errors.iter().sum();
    let mut model = problem.minimise(sum).using(microlp);
    for (parts, &error) in parts.iter().zip(&errors) {
        let estimate: Expression = (0..TERMS).map(|term| parts[term] * units[term] * factors[term]).sum();
        model = model.with(constraint!(estimate.clone() - 1.0 <= error));
        model = model.with(constraint!(1.0 - estimate <= error));
    }
    let solution = model.solve()?;
    let instructions: [f64; TERMS] = std::array::from_fn(|term| rounded(solution.value(factors[term]) * units[term]));
    let missed = |parts: &[f64; TERMS]| {
        let estimate: f64 = parts.iter().zip(&instructions).map(|(part, factor)| part * factor).sum();
        (estimate - 1.0).abs()
    };
    let errors: Vec<f64> = parts.iter().map(missed).collect();
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    let worst = errors.iter().fold(0.0_f64, |worst, error| worst.max(*error));
    Ok(CaseCost { instructions, layers: layers.len(), error: [rounded(mean), rounded(worst)] })
}

/// Four decimals: the fits are no more exact than that.
fn rounded(x: f64) -> f64 {
    (x * 1e4).round() / 1e4
}
