//! Groups of trained values: where they lie in the engine's flat vector, and what dropping them does to the network.

mod find;

use super::blocks::Block;
use super::channels::{ChannelSpace, Cut};
use super::error::SparsifyError;
use super::options::{GroupKind, Sparsity};
use super::remove::{drop_blocks, prune};
use crate::engine::Parameter;
use crate::graph::Graph;
use niwaki_core::error::GroupError;
use niwaki_core::prox::groups::{self, GroupLayout};
use std::ops::Range;

/// The groups that stay, ascending, one list a layer.
pub type KeptGroups = Vec<Vec<usize>>;

/// One tensor's part in the groups of a layer.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Where it lies in the flat vector.
    pub(super) range: Range<usize>,
    layout: GroupLayout,
    /// The groups that its layout walks over.
    groups: Range<usize>,
    /// Elements a group where the groups are consecutive rows.
    pub(super) row_len: Option<usize>,
}

/// What dropping a group does.
#[derive(Debug, Clone)]
enum Removal {
    /// A channel leaves every tensor of its space.
    Channels(ChannelSpace),
    /// A block leaves the network.
    Blocks(Vec<Block>),
    /// The values become zero and stay there.
    Zeros,
}

/// Parameter groups that compete with each other: the weights of a layer, or the channels of a space, named after the
/// layer that makes them.
#[derive(Debug, Clone)]
pub struct LayerGroups {
    /// The layer that the groups are in.
    pub name: String,
    /// Number of groups.
    pub groups: usize,
    /// Trained values of each group.
    pub sizes: Vec<usize>,
    parts: Vec<Part>,
    removal: Removal,
    sums: Vec<f64>,
    norms: Vec<f32>,
}

impl LayerGroups {
    fn new(name: String, groups: usize, parts: Vec<Part>, removal: Removal, len: usize) -> Result<Self, SparsifyError> {
        let (sums, norms) = (vec![0.0; groups], vec![0.0; groups]);
        let mut layer = Self { name, groups, sizes: Vec::new(), parts, removal, sums, norms };
        // The sum of the squares of as many ones.
        layer.accumulate(&vec![1.0; len])?;
        layer.sizes = layer.sums.iter().map(|size| *size as usize).collect();
        Ok(layer)
    }

    fn refused(&self) -> impl Fn(GroupError) -> SparsifyError + use<> {
        let layer = self.name.clone();
        move |error| SparsifyError::Group { layer: layer.clone(), error }
    }

    fn accumulate(&mut self, values: &[f32]) -> Result<(), SparsifyError> {
        let refused = self.refused();
        self.sums.fill(0.0);
        for part in &self.parts {
            let sums = &mut self.sums[part.groups.clone()];
            groups::accumulate_squared_norms(&values[part.range.clone()], &part.layout, sums).map_err(&refused)?;
        }
        Ok(())
    }

    /// Sums of the squares of each group of the flat vector `values`.
    ///
    /// # Errors
    /// [`SparsifyError::Group`].
    pub fn squares(&mut self, values: &[f32]) -> Result<&[f64], SparsifyError> {
        self.accumulate(values)?;
        Ok(&self.sums)
    }

    /// Norms of the groups of the flat vector `values`.
    ///
    /// # Errors
    /// [`SparsifyError::Group`].
    pub fn norms(&mut self, values: &[f32]) -> Result<&[f32], SparsifyError> {
        self.accumulate(values)?;
        groups::norms(&self.sums, &mut self.norms).map_err(self.refused())?;
        Ok(&self.norms)
    }

    /// Inner products of each group of two flat vectors.
    ///
    /// # Errors
    /// [`SparsifyError::Group`].
    pub fn products(&mut self, left: &[f32], right: &[f32]) -> Result<&[f64], SparsifyError> {
        let refused = self.refused();
        self.sums.fill(0.0);
        for part in &self.parts {
            let (range, sums) = (part.range.clone(), &mut self.sums[part.groups.clone()]);
            groups::accumulate_products(&left[range.clone()], &right[range], &part.layout, sums).map_err(&refused)?;
        }
        Ok(&self.sums)
    }

    /// Multiplies every group of the flat vector by its factor.
    ///
    /// # Errors
    /// [`SparsifyError::Group`].
    pub fn scale(&self, values: &mut [f32], factors: &[f32]) -> Result<(), SparsifyError> {
        for part in &self.parts {
            let factors = &factors[part.groups.clone()];
            groups::scale(&mut values[part.range.clone()], &part.layout, factors).map_err(self.refused())?;
        }
        Ok(())
    }

    /// The parts as rows of `values`, if every group is one row of each.
    pub(super) fn rows<'a>(&self, mut values: &'a mut [f32]) -> Option<Vec<niwaki_kernels::Part<'a>>> {
        let mut parts: Vec<&Part> = self.parts.iter().collect();
        parts.sort_by_key(|p| p.range.start);
        let mut taken = 0;
        let mut rows = Vec::with_capacity(parts.len());
        for part in parts {
            let (head, rest) = values.split_at_mut(part.range.end - taken);
            rows.push(niwaki_kernels::Part { values: &mut head[part.range.start - taken..], row_len: part.row_len? });
            (values, taken) = (rest, part.range.end);
        }
        Some(rows)
    }

    /// The channels that the groups are, where they are channels.
    pub fn space(&self) -> Option<&ChannelSpace> {
        match &self.removal {
            Removal::Channels(space) => Some(space),
            Removal::Blocks(_) | Removal::Zeros => None,
        }
    }
}

/// All parameter groups of a network, of one kind.
#[derive(Debug, Clone)]
pub struct ParameterGroups {
    /// By layer, in the order of the graph.
    pub list: Vec<LayerGroups>,
    parameters: Vec<Parameter>,
    /// Trained values of the network.
    len: usize,
}

impl ParameterGroups {
    /// The groups of `graph`, whose parameters lie in the flat vector as `parameters` says.
    ///
    /// # Errors
    /// [`SparsifyError::NoGroups`], [`SparsifyError::Group`].
    pub fn new(graph: &Graph, parameters: &[Parameter], options: &Sparsity) -> Result<Self, SparsifyError> {
        let len = parameters.iter().map(|p| p.range.end).max().unwrap_or(0);
        let list = match options.groups {
            GroupKind::Filter => find::channels(graph, parameters, len)?,
            GroupKind::Layer => find::branches(graph, parameters, len)?,
            kind => find::weights(graph, parameters, len, kind, options.block)?,
        };
        if list.is_empty() {
            let kind = match options.groups {
                GroupKind::Filter => "channel",
                GroupKind::Layer => "residual branch",
                _ => "weight",
            };
            return Err(SparsifyError::NoGroups { kind: kind.into() });
        }
        Ok(Self { list, parameters: parameters.to_vec(), len })
    }

    /// Groups in all layers.
    pub fn groups(&self) -> usize {
        self.list.iter().map(|f| f.groups).sum()
    }

    /// Every group.
    pub fn all(&self) -> KeptGroups {
        self.list.iter().map(|f| (0..f.groups).collect()).collect()
    }

    /// Indices in the flat vector of all values whose group is not in `kept`.
    ///
    /// # Errors
    /// [`SparsifyError::Group`].
    pub fn dropped_values(&self, kept: &KeptGroups) -> Result<Vec<usize>, SparsifyError> {
        let mut stays = vec![1.0; self.len];
        for (layer, kept) in self.list.iter().zip(kept) {
            let mut factors = vec![0.0; layer.groups];
            kept.iter().for_each(|&j| factors[j] = 1.0);
            layer.scale(&mut stays, &factors)?;
        }
        Ok((0..self.len).filter(|&i| stays[i] == 0.0).collect())
    }

    /// Names of the blocks that are not in `kept`.
    pub fn left_out(&self, kept: &KeptGroups) -> Vec<String> {
        self.dropped_blocks(kept).map(|block| block.name.clone()).collect()
    }

    fn dropped_blocks<'a>(&'a self, kept: &'a KeptGroups) -> impl Iterator<Item = &'a Block> {
        self.list.iter().zip(kept).flat_map(|(layer, keep)| {
            let blocks = if let Removal::Blocks(blocks) = &layer.removal { blocks.as_slice() } else { &[] };
            blocks.iter().enumerate().filter(|(j, _)| !keep.contains(j)).map(|(_, block)| block)
        })
    }

    /// `graph` without the groups that are not in `kept`: an ordinary smaller network where the kind allows it, else
    /// one with zeros.
    ///
    /// # Errors
    /// [`SparsifyError`].
    pub fn cut(&self, graph: &Graph, kept: &KeptGroups) -> Result<Graph, SparsifyError> {
        let mut graph = graph.clone();
        let mut cuts = Vec::new();
        let mut zeros = false;
        for (layer, keep) in self.list.iter().zip(kept) {
            match &layer.removal {
                Removal::Channels(space) => cuts.push(Cut { space, keep }),
                Removal::Blocks(_) => {}
                Removal::Zeros => zeros = true,
            }
        }
        if zeros {
            let dropped = self.dropped_values(kept)?;
            for p in &self.parameters {
                let Some(values) = graph[p.tensor].f32s_mut() else { continue };
                let first = dropped.partition_point(|&i| i < p.range.start);
                let inside = dropped[first..].iter().take_while(|i| p.range.contains(i));
                inside.for_each(|i| values[i - p.range.start] = 0.0);
            }
        }
        prune(&mut graph, &cuts)?;
        drop_blocks(&mut graph, &self.dropped_blocks(kept).cloned().collect::<Vec<_>>())?;
        Ok(graph)
    }
}
