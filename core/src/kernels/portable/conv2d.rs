//! Convolution and dense layers: four filters share every load of the input.

use crate::error::ShapeError;
use crate::kernels::{Arithmetic, Conv2d, Dense};
use crate::shape::TapRange;

/// Filters that one pass over the input feeds.
const FILTERS: usize = 4;

/// Most taps of a window that is gathered.
const GATHERED: usize = 128;

/// Adds the products of `x` with four weight rows of the same length to four accumulators.
#[inline(always)]
fn multiply_add_rows<A: Arithmetic>(
    arithmetic: &A,
    acc: [A::Acc; FILTERS],
    x: &[A::Input],
    w: [&[A::Weight]; FILTERS],
) -> [A::Acc; FILTERS] {
    let [mut a0, mut a1, mut a2, mut a3] = acc;
    let [w0, w1, w2, w3] = w;
    for ((((&x, &w0), &w1), &w2), &w3) in x.iter().zip(w0).zip(w1).zip(w2).zip(w3) {
        a0 = arithmetic.multiply_add(a0, x, w0);
        a1 = arithmetic.multiply_add(a1, x, w1);
        a2 = arithmetic.multiply_add(a2, x, w2);
        a3 = arithmetic.multiply_add(a3, x, w3);
    }
    [a0, a1, a2, a3]
}

#[inline(always)]
fn multiply_add_row<A: Arithmetic>(arithmetic: &A, acc: A::Acc, x: &[A::Input], w: &[A::Weight]) -> A::Acc {
    x.iter().zip(w).fold(acc, |acc, (&x, &w)| arithmetic.multiply_add(acc, x, w))
}

/// [`BackEnd::conv2d`](crate::kernels::BackEnd::conv2d)
pub(crate) fn conv2d<A: Arithmetic>(
    op: &Conv2d,
    arithmetic: &A,
    x: &[A::Input],
    w: &[A::Weight],
    bias: &[A::Bias],
    y: &mut [A::Output],
) -> Result<(), ShapeError> {
    op.check(x.len(), w.len(), bias.len(), y.len())?;
    arithmetic.check_channels(op.out_channels().get())?;
    let (out_c, filter_len) = (op.out_channels().get(), op.filter_len());
    let columns = op.window.x.output();
    // Short runs cost more to find than to multiply: a small window is gathered once for all filters.
    let padding = arithmetic.padding().filter(|_| filter_len <= GATHERED && op.window.y.kernel() > 1);
    let mut gathered = [A::Input::default(); GATHERED];
    let mut pixels = y.chunks_exact_mut(out_c);
    for oy in 0..op.window.y.output() {
        let rows = op.window.y.taps(oy);
        for ox in 0..columns {
            let Some(y) = pixels.next() else { return Ok(()) };
            let mut runs = Runs::new(op, rows, op.window.x.taps(ox));
            let mut x = x;
            if let Some(padding) = padding {
                let Some(window) = gathered.get_mut(..filter_len) else { return Ok(()) };
                window.fill(padding);
                runs.for_each(x, |x, at| {
                    let to = window.get_mut(at..).unwrap_or_default();
                    to.iter_mut().zip(x).for_each(|(to, &x)| *to = x);
                });
                (runs, x) = (Runs::one(filter_len), window);
            }
            let filters = w.chunks_exact(filter_len.max(1));
            if convolve_pixel(arithmetic, &runs, x, filters, bias, y).is_none() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The part of the input that one output pixel reads.
pub(super) trait Receptive {
    /// Calls `visit(run of the input, its offset in a filter)` for every run.
    fn for_each<T>(&self, x: &[T], visit: impl FnMut(&[T], usize));
}

/// Every channel `y` of one output pixel from the part `field` of the input `x`; `None` where operands are shorter than
/// their door lets them be. Callers return then: going on instead costs 2 to 4 % more instructions on a Cortex-M3.
#[inline(always)]
pub(super) fn convolve_pixel<'w, A: Arithmetic<Weight: 'w>>(
    arithmetic: &A,
    field: &impl Receptive,
    x: &[A::Input],
    mut filters: impl Iterator<Item = &'w [A::Weight]>,
    bias: &[A::Bias],
    y: &mut [A::Output],
) -> Option<()> {
    let mut channel = 0;
    let mut outputs = y.chunks_exact_mut(FILTERS);
    let mut biases = bias.chunks_exact(FILTERS);
    for (y, bias) in outputs.by_ref().zip(biases.by_ref()) {
        let four = [filters.next(), filters.next(), filters.next(), filters.next()];
        let [Some(w0), Some(w1), Some(w2), Some(w3)] = four else { return None };
        let &[b0, b1, b2, b3] = bias else { return None };
        let mut acc = [b0, b1, b2, b3].map(|b| arithmetic.start(b));
        field.for_each(x, |x, at| {
            let run = at..at + x.len();
            let rows = [w0.get(run.clone()), w1.get(run.clone()), w2.get(run.clone()), w3.get(run)];
            let [Some(w0), Some(w1), Some(w2), Some(w3)] = rows else { return };
            acc = multiply_add_rows(arithmetic, acc, x, [w0, w1, w2, w3]);
        });
        for (y, acc) in y.iter_mut().zip(acc) {
            *y = arithmetic.finish(channel, acc);
            channel += 1;
        }
    }
    for ((y, &bias), w) in outputs.into_remainder().iter_mut().zip(biases.remainder()).zip(filters) {
        let mut acc = arithmetic.start(bias);
        field.for_each(x, |x, at| {
            let Some(w) = w.get(at..at + x.len()) else { return };
            acc = multiply_add_row(arithmetic, acc, x, w);
        });
        *y = arithmetic.finish(channel, acc);
        channel += 1;
    }
    Some(())
}

/// Where the part of the input under one window position lies, as contiguous runs in the filter's order.
struct Runs {
    /// First element in the input and in a filter.
    start: [usize; 2],
    /// Rows, and elements from one to the next in the input and in a filter.
    rows: usize,
    row: [usize; 2],
    /// Runs of a row, and elements from one to the next.
    runs: usize,
    run: [usize; 2],
    /// Elements of a run.
    len: usize,
}

impl Runs {
    fn new(op: &Conv2d, rows: TapRange, columns: TapRange) -> Self {
        let (y, x, in_c) = (&op.window.y, &op.window.x, op.in_channels().get());
        // Without dilation the taps of one row lie side by side in the input and in the filter.
        let (runs, len) = if x.dilation() == 1 { (1, columns.len * in_c) } else { (columns.len, in_c) };
        Self {
            start: [
                (rows.input_start * x.input() + columns.input_start) * in_c,
                (rows.kernel_start * x.kernel() + columns.kernel_start) * in_c,
            ],
            rows: rows.len,
            row: [y.dilation() * x.input() * in_c, x.kernel() * in_c],
            runs,
            run: [x.dilation() * in_c, in_c],
            len,
        }
    }

    /// One run of `len` elements.
    const fn one(len: usize) -> Self {
        Self { start: [0; 2], rows: 1, row: [0; 2], runs: 1, run: [0; 2], len }
    }
}

impl Receptive for Runs {
    #[inline(always)]
    fn for_each<T>(&self, x: &[T], mut visit: impl FnMut(&[T], usize)) {
        let ([mut x_row, mut w_row], [x_step, w_step], [x_run, w_run]) = (self.start, self.row, self.run);
        for _ in 0..self.rows {
            let (mut from, mut at) = (x_row, w_row);
            for _ in 0..self.runs {
                if let Some(x) = x.get(from..from + self.len) {
                    visit(x, at);
                }
                from += x_run;
                at += w_run;
            }
            x_row += x_step;
            w_row += w_step;
        }
    }
}

/// [`BackEnd::dense`](crate::kernels::BackEnd::dense)
pub(crate) fn dense<A: Arithmetic>(
    op: &Dense,
    arithmetic: &A,
    x: &[A::Input],
    w: &[A::Weight],
    bias: &[A::Bias],
    y: &mut [A::Output],
) -> Result<(), ShapeError> {
    op.check(x.len(), w.len(), bias.len(), y.len())?;
    arithmetic.check_channels(op.outputs().get())?;
    let mut rows = w.chunks_exact(op.inputs().get());
    let mut channel = 0;
    let mut outputs = y.chunks_exact_mut(FILTERS);
    let mut biases = bias.chunks_exact(FILTERS);
    for (y, bias) in outputs.by_ref().zip(biases.by_ref()) {
        let [Some(w0), Some(w1), Some(w2), Some(w3)] = [rows.next(), rows.next(), rows.next(), rows.next()] else {
            return Ok(());
        };
        let &[b0, b1, b2, b3] = bias else { return Ok(()) };
        let acc = [b0, b1, b2, b3].map(|b| arithmetic.start(b));
        for (y, acc) in y.iter_mut().zip(multiply_add_rows(arithmetic, acc, x, [w0, w1, w2, w3])) {
            *y = arithmetic.finish(channel, acc);
            channel += 1;
        }
    }
    for ((y, &bias), w) in outputs.into_remainder().iter_mut().zip(biases.remainder()).zip(rows) {
        *y = arithmetic.finish(channel, multiply_add_row(arithmetic, arithmetic.start(bias), x, w));
        channel += 1;
    }
    Ok(())
}
