//! The emulated chips: their counters are right, and they answer what this machine answers.

use niwaki::{
    chip::{self, Activity, Chip, ChipError},
    export,
    quantize::{self, Calibration},
    zoo,
};
use niwaki_core::format::{
    ALIGN, DType, HEADER_BYTES, Header, NONE, OPERATOR_BYTES, OperatorRecord, TENSOR_BYTES, TensorRecord, crc32,
};
use niwaki_core::ops::{Op, OpCode};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use std::{
    io::{self, Write as _},
    time::Instant,
};

/// Instructions by which a count may be wrong: the resolution of the clock, and register moves at the ends of the window.
const COUNT_TOLERANCE: u64 = 2;

/// The result, or `None` and a line on the screen if this machine lacks something.
fn unless_missing<T>(result: Result<T, ChipError>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error @ ChipError::Missing { .. }) => {
            #[expect(clippy::explicit_write, reason = "the test harness would swallow the macro's line")]
            writeln!(io::stderr(), "skipped: {error}").unwrap();
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn show(step: Activity<'_>) {
    if !matches!(step, Activity::Ran { .. }) {
        println!("{step:?}");
    }
}

#[test]
fn code_of_known_length_counts_as_long_as_it_is() {
    for &chip in Chip::EMULATED {
        let Some(calibrations) = unless_missing(chip::self_test(chip, &mut show)) else { return };
        assert!(calibrations.len() >= 5 && calibrations.iter().any(|c| c.executed > 10_000_000));
        for c in calibrations {
            println!("{chip}: {c:?}");
            assert!(c.counted.abs_diff(c.executed) <= COUNT_TOLERANCE, "{chip}: {c:?}");
        }
    }
}

/// Softmax over 64 floats, then a reshape: a model of two operators, written by hand.
fn softmax_model() -> Vec<u8> {
    const LEN: u32 = 64;
    let tensor = |dims: [u32; 4], offset| {
        let bytes = LEN * 4;
        TensorRecord { dtype: DType::F32.code(), rank: 2, dims, offset, bytes, ..TensorRecord::default() }
    };
    let tensors = [tensor([1, LEN, 1, 1], 0), tensor([1, LEN, 1, 1], LEN * 4), tensor([LEN, 1, 1, 1], LEN * 4)];
    let operator = |op: Op, input, output| OperatorRecord {
        code: OpCode::from(op).byte(),
        dtype: DType::F32.code(),
        inputs: [input, NONE, NONE, NONE, NONE, NONE],
        output,
        ..OperatorRecord::default()
    };
    let operators = [operator(Op::Softmax, 0, 1), operator(Op::Reshape, 1, 2)];
    let operators_offset = HEADER_BYTES + tensors.len() * TENSOR_BYTES;
    let io_offset = operators_offset + operators.len() * OPERATOR_BYTES;
    let file_bytes = (io_offset + 4).next_multiple_of(ALIGN);
    let mut header = Header {
        file_bytes: file_bytes as u32,
        arena_bytes: LEN * 8,
        tensor_count: 3,
        operator_count: 2,
        input_count: 1,
        output_count: 1,
        tensors_offset: HEADER_BYTES as u32,
        operators_offset: operators_offset as u32,
        io_offset: io_offset as u32,
        data_offset: file_bytes as u32,
        ..Header::new()
    };
    let mut file = header.to_bytes().to_vec();
    tensors.iter().for_each(|tensor| file.extend(tensor.to_bytes()));
    operators.iter().for_each(|operator| file.extend(operator.to_bytes()));
    file.extend([0, 0, 2, 0]);
    file.resize(file_bytes, 0);
    header.checksum = crc32(&file[Header::CHECKSUM_FROM..]);
    file[..HEADER_BYTES].copy_from_slice(&header.to_bytes());
    file
}

fn inputs(count: u32) -> Vec<Vec<u8>> {
    let value = |input: u32, idx: u32| ((input * 37 + idx * 11) % 97) as f32 / 7.0 - 5.0;
    (0..count).map(|input| (0..64).flat_map(|idx| value(input, idx).to_le_bytes()).collect()).collect()
}

#[test]
fn a_chip_answers_what_this_machine_answers() {
    let (model, inputs) = (softmax_model(), inputs(360));
    let here = chip::run(Chip::Host, &model, &inputs, &mut show).unwrap();
    assert_eq!(here.cost, None);
    let (start, mut last) = (Instant::now(), None);
    let there = chip::run(Chip::CortexM4, &model, &inputs, &mut |step| {
        show(step);
        if let Activity::Ran { done, total } = step {
            last = Some((done, total));
        }
    });
    let Some(there) = unless_missing(there) else { return };
    println!("{} inputs in {:?}, the build included", inputs.len(), start.elapsed());
    assert_eq!(there.outputs, here.outputs);
    assert_eq!(last, Some((360, 360)));
    let cost = there.cost.unwrap();
    println!("{cost:?}");
    assert!(cost.instructions_min <= cost.instructions && cost.instructions <= cost.instructions_max);
    assert_eq!((cost.arena_bytes, cost.per_op.len()), (512, 2));
    assert!(cost.stack_bytes > 0 && cost.code_bytes > 0 && cost.elf.is_file());
    let start = Instant::now();
    let again = chip::run(Chip::CortexM4, &model, &inputs, &mut show).unwrap();
    println!("{} inputs in {:?}", inputs.len(), start.elapsed());
    assert_eq!(again.cost, Some(cost), "the same work must always cost the same");
}

/// A network of the zoo, quantised on random data.
fn int8_model(name: &str, input: &[usize], classes: usize) -> Vec<u8> {
    let graph = zoo::by_name(name).unwrap().build(input, classes, 1).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let sample = (0..input.iter().product()).map(|_| rng.next_u32() as f32 / u32::MAX as f32);
    let sample: Vec<f32> = sample.collect();
    let graph = quantize::post_training(&graph, &[&sample], Calibration::MinMax).unwrap();
    export::export(&graph).unwrap().0.to_vec()
}

#[test]
fn quantised_networks_answer_bit_for_bit_what_this_machine_answers_on_every_chip() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut inputs = |count: usize, len: usize| -> Vec<Vec<u8>> {
        let mut input = || {
            let mut input = vec![0; len];
            rng.fill_bytes(&mut input);
            input
        };
        (0..count).map(|_| input()).collect()
    };
    let networks = [
        ("small-cnn", &[8, 8, 1], 10, inputs(360, 64)),
        ("tiny-resnet", &[16, 16, 3], 10, inputs(3, 768)),
        ("ds-cnn", &[49, 10, 1], 12, inputs(3, 490)),
    ];
    for (name, input, classes, inputs) in networks {
        let model = int8_model(name, input, classes);
        let here = chip::run(Chip::Host, &model, &inputs, &mut show).unwrap();
        for &chip in Chip::EMULATED {
            let start = Instant::now();
            let Some(there) = unless_missing(chip::run(chip, &model, &inputs, &mut show)) else { return };
            println!("{name} on {chip}: {} inputs in {:?}", inputs.len(), start.elapsed());
            assert_eq!(there.outputs, here.outputs, "{name} on {chip}");
            let cost = there.cost.unwrap();
            println!("{cost:?}");
            let sum: u64 = cost.per_op.iter().sum();
            let slack = COUNT_TOLERANCE * cost.per_op.len() as u64 + 100;
            let in_range = cost.instructions_min.saturating_sub(slack)..=cost.instructions_max + slack;
            assert!(in_range.contains(&sum), "{name} on {chip}: the operators' {sum} instructions are not the run's");
        }
    }
}

#[test]
fn the_cycles_of_a_run_are_estimated_where_the_timings_are_known() {
    let model = int8_model("small-cnn", &[8, 8, 1], 10);
    let input = vec![7; 64];
    // The call itself compares the instructions with the chip's counter.
    let Some(estimate) = unless_missing(chip::estimate_cycles(Chip::CortexM4, &model, &input, &mut show)) else {
        return;
    };
    let estimate = estimate.unwrap();
    println!("{} instructions, {} cycles", estimate.instructions, estimate.cycles);
    let per_instruction = estimate.cycles as f64 / estimate.instructions as f64;
    assert!((1.0..2.0).contains(&per_instruction), "{per_instruction}");
    let first = &estimate.functions[0];
    assert!(first.name.contains("conv2d") && 10 * first.cycles > 9 * estimate.cycles, "{first:?}");
    let same_input = chip::estimate_cycles(Chip::CortexM4, &model, &input, &mut show).unwrap();
    assert_eq!(same_input, Some(estimate), "the same work must always cost the same");
    for chip in [Chip::Host, Chip::CortexM7] {
        assert_eq!(chip::estimate_cycles(chip, &model, &input, &mut show).unwrap(), None);
    }
}

#[test]
fn a_broken_model_is_refused_with_the_reason() {
    let mut model = softmax_model();
    let half = model.len() / 2;
    model[half] ^= 1;
    for chip in [Chip::Host, Chip::CortexM4] {
        let error = chip::run(chip, &model, &inputs(1), &mut show).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{chip}: checksum")), "{error}");
    }
}

#[test]
fn inputs_of_another_model_are_refused() {
    let short = vec![vec![0; 8]];
    let error = match chip::run(Chip::CortexM4, &softmax_model(), &short, &mut show) {
        Err(error @ ChipError::Refused { .. }) => error.to_string(),
        other => return assert!(unless_missing(other).is_none(), "8 bytes were taken for 256"),
    };
    assert_eq!(error, "mps2-an386: an input has 8 bytes, the model takes 256");
}
