//! Elementwise operators and reductions against real functions.

use super::*;
#[test]
fn axes_of_other_sizes_do_not_broadcast() {
    let error = Broadcast::try_new([1, 1, 2, 3], [1, 1, 2, 2]).unwrap_err();
    assert_eq!(error, crate::error::ShapeError::Dim { name: "axis of b", value: 2 });
    assert!(Broadcast::try_new([1, 1, 0, 3], [1, 1, 1, 3]).is_err());
}

#[test]
fn a_table_has_the_output_of_every_code() {
    let op = LogisticInt8::from_scale(0.037, 5, Rounding::Double);
    let table = Lookup::table(&op);
    for code in i8::MIN..=i8::MAX {
        assert_eq!(Lookup { table: &table }.apply(code), op.apply(code), "{code}");
    }
}

/// Largest distance between `op` and the real function, in output codes.
fn distance(op: &impl Unary<i8>, input: Affine, output: Affine, real: impl Fn(f64) -> f64) -> f64 {
    let error = |code: i8| {
        let x = f64::from(input.scale) * (f64::from(code) - f64::from(input.zero_point));
        let want = real(x) / f64::from(output.scale) + f64::from(output.zero_point);
        (f64::from(op.apply(code)) - want.clamp(-128.0, 127.0)).abs()
    };
    (i8::MIN..=i8::MAX).map(error).fold(0.0, f64::max)
}

#[test]
fn int8_activations_are_within_a_code_of_the_real_functions() {
    let mut rng = Lcg(9);
    for _ in 0..300 {
        let input = Affine { scale: 2f32.powf(-1.0 - rng.below(700) as f32 / 100.0), zero_point: rng.zero_point() };
        let (scale, zero_point) = (input.scale, input.zero_point);
        let logistic = LogisticInt8::from_scale(scale, zero_point, Rounding::Double);
        let output = Affine { scale: 1.0 / 256.0, zero_point: -128 };
        assert!(distance(&logistic, input, output, |x| 1.0 / (1.0 + (-x).exp())) <= 1.0, "{input:?}");
        let tanh = TanhInt8::from_scale(scale, zero_point, Rounding::Double);
        assert!(distance(&tanh, input, Affine { scale: 1.0 / 128.0, zero_point: 0 }, f64::tanh) <= 1.0, "{input:?}");
        // Q0.15 carries hard swish with fewer bits: two codes.
        let output = Affine { scale: scale * 1.1, zero_point: rng.zero_point() };
        let op = HardSwishInt8::try_new([scale, output.scale], [zero_point, output.zero_point], Rounding::Double);
        let hard_swish = |x: f64| x * (x + 3.0).clamp(0.0, 6.0) / 6.0;
        assert!(distance(&op.unwrap(), input, output, hard_swish) <= 2.0, "{input:?}");
    }
}

#[test]
fn int8_mean_is_the_rounded_real_mean() {
    let mut rng = Lcg(11);
    for _ in 0..2_000 {
        let count = 1 + rng.below(300);
        let x = rng.int8s(count);
        let scales = [0.04_f32, 0.03];
        let zero_point = rng.zero_point();
        let by = ReduceInt {
            offset: zero_point * count as i32,
            output_zero_point: -4,
            multiplier: ReduceInt::mean(scales, count, Rounding::Double),
            rounding: Rounding::Double,
        };
        let mut y = [0];
        Portable::reduce(&Reduce::try_new([1, 1, 1, count], 8).unwrap(), &by, &x, &mut y).unwrap();
        let sum: f64 = x.iter().map(|&x| f64::from(x) - f64::from(zero_point)).sum();
        let want = (sum / count as f64 * 0.04 / 0.03 - 4.0).clamp(-128.0, 127.0);
        assert!((f64::from(y[0]) - want).abs() <= 1.0, "{y:?} {want}");
    }
}

#[test]
fn int16_softmax_is_within_a_thousandth_of_the_real_one() {
    let mut rng = Lcg(12);
    for _ in 0..500 {
        let depth = 1 + rng.below(40);
        let scale = 1e-5 + rng.below(1000) as f32 * 3e-7;
        let (x, mut y) = (rng.int16s(depth), vec![0; depth]);
        let constants = SoftmaxInt16::from_scale(scale, Rounding::Double);
        Portable::softmax_int16(&Softmax::try_new(depth).unwrap(), &constants, &x, &mut y).unwrap();
        let exps: Vec<f64> = x.iter().map(|&q| (f64::from(q) * f64::from(scale)).exp()).collect();
        let sum: f64 = exps.iter().sum();
        for (y, e) in y.iter().zip(exps) {
            assert!((f64::from(*y) - (e / sum * 32768.0).min(32767.0)).abs() <= 32.0, "{y} {}", e / sum * 32768.0);
        }
    }
}

#[test]
fn int8_addition_is_the_rounded_real_sum() {
    let mut rng = Lcg(6);
    let mut off = 0;
    for _ in 0..20_000 {
        let scales = [0.02_f32, 0.05];
        let (input_multipliers, output_multiplier) = AddInt::multipliers::<i8>(scales, 0.06, Rounding::Double);
        let clamp = Clamp { min: -128, max: 127 };
        let zero_points = [rng.zero_point(), rng.zero_point()];
        let op = AddInt {
            input_zero_points: zero_points,
            input_multipliers,
            output_zero_point: 3,
            output_multiplier,
            clamp,
            rounding: Rounding::Double,
        };
        let (a, b) = (rng.next() as i8, rng.next() as i8);
        let real = 0.02 * (a as f64 - zero_points[0] as f64) + 0.05 * (b as f64 - zero_points[1] as f64);
        let want = ((real / 0.06).round() + 3.0).clamp(-128.0, 127.0);
        let error = (f64::from(Binary::<i8>::apply(&op, a, b)) - want).abs();
        assert!(error <= 1.0);
        off += usize::from(error > 0.0);
    }
    // Ties and the f32 scales' own rounding: a code off by one must stay rare.
    assert!(off < 400, "{off} of 20000 differ");
}
