//! Views reach what they say, in memory order, and nothing else.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic: that is how it fails")]

use super::{self as groups, Layout, LayoutSpec, Loop};
use crate::error::GroupError;
use crate::prox::lcg::Lcg;
use std::{vec, vec::Vec};

/// The layouts of the table in [`LayoutSpec`] for an `[o, h, w, i]` tensor, with the group of each element by definition.
fn views(o: usize, h: usize, w: usize, i: usize) -> Vec<(Layout, Vec<usize>)> {
    let all = |group: &dyn Fn(usize, usize, usize, usize) -> usize| {
        let at = |e: usize| group(e / (h * w * i), e / (w * i) % h, e / i % w, e % i);
        (0..o * h * w * i).map(at).collect::<Vec<usize>>()
    };
    let of = |groups, members| Layout::try_new(LayoutSpec { groups, members }).expect("a view of a tensor");
    let l = |len, stride| Loop { len, stride };
    let once = Loop::ONCE;
    vec![
        (Layout::rows(o, h * w * i).expect("positive"), all(&|o, _, _, _| o)),
        (Layout::columns(i, o * h * w).expect("positive"), all(&|_, _, _, i| i)),
        (Layout::elements(o * h * w * i).expect("positive"), (0..o * h * w * i).collect()),
        (of([once, l(h * w * i, 1)], [once, once, l(o, h * w * i)]), all(&|_, y, x, c| (y * w + x) * i + c)),
        (of([once, l(w, i)], [l(o, h * w * i), l(h, w * i), l(i, 1)]), all(&|_, _, x, _| x)),
        (of([l(o, h * w * i), l(i, 1)], [once, l(h, w * i), l(w, i)]), all(&|f, _, _, c| f * i + c)),
        (of([l(h, w * i), l(w, i)], [once, l(o, h * w * i), l(i, 1)]), all(&|_, y, x, _| y * w + x)),
        (of([once; 2], [once, once, l(o * h * w * i, 1)]), all(&|_, _, _, _| 0)),
    ]
}

#[test]
fn every_view_reaches_the_elements_of_its_groups() {
    let mut lcg = Lcg(5);
    for (o, h, w, i) in [(1, 1, 1, 1), (4, 3, 2, 5), (3, 1, 1, 7), (1, 3, 3, 8), (2, 2, 3, 1)] {
        let t: Vec<f32> = (0..o * h * w * i).map(|_| lcg.heavy() as f32).collect();
        for (v, (layout, group)) in views(o, h, w, i).iter().enumerate() {
            let mut want = vec![0.0; layout.groups()];
            t.iter().zip(group).for_each(|(x, g)| want[*g] += f64::from(*x) * f64::from(*x));
            let mut sums = vec![0.0; layout.groups()];
            assert_eq!(groups::accumulate_squared_norms(&t, layout, &mut sums), Ok(()));
            assert_eq!(sums, want, "view {v} of {o}x{h}x{w}x{i}: the same bits as in memory order");
            let factors: Vec<f32> = (0..layout.groups()).map(|g| 0.25 * (g % 5) as f32).collect();
            let mut got = t.clone();
            assert_eq!(groups::scale(&mut got, layout, &factors), Ok(()));
            let want: Vec<f32> = t.iter().zip(group).map(|(x, g)| x * factors[*g]).collect();
            assert_eq!(got, want, "view {v} of {o}x{h}x{w}x{i}");
            assert!(got.iter().all(|x| *x != 0.0 || x.to_bits() == 0), "zeros are positive");
        }
    }
}

#[test]
fn parts_add_to_one_family() {
    let (mut sums, mut norms) = ([0.0; 2], [0.0_f32; 2]);
    let (rows, each) = (Layout::rows(2, 2).expect("positive"), Layout::elements(2).expect("positive"));
    assert_eq!(groups::accumulate_squared_norms(&[2.0_f32, 3.0, 0.0, 3.0], &rows, &mut sums), Ok(()));
    assert_eq!(groups::accumulate_squared_norms(&[6.0_f32, 4.0], &each, &mut sums), Ok(()));
    assert_eq!(groups::norms(&sums, &mut norms), Ok(()));
    assert_eq!(norms, [7.0, 5.0]);
}

#[test]
fn impossible_layouts_are_refused() {
    let of = |groups, members| Layout::try_new(LayoutSpec { groups, members }).map(|l| (l.groups(), l.span()));
    let l = |len, stride| Loop { len, stride };
    let once = Loop::ONCE;
    assert_eq!(of([once, l(4, 3)], [once, once, l(3, 1)]), Ok((4, 12)));
    assert_eq!(of([once, l(4, 2)], [once, once, l(3, 1)]), Err(GroupError::Overlap));
    assert_eq!(of([once, l(4, 1)], [once, once, l(3, 1)]), Err(GroupError::Overlap));
    assert_eq!(of([once, l(4, 0)], [once; 3]), Err(GroupError::Overlap));
    assert_eq!(of([once, l(0, 1)], [once; 3]), Err(GroupError::Empty));
    let huge = Err(GroupError::Part { span: usize::MAX, got: 0 });
    assert_eq!(of([once, l(usize::MAX, usize::MAX)], [once; 3]), huge);

    let rows = Layout::rows(2, 3).expect("positive");
    let mut sums = [7.0; 2];
    let short = GroupError::Part { span: 6, got: 5 };
    assert_eq!(groups::accumulate_squared_norms(&[1.0_f32; 5], &rows, &mut sums), Err(short));
    let (mut part, long) = ([1.0_f32; 6], GroupError::Len { operand: "scales", expected: 2, got: 3 });
    assert_eq!(groups::scale(&mut part, &rows, &[0.0; 3]), Err(long));
    assert_eq!((sums, part), ([7.0; 2], [1.0; 6]));
}
