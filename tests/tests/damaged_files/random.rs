//! Random damage, mostly to tables, sealed with a right checksum: what verifies must run.

use crate::models;
use niwaki::export::{AlignedBytes, export};
use niwaki_core::error::SessionError;
use niwaki_core::format::{OPERATOR_BYTES, TENSOR_BYTES};
use niwaki_core::session::{Model, Session, operators};
use niwaki_tests::{edit::Editor, models as networks};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

/// Arenas up to this size are tried; a larger one is refused for want of memory.
const ARENA_MAX: usize = 1 << 18;

/// Damages `file` at random: mostly its tables, where every word means something.
fn mutate(rng: &mut ChaCha8Rng, file: &mut Editor) {
    let mut below = |n: usize| ((u64::from(rng.next_u32()) * n as u64) >> 32) as usize;
    let tables_end = file.header().data_offset as usize;
    for _ in 0..1 + below(3) {
        let end = if below(8) == 0 { file.bytes.len() } else { tables_end };
        let at = below(end);
        let word = at.min(file.bytes.len() - 4) / 4 * 4;
        match below(6) {
            0 => file.bytes[at] ^= 1 << below(8),
            1 => file.bytes[at] = below(256) as u8,
            // A field takes an extreme or a neighbouring value …
            2 => {
                let value = [0, 1, 2, 16, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x7FC0_0000_u32][below(8)];
                file.bytes[word..word + 4].copy_from_slice(&value.to_le_bytes());
            }
            3 => {
                let by = [1, 255, 16, 240][below(4)];
                file.bytes[at] = file.bytes[at].wrapping_add(by);
            }
            // … or that of another field, record or tensor.
            4 => {
                let from = below(tables_end / 4) * 4;
                file.bytes.copy_within(from..from + 4, word);
            }
            _ => {
                let header = file.header();
                let (base, size, count) = match below(2) {
                    0 => (header.tensors_offset, TENSOR_BYTES, usize::from(header.tensor_count)),
                    _ => (header.operators_offset, OPERATOR_BYTES, usize::from(header.operator_count)),
                };
                let field = below(size);
                let [from, to] = [below(count.max(1)), below(count.max(1))].map(|i| base as usize + i * size + field);
                if from < file.bytes.len() && to < file.bytes.len() {
                    file.bytes[to] = file.bytes[from];
                }
            }
        }
    }
    file.seal();
}

/// Runs `file` if it verifies and fits; whether it did.
fn run(file: &AlignedBytes, arena: &mut AlignedBytes) -> bool {
    let Ok(model) = Model::verify(file, operators::ALL) else { return false };
    match Session::new(&model, arena) {
        Ok(mut session) => {
            for index in 0..model.input_count() {
                session.input_bytes_mut(index).fill(0x5A);
            }
            session.run();
            (0..model.output_count()).for_each(|index| assert!(!session.output_bytes(index).is_empty()));
            true
        }
        Err(error) => {
            assert!(matches!(error, SessionError::ArenaTooSmall { needed, .. } if needed > ARENA_MAX), "{error}");
            false
        }
    }
}

#[test]
fn whatever_is_not_refused_runs() {
    const MUTATIONS: usize = 75_000;
    let float = models().float;
    let every = Editor::new(&export(&networks::every_operator().expect("builds")).expect("exports").0);
    let small = networks::quantised(&networks::network("tiny-resnet", &[4, 4, 1], 3, 5).expect("builds"), 6);
    let small = Editor::new(&export(&small.expect("quantises")).expect("exports").0);
    let mut arena = AlignedBytes::zeroed(ARENA_MAX);
    for (seed, (name, whole)) in [("int8", &every), ("f32", &float), ("residual", &small)].into_iter().enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed as u64);
        let mut ran = 0;
        for _ in 0..MUTATIONS {
            let mut file = whole.clone();
            mutate(&mut rng, &mut file);
            ran += usize::from(run(&file.aligned(), &mut arena));
        }
        println!("{name}: {MUTATIONS} damaged files of {} bytes, {ran} still run", whole.bytes.len());
        assert!(ran > MUTATIONS / 100, "{name}: damage this heavy tests only the door");
    }
}
