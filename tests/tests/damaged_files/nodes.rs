//! Damage to graphs, to features and to operators over nodes.

use crate::{Damage, attention, by_degree, graph, operand, point, pruned, query_of, set_param};
use niwaki::graph::Graph;
use niwaki_core::error::{GraphError as G, Operand, OperatorError as O, ShapeError as S, VerifyError as E};
use niwaki_core::format::{DType, NONE};
use niwaki_core::ops::{Layout, Op, OpCode};
use niwaki_tests::edit::{Editor, layer};
use niwaki_tests::models::nodes::{Edges, Kind, Sizes, choosing as build_choosing, network as build, plans};
use niwaki_tests::param;

/// A network over a graph of 9 nodes.
pub(crate) fn network() -> Graph {
    build(Kind::Gcn, Edges::Random, Sizes { nodes: 9, features: 7, hidden: 5, classes: 3 }, 1).expect("builds")
}

/// A network over such a graph by attention, or by degrees, some of whose edges may go.
pub(crate) fn choosing(kind: Kind) -> Graph {
    let sizes = Sizes { nodes: 9, features: 7, hidden: 6, classes: 3 };
    build_choosing(kind, Edges::Random, sizes, 1).expect("builds").1
}

/// A file with weights without their zeros, for 22 features and 16 channels in one block.
pub(crate) fn pruned_file() -> Vec<u8> {
    let sizes = Sizes { nodes: 13, features: 22, hidden: 16, classes: 7 };
    let network = build(Kind::Gcn, Edges::Random, sizes, 1).expect("builds");
    plans(&network).expect("exports").swap_remove(1)
}

/// Writes entry `at` of 16-bit operand `index` of the first operator of a kind; which operator that is, and the entry.
fn set_index(file: &mut Editor, code: impl Into<OpCode>, index: usize, at: usize, value: u16) -> (u16, u16) {
    let operator = file.find(code);
    let tensor = file.operator(operator).inputs[index];
    let bytes = &mut file.data_mut(tensor)[2 * at..2 * at + 2];
    let before = u16::from_le_bytes([bytes[0], bytes[1]]);
    bytes.copy_from_slice(&value.to_le_bytes());
    (operator, before)
}

/// Word `at` of operand `index` of the first operator of a kind.
fn set_word(file: &mut Editor, code: impl Into<OpCode>, index: usize, at: usize, value: i32) -> u16 {
    let operator = file.find(code);
    let tensor = file.operator(operator).inputs[index];
    file.data_mut(tensor)[4 * at..4 * at + 4].copy_from_slice(&value.to_le_bytes());
    operator
}

pub(crate) const ROWS: &[Damage] = &[
    Damage {
        name: "neighbour outside the graph",
        of: graph,
        edit: |f| {
            let (operator, _) = set_index(f, Op::Propagate, 2, 0, 9);
            operand(operator, O::Graph(G::Range { row: 0, index: 9, columns: 9 }))
        },
        says: "row 0 has index 9, but there are 9",
    },
    Damage {
        name: "feature outside the weights",
        of: graph,
        edit: |f| {
            let (operator, _) = set_index(f, Op::SparseDense, 2, 0, 0xFFFF);
            operand(operator, O::Graph(G::Range { row: 0, index: 0xFFFF, columns: 7 }))
        },
        says: "index 65535",
    },
    Damage {
        name: "neighbours that do not rise",
        of: graph,
        edit: |f| {
            let (_, second) = set_index(f, Op::Propagate, 2, 1, 0);
            let (operator, first) = set_index(f, Op::Propagate, 2, 0, second);
            set_index(f, Op::Propagate, 2, 1, first);
            operand(operator, O::Graph(G::Order { row: 0 }))
        },
        says: "indices of row 0 must rise",
    },
    Damage {
        name: "neighbour twice",
        of: graph,
        edit: |f| {
            let (_, first) = set_index(f, Op::Propagate, 2, 0, 0);
            set_index(f, Op::Propagate, 2, 0, first);
            let (operator, _) = set_index(f, Op::Propagate, 2, 1, first);
            operand(operator, O::Graph(G::Order { row: 0 }))
        },
        says: "without doubles",
    },
    Damage {
        name: "first offset 1",
        of: graph,
        edit: |f| {
            let (operator, _) = set_index(f, Op::Propagate, 1, 0, 1);
            operand(operator, O::Graph(G::Offsets { position: 0 }))
        },
        says: "offsets[0]",
    },
    Damage {
        name: "offset that falls",
        of: graph,
        edit: |f| {
            let (operator, _) = set_index(f, Op::SparseDense, 1, 1, 60_000);
            operand(operator, O::Graph(G::Offsets { position: 2 }))
        },
        says: "never fall",
    },
    Damage {
        name: "last offset past the neighbours",
        of: graph,
        edit: |f| {
            let (operator, _) = set_index(f, Op::Propagate, 1, 9, 60_000);
            operand(operator, O::Graph(G::Offsets { position: 9 }))
        },
        says: "end with the number of indices",
    },
    Damage {
        name: "no neighbours where offsets count some",
        of: graph,
        edit: |f| {
            let operator = point(f, Op::Propagate, 2, NONE);
            operand(operator, O::Graph(G::Offsets { position: 9 }))
        },
        says: "offsets[9]",
    },
    Damage {
        name: "an edge in one direction in a graph that claims both",
        of: graph,
        edit: |f| {
            // The last edge of a node goes to one that it has no edge with; the mirror image of the old one comes later.
            let operator = f.find(Op::Propagate);
            let [_, offsets, neighbours, ..] = f.operator(operator).inputs;
            let words = |f: &mut Editor, tensor| -> Vec<u16> {
                f.data_mut(tensor).chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect()
            };
            let (offsets, neighbours) = (words(f, offsets), words(f, neighbours));
            let edge = |from: usize| (from, usize::from(offsets[from + 1]) - 1);
            let movable = |&(from, last): &(usize, usize)| {
                offsets[from] < offsets[from + 1] && (from..8).contains(&usize::from(neighbours[last]))
            };
            let (from, last) = (0..9).map(edge).find(movable).expect("an edge that is not to node 8");
            let to = neighbours[last] + 1;
            set_index(f, Op::Propagate, 2, last, to);
            operand(operator, O::Graph(G::Asymmetric { from, to: to.into() }))
        },
        says: "is there, ",
    },
    Damage {
        name: "claim that is neither",
        of: graph,
        edit: |f| {
            let operator = set_param(f, Op::Propagate, param::SYMMETRIC, 2);
            operand(operator, O::Param { name: "symmetric", value: 2 })
        },
        says: "symmetric = 2",
    },
    Damage {
        name: "gathering of no kind",
        of: graph,
        edit: |f| {
            let operator = set_param(f, Op::Propagate, param::GATHERING, 7);
            operand(operator, O::Param { name: "gathering", value: 7 })
        },
        says: "gathering = 7",
    },
    Damage {
        name: "fraction bits 16",
        of: graph,
        edit: |f| {
            let operator = set_param(f, Op::Propagate, param::FRACTION_BITS, 16);
            operand(operator, O::Param { name: "fraction_bits", value: 16 })
        },
        says: "fraction_bits = 16",
    },
    Damage {
        name: "own weight that makes sums too large",
        of: graph,
        edit: |f| {
            let operator = set_param(f, Op::Propagate, param::OWN_WEIGHT, i32::MIN);
            operand(operator, O::Param { name: "largest sum", value: i32::MAX })
        },
        says: "largest sum",
    },
    Damage {
        name: "bias that makes sums too large",
        of: graph,
        edit: |f| {
            let operator = set_word(f, Op::NodeDense, 2, 0, i32::MIN);
            operand(operator, O::Param { name: "largest sum", value: i32::MAX })
        },
        says: "largest sum",
    },
    Damage {
        name: "negative mantissa in a table",
        of: graph,
        edit: |f| {
            let operator = set_word(f, Op::SparseDense, 3, 5, -1);
            operand(operator, O::Param { name: "multiplier", value: word(f, operator, 3, 10) })
        },
        says: "multiplier",
    },
    Damage {
        name: "shift 31 in a table",
        of: graph,
        edit: |f| {
            let operator = set_word(f, Op::Propagate, 3, 10, 31);
            operand(operator, O::Param { name: "multiplier", value: 31 })
        },
        says: "multiplier = 31",
    },
    Damage {
        name: "table for other channels",
        of: graph,
        edit: |f| {
            let table = f.operator(f.find(Op::NodeDense)).inputs[2];
            let operator = point(f, Op::Propagate, 3, table);
            operand(operator, O::Shape(S::Len { operand: "table", expected: 15, got: 9 }))
        },
        says: "table has 9 elements, expected 15",
    },
    Damage {
        name: "factors for other nodes",
        of: graph,
        edit: |f| {
            let offsets = f.operator(f.find(Op::Propagate)).inputs[1];
            let operator = point(f, Op::Propagate, 4, offsets);
            operand(operator, O::Shape(S::Len { operand: "factors", expected: 9, got: 10 }))
        },
        says: "factors has 10 elements, expected 9",
    },
    Damage {
        name: "matrix without channels",
        of: graph,
        edit: |f| {
            let operator = f.find(Op::Propagate);
            let output = f.operator(operator).output;
            f.edit_tensor(output, |t| (t.rank, t.dims) = (1, [45, 1, 1, 1]));
            operand(operator, O::Activation { operand: Operand::Output, expected: "[nodes, .., channels]" })
        },
        says: "the output must be [nodes, .., channels]",
    },
    Damage {
        name: "working memory too short for rows on demand",
        of: query_of,
        edit: |f| {
            let operator = f.find(Op::Gather);
            let scratch = f.operator(operator).scratch_bytes;
            f.edit_operator(operator, |record| record.scratch_bytes -= 4);
            let (expected, got) = (scratch as usize, scratch as usize - 4);
            operand(operator, O::Shape(S::Len { operand: "scratch", expected, got }))
        },
        says: "scratch has",
    },
    Damage {
        name: "numbers of rows that are no integers",
        of: query_of,
        edit: |f| {
            let input = f.operator(f.find(Op::Gather)).inputs[1];
            f.edit_tensor(input, |t| t.dtype = DType::F32.code());
            operand(f.find(Op::Gather), O::Activation { operand: Operand::Input(1), expected: "i32" })
        },
        says: "operand 1 must be i32",
    },
    Damage {
        name: "tensor on demand with a place",
        of: query_of,
        edit: |f| {
            let tensor = f.operator(f.find(Op::Propagate)).output;
            f.edit_tensor(tensor, |t| t.offset = 16);
            crate::tensor(tensor, "offset", 16)
        },
        says: "offset = 16",
    },
    Damage {
        name: "output of the model on demand",
        of: query_of,
        edit: |f| {
            let tensor = f.operator(f.find(Op::Gather)).output;
            f.edit_tensor(tensor, |t| (t.place, t.offset) = (2, 0));
            E::Io { field: "outputs", index: 0, tensor: tensor.into() }
        },
        says: "outputs[0]",
    },
    Damage {
        name: "an operator that reads rows on demand which it makes itself",
        of: query_of,
        edit: |f| {
            let operator = f.find(Op::Propagate);
            f.edit_operator(operator, |record| record.inputs[0] = record.output);
            operand(operator, O::Missing { operand: Operand::Input(0) })
        },
        says: "operand 0 is missing",
    },
    Damage {
        name: "ranks for other edges",
        of: attention,
        edit: |f| {
            let operator = f.find(Op::KeepEdges);
            let bits = f.operator(operator).output;
            let offsets = f.operator(f.find(Op::Attend)).inputs[1];
            point(f, Op::KeepEdges, 1, offsets);
            let got = f.tensor(bits).bytes as usize;
            operand(operator, O::Shape(S::Len { operand: "bits", expected: 2, got }))
        },
        says: "bits has",
    },
    Damage {
        name: "which edges count, of type i32",
        of: attention,
        edit: |f| {
            let drop = f.operator(f.find(Op::KeepEdges)).inputs[0];
            let operator = point(f, Op::Attend, 5, drop);
            operand(operator, O::Activation { operand: Operand::Input(5), expected: "i8" })
        },
        says: "operand 5 must be i8",
    },
    Damage {
        name: "constant bits of edges that count",
        of: attention,
        edit: |f| {
            let vectors = f.operator(f.find(Op::Attend)).inputs[4];
            let operator = point(f, Op::Attend, 5, vectors);
            operand(operator, O::Activation { operand: Operand::Input(5), expected: "in the arena" })
        },
        says: "operand 5 must be in the arena",
    },
    Damage {
        name: "heads that do not divide the channels",
        of: attention,
        edit: |f| {
            let operator = set_param(f, Op::Attend, param::HEADS, 4);
            operand(operator, O::Shape(S::Len { operand: "table", expected: 34, got: 30 }))
        },
        says: "table has 30 elements, expected 34",
    },
    Damage {
        name: "negative number of heads",
        of: attention,
        edit: |f| {
            let operator = set_param(f, Op::Attend, param::HEADS, -1);
            operand(operator, O::Param { name: "heads", value: -1 })
        },
        says: "heads = -1",
    },
    Damage {
        name: "shift 31 of a head",
        of: attention,
        edit: |f| {
            let operator = set_word(f, Op::Attend, 3, 3 * 6 + 3, 31);
            operand(operator, O::Param { name: "multiplier", value: 31 })
        },
        says: "multiplier = 31",
    },
    Damage {
        name: "vectors for other channels",
        of: attention,
        edit: |f| {
            let weights = f.operator(f.find(Op::NodeDense)).inputs[1];
            let operator = point(f, Op::Attend, 4, weights);
            operand(operator, O::Shape(S::Len { operand: "vectors", expected: 12, got: 18 }))
        },
        says: "vectors has 18 elements, expected 12",
    },
    Damage {
        name: "a self loop where the node counts anyway",
        of: attention,
        edit: |f| {
            let (operator, _) = set_index(f, Op::Attend, 2, 0, 0);
            f.edit_operator(operator, |record| record.params[param::SYMMETRIC] = 0);
            operand(operator, O::Activation { operand: Operand::Input(2), expected: "neighbours without self loops" })
        },
        says: "without self loops",
    },
    Damage {
        name: "factors for fewer degrees than there are",
        of: by_degree,
        edit: |f| {
            let operator = f.find(Op::PropagateByDegree);
            let expected = f.tensor(f.operator(operator).inputs[4]).bytes as usize / 2;
            point(f, Op::PropagateByDegree, 4, NONE);
            operand(operator, O::Shape(S::Len { operand: "factors by degree", expected, got: 0 }))
        },
        says: "factors by degree has 0 elements",
    },
    Damage {
        name: "bits of edges written over before they are read",
        of: by_degree,
        edit: |f| {
            let operator = f.find(Op::KeepEdges);
            let (drop, bits) = (f.operator(operator).inputs[0], f.operator(operator).output);
            let place = f.tensor(drop).offset;
            f.edit_tensor(bits, |t| t.offset = place);
            E::Overlap { operator, tensor: drop, writes: bits }
        },
        says: "",
    },
    Damage {
        name: "sparse weights in a channel that is not there",
        of: pruned,
        edit: |f| {
            let at = 2 * 11 + 1;
            let (operator, _) = set_index(f, layer(Op::SparseDense, Layout::Compressed), 0, at, 0x01F0);
            operand(operator, O::Graph(G::Range { row: first_row(f), index: 0xF0, columns: 16 }))
        },
        says: "index 240",
    },
    Damage {
        name: "sparse weights whose offsets fall",
        of: pruned,
        edit: |f| {
            let (operator, _) = set_index(f, layer(Op::SparseDense, Layout::Compressed), 0, 2, 60_000);
            operand(operator, O::Graph(G::Offsets { position: 3 }))
        },
        says: "offsets[3]",
    },
    Damage {
        name: "sparse weights of more features than there are offsets",
        of: pruned,
        edit: |f| {
            let operator = set_param(f, layer(Op::SparseDense, Layout::Compressed), param::FEATURES, 60_000);
            let position = f.tensor(f.operator(operator).inputs[0]).bytes as usize / 2;
            operand(operator, O::Graph(G::Offsets { position }))
        },
        says: "offsets[",
    },
    Damage {
        name: "a negative number of features",
        of: pruned,
        edit: |f| {
            let operator = set_param(f, layer(Op::SparseDense, Layout::Compressed), param::FEATURES, -1);
            operand(operator, O::Param { name: "features", value: -1 })
        },
        says: "features = -1",
    },
    Damage {
        name: "weights on demand",
        of: query_of,
        edit: |f| {
            let operator = f.find(Op::NodeDense);
            let rows = f.operator(operator).inputs[0];
            f.edit_operator(operator, |record| record.inputs[1] = rows);
            E::Operator { operator, field: "inputs", value: rows.into() }
        },
        says: "inputs = ",
    },
];

/// The first row of the sparse weights of the first operator that has an entry.
fn first_row(file: &mut Editor) -> usize {
    let packed = file.operator(file.find(layer(Op::SparseDense, Layout::Compressed))).inputs[0];
    file.data_mut(packed).chunks_exact(2).take_while(|offset| **offset == [0, 0]).count() - 1
}

/// Word `at` of operand `index` of an operator.
fn word(file: &mut Editor, operator: u16, index: usize, at: usize) -> i32 {
    let tensor = file.operator(operator).inputs[index];
    let bytes = &file.data_mut(tensor)[4 * at..4 * at + 4];
    i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}
