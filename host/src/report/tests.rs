//! The console table and the page, from one made-up run.

use super::{ArenaMap, ArenaTensor, EpochRow, OperatorRow, Report, Stage, console, console::Terminal, html};
use crate::io::format;
use crate::train::Phase;

fn stage(name: &str, accuracy: f64, params: u64, macs: u64) -> Stage {
    Stage { name: name.into(), accuracy, loss: Some(0.123), params, macs, seconds: 12.34, ..Stage::default() }
}

/// Few digits: serde_json reads long ones back with an error in the last bit.
fn rounded(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}

/// A run as it could have been: every field in use.
fn sample() -> Report {
    let dense = Stage { model_bytes: Some(58_536), ..stage("dense", 0.9722, 14_634, 527_168) };
    let sparse = Stage { model_bytes: Some(15_192), seconds: 6.0, ..stage("sparse", 0.9667, 3_798, 134_912) };
    let int8 = Stage {
        model_bytes: Some(5_012),
        instructions: Some(301_204),
        est_cycles: Some(398_120),
        arena_bytes: Some(2_560),
        stack_bytes: Some(612),
        code_bytes: Some(14_336),
        seconds: 0.42,
        ..stage("int8", 0.9639, 3_798, 134_912)
    };
    let op = |name: &str, op: &str, input: &[usize], output: &[usize], macs, weight_bytes, instructions| OperatorRow {
        name: name.into(),
        op: op.into(),
        input_shape: input.into(),
        output_shape: output.into(),
        macs,
        weight_bytes,
        instructions: Some(instructions),
    };
    let tensor = |name: &str, offset, bytes, first_op, last_op| ArenaTensor {
        name: name.into(),
        offset,
        bytes,
        first_op,
        last_op,
    };
    let epoch = |(i, phase): (usize, Phase)| {
        let ramp = i.saturating_sub(20).min(10) as f64 / 10.0;
        EpochRow {
            phase,
            epoch: i % 20 + 1,
            train_loss: rounded(2.3 / (1.0 + i as f64 * 0.4) + if phase == Phase::Ramp { ramp * 0.3 } else { 0.0 }),
            val_accuracy: rounded(0.98 - 0.5 / (1.0 + i as f64) - if phase == Phase::Ramp { ramp * 0.05 } else { 0.0 }),
            lambda: (phase == Phase::Ramp).then_some(ramp),
            alive_groups: Some(80 - (ramp * 40.0) as usize),
            seconds: 0.1,
        }
    };
    let phases = [Phase::Dense; 20].into_iter().chain([Phase::Ramp; 10]).chain([Phase::Finetune; 10]);
    Report {
        graph: None,
        title: "digits, small-cnn, half the filters".into(),
        dataset: "digits".into(),
        model: "small-cnn".into(),
        seed: 1,
        stages: vec![dense, sparse, int8],
        operators: vec![
            op("conv1", "conv2d", &[8, 8, 1], &[8, 8, 8], 4_608, 104, 31_804),
            op("conv2", "conv2d", &[8, 8, 8], &[8, 8, 16], 73_728, 1_216, 152_310),
            op("max_pool", "max_pool2d", &[8, 8, 16], &[4, 4, 16], 0, 0, 8_120),
            op("conv3", "conv2d", &[4, 4, 16], &[4, 4, 16], 36_864, 2_368, 98_710),
            op("pool", "average_pool2d", &[4, 4, 16], &[1, 1, 16], 0, 0, 2_960),
            op("classifier", "dense", &[16], &[10], 160, 200, 1_300),
            op("softmax", "softmax", &[10], &[10], 0, 0, 6_000),
        ],
        arena: ArenaMap {
            total_bytes: 1_536,
            tensors: vec![
                tensor("input", 512, 64, 0, 0),
                tensor("conv1", 0, 512, 0, 1),
                tensor("conv2", 512, 1_024, 1, 2),
                tensor("max_pool", 0, 256, 2, 3),
                tensor("conv3", 256, 256, 3, 4),
                tensor("pool", 0, 16, 4, 5),
                tensor("classifier", 16, 10, 5, 6),
                tensor("softmax", 32, 10, 6, 6),
            ],
        },
        training: phases.enumerate().map(epoch).collect(),
        bytes_equal: Some(true),
        notes: vec!["Accuracy is measured on 360 test samples that no step has seen.".into()],
    }
}

#[test]
fn the_table_reads_well_without_a_terminal() {
    let expected = "\
digits, small-cnn, half the filters
digits · small-cnn · seed 1

stage    accuracy   params          MACs            model          instructions   est. cycles     time
──────────────────────────────────────────────────────────────────────────────────────────────────────
dense      97.2 %   14.6 k         527 k         57.2 KiB                     –             –   12.3 s
sparse     96.7 %   3.80 k 0.26×   135 k 0.26×   14.8 KiB  0.26×              –             –   6.00 s
int8       96.4 %   3.80 k 0.26×   135 k 0.26×   4.89 KiB 0.086×          301 k         398 k   0.42 s
Instructions are counted on the emulated chip; they are not cycles.
Cycles are estimated for a Cortex-M4: zero wait states, taken branch 1+2.

int8 classifies 96.4 % of the test samples right, 0.8 points below dense, at 0.086× the size and 0.26× the MACs.
It needs 2.50 KiB of arena, 612 B of stack, 14.0 KiB of code. Host and chip give the same bytes.
· Accuracy is measured on 360 test samples that no step has seen.
";
    assert_eq!(console::render(&sample(), Terminal::default()), expected);
}

#[test]
fn a_narrow_terminal_gets_a_narrow_table_and_then_a_list() {
    for columns in [32, 40, 60, 80, 100] {
        let text = console::render(&sample(), Terminal { columns: Some(columns), ansi: false });
        assert!(text.lines().all(|l| l.chars().count() <= usize::from(columns)), "{columns}:\n{text}");
        assert_eq!(text.contains("  instructions  301 k\n"), columns < 60, "{columns}:\n{text}");
        assert_eq!(text.contains("0.26×   135 k 0.26×"), columns >= 80, "{columns}:\n{text}");
    }
}

#[test]
fn escape_codes_come_only_where_asked_for() {
    let mut report = sample();
    report.title = "evil \x1b[2J title".into();
    report.stages[0].name = "de\nnse".into();
    let plain = console::render(&report, Terminal::default());
    assert!(!plain.contains('\x1b') && plain.contains("evil �[2J title") && plain.contains("de�nse"), "{plain}");
    let painted = console::render(&report, Terminal { columns: None, ansi: true });
    assert!(painted.contains("\x1b[32mint8 classifies") && !painted.contains("\x1b[2J"));
    report.bytes_equal = Some(false);
    assert!(console::render(&report, Terminal { columns: None, ansi: true }).contains("\x1b[1;31mIt needs"));
}

#[test]
fn a_report_without_stages_says_so() {
    let empty = Report::default();
    assert!(console::render(&empty, Terminal::default()).contains("No stage has finished yet.\n"));
    let page = html::render(&empty);
    assert!(page.contains("No stage has finished yet.") && !page.contains("<section>"));
}

#[test]
fn the_verdict_never_hides_a_difference_between_host_and_chip() {
    let mut report = sample();
    report.bytes_equal = Some(false);
    assert!(report.verdict()[1].ends_with("HOST AND CHIP DISAGREE: do not ship this model."));
    assert!(html::render(&report).contains("<p class=\"verdict bad\">"));
    report.bytes_equal = None;
    assert!(report.verdict()[1].ends_with("It was not run on a chip."));
}

#[test]
fn text_from_models_cannot_become_markup() {
    let evil = "<script>alert(1)</script>\"'&\u{7}";
    let mut report = sample();
    let arena = report.arena.tensors.iter_mut().map(|t| &mut t.name);
    let operators = report.operators.iter_mut().flat_map(|o| [&mut o.name, &mut o.op]);
    let names = report.stages.iter_mut().map(|s| &mut s.name).chain(arena).chain(operators);
    let heads = [&mut report.title, &mut report.dataset, &mut report.model];
    for text in names.chain(heads).chain(&mut report.notes) {
        *text = evil.into();
    }
    let page = html::render(&report);
    assert!(!page.contains("<script") && !page.contains("</script") && !page.contains('\u{7}'));
    assert!(page.contains("<h1>&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;\u{fffd}</h1>"));
    assert_tags_balance(&page);
}

#[test]
fn the_page_fetches_nothing_and_runs_nothing() {
    let page = html::render(&sample());
    for outside in ["http", "src=", "href", "@import", "url(", "<script", "<link", "<iframe", "onload", "xmlns"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_tags_balance(&page);
}

/// Every element that is opened is closed, in order.
#[track_caller]
pub(super) fn assert_tags_balance(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    for tag in page.split('<').skip(1) {
        let tag = tag.split_once('>').expect("every tag ends").0;
        let name = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap();
        match tag {
            _ if ["!doctype", "meta", "br"].contains(&name) || tag.ends_with('/') => {}
            _ if tag.starts_with('/') => assert_eq!(open.pop(), Some(name)),
            _ => open.push(name),
        }
    }
    assert_eq!(open, [""; 0]);
}

#[test]
fn the_page_shows_every_part_of_a_run() {
    let page = html::render(&sample());
    for part in ["<h2>Stages", "<h2>Training", "<h2>Memory", "<h2>Operators", "<h2>Notes"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.contains("<title>conv2: 1.00 KiB at 512, from conv2 to max_pool</title>"));
    assert!(page.contains("they are not cycles"), "a count must not pass for a time");
    assert!(page.contains("<td>398 k</td>") && page.contains("estimated for a Cortex-M4"), "nor an estimate");
}

#[test]
fn every_operator_that_ran_on_a_chip_has_a_bar_of_its_share() {
    let mut report = sample();
    let page = html::render(&report);
    let figure =
        page.split("<svg class=\"operators\"").nth(1).expect("a chart").split("</svg>").next().expect("its end");
    assert_eq!(figure.matches("<rect").count(), report.operators.len());
    assert!(figure.contains("<title>conv2, conv2d: 152 k · 50.6 % · 2.07 per MAC</title>"), "{figure}");
    assert_eq!(figure.matches("<g class=\"t0\">").count(), 3, "one colour for the three convolutions");
    report.operators.iter_mut().for_each(|operator| operator.instructions = None);
    assert!(!html::render(&report).contains("<svg class=\"operators\""));
}

#[test]
fn a_diverged_run_can_be_stored_and_drawn() {
    let mut report = sample();
    report.training[5].train_loss = f64::NAN;
    report.training[6].train_loss = f64::INFINITY;
    report.stages[1].loss = Some(f64::NAN);
    let dir = tempfile::TempDir::new().unwrap();
    report.save(dir.path()).unwrap();
    let read = Report::load(dir.path()).unwrap();
    assert!(read.training[5].train_loss.is_nan() && read.training[6].train_loss.is_nan());
    assert_eq!(read.stages[1].loss, None);
    let page = html::render(&read);
    assert!(!page.contains("NaN") && !page.contains("inf"));
}

#[test]
fn a_run_folder_gives_back_its_report() {
    let dir = tempfile::TempDir::new().unwrap();
    sample().save(dir.path()).unwrap();
    assert_eq!(Report::load(dir.path()).unwrap(), sample());
    assert_eq!(std::fs::read_to_string(dir.path().join("report.html")).unwrap(), html::render(&sample()));
    std::fs::write(dir.path().join("report.json"), "{\"title\": 3}").unwrap();
    let message = Report::load(dir.path()).unwrap_err().to_string();
    assert!(message.contains("report.json: not a report: invalid type") && message.contains("line 1"), "{message}");
}

#[test]
fn an_arena_map_that_lies_is_still_drawn() {
    let mut report = sample();
    report.arena.tensors[0] =
        ArenaTensor { offset: u64::MAX, bytes: u64::MAX, first_op: 9, last_op: 3, ..Default::default() };
    assert_tags_balance(&html::render(&report));
}

#[test]
fn numbers_have_three_significant_digits() {
    let bytes: Vec<String> = [0, 812, 1023, 1024, 12_600, 1_048_575, 1_048_576].map(format::bytes).into();
    assert_eq!(bytes, ["0 B", "812 B", "1023 B", "1.00 KiB", "12.3 KiB", "1.00 MiB", "1.00 MiB"]);
    let counts: Vec<String> = [0, 999, 1_000, 9_999, 99_960, 999_500, 1_530_000, u64::MAX].map(format::count).into();
    assert_eq!(counts, ["0", "999", "1.00 k", "10.0 k", "100 k", "1.00 M", "1.53 M", "18446744 T"]);
    assert_eq!(format::exact(1_530_412), "1,530,412");
    assert_eq!(format::exact(12), "12");
    assert_eq!(format::percent(0.9722), "97.2 %");
    assert_eq!(format::ratio(31, 100).as_deref(), Some("0.31×"));
    assert_eq!(format::ratio(4, 1000).as_deref(), Some("0.004×"));
    assert_eq!(format::ratio(1, 0), None);
    assert_eq!(format::points_from(0.9, 0.906, "dense"), "0.6 points below dense");
    assert_eq!(format::points_from(0.9, 0.9, "dense"), "as many as dense");
    let seconds: Vec<String> = [0.42, 12.34, 59.7, 125.0, 3_720.0, f64::NAN].map(format::seconds).into();
    assert_eq!(seconds, ["0.42 s", "12.3 s", "1 min 00 s", "2 min 05 s", "1 h 02 min", "–"]);
}

#[test]
fn long_names_keep_their_end() {
    assert_eq!(format::shortened("conv1", 8), "conv1");
    assert_eq!(format::shortened("block1/größe", 12), "block1/größe");
    let short = format::shortened("model/block1/größe", 12);
    assert_eq!((short.as_str(), short.chars().count()), ("…lock1/größe", 12));
}
