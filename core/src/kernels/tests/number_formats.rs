//! int16 activations and binary16 weights against their wider forms.

use super::*;
use core::marker::PhantomData;

#[test]
fn a_narrow_and_a_wide_sum_differ_by_at_most_the_mantissas_lost_bits() {
    let mut rng = Lcg(55);
    for _ in 0..2000 {
        let op = Dense::try_new(30, 1).unwrap();
        let (m, s) = rng.multipliers(1);
        let (x, w) = (rng.int16s(30), rng.int8s(30));
        let clamp = Clamp { min: -32768, max: 32767 };
        let (mut narrow, mut wide) = ([0], [0]);
        let rounding = Rounding::Double;
        let a = Int16x8::<i32> { multipliers_q31: &m, shifts: &s, clamp, rounding, bias: PhantomData };
        let b = Int16x8::<i64> { multipliers_q31: &m, shifts: &s, clamp, rounding, bias: PhantomData };
        reference::dense(&op, &a, &x, &w, &[0], &mut narrow).unwrap();
        reference::dense(&op, &b, &x, &w, &[0], &mut wide).unwrap();
        // 16 of 31 bits remain: one part in 2^15 of the output, and the two roundings.
        assert!((i32::from(narrow[0]) - i32::from(wide[0])).abs() <= 2, "{narrow:?} {wide:?}");
    }
}

#[test]
fn binary16_weights_are_their_f32_values() {
    let mut rng = Lcg(56);
    let op = Dense::try_new(64, 8).unwrap();
    let clamp = Clamp { min: f32::NEG_INFINITY, max: f32::INFINITY };
    let halves: Vec<half::f16> = rng.floats(512).into_iter().map(half::f16::from_f32).collect();
    let floats: Vec<f32> = halves.iter().map(|w| w.to_f32()).collect();
    let (x, bias) = (rng.floats(64), rng.floats(8));
    let (mut got, mut want) = ([0.0; 8], [0.0; 8]);
    Portable::dense(&op, &Float16 { clamp }, &x, &halves, &bias, &mut got).unwrap();
    Portable::dense(&op, &Float32 { clamp }, &x, &floats, &bias, &mut want).unwrap();
    assert_eq!(got, want);
}
