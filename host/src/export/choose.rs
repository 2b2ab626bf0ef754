//! Which layout each layer gets: by measured costs, within what the user has of flash, RAM and instructions.
//!
//! A layer's candidates are the plain layout and every [`Layout`] that it can be packed in and that is no larger than the
//! dense one. All compute the same
//! outputs, so the choice is of time and room alone: of all choices, those that no other beats in both.

use super::cost::{CostTable, Work};
use super::{ExportError, Kernel, Layout, Target, layout, nodes, write};
use crate::chip::Chip;
use crate::data::atomic::{self, WriteError};
use crate::export::AlignedBytes;
use crate::graph::{Graph, Node};
use crate::plan::{Arena, Memory, plan};
use crate::report::format;
use niwaki_core::format::{ALIGN, Model, OpCode, TENSOR_BYTES};
use niwaki_core::session::operators;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What there is; no limit unless given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes for arena and stack.
    pub ram: Option<u64>,
    /// Bytes for model and code.
    pub flash: Option<u64>,
    /// Executed instructions of one inference.
    pub instructions: Option<u64>,
    /// What is to be least within the limits.
    pub least: Least,
}

/// What a plan has as little of as the limits allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Least {
    /// Executed instructions.
    #[default]
    Instructions,
    /// Bytes of model and code.
    Flash,
}

/// A layout that a layer can have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The layout's name; `plain` where nothing is packed.
    pub layout: String,
    /// Bytes of the file that go with it.
    pub bytes: u64,
    /// Estimated instructions.
    pub instructions: u64,
    /// Working memory in bytes.
    pub scratch_bytes: u64,
    /// Whether the arena has room for it within the limit.
    pub fits_ram: bool,
}

/// What was chosen for a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerPlan {
    /// The node's name.
    pub name: String,
    /// Its place in execution order.
    pub operator: usize,
    /// What was chosen among.
    pub candidates: Vec<Candidate>,
    /// The index of the candidate that was taken.
    pub chosen: usize,
    /// Why, in words.
    pub why: String,
}

/// What a model will need. Instructions and code are estimates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Needs {
    /// Bytes of arena and stack.
    pub ram: u64,
    /// Bytes of model and code.
    pub flash: u64,
    /// Executed instructions of one inference.
    pub instructions: u64,
}

/// How an exported model came to be as it is; lies beside it as [`plan_path`] says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The chip.
    pub chip: String,
    /// The limits that were kept.
    pub limits: Limits,
    /// What the model will need.
    pub needs: Needs,
    /// The layers that had a choice.
    pub layers: Vec<LayerPlan>,
    /// Operators whose instructions are not in [`Needs::instructions`], as no table has them.
    pub not_counted: Vec<String>,
    /// Checksum of the model that this is about.
    pub checksum: u32,
}

/// Limits that no plan keeps, with the plan that comes closest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortfall {
    /// The closest plan.
    pub closest: Plan,
    /// What would have to give, one remedy a line.
    pub remedies: Vec<String>,
}

impl std::fmt::Display for Shortfall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Plan { chip, limits, needs, .. } = &self.closest;
        write!(f, "no layouts of the weights keep the limits of the {chip}; the closest plan")?;
        for (what, need, limit) in needs.beside(limits) {
            write!(f, "\n  takes {} {what} of {}", format::exact(need), format::exact(limit))?;
        }
        for remedy in &self.remedies {
            write!(f, "\n  {remedy}")?;
        }
        Ok(())
    }
}

impl Needs {
    /// The quantities that have a limit: what they are, the need, the limit.
    fn beside(&self, limits: &Limits) -> impl Iterator<Item = (&'static str, u64, u64)> {
        let all = [
            ("bytes of RAM", self.ram, limits.ram),
            ("bytes of flash", self.flash, limits.flash),
            ("instructions", self.instructions, limits.instructions),
        ];
        all.into_iter().filter_map(|(what, need, limit)| Some((what, need, limit?)))
    }

    /// The largest part by which a limit is passed; 0 where all are kept.
    fn excess(&self, limits: &Limits) -> f64 {
        let over = |(_, need, limit): (_, u64, u64)| need as f64 / (limit as f64).max(1.0) - 1.0;
        self.beside(limits).map(over).fold(0.0, f64::max)
    }
}

/// Writes a model with its plan beside it, where there is one; a plan of what was there before is removed.
///
/// # Errors
/// [`WriteError`] names the file.
pub fn write_planned(path: &Path, model: &[u8], plan: Option<&Plan>) -> Result<(), WriteError> {
    atomic::write(path, model)?;
    match plan.map(serde_json::to_string_pretty) {
        Some(Ok(text)) => atomic::write(&plan_path(path), text.as_bytes()),
        _ => {
            drop(std::fs::remove_file(plan_path(path)));
            Ok(())
        }
    }
}

/// The file of the plan beside a model.
pub(super) fn plan_path(model: &Path) -> PathBuf {
    model.with_extension("plan.json")
}

/// The bytes of the file of `graph` with the layouts that cost least on `chip` within `limits`.
///
/// A chip without a cost table, and a network over a graph, get what [`export_within`](super::export_within) gives.
///
/// # Errors
/// [`ExportError::Budget`] if no plan keeps the limits.
pub fn export_planned(
    graph: &Graph,
    chip: Option<Chip>,
    limits: &Limits,
) -> Result<(AlignedBytes, Arena, Option<Plan>), ExportError> {
    let target = chip.map_or(Target::Portable, Chip::target);
    let Some(table) = chip.and_then(CostTable::of).filter(|_| !nodes::is_over_graph(graph)) else {
        let (file, arena) = write(graph, target, &[], limits.ram.map_or(usize::MAX, |ram| ram as usize))?;
        return Ok((file, arena, None));
    };
    let planner = Planner::new(graph, table, limits)?;
    let found = planner.best(limits);
    let chosen = found.as_ref().unwrap_or(&planner.smallest);
    let (file, arena, plan) = planner.export(chosen, limits)?;
    if plan.needs.excess(limits) > 0.0 {
        return Err(ExportError::Budget(Box::new(planner.shortfall(plan, limits)?)));
    }
    Ok((file, arena, Some(plan)))
}

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

struct Planner<'a> {
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
    smallest: Vec<usize>,
}

/// The candidate of each layer, by index.
type Chosen = Vec<usize>;

impl<'a> Planner<'a> {
    fn new(graph: &'a Graph, table: &'a CostTable, limits: &Limits) -> Result<Self, ExportError> {
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
        let (file, _) = write(self.graph, Target::Portable, &self.layouts(chosen), usize::MAX)?;
        // Tables and data end with up to 15 bytes of padding each, by the choice: with the most of both.
        self.fixed_bytes = file.len() as u64 + 2 * (ALIGN as u64 - 1) - self.bytes(chosen);
        let model = Model::verify(&file, operators::ALL)?;
        for (n, node) in self.graph.nodes.iter().enumerate().filter(|(n, _)| self.layers.iter().all(|l| l.node != *n)) {
            let Some(code) = model.operator(n).and_then(|record| OpCode::from_code(record.code)) else { continue };
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

    fn best(&self, limits: &Limits) -> Option<Chosen> {
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

    fn export(&self, chosen: &Chosen, limits: &Limits) -> Result<(AlignedBytes, Arena, Plan), ExportError> {
        let (file, arena) = write(self.graph, Target::Portable, &self.layouts(chosen), usize::MAX)?;
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
            checksum: niwaki_core::format::crc32(&file),
        };
        Ok((file, arena, plan))
    }

    /// The plan whose worst excess is least, and what would have to give.
    fn shortfall(&self, found: Plan, limits: &Limits) -> Result<Shortfall, ExportError> {
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
    let plain = Kernel::new(graph, node, Target::Portable, None)?;
    let Some((code, constants)) = plain.weighted(graph, node) else { return Ok(options) };
    let mut add = |layout: Option<Layout>, code, bytes: &[usize], memory: Memory, work: &Work| {
        let Some(instructions) = table.instructions(code, work) else { return };
        options.layouts.push(layout);
        options.codes.push(code);
        options.memory.push(memory);
        options.candidates.push(Candidate {
            layout: layout.map_or(layout::PLAIN, Layout::name).into(),
            bytes: bytes.iter().map(|bytes| (bytes.next_multiple_of(ALIGN) + TENSOR_BYTES) as u64).sum(),
            instructions: instructions as u64,
            scratch_bytes: memory.scratch_bytes as u64,
            fits_ram: true,
        });
    };
    add(None, code, &constants, Memory::plain(node), &Work::of(graph, node, None));
    let mut dense = None;
    for layout in Layout::ALL {
        let Ok(packed) = layout::pack_lowered(graph, node, &plain.lowered, layout) else { continue };
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
mod tests;
