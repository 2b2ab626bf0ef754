//! Groups of trained values: where they lie in the engine's flat vector, and what dropping them does to the network.

use super::blocks::{Block, blocks};
use super::channels::{ChannelSpace, Cut, channel_spaces};
use super::error::SparsifyError;
use super::options::{GroupKind, Sparsity};
use super::remove::{drop_blocks, prune};
use crate::engine::Parameter;
use crate::graph::{Graph, Role, TensorId};
use crate::ops::Weights;
use niwaki_core::error::GroupError;
use niwaki_core::prox::groups::{self, GroupLayout, LayoutSpec, Loop};
use std::ops::Range;

/// The groups that stay, ascending, one list a family.
pub type Kept = Vec<Vec<usize>>;

/// One tensor's part in a family.
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

/// Groups that compete with each other: the channels of a space, the weights of a layer.
#[derive(Debug, Clone)]
pub struct Family {
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

impl Family {
    fn new(name: String, groups: usize, parts: Vec<Part>, removal: Removal, len: usize) -> Result<Self, SparsifyError> {
        let (sums, norms) = (vec![0.0; groups], vec![0.0; groups]);
        let mut family = Self { name, groups, sizes: Vec::new(), parts, removal, sums, norms };
        // The sum of the squares of as many ones.
        family.accumulate(&vec![1.0; len])?;
        family.sizes = family.sums.iter().map(|size| *size as usize).collect();
        Ok(family)
    }

    fn refused(&self) -> impl Fn(GroupError) -> SparsifyError + use<> {
        let family = self.name.clone();
        move |error| SparsifyError::Group { family: family.clone(), error }
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

/// Every family of a network for one kind of group.
#[derive(Debug, Clone)]
pub struct Families {
    /// The families, in the order of their layers.
    pub list: Vec<Family>,
    parameters: Vec<Parameter>,
    /// Trained values of the network.
    len: usize,
}

impl Families {
    /// The groups of `graph`, whose parameters lie in the flat vector as `parameters` says.
    ///
    /// # Errors
    /// [`SparsifyError::NoGroups`], [`SparsifyError::Group`].
    pub fn new(graph: &Graph, parameters: &[Parameter], options: &Sparsity) -> Result<Self, SparsifyError> {
        let len = parameters.iter().map(|p| p.range.end).max().unwrap_or(0);
        let list = match options.groups {
            GroupKind::Filter => channels(graph, parameters, len)?,
            GroupKind::Layer => layers(graph, parameters, len)?,
            kind => weights(graph, parameters, len, kind, options.block)?,
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

    /// Groups in all families.
    pub fn groups(&self) -> usize {
        self.list.iter().map(|f| f.groups).sum()
    }

    /// Every group.
    pub fn all(&self) -> Kept {
        self.list.iter().map(|f| (0..f.groups).collect()).collect()
    }

    /// Indices in the flat vector of all values whose group is not in `kept`.
    ///
    /// # Errors
    /// [`SparsifyError::Group`].
    pub fn dropped_values(&self, kept: &Kept) -> Result<Vec<usize>, SparsifyError> {
        let mut stays = vec![1.0; self.len];
        for (family, kept) in self.list.iter().zip(kept) {
            let mut factors = vec![0.0; family.groups];
            kept.iter().for_each(|&j| factors[j] = 1.0);
            family.scale(&mut stays, &factors)?;
        }
        Ok((0..self.len).filter(|&i| stays[i] == 0.0).collect())
    }

    /// Names of the blocks that are not in `kept`.
    pub fn left_out(&self, kept: &Kept) -> Vec<String> {
        self.dropped_blocks(kept).map(|block| block.name.clone()).collect()
    }

    fn dropped_blocks<'a>(&'a self, kept: &'a Kept) -> impl Iterator<Item = &'a Block> {
        self.list.iter().zip(kept).flat_map(|(family, keep)| {
            let blocks = if let Removal::Blocks(blocks) = &family.removal { blocks.as_slice() } else { &[] };
            blocks.iter().enumerate().filter(|(j, _)| !keep.contains(j)).map(|(_, block)| block)
        })
    }

    /// `graph` without the groups that are not in `kept`: an ordinary smaller network where the kind allows it, else
    /// one with zeros.
    ///
    /// # Errors
    /// [`SparsifyError`].
    pub fn cut(&self, graph: &Graph, kept: &Kept) -> Result<Graph, SparsifyError> {
        let mut graph = graph.clone();
        let mut cuts = Vec::new();
        let mut zeros = false;
        for (family, keep) in self.list.iter().zip(kept) {
            match &family.removal {
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

/// Where a tensor lies in the flat vector.
fn range_of(parameters: &[Parameter], tensor: TensorId) -> Option<Range<usize>> {
    parameters.iter().find(|p| p.tensor == tensor).map(|p| p.range.clone())
}

/// One family a channel space.
fn channels(graph: &Graph, parameters: &[Parameter], len: usize) -> Result<Vec<Family>, SparsifyError> {
    let mut families = Vec::new();
    for space in channel_spaces(graph) {
        let mut parts = Vec::new();
        for slice in space.parameters(graph) {
            let Some(range) = range_of(parameters, slice.tensor) else { continue };
            let shape = &graph[slice.tensor].shape;
            let inner: usize = shape[slice.axis + 1..].iter().product();
            let outer: usize = shape[..slice.axis].iter().product();
            // The axis runs over the space `repeats` times, `period` apart, from `offset` on.
            let repeats = shape[slice.axis] / slice.period;
            let layout = GroupLayout::try_new(LayoutSpec {
                groups: [Loop::ONCE, Loop { len: space.channels, stride: inner }],
                members: [
                    Loop { len: outer, stride: inner * shape[slice.axis] },
                    Loop { len: repeats, stride: inner * slice.period },
                    Loop { len: inner, stride: 1 },
                ],
            })
            .map_err(|error| SparsifyError::Group { family: space.name.clone(), error })?;
            let start = range.start + slice.offset * inner;
            let range = start..start + layout.span();
            let row_len = (outer * repeats == 1).then_some(inner);
            parts.push(Part { range, layout, groups: 0..space.channels, row_len });
        }
        let (name, m) = (space.name.clone(), space.channels);
        families.push(Family::new(name, m, parts, Removal::Channels(space), len)?);
    }
    Ok(families)
}

/// One family with all residual branches that can be left out.
fn layers(graph: &Graph, parameters: &[Parameter], len: usize) -> Result<Vec<Family>, SparsifyError> {
    let blocks = blocks(graph);
    let mut parts = Vec::new();
    for (j, block) in blocks.iter().enumerate() {
        for range in block.parameters.iter().filter_map(|&id| range_of(parameters, id)) {
            let layout = GroupLayout::rows(1, range.len())
                .map_err(|error| SparsifyError::Group { family: block.name.clone(), error })?;
            parts.push(Part { range, layout, groups: j..j + 1, row_len: None });
        }
    }
    let m = blocks.len();
    if m == 0 {
        return Ok(Vec::new());
    }
    Ok(vec![Family::new("residual branches".into(), m, parts, Removal::Blocks(blocks), len)?])
}

/// One family a weight tensor, its groups parts of the tensor.
fn weights(
    graph: &Graph,
    parameters: &[Parameter],
    len: usize,
    kind: GroupKind,
    block: [usize; 2],
) -> Result<Vec<Family>, SparsifyError> {
    let mut families = Vec::new();
    for node in &graph.nodes {
        let Some(&w) = node.inputs.get(1).filter(|w| graph[**w].role == Role::Parameter) else { continue };
        let shape = graph[w].shape.as_slice();
        // `[filters, rows, columns, channels]` of the window; a depthwise filter reads one channel.
        let (dims, strides) = match (node.op.rules().weights, shape) {
            (Some(Weights::Filters), &[o, h, w, i]) => ([o, h, w, i], [h * w * i, w * i, i, 1]),
            (Some(Weights::Filters), &[o, i]) => ([o, 1, 1, i], [i, i, i, 1]),
            (Some(Weights::Channelwise), &[h, w, c]) => ([c, h, w, 1], [1, w * c, c, 1]),
            _ => continue,
        };
        let Some(spec) = spec(dims, strides, kind, block) else { continue };
        let Some(range) = range_of(parameters, w) else { continue };
        let refused = |error| SparsifyError::Group { family: node.name.clone(), error };
        let layout = GroupLayout::try_new(spec).map_err(refused)?;
        let m = layout.groups();
        let part = Part { range, layout, groups: 0..m, row_len: None };
        families.push(Family::new(node.name.clone(), m, vec![part], Removal::Zeros, len)?);
    }
    Ok(families)
}

/// The groups of a weight tensor; none where the kind does not fit its shape.
fn spec(dims: [usize; 4], strides: [usize; 4], kind: GroupKind, block: [usize; 2]) -> Option<LayoutSpec> {
    let [o, h, w, i] = [0, 1, 2, 3].map(|axis| Loop { len: dims[axis], stride: strides[axis] });
    let once = Loop::ONCE;
    // A filter's window in memory order, as one loop where it is contiguous.
    let window = Loop { len: h.len * w.len * i.len, stride: 1 };
    let contiguous = o.stride == window.len;
    let all = Loop { len: o.len * window.len, stride: 1 };
    let spec = |groups, members| Some(LayoutSpec { groups, members });
    match kind {
        GroupKind::Filter | GroupKind::Layer => None,
        GroupKind::Weight => spec([once, all], [once; 3]),
        GroupKind::InputChannel if contiguous => {
            spec([once, i], [once, once, Loop { len: o.len * h.len * w.len, stride: i.len }])
        }
        GroupKind::FilterShape if contiguous => spec([once, window], [once, once, o]),
        GroupKind::KernelRow if h.len > 1 => spec([once, h], [o, w, i]),
        GroupKind::KernelColumn if w.len > 1 => spec([once, w], [o, h, i]),
        GroupKind::Block if contiguous && o.len.is_multiple_of(block[0]) && window.len.is_multiple_of(block[1]) => {
            let [rows, columns] = block;
            let down = Loop { len: o.len / rows, stride: rows * o.stride };
            let along = Loop { len: window.len / columns, stride: columns };
            spec([down, along], [once, Loop { len: rows, stride: o.stride }, Loop { len: columns, stride: 1 }])
        }
        _ => None,
    }
}
