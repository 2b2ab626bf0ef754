//! The choice: all candidates of all layers, and the front of what no other choice beats in flash and instructions.

mod front;
mod layers;
mod shortfall;

use super::cost::{CostTable, Work};
use super::plan::{LayerPlan, Needs, Plan};
use crate::export::{ExportError, Layout, export_with};
use crate::graph::Graph;
use crate::hardware::Isa;
use crate::io::AlignedBytes;
use crate::plan::limits::{Least, Limits};
use crate::plan::{Arena, Memory, plan};
use front::Point;
use layers::{LayerOptions, options};
use niwaki_core::format::{ALIGN, Model, crc32};
use niwaki_core::ops::{self, OpCode};
use std::collections::BTreeSet;

pub(super) struct Planner<'a> {
    graph: &'a Graph,
    table: &'a CostTable,
    layers: Vec<LayerOptions>,
    /// Bytes of the file that do not depend on the choice, at most.
    fixed_bytes: u64,
    /// Instructions of the operators without a choice.
    fixed_instructions: f64,
    /// Codes of the operators without a choice.
    fixed_codes: BTreeSet<OpCode>,
    not_counted: BTreeSet<String>,
    /// By rising flash and falling instructions.
    front: Vec<Point>,
    /// The choice with the least flash, whatever it costs.
    pub(super) smallest: Chosen,
}

/// The candidate of each layer, by index.
type Chosen = Vec<usize>;

impl<'a> Planner<'a> {
    pub(super) fn new(graph: &'a Graph, table: &'a CostTable, limits: &Limits) -> Result<Self, ExportError> {
        graph.validate()?;
        let options = graph.nodes.iter().enumerate().map(|(n, node)| options(graph, n, node, table));
        let layers: Vec<LayerOptions> =
            options.collect::<Result<Vec<_>, _>>()?.into_iter().filter(|layer| !layer.layouts.is_empty()).collect();
        let first = vec![0; layers.len()];
        let mut planner = Self {
            graph,
            table,
            layers,
            fixed_bytes: 0,
            fixed_instructions: 0.0,
            fixed_codes: BTreeSet::new(),
            not_counted: BTreeSet::new(),
            front: Vec::new(),
            smallest: first.clone(),
        };
        planner.count_the_rest(&first)?;
        planner.check_ram(limits)?;
        planner.front = planner.front();
        planner.smallest = planner.least_flash(None).unwrap_or(first);
        Ok(planner)
    }

    /// What does not depend on the choice, from a file with any.
    fn count_the_rest(&mut self, chosen: &Chosen) -> Result<(), ExportError> {
        let (file, _) = export_with(self.graph, Isa::Portable, &self.layouts(chosen))?;
        // Tables and data end with up to 15 bytes of padding each, by the choice: with the most of both.
        self.fixed_bytes = file.len() as u64 + 2 * (ALIGN as u64 - 1) - self.bytes(chosen);
        let model = Model::verify(&file, ops::ALL)?;
        for (n, node) in self.graph.nodes.iter().enumerate().filter(|(n, _)| self.layers.iter().all(|l| l.node != *n)) {
            let Some(code) = model.operator(n).and_then(|record| OpCode::from_byte(record.code)) else { continue };
            self.fixed_codes.insert(code);
            match self.table.instructions(code, &Work::of(self.graph, node, None)) {
                Some(instructions) => self.fixed_instructions += instructions,
                None => drop(self.not_counted.insert(code.name().to_owned())),
            }
        }
        Ok(())
    }

    /// Finds out which candidates the arena has room for while every other layer asks for as little as it can.
    fn check_ram(&mut self, limits: &Limits) -> Result<(), ExportError> {
        let Some(available) = limits.ram.map(|ram| ram.saturating_sub(self.table.stack_bytes) as usize) else {
            return Ok(());
        };
        let frugal = self.frugal();
        let needed = self.arena_bytes(&frugal);
        if needed > available {
            return Err(ExportError::Ram { needed, available });
        }
        for l in 0..self.layers.len() {
            for (c, bytes) in self.arenas(&frugal, l).into_iter().enumerate() {
                self.layers[l].candidates[c].fits_ram = bytes <= available;
            }
        }
        Ok(())
    }

    /// The choice with the smallest arena: the best candidate of one layer after the other. Kernels differ in scratch memory
    /// and in what their output may share with their input.
    fn frugal(&self) -> Chosen {
        let mut chosen: Chosen = vec![0; self.layers.len()];
        for l in 0..self.layers.len() {
            let arenas = self.arenas(&chosen, l);
            chosen[l] = (0..arenas.len()).min_by_key(|&c| arenas[c]).unwrap_or(0);
        }
        chosen
    }

    /// The arena with each candidate of a layer in turn.
    fn arenas(&self, chosen: &Chosen, l: usize) -> Vec<usize> {
        let memory = &self.layers[l].memory;
        let mut bytes: Vec<usize> = Vec::with_capacity(memory.len());
        for c in 0..memory.len() {
            let known = memory[..c].iter().position(|before| *before == memory[c]);
            let plan = || {
                let mut chosen = chosen.clone();
                chosen[l] = c;
                self.arena_bytes(&chosen)
            };
            bytes.push(known.map_or_else(plan, |same| bytes[same]));
        }
        bytes
    }

    fn arena_bytes(&self, chosen: &Chosen) -> usize {
        let mut memory: Vec<Memory> = self.graph.nodes.iter().map(Memory::plain).collect();
        for (layer, &c) in self.layers.iter().zip(chosen) {
            memory[layer.node] = layer.memory[c];
        }
        plan(self.graph, &memory).bytes
    }

    fn layouts(&self, chosen: &Chosen) -> Vec<Option<Layout>> {
        let mut layouts = vec![None; self.graph.nodes.len()];
        for (layer, &c) in self.layers.iter().zip(chosen) {
            layouts[layer.node] = layer.layouts[c];
        }
        layouts
    }

    fn bytes(&self, chosen: &Chosen) -> u64 {
        self.layers.iter().zip(chosen).map(|(layer, &c)| layer.candidates[c].bytes).sum()
    }

    fn codes(&self, chosen: &Chosen) -> BTreeSet<OpCode> {
        let chosen = self.layers.iter().zip(chosen).map(|(layer, &c)| layer.codes[c]);
        self.fixed_codes.iter().copied().chain(chosen).collect()
    }

    fn flash(&self, chosen: &Chosen) -> u64 {
        self.fixed_bytes + self.bytes(chosen) + self.table.code_bytes(self.codes(chosen))
    }

    fn instructions(&self, chosen: &Chosen) -> u64 {
        let layers = self.layers.iter().zip(chosen).map(|(layer, &c)| layer.candidates[c].instructions).sum::<u64>();
        self.fixed_instructions as u64 + layers
    }

    pub(super) fn best(&self, limits: &Limits) -> Option<Chosen> {
        match limits.least {
            Least::Instructions => self.least_instructions(limits.flash),
            Least::Flash => self.least_flash(limits.instructions),
        }
    }

    /// The fewest instructions in so much flash.
    fn least_instructions(&self, flash: Option<u64>) -> Option<Chosen> {
        let fits = |point: &&Point| flash.is_none_or(|flash| point.bytes <= flash);
        self.front.iter().rfind(fits).map(|point| point.chosen.clone())
    }

    /// The least flash with so many instructions.
    fn least_flash(&self, instructions: Option<u64>) -> Option<Chosen> {
        let fits = |point: &&Point| instructions.is_none_or(|most| point.instructions <= most);
        self.front.iter().find(fits).map(|point| point.chosen.clone())
    }

    pub(super) fn export(&self, chosen: &Chosen, limits: &Limits) -> Result<(AlignedBytes, Arena, Plan), ExportError> {
        let (file, arena) = export_with(self.graph, Isa::Portable, &self.layouts(chosen))?;
        let needs = Needs {
            ram: arena.bytes as u64 + self.table.stack_bytes,
            flash: file.len() as u64 + self.table.code_bytes(self.codes(chosen)),
            instructions: self.instructions(chosen),
        };
        let layers = self.layers.iter().zip(chosen).map(|(layer, &chosen)| LayerPlan {
            name: self.graph.nodes[layer.node].name.clone(),
            operator: layer.node,
            candidates: layer.candidates.clone(),
            chosen,
            why: layer.why(chosen, limits),
        });
        let plan = Plan {
            chip: self.table.chip.clone(),
            limits: *limits,
            needs,
            layers: layers.collect(),
            not_counted: self.not_counted.iter().cloned().collect(),
            checksum: crc32(&file),
        };
        Ok((file, arena, plan))
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
