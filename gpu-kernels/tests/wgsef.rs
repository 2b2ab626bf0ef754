//! The device's WGSEF prox equals core's, on every back end that was built and has a device.

use niwaki_core::error::ProxError;
use niwaki_core::prox::groups::{self, GroupLayout};
use niwaki_core::prox::wgsef::{Weights, Wgsef};
use niwaki_kernels::{DeviceKind, Gpu, GpuError, Part, WgsefSpec};

/// The one tolerance table of this file.
struct Tolerance {
    /// Device against core, relative to each element before the prox.
    ///
    /// A factor moves by at most the relative change of the norms (it is `u / (u + λd)` with `u` linear in the norm,
    /// and `η` makes up for a common change). A norm from compensated sums over 256 units is some 4 roundings off, the
    /// square root, the division and the bisection on either side add about as many again; Vulkan lets a division err
    /// by 2.5 roundings. Twice all that, at 6e-8 each, is 2e-6.
    element: f32,
}
const TOLERANCE: Tolerance = Tolerance { element: 2e-6 };

/// The generator of specs/optimizers.md §0: uniform in `[-0.5, 0.5)`.
struct Lcg(u64);
impl Lcg {
    fn uniform(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 24) as f32 - 0.5
    }
    fn size(&mut self, lo: usize, hi: usize) -> usize {
        lo + ((self.uniform() + 0.5) * (hi - lo + 1) as f32) as usize
    }
    fn heavy(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.uniform() / (0.01 + self.uniform().abs())).collect()
    }
}

/// Runs a test on every device that there is, and prints a line for a back end without one.
fn on_each_device(test: impl Fn(&mut Gpu)) {
    for kind in [DeviceKind::Vulkan, DeviceKind::Cuda] {
        match Gpu::open(kind) {
            Ok(mut gpu) => {
                println!("on {}", gpu.name());
                test(&mut gpu);
            }
            Err(GpuError::NotCompiledIn { feature }) => println!("skipped: built without --features {feature}"),
            Err(GpuError::NoAdapter { kind, reason }) => println!("skipped: no {kind} adapter ({reason})"),
            Err(e) => panic!("{kind:?}: {e}"),
        }
    }
}

/// The same through core; parts as `(values, row_len)`.
fn by_core(parts: &mut [(Vec<f32>, usize)], groups: usize, weights: Weights<'_, f32>, spec: WgsefSpec) {
    let layout = |row_len| GroupLayout::rows(groups, row_len).expect("sizes are positive");
    let (mut sums, mut norms, mut scales) = (vec![0.0; groups], vec![0.0; groups], vec![0.0; groups]);
    for (values, row_len) in parts.iter() {
        groups::accumulate_squared_norms(values, &layout(*row_len), &mut sums).expect("lengths agree");
    }
    groups::norms(&sums, &mut norms).expect("lengths agree");
    let envelope = Wgsef::try_new(spec.k, weights).expect("weights are positive");
    envelope.prox_scales(&norms, spec.lambda, &mut scales).expect("lengths agree");
    for (values, row_len) in parts.iter_mut() {
        groups::scale(values, &layout(*row_len), &scales).expect("lengths agree");
    }
}

/// Checks one case and returns its error.
fn compare(
    gpu: &mut Gpu,
    parts: &[(Vec<f32>, usize)],
    groups: usize,
    weights: Weights<'_, f32>,
    spec: WgsefSpec,
) -> f32 {
    let mut want = parts.to_vec();
    by_core(&mut want, groups, weights, spec);
    let mut got = parts.to_vec();
    let mut views: Vec<Part<'_>> = got.iter_mut().map(|(values, row_len)| Part { values, row_len: *row_len }).collect();
    gpu.wgsef_prox_parts(&mut views, groups, weights, spec).expect("the device runs");
    let mut worst = 0.0_f32;
    for ((before, _), ((got, _), (want, _))) in parts.iter().zip(got.iter().zip(&want)) {
        for (t, (got, want)) in before.iter().zip(got.iter().zip(want)) {
            assert_eq!(got.is_nan(), want.is_nan(), "{got} is not {want}");
            if !want.is_nan() && t.is_finite() {
                worst = worst.max((got - want).abs() / t.abs().max(f32::MIN_POSITIVE));
            }
        }
    }
    assert!(worst <= TOLERANCE.element, "{groups} groups, {spec:?}: {worst:e}");
    worst
}

#[test]
fn random_shapes_equal_core() {
    on_each_device(|gpu| {
        let (mut lcg, mut worst) = (Lcg(11), 0.0_f32);
        for case in 0..60 {
            let groups = lcg.size(1, if case % 3 == 0 { 600 } else { 40 });
            // Around the block of 256 and far from its multiples.
            let row_len = [1, 3, 27, 255, 256, 257, 500, 1153][lcg.size(0, 7)];
            let (k, lambda) = (lcg.size(0, groups + 1), (7.0 * lcg.uniform()).exp());
            let d: Vec<f32> = (0..groups).map(|_| 0.2 + 4.8 * (lcg.uniform() + 0.5)).collect();
            let weights = if case % 2 == 0 { Weights::One } else { Weights::Each(&d) };
            let mut parts = vec![(lcg.heavy(groups * row_len), row_len)];
            if case % 4 != 0 {
                parts.push((lcg.heavy(groups), 1));
            }
            worst = worst.max(compare(gpu, &parts, groups, weights, WgsefSpec { k, lambda }));
        }
        println!("worst {worst:.1e}");
    });
}

#[test]
fn long_rows_and_many_groups_equal_core() {
    on_each_device(|gpu| {
        let mut lcg = Lcg(12);
        for (groups, row_len, k) in [(3, 200_003, 1), (40_000, 2, 1_000), (40_000, 2, 39_000), (1, 7, 1), (1, 7, 0)] {
            let parts = [(lcg.heavy(groups * row_len), row_len), (lcg.heavy(groups), 1)];
            let e = compare(gpu, &parts, groups, Weights::One, WgsefSpec { k, lambda: 0.3 });
            println!("{groups} x {row_len}, k = {k}: {e:.1e}");
        }
    });
}

#[test]
fn ties_share_and_budgets_end_as_in_core() {
    on_each_device(|gpu| {
        // Equal norms in different directions.
        let tied = [(vec![3.0, 4.0, 4.0, -3.0, 0.0, 5.0, 5.0, 0.0, 1.0, 0.0], 2)];
        for k in 0..7 {
            for lambda in [0.0, 0.5, 100.0] {
                compare(gpu, &tied, 5, Weights::One, WgsefSpec { k, lambda });
            }
        }
    });
}

#[test]
fn zero_tiny_and_diverged_groups_are_as_in_core() {
    on_each_device(|gpu| {
        let rows = vec![0.0, 0.0, 1e-25, 0.0, 5.0, 1.0, f32::NAN, 2.0, f32::INFINITY, 1.0, 1.0, -2.0];
        for k in 0..5 {
            compare(gpu, &[(rows.clone(), 2)], 6, Weights::One, WgsefSpec { k, lambda: 0.5 });
        }
    });
}

#[test]
fn filters_and_biases_are_one_family() {
    on_each_device(|gpu| {
        let (mut weight, mut bias) = (vec![1.0_f32, 1.0, 1.0, 1.0], vec![0.0, 10.0]);
        let spec = WgsefSpec { k: 1, lambda: 10.0 };
        gpu.wgsef_prox(&mut weight, Some(&mut bias), 2, spec).expect("the device runs");
        assert!(weight[..2] == [0.0; 2] && weight[2] > 0.0, "the bias decides: {weight:?}");
        let refused = gpu.wgsef_prox(&mut weight, Some(&mut [0.0; 3]), 2, spec);
        assert_eq!(refused, Err(GpuError::Len { operand: "part 1".into(), expected: 2, got: 3 }));
        let refused = gpu.wgsef_prox(&mut weight, None, 2, WgsefSpec { k: 1, lambda: -1.0 });
        assert_eq!(refused, Err(GpuError::Prox(ProxError::Lambda)));
    });
}
