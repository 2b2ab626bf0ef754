//! The parameter words of an operator are written by what reads them.

use niwaki::io::AlignedBytes;
use niwaki_core::Model;
use niwaki_core::ops::{self, OpCode};
use niwaki_tests::fuzz::Target;
use std::collections::BTreeSet;

#[test]
fn every_operator_writes_the_words_that_it_reads() {
    let mut seen = BTreeSet::new();
    for file in Target::Model.seeds().expect("exports") {
        let file = AlignedBytes::from(file.as_slice());
        let model = Model::verify(&file, ops::ALL).expect("verifies");
        for index in 0..model.operator_count() {
            let step = model.step(index).expect("an operator");
            let (_, written) = step.describe().expect("was verified");
            let code = OpCode::from_byte(step.record.code).expect("a code");
            assert_eq!(written, step.record.params, "{}", code.name());
            seen.insert((step.record.code, step.record.dtype));
        }
    }
    let missing: Vec<_> = ops::ALL.iter().filter(|row| !seen.contains(&(row.code, row.dtype.code()))).collect();
    assert!(missing.is_empty(), "no model that is exported here has {missing:?}");
}
