//! Views reach what they say, in memory order, and nothing else.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic: that is how it fails")]

use super::{self as groups, GroupKind, GroupLayout, Groups, IndexSets, LayoutSpec, Loop};
use crate::error::GroupError;
use crate::prox::lcg::Lcg;
use crate::prox::wgsef::{Weights, Wgsef};
use crate::real::Real;
use std::{vec, vec::Vec};

/// Views of an `[o, h, w, i]` tensor, with the group of each element by definition: every kind, and the examples of
/// [`LayoutSpec`].
fn views(shape @ [o, h, w, i]: [usize; 4]) -> Vec<(GroupLayout, Vec<usize>)> {
    let all = |group: &dyn Fn(usize, usize, usize, usize) -> usize| {
        let at = |e: usize| group(e / (h * w * i), e / (w * i) % h, e / i % w, e % i);
        (0..o * h * w * i).map(at).collect::<Vec<usize>>()
    };
    let kind = |kind| GroupLayout::of(kind, shape).expect("a view of a tensor");
    let of = |groups, members| GroupLayout::try_new(LayoutSpec { groups, members }).expect("a view of a tensor");
    let l = |len, stride| Loop { len, stride };
    let once = Loop::ONCE;
    let mut views = vec![
        (kind(GroupKind::Weight), (0..o * h * w * i).collect()),
        (kind(GroupKind::Filter), all(&|o, _, _, _| o)),
        (kind(GroupKind::InputChannel), all(&|_, _, _, i| i)),
        (kind(GroupKind::FilterShape), all(&|_, y, x, c| (y * w + x) * i + c)),
        (kind(GroupKind::KernelRow), all(&|_, y, _, _| y)),
        (kind(GroupKind::KernelColumn), all(&|_, _, x, _| x)),
        (kind(GroupKind::Layer), all(&|_, _, _, _| 0)),
        (of([l(o, h * w * i), l(i, 1)], [once, once, l(h * w, i)]), all(&|f, _, _, c| f * i + c)),
        (of([l(o, h * w * i), l(h, w * i)], [once, once, l(w * i, 1)]), all(&|f, y, _, _| f * h + y)),
        (of([l(h, w * i), l(w, i)], [once, l(o, h * w * i), l(i, 1)]), all(&|_, y, x, _| y * w + x)),
    ];
    let cols = h * w * i;
    for (r, c) in [(4, 1), (1, 4), (2, 2), (2, 3)].into_iter().filter(|(r, c)| o % r == 0 && cols % c == 0) {
        let block = |f: usize, y: usize, x: usize, i0: usize| f / r * (cols / c) + ((y * w + x) * i + i0) / c;
        views.push((kind(GroupKind::Block { rows: r, cols: c }), all(&block)));
    }
    views
}

const SHAPES: [[usize; 4]; 7] =
    [[1, 1, 1, 1], [4, 3, 2, 5], [3, 1, 1, 7], [1, 3, 3, 8], [2, 2, 3, 1], [8, 1, 1, 6], [4, 3, 3, 3]];

/// Starts and indices of the sets that a map from elements to groups describes.
fn sets_of(group: &[usize], groups: usize) -> (Vec<u32>, Vec<u32>) {
    let (mut starts, mut indices) = (vec![0], vec![]);
    for g in 0..groups {
        indices.extend((0..group.len()).filter(|e| group[*e] == g).map(|e| e as u32));
        starts.push(indices.len() as u32);
    }
    (starts, indices)
}

/// One prox on the part, the way that training does it.
fn prox<T: Real>(part: &mut [T], view: &impl Groups) {
    let m = view.groups();
    let (mut sums, mut norms, mut scales) = (vec![0.0; m], vec![T::ZERO; m], vec![T::ZERO; m]);
    assert_eq!(groups::accumulate_squared_norms(part, view, &mut sums), Ok(()));
    assert_eq!(groups::norms(&sums, &mut norms), Ok(()));
    let envelope = Wgsef::try_new(m.div_ceil(3), Weights::One).expect("no weights");
    assert_eq!(envelope.prox_scales(&norms, T::from_f64(0.3), &mut scales), Ok(()));
    assert_eq!(groups::scale(part, view, &scales), Ok(()));
}

fn strided_equals_copied<T: Real>() {
    let mut lcg = Lcg(9);
    for shape in SHAPES {
        let t: Vec<T> = (0..shape.iter().product()).map(|_| T::from_f64(lcg.heavy())).collect();
        for (v, (layout, group)) in views(shape).iter().enumerate() {
            let (starts, indices) = sets_of(group, layout.groups());
            // Gathered, each group lies in a row of its own.
            let mut copied: Vec<T> = indices.iter().map(|e| t[*e as usize]).collect();
            prox(&mut copied, &GroupLayout::rows(layout.groups(), t.len() / layout.groups()).expect("positive"));
            let mut want = t.clone();
            indices.iter().zip(&copied).for_each(|(e, x)| want[*e as usize] = *x);
            let (mut strided, mut listed) = (t.clone(), t.clone());
            prox(&mut strided, layout);
            let mut seen = vec![7; IndexSets::seen_len(t.len())];
            prox(&mut listed, &IndexSets::try_new(&starts, &indices, t.len(), &mut seen).expect("disjoint sets"));
            // Every f32 has its own f64, so that equal bits there are equal bits here.
            let bits = |x: &[T]| x.iter().map(|x| x.to_f64().to_bits()).collect::<Vec<u64>>();
            assert_eq!(bits(&strided), bits(&want), "view {v} of {shape:?}");
            assert_eq!(bits(&listed), bits(&want), "view {v} of {shape:?}, listed");
        }
    }
}

#[test]
fn a_prox_on_a_view_has_the_bits_of_one_on_a_copy() {
    strided_equals_copied::<f32>();
    strided_equals_copied::<f64>();
}

#[test]
fn sets_of_different_sizes_leave_the_rest_alone() {
    let (starts, indices) = ([0, 2, 3, 6], [1, 8, 0, 3, 5, 6]);
    let mut seen = [0; 1];
    let sets = IndexSets::try_new(&starts, &indices, 10, &mut seen).expect("disjoint sets");
    assert_eq!((sets.groups(), sets.span()), (3, 9));
    let mut part = [5.0_f32, 3.0, 7.0, 1.0, 7.0, 2.0, 2.0, 7.0, 4.0, 7.0];
    let mut sums = [0.0; 3];
    assert_eq!(groups::accumulate_squared_norms(&part, &sets, &mut sums), Ok(()));
    assert_eq!(sums, [25.0, 25.0, 9.0]);
    assert_eq!(groups::scale(&mut part, &sets, &[0.0, 2.0, 3.0]), Ok(()));
    assert_eq!(part, [10.0, 0.0, 7.0, 3.0, 7.0, 6.0, 6.0, 7.0, 0.0, 7.0]);
    let short = GroupError::Part { span: 9, got: 8 };
    assert_eq!(groups::scale(&mut part[..8], &sets, &[1.0; 3]), Err(short));
}

#[test]
fn impossible_sets_are_refused() {
    let of = |starts: &[u32], indices: &[u32]| IndexSets::try_new(starts, indices, 40, &mut [9; 2]).map(|s| s.groups());
    assert_eq!(of(&[0, 2, 3], &[1, 39, 0]), Ok(2));
    assert_eq!(of(&[1, 3], &[1, 2, 3]), Err(GroupError::Starts { position: 0 }));
    assert_eq!(of(&[0, 2, 2, 3], &[1, 2, 3]), Err(GroupError::Starts { position: 2 }));
    assert_eq!(of(&[0, 2], &[1, 2, 3]), Err(GroupError::Starts { position: 1 }));
    assert_eq!(of(&[0, 4], &[1, 2, 3]), Err(GroupError::Starts { position: 1 }));
    assert_eq!(of(&[], &[]), Err(GroupError::Empty));
    assert_eq!(of(&[0], &[]), Err(GroupError::Empty));
    assert_eq!(of(&[], &[1]), Err(GroupError::Empty));
    assert_eq!(of(&[0, 1, 3], &[0, 3, 2]), Err(GroupError::Order { set: 1 }));
    assert_eq!(of(&[0, 2], &[3, 3]), Err(GroupError::Order { set: 0 }));
    assert_eq!(of(&[0, 1], &[40]), Err(GroupError::Range { index: 40, len: 40 }));
    assert_eq!(of(&[0, 1], &[u32::MAX]), Err(GroupError::Range { index: u32::MAX as usize, len: 40 }));
    assert_eq!(of(&[0, 1, 3], &[2, 1, 2]), Err(GroupError::Shared { index: 2 }));
    let short = GroupError::Scratch { expected: 2, got: 1 };
    assert_eq!(IndexSets::try_new(&[0, 1], &[0], 40, &mut [0]), Err(short));
}

#[test]
fn blocks_that_do_not_divide_are_refused() {
    let of = |rows, cols| GroupLayout::of(GroupKind::Block { rows, cols }, [6, 1, 1, 10]).map(|l| l.groups());
    assert_eq!(of(2, 5), Ok(6));
    assert_eq!(of(4, 1), Err(GroupError::Ragged { size: 6, block: 4 }));
    assert_eq!(of(2, 3), Err(GroupError::Ragged { size: 10, block: 3 }));
    assert_eq!(of(0, 1), Err(GroupError::Empty));
    assert_eq!(GroupLayout::of(GroupKind::Filter, [0, 1, 1, 1]), Err(GroupError::Empty));
    let huge = Err(GroupError::Part { span: usize::MAX, got: 0 });
    assert_eq!(GroupLayout::of(GroupKind::Weight, [usize::MAX, 2, 1, 1]), huge);
}

#[test]
fn products_and_sums_go_to_the_groups_of_both_parts() {
    let mut lcg = Lcg(10);
    for shape in SHAPES {
        let mut random = || (0..shape.iter().product()).map(|_| lcg.heavy() as f32).collect::<Vec<f32>>();
        let (x, y) = (random(), random());
        for (layout, group) in views(shape) {
            let (mut products, mut plain) = (vec![0.0; layout.groups()], vec![0.0; layout.groups()]);
            for ((x, y), g) in x.iter().zip(&y).zip(&group) {
                products[*g] += f64::from(*x) * f64::from(*y);
                plain[*g] += f64::from(*x);
            }
            let (mut got, mut sums) = (vec![0.0; layout.groups()], vec![0.0; layout.groups()]);
            assert_eq!(groups::accumulate_products(&x, &y, &layout, &mut got), Ok(()));
            assert_eq!(groups::accumulate_sums(&x, &layout, &mut sums), Ok(()));
            assert_eq!((got, sums), (products, plain));
        }
    }
    let (rows, mut sums) = (GroupLayout::rows(2, 2).expect("positive"), [7.0; 2]);
    let short = GroupError::Part { span: 4, got: 3 };
    assert_eq!(groups::accumulate_products(&[1.0_f32; 4], &[1.0; 3], &rows, &mut sums), Err(short));
    assert_eq!(sums, [7.0; 2]);
}

#[test]
fn every_view_reaches_the_elements_of_its_groups() {
    let mut lcg = Lcg(5);
    for shape in SHAPES {
        let t: Vec<f32> = (0..shape.iter().product()).map(|_| lcg.heavy() as f32).collect();
        for (v, (layout, group)) in views(shape).iter().enumerate() {
            let mut want = vec![0.0; layout.groups()];
            t.iter().zip(group).for_each(|(x, g)| want[*g] += f64::from(*x) * f64::from(*x));
            let mut sums = vec![0.0; layout.groups()];
            assert_eq!(groups::accumulate_squared_norms(&t, layout, &mut sums), Ok(()));
            assert_eq!(sums, want, "view {v} of {shape:?}: the same bits as in memory order");
            let factors: Vec<f32> = (0..layout.groups()).map(|g| 0.25 * (g % 5) as f32).collect();
            let mut got = t.clone();
            assert_eq!(groups::scale(&mut got, layout, &factors), Ok(()));
            let want: Vec<f32> = t.iter().zip(group).map(|(x, g)| x * factors[*g]).collect();
            assert_eq!(got, want, "view {v} of {shape:?}");
            assert!(got.iter().all(|x| *x != 0.0 || x.to_bits() == 0), "zeros are positive");
        }
    }
}

#[test]
fn parts_add_to_one_family() {
    let (mut sums, mut norms) = ([0.0; 2], [0.0_f32; 2]);
    let (rows, each) = (GroupLayout::rows(2, 2).expect("positive"), GroupLayout::elements(2).expect("positive"));
    assert_eq!(groups::accumulate_squared_norms(&[2.0_f32, 3.0, 0.0, 3.0], &rows, &mut sums), Ok(()));
    assert_eq!(groups::accumulate_squared_norms(&[6.0_f32, 4.0], &each, &mut sums), Ok(()));
    assert_eq!(groups::norms(&sums, &mut norms), Ok(()));
    assert_eq!(norms, [7.0, 5.0]);
}

#[test]
fn impossible_layouts_are_refused() {
    let of = |groups, members| GroupLayout::try_new(LayoutSpec { groups, members }).map(|l| (l.groups(), l.span()));
    let l = |len, stride| Loop { len, stride };
    let once = Loop::ONCE;
    assert_eq!(of([once, l(4, 3)], [once, once, l(3, 1)]), Ok((4, 12)));
    assert_eq!(of([once, l(4, 2)], [once, once, l(3, 1)]), Err(GroupError::Overlap));
    assert_eq!(of([once, l(4, 1)], [once, once, l(3, 1)]), Err(GroupError::Overlap));
    assert_eq!(of([once, l(4, 0)], [once; 3]), Err(GroupError::Overlap));
    assert_eq!(of([once, l(0, 1)], [once; 3]), Err(GroupError::Empty));
    let huge = Err(GroupError::Part { span: usize::MAX, got: 0 });
    assert_eq!(of([once, l(usize::MAX, usize::MAX)], [once; 3]), huge);

    let rows = GroupLayout::rows(2, 3).expect("positive");
    let mut sums = [7.0; 2];
    let short = GroupError::Part { span: 6, got: 5 };
    assert_eq!(groups::accumulate_squared_norms(&[1.0_f32; 5], &rows, &mut sums), Err(short));
    let (mut part, long) = ([1.0_f32; 6], GroupError::Len { operand: "scales", expected: 2, got: 3 });
    assert_eq!(groups::scale(&mut part, &rows, &[0.0; 3]), Err(long));
    assert_eq!((sums, part), ([7.0; 2], [1.0; 6]));
}
