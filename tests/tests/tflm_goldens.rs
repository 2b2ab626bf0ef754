//! Models of one operator compute what TensorFlow Lite Micro computed: every golden file of `goldens/tflm`, bit for bit.

use niwaki::chip::{self, Chip};
use niwaki::export::read::{Port, read};
use niwaki_tests::tflm::{self, folder};
use safetensors::SafeTensors;
use std::{
    collections::HashMap,
    fs,
    io::{self, Write as _},
    path::Path,
};

/// Output elements for random inputs that must be compared for every operator and type.
const ELEMENTS_MIN: usize = 20_000;

/// Inputs of a model that are not random: all lowest, all highest.
const EXTREMES: usize = 2;

/// Golden files whose type core does not have for the operator: import must refuse them by the operator's name.
const NOT_SUPPORTED: &[&str] = &["prelu.int16x8"];

/// The birth certificate.
fn certificate() -> toml::Table {
    let path = folder().join("CERTIFICATE.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().expect("a certificate is TOML")
}

/// One operator in one type, as the certificate has it.
struct Golden {
    file: String,
    operator: String,
    dtype: String,
    random_elements: usize,
    sha256: String,
}

fn goldens() -> Vec<Golden> {
    let certificate = certificate();
    let rows = certificate["golden"].as_array().expect("rows").iter();
    let text = |row: &toml::Value, key: &str| row[key].as_str().expect("text").to_owned();
    rows.map(|row| Golden {
        file: text(row, "file"),
        operator: text(row, "operator"),
        dtype: text(row, "type"),
        random_elements: row["random_elements"].as_integer().expect("a number") as usize,
        sha256: text(row, "sha256"),
    })
    .collect()
}

/// The generator of inputs: s ← s · 6364136223846793005 + 1442695040888963407 modulo 2⁶⁴.
struct Stream(u64);

impl Stream {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0
    }

    /// `len` little-endian elements; floats lie in ±`span` / 2.
    fn elements(&mut self, dtype: &str, len: usize, span: f32) -> Vec<u8> {
        match dtype {
            "i8" => (0..len).map(|_| ((self.next() >> 33) as u8).wrapping_sub(128)).collect(),
            "i16" => (0..len).flat_map(|_| ((self.next() >> 33) as u16).wrapping_sub(32768).to_le_bytes()).collect(),
            "f32" => (0..len)
                .flat_map(|_| (((self.next() >> 40) as f32 / 16_777_216.0 - 0.5) * span).to_le_bytes())
                .collect(),
            other => panic!("no golden model has inputs of {other}"),
        }
    }
}

/// `len` times the lowest element, or the highest.
fn extreme(dtype: &str, highest: bool, len: usize, span: f32) -> Vec<u8> {
    match (dtype, highest) {
        ("i8", false) => i8::MIN.to_le_bytes().repeat(len),
        ("i8", true) => i8::MAX.to_le_bytes().repeat(len),
        ("i16", false) => i16::MIN.to_le_bytes().repeat(len),
        ("i16", true) => i16::MAX.to_le_bytes().repeat(len),
        ("f32", false) => (-span / 2.0).to_le_bytes().repeat(len),
        ("f32", true) => (span / 2.0).to_le_bytes().repeat(len),
        _ => panic!("no golden model has inputs of {dtype}"),
    }
}

/// What tests/oracle/inputs.py makes: `count` inputs, each with all tensors one after the other.
fn inputs(ports: &[Port], seed: u64, span: f32, count: usize) -> Vec<Vec<u8>> {
    let mut samples = vec![Vec::new(); count];
    for (port, seed) in ports.iter().zip(seed..) {
        let (mut stream, len) = (Stream(seed), port.shape.iter().product());
        for (index, sample) in samples.iter_mut().enumerate() {
            sample.extend(match index {
                0 | 1 => extreme(port.dtype, index == 1, len, span),
                _ => stream.elements(port.dtype, len, span),
            });
        }
    }
    samples
}

/// Compares one model; the number of elements of its outputs to random inputs.
fn compare(
    path: &Path,
    metadata: &HashMap<String, String>,
    tensors: &SafeTensors<'_>,
    k: usize,
) -> Result<usize, String> {
    let golden = tensors.tensor(&format!("{k}.outputs")).expect("outputs");
    let (count, elements, element_bytes) = (golden.shape()[0], golden.shape()[1], golden.dtype().bitsize() / 8);
    fs::write(path, tensors.tensor(&format!("{k}.tflite")).expect("a model").data()).expect("writes");
    let model = read(path).map_err(|error| error.to_string())?;
    let number = |key: &str| metadata[&format!("{k}.{key}")].as_str();
    let (seed, span) = (number("seed").parse().expect("a seed"), number("span").parse().expect("a span"));
    let inputs = inputs(&model.description.inputs, seed, span, count);
    let measured = chip::run(Chip::Host, &model.bytes, &inputs, &mut |_| ()).map_err(|error| error.to_string())?;
    let mut differing = 0;
    let mut first = None;
    for (n, (output, golden)) in measured.outputs.iter().zip(golden.data().chunks(elements * element_bytes)).enumerate()
    {
        if output.len() != golden.len() {
            return Err(format!("{} bytes of outputs, {} in the golden file", output.len(), golden.len()));
        }
        for (at, (ours, theirs)) in output.chunks(element_bytes).zip(golden.chunks(element_bytes)).enumerate() {
            if ours != theirs {
                differing += 1;
                first.get_or_insert_with(|| format!("input {n}, element {at}: {ours:?}, golden {theirs:?}"));
            }
        }
    }
    match first {
        Some(first) => Err(format!("{differing} of {} elements differ; {first}", count * elements)),
        None => Ok((count - EXTREMES) * elements),
    }
}

#[test]
fn every_operator_and_type_answers_what_tflite_micro_answered() {
    let scratch = tempfile::tempdir().expect("a folder");
    let mut wrong = Vec::new();
    let mut table = format!("{:<28} {:<8} {:>6} {:>9}\n", "operator", "type", "models", "elements");
    for Golden { file, operator, dtype, random_elements, .. } in goldens() {
        let bytes = fs::read(folder().join(&file)).expect("a golden file");
        let (models, metadata) = tflm::metadata(&bytes).expect("a header");
        let tensors = SafeTensors::deserialize(&bytes).expect("tensors");
        let name = file.trim_end_matches(".safetensors");
        let (mut elements, mut errors) = (0, Vec::new());
        for k in 0..models {
            let path = scratch.path().join(format!("{name}.{k}.tflite"));
            match compare(&path, &metadata, &tensors, k) {
                Err(refused) if NOT_SUPPORTED.contains(&name) => {
                    let known = operator.split(['_']).next().unwrap_or_default().to_uppercase();
                    if !refused.contains(&known) {
                        wrong.push(format!("{name} is refused without {known}: {refused}"));
                    }
                }
                Ok(_) if NOT_SUPPORTED.contains(&name) => wrong.push(format!("{name} is supported now")),
                Ok(compared) => elements += compared,
                Err(error) => errors.push(format!("model {k}: {error}")),
            }
        }
        if NOT_SUPPORTED.contains(&name) {
            table += &format!("{operator:<28} {dtype:<8} refused at import\n");
            continue;
        }
        table += &format!("{operator:<28} {dtype:<8} {models:>6} {elements:>9}\n");
        if let Some(first) = errors.first() {
            wrong.push(format!("{name}: {} of {models} models differ, {first}", errors.len()));
        } else if elements != random_elements || elements < ELEMENTS_MIN {
            wrong.push(format!("{name}: {elements} equal elements, {random_elements} in the certificate"));
        }
    }
    // Not `println!`: the test harness would hide the lines.
    write!(io::stderr(), "{table}").expect("writes");
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_file_has_the_digest_of_its_birth_certificate_and_no_file_lacks_one() {
    let goldens = goldens();
    for golden in &goldens {
        let bytes = fs::read(folder().join(&golden.file)).expect("a golden file");
        assert_eq!(sha256(&bytes), golden.sha256, "{} was changed without tests/oracle/make.py", golden.file);
    }
    let mut files: Vec<String> = fs::read_dir(folder())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name != "CERTIFICATE.toml")
        .collect();
    files.sort_unstable();
    let mut certified: Vec<String> = goldens.into_iter().map(|golden| golden.file).collect();
    certified.sort_unstable();
    assert_eq!(files, certified);
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
