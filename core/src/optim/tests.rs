//! Steps against PyTorch's in `f64`, `f32` against `f64`, and the doors.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic: that is how it fails")]

use super::adam::Adam;
use super::sgd::{Momentum, Sgd};
use super::{Decay, Hyper, Kind, Optimizer};
use crate::error::OptimError;
use core::num::NonZeroU32;
use std::vec::Vec;

/// The one tolerance table of this file, relative to the largest value (specs/optimizers.md §0).
struct Tolerance {
    /// `f64` against PyTorch in `float64` after [`STEPS`] steps.
    torch_f64: f64,
    /// `f32` against `f64` after [`STEPS`] steps: `2e-6 √steps`.
    f32_to_f64: f64,
}
const TOLERANCE: Tolerance = Tolerance { torch_f64: 1e-14, f32_to_f64: 1e-5 };
const STEPS: u32 = 25;

/// The generator of specs/optimizers.md §0: uniform in `[-0.5, 0.5)`, exact in `f32`.
fn lcg(mut seed: u64) -> impl FnMut() -> f64 {
    move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 40) as f64 / f64::from(1 << 24) - 0.5
    }
}

fn nth(t: u32) -> NonZeroU32 {
    NonZeroU32::new(t).expect("steps count from 1")
}

#[derive(Clone, Copy)]
enum Rule {
    Adam(Adam),
    Sgd(Sgd),
}

/// Runs `STEPS` steps from `n` drawn values, with drawn gradients.
macro_rules! run {
    ($float:ident, $rule:expr, $n:expr) => {{
        let mut draw = lcg(1);
        let mut drawn = || (0..$n).map(|_| draw() as $float).collect::<Vec<$float>>();
        let (mut x, mut m, mut v) = (drawn(), [0.0; $n], [0.0; $n]);
        for t in 1..=STEPS {
            let g = drawn();
            let done = match $rule {
                Rule::Adam(adam) => adam.step(&mut x, &g, &mut [&mut m, &mut v], nth(t)),
                Rule::Sgd(sgd) if sgd.momentum.is_some() => sgd.step(&mut x, &g, &mut [&mut m], nth(t)),
                Rule::Sgd(sgd) => sgd.step(&mut x, &g, &mut [], nth(t)),
            };
            assert_eq!(done, Ok(()));
        }
        x.into_iter().map(f64::from).collect::<Vec<f64>>()
    }};
}

fn error(got: &[f64], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let scale = want.iter().fold(0.0_f64, |a, x| a.max(x.abs()));
    got.iter().zip(want).fold(0.0, |a: f64, (g, w)| a.max((g - w).abs() / scale))
}

const LR: f64 = 1e-2;
const ADAM: Adam = Adam { lr: LR, beta1: 0.9, beta2: 0.999, eps: 1e-8, decay: Decay::None };

const fn with_momentum(decay: f64, nesterov: bool) -> Sgd {
    Sgd { lr: LR, decay: Decay::Coupled(decay), momentum: Some(Momentum { factor: 0.9, nesterov }) }
}

/// Each rule and PyTorch's values after 25 steps (torch 2.15.0, float64), from
/// ```text
/// import torch; o = torch.optim
/// def lcg(s):
///     while True:
///         s = (s * 6364136223846793005 + 1442695040888963407) % 2**64; yield (s >> 40) / 2**24 - 0.5
/// def run(make):
///     draw = lcg(1); four = lambda: torch.tensor([next(draw) for _ in range(4)], dtype=torch.float64)
///     x = four().requires_grad_(); s = make([x])
///     for _ in range(25): x.grad = four(); s.step()
///     print(x.tolist())
/// run(lambda p: o.Adam(p, lr=1e-2))
/// run(lambda p: o.Adam(p, lr=1e-2, betas=(.8, .95), eps=1e-3, weight_decay=.1))
/// run(lambda p: o.AdamW(p, lr=1e-2, weight_decay=.1))
/// run(lambda p: o.SGD(p, lr=1e-2, momentum=.9, weight_decay=.1))
/// run(lambda p: o.SGD(p, lr=1e-2, momentum=.9, nesterov=True, weight_decay=.1))
/// run(lambda p: o.SGD(p, lr=1e-2))
/// ```
const TORCH: [(Rule, [f64; 4]); 6] = [
    (Rule::Adam(ADAM), [-0.14582023113666193, 0.018276491726585024, 0.10672039861214562, -0.0337122069454307]),
    (
        Rule::Adam(Adam { lr: LR, beta1: 0.8, beta2: 0.95, eps: 1e-3, decay: Decay::Coupled(0.1) }),
        [-0.11331217070463047, 0.02476882549848155, 0.0864887671534933, -0.03139467874210523],
    ),
    (
        Rule::Adam(Adam { decay: Decay::Decoupled(0.1), ..ADAM }),
        [-0.14239103488839844, 0.018058276091504157, 0.10361730814699058, -0.03194787380490902],
    ),
    (
        Rule::Sgd(with_momentum(0.1, false)),
        [-0.11848508748737084, 0.03664107885021081, 0.08298692540189154, 0.040383778990051036],
    ),
    (
        Rule::Sgd(with_momentum(0.1, true)),
        [-0.11309628472053092, 0.0382943665468403, 0.07365338104827324, 0.044199879382883375],
    ),
    (
        Rule::Sgd(Sgd { lr: LR, decay: Decay::None, momentum: None }),
        [-0.07940728366374969, 0.014077059030532838, 0.13557648360729224, -0.09806659102439878],
    ),
];

#[test]
fn steps_equal_pytorch() {
    for (i, (rule, want)) in TORCH.iter().enumerate() {
        let e = error(&run!(f64, *rule, 4), want);
        std::println!("rule {i}: {e:.1e}");
        assert!(e <= TOLERANCE.torch_f64, "rule {i}: {e:e}");
    }
}

#[test]
fn single_precision_follows_double() {
    for (i, (rule, _)) in TORCH.iter().enumerate() {
        let e = error(&run!(f32, *rule, 1000), &run!(f64, *rule, 1000));
        std::println!("rule {i}: {e:.1e}");
        assert!(e <= TOLERANCE.f32_to_f64, "rule {i}: {e:e}");
    }
}

#[test]
fn adam_equals_its_definition() {
    let (b1, b2) = (ADAM.beta1, ADAM.beta2);
    let mut draw = lcg(7);
    let mut drawn = || (0..64).map(|_| draw()).collect::<Vec<f64>>();
    let mut x = drawn();
    let mut want = x.clone();
    let (mut m, mut v, mut wm, mut wv) = ([0.0; 64], [0.0; 64], [0.0; 64], [0.0; 64]);
    for t in 1..=STEPS {
        let g = drawn();
        assert_eq!(ADAM.step(&mut x, &g, &mut [&mut m, &mut v], nth(t)), Ok(()));
        let (c1, c2) = (1.0 - b1.powi(t as i32), 1.0 - b2.powi(t as i32));
        for (((x, g), m), v) in want.iter_mut().zip(&g).zip(&mut wm).zip(&mut wv) {
            *m = b1 * *m + (1.0 - b1) * g;
            *v = b2 * *v + (1.0 - b2) * g * g;
            *x -= LR * (*m / c1) / ((*v / c2).sqrt() + ADAM.eps);
        }
    }
    assert!(error(&x, &want) <= TOLERANCE.torch_f64);
}

#[test]
fn a_zero_rate_and_a_zero_gradient_move_nothing() {
    let still = [(Adam { lr: 0.0, ..ADAM }, 0.3_f32), (ADAM, 0.0)];
    for (hyper, g) in still {
        let (mut x, mut m, mut v) = ([0.5_f32, -0.25], [0.0; 2], [0.0; 2]);
        assert_eq!(hyper.step(&mut x, &[g; 2], &mut [&mut m, &mut v], nth(1)), Ok(()));
        assert_eq!(x, [0.5, -0.25]);
    }
}

#[test]
fn a_nan_gradient_spoils_its_own_element_only() {
    let (mut x, mut m, mut v) = ([0.5_f32; 3], [0.0; 3], [0.0; 3]);
    assert_eq!(ADAM.step(&mut x, &[0.1, f32::NAN, 0.1], &mut [&mut m, &mut v], nth(1)), Ok(()));
    assert_eq!(x.map(f32::is_nan), [false, true, false]);
}

#[test]
fn a_wrong_length_names_the_operand_and_writes_nothing() {
    let run = |g: usize, m: usize, v: usize| {
        let (mut x, mut m, mut v) = ([0.5_f32; 4], std::vec![0.0; m], std::vec![0.0; v]);
        let done = ADAM.step(&mut x, &std::vec![1.0; g], &mut [&mut m, &mut v], nth(1));
        assert!(x == [0.5; 4] && m.iter().chain(&v).all(|x| *x == 0.0));
        done
    };
    assert_eq!(run(3, 4, 4), Err(OptimError::Len { operand: "gradients", expected: 4, got: 3 }));
    assert_eq!(run(4, 5, 4), Err(OptimError::Len { operand: "m", expected: 4, got: 5 }));
    assert_eq!(run(4, 4, 0), Err(OptimError::Len { operand: "v", expected: 4, got: 0 }));

    let (mut x, mut buffer) = ([0.5_f32; 4], [0.0; 3]);
    let done = with_momentum(0.0, false).step(&mut x, &[1.0; 4], &mut [&mut buffer], nth(1));
    assert_eq!((done, x), (Err(OptimError::Len { operand: "m", expected: 4, got: 3 }), [0.5; 4]));
}

#[test]
fn a_rule_takes_as_many_slots_as_it_names() {
    let hyper = Hyper::default();
    for kind in Kind::ALL {
        let names = kind.slots(&hyper);
        for given in 0..4 {
            let (mut x, mut state) = ([0.5_f32; 4], std::vec![[0.0; 4]; given]);
            let mut slots: Vec<&mut [f32]> = state.iter_mut().map(|slot| &mut slot[..]).collect();
            let done = kind.step(&hyper, &mut x, &[1.0; 4], &mut slots, nth(1));
            if given == names.len() {
                assert_eq!((done, x == [0.5; 4]), (Ok(()), false), "{}", kind.name());
                assert!(state.iter().all(|slot| slot.iter().all(|s| *s != 0.0)), "{} reads what it keeps", kind.name());
            } else {
                let refused = OptimError::Slots { expected: names.len(), got: given };
                assert_eq!((done, x), (Err(refused), [0.5; 4]), "{}", kind.name());
            }
        }
    }
}

#[test]
fn names_are_told_apart_and_decay_enters_where_the_rule_says() {
    let hyper = Hyper { weight_decay: 0.1, lr: LR, ..Hyper::default() };
    assert_eq!(Kind::NAMES, ["adam", "adamw", "sgd"]);
    assert!(Kind::ALL.iter().zip(Kind::NAMES).all(|(kind, name)| kind.name() == *name));
    assert_eq!(Adam::coupled(&hyper).decay, Decay::Coupled(0.1));
    assert_eq!(Adam::decoupled(&hyper).decay, Decay::Decoupled(0.1));
    assert_eq!(Sgd::with_momentum(&hyper), with_momentum(0.1, false));
    assert_eq!(Adam::decoupled(&Hyper { weight_decay: 0.0, ..hyper }).decay, Decay::None);
}

#[test]
fn a_wrong_hyper_parameter_is_named() {
    let bad = [
        (Adam { lr: f64::NAN, ..ADAM }, "lr"),
        (Adam { beta1: 1.0, ..ADAM }, "beta1"),
        (Adam { beta2: -0.1, ..ADAM }, "beta2"),
        (Adam { eps: -1.0, ..ADAM }, "eps"),
        (Adam { decay: Decay::Decoupled(-1.0), ..ADAM }, "decay"),
    ];
    for (hyper, name) in bad {
        let (mut x, mut m, mut v) = ([0.5_f32], [0.0], [0.0]);
        let done = hyper.step(&mut x, &[1.0], &mut [&mut m, &mut v], nth(1));
        assert_eq!((done, x), (Err(OptimError::Hyper { name }), [0.5]));
    }
}
