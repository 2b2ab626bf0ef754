//! Networks over graphs: every way of storing their rows, every node on its own, and every chip give the same bytes.

use niwaki::chip::{self, Chip, ChipError};
use niwaki::export::query;
use niwaki::graph::Graph;
use niwaki::io::AlignedBytes;
use niwaki_core::{Model, Session};
use niwaki_tests::models::nodes::{Edges, Kind, Sizes, choosing, network, plans};
use std::io::{self, Write as _};

const SIZES: [Sizes; 3] = [
    Sizes { nodes: 1, features: 1, hidden: 1, classes: 1 },
    Sizes { nodes: 13, features: 11, hidden: 16, classes: 7 },
    Sizes { nodes: 40, features: 30, hidden: 37, classes: 18 },
];

/// The output of the whole graph by the reference kernels, and the bytes of one node.
fn reference(network: &Graph) -> (Vec<u8>, usize) {
    let values = network.evaluate(&[]).expect("evaluates");
    let output = network.outputs[0];
    let bytes = values[output.0].as_ref().expect("written").to_bytes();
    let row = bytes.len() / network[output].shape[0];
    (bytes, row)
}

fn run(file: &[u8], inputs: &[&[u8]]) -> Vec<u8> {
    let file = AlignedBytes::from(file);
    let model = Model::verify(&file, niwaki_core::ops::ALL).expect("the exporter verified it");
    let mut arena = AlignedBytes::zeroed(model.arena_bytes());
    let mut session = Session::new(model, &mut arena).expect("the arena is large enough");
    // What an earlier run left in the arena must not matter.
    for _ in 0..2 {
        inputs.iter().enumerate().for_each(|(at, input)| session.input_bytes_mut(at).copy_from_slice(input));
        session.run();
    }
    session.output_bytes(0).to_vec()
}

#[test]
fn every_plan_computes_exactly_the_quantised_network() {
    let mut several = 0;
    for (seed, kind) in (0..).zip(Kind::ALL) {
        for (edges, sizes) in Edges::ALL.into_iter().flat_map(|edges| SIZES.map(|sizes| (edges, sizes))) {
            let network = network(kind, edges, sizes, seed).expect("builds");
            let (want, row) = reference(&network);
            let files = plans(&network).expect("exports");
            several += usize::from(files.len() > 1);
            for file in &files {
                assert_eq!(run(file, &[&[0; 4]]), want, "{kind:?} {edges:?} {sizes:?}");
            }
            for file in plans(&query(&network, 3).expect("one row a node")).expect("exports") {
                let last = sizes.nodes - 1;
                // A number outside the graph counts as the first or the last node.
                for (asked, answered) in
                    [([0_i32, last as i32, 5], [0, last, 5.min(last)]), ([-1, i32::MIN, i32::MAX], [0, 0, last])]
                {
                    let rows = answered.map(|node| want[node * row..(node + 1) * row].to_vec()).concat();
                    let asked: Vec<u8> = asked.iter().flat_map(|node| node.to_le_bytes()).collect();
                    assert_eq!(run(&file, &[&asked]), rows, "{kind:?} {edges:?} {sizes:?}");
                }
            }
        }
    }
    assert!(several > 20, "there is a choice");
}

#[test]
fn every_plan_leaves_out_as_many_edges_as_it_is_told() {
    for (seed, kind) in (3..).zip(Kind::ALL) {
        for (edges, sizes) in
            [Edges::Random, Edges::OneWay].into_iter().flat_map(|e| SIZES[1..].iter().map(move |s| (e, *s)))
        {
            let (_, network, all) = choosing(kind, edges, sizes, seed).expect("builds");
            let (files, single) = (plans(&network), plans(&query(&network, 1).expect("one row a node")));
            let (files, single) = (files.expect("exports"), single.expect("exports"));
            let mut answers = Vec::new();
            for drop in [0, 1, all / 2, all, all + 5] {
                let values = network.evaluate(&[drop as f32]).expect("evaluates");
                let want = values[network.outputs[0].0].as_ref().expect("written").to_bytes();
                let input = (drop as i32).to_le_bytes();
                for file in &files {
                    assert_eq!(run(file, &[&input]), want, "{kind:?} {edges:?} {sizes:?} {drop}");
                }
                let row = want.len() / sizes.nodes;
                for file in &single {
                    assert_eq!(run(file, &[&input, &3_i32.to_le_bytes()]), want[3 * row..4 * row], "{kind:?} {drop}");
                }
                answers.push(want);
            }
            assert!(answers[0] != answers[2] && answers[2] != answers[3], "{kind:?}: edges matter");
            assert_eq!(answers[3], answers[4], "{kind:?}: more than there are");
        }
    }
}

/// The mean difference of the scores, relative to the largest score.
fn error(float: &Graph, int8: &Graph, x: &[f32]) -> f32 {
    let (f, q) = (float.predict(x).expect("runs"), int8.predict(x).expect("runs"));
    let peak = f.iter().fold(0.0, |peak: f32, f| peak.max(f.abs()));
    f.iter().zip(&q).map(|(f, q)| (f - q).abs()).sum::<f32>() / f.len() as f32 / peak
}

#[test]
fn int8_is_close_to_f32_for_every_kind() {
    const QUANTISING: f32 = 0.02;
    for (seed, kind) in (5..).zip(Kind::ALL) {
        let (float, int8) = niwaki_tests::models::nodes::pair(kind, Edges::Random, SIZES[1], seed).expect("builds");
        let whole = error(&float, &int8, &[]);
        let (float, int8, all) = choosing(kind, Edges::Random, SIZES[1], seed).expect("builds");
        let errors = [0, all / 3, all / 2, all * 3 / 4].map(|drop| error(&float, &int8, &[drop as f32]));
        println!("{kind:?}: {whole}; without some edges {errors:?}");
        assert!(whole <= QUANTISING && errors.iter().all(|error| *error <= QUANTISING), "{kind:?}: {whole} {errors:?}");
    }
}

#[test]
fn every_chip_answers_what_this_machine_answers() {
    // Of each kind the plan that stores most, with all weights and without zeros, the one that stores least, and single nodes.
    let ends = |network: &Graph| {
        let plans = plans(network).expect("exports");
        [plans[0].clone(), plans[1].clone(), plans[plans.len() - 1].clone()]
    };
    let mut files = Vec::new();
    for kind in Kind::ALL {
        let network = network(kind, Edges::Random, SIZES[1], 1).expect("builds");
        files.extend(ends(&network));
        files.push(ends(&query(&network, 2).expect("one row a node"))[0].clone());
        files.extend(ends(&choosing(kind, Edges::Random, SIZES[1], 1).expect("builds").1));
    }
    // A hub with more neighbours than sums of 16 bits can hold.
    let sizes = Sizes { nodes: 300, features: 60, hidden: 21, classes: 7 };
    files.extend(ends(&network(Kind::Gcn, Edges::OneWay, sizes, 9).expect("builds")));
    for file in files {
        let model_file = AlignedBytes::from(file.as_slice());
        let model = Model::verify(&model_file, niwaki_core::ops::ALL).expect("the exporter verified it");
        let bytes = model.input_tensor(0).and_then(|tensor| model.tensor(tensor)).expect("has an input").bytes;
        let inputs: Vec<Vec<u8>> =
            (0..2).map(|k| (0..bytes).map(|at| if at % 4 == 0 { k + 3 } else { 0 }).collect()).collect();
        let here = chip::run(Chip::Host, &file, &inputs, &mut |_| ()).expect("runs");
        for chip in [Chip::CortexM3, Chip::CortexM4] {
            match chip::run(chip, &file, &inputs, &mut |_| ()) {
                Ok(there) => assert_eq!(there.outputs, here.outputs, "{chip}"),
                Err(error @ ChipError::Missing { .. }) => {
                    writeln!(io::stderr(), "skipped: {error}").unwrap();
                    return;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}
