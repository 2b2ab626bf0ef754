//! The parameter words of an operator are written by what reads them.

use niwaki::io::AlignedBytes;
use niwaki_core::ops::{self, OpCode};
use niwaki_core::{Model, Operator};
use niwaki_tests::fuzz::Target;
use niwaki_tests::models;
use std::collections::BTreeSet;

#[test]
fn every_operator_writes_the_words_that_it_reads() {
    let mut seen = BTreeSet::new();
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens/format-v1.niwaki");
    let mut files = vec![AlignedBytes::from(std::fs::read(golden).expect("is there").as_slice())];
    files.extend(models::reference().expect("exports").into_iter().map(|(_, file)| file));
    let seeds = Target::Model.seeds().expect("exports");
    files.extend(seeds.iter().map(|file| AlignedBytes::from(file.as_slice())));
    for file in files {
        let model = Model::verify(&file, ops::ALL).expect("verifies");
        for index in 0..model.operator_count() {
            let step = model.step(index).expect("an operator");
            let (_, written) = step.describe().expect("was verified");
            let code = OpCode::from_byte(step.record.code).expect("a code");
            assert_eq!(written, step.record.params, "{}", code.name());
            seen.insert((step.record.code, step.record.dtype));
        }
    }
    // These are in larger networks only, which other tests export.
    let elsewhere = [ops::CONV2D_F16, ops::DEPTHWISE_CONV2D_F16, ops::NODE_COMPRESSED_I8].map(|row| row.code);
    let unseen = |row: &&Operator| !seen.contains(&(row.code, row.dtype.code())) && !elsewhere.contains(&row.code);
    let missing: Vec<_> = ops::ALL.iter().filter(unseen).collect();
    assert!(missing.is_empty(), "no model that is exported here has {missing:?}");
}
