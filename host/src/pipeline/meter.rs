//! What a network would cost on the target chip: it is quantised, exported and run there once.

use crate::chip::{self, Chip, Cost};
use crate::data::Dataset;
use crate::graph::Graph;
use crate::io::AlignedBytes;
use crate::plan::limits::Limits;
use crate::quantize::{Calibration, post_training};
use crate::recipe::Recipe;
use crate::sparsify::{cost::Meter, options::Unit};
use crate::tune::export_planned;
use std::collections::HashMap;

/// Measures on the chip that a recipe names.
pub(super) struct ChipMeter<'a> {
    recipe: &'a Recipe,
    data: &'a Dataset,
}

impl<'a> ChipMeter<'a> {
    pub(super) fn new(recipe: &'a Recipe, data: &'a Dataset) -> Self {
        Self { recipe, data }
    }

    /// The chip to measure on; there is no `portable` chip.
    fn chip(&self) -> Result<Chip, String> {
        let name = &self.recipe.target.chip;
        name.parse().map_err(|_| format!("target.chip is \"{name}\", which is no chip that can be measured"))
    }

    /// The exported model, and the quantised network that it is made of.
    fn exported(&self, graph: &Graph) -> Result<(Graph, AlignedBytes), String> {
        // Neither size nor instructions depend on the ranges: one sample will do.
        let graph =
            post_training(graph, &[self.data.train.sample(0)], Calibration::MinMax).map_err(|e| e.to_string())?;
        let target = &self.recipe.target;
        let fastest = Limits { least: target.least, ..Limits::default() };
        let (file, ..) = export_planned(&graph, target.chip.parse().ok(), &fastest).map_err(|e| e.to_string())?;
        Ok((graph, file))
    }

    /// One inference of the first training sample.
    fn run(&self, graph: &Graph) -> Result<(Graph, Cost), String> {
        let (graph, file) = self.exported(graph)?;
        let first = crate::data::Split { x: self.data.train.sample(0).to_vec(), y: vec![0] };
        let inputs = super::score::inputs(&graph, &first).map_err(|e| e.to_string())?;
        let measured = chip::run(self.chip()?, &file, &inputs, &mut |_| ()).map_err(|e| e.to_string())?;
        let cost = measured.cost.ok_or_else(|| "nothing is measured on this machine".to_owned())?;
        Ok((graph, cost))
    }
}

impl Meter for ChipMeter<'_> {
    fn total(&mut self, graph: &Graph, unit: Unit) -> Result<f64, String> {
        match unit {
            Unit::Macs => Ok(graph.macs() as f64),
            Unit::Bytes => Ok(self.exported(graph)?.1.len() as f64),
            Unit::Instructions => Ok(self.run(graph)?.1.instructions as f64),
        }
    }

    fn instructions(&mut self, graph: &Graph) -> Result<HashMap<String, f64>, String> {
        let (graph, cost) = self.run(graph)?;
        let names = graph.nodes.iter().map(|node| node.name.clone());
        Ok(names.zip(cost.per_op.iter().map(|n| *n as f64)).collect())
    }
}
