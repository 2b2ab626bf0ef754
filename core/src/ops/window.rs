//! Sliding windows in parameter words: strides and padding, and the dilation or kernel that an operator stores with them.

use super::words::Word;
use crate::error::OperatorError;
use crate::format::Params;
use crate::shape::{AxisSpec, Window};

/// The words of one axis.
struct AxisWords {
    stride: Word,
    pad_before: Word,
    pad_after: Word,
}

const ROWS: AxisWords = AxisWords {
    stride: Word::new(0, "stride_y"),
    pad_before: Word::new(4, "pad_top"),
    pad_after: Word::new(5, "pad_bottom"),
};
const COLUMNS: AxisWords = AxisWords {
    stride: Word::new(1, "stride_x"),
    pad_before: Word::new(6, "pad_left"),
    pad_after: Word::new(7, "pad_right"),
};
/// Input elements between neighbouring taps, of convolutions.
const DILATION: [Word; 2] = [Word::new(2, "dilation_y"), Word::new(3, "dilation_x")];
/// Taps of poolings.
const KERNEL: [Word; 2] = [Word::new(2, "kernel_y"), Word::new(3, "kernel_x")];
/// Taps of convolutions whose weights have no shape of their own.
const PACKED_KERNEL: [Word; 2] = [Word::new(10, "kernel_y"), Word::new(11, "kernel_x")];

fn sizes(words: [Word; 2], params: &Params) -> Result<[usize; 2], OperatorError> {
    let [y, x] = words;
    Ok([y.size(params)?, x.size(params)?])
}

fn put_sizes(words: [Word; 2], params: &mut Params, sizes: [usize; 2]) {
    words.into_iter().zip(sizes).for_each(|(word, size)| word.put_size(params, size));
}

/// The window over `[rows, columns]` of `input`.
#[inline(never)]
fn window(
    params: &Params,
    input: [usize; 2],
    kernel: [usize; 2],
    dilation: [usize; 2],
) -> Result<Window, OperatorError> {
    let axis = |words: AxisWords, input, kernel, dilation| {
        Ok::<_, OperatorError>(AxisSpec {
            input,
            kernel,
            stride: words.stride.size(params)?,
            dilation,
            pad_before: words.pad_before.size(params)?,
            pad_after: words.pad_after.size(params)?,
        })
    };
    let ([input_y, input_x], [kernel_y, kernel_x], [dilation_y, dilation_x]) = (input, kernel, dilation);
    let (y, x) = (axis(ROWS, input_y, kernel_y, dilation_y)?, axis(COLUMNS, input_x, kernel_x, dilation_x)?);
    Ok(Window::try_new(y, x)?)
}

fn put_window(params: &mut Params, window: &Window) {
    for (words, axis) in [(ROWS, &window.y), (COLUMNS, &window.x)] {
        words.stride.put_size(params, axis.stride());
        words.pad_before.put_size(params, axis.pad_before());
        words.pad_after.put_size(params, axis.pad_after());
    }
}

/// The window of a convolution whose weights say how large its kernel is.
#[inline(always)]
pub(super) fn convolution(params: &Params, input: [usize; 2], kernel: [usize; 2]) -> Result<Window, OperatorError> {
    window(params, input, kernel, sizes(DILATION, params)?)
}

/// Writes the window of a convolution.
pub fn write_convolution(params: &mut Params, window: &Window) {
    put_window(params, window);
    put_sizes(DILATION, params, [window.y.dilation(), window.x.dilation()]);
}

/// The window of a convolution with packed weights.
#[inline(always)]
pub(super) fn packed_convolution(params: &Params, input: [usize; 2]) -> Result<Window, OperatorError> {
    convolution(params, input, sizes(PACKED_KERNEL, params)?)
}

/// Writes the window of a convolution with packed weights.
pub fn write_packed_convolution(params: &mut Params, window: &Window) {
    write_convolution(params, window);
    put_sizes(PACKED_KERNEL, params, [window.y.kernel(), window.x.kernel()]);
}

/// The window of a pooling.
pub(super) fn pooling(params: &Params, input: [usize; 2]) -> Result<Window, OperatorError> {
    window(params, input, sizes(KERNEL, params)?, [1, 1])
}

/// Writes the window of a pooling.
pub fn write_pooling(params: &mut Params, window: &Window) {
    put_window(params, window);
    put_sizes(KERNEL, params, [window.y.kernel(), window.x.kernel()]);
}
