//! The half-space step: a group that a gradient step turns around is set to zero.
//!
//! Step from `x` to `x̂ = x − α (∇L + λ ∇Ω)` on the groups that are not zero; a group is set to zero when
//! `⟨x̂_g, x_g⟩ < ε ||x_g||²`, and zero groups stay zero (HSPG; specs/sparse_and_graph.md §2.8, stage 2). In passes:
//! 1. keep a copy of `x`, and [`accumulate_squared_norms`](super::groups::accumulate_squared_norms) of it;
//! 2. step to `x̂`, with `λ d_g x_g / u_g` for the envelope ([`gradient_scales`](super::wgsef::Wgsef::gradient_scales));
//! 3. [`accumulate_products`](super::groups::accumulate_products) of `x̂` and `x`;
//! 4. [`half_space_scales`], and [`scale`](super::groups::scale) on `x̂`.

use crate::error::ProxError;
use crate::real::Real;

/// The factors of the step: 0 for a group that becomes or stays zero, 1 for one that stays as it is, NaN for one whose
/// product or square is not finite.
///
/// # Shapes
/// `products, squares, scales: [groups]`: `⟨x̂_g, x_g⟩`, `||x_g||²`
/// # Numerics
/// The comparison is in `f64`; a group that meets it exactly stays. `epsilon` is in `[0, 1)`: at 0 only groups that reversed
/// go, towards 1 all that shrink.
/// # Errors
/// [`ProxError::Epsilon`], [`ProxError::Len`]; nothing is written then.
pub fn half_space_scales<T: Real>(
    products: &[f64],
    squares: &[f64],
    epsilon: f64,
    scales: &mut [T],
) -> Result<(), ProxError> {
    for (operand, got) in [("squares", squares.len()), ("scales", scales.len())] {
        if got != products.len() {
            return Err(ProxError::Len { operand, expected: products.len(), got });
        }
    }
    if !(0.0..1.0).contains(&epsilon) {
        return Err(ProxError::Epsilon);
    }
    for ((product, square), s) in products.iter().zip(squares).zip(scales) {
        *s = if !(product.is_finite() && square.is_finite()) {
            T::NAN
        } else if *square == 0.0 || *product < epsilon * *square {
            T::ZERO
        } else {
            T::ONE
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test may panic: that is how it fails")]

    use super::half_space_scales;
    use crate::error::ProxError;
    use crate::prox::groups::{self, GroupLayout};

    #[test]
    fn a_group_that_leaves_its_half_space_goes_and_zero_stays_zero() {
        let rows = GroupLayout::rows(5, 2).expect("positive");
        //             kept       reversed   shrunk      on the plane  zero
        let x = [3.0_f32, 4.0, 1.0, 0.0, 2.0, 0.0, 0.0, 2.0, 0.0, 0.0];
        let mut stepped = [3.0, 3.0, -0.1, 5.0, 0.5, 9.0, 7.0, 1.0, 1.0, 1.0];
        let (mut products, mut squares, mut scales) = ([0.0; 5], [0.0; 5], [9.0; 5]);
        assert_eq!(groups::accumulate_squared_norms(&x, &rows, &mut squares), Ok(()));
        assert_eq!(groups::accumulate_products(&stepped, &x, &rows, &mut products), Ok(()));
        assert_eq!((products, squares), ([21.0, f64::from(-0.1_f32), 1.0, 2.0, 0.0], [25.0, 1.0, 4.0, 4.0, 0.0]));
        assert_eq!(half_space_scales(&products, &squares, 0.0, &mut scales), Ok(()));
        assert_eq!(scales, [1.0, 0.0, 1.0, 1.0, 0.0]);
        assert_eq!(half_space_scales(&products, &squares, 0.5, &mut scales), Ok(()));
        assert_eq!(scales, [1.0, 0.0, 0.0, 1.0, 0.0]);
        assert_eq!(groups::scale(&mut stepped, &rows, &scales), Ok(()));
        assert_eq!(stepped, [3.0, 3.0, 0.0, 0.0, 0.0, 0.0, 7.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn a_diverged_group_is_not_silently_zeroed_and_wrong_operands_are_named() {
        let mut scales = [9.0_f64; 2];
        assert_eq!(half_space_scales(&[f64::NAN, 1.0], &[1.0, f64::INFINITY], 0.0, &mut scales), Ok(()));
        assert!(scales.iter().all(|s| s.is_nan()));
        for epsilon in [-0.1, 1.0, f64::NAN] {
            assert_eq!(half_space_scales(&[1.0], &[1.0], epsilon, &mut [0.0_f32]), Err(ProxError::Epsilon));
        }
        let short = ProxError::Len { operand: "squares", expected: 2, got: 1 };
        assert_eq!(half_space_scales(&[1.0; 2], &[1.0], 0.0, &mut scales), Err(short));
    }
}
