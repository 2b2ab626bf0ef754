//! Transposed convolution against the convolution that it transposes.

use super::*;

/// A window and channels such that the convolution and its transpose fit each other.
fn geometry(rng: &mut Lcg) -> TransposeConv2d {
    let (in_c, out_c) = (1 + rng.below(6), 1 + rng.below(9));
    TransposeConv2d::try_new(rng.window(false), in_c, out_c).unwrap()
}

#[test]
fn sources_are_the_inputs_whose_taps_reach_the_output() {
    let mut rng = Lcg(41);
    for _ in 0..3000 {
        let axis = rng.window(false).y;
        for o in 0..axis.input() {
            let tap = |i: usize| (o + axis.pad_before()).checked_sub(i * axis.stride()).filter(|&k| k < axis.kernel());
            let want: Vec<(usize, usize)> = (0..axis.output()).filter_map(|i| tap(i).map(|k| (i, k))).collect();
            let s = TransposeConv2d::sources(&axis, o);
            let got: Vec<(usize, usize)> =
                (0..s.len).map(|n| (s.input_start + n, s.kernel_start - n * axis.stride())).collect();
            assert_eq!(got, want, "{axis:?} at {o}");
        }
    }
}

/// `<conv(y), x> = <y, transpose(x)>`: small integers in f32, so that both sums are exact.
#[test]
fn it_is_the_transpose_of_the_convolution() {
    let mut rng = Lcg(43);
    let float = Float32 { clamp: Clamp { min: f32::NEG_INFINITY, max: f32::INFINITY } };
    for _ in 0..200 {
        let op = geometry(&mut rng);
        let (in_c, out_c) = (op.in_channels().get(), op.out_channels().get());
        let conv = Conv2d::try_new(op.window, out_c, in_c).unwrap();
        let mut integers = |len| -> Vec<f32> { (0..len).map(|_| rng.below(9) as f32 - 4.0).collect() };
        let (x, y) = (integers(op.window.output_area() * in_c), integers(op.window.input_area() * out_c));
        let w = integers(op.filter_len() * out_c);
        // The same weights, [out, k, in] read as [in, k, out].
        let taps = op.window.kernel_area();
        let swapped: Vec<f32> =
            (0..w.len()).map(|i| w[(i % out_c * taps + i / out_c % taps) * in_c + i / (out_c * taps)]).collect();
        let (mut forward, mut backward) = (vec![0.0; x.len()], vec![0.0; y.len()]);
        reference::conv2d(&conv, &float, &y, &swapped, &vec![0.0; in_c], &mut forward).unwrap();
        reference::transpose_conv2d(&op, &float, &x, &w, &vec![0.0; out_c], &mut backward).unwrap();
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        assert_eq!(dot(&forward, &x), dot(&y, &backward), "{op:?}");
    }
}
