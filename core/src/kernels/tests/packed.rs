//! Packings that are refused.

use super::*;
use crate::kernels::suite::records;
use crate::kernels::tiles::filters::Filter;
use crate::kernels::tiles::{Codebook, FILTERS, Int4, Tiles, codebook, int4};

#[test]
fn weights_that_do_not_fit_into_four_bits_are_refused() {
    let mut record = vec![0; Tiles::words_of(FILTERS, int4::int4_weight_words(4))];
    let mut pack = |f: usize, w: i8| {
        let weights = [w; 4];
        let mut four = [Filter { weights: &[-1; 4], ..Filter::MISSING }; FILTERS];
        four[f].weights = &weights;
        int4::pack(&four, &mut record).is_some()
    };
    assert!(pack(0, -8) && pack(1, -8) && pack(3, -8) && pack(2, -7));
    assert!(!pack(2, -8), "beside a negative weight of filter 1");
    assert!((0..FILTERS).all(|f| pack(f, 7) && !pack(f, 8) && !pack(f, -9)));
}

#[test]
fn more_values_than_a_codebook_holds_are_refused() {
    let weights: Vec<i8> = (1..=20).collect();
    let values = |used: usize, filters: usize, len: usize| {
        let filter = Filter { weights: &weights[..len], ..Filter::MISSING };
        let other = Filter { weights: &weights[used - len..used], ..Filter::MISSING };
        codebook::values(&[[filter; 3].as_slice(), &vec![other; filters - 3]].concat(), len)
    };
    // Four filters of whole groups need no 0 beside their values.
    assert_eq!(values(16, 4, 8).unwrap().to_vec(), weights[..16]);
    assert!(values(17, 4, 12).is_none());
    assert!(values(16, 5, 8).is_none() && values(16, 4, 9).is_none(), "a missing weight is one of 0");
    let fifteen = values(15, 5, 9).unwrap();
    assert_eq!((fifteen[0], fifteen[1..].to_vec()), (0, weights[..15].to_vec()));
    let mut record = vec![0; Tiles::words_of(FILTERS, codebook::codebook_weight_words(8))];
    let mut pack = |weight: i8| {
        let weights = [weight; 8];
        let four = [Filter { weights: &weights, ..Filter::MISSING }; FILTERS];
        codebook::pack(&four, &fifteen, &mut record).is_some()
    };
    assert!(pack(0) && pack(15) && !pack(16) && !pack(-1));
}

#[test]
fn a_codebook_that_is_none_is_refused() {
    let multiplier = crate::num::SmallMultiplier { mantissa_q32: 1 << 31, exponent: 3 };
    let fits = |start: i32, values: &[i8]| {
        let four = [Filter { weights: &[7; 99], start, multiplier }; FILTERS];
        let packed = codebook::values(&four, 99).unwrap();
        let record_words = Tiles::words_of(FILTERS, codebook::codebook_weight_words(99));
        let words = records(&four, record_words, |four, record| codebook::pack(four, &packed, record));
        Codebook::try_new(&words, values, FILTERS, 99).is_ok()
    };
    let mut values = [0; codebook::VALUES];
    values[1] = 7;
    let most = crate::num::SmallMultiplier::MAX_ACC - 128 * 7 * 99;
    assert!(fits(most, &values) && fits(-most, &values) && !fits(most + 1, &values) && !fits(-most - 1, &values));
    assert!(!fits(0, &values[1..]) && !fits(0, &[values, values].concat()));
    values[0] = 1;
    assert!(!fits(0, &values), "what is past the end of a filter must be 0");
}

#[test]
fn int4_filters_that_could_leave_their_range_are_refused() {
    let multiplier = crate::num::SmallMultiplier { mantissa_q32: 1 << 31, exponent: 3 };
    let fits = |f: usize, start: i32| {
        let mut four = [Filter { weights: &[7; 100], start: 0, multiplier }; FILTERS];
        four[f].start = start;
        let words = records(&four, Tiles::words_of(FILTERS, int4::int4_weight_words(100)), int4::pack);
        Int4::try_new(&words, FILTERS, 100).is_ok()
    };
    for (f, end) in int4::MAX_INT4_ACC.into_iter().enumerate().skip(1) {
        let most = end - 128 * 700 - 1;
        assert!(fits(f, most) && fits(f, -most) && !fits(f, most + 1) && !fits(f, -most - 1), "filter {f}");
    }
}
