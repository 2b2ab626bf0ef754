//! Fuzzing: what is done with bytes from anywhere, the files that they begin as, and how these are damaged.
//!
//! The targets of `tests/fuzz`, the program `fuzz` and the normal tests call the same functions.

use crate::edit::Editor;
use crate::{models, sparse, tflm};
use niwaki::export::export;
use niwaki::graph::Graph;
use niwaki::io::AlignedBytes;
use niwaki::{import, simplify::simplify};
use niwaki_core::error::SessionError;
use niwaki_core::format::{DType, OPERATOR_BYTES, TENSOR_BYTES};
use niwaki_core::{Model, Session};
use rand_chacha::{ChaCha8Rng, rand_core::Rng};
use std::error::Error;

/// What is fuzzed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// [`import`]
    Import,
    /// [`model`]
    Model,
}

impl Target {
    /// Every target by name.
    pub const ALL: [(&'static str, Self); 2] = [("import", Self::Import), ("model", Self::Model)];

    /// Runs the target on `bytes`; whether it accepted them. A panic is a bug.
    pub fn run(self, bytes: &[u8]) -> bool {
        match self {
            Self::Import => import(bytes),
            Self::Model => model(bytes),
        }
    }

    /// Whole files to begin with.
    ///
    /// # Errors
    /// A bug in the exporter, or the golden files are not there.
    pub fn seeds(self) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
        match self {
            Self::Import => Ok(tflm::networks()?),
            Self::Model => model_seeds(),
        }
    }

    /// A damaged copy of one of `seeds`.
    pub fn damaged(self, rng: &mut ChaCha8Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
        let (seed, other) = (&seeds[below(rng, seeds.len())], &seeds[below(rng, seeds.len())]);
        match self {
            Self::Import => {
                let mut bytes = seed.clone();
                damage_bytes(rng, &mut bytes, other);
                bytes
            }
            Self::Model => {
                let mut file = Editor::new(seed);
                damage_model(rng, &mut file);
                file.bytes
            }
        }
    }
}

/// Networks of up to so many elements in all tensors are exported after import: larger ones cost memory and show no bug.
const ELEMENTS_MAX: usize = 1 << 20;

/// Arenas up to this size are tried.
pub const ARENA_MAX: usize = 1 << 18;

/// Imports `bytes` as a `.tflite` file, simplifies and exports the network; whether that worked.
///
/// # Panics
/// On a bug.
pub fn import(bytes: &[u8]) -> bool {
    let Ok(graph) = import::tflite::from_bytes(bytes) else { return false };
    small(&graph) && simplify(&graph).is_ok_and(|graph| small(&graph) && export(&graph).is_ok())
}

fn small(graph: &Graph) -> bool {
    let elements = graph.tensors.iter().map(|tensor| tensor.shape.iter().fold(1_usize, |n, &d| n.saturating_mul(d)));
    elements.fold(0, usize::saturating_add) <= ELEMENTS_MAX
}

/// Corrects the checksum of `bytes`, verifies them as a `.niwaki` file and runs the model; whether it could be run.
///
/// # Panics
/// On a bug.
pub fn model(bytes: &[u8]) -> bool {
    let mut file = Editor::new(bytes);
    file.seal();
    let file = file.aligned();
    let Ok(model) = Model::verify(&file, niwaki_core::ops::ALL) else { return false };
    let mut arena = AlignedBytes::zeroed(model.arena_bytes().min(ARENA_MAX));
    match Session::new(model, &mut arena) {
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

/// Small models that together have every operator: of the zoo, and all golden networks that can be exported.
fn model_seeds() -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let small = models::quantised(&models::network("tiny-resnet", &[4, 4, 1], 3, 5)?, 6)?;
    let mut graphs = vec![models::every_operator()?, models::every_operator_f32()?, small];
    for dtype in [DType::I8, DType::I16, DType::F32, DType::F16] {
        graphs.push(models::movement::every_movement(dtype)?);
    }
    for dtype in [DType::I8, DType::I16, DType::F32] {
        graphs.push(models::elementwise::every_elementwise(dtype)?);
    }
    let mut files = models::nodes::every_plan()?;
    graphs.extend(tflm::networks()?.iter().filter_map(|bytes| import::tflite::from_bytes(bytes).ok()));
    files.extend(graphs.iter().filter_map(|graph| Some(export(graph).ok()?.0.to_vec())));
    files.push(sparse::every_packing()?.to_vec());
    Ok(files)
}

fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    ((u64::from(rng.next_u32()) * n as u64) >> 32) as usize
}

/// Values at which sizes, offsets and counts go wrong.
const EXTREMES: [u32; 10] = [0, 1, 2, 16, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x7FC0_0000];

/// Damages a file of words at random, partly with pieces of `other`.
fn damage_bytes(rng: &mut ChaCha8Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..1 + below(rng, 4) {
        let len = bytes.len();
        if len < 8 {
            return;
        }
        let (at, word) = (below(rng, len), below(rng, len / 4 - 1) * 4);
        match below(rng, 9) {
            0 => bytes[at] ^= 1 << below(rng, 8),
            1 => bytes[at] = below(rng, 256) as u8,
            2 => bytes[word..word + 4].copy_from_slice(&EXTREMES[below(rng, EXTREMES.len())].to_le_bytes()),
            // An index or an offset of a table's field moves by one …
            3 => bytes[at] = bytes[at].wrapping_add([1, 255, 4, 252, 2, 254][below(rng, 6)]),
            4 => {
                let value = below(rng, 64) as u16;
                bytes[word..word + 2].copy_from_slice(&value.to_le_bytes());
            }
            // … or becomes that of another field …
            5 => {
                let from = below(rng, len / 4 - 1) * 4;
                bytes.copy_within(from..from + 4, word);
            }
            // … or points to a table somewhere else.
            6 => {
                let to = below(rng, len) as u32;
                bytes[word..word + 4].copy_from_slice(&to.wrapping_sub(word as u32).to_le_bytes());
            }
            7 if below(rng, 4) == 0 => bytes.truncate(at),
            7 => {
                let value = f32::from_bits(rng.next_u32());
                bytes[word..word + 4].copy_from_slice(&value.to_le_bytes());
            }
            _ => {
                let take = (1 + below(rng, 64)).min(len - at).min(other.len());
                let from = below(rng, other.len() - take + 1);
                bytes[at..at + take].copy_from_slice(&other[from..from + take]);
            }
        }
    }
}

/// Damages `file` at random: mostly its tables, where every word means something. The checksum is right afterwards.
pub fn damage_model(rng: &mut ChaCha8Rng, file: &mut Editor) {
    let tables_end = file.header().data_offset as usize;
    for _ in 0..1 + below(rng, 3) {
        let end = if below(rng, 8) == 0 { file.bytes.len() } else { tables_end };
        let at = below(rng, end);
        let word = at.min(file.bytes.len() - 4) / 4 * 4;
        match below(rng, 6) {
            0 => file.bytes[at] ^= 1 << below(rng, 8),
            1 => file.bytes[at] = below(rng, 256) as u8,
            // A field takes an extreme or a neighbouring value …
            2 => {
                file.bytes[word..word + 4].copy_from_slice(&EXTREMES[below(rng, EXTREMES.len())].to_le_bytes());
            }
            3 => file.bytes[at] = file.bytes[at].wrapping_add([1, 255, 16, 240][below(rng, 4)]),
            // … or that of another field, record or tensor.
            4 => {
                let from = below(rng, tables_end / 4) * 4;
                file.bytes.copy_within(from..from + 4, word);
            }
            _ => {
                let header = file.header();
                let (base, size, count) = match below(rng, 2) {
                    0 => (header.tensors_offset, TENSOR_BYTES, usize::from(header.tensor_count)),
                    _ => (header.operators_offset, OPERATOR_BYTES, usize::from(header.operator_count)),
                };
                let field = below(rng, size);
                let mut place = || base as usize + below(rng, count.max(1)) * size + field;
                let (from, to) = (place(), place());
                if from < file.bytes.len() && to < file.bytes.len() {
                    file.bytes[to] = file.bytes[from];
                }
            }
        }
    }
    file.seal();
}
