//! Every kernel of the back ends of the instruction sets against its definition, on emulated chips.

use niwaki::chip::{Chip, ChipError, compare_kernels};
use std::io::{self, Write as _};

/// A chip without DSP instructions, and those whose architectures have them.
const CHIPS: [Chip; 3] = [Chip::CortexM3, Chip::CortexM4, Chip::CortexM33];

#[test]
fn every_kernel_of_every_back_end_equals_its_definition_on_the_chip() {
    for chip in CHIPS {
        let mut log = Vec::new();
        let compared = match compare_kernels(chip, &mut |step| log.push(format!("{step:?}"))) {
            Ok(compared) => compared,
            Err(error @ ChipError::Missing { .. }) => {
                // Written directly: the harness would swallow what the macro prints.
                writeln!(io::stderr(), "skipped: {error}").expect("there is somewhere to write to");
                continue;
            }
            Err(error) => panic!("{chip}: {error}\n{}", log.join("\n")),
        };
        let wrong: Vec<String> = compared
            .iter()
            .filter_map(|kernel| Some(format!("{}: {}", kernel.kernel, kernel.verdict.as_ref().err()?)))
            .collect();
        assert!(wrong.is_empty(), "{chip}:\n{}", wrong.join("\n"));
        let equal = compared.iter().filter_map(|kernel| kernel.verdict.as_ref().ok());
        let (cases, outputs) =
            equal.fold((0, 0), |(cases, outputs), equal| (cases + equal.cases, outputs + equal.outputs));
        println!("{chip}: {} kernels, {cases} cases, {outputs} outputs are equal", compared.len());
        assert!(compared.len() > 30 && outputs > 300_000, "{chip}: too little was compared");
    }
}
