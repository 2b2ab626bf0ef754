//! One network in two forms, on this machine and on a chip.

use niwaki::chip::{self, Chip, ChipError};
use niwaki::graph::Graph;
use std::io::{self, Write as _};

/// Runs `plain` on this machine and `packed` on `chip`, both made from `graph`, and compares the output of every node;
/// returns how many elements of each were compared. `None`, with a line on the screen, where the emulator is missing.
///
/// # Panics
/// At the first output that differs, with `label` of its node; if a model does not run.
pub fn compared(
    chip: Chip,
    graph: &Graph,
    [plain, packed]: [&[u8]; 2],
    inputs: &[Vec<u8>],
    label: impl Fn(usize) -> String,
) -> Option<Vec<usize>> {
    let want = chip::run(Chip::Host, plain, inputs, &mut |_| ()).expect("runs").outputs;
    let got = match chip::run(chip, packed, inputs, &mut |_| ()) {
        Ok(got) => got.outputs,
        Err(error @ ChipError::Missing { .. }) => {
            // Written directly: the harness would swallow what the macro prints.
            writeln!(io::stderr(), "skipped: {error}").expect("there is somewhere to write to");
            return None;
        }
        Err(error) => panic!("{chip}: {error}"),
    };
    let mut counts = vec![0; graph.nodes.len()];
    for (got, want) in got.iter().zip(&want) {
        let mut at = 0;
        for (n, (node, output)) in graph.nodes.iter().zip(&graph.outputs).enumerate() {
            let part = at..at + graph[*output].element_count();
            assert!(got[part.clone()] == want[part.clone()], "{chip}: {}: {node:?}", label(n));
            counts[n] += part.len();
            at = part.end;
        }
    }
    Some(counts)
}
