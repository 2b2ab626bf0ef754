//! Elementwise operators and reductions: every back end and both in-place forms against `reference`.

use super::*;
use crate::num::Code;

/// Two operands whose axes are of one size, or of size 1 in either.
fn shapes(rng: &mut Lcg) -> [[usize; 4]; 2] {
    let [mut a, mut b] = [[1; 4]; 2];
    for (a, b) in a.iter_mut().zip(&mut b) {
        let size = 1 + rng.below(5);
        (*a, *b) = [(size, size), (size, size), (size, 1), (1, size)][rng.below(4)];
    }
    [a, b]
}

fn multiplier(rng: &mut Lcg, rounding: Rounding) -> Multiplier {
    Multiplier::from_real((1.0 + rng.below(1000) as f64) * 2f64.powi(-(rng.below(8) as i32) - 9), rounding)
}

fn sum<T: Code>(rng: &mut Lcg, rounding: Rounding) -> AddInt {
    let scales = [0.01 + rng.below(100) as f32 * 1e-3, 0.01 + rng.below(100) as f32 * 1e-3];
    let (input_multipliers, output_multiplier) = AddInt::multipliers::<T>(scales, 0.07, rounding);
    AddInt {
        input_zero_points: [rng.zero_point(), rng.zero_point()],
        input_multipliers,
        output_zero_point: rng.zero_point(),
        output_multiplier,
        clamp: rng.clamp(),
        rounding,
    }
}

fn product(rng: &mut Lcg, rounding: Rounding) -> MulInt {
    MulInt {
        input_zero_points: [rng.zero_point(), rng.zero_point()],
        output_zero_point: rng.zero_point(),
        multiplier: multiplier(rng, rounding),
        clamp: rng.clamp(),
        rounding,
    }
}

/// Compares all forms of `op` on random operands of random shapes.
fn binary_forms<T: Copy + Default + PartialEq + core::fmt::Debug>(
    op: &impl Binary<T>,
    rng: &mut Lcg,
    values: impl Fn(&mut Lcg, usize) -> Vec<T>,
) -> usize {
    let [a_shape, b_shape] = shapes(rng);
    let shape = Broadcast::try_new(a_shape, b_shape).unwrap();
    let len = shape.sizes().iter().product();
    let (a, b) = (values(rng, a_shape.iter().product()), values(rng, b_shape.iter().product()));
    let (mut want, mut got) = (vec![T::default(); len], vec![T::default(); len]);
    reference::binary(op, &shape, &a, &b, &mut want).unwrap();
    Portable::binary(op, &shape, &a, &b, &mut got).unwrap();
    assert_eq!(got, want, "{a_shape:?} {b_shape:?}");
    if a.len() == len {
        let mut y = a.clone();
        Portable::binary_in_place(op, &shape, Side::Left, &b, &mut y).unwrap();
        assert_eq!(y, want, "left: {a_shape:?} {b_shape:?}");
    }
    if b.len() == len {
        let mut y = b.clone();
        Portable::binary_in_place(op, &shape, Side::Right, &a, &mut y).unwrap();
        assert_eq!(y, want, "right: {a_shape:?} {b_shape:?}");
    }
    len
}

#[test]
fn binary_operators_equal_the_reference_in_every_form() {
    let (mut rng, mut compared) = (Lcg(5), 0);
    while compared < 200_000 {
        let rng = &mut rng;
        let rounding = if rng.below(4) == 0 { Rounding::Single } else { Rounding::Double };
        let op = sum::<i8>(rng, rounding);
        compared += binary_forms(&op, rng, Lcg::int8s) + binary_forms(&SubInt(op), rng, Lcg::int8s);
        let op = sum::<i16>(rng, rounding);
        compared += binary_forms(&op, rng, Lcg::int16s) + binary_forms(&SubInt(op), rng, Lcg::int16s);
        let op = product(rng, rounding);
        compared += binary_forms::<i8>(&op, rng, Lcg::int8s) + binary_forms::<i16>(&op, rng, Lcg::int16s);
        let op = PreluInt {
            input_zero_points: [rng.zero_point(), rng.zero_point()],
            output_zero_point: rng.zero_point(),
            positive: multiplier(rng, rounding),
            negative: multiplier(rng, rounding),
            rounding,
        };
        compared += binary_forms::<i8>(&op, rng, Lcg::int8s);
        let clamp = Clamp { min: -0.5, max: 0.75 };
        compared += binary_forms(&AddF32(clamp), rng, Lcg::floats) + binary_forms(&SubF32(clamp), rng, Lcg::floats);
        compared += binary_forms(&MulF32(clamp), rng, Lcg::floats) + binary_forms(&PreluF32, rng, Lcg::floats);
    }
}

#[test]
fn axes_of_other_sizes_do_not_broadcast() {
    let error = Broadcast::try_new([1, 1, 2, 3], [1, 1, 2, 2]).unwrap_err();
    assert_eq!(error, crate::error::ShapeError::Dim { name: "axis of b", value: 2 });
    assert!(Broadcast::try_new([1, 1, 0, 3], [1, 1, 1, 3]).is_err());
}

#[test]
fn unary_operators_in_place_equal_the_reference() {
    fn same<T: Copy + Default + PartialEq + core::fmt::Debug>(op: &impl Unary<T>, x: &[T]) {
        let (mut want, mut got) = (vec![T::default(); x.len()], x.to_vec());
        reference::unary(op, x, &mut want).unwrap();
        Portable::unary_in_place(op, &mut got);
        assert_eq!(got, want);
    }
    let mut rng = Lcg(8);
    for _ in 0..200 {
        let rng = &mut rng;
        let rounding = if rng.below(4) == 0 { Rounding::Single } else { Rounding::Double };
        let (x, halves, floats) = (rng.int8s(100), rng.int16s(100), rng.floats(100));
        let rescale = Rescale {
            input_zero_point: rng.zero_point(),
            output_zero_point: rng.zero_point(),
            multiplier: multiplier(rng, rounding),
            clamp: rng.clamp(),
            rounding,
        };
        same::<i8>(&rescale, &x);
        same::<i16>(&rescale, &halves);
        same(&Lookup { table: &Lookup::table(&rescale) }, &x);
        same(&LogisticInt16(Steps::from_scale(1e-4).unwrap()), &halves);
        same(&Clamp { min: -0.25, max: 0.5 }, &floats);
        same(&HardSwishF32, &floats);
    }
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
fn reductions_equal_the_reference() {
    fn same<T: Copy + Default + PartialEq + core::fmt::Debug>(op: &Reduce, by: &impl Reduction<T>, x: &[T]) -> usize {
        let (mut want, mut got) = (vec![T::default(); op.output_len()], vec![T::default(); op.output_len()]);
        reference::reduce(op, by, x, &mut want).unwrap();
        Portable::reduce(op, by, x, &mut got).unwrap();
        assert_eq!(got, want, "{op:?}");
        x.len()
    }
    fn same_position<T: Copy + Default + PartialOrd>(op: &Reduce, x: &[T]) {
        let (mut want, mut got) = (vec![0; op.output_len()], vec![0; op.output_len()]);
        reference::arg_max(op, x, &mut want).unwrap();
        Portable::arg_max(op, x, &mut got).unwrap();
        assert_eq!(got, want, "{op:?}");
    }
    let (mut rng, mut compared) = (Lcg(10), 0);
    while compared < 100_000 {
        let rng = &mut rng;
        let rounding = if rng.below(4) == 0 { Rounding::Single } else { Rounding::Double };
        let sizes = core::array::from_fn(|_| 1 + rng.below(7) * rng.below(3));
        let op = Reduce::try_new(sizes, rng.below(16) as u32).unwrap();
        let len = op.count() * op.output_len();
        let by = ReduceInt {
            offset: rng.zero_point() * op.count() as i32,
            output_zero_point: rng.zero_point(),
            multiplier: ReduceInt::mean([0.05, 0.01 + rng.below(100) as f32 * 1e-3], op.count(), rounding),
            rounding,
        };
        let (x, halves, floats) = (rng.int8s(len), rng.int16s(len), rng.floats(len));
        compared += same(&op, &by, &x) + same(&op, &by, &halves);
        compared += same(&op, &SumF32, &floats) + same(&op, &MeanF32 { count: op.count() as f32 }, &floats);
        same_position(&op, &x.iter().map(|x| x % 4).collect::<Vec<_>>());
        same_position(&op, &floats);
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
