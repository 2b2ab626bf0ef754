//! The vectors of specs/integer_arithmetic.md §2 and §3.

use super::*;

fn double(x: i32, real: f64) -> i32 {
    Multiplier::from_real(real, Rounding::Double).apply(x, Rounding::Double)
}

fn single(x: i32, real: f64) -> i32 {
    Multiplier::from_real(real, Rounding::Single).apply(x, Rounding::Single)
}

/// The 64-bit LCG of specs/optimizers.md §0.
fn lcg(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 32
}

#[test]
fn high_mul_equals_the_vectors() {
    let cases = [
        (1 << 30, 1, 1),
        (-(1 << 30), 1, 0),
        (3 << 29, 2, 2),
        (-(3 << 29), 2, -1),
        (1 << 30, 3, 2),
        (-(1 << 30), 3, -1),
        (i32::MAX, i32::MAX, 2_147_483_646),
        (123_456_789, -987_654_321, -56_779_306),
        (i32::MIN, i32::MIN, i32::MAX),
    ];
    for (a, b, want) in cases {
        assert_eq!(saturating_rounding_doubling_high_mul(a, b), want, "{a} {b}");
    }
}

#[test]
fn rounding_division_equals_the_vectors() {
    let cases = [
        (5, 1, 3),
        (-5, 1, -3),
        (6, 2, 2),
        (-6, 2, -2),
        (1, 1, 1),
        (-1, 1, -1),
        (-3, 1, -2),
        (i32::MAX, 31, 1),
        (i32::MIN, 31, -1),
        (7, 0, 7),
    ];
    for (x, e, want) in cases {
        assert_eq!(rounding_divide_by_pot(x, e), want, "{x} {e}");
    }
}

#[test]
fn multipliers_equal_the_vectors() {
    let cases = [
        (0.5, 1_073_741_824, 0),
        (0.25, 1_073_741_824, -1),
        (1.0, 1_073_741_824, 1),
        (0.999_999_999_9, 1_073_741_824, 1),
        (0.3, 1_288_490_189, -1),
        (0.0003, 1_319_413_953, -11),
        (3.7, 1_986_422_374, 2),
        (2_f64.powi(-33), 0, 0),
        (0.0, 0, 0),
        (f64::NAN, 0, 0),
    ];
    for (real, mantissa_q31, shift) in cases {
        assert_eq!(Multiplier::from_real(real, Rounding::Double), Multiplier { mantissa_q31, shift }, "{real}");
    }
}

#[test]
fn scaling_equals_the_vectors_in_both_roundings() {
    let cases = [
        (5, 0.5, 3),
        (-5, 0.5, -2),
        (-1, 0.5, 0),
        (1, 0.5, 1),
        (-3, 0.5, -1),
        (1000, 0.3, 300),
        (-12345, 0.0003, -4),
        (100, 3.7, 370),
    ];
    for (x, real, want) in cases {
        assert_eq!((double(x, real), single(x, real)), (want, want), "{x} * {real}");
    }
}

#[test]
fn roundings_never_differ_by_more_than_one() {
    let mut state = 1;
    for _ in 0..200_000 {
        let x = (lcg(&mut state) as i32) >> (lcg(&mut state) % 12);
        let real = (1.0 + lcg(&mut state) as f64 / 4_294_967_296.0) * 2_f64.powi(-((lcg(&mut state) % 20) as i32) - 1);
        let (d, s) = (double(x, real), single(x, real));
        assert!((d - s).abs() <= 1, "{x} * {real}: {d} {s}");
        let exact = (x as f64 * real).round();
        assert!((d as f64 - exact).abs() <= 1.0, "{x} * {real}: {d} {exact}");
    }
}

#[test]
fn exponential_equals_the_vectors() {
    let cases = [
        (0, 2_147_483_647),
        (-1, 2_147_483_124),
        (-(1 << 26), 790_015_308),
        (-(1 << 27), 290_630_390),
        (-(1 << 20), 2_114_189_749),
    ];
    for (a, want) in cases {
        assert_eq!(exp_on_negative(a, 5), want, "{a}");
    }
}

#[test]
fn quantising_saturates_and_sends_nan_to_the_zero_point() {
    assert_eq!(quantize_i8(0.25, 0.5, 3), 4, "half away from zero");
    assert_eq!(quantize_i8(-0.25, 0.5, 3), 2);
    assert_eq!(quantize_i8(1e30, 0.5, 3), 127);
    assert_eq!(quantize_i8(f32::NEG_INFINITY, 0.5, 3), -128);
    assert_eq!(quantize_i8(f32::NAN, 0.5, 3), 3);
    assert_eq!(dequantize_i8(-128, 0.5, 3), -65.5);
}

#[test]
fn a_small_multiplier_is_the_same_multiplier() {
    let mut state = 7;
    for round in 0..400_000 {
        let shift = -1 - (lcg(&mut state) % 22) as i32;
        let mantissa_q31 = match round % 8 {
            0 => 1 << 30,
            1 => i32::MAX,
            _ => (1 << 30) | (lcg(&mut state) as i32 & ((1 << 30) - 1)),
        };
        let multiplier = Multiplier { mantissa_q31, shift };
        let small = SmallMultiplier::new(multiplier).unwrap_or_default();
        assert!(small.is_valid());
        let acc = match round % 5 {
            0 => SmallMultiplier::MAX_ACC - (lcg(&mut state) % 3) as i32,
            1 => (lcg(&mut state) % 3) as i32 - SmallMultiplier::MAX_ACC,
            // About a half of a step of the output, where the roundings differ.
            2 => ((1_i64 << -shift) * i64::from(lcg(&mut state) as i8) / 2) as i32 + (lcg(&mut state) % 3) as i32 - 1,
            _ => ((lcg(&mut state) as i32) / 4) >> (lcg(&mut state) % 28),
        };
        let zero_point = i32::from(lcg(&mut state) as i8);
        let want = multiplier.apply(acc, Rounding::Double) + zero_point;
        assert_eq!(small.code(acc, zero_point), want, "{acc} {multiplier:?} {zero_point}");
    }
    for other in [(1 << 30, 0), (1 << 30, -23), ((1 << 30) - 1, -5), (0, -5)] {
        let (mantissa_q31, shift) = other;
        assert_eq!(SmallMultiplier::new(Multiplier { mantissa_q31, shift }), None);
    }
}

#[test]
fn a_wide_accumulator_is_scaled_by_fifteen_bits() {
    // specs/integer_arithmetic.md §2, MBQM64.
    let scaled = |x, real| Multiplier::from_real(real, Rounding::Double).apply_i64(x);
    assert_eq!([scaled(1_000_000_000_000, 1e-8), scaled(7, 0.5), scaled(-7, 0.5)], [10_000, 4, -3]);
}
