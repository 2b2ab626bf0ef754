//! The choice: all candidates of all layers, and the front of what no other choice beats in flash and instructions.

use super::cost::{CostTable, Work};
use super::plan::{Candidate, LayerPlan, Needs, Plan, Shortfall};
use crate::export::{ExportError, Layout, PLAIN, export_with, pack_layer, plain_layer};
use crate::graph::{Graph, Node};
use crate::hardware::Isa;
use crate::io::AlignedBytes;
use crate::io::format;
use crate::plan::limits::{Least, Limits};
use crate::plan::{Arena, Memory, plan};
use niwaki_core::format::{ALIGN, Model, TENSOR_BYTES, crc32};
use niwaki_core::ops::{self, OpCode};
use std::collections::BTreeSet;

/// A layer and what it can be.
struct LayerOptions {
    node: usize,
    layouts: Vec<Option<Layout>>,
    codes: Vec<OpCode>,
    memory: Vec<Memory>,
    candidates: Vec<Candidate>,
}

/// A choice for some layers; the others are 0.
#[derive(Clone)]
struct Point {
    bytes: u64,
    instructions: u64,
    chosen: Chosen,
}

/// Points of a front that are kept, those that lie evenly: with fewer the front is exact.
const FRONT_MAX: usize = 1024;

/// Those of `points`, each with its bytes and instructions, that no other beats in both, by rising bytes.
fn unbeaten<T>(mut points: Vec<(u64, u64, T)>) -> Vec<(u64, u64, T)> {
    points.sort_by_key(|&(bytes, instructions, _)| (bytes, instructions));
    let mut least = u64::MAX;
    points.retain(|&(_, instructions, _)| {
        let better = instructions < least;
        least = least.min(instructions);
        better
    });
    let steps = points.len().saturating_sub(1);
    if points.len() > FRONT_MAX {
        let mut n = 0;
        points.retain(|_| {
            let kept = n * (FRONT_MAX - 1) % steps < FRONT_MAX - 1;
            n += 1;
            kept
        });
    }
    points
}

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

    /// All choices that no other beats in both flash and instructions.
    ///
    /// Layers of one kind share kernels, and a kernel is linked once however many layers run on it: for every set of
    /// kernels of a kind the front of its layers, then the front of all sets, then that of all kinds together.
    fn front(&self) -> Vec<Point> {
        let program = self.table.code_bytes(self.fixed_codes.iter().copied());
        let nothing = vec![0; self.layers.len()];
        let start = Point {
            bytes: self.fixed_bytes + program,
            instructions: self.fixed_instructions as u64,
            chosen: nothing.clone(),
        };
        let kinds: BTreeSet<OpCode> = self.layers.iter().map(|layer| layer.codes[0]).collect();
        kinds.into_iter().fold(vec![start], |front, kind| {
            let layers: Vec<usize> = (0..self.layers.len()).filter(|&l| self.layers[l].codes[0] == kind).collect();
            let codes: BTreeSet<OpCode> = layers.iter().flat_map(|&l| self.layers[l].codes.iter().copied()).collect();
            let codes = Vec::from_iter(codes);
            let sets = (1_usize..1 << codes.len()).filter(|set| set.count_ones() as usize <= layers.len());
            let of_set = |set: usize| {
                let codes: Vec<OpCode> = (0..codes.len()).filter(|c| set >> c & 1 == 1).map(|c| codes[c]).collect();
                let kernels = self.table.code_bytes(codes.iter().copied()) - self.table.base_code_bytes;
                let first = vec![Point { bytes: kernels, instructions: 0, chosen: nothing.clone() }];
                layers.iter().fold(first, |points, &l| self.with_layer(&points, l, &codes))
            };
            let all = sets.flat_map(of_set).map(|point| (point.bytes, point.instructions, point));
            let of_kind: Vec<Point> = unbeaten(all.collect()).into_iter().map(|(.., point)| point).collect();
            let pairs = front.iter().flat_map(|a| of_kind.iter().map(move |b| (a, b)));
            let sums = pairs.map(|(a, b)| (a.bytes + b.bytes, a.instructions + b.instructions, (a, b)));
            let both = |a: &Point, b: &Point| a.chosen.iter().zip(&b.chosen).map(|(a, b)| a + b).collect();
            let joined = unbeaten(sums.collect()).into_iter();
            joined.map(|(bytes, instructions, (a, b))| Point { bytes, instructions, chosen: both(a, b) }).collect()
        })
    }

    /// `points` with each candidate of a layer that runs on one of these kernels and has room in RAM.
    fn with_layer(&self, points: &[Point], l: usize, codes: &[OpCode]) -> Vec<Point> {
        let layer = &self.layers[l];
        let usable = |c: &usize| layer.candidates[*c].fits_ram && codes.contains(&layer.codes[*c]);
        let usable: Vec<usize> = (0..layer.candidates.len()).filter(usable).collect();
        let pairs = points.iter().flat_map(|point| usable.iter().map(move |&c| (point, c)));
        let sums = pairs.map(|(point, c)| {
            let candidate = &layer.candidates[c];
            (point.bytes + candidate.bytes, point.instructions + candidate.instructions, (point, c))
        });
        let joined = unbeaten(sums.collect()).into_iter();
        joined
            .map(|(bytes, instructions, (point, c))| {
                let mut chosen = point.chosen.clone();
                chosen[l] = c;
                Point { bytes, instructions, chosen }
            })
            .collect()
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

    /// The plan whose worst excess is least, and what would have to give.
    pub(super) fn shortfall(&self, found: Plan, limits: &Limits) -> Result<Shortfall, ExportError> {
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

impl LayerOptions {
    /// Why a candidate was taken.
    fn why(&self, chosen: usize, limits: &Limits) -> String {
        let taken = &self.candidates[chosen];
        let others = || self.candidates.iter().enumerate().filter(|(c, _)| *c != chosen).map(|(_, other)| other);
        let Some(rival) = others().min_by_key(|c| (c.instructions, c.bytes)) else {
            return "the only layout that it has".into();
        };
        let (name, instructions) = (&rival.layout, format::exact(rival.instructions));
        if taken.instructions <= rival.instructions {
            return format!("fewest instructions; {name} would take {instructions}");
        }
        if !rival.fits_ram {
            return format!("{name} would take {instructions} instructions, but more RAM than there is");
        }
        let more = format::exact(taken.instructions - rival.instructions);
        match (rival.bytes > taken.bytes, limits.least) {
            (true, Least::Instructions) => {
                let saved = format::bytes(rival.bytes - taken.bytes);
                format!("{more} instructions more than {name} for {saved} less: the flash is short")
            }
            (true, Least::Flash) => {
                let saved = format::bytes(rival.bytes - taken.bytes);
                format!("{saved} less than {name} for {more} instructions more")
            }
            (false, _) => {
                format!("{more} instructions more than {name}, whose kernel would cost more flash than it saves")
            }
        }
    }
}

/// The candidates of a node; none for one without int8 weights.
fn options(graph: &Graph, n: usize, node: &Node, table: &CostTable) -> Result<LayerOptions, ExportError> {
    let mut options = LayerOptions { node: n, layouts: vec![], codes: vec![], memory: vec![], candidates: vec![] };
    let Some((code, constants)) = plain_layer(graph, node)? else { return Ok(options) };
    let mut add = |layout: Option<Layout>, code, bytes: &[usize], memory: Memory, work: &Work| {
        let Some(instructions) = table.instructions(code, work) else { return };
        options.layouts.push(layout);
        options.codes.push(code);
        options.memory.push(memory);
        options.candidates.push(Candidate {
            layout: layout.map_or(PLAIN, Layout::name).into(),
            bytes: bytes.iter().map(|bytes| (bytes.next_multiple_of(ALIGN) + TENSOR_BYTES) as u64).sum(),
            instructions: instructions as u64,
            scratch_bytes: memory.scratch_bytes as u64,
            fits_ram: true,
        });
    };
    add(None, code, &constants, Memory::plain(node), &Work::of(graph, node, None));
    let mut dense = None;
    for layout in Layout::PACKED {
        let Ok(packed) = pack_layer(graph, node, layout) else { continue };
        let bytes: Vec<usize> = packed.constants.iter().map(|constant| constant.bytes.len()).collect();
        // What is larger than the dense layer leaves out too little to be worth its indices: the instructions that it saves
        // go into cycles of loads and branches (ResNet-8 in whole blocks: 5 % fewer instructions, 15 % more cycles).
        if layout == Layout::Tiled {
            dense = Some(packed.bytes());
        } else if dense.is_some_and(|dense| packed.bytes() > dense) {
            continue;
        }
        add(Some(layout), packed.code, &bytes, packed.memory, &Work::of(graph, node, Some(&packed)));
    }
    Ok(options)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
