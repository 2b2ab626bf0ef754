//! The table, the sentences and the page of a comparison, from made-up cells.

use super::{Cell, Comparison, Failure, Spread, console, html};
use crate::recipe::Unit;
use crate::report::console::Terminal;
use crate::report::tests::assert_tags_balance;

/// Rounding of a mean and a standard deviation of three values.
const SPREAD: f64 = 1e-12;

fn cell(method: &str, keep: Option<f64>, unit: Unit, seed: u64, accuracy: f64) -> Cell {
    let share = keep.unwrap_or(1.0);
    let shrinks = unit == Unit::Instructions;
    let of = |dense: f64| (dense * if shrinks { share } else { 1.0 }) as u64;
    Cell {
        name: format!("{method}-seed{seed}"),
        method: method.into(),
        keep,
        keep_unit: keep.map(|_| unit),
        seed,
        accuracy_f32: accuracy + 0.001,
        accuracy_int8: accuracy,
        macs: (527_000.0 * share) as u64,
        params: 14_634,
        model_bytes: of(16_000.0),
        arena_bytes: of(2_560.0),
        instructions: Some(of(1_200_000.0)),
        bytes_equal: Some(true),
        seconds: 3.0,
    }
}

/// Three seeds, two methods that remove filters and one that zeroes weights.
fn sample() -> Comparison {
    let mut cells = Vec::new();
    for seed in 1..=3 {
        let noise = 0.002 * (seed as f64 - 2.0);
        cells.push(cell("dense", None, Unit::Instructions, seed, 0.97 + noise));
        for (keep, lost) in [(0.5, 0.01), (0.3, 0.03)] {
            let accuracy = 0.97 - lost + noise;
            cells.push(cell("wgsef", Some(keep), Unit::Instructions, seed, accuracy));
            cells.push(cell("magnitude", Some(keep), Unit::Instructions, seed, accuracy - lost / 5.0));
            cells.push(cell("set", Some(keep), Unit::Macs, seed, accuracy + 0.005));
        }
    }
    Comparison {
        title: "small-cnn on digits".into(),
        dataset: "digits".into(),
        model: "small-cnn".into(),
        chip: "cortex-m4".into(),
        methods: ["wgsef", "magnitude", "set"].map(String::from).into(),
        keeps: vec![0.5, 0.3],
        seeds: vec![1, 2, 3],
        planned: cells.len(),
        cells,
        notes: vec!["† set: weights stay as zeros.".into()],
        ..Comparison::default()
    }
}

#[test]
fn a_spread_is_mean_and_sample_standard_deviation() {
    let spread = Spread::of([1.0, 2.0, 4.0].into_iter());
    assert!((spread.mean - 7.0 / 3.0).abs() < SPREAD && (spread.sd - (7.0_f64 / 3.0).sqrt()).abs() < SPREAD);
    assert_eq!(Spread::of([0.5].into_iter()), Spread { mean: 0.5, sd: 0.0, n: 1 });
    assert_eq!(Spread::of([0.5].into_iter()).percent(), "50.00");
    assert!(Spread::of(std::iter::empty()).mean.is_nan());
}

#[test]
fn the_table_reads_well_without_a_terminal() {
    let expected = "\
small-cnn on digits
digits · small-cnn · by instructions · seeds 1, 2, 3

method      keep   n          f32 %         int8 %   drop    MACs             model          instructions             arena
──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
dense              3   97.10 ± 0.20   97.00 ± 0.20   0.10   527 k 1.000×   15.6 KiB 1.000×         1.20 M 1.000×   2.50 KiB 1.000×
wgsef *      0.5   3   96.10 ± 0.20   96.00 ± 0.20   1.10   264 k 0.500×   7.81 KiB 0.500×          600 k 0.500×   1.25 KiB 0.500×
magnitude    0.5   3   95.90 ± 0.20   95.80 ± 0.20   1.30   264 k 0.500×   7.81 KiB 0.500×          600 k 0.500×   1.25 KiB 0.500×
set         0.5†   3   96.60 ± 0.20   96.50 ± 0.20   0.60   264 k 0.500×   15.6 KiB 1.000×         1.20 M 1.000×   2.50 KiB 1.000×
wgsef *      0.3   3   94.10 ± 0.20   94.00 ± 0.20   3.10   158 k 0.300×   4.69 KiB 0.300×          360 k 0.300×      768 B 0.300×
magnitude    0.3   3   93.50 ± 0.20   93.40 ± 0.20   3.70   158 k 0.300×   4.69 KiB 0.300×          360 k 0.300×      768 B 0.300×
set         0.3†   3   94.60 ± 0.20   94.50 ± 0.20   2.60   158 k 0.300×   15.6 KiB 1.000×         1.20 M 1.000×   2.50 KiB 1.000×
Accuracy in percent of the test samples, mean ± standard deviation over the seeds; drop in points from the dense f32 network; MACs with weights that are not zero; * best at its cost.
Instructions are counted on the emulated chip; they are not cycles.

At 0.5× the dense network's instructions, wgsef is best with 96.00 ± 0.20 %, 0.20 points above magnitude (95.80 ± 0.20 %): within the spread of 0.28 over 3 seeds.
At 0.3× the dense network's instructions, wgsef is best with 94.00 ± 0.20 %, 0.60 points above magnitude (93.40 ± 0.20 %): more than the spread of 0.28 over 3 seeds.
· † set: weights stay as zeros.
";
    let text = console::render(&sample(), Terminal::default());
    assert!(text == expected, "{text}");
}

#[test]
fn a_narrow_terminal_gets_a_narrower_table() {
    let width = |columns| {
        let text = console::render(&sample(), Terminal { columns: Some(columns), ansi: false });
        text.lines().map(|line| line.chars().count()).max().unwrap()
    };
    for columns in [80, 100, 120, 140] {
        assert!(width(columns) <= usize::from(columns), "{columns}: {}", width(columns));
    }
}

#[test]
fn the_verdict_says_whether_the_gap_is_more_than_chance() {
    let [half, third] = sample().verdicts().try_into().unwrap();
    assert_eq!(
        half,
        "At 0.5× the dense network's instructions, wgsef is best with 96.00 ± 0.20 %, 0.20 points above magnitude \
         (95.80 ± 0.20 %): within the spread of 0.28 over 3 seeds."
    );
    assert!(
        third.ends_with("0.60 points above magnitude (93.40 ± 0.20 %): more than the spread of 0.28 over 3 seeds.")
    );
    let mut one = sample();
    one.cells.retain(|cell| cell.seed == 1);
    assert!(one.verdicts()[0].ends_with(": one seed tells no spread."), "{}", one.verdicts()[0]);
    one.cells.retain(|cell| cell.method != "magnitude");
    assert_eq!(one.verdicts()[0], "At 0.5× the dense network's instructions, wgsef classifies 95.80 % right.");
    assert_eq!(Comparison::default().verdicts(), ["No method has finished yet."]);
}

#[test]
fn only_methods_at_the_same_cost_are_ranked() {
    let best = |comparison: &Comparison| -> Vec<String> {
        comparison.rows().into_iter().filter(|row| row.best).map(|row| row.method).collect()
    };
    assert_eq!(best(&sample()), ["wgsef", "wgsef"], "set is better, but as slow as the dense network");
    let mut by_macs = sample();
    by_macs.unit = Unit::Macs;
    by_macs.cells.iter_mut().for_each(|cell| cell.keep_unit = cell.keep_unit.map(|_| Unit::Macs));
    assert_eq!(best(&by_macs), ["set", "set"]);
}

#[test]
fn a_drop_is_measured_against_the_dense_network_of_the_same_seed() {
    let mut comparison = sample();
    comparison.cells.retain(|cell| cell.seed == 3 || cell.method == "dense");
    let row = comparison.rows().into_iter().find(|row| row.method == "wgsef").unwrap();
    assert_eq!(row.n, 1);
    // f32 of the dense one is 0.001 above its int8, wgsef at one half is 0.01 below that.
    assert!((row.drop_points.unwrap() - 1.1).abs() < SPREAD, "{row:?}");
}

#[test]
fn what_is_missing_is_said() {
    let mut comparison = sample();
    comparison.cells.truncate(5);
    comparison.cells[1].bytes_equal = Some(false);
    comparison.failed.push(Failure { cell: "x-seed1".into(), is_dense: false, error: "it diverged".into() });
    comparison.cells.iter_mut().for_each(|cell| cell.instructions = None);
    let text = console::render(&comparison, Terminal::default());
    for part in ["HOST AND CHIP DISAGREE: wgsef-seed1.", "6 of 21 cells are through.", "x-seed1 failed: it diverged"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("emulated chip"), "no instructions, no note on them\n{text}");
    let json = comparison.to_json();
    assert_eq!(json["rows"][0]["cost"]["instructions"], serde_json::Value::Null);
    assert_eq!(json["failed"][0]["cell"], "x-seed1");
    let page = html::render(&comparison);
    assert!(page.contains("verdict bad") && !page.contains("NaN") && page.matches("<figure").count() == 2);
}

#[test]
fn the_page_draws_every_method_against_every_cost_and_fetches_nothing() {
    let page = html::render(&sample());
    assert_eq!(page.matches("<figure").count(), 3);
    // The dense network and three methods, in each figure.
    for colour in ["#101010", "#111111", "#121212", "#131313"] {
        let drawn = page.split("<svg class=\"plot\"").skip(1).filter(|svg| svg.contains(colour)).count();
        assert_eq!(drawn, 3, "{colour}");
    }
    for outside in ["http", "src=", "href", "@import", "url(", "<script", "<link", "<iframe", "onload", "xmlns"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_tags_balance(&page);
    let mut evil = sample();
    evil.title = "<script>".into();
    evil.failed.push(Failure { cell: "<b>".into(), is_dense: false, error: "<script>".into() });
    assert_tags_balance(&html::render(&evil));
    assert!(!html::render(&evil).contains("<script"));
}

#[test]
fn a_comparison_without_cells_is_still_a_page() {
    let empty = Comparison::default();
    assert!(console::render(&empty, Terminal::default()).contains("No method has finished yet.\n"));
    assert_tags_balance(&html::render(&empty));
}
