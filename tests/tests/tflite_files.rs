//! Files that are no good: import refuses or takes them, and nothing that it takes makes a pass or the exporter panic.

use niwaki::{export::export, graph::Graph, import, simplify::simplify};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use safetensors::SafeTensors;
use std::{fs, path::Path};

/// Damaged files that are tried.
const MUTATIONS: usize = 20_000;

/// A network with a larger activation than this is only imported: whoever runs it needs the memory anyway.
const ELEMENTS_MAX: usize = 1 << 16;

/// A model of every operator and type, from the golden files.
fn models() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens/tflm");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("goldens").map(|entry| entry.expect("an entry").path()).collect();
    files.sort_unstable();
    let model = |path: &std::path::PathBuf| {
        let bytes = fs::read(path).expect("a golden file");
        SafeTensors::deserialize(&bytes).expect("tensors").tensor("0.tflite").expect("a model").data().to_vec()
    };
    files.iter().filter(|path| path.extension().is_some_and(|e| e == "safetensors")).map(model).collect()
}

/// Damages a file at random: single bits, bytes and words that mean something to a reader of offsets.
fn mutate(rng: &mut ChaCha8Rng, bytes: &mut Vec<u8>) {
    let mut below = |n: usize| ((u64::from(rng.next_u32()) * n as u64) >> 32) as usize;
    for _ in 0..1 + below(4) {
        let at = below(bytes.len());
        let word = at.min(bytes.len() - 4) / 4 * 4;
        match below(6) {
            0 => bytes[at] ^= 1 << below(8),
            1 => bytes[at] = below(256) as u8,
            2 => {
                let values = [0, 1, 2, 5, 8, 0x7FFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x7FC0_0000_u32];
                bytes[word..word + 4].copy_from_slice(&values[below(values.len())].to_le_bytes());
            }
            3 => bytes[at] = bytes[at].wrapping_add([1, 255, 4, 252][below(4)]),
            4 => {
                let from = below(bytes.len() / 4) * 4;
                bytes.copy_within(from..from + 4, word);
            }
            _ if below(8) == 0 => bytes.truncate(at.max(8)),
            _ => bytes[word..word + 4].fill(0),
        }
    }
}

/// What `niwaki` does with a file before it runs it; whether it is a model in the end.
fn take(bytes: &[u8]) -> bool {
    let Ok(graph) = import::from_bytes(bytes) else { return false };
    let large = |graph: &Graph| graph.tensors.iter().any(|t| t.element_count() > ELEMENTS_MAX);
    if large(&graph) {
        return false;
    }
    simplify(&graph).is_ok_and(|graph| export(&graph).is_ok())
}

#[test]
fn damaged_files_are_refused_or_taken_but_never_panic() {
    let models = models();
    assert!(models.len() > 40, "{} models", models.len());
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut taken = 0;
    for n in 0..MUTATIONS {
        let mut bytes = models[n % models.len()].clone();
        mutate(&mut rng, &mut bytes);
        taken += usize::from(take(&bytes));
    }
    // Else the damage was always seen at once, and nothing behind the verifier was tried.
    assert!(taken * 10 > MUTATIONS && taken * 10 < MUTATIONS * 9, "{taken} of {MUTATIONS} were taken");
}

#[test]
fn every_prefix_of_a_file_is_refused() {
    let bytes = &models()[0];
    for len in 0..bytes.len() - 16 {
        let _ = take(&bytes[..len]);
    }
}
