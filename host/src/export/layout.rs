//! The layouts that the weights of a layer can have in a file, and packing a layer into one of them.

use super::tiles::{self, FILTER_ROWS, RecordFormat, layer_filters, records, tiles_constant, whole};
use super::{ExportError, compress};
use crate::graph::lower::{Lowered, Scaling};
use crate::graph::{Graph, Node};
use crate::plan::{Memory, Share};
use niwaki_core::format::DType;
use niwaki_core::kernels::Dense;
use niwaki_core::kernels::tiles::filters::{Filter, GROUP};
use niwaki_core::kernels::tiles::{
    Blocks, Codebook, CompressedRows, Conv2dTiled, FILTERS, Int4, Kept, Packed, Rows, Taps, TiledInt8, Tiles, blocks,
    codebook, int4, taps,
};
pub use niwaki_core::ops::Layout;
use niwaki_core::ops::{Op, OpCode};
use niwaki_core::shape::{MAX_DIM, Window};

/// The name of having no [`Layout`].
pub const PLAIN: &str = Layout::Plain.name();

/// A constant operand of a packed layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constant {
    /// Element type.
    pub dtype: DType,
    /// Sizes of the axes.
    pub shape: Vec<usize>,
    /// The elements.
    pub bytes: Vec<u8>,
}

impl Constant {
    pub(super) fn i32(shape: Vec<usize>, words: &[i32]) -> Self {
        Self { dtype: DType::I32, shape, bytes: bytemuck::cast_slice(words).to_vec() }
    }

    fn i16(list: &[i16]) -> Self {
        Self { dtype: DType::I16, shape: vec![list.len()], bytes: bytemuck::cast_slice(list).to_vec() }
    }

    fn i8(list: &[i8]) -> Self {
        Self { dtype: DType::I8, shape: vec![list.len()], bytes: bytemuck::cast_slice(list).to_vec() }
    }
}

/// A layer in one layout, as it goes into a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedLayer {
    /// What the operator is called in the file.
    pub code: OpCode,
    /// Its window, where it has one.
    pub window: Option<Window>,
    /// Its operands after the input.
    pub constants: Vec<Constant>,
    /// What it asks of the arena.
    pub memory: Memory,
}

impl PackedLayer {
    /// Bytes of all its constants, indices and multipliers included, alignment not.
    pub fn bytes(&self) -> usize {
        self.constants.iter().map(|constant| constant.bytes.len()).sum()
    }
}

/// Packs `node` of `graph`, an int8 convolution or dense layer, in `layout`.
///
/// Which weights are left out is read from their values: zeros are. A layout of the wrong structure is larger and slower
/// than [`Layout::Tiled`], never wrong. Together with [`PackedLayer::bytes`] and a run on an emulated chip this is what a
/// choice among layouts by cost needs; [`export_with`](super::export_with) takes its result.
///
/// # Errors
/// [`ExportError::Layout`] says what the layer has not that the layout asks for; [`ExportError::Graph`] for a node that has
/// no integer form.
pub fn pack_layer(graph: &Graph, node: &Node, layout: Layout) -> Result<PackedLayer, ExportError> {
    pack_lowered(graph, node, &graph.lower(node)?, layout)
}

/// [`pack_layer`] of what is lowered already.
pub(super) fn pack_lowered(
    graph: &Graph,
    node: &Node,
    lowered: &Lowered,
    layout: Layout,
) -> Result<PackedLayer, ExportError> {
    let refused = |why| ExportError::Layout { node: node.name.clone(), layout, why };
    if layout == Layout::Tiled {
        return tiles::tile(graph, node, lowered).ok_or_else(|| refused("its constants do not fit into tiles"));
    }
    let layer = Layer::new(graph, node, lowered).map_err(refused)?;
    let packed = match layout {
        Layout::Blocks => layer.blocks(),
        Layout::Taps => layer.taps(),
        Layout::Kept => layer.kept(),
        Layout::Rows => layer.rows(),
        Layout::Int4 => layer.int4(),
        Layout::Codebook => layer.codebook().map_err(refused)?,
        Layout::Compressed => layer.compressed().map_err(refused)?,
        _ => return Err(refused("it is no layout of packed weights")),
    };
    packed.ok_or_else(|| refused("a weight or a sum of weights is out of its range"))
}

/// What is packed.
struct Layer<'a> {
    /// The filters; those that always give the same have no weights.
    filters: Vec<Filter<'a>>,
    /// Weights of each.
    len: usize,
    numerics: TiledInt8,
    shape: Shape,
}

/// What the filters belong to.
enum Shape {
    Conv2d(Conv2dTiled),
    Dense(Dense),
}

impl<'a> Layer<'a> {
    fn new(graph: &'a Graph, node: &Node, lowered: &Lowered) -> Result<Self, &'static str> {
        const WHAT: &str = "it is no int8 convolution or dense layer";
        let (shape, scaling, outputs): (_, &Scaling, _) = match lowered {
            Lowered::Conv2d(op, scaling) => {
                (Shape::Conv2d(Conv2dTiled { conv: *op }), scaling, op.out_channels().get())
            }
            Lowered::Dense(dense, scaling) => (Shape::Dense(*dense), scaling, dense.outputs().get()),
            _ => return Err(WHAT),
        };
        let (weights, int8) = (tiles::weights(graph, node).ok_or(WHAT)?, scaling.int8().ok_or(WHAT)?);
        let filters = layer_filters(graph, node, scaling, outputs, weights);
        let numerics = TiledInt8 {
            input_zero_point: i8::try_from(int8.input_zero_point).map_err(|_| WHAT)?,
            output_zero_point: int8.output_zero_point,
            clamp: int8.clamp,
        };
        let filters = filters.ok_or("a start or a multiplier is out of the range of records")?;
        Ok(Self { filters, len: weights.len() / outputs, numerics, shape })
    }

    /// The layer with these constants, packed as `packed` says.
    fn packed(&self, layout: Layout, constants: Vec<Constant>, packed: &impl Packed) -> Option<PackedLayer> {
        let (op, window, words, share) = match &self.shape {
            Shape::Conv2d(op) => {
                let words = packed.conv2d_scratch_words(op);
                (Op::Conv2d, Some(op.conv.window), words, Share::Lead(op.lead()))
            }
            Shape::Dense(_) => (Op::Dense, None, packed.dense_scratch_words(), Share::Nothing),
        };
        let memory = Memory { scratch_bytes: words * size_of::<i32>(), share };
        Some(PackedLayer { code: OpCode::of(op, layout)?, window, constants, memory })
    }

    fn blocks(&self) -> Option<PackedLayer> {
        let mut words = Vec::new();
        for four in self.filters.chunks(FILTERS) {
            blocks::pack(&whole(four), self.len, &mut |word| words.push(word))?;
        }
        let packed = Blocks::try_new(&words, self.filters.len(), self.len).ok()?;
        let constants = vec![Constant::i32(vec![words.len()], &words)];
        self.packed(Layout::Blocks, constants, &packed)
    }

    fn taps(&self) -> Option<PackedLayer> {
        let mut words = Vec::new();
        for four in self.filters.chunks(FILTERS) {
            taps::pack(&whole(four), self.len, &mut |word| words.push(word))?;
        }
        let packed = Taps::try_new(&words, self.filters.len(), self.len).ok()?;
        let constants = vec![Constant::i32(vec![words.len()], &words)];
        self.packed(Layout::Taps, constants, &packed)
    }

    fn kept(&self) -> Option<PackedLayer> {
        let used = |k: usize| self.filters.iter().any(|filter| filter.weights.get(k).is_some_and(|&w| w != 0));
        let mut positions: Vec<usize> = (0..self.len).filter(|&k| used(k)).collect();
        if positions.is_empty() {
            positions.push(0);
        }
        let count = positions.len();
        let select = |filter: &Filter<'_>| -> Vec<i8> {
            let of = |&k: &usize| filter.weights.get(k).copied().unwrap_or(0);
            positions.iter().map(of).collect()
        };
        let weights: Vec<Vec<i8>> = self.filters.iter().map(select).collect();
        let filters: Vec<Filter<'_>> =
            self.filters.iter().zip(&weights).map(|(filter, weights)| Filter { weights, ..*filter }).collect();
        // What fills the last group meets no weights.
        positions.resize(count.next_multiple_of(GROUP), positions[count - 1]);
        let words = records(&filters, positions.len(), FILTER_ROWS)?;
        let list: Vec<i16> = positions.iter().map(|&k| i16::try_from(k)).collect::<Result<_, _>>().ok()?;
        let packed = Kept::try_new(&words, &list, filters.len(), self.len).ok()?;
        let constants = vec![tiles_constant(&words, filters.len()), Constant::i16(&list)];
        self.packed(Layout::Kept, constants, &packed)
    }

    fn rows(&self) -> Option<PackedLayer> {
        let constants: Vec<i8> =
            self.filters.iter().map(|filter| self.numerics.finish(filter.start, filter.multiplier)).collect();
        let there = |filter: &Filter<'_>| filter.weights.iter().any(|&w| w != 0);
        let mut rows: Vec<usize> = (0..self.filters.len()).filter(|&o| there(&self.filters[o])).collect();
        if rows.is_empty() {
            rows.push(0);
        }
        let filters: Vec<Filter<'_>> = rows.iter().map(|&o| self.filters[o]).collect();
        let words = records(&filters, self.len, FILTER_ROWS)?;
        let list: Vec<i16> = rows.iter().map(|&o| i16::try_from(o)).collect::<Result<_, _>>().ok()?;
        let packed = Rows::try_new(&words, &list, &constants, self.len).ok()?;
        let operands = vec![tiles_constant(&words, rows.len()), Constant::i16(&list), Constant::i8(&constants)];
        self.packed(Layout::Rows, operands, &packed)
    }

    fn int4(&self) -> Option<PackedLayer> {
        let layout = RecordFormat { words: int4::int4_weight_words, pack: int4::pack };
        let words = records(&self.filters, self.len, layout)?;
        let packed = Int4::try_new(&words, self.filters.len(), self.len).ok()?;
        let constants = vec![tiles_constant(&words, self.filters.len())];
        self.packed(Layout::Int4, constants, &packed)
    }

    fn codebook(&self) -> Result<Option<PackedLayer>, &'static str> {
        let Some(values) = codebook::values(&self.filters, self.len) else {
            return Err("its weights have more than 16 values, 0 included where a tile is filled up");
        };
        let mut words = vec![0; Tiles::words_of(self.filters.len(), codebook::codebook_weight_words(self.len))];
        let record_words = Tiles::words_of(FILTERS, codebook::codebook_weight_words(self.len));
        for (four, record) in self.filters.chunks(FILTERS).zip(words.chunks_mut(record_words)) {
            if codebook::pack(&whole(four), &values, record).is_none() {
                return Ok(None);
            }
        }
        let Ok(packed) = Codebook::try_new(&words, &values, self.filters.len(), self.len) else { return Ok(None) };
        let constants = vec![tiles_constant(&words, self.filters.len()), Constant::i8(&values)];
        Ok(self.packed(Layout::Codebook, constants, &packed))
    }

    fn compressed(&self) -> Result<Option<PackedLayer>, &'static str> {
        let Shape::Dense(dense) = &self.shape else { return Err("it is no dense layer") };
        if self.len > MAX_DIM {
            return Err("it has too many inputs");
        }
        let (words, columns) = compress::rows(&self.filters, self.len);
        let Ok(packed) = CompressedRows::try_new(&words, &columns, *dense) else { return Ok(None) };
        let scratch_bytes = packed.scratch_words() * size_of::<i32>();
        let Some(code) = OpCode::of(Op::Dense, Layout::Compressed) else { return Ok(None) };
        Ok(Some(PackedLayer {
            code,
            window: None,
            constants: vec![Constant::i32(vec![words.len()], &words), Constant::i16(&columns)],
            memory: Memory { scratch_bytes, share: Share::Nothing },
        }))
    }
}
