//! Maximum and mean over windows.

use super::lowered::Lowered;
use super::training::Training;
use super::{Border, Misfit, Operands, Operator, Rounded, Rules, Sliding, Value, answers, arity, example, form};
use niwaki_core::format::{DType, Params};
use niwaki_core::kernels::{Clamp, Pool2d, reference};
use niwaki_core::ops::{StoredClamp, write};

/// Input `x: [H, W, C]`; maximum over the taps inside the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MaxPool2d {
    /// `[rows, columns]`
    pub kernel: [usize; 2],
    /// Stride, dilation 1, padding.
    pub sliding: Sliding,
}

/// Input `x: [H, W, C]`; mean over the taps inside the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AveragePool2d {
    /// `[rows, columns]`
    pub kernel: [usize; 2],
    /// Stride, dilation 1, padding.
    pub sliding: Sliding,
}

fn shape(inputs: &[&[usize]], kernel: [usize; 2], sliding: &Sliding) -> Result<Vec<usize>, Misfit> {
    arity(inputs, 1..=1)?;
    let &[h, w, c] = inputs[0] else { return Err(form("x", "[H, W, C]")) };
    if sliding.dilation != [1, 1] {
        return Err(Misfit::Dilation { what: "pooling" });
    }
    let window = sliding.window([h, w], kernel)?;
    Ok(vec![window.y.output(), window.x.output(), c])
}

fn lower(on: &Operands<'_>, kernel: [usize; 2], sliding: &Sliding) -> Result<Pool2d, Misfit> {
    let (input, channels) = on.image();
    let op = Pool2d::try_new(sliding.window(input, kernel)?, channels)?;
    on.keeps_quantisation()?;
    Ok(op)
}

impl Operator for MaxPool2d {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        shape(inputs, self.kernel, &self.sliding)
    }

    fn rules(&self) -> Rules {
        Rules { border: Border::Lowest, ..Rules::moved() }
    }

    fn passes_factor(&self, _: usize) -> bool {
        true
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        lower(on, self.kernel, &self.sliding).map(Lowered::MaxPool2d)
    }

    fn train(&self, on: &Operands<'_>) -> Result<Training, Misfit> {
        Ok(Training::MaxPool { window: self.sliding.window(on.image().0, self.kernel)? })
    }

    answers!(no_macs, same_channels, no_identity, no_activation, window, no_counts, evaluated_as_lowered);
}

example!(MaxPool2d = MaxPool2d { kernel: [2, 3], sliding: Sliding::strided(2, Padding::Same) }, [value(&IMAGE)]);

impl Operator for AveragePool2d {
    fn name(&self) -> &'static str {
        "average_pool2d"
    }

    fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, Misfit> {
        shape(inputs, self.kernel, &self.sliding)
    }

    /// A mean with a border divides by more taps.
    fn rules(&self) -> Rules {
        Rules { rounded: Rounded::Inside, ..Rules::moved() }
    }

    fn passes_factor(&self, _: usize) -> bool {
        true
    }

    fn lower(&self, on: &Operands<'_>) -> Result<Lowered, Misfit> {
        lower(on, self.kernel, &self.sliding).map(Lowered::AveragePool2d)
    }

    fn train(&self, on: &Operands<'_>) -> Result<Training, Misfit> {
        Ok(Training::AveragePool { window: self.sliding.window(on.image().0, self.kernel)? })
    }

    answers!(no_macs, same_channels, no_identity, no_activation, window, no_counts, evaluated_as_lowered);
}

example!(AveragePool2d = AveragePool2d { kernel: [2, 2], sliding: Sliding::unit(Padding::Same) }, [value(&IMAGE)]);

/// Runs a reference kernel with a clamp that lets everything through.
macro_rules! pool {
    ($kernel:path, $op:expr, $on:expr, $x:expr) => {{
        let len = $on.output.element_count();
        Ok(match $x {
            Value::F32(x) => {
                let mut y = vec![0.0; len];
                $kernel($op, Clamp { min: f32::NEG_INFINITY, max: f32::INFINITY }, x, &mut y)?;
                Value::F32(y)
            }
            Value::I8(x) => {
                let mut y = vec![0; len];
                $kernel($op, Clamp { min: i8::MIN, max: i8::MAX }, x, &mut y)?;
                Value::I8(y)
            }
            Value::I16(x) => {
                let mut y = vec![0; len];
                $kernel($op, Clamp { min: i16::MIN, max: i16::MAX }, x, &mut y)?;
                Value::I16(y)
            }
            Value::I32(_) => return Err(Misfit::ValueTypes),
        })
    }};
}

/// The maxima of `x`.
pub(super) fn max(op: &Pool2d, on: &Operands<'_>, x: &Value) -> Result<Value, Misfit> {
    pool!(reference::max_pool2d, op, on, x)
}

/// The means of `x`.
pub(super) fn average(op: &Pool2d, on: &Operands<'_>, x: &Value) -> Result<Value, Misfit> {
    pool!(reference::average_pool2d, op, on, x)
}

/// Writes the parameter words of a pooling, which clamps to all that its elements can be.
pub(super) fn write(op: &Pool2d, element: DType, params: &mut Params) {
    write::pooling(params, &op.window);
    match element {
        DType::I8 => StoredClamp::write_clamp(Clamp { min: i8::MIN, max: i8::MAX }, params),
        DType::I16 => StoredClamp::write_clamp(Clamp { min: i16::MIN, max: i16::MAX }, params),
        _ => StoredClamp::write_clamp(Clamp { min: f32::NEG_INFINITY, max: f32::INFINITY }, params),
    }
}
