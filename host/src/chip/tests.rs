//! What must hold about chips where there is no emulator.

use super::{Activity, Chip, ChipError, report::JobReport, run, setup::Machine};
use crate::hardware::QEMU_ARM;
use niwaki_protocol::{JobHeader, ProtocolError, RESULT_MAGIC, Record, operator_ticks};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use std::fs;

fn nothing(_: Activity<'_>) {}

#[test]
fn a_missing_emulator_says_what_to_install() {
    let root = Machine { path: "".into(), may_install: false, root: true };
    let user = Machine { path: "/nowhere".into(), may_install: true, root: false };
    for machine in [root, user] {
        let error = machine.emulator(&QEMU_ARM, &mut |step| panic!("{step:?}")).unwrap_err();
        assert!(matches!(error, ChipError::Missing { .. }));
        let line = error.to_string();
        assert!(line.contains("apt-get install qemu-system-arm") && !line.contains('\n'), "{line}");
    }
}

#[cfg(unix)]
#[test]
fn root_gets_the_emulator_from_apt_and_sees_why_it_failed() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let apt = folder.path().join("apt-get");
    fs::write(&apt, "#!/bin/sh\necho \"E: $1 does not work\" >&2\nexit 100\n").unwrap();
    fs::set_permissions(&apt, fs::Permissions::from_mode(0o755)).unwrap();
    let machine = Machine { path: folder.path().into(), may_install: true, root: true };
    let mut said = Vec::new();
    let error = machine.emulator(&QEMU_ARM, &mut |step| said.push(format!("{step:?}"))).unwrap_err();
    assert_eq!(
        said,
        [
            "Doing(\"installing qemu-system-arm, which emulates the chip\")",
            "Tool(\"E: install does not work\")",
            "Tool(\"E: update does not work\")"
        ]
    );
    assert!(error.to_string().contains("apt-get update` failed"), "{error}");
    assert!(error.to_string().contains("E: update does not work"), "{error}");
}

#[test]
fn inputs_of_different_length_are_refused_before_anything_is_built() {
    let error = run(Chip::CortexM4, &[1], &[vec![0; 3], vec![0; 4]], &mut nothing).unwrap_err();
    assert_eq!(error.to_string(), "input 1 has 4 bytes, expected 3");
}

#[test]
fn the_host_refuses_what_is_no_model() {
    let error = run(Chip::Host, &[7; 80], &[], &mut nothing).unwrap_err();
    assert!(matches!(error, ChipError::Refused { .. }), "{error}");
}

fn some_bytes(rng: &mut ChaCha8Rng, most: u32) -> Vec<u8> {
    let mut bytes = vec![0; (rng.next_u32() % (most + 1)) as usize];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn some_record<'a>(rng: &mut ChaCha8Rng, slice: &'a [u8]) -> Record<'a> {
    let mut word = || rng.next_u32();
    match word() % 8 {
        0 => Record::Model { arena_bytes: word(), operators: word(), output_bytes: word() },
        1 => Record::Run { ticks: rng.next_u64(), outputs: slice },
        2 => Record::Operators(&slice[..slice.len() / 4 * 4]),
        3 => Record::Stack { run_bytes: word(), program_bytes: word() },
        4 => Record::SelfTest { instructions: rng.next_u64(), ticks: rng.next_u64() },
        5 => Record::Clock { tick_hz: word(), run_overhead: word(), operator_overhead: word() },
        6 => Record::Failure(slice),
        _ => Record::End { runs: word() },
    }
}

#[test]
fn a_record_that_was_written_is_read_and_a_part_of_it_is_waited_for() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..2000 {
        let slice = some_bytes(&mut rng, 40);
        let record = some_record(&mut rng, &slice);
        let (head, tail) = record.encode();
        let bytes = [head.as_ref(), tail].concat();
        assert_eq!(Record::decode(&bytes), Ok(Some((record, bytes.len()))));
        let part = rng.next_u32() as usize % bytes.len();
        assert_eq!(Record::decode(&bytes[..part]), Ok(None));
    }
}

#[test]
fn random_bytes_are_never_more_than_refused() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for _ in 0..20_000 {
        let mut bytes = some_bytes(&mut rng, 64);
        if let Some(kind) = bytes.first_chunk_mut::<8>() {
            *kind = [kind[0] % 10, 0, 0, 0, kind[4] % 80, 0, 0, 0];
        }
        if let Ok(Some((record, len))) = Record::decode(&bytes) {
            assert!(len <= bytes.len());
            if let Record::Operators(ticks) = record {
                assert_eq!(operator_ticks(ticks).count(), ticks.len() / 4);
            }
        }
    }
}

#[test]
fn a_job_header_that_was_written_is_read() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for _ in 0..1000 {
        let mut word = || rng.next_u32();
        let header =
            JobHeader { self_test: word() % 2 == 0, model_bytes: word(), input_count: word(), input_bytes: word() };
        assert_eq!(JobHeader::decode(&header.encode()), Ok(header));
    }
    let mut other = JobHeader { self_test: true, model_bytes: 1, input_count: 2, input_bytes: 3 }.encode();
    other[7] = 9;
    assert_eq!(JobHeader::decode(&other), Err(ProtocolError::Version { what: "job", version: 9 }));
}

#[test]
fn a_result_is_understood_in_whatever_pieces_it_arrives() {
    let records = [
        Record::Run { ticks: 1_000_016, outputs: b"yes" },
        Record::Operators(&[17, 0, 0, 0, 177, 0, 0, 0]),
        Record::Run { ticks: 1_600_016, outputs: b"no!" },
        Record::SelfTest { instructions: 100, ticks: 176 },
        Record::Clock { tick_hz: 25_000_000, run_overhead: 16, operator_overhead: 17 },
        Record::End { runs: 2 },
    ];
    let mut whole = RESULT_MAGIC.to_vec();
    for record in &records {
        let (head, tail) = record.encode();
        whole.extend([head.as_ref(), tail].concat());
    }
    for piece in 1..whole.len() {
        let mut report = JobReport::new(&QEMU_ARM);
        let mut waiting = Vec::new();
        for bytes in whole.chunks(piece) {
            waiting.extend_from_slice(bytes);
            let understood = report.read(&waiting).unwrap();
            waiting.drain(..understood);
        }
        assert!(waiting.is_empty() && report.is_complete());
        let calibration = report.calibrations().unwrap();
        assert_eq!((calibration[0].executed, calibration[0].counted), (100, 100));
        let image = super::firmware::Image { runner: "runner".into(), footprint: "footprint".into(), code_bytes: 5 };
        let measured = report.measured(&image).unwrap();
        assert_eq!(measured.outputs, [b"yes", b"no!"]);
        let cost = measured.cost.unwrap();
        assert_eq!((cost.instructions, cost.instructions_max), (625_000, 1_000_000));
        assert_eq!(cost.per_op, [0, 100]);
    }
}

/// Runs a shell script in place of the emulator.
#[cfg(unix)]
fn emulate(script: &str) -> Result<JobReport, ChipError> {
    use super::qemu::{Emulation, Job};
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let emulator = folder.path().join("emulator");
    fs::write(&emulator, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&emulator, fs::Permissions::from_mode(0o755)).unwrap();
    // Any image without a log does.
    let image = std::env::current_exe().unwrap();
    let spec = Chip::CortexM4.spec().unwrap();
    let patience = std::time::Duration::from_millis(300);
    let emulation = Emulation { emulator: &emulator, spec, image: &image, patience };
    let header = JobHeader { self_test: false, model_bytes: 3, input_count: 1, input_bytes: 2 };
    emulation.run(&Job { header, model: &[1, 2, 3], inputs: &[vec![4, 5]] }, &mut nothing)
}

#[cfg(unix)]
#[test]
fn a_silent_firmware_is_stopped() {
    let start = std::time::Instant::now();
    let error = emulate("exec sleep 60").unwrap_err();
    assert!(matches!(error, ChipError::Stalled { runs: 0, .. }), "{error}");
    assert!(start.elapsed().as_secs() < 30);
}

#[cfg(unix)]
#[test]
fn an_emulator_that_dies_is_quoted() {
    let error = emulate("echo 'no such machine' >&2; exit 3").unwrap_err();
    assert_eq!(error.to_string(), "the emulator ended (exit status: 3) after 0 runs: no such machine");
    let error = emulate("echo 'qemu: fatal: Lockup: what a pity' >&2; exit 1").unwrap_err();
    assert!(error.to_string().ends_with("the firmware's stack overflowed"), "{error}");
    let error = emulate("exit 0").unwrap_err();
    assert!(error.to_string().contains("after 0 runs: it did not say why"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_result_of_another_version_is_named() {
    let error = emulate("printf 'NIWAKIR\\002' > result.bin").unwrap_err();
    assert!(error.to_string().starts_with("result.bin at byte 0: the result has version 2"), "{error}");
}

#[cfg(unix)]
#[test]
fn the_job_lies_where_the_firmware_looks_for_it() {
    let error = emulate("od -An -tu1 -j24 job.bin >&2; exit 1").unwrap_err();
    assert!(error.to_string().ends_with("1   2   3   4   5"), "{error}");
}
