//! Attention over neighbours: products and sums of rows for all heads, and what each neighbour counts.

use crate::kernels::nodes::{Normalizer, Scoring, exponential, heads};

/// [`InnerLoops::dot_rows`](crate::kernels::InnerLoops::dot_rows)
pub(crate) fn dot_rows(columns: &[u16], x: &[i8], zero_point: i32, v: &[i8], products: &mut [i32]) {
    let Some([heads, part]) = heads(columns.len(), v.len(), products.len()) else { return };
    for (&column, products) in columns.iter().zip(products.chunks_mut(heads)) {
        for ((x, v), product) in row_of(x, v.len(), column).chunks(part).zip(v.chunks(part)).zip(products) {
            let terms = x.iter().zip(v).map(|(&x, &v)| (i32::from(x) - zero_point) * i32::from(v));
            *product = terms.fold(0, i32::wrapping_add);
        }
    }
}

/// [`InnerLoops::add_rows`](crate::kernels::InnerLoops::add_rows)
pub(crate) fn add_rows(columns: &[u16], x: &[i8], weights: &[i32], sums: &mut [i32]) {
    let Some([heads, part]) = heads(columns.len(), sums.len(), weights.len()) else { return };
    for (&column, weights) in columns.iter().zip(weights.chunks(heads)) {
        let x = row_of(x, sums.len(), column).chunks(part);
        for ((sums, x), &weight) in sums.chunks_mut(part).zip(x).zip(weights) {
            sums.iter_mut().zip(x).for_each(|(sum, &x)| *sum = sum.wrapping_add(weight.wrapping_mul(x.into())));
        }
    }
}

/// [`InnerLoops::weigh`](crate::kernels::InnerLoops::weigh)
pub(crate) fn weigh(products: &mut [i32], heads: usize, scoring: &Scoring) -> i32 {
    let (mut largest, [rising, falling], heads) = (i32::MIN, scoring.slopes, heads.max(1));
    for product in products.iter_mut().step_by(heads) {
        let q = product.wrapping_add(scoring.offset);
        *product = if q > 0 { rising } else { falling }.apply(q);
        largest = largest.max(*product);
    }
    let mut sum = 0_u32;
    for score in products.iter_mut().step_by(heads) {
        let exponential = exponential(*score, largest);
        sum = sum.wrapping_add(exponential);
        *score = exponential.cast_signed();
    }
    let normalizer = Normalizer::new(sum);
    let mut total = 0_i32;
    for score in products.iter_mut().step_by(heads) {
        *score = normalizer.weight(score.cast_unsigned());
        total = total.wrapping_add(*score);
    }
    total
}

fn row_of(x: &[i8], width: usize, row: u16) -> &[i8] {
    let start = usize::from(row) * width;
    x.get(start..start + width).unwrap_or_default()
}
