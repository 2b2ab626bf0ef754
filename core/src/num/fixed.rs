//! gemmlowp's fixed-point exponential and reciprocal (specs/integer_arithmetic.md §3).
//!
//! `Qi.f` is an `i32` whose value is `raw * 2^-(31 - i)`.

use super::{rounding_divide_by_pot as divide_by_pot, saturating_rounding_doubling_high_mul};

const ONE_Q0: i32 = i32::MAX;

/// The product of two Q0.31 numbers. It is called from a dozen places, and flash is scarce on chips: it is not inlined.
#[inline(never)]
fn mul(a: i32, b: i32) -> i32 {
    saturating_rounding_doubling_high_mul(a, b)
}

/// `x << shift`, saturating.
const fn saturating_shl(x: i32, shift: u32) -> i32 {
    let wide = (x as i64) << (shift & 31);
    if wide > i32::MAX as i64 {
        i32::MAX
    } else if wide < i32::MIN as i64 {
        i32::MIN
    } else {
        wide as i32
    }
}

/// `exp(a)` in Q0.31 for `a` in `[-1/4, 0)`, Q0.31.
fn exp_on_small_interval(a: i32) -> i32 {
    const EXP_MINUS_EIGHTH: i32 = 1_895_147_668;
    const THIRD: i32 = 715_827_883;
    let x = a.wrapping_add(1 << 28);
    let x2 = mul(x, x);
    let x3 = mul(x2, x);
    let x4 = mul(x2, x2);
    let quarter_x4 = divide_by_pot(x4, 2);
    let tail = divide_by_pot(mul(quarter_x4.wrapping_add(x3), THIRD).wrapping_add(x2), 1);
    EXP_MINUS_EIGHTH.wrapping_add(mul(EXP_MINUS_EIGHTH, x.wrapping_add(tail)))
}

/// `exp(a)` in Q0.31 for `a <= 0` in Q`integer_bits`, `integer_bits` in `1..=15`.
pub fn exp_on_negative(a: i32, integer_bits: u32) -> i32 {
    /// `exp(-2^e)` in Q0.31, with `e`.
    const FACTORS: [(i32, i32); 7] = [
        (-2, 1_672_461_947),
        (-1, 1_302_514_674),
        (0, 790_015_084),
        (1, 290_630_308),
        (2, 39_332_535),
        (3, 720_401),
        (4, 242),
    ];
    if a == 0 {
        return ONE_Q0;
    }
    let fraction_bits = 31_u32.saturating_sub(integer_bits);
    let quarter = 1_i32 << (fraction_bits.saturating_sub(2) & 31);
    let a_mod_quarter = (a & (quarter - 1)).wrapping_sub(quarter);
    let mut result = exp_on_small_interval(saturating_shl(a_mod_quarter, integer_bits));
    let remainder = a_mod_quarter.wrapping_sub(a);
    for (exponent, factor) in FACTORS {
        let bit = fraction_bits as i32 + exponent;
        if integer_bits as i32 > exponent && remainder & (1_i32 << (bit & 31)) != 0 {
            result = mul(result, factor);
        }
    }
    if integer_bits > 5 && a < -(1_i32 << ((36 - integer_bits) & 31)) {
        result = 0;
    }
    result
}

/// `1 / ((1 + a) / 2)` in Q2.29 for `a` in `[0, 1)`, Q0.31, by three Newton steps.
fn reciprocal_of_half_sum(a: i32) -> i32 {
    const FORTY_EIGHT_17THS_Q2: i32 = 1_515_870_810;
    const MINUS_THIRTY_TWO_17THS_Q2: i32 = -1_010_580_540;
    let sum = a as i64 + ONE_Q0 as i64;
    let half = ((sum + if sum >= 0 { 1 } else { -1 }) / 2) as i32;
    let mut x = FORTY_EIGHT_17THS_Q2.wrapping_add(mul(half, MINUS_THIRTY_TWO_17THS_Q2));
    for _ in 0..3 {
        let error = (1_i32 << 29).wrapping_sub(mul(half, x));
        x = x.wrapping_add(saturating_shl(mul(x, error), 2));
    }
    x
}

/// `1 / (1 + a)` in Q0.31 for `a` in `[0, 1)`, Q0.31.
pub fn one_over_one_plus(a: i32) -> i32 {
    saturating_shl(reciprocal_of_half_sum(a), 1)
}

/// `-|a|`, which every `i32` has.
const fn negative_magnitude(a: i32) -> i32 {
    if a > 0 { -a } else { a }
}

/// `1 / (1 + exp(-a))` in Q0.31 for `a` in Q`integer_bits`, `integer_bits` in `1..=14`.
pub fn logistic(a: i32, integer_bits: u32) -> i32 {
    let positive = one_over_one_plus(exp_on_negative(negative_magnitude(a), integer_bits));
    match a {
        0 => 1 << 30,
        1.. => positive,
        _ => ONE_Q0.wrapping_sub(positive),
    }
}

/// The hyperbolic tangent in Q0.31 of `a` in Q`integer_bits`, `integer_bits` in `1..=14`.
pub fn tanh(a: i32, integer_bits: u32) -> i32 {
    // Twice `a` has the same bits with one integer bit more.
    let exponential = exp_on_negative(negative_magnitude(a), integer_bits + 1);
    let magnitude = saturating_shl(reciprocal_of_half_sum(exponential).wrapping_sub(1 << 29), 2);
    match a {
        0 => 0,
        1.. => magnitude,
        _ => magnitude.wrapping_neg(),
    }
}
