//! The fuzz targets for as long as a test may take: no damaged file makes the importer or a model panic.

use niwaki_tests::fuzz::Target;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// Runs a target on `count` damaged files; returns the share that is accepted all the same.
fn share_of_use(target: Target, count: usize) -> f64 {
    let seeds = target.seeds().expect("seeds");
    assert!(!seeds.is_empty());
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let of_use = (0..count).filter(|_| target.run(&target.damaged(&mut rng, &seeds))).count();
    println!("{target:?}: {} whole files, {count} damaged ones, {of_use} of use all the same", seeds.len());
    of_use as f64 / count as f64
}

#[test]
fn no_damaged_tflite_file_makes_the_importer_panic() {
    assert!(share_of_use(Target::Import, 20_000) > 0.01, "damage this heavy tests only the door");
}

#[test]
fn no_damaged_model_of_any_operator_panics() {
    assert!(share_of_use(Target::Model, 50_000) > 0.01, "damage this heavy tests only the door");
}

#[test]
fn short_and_empty_files_are_refused() {
    for (_, target) in Target::ALL {
        for len in 0..256 {
            assert!(!target.run(&vec![0; len]));
            assert!(!target.run(&vec![255; len]));
        }
    }
}
