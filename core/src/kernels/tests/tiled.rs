//! Tiled convolutions and dense layers: how close input and output may lie, and which records are refused.

use super::*;
use crate::kernels::tiles::filters::{self, Filter};
use crate::kernels::tiles::{Conv2dTiled, DenseTiled, FILTERS, Tiles};
use crate::num::SmallMultiplier;

#[test]
fn a_lead_is_as_small_as_can_be() {
    let axis = |input, kernel, stride, pad| {
        let spec = crate::shape::AxisSpec { input, kernel, stride, dilation: 1, pad_before: pad, pad_after: pad };
        crate::shape::Axis::try_new(spec).unwrap()
    };
    let lead = |window, in_c, out_c| Conv2dTiled { conv: Conv2d::try_new(window, in_c, out_c).unwrap() }.lead();
    use crate::shape::Window;
    // Pointwise: in place; twice the channels: the input must start later by all that is added before the last pair.
    let pointwise = Window { y: axis(5, 1, 1, 0), x: axis(5, 1, 1, 0) };
    assert_eq!([lead(pointwise, 8, 8), lead(pointwise, 4, 8), lead(pointwise, 8, 4)], [0, 24 * 4, -8]);
    // 3x3: a row and two pixels, for what is written before the window has passed.
    let same = Window { y: axis(6, 3, 1, 1), x: axis(6, 3, 1, 1) };
    assert_eq!(lead(same, 8, 8), 8 * 8 - 8);
}

#[test]
fn tiles_whose_sums_could_leave_their_range_are_refused() {
    let op = DenseTiled { dense: Dense::try_new(600, 4).unwrap() };
    let one = SmallMultiplier { mantissa_q32: 1 << 31, exponent: 3 };
    let check = |filter: Filter<'_>, at: usize| {
        let mut record = vec![0; Tiles::words_of(4, op.weight_words())];
        let mut four = [Filter { weights: &[1; 600], start: 0, multiplier: one }; FILTERS];
        four[at] = filter;
        filters::pack(&four, &mut record).unwrap();
        op.check_tiles(&Tiles::try_new(&record, 4, op.weight_words()).unwrap()).is_ok()
    };
    let weights = &[127; 600];
    assert!(check(Filter { weights, start: 1 << 30, multiplier: one }, 0), "an even filter has the range of an i32");
    assert!(!check(Filter { weights, start: 0, multiplier: one }, 1), "an odd one has 24 bits");
    let start = filters::MAX_ODD_ACC - 128 * 600 - 1;
    assert!(check(Filter { weights: &[1; 600], start, multiplier: one }, 1));
    assert!(!check(Filter { weights: &[1; 600], start: start + 1, multiplier: one }, 1));
    assert!(!check(Filter { weights: &[1; 600], start: -start - 1, multiplier: one }, 1));
    let large = SmallMultiplier { exponent: 22, ..one };
    assert!(!check(Filter { weights: &[1; 600], start: 0, multiplier: large }, 2), "the exponent is checked");
    assert!(
        filters::pack(
            &[
                Filter { weights: &[-1], ..Filter::MISSING },
                Filter { weights: &[-128], ..Filter::MISSING },
                Filter::MISSING,
                Filter::MISSING
            ],
            &mut [0; 13]
        )
        .is_none(),
        "-128 * 256 - 1 is no i16"
    );
}
