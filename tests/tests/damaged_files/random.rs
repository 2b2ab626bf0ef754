//! Random damage, mostly to tables, sealed with a right checksum: what verifies must run.

use crate::models;
use niwaki::export::export;
use niwaki_core::format::DType;
use niwaki_tests::{edit::Editor, fuzz, models as networks};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

#[test]
fn whatever_is_not_refused_runs() {
    const MUTATIONS: usize = 40_000;
    let float = models().float;
    let every = Editor::new(&export(&networks::every_operator().expect("builds")).expect("exports").0);
    let small = networks::quantised(&networks::network("tiny-resnet", &[4, 4, 1], 3, 5).expect("builds"), 6);
    let small = Editor::new(&export(&small.expect("quantises")).expect("exports").0);
    let moving =
        |dtype| Editor::new(&export(&networks::movement::every_movement(dtype).expect("builds")).expect("exports").0);
    let [int8, int16, half] = [DType::I8, DType::I16, DType::F16].map(moving);
    let moving = [("moving int8", &int8), ("moving int16", &int16), ("moving f32 with f16 weights", &half)];
    let files = [("int8", &every), ("f32", &float), ("residual", &small)].into_iter().chain(moving);
    for (seed, (name, whole)) in files.enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed as u64);
        let mut ran = 0;
        for _ in 0..MUTATIONS {
            let mut file = whole.clone();
            fuzz::damage_model(&mut rng, &mut file);
            ran += usize::from(fuzz::model(&file.bytes));
        }
        println!("{name}: {MUTATIONS} damaged files of {} bytes, {ran} still run", whole.bytes.len());
        assert!(ran > MUTATIONS / 100, "{name}: damage this heavy tests only the door");
    }
}
