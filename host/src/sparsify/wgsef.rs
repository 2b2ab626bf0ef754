//! WGSEF in training: a proximal step after every optimizer step, then the ranking that decides what stays.
//!
//! specs/sparse_and_graph.md §2.8 (proximal steps) and §2.7 (rank, then freeze): the prox alone never leaves exactly
//! `k` groups, so it shrinks and ranks them, and the `k` largest stay.

use super::channels::{ChannelSpace, channel_spaces};
use crate::engine::Parameter;
use crate::graph::{Graph, TensorId};
use niwaki_core::error::{GroupError, ProxError};
use niwaki_core::prox::groups::{self, Layout, LayoutSpec, Loop};
use niwaki_core::prox::wgsef::{Weights, Wgsef};
use niwaki_kernels::WgsefSpec;
use std::ops::Range;

/// Why a proximal step failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WgsefError {
    /// A group layout that does not fit its tensor.
    #[error("channels of `{space}`: {error}")]
    Group {
        /// The channel space.
        space: String,
        /// What core says.
        error: GroupError,
    },
    /// The prox was refused.
    #[error("channels of `{space}`: {error}")]
    Prox {
        /// The channel space.
        space: String,
        /// What core says.
        error: ProxError,
    },
    /// The device failed.
    #[error(transparent)]
    Device(#[from] niwaki_kernels::GpuError),
}

/// One part of the groups of a space in the engine's flat parameter vector.
#[derive(Debug, Clone)]
struct Part {
    range: Range<usize>,
    layout: Layout,
    /// Elements a group where the groups are consecutive rows.
    row_len: Option<usize>,
}

/// The groups of one space with their budget.
#[derive(Debug, Clone)]
struct Family {
    space: ChannelSpace,
    k: usize,
    parts: Vec<Part>,
}

/// Where proximal steps are computed.
pub enum Prox {
    /// core, on the CPU.
    Cpu,
    /// The GPU kernel where every group is one row of each tensor; core elsewhere (depthwise kernels).
    Gpu(Box<niwaki_kernels::Gpu>),
}

/// The WGSEF regulariser of a network: every prunable channel space with its budget.
pub struct Regulariser {
    families: Vec<Family>,
    prox: Prox,
    sums: Vec<f64>,
    norms: Vec<f32>,
    scales: Vec<f32>,
}

/// Groups that a space keeps: `ceil(keep * channels)`, at least one.
pub fn budget(channels: usize, keep: f64) -> usize {
    ((keep * channels as f64).ceil() as usize).clamp(1, channels)
}

impl Regulariser {
    /// The regulariser of `graph`, whose parameters lie in the flat vector as `parameters` says.
    ///
    /// # Errors
    /// [`WgsefError::Group`] when a layout does not fit its tensor.
    pub fn new(graph: &Graph, parameters: &[Parameter], keep: f64, prox: Prox) -> Result<Self, WgsefError> {
        let mut families = Vec::new();
        for space in channel_spaces(graph) {
            let mut parts = Vec::new();
            for slice in space.parameters(graph) {
                let Some(range) = range_of(parameters, slice.tensor) else { continue };
                let shape = &graph[slice.tensor].shape;
                let inner: usize = shape[slice.axis + 1..].iter().product();
                let outer: usize = shape[..slice.axis].iter().product();
                let size = shape[slice.axis];
                let range = range.start + slice.offset * inner..range.end;
                let layout = Layout::try_new(LayoutSpec {
                    groups: [Loop::ONCE, Loop { len: space.channels, stride: inner }],
                    members: [
                        Loop { len: outer, stride: inner * size },
                        Loop { len: size / slice.period, stride: inner * slice.period },
                        Loop { len: inner, stride: 1 },
                    ],
                })
                .map_err(|error| WgsefError::Group { space: space.name.clone(), error })?;
                let row_len = (outer == 1 && slice.period == size).then_some(inner);
                let end = row_len.map_or(range.end, |row_len| range.start + space.channels * row_len);
                parts.push(Part { range: range.start..end, layout, row_len });
            }
            families.push(Family { k: budget(space.channels, keep), space, parts });
        }
        let most = families.iter().map(|f| f.space.channels).max().unwrap_or(0);
        Ok(Self { families, prox, sums: vec![0.0; most], norms: vec![0.0; most], scales: vec![0.0; most] })
    }

    /// `values <- prox_{lambda F}(values)` in every space; `lambda` is the penalty times the learning rate.
    ///
    /// After an Adam step this is the prox in the Euclidean metric (specs/optimizers.md §6).
    ///
    /// # Errors
    /// [`WgsefError`].
    pub fn prox(&mut self, values: &mut [f32], lambda: f32) -> Result<(), WgsefError> {
        for f in 0..self.families.len() {
            let family = &self.families[f];
            let m = family.space.channels;
            if let (Prox::Gpu(gpu), Some(mut rows)) = (&mut self.prox, rows(family, values)) {
                let spec = WgsefSpec { k: family.k, lambda };
                gpu.wgsef_prox_parts(&mut rows, m, Weights::One, spec)?;
                continue;
            }
            let failed = |error| WgsefError::Prox { space: family.space.name.clone(), error };
            measure(family, values, &mut self.sums[..m], &mut self.norms[..m])?;
            let envelope = Wgsef::try_new(family.k, Weights::One).map_err(failed)?;
            envelope.prox_scales(&self.norms[..m], lambda, &mut self.scales[..m]).map_err(failed)?;
            for part in &family.parts {
                groups::scale(&mut values[part.range.clone()], &part.layout, &self.scales[..m])
                    .map_err(|error| WgsefError::Group { space: family.space.name.clone(), error })?;
            }
        }
        Ok(())
    }

    /// The channels that each space keeps: the `k` of largest norm, ties to the lower index.
    ///
    /// # Errors
    /// [`WgsefError`].
    pub fn rank(&mut self, values: &[f32]) -> Result<Vec<(ChannelSpace, Vec<usize>)>, WgsefError> {
        let mut kept = Vec::new();
        for family in &self.families {
            let m = family.space.channels;
            let failed = |error| WgsefError::Prox { space: family.space.name.clone(), error };
            measure(family, values, &mut self.sums[..m], &mut self.norms[..m])?;
            let envelope = Wgsef::try_new(family.k, Weights::One).map_err(failed)?;
            envelope.hard_scales(&self.norms[..m], 0.0, &mut self.scales[..m]).map_err(failed)?;
            let mut keep: Vec<usize> = (0..m).filter(|&j| self.scales[j] != 0.0).collect();
            if keep.is_empty() {
                keep.push(0);
            }
            kept.push((family.space.clone(), keep));
        }
        Ok(kept)
    }

    /// Groups that are not all zero, and groups in all.
    ///
    /// # Errors
    /// [`WgsefError`].
    pub fn alive(&mut self, values: &[f32]) -> Result<(usize, usize), WgsefError> {
        let (mut alive, mut all) = (0, 0);
        for family in &self.families {
            let m = family.space.channels;
            measure(family, values, &mut self.sums[..m], &mut self.norms[..m])?;
            alive += self.norms[..m].iter().filter(|&&n| n != 0.0).count();
            all += m;
        }
        Ok((alive, all))
    }
}

/// Where a tensor lies in the flat vector.
fn range_of(parameters: &[Parameter], tensor: TensorId) -> Option<Range<usize>> {
    parameters.iter().find(|p| p.tensor == tensor).map(|p| p.range.clone())
}

/// The norms of the groups of one family.
fn measure(family: &Family, values: &[f32], sums: &mut [f64], norms: &mut [f32]) -> Result<(), WgsefError> {
    let failed = |error| WgsefError::Group { space: family.space.name.clone(), error };
    sums.fill(0.0);
    for part in &family.parts {
        groups::accumulate_squared_norms(&values[part.range.clone()], &part.layout, sums).map_err(failed)?;
    }
    groups::norms(sums, norms).map_err(failed)
}

/// The parts of a family as slices of `values`, if every group is one row of each.
fn rows<'a>(family: &Family, mut values: &'a mut [f32]) -> Option<Vec<niwaki_kernels::Part<'a>>> {
    let mut parts: Vec<&Part> = family.parts.iter().collect();
    parts.sort_by_key(|p| p.range.start);
    let mut taken = 0;
    let mut rows = Vec::with_capacity(parts.len());
    for part in parts {
        let row_len = part.row_len?;
        let (head, rest) = values.split_at_mut(part.range.end - taken);
        rows.push(niwaki_kernels::Part { values: &mut head[part.range.start - taken..], row_len });
        (values, taken) = (rest, part.range.end);
    }
    Some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, Options};
    use crate::zoo;

    const NETWORKS: [(&str, [usize; 3]); 3] =
        [("small-cnn", [8, 8, 1]), ("ds-cnn", [13, 8, 1]), ("tiny-resnet", [7, 7, 2])];

    fn network(name: &str, input: [usize; 3]) -> (Graph, Engine) {
        let graph = zoo::by_name(name).expect("in the zoo").build(&input, 4, 1).expect("fits");
        let engine = Engine::new(&graph, Options { batch: 1, threads: 1 }).expect("trains");
        (graph, engine)
    }

    #[test]
    fn every_parameter_of_a_space_is_scaled_once_and_nothing_else_changes() {
        for (name, input) in NETWORKS {
            let (graph, engine) = network(name, input);
            let mut regulariser = Regulariser::new(&graph, engine.parameters(), 1.0, Prox::Cpu).expect("fits");
            // All groups stay, so that the prox is ridge: one factor, 1 / (1 + lambda), for every member of a group.
            let lambda = 0.25;
            let mut values = vec![1.0; engine.values().len()];
            regulariser.prox(&mut values, lambda).expect("runs");
            let spaces = channel_spaces(&graph);
            for parameter in engine.parameters() {
                let member = spaces.iter().any(|s| s.parameters(&graph).any(|m| m.tensor == parameter.tensor));
                let want = if member { 1.0 / (1.0 + lambda) } else { 1.0 };
                let name = &graph[parameter.tensor].name;
                assert!(values[parameter.range.clone()].iter().all(|v| *v == want), "{name}");
            }
        }
    }

    #[test]
    fn ranking_keeps_the_budget_of_largest_groups_in_every_space() {
        for (name, input) in NETWORKS {
            let (graph, engine) = network(name, input);
            let mut regulariser = Regulariser::new(&graph, engine.parameters(), 0.3, Prox::Cpu).expect("fits");
            let mut values = vec![1.0; engine.values().len()];
            // Make channel 3 of every space the largest.
            for space in channel_spaces(&graph) {
                for m in space.parameters(&graph) {
                    let shape = &graph[m.tensor].shape;
                    let inner: usize = shape[m.axis + 1..].iter().product();
                    let range = range_of(engine.parameters(), m.tensor).expect("trained");
                    for (i, v) in values[range].iter_mut().enumerate() {
                        if i / inner % shape[m.axis] == 3 {
                            *v = 2.0;
                        }
                    }
                }
            }
            for (space, keep) in regulariser.rank(&values).expect("ranks") {
                let k = budget(space.channels, 0.3);
                // The largest, then ties to the lower index.
                let want: Vec<usize> = if k > 3 { (0..k).collect() } else { (0..k - 1).chain([3]).collect() };
                assert_eq!(keep, want, "{name} {}", space.name);
            }
        }
    }

    /// Largest difference of a GPU's prox, relative to the value before it (`Gpu::wgsef_prox_parts`).
    const GPU: f32 = 2e-6;

    #[test]
    fn a_gpu_gives_the_values_of_the_cpu() {
        let gpu = |(name, input): (&str, [usize; 3])| {
            let gpu = niwaki_kernels::Gpu::open(niwaki_kernels::DeviceKind::Vulkan)?;
            println!("{name} on {}", gpu.name());
            let (graph, engine) = network(name, input);
            let prox = |prox| {
                let mut values = engine.values().to_vec();
                let mut regulariser = Regulariser::new(&graph, engine.parameters(), 0.4, prox).expect("fits");
                regulariser.prox(&mut values, 0.02).expect("runs");
                values
            };
            let (cpu, gpu) = (prox(Prox::Cpu), prox(Prox::Gpu(Box::new(gpu))));
            assert_ne!(cpu, engine.values(), "the prox moves something");
            for ((cpu, gpu), old) in cpu.iter().zip(&gpu).zip(engine.values()) {
                assert!((cpu - gpu).abs() <= GPU * old.abs(), "{name}: {cpu} {gpu}");
            }
            Ok::<(), niwaki_kernels::GpuError>(())
        };
        for network in NETWORKS {
            if let Err(missing) = gpu(network) {
                println!("skipped: {missing}");
            }
        }
    }

    #[test]
    fn budgets_round_up_and_never_reach_zero() {
        assert_eq!([budget(16, 0.5), budget(32, 0.6), budget(3, 0.01), budget(5, 1.0)], [8, 20, 1, 5]);
    }
}
