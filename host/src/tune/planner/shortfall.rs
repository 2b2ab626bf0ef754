//! What would have to give where nothing fits.

use super::{LayerOptions, Planner};
use crate::export::{ExportError, Layout};
use crate::io::format;
use crate::plan::limits::Limits;
use crate::tune::plan::{Plan, Shortfall};

impl Planner<'_> {
    /// The plan whose worst excess is least, and what would have to give.
    pub(in crate::tune) fn shortfall(&self, found: Plan, limits: &Limits) -> Result<Shortfall, ExportError> {
        let mut remedies = Vec::new();
        let mut plans = vec![found];
        if let Some(flash) = limits.flash {
            match self.least_instructions(Some(flash)) {
                Some(chosen) => {
                    let plan = self.export(&chosen, limits)?.2;
                    remedies.extend(limits.instructions.filter(|&limit| plan.needs.instructions > limit).map(|_| {
                        let flash = format::bytes(flash);
                        format!("with {flash} of flash: allow {} instructions", format::exact(plan.needs.instructions))
                    }));
                    plans.push(plan);
                }
                None => remedies.push(format!(
                    "at least {} of flash: the smallest layouts need as much",
                    format::bytes(self.flash(&self.smallest))
                )),
            }
        }
        if let Some(instructions) = limits.instructions {
            match self.least_flash(Some(instructions)) {
                Some(chosen) => {
                    let plan = self.export(&chosen, limits)?.2;
                    remedies.extend(limits.flash.filter(|&limit| plan.needs.flash > limit).map(|_| {
                        let count = format::exact(instructions);
                        format!("within {count} instructions: allow {} of flash", format::bytes(plan.needs.flash))
                    }));
                    plans.push(plan);
                }
                None => {
                    let fastest = self.least_instructions(None).map(|chosen| self.instructions(&chosen));
                    let fewest = format::exact(fastest.unwrap_or(0));
                    remedies.push(format!("at least {fewest} instructions: the fastest layouts take as many"));
                }
            }
        }
        remedies.extend(self.smaller_weights(limits));
        let excess = |plan: &Plan| plan.needs.excess(limits);
        let closest = plans.into_iter().min_by(|a, b| excess(a).total_cmp(&excess(b)));
        let Some(closest) = closest else { unreachable!("the plan that was found is one") };
        Ok(Shortfall { closest, remedies })
    }

    /// What pruning or fewer bits would have to bring.
    fn smaller_weights(&self, limits: &Limits) -> Vec<String> {
        let mut remedies = Vec::new();
        let (flash, least) = (self.flash(&self.smallest), self.least_instructions(None));
        if let Some(limit) = limits.flash.filter(|&limit| limit < flash) {
            let (weights, over) = (self.bytes(&self.smallest), flash - limit);
            if over < weights {
                let share = 100 * (weights - over) / weights;
                remedies.push(format!(
                    "or prune: the weights may take {share} % of the {} that they take now",
                    format::bytes(weights)
                ));
            } else {
                remedies
                    .push(format!("pruning alone will not do: {} are code and tables", format::bytes(flash - weights)));
            }
            let four = |layer: &LayerOptions| {
                [Layout::Int4, Layout::Codebook].iter().any(|&layout| layer.layouts.contains(&Some(layout)))
            };
            if !self.layers.iter().any(four) {
                remedies.push(
                    "or quantise to four bits: quantize.weights = \"int4\" or \"codebook\" halves the weights".into(),
                );
            }
        }
        let fewest = least.map_or(0, |chosen| self.instructions(&chosen));
        if let Some(limit) = limits.instructions.filter(|&limit| limit < fewest) {
            let share = 100 * limit / fewest.max(1);
            remedies.push(format!(
                "or prune to {share} % of the instructions: sparsity.budget = {{ instructions = {limit} }}"
            ));
        }
        remedies
    }
}
