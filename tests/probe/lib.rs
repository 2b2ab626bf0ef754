//! Calls everything in core that the compiler generates only where it is used, so that `cargo ci` can inspect the code.
#![no_std]

pub mod graph;
pub mod nodes;

use core::hint::black_box;
use core::num::NonZeroU32;
use niwaki_core::error::{GroupError, OperatorError, OptimError, ProxError, ShapeError, VerifyError};
use niwaki_core::format::{self, DType, Header, OperatorRecord, TensorRecord};
use niwaki_core::kernels::tiles::filters::{self, Filter};
use niwaki_core::kernels::tiles::{
    Activations, Blocks, Codebook, CompressedRows, Conv2dTiled, DenseTiled, DepthwiseConv2dTiled, Int4, Kept, Packed,
    Rows, Taps, TiledInt8, Tiles, blocks, codebook, compressed, depthwise_conv2d, int4, taps,
};
use niwaki_core::kernels::{
    AddF32, AddInt, Affine, Arithmetic, BackEnd, Best, Binary, Broadcast, Clamp, Conv2d, Dense, DepthwiseConv2d,
    Float16, Float32, Grid, HardSwishF32, HardSwishInt8, Int8, Int16Accumulator, Int16x8, Interpolate, LeakyReluF32,
    LeakyReluInt, LogisticF32, LogisticInt8, LogisticInt16, Lookup, MeanF32, MulF32, MulInt, Pool2d, Portable,
    PreluF32, PreluInt, Reduce, ReduceInt, Reduction, Rescale, Resize, Side, Softmax, SoftmaxInt8, SoftmaxInt16, Steps,
    StridedCopy, SubF32, SubInt, SumF32, TanhF32, TanhInt8, TanhInt16, TransposeConv2d, Unary, reference,
};
use niwaki_core::num::{self, Code, Multiplier, Rounding, SmallMultiplier};
use niwaki_core::ops;
use niwaki_core::ops::OpCode;
use niwaki_core::optim::{Hyper, Kind, Optimizer, adam, sgd};
use niwaki_core::prox::group_lasso::GroupLasso;
use niwaki_core::prox::groups::{self, GroupKind, GroupLayout, Groups, IndexSets, LayoutSpec};
use niwaki_core::prox::half_space::half_space_scales;
use niwaki_core::prox::wgsef::{Budget, Ramp, Solver, Weights, Wgsef};
use niwaki_core::real::Real;
use niwaki_core::schedule::{Schedule, progress};
use niwaki_core::shape::{self, AxisSpec, Window, same_padding};
use niwaki_core::{Model, Session};

/// An unknown value, so that no check is decided while compiling.
fn unknown<T: Copy>(value: T) -> T {
    black_box(value)
}

/// Verifying a file, a run, and every way to read its operands.
pub fn inference(file: &[u8], arena: &mut [u8], observe: &mut dyn FnMut(usize)) -> Result<(), VerifyError> {
    let model = Model::verify(file, ops::ALL)?;
    black_box((model.arena_bytes(), model.file_bytes(), model.rounding(), model.tensor(unknown(0)), model.operator(1)));
    black_box((
        model.step(unknown(1)).map(|step| (step.operator.code, step.input(2), step.output())),
        model.input_tensor(3),
    ));
    let Ok(mut session) = Session::new(model, arena) else { return Ok(()) };
    if let (Ok(x), Ok(y)) = (model.input::<i8>(unknown(0)), model.output::<i8>(unknown(0))) {
        black_box((session.write(x, unknown(&[1])), session.output(y), x.len(), y.is_empty()));
    }
    if let (Ok(x), Ok(y)) = (model.input::<f32>(unknown(1)), model.output::<f32>(unknown(1))) {
        session.input_mut(x).fill(1.0);
        black_box(session.output(y));
    }
    session.input_bytes_mut(unknown(2)).fill(1);
    session.run_observed(observe);
    session.run();
    black_box(session.output_bytes(2));
    Ok(())
}

/// Integer arithmetic with any operands.
pub fn numbers(x: i32, y: u32, real: f64, scale: f32, rounding: Rounding) {
    let multiplier = Multiplier::from_real(real, rounding);
    black_box((
        multiplier,
        multiplier.is_valid(),
        multiplier.apply(x, rounding),
        Multiplier { mantissa_q31: x, shift: x },
    ));
    black_box(Multiplier { mantissa_q31: x, shift: unknown(x) }.apply(unknown(x), rounding));
    black_box((num::saturating_rounding_doubling_high_mul(x, unknown(x)), num::rounding_divide_by_pot(x, y)));
    black_box((multiplier.apply_i64(x.into()), num::saturate_i16(x), num::saturate_i16_from_i64(x.into())));
    black_box((num::exp_on_negative(x, y), num::one_over_one_plus(x), num::saturate_i8(x), num::round_away(real)));
    black_box((num::quantize_i8(scale, unknown(scale), x), num::dequantize_i8(num::saturate_i8(x), scale, x)));
    black_box((num::logistic(x, y), num::tanh(x, y), num::logistic_i16(x), num::tanh_i16(x), num::saturate_i16(x)));
    let code = num::quantize::<i16>(scale, unknown(scale), x);
    black_box((num::dequantize(code, scale, x), num::exp_i16(code), num::one_over_one_plus_i16(code)));
    let (inputs, sum) = AddInt::multipliers::<i16>([scale, unknown(scale)], unknown(scale), rounding);
    black_box((ReduceInt::mean([scale, unknown(scale)], unknown(y as usize), rounding), Steps::from_scale(scale)));
    black_box((inputs, sum, SoftmaxInt16::from_scale(scale, rounding).exponential(x)));
    black_box((inputs, sum, SoftmaxInt8::from_scale(scale, rounding).rescale(x)));
}

/// Records from any bytes and back, codes, and the text of errors.
pub fn records(bytes: &[u8], code: u8, errors: &[&dyn core::error::Error], out: &mut dyn core::fmt::Write) {
    black_box((format::crc32(bytes), Header::from_bytes(bytes).to_bytes()));
    let tensor = TensorRecord::from_bytes(bytes);
    black_box((tensor.to_bytes(), tensor.dim(unknown(2)), tensor.element_count(), tensor.span(), tensor.location()));
    black_box((OperatorRecord::from_bytes(bytes).to_bytes(), OpCode::from_byte(code).map(|o| (o.byte(), o.name()))));
    black_box(DType::from_code(code).map(|dtype| (dtype.code(), dtype.name(), dtype.element_bytes())));
    // A write that fails is the caller's concern.
    let _ = errors.iter().try_for_each(|error| write!(out, "{error}"));
}

/// The error types that [`records`] returns.
pub fn errors(
    a: &VerifyError,
    b: &ShapeError,
    c: &GroupError,
    d: &ProxError,
    e: &OptimError,
    out: &mut dyn core::fmt::Write,
) {
    records(&[], unknown(1), &[a, b, c, d, e], out);
}

/// Geometry from any sizes.
pub fn geometry(axis: AxisSpec, sizes: [usize; 3]) -> Result<(), ShapeError> {
    let [a, b, c] = sizes;
    let window = Window::try_new(axis, unknown(axis))?;
    black_box((window.input_area(), window.kernel_area(), shape::channels("c", c)?, shape::expect_len("x", a, b)?));
    black_box((same_padding(a, b, c, unknown(2)), window.y.taps(a), window.output_area()));
    black_box((Conv2d::try_new(window, a, b)?, DepthwiseConv2d::try_new(window, a, b)?, Pool2d::try_new(window, a)?));
    black_box((Dense::try_new(a, b)?, Softmax::try_new(c)?));
    black_box(TransposeConv2d::try_new(window, a, b)?);
    black_box((TransposeConv2d::sources(&window.y, a), StridedCopy::transpose([a; 4], unknown([b; 4]), c)?));
    let grid = Grid { align_corners: unknown(true), half_pixel_centers: unknown(false) };
    let resize = Resize::try_new([a, b], [b, c], a, grid)?;
    black_box((resize.x.nearest(a), resize.y.between_q10(b), resize.y.between(c)));
    Ok(())
}

/// Copies between any places.
pub fn movement(
    index: [usize; 4],
    shape: [usize; 4],
    strides: [isize; 4],
    x: &[u8],
    y: &mut [u8],
) -> Result<(), ShapeError> {
    let slice = StridedCopy::slice(shape, index, strides, unknown(shape), unknown(2))?;
    let placed = StridedCopy::place(shape, index, unknown(shape), unknown(4))?;
    black_box((slice.from().element(index), slice.to().element(index), slice.element_bytes()));
    reference::strided_copy(&slice, x, y)?;
    Portable::strided_copy(&slice, x, y)?;
    reference::pad(&placed, x, x, y)?;
    Portable::pad(&placed, x, x, y)
}

fn resized<T: Interpolate>(op: &Resize, rounding: Rounding, x: &[T], y: &mut [T]) -> Result<(), ShapeError> {
    reference::resize_nearest(op, x, y)?;
    Portable::resize_nearest(op, x, y)?;
    reference::resize_bilinear(op, rounding, x, y)?;
    Portable::resize_bilinear(op, rounding, x, y)
}

/// The functions that resizes of each element type become.
pub type Resized<T> = fn(&Resize, Rounding, &[T], &mut [T]) -> Result<(), ShapeError>;

/// Resizes.
pub static RESIZED: (Resized<i8>, Resized<i16>, Resized<f32>) = (resized, resized, resized);

macro_rules! weighted {
    ($name:ident, $module:ident) => {
        /// Weighted operators in one spelling and one number format.
        pub fn $name<A: Arithmetic>(
            ops: &Geometry,
            arithmetic: &A,
            x: &[A::Input],
            w: &[A::Weight],
            bias: &[A::Bias],
            y: &mut [A::Output],
        ) -> Result<(), ShapeError> {
            $module::conv2d(&ops.0, arithmetic, x, w, bias, y)?;
            $module::depthwise_conv2d(&ops.1, arithmetic, x, w, bias, y)?;
            $module::transpose_conv2d(&ops.3, arithmetic, x, w, bias, y)?;
            $module::dense(&ops.2, arithmetic, x, w, bias, y)
        }
    };
}

weighted!(weighted_reference, reference);
weighted!(weighted_portable, Portable);

type Geometry = (Conv2d, DepthwiseConv2d, Dense, TransposeConv2d);

/// Weighted int8 operators.
pub fn int8(ops: &Geometry, a: &Int8<'_>, x: &[i8], w: &[i8], b: &[i32], y: &mut [i8]) -> Result<(), ShapeError> {
    weighted_reference(ops, a, x, w, b, y)?;
    weighted_portable(ops, a, x, w, b, y)
}

/// Operators in tiles: the record, the geometry, every spelling.
pub fn tiled(
    ops: &(Conv2dTiled, DenseTiled),
    numerics: &TiledInt8,
    words: &mut [i32],
    sizes: [usize; 2],
    activations: &mut Activations<'_>,
    scratch: &mut [i32],
    output: &mut [i8],
) -> Result<(), OperatorError> {
    let [filters, weight_words] = sizes;
    let multiplier = SmallMultiplier::new(Multiplier { mantissa_q31: unknown(1), shift: unknown(-1) });
    let filter = Filter { weights: unknown(&[1, 2]), start: unknown(3), multiplier: multiplier.unwrap_or_default() };
    black_box(filters::pack(&[filter, Filter::constant(unknown(1)), filter, Filter::MISSING], words));
    let tiles = Tiles::try_new(words, filters, weight_words)?;
    for tile in tiles.iter() {
        black_box((filters::start(&tile, unknown(1)), filters::weight(&tile, unknown(1), unknown(5))));
        black_box(tile.multipliers.map(|m| numerics.finish(unknown(1), m)));
    }
    black_box((ops.0.lead(), ops.0.scratch_words(), ops.1.scratch_words(), ops.0.patch_len()));
    ops.0.check_tiles(&tiles)?;
    ops.1.check_tiles(&tiles)?;
    reference::conv2d_tiled(&ops.0, numerics, &tiles, activations.x(), output)?;
    reference::dense_tiled(&ops.1, numerics, &tiles, activations.x(), output)?;
    Portable::conv2d_tiled(&ops.0, numerics, &tiles, activations, scratch)?;
    Ok(Portable::dense_tiled(&ops.1, numerics, &tiles, activations.x(), output)?)
}

macro_rules! packed {
    ($name:ident, $packing:ty) => {
        /// A packing: its definition, and the layers in every spelling.
        pub fn $name(
            op: &Conv2dTiled,
            numerics: &TiledInt8,
            packed: &$packing,
            activations: &mut Activations<'_>,
            scratch: &mut [i32],
            output: &mut [i8],
        ) -> Result<(), ShapeError> {
            black_box((packed.conv2d_scratch_words(op), packed.dense_scratch_words(), packed.patch_len()));
            black_box((
                packed.weight(unknown(1), unknown(2)),
                packed.start(unknown(1)),
                packed.check_dims(1, 2).is_ok(),
            ));
            reference::conv2d_packed(&op.conv, numerics, packed, activations.x(), output)?;
            reference::dense_packed(numerics, packed, activations.x(), output)?;
            Portable::conv2d_packed(op, numerics, packed, activations, scratch)?;
            Portable::dense_packed(numerics, packed, activations.x(), output, scratch)?;
            Best::conv2d_packed(op, numerics, packed, activations, scratch)?;
            let (x, y) = activations.split(unknown(1), unknown(2))?;
            Best::dense_packed(numerics, packed, x, y, scratch)
        }
    };
}

packed!(packed_blocks, Blocks<'_>);
packed!(packed_taps, Taps<'_>);
packed!(packed_kept, Kept<'_>);
packed!(packed_rows, Rows<'_>);
packed!(packed_int4, Int4<'_>);
packed!(packed_codebook, Codebook<'_>);

/// Packings from anything.
pub fn packings(words: &mut [i32], list: &[i16], codes: &[i8], filter: &Filter<'_>) -> Result<(), OperatorError> {
    black_box((int4::pack(&[*filter; 4], words), Blocks::try_new(words, unknown(3), unknown(4))?.words()));
    black_box(Kept::try_new(words, list, unknown(3), unknown(4))?.positions());
    let rows = Rows::try_new(words, list, codes, unknown(4))?;
    black_box(rows.rows());
    black_box(Int4::try_new(words, unknown(3), unknown(4))?.pair_words());
    black_box(Codebook::try_new(words, codes, unknown(3), unknown(4))?.pair_words());
    let values = codebook::values(&[*filter; 3], unknown(9)).unwrap_or_default();
    black_box(codebook::pack(&[*filter; 4], &values, words));
    let mut sum = 0_i32;
    let mut add = |word: i32| sum = sum.wrapping_add(word);
    black_box(blocks::pack(&[*filter; 4], unknown(9), &mut add));
    black_box((taps::pack(&[*filter; 4], unknown(9), &mut add), Taps::try_new(words, unknown(3), unknown(4))?.words()));
    let unit = compressed::Unit { distance: unknown(3), weights: [unknown(1), 2] };
    compressed::pack(filter.start, filter.multiplier, unknown(&[unit; 3]), &mut add);
    black_box(sum);
    Ok(())
}

/// Compressed rows from anything, in every spelling.
pub fn compressed_rows(
    words: &[i32],
    columns: &[i16],
    dense: Dense,
    numerics: &TiledInt8,
    x: &[i8],
    y: &mut [i8],
    scratch: &mut [i32],
) -> Result<(), OperatorError> {
    let rows = CompressedRows::try_new(words, columns, dense)?;
    black_box((rows.weight(unknown(1), unknown(2)), rows.scratch_words(), rows.columns(), rows.dense()));
    reference::dense_compressed(numerics, &rows, x, y)?;
    Portable::dense_compressed(numerics, &rows, x, y, scratch)?;
    Ok(Best::dense_compressed(numerics, &rows, x, y, scratch)?)
}

/// Weighted f32 operators.
pub fn float(ops: &Geometry, a: &Float32, x: &[f32], w: &[f32], b: &[f32], y: &mut [f32]) -> Result<(), ShapeError> {
    weighted_reference(ops, a, x, w, b, y)?;
    weighted_portable(ops, a, x, w, b, y)
}

/// Weighted f32 operators with binary16 weights.
pub fn half(
    ops: &Geometry,
    a: &Float16,
    x: &[f32],
    w: &[<Float16 as Arithmetic>::Weight],
    b: &[f32],
    y: &mut [f32],
) -> Result<(), ShapeError> {
    weighted_reference(ops, a, x, w, b, y)?;
    weighted_portable(ops, a, x, w, b, y)
}

fn int16<B: Int16Accumulator>(
    ops: &Geometry,
    a: &Int16x8<'_, B>,
    x: &[i16],
    w: &[i8],
    b: &[B],
    y: &mut [i16],
) -> Result<(), ShapeError> {
    weighted_reference(ops, a, x, w, b, y)?;
    weighted_portable(ops, a, x, w, b, y)
}

/// The functions that weighted int16 operators with a bias of each type become.
pub type Int16<B> = fn(&Geometry, &Int16x8<'_, B>, &[i16], &[i8], &[B], &mut [i16]) -> Result<(), ShapeError>;

/// Weighted int16 operators.
pub static INT16: (Int16<i32>, Int16<i64>) = (int16, int16);

/// Operators without weights, int8.
pub fn plain_int8(
    ops: &(Pool2d, Softmax, SoftmaxInt8),
    clamp: Clamp<i8>,
    x: &[i8],
    y: &mut [i8],
) -> Result<(), ShapeError> {
    reference::max_pool2d(&ops.0, clamp, x, y)?;
    reference::average_pool2d(&ops.0, clamp, x, y)?;
    Portable::max_pool2d(&ops.0, clamp, x, y)?;
    Portable::average_pool2d(&ops.0, clamp, x, y)?;
    reference::softmax_int8(&ops.1, &ops.2, x, y)
}

/// Operators without weights, int16.
pub fn plain_int16(
    ops: &(Pool2d, Softmax, SoftmaxInt16),
    clamp: Clamp<i16>,
    x: &[i16],
    y: &mut [i16],
) -> Result<(), ShapeError> {
    reference::max_pool2d(&ops.0, clamp, x, y)?;
    reference::average_pool2d(&ops.0, clamp, x, y)?;
    Portable::max_pool2d(&ops.0, clamp, x, y)?;
    Portable::average_pool2d(&ops.0, clamp, x, y)?;
    reference::softmax_int16(&ops.1, &ops.2, x, y)
}

/// Operators without weights, f32.
pub fn plain_float(ops: &(Pool2d, Softmax), clamp: Clamp<f32>, x: &[f32], y: &mut [f32]) -> Result<(), ShapeError> {
    reference::max_pool2d(&ops.0, clamp, x, y)?;
    reference::average_pool2d(&ops.0, clamp, x, y)?;
    Portable::max_pool2d(&ops.0, clamp, x, y)?;
    Portable::average_pool2d(&ops.0, clamp, x, y)?;
    reference::softmax_f32(&ops.1, x, y)
}

fn one_operand<T: Copy>(op: &impl Unary<T>, x: &[T], y: &mut [T]) -> Result<(), ShapeError> {
    reference::unary(op, x, y)?;
    Portable::unary_in_place(op, y);
    Ok(())
}

fn two_operands<T: Copy + Default>(op: &impl Binary<T>, x: &[T], y: &mut [T]) -> Result<(), ShapeError> {
    let size = unknown(x.len());
    let shape = Broadcast::try_new([size, unknown(1), 1, size], [1, size, unknown(1), size])?;
    black_box((shape.sizes(), Broadcast::equal(size)?));
    reference::binary(op, &shape, x, x, y)?;
    Portable::binary(op, &shape, x, x, y)?;
    Portable::binary_in_place(op, &shape, unknown(Side::Left), x, y)
}

fn over_axes<T: Copy + Default + PartialOrd>(
    by: &impl Reduction<T>,
    x: &[T],
    y: &mut [T],
    at: &mut [i32],
) -> Result<(), ShapeError> {
    let size = unknown(x.len());
    let op = Reduce::try_new([size, unknown(2), size, unknown(3)], unknown(5))?;
    reference::reduce(&op, by, x, y)?;
    Portable::reduce(&op, by, x, y)?;
    reference::arg_max(&op, x, at)?;
    Portable::arg_max(&op, x, at)
}

/// Constants of elementwise operators and reductions of codes.
pub type Integers = (AddInt, MulInt, PreluInt, Rescale, LeakyReluInt, ReduceInt, Affine);

/// Elementwise operators and reductions of codes.
pub fn codes<T: Code>(
    ops: &Integers,
    x: &[T],
    y: &mut [T],
    real: &mut [f32],
    at: &mut [i32],
) -> Result<(), ShapeError> {
    two_operands(&ops.0, x, y)?;
    two_operands(&SubInt(ops.0), x, y)?;
    two_operands(&ops.1, x, y)?;
    two_operands(&ops.2, x, y)?;
    one_operand(&ops.3, x, y)?;
    one_operand(&ops.4, x, y)?;
    over_axes(&ops.5, x, y, at)?;
    reference::unary(&ops.6, x, real)?;
    reference::unary(&ops.6, real, y)
}

/// Elementwise operators and reductions, int8 alone.
pub fn codes_int8(ops: &Integers, table: &[i8; 256], scale: f32, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
    let (zero_point, rounding) = (ops.3.input_zero_point, ops.3.rounding);
    codes(ops, x, y, &mut [], &mut [])?;
    black_box(Lookup::table(&LogisticInt8::from_scale(scale, zero_point, rounding)));
    black_box(Lookup::table(&TanhInt8::from_scale(scale, zero_point, rounding)));
    black_box(HardSwishInt8::try_new([scale; 2], [zero_point; 2], rounding).map(|op| Lookup::table(&op)));
    one_operand(&Lookup { table }, x, y)
}

/// Elementwise operators and reductions, int16 alone.
pub fn codes_int16(ops: &Integers, steps: Steps, x: &[i16], y: &mut [i16]) -> Result<(), ShapeError> {
    codes(ops, x, y, &mut [], &mut [])?;
    one_operand(&LogisticInt16(steps), x, y)?;
    one_operand(&TanhInt16(steps), x, y)
}

/// Elementwise operators and reductions, f32.
pub fn reals_of_operators(clamp: Clamp<f32>, x: &[f32], y: &mut [f32]) -> Result<(), ShapeError> {
    two_operands(&AddF32(clamp), x, y)?;
    two_operands(&SubF32(clamp), x, y)?;
    two_operands(&MulF32(clamp), x, y)?;
    two_operands(&PreluF32, x, y)?;
    one_operand(&clamp, x, y)?;
    one_operand(&LogisticF32, x, y)?;
    one_operand(&TanhF32, x, y)?;
    one_operand(&HardSwishF32, x, y)?;
    one_operand(&LeakyReluF32 { alpha: clamp.min }, x, y)?;
    over_axes(&SumF32, x, y, &mut [])?;
    over_axes(&MeanF32 { count: clamp.max }, x, y, &mut [])
}

/// Layouts from any description.
pub fn layouts(spec: LayoutSpec, kind: GroupKind, shape: [usize; 4]) -> Result<[GroupLayout; 6], GroupError> {
    let [a, b, ..] = shape;
    Ok([
        GroupLayout::try_new(spec)?,
        GroupLayout::of(kind, shape)?,
        GroupLayout::rows(a, b)?,
        GroupLayout::columns(a, b)?,
        GroupLayout::elements(a)?,
        GroupLayout::blocks([a, b], [unknown(4), unknown(1)])?,
    ])
}

fn passes<T: Real>(
    groups: &impl Groups,
    part: &mut [T],
    other: &[T],
    sums: &mut [f64],
    norms: &mut [T],
) -> Result<(), GroupError> {
    groups::accumulate_squared_norms(part, groups, sums)?;
    groups::accumulate_products(part, other, groups, sums)?;
    groups::accumulate_sums(part, groups, sums)?;
    groups::norms(sums, norms)?;
    groups::scale(part, groups, norms)
}

fn grouping<T: Real>(
    layout: &GroupLayout,
    sets: [&[u32]; 2],
    seen: &mut [u32],
    part: &mut [T],
    other: &[T],
    sums: &mut [f64],
    norms: &mut [T],
) -> Result<(), GroupError> {
    passes(layout, part, other, sums, norms)?;
    let [starts, indices] = sets;
    passes(&IndexSets::try_new(starts, indices, part.len(), seen)?, part, other, sums, norms)
}

fn reals<T: Real>(a: T, b: T) -> (Option<T>, [T; 4], bool) {
    (T::between(a, b), [a.min(b), a.max(b), a.abs(), a.sqrt()], a.is_finite())
}

fn envelope<T: Real>(k: usize, weights: &[T], norms: &[T], lambda: T, scales: &mut [T]) -> Result<(), ProxError> {
    let envelope = Wgsef::try_new(k, Weights::Each(weights))?;
    black_box(reals(lambda, unknown(lambda)));
    let _ = black_box((
        envelope.value(norms),
        envelope.conjugate(norms),
        Wgsef::try_new(k, Weights::<T>::One)?.value(norms),
    ));
    envelope.gradient_scales(norms, scales)?;
    envelope.hard_scales(norms, lambda, scales)?;
    envelope.prox_scales(norms, lambda, scales)
}

fn costly<T: Real>(
    budget: Budget<'_, T>,
    norms: &[T],
    lambda: T,
    (points, ramps): (&mut [T], &mut [Ramp<T>]),
    scales: &mut [T],
) -> Result<(), ProxError> {
    let envelope = Wgsef::try_with_budget(budget, Weights::One)?;
    black_box((envelope.value(norms), envelope.conjugate(norms)).0?);
    envelope.hard_scales(norms, lambda, scales)?;
    black_box(envelope.prox_scales_by(Solver::Sorting { points }, norms, lambda, scales)?);
    black_box(envelope.prox_scales_by(Solver::Pivoting { ramps, seed: unknown(1) }, norms, lambda, scales)?);
    let lasso = GroupLasso::try_new(budget.costs)?;
    black_box(lasso.value(norms)?);
    lasso.prox_scales(norms, lambda, scales)?;
    half_space_scales(&[unknown(1.0); 3], &[unknown(2.0); 3], unknown(0.5), scales)
}

fn optimizers<T: Real>(
    rules: &(Kind, Hyper, sgd::Sgd),
    t: NonZeroU32,
    x: [&mut [T]; 2],
    slots: &mut [&mut [T]],
) -> Result<(), OptimError> {
    let [values, gradients] = x;
    black_box(adam::bias_correction(unknown(0.9), t));
    black_box((rules.0.slots(&rules.1), Schedule::Cosine.rate(unknown(0.1), progress(t.get(), 9))));
    rules.2.step(values, gradients, slots, t)?;
    rules.0.step(&rules.1, values, gradients, slots, t)
}

/// A function that groups elements.
pub type Grouping<T> =
    fn(&GroupLayout, [&[u32]; 2], &mut [u32], &mut [T], &[T], &mut [f64], &mut [T]) -> Result<(), GroupError>;

/// A function that solves with memory of the caller.
pub type Costly<T> = fn(Budget<'_, T>, &[T], T, (&mut [T], &mut [Ramp<T>]), &mut [T]) -> Result<(), ProxError>;

/// The functions that the generic ones above become.
pub type Generic<T> = (
    Grouping<T>,
    fn(usize, &[T], &[T], T, &mut [T]) -> Result<(), ProxError>,
    Costly<T>,
    fn(&(Kind, Hyper, sgd::Sgd), NonZeroU32, [&mut [T]; 2], &mut [&mut [T]]) -> Result<(), OptimError>,
);

/// Learning in f32.
pub static LEARN_F32: Generic<f32> = (grouping, envelope, costly, optimizers);

/// Learning in f64.
pub static LEARN_F64: Generic<f64> = (grouping, envelope, costly, optimizers);

/// Depthwise convolution in tiles: constructed, packed, checked and run by every back end of this target.
pub fn depthwise_tiles(
    window: Window,
    int8: TiledInt8,
    filters: &[Filter<'_>; 4],
    words: &mut [i32],
    scratch: &mut [i32],
    memory: &mut Activations<'_>,
    y: &mut [i8],
) -> Result<(), ShapeError> {
    let op = DepthwiseConv2dTiled::try_new(window, unknown(5), int8)?;
    black_box((depthwise_conv2d::pack(filters, words), op.in_place(), op.scratch_len(), op.weight_words()));
    black_box(op.check_tiles(&op.tiles(words)?).is_ok());
    reference::depthwise_conv2d_tiled(&op, words, memory.x(), y)?;
    Portable::depthwise_conv2d_tiled(&op, words, memory, scratch)?;
    Best::depthwise_conv2d_tiled(&op, words, memory, scratch)
}

/// int8 kernels that have a faster spelling on some targets.
pub fn best_kernels(op: (Pool2d, AddInt), clamp: Clamp<i8>, x: &[i8], y: &mut [i8]) -> Result<(), ShapeError> {
    Best::max_pool2d_int8(&op.0, clamp, x, y)?;
    Best::average_pool2d_int8(&op.0, clamp, x, y)?;
    Best::add_int8(&op.1, x, x, y)?;
    Best::add_int8_in_place(&op.1, unknown(Side::Right), x, y)
}
