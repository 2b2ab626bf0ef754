//! The file format does not change: a golden model verifies and computes the same bytes, and so do files of today.

use niwaki::chip::{self, Chip, ChipError};
use niwaki::export::export;
use niwaki::io::AlignedBytes;
use niwaki_core::ops::{Op, OpCode};
use niwaki_core::{Model, Session};
use niwaki_tests::models;
use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens")
}

fn golden(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; `cargo ci --bless` writes it", path.display()))
}

fn exported() -> AlignedBytes {
    export(&models::every_operator().expect("builds")).expect("exports").0
}

/// An input of the golden model: `[6, 6, 2]`.
const INPUT_BYTES: usize = 72;

/// Inputs of the golden model, one after the other.
fn inputs() -> Vec<u8> {
    let codes = (0..4 * INPUT_BYTES).map(|i| ((i * i * 7 + i * 13) % 256) as u8);
    codes.collect()
}

/// Outputs for `inputs`, one after the other.
fn outputs(file: &[u8], inputs: &[u8]) -> Vec<u8> {
    let file = AlignedBytes::from(file);
    let model = Model::verify(&file, niwaki_core::ops::ALL).expect("verifies");
    let mut arena = AlignedBytes::zeroed(model.arena_bytes());
    let mut session = Session::new(model, &mut arena).expect("fits");
    let mut outputs = Vec::new();
    for input in inputs.chunks_exact(INPUT_BYTES) {
        session.input_bytes_mut(0).copy_from_slice(input);
        session.run();
        outputs.extend_from_slice(session.output_bytes(0));
    }
    outputs
}

#[test]
fn the_golden_file_answers_the_golden_bytes() {
    let (file, input, output) =
        (golden("format-v1.niwaki"), golden("format-v1.input.bin"), golden("format-v1.output.bin"));
    assert!(!output.is_empty() && file.len() < 3000);
    assert_eq!(outputs(&file, &input), output);
}

#[test]
fn the_golden_file_answers_the_golden_bytes_on_every_emulated_chip() {
    let file = golden("format-v1.niwaki");
    let inputs: Vec<Vec<u8>> = golden("format-v1.input.bin").chunks_exact(INPUT_BYTES).map(<[u8]>::to_vec).collect();
    for &chip in Chip::EMULATED {
        match chip::run(chip, &file, &inputs, &mut |_| ()) {
            Ok(measured) => assert_eq!(measured.outputs.concat(), golden("format-v1.output.bin"), "{chip}"),
            // Not `println!`: the test harness would hide its line.
            Err(error @ ChipError::Missing { .. }) => writeln!(io::stderr(), "skipped: {error}").expect("writes"),
            Err(error) => panic!("{chip}: {error}"),
        }
    }
}

#[test]
fn the_exporter_writes_files_that_answer_the_golden_bytes() {
    // Not the bytes of the golden file: the exporter may choose a better form, as int8 ReLUs became tables.
    assert_eq!(outputs(&exported(), &golden("format-v1.input.bin")), golden("format-v1.output.bin"));
}

#[test]
fn the_golden_file_has_every_operator_that_version_1_began_with() {
    let file = AlignedBytes::from(golden("format-v1.niwaki").as_slice());
    let model = Model::verify(&file, niwaki_core::ops::ALL).expect("verifies");
    let codes: Vec<u8> =
        (0..model.operator_count()).filter_map(|i| model.operator(i)).map(|record| record.code).collect();
    for operator in niwaki_core::ops::ALL.iter().filter(|operator| operator.code <= OpCode::from(Op::Reshape).byte()) {
        assert!(codes.contains(&operator.code), "{operator:?} is not in the file");
    }
}

#[test]
fn every_golden_file_has_the_digest_of_its_birth_certificate() {
    let certificate = String::from_utf8(golden("README.md")).expect("text");
    for name in FILES {
        let row = format!("| `{name}` | {} | `{}` |", golden(name).len(), sha256::hex(&golden(name)));
        assert!(certificate.contains(&row), "{name} was changed without `cargo ci --bless`: {row}");
    }
}

const FILES: [&str; 3] = ["format-v1.niwaki", "format-v1.input.bin", "format-v1.output.bin"];

/// Writes the goldens; `cargo ci --bless` runs this and nothing else does.
#[test]
#[ignore = "writes the goldens: run `cargo ci --bless`"]
fn bless() {
    let certificate = std::env::var("NIWAKI_BLESS").expect("run by `cargo ci --bless`");
    // The file proves that old files keep their meaning: it is never written again.
    let file = golden(FILES[0]);
    let input = inputs();
    let contents = [file.clone(), input.clone(), outputs(&file, &input)];
    let mut readme = format!(
        "# Golden files\n\n{certificate}\n\n\
         `format-v1.niwaki` is `niwaki_tests::models::every_operator()` as `niwaki::export::export` wrote it first: a \
         small int8\nmodel with every operator that version 1 of the format began with (core/SPEC.md), written down in \
         integers, without\na seed. The input holds four inputs, the output what `Session::run` answers to each, one after \
         the other.\n\n\
         | file | bytes | sha256 |\n| --- | --- | --- |\n"
    );
    fs::create_dir_all(folder()).expect("creates");
    for (name, content) in FILES.iter().zip(&contents) {
        fs::write(folder().join(name), content).expect("writes");
        readme.push_str(&format!("| `{name}` | {} | `{}` |\n", content.len(), sha256::hex(content)));
    }
    fs::write(folder().join("README.md"), readme).expect("writes");
}

mod sha256 {
    use sha2::{Digest as _, Sha256};

    pub(super) fn hex(bytes: &[u8]) -> String {
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
