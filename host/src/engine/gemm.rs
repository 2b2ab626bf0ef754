//! Matrix multiplication over bounds-checked strided views: the one place of the engine that calls unsafe code.
#![allow(
    unsafe_code,
    reason = "the gemm crate's entry point takes raw pointers; every view is checked before the call"
)]

/// A read-only matrix inside a slice, with any strides: transposition costs nothing.
#[derive(Clone, Copy)]
pub struct Matrix<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// The row-major `[rows, cols]` matrix that `data` holds exactly.
    pub(crate) fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols, "a {rows}x{cols} matrix");
        Self { data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The transpose of this matrix.
    pub(crate) fn t(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            data: self.data,
        }
    }
}

/// What happens to the values that the destination held before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Into {
    /// They are overwritten.
    Write,
    /// They are added to.
    Add,
}

/// Float types that the `gemm` crate has a kernel for.
pub trait Gemm: Copy {
    #[doc(hidden)]
    fn gemm(a: Matrix<'_, Self>, b: Matrix<'_, Self>, add: bool, c: &mut [Self]);
}

/// `c = a b` or `c += a b` with row-major `c: [a.rows, b.cols]`.
pub(crate) fn gemm<T: Gemm>(a: Matrix<'_, T>, b: Matrix<'_, T>, into: Into, c: &mut [T]) {
    T::gemm(a, b, into == Into::Add, c);
}

macro_rules! impl_gemm {
    ($float:ty) => {
        impl Gemm for $float {
            fn gemm(a: Matrix<'_, Self>, b: Matrix<'_, Self>, add: bool, c: &mut [Self]) {
                assert_eq!(a.cols, b.rows, "inner sizes of a matrix product");
                assert_eq!(c.len(), a.rows * b.cols, "destination of a matrix product");
                let alpha = if add { 1.0 } else { 0.0 };
                // SAFETY: `Matrix::new` proved that `data` holds `rows * cols` elements at strides `(cols, 1)`, and `t`
                // only swaps axes, so every `i * row_stride + j * col_stride` read lies inside `a.data` and `b.data`.
                // `c` holds exactly `a.rows * b.cols` elements at strides `(b.cols, 1)`, which do not alias each other,
                // and as `&mut` it aliases neither operand. No stride exceeds `isize::MAX`: slices cannot be longer.
                unsafe {
                    gemm::gemm(
                        a.rows,
                        b.cols,
                        a.cols,
                        c.as_mut_ptr(),
                        1,
                        b.cols as isize,
                        add,
                        a.data.as_ptr(),
                        a.col_stride as isize,
                        a.row_stride as isize,
                        b.data.as_ptr(),
                        b.col_stride as isize,
                        b.row_stride as isize,
                        alpha,
                        1.0,
                        false,
                        false,
                        false,
                        gemm::Parallelism::None,
                    );
                }
            }
        }
    };
}

impl_gemm!(f32);
impl_gemm!(f64);
