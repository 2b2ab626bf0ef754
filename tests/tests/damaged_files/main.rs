//! Damaged models: every kind of damage is refused by name, and whatever is not refused runs.

mod elementwise;
mod file;
mod memory;
mod movement;
mod nodes;
mod operators;
mod packed;
mod params;
mod random;
mod tensors;

use niwaki::export::{export, query};
use niwaki::io::AlignedBytes;
use niwaki_core::error::{OperatorError as O, PortError, SessionError, VerifyError as E};
use niwaki_core::format::DType;
use niwaki_core::ops as kernels;
use niwaki_core::ops::{Op, OpCode};
use niwaki_core::{Model, Session};
use niwaki_tests::models::nodes::Kind;
use niwaki_tests::{edit::Editor, models, sparse};

/// The models that are damaged.
struct Models {
    /// int8 and sequential.
    cnn: Editor,
    /// int8 with residual additions.
    residual: Editor,
    /// f32 with every operator.
    float: Editor,
    /// int8 with every operator that moves elements.
    moving: Editor,
    /// The same in int16.
    int16: Editor,
    /// int8 with every elementwise operator and reduction.
    codes: Editor,
    /// The same in int16.
    halves: Editor,
    /// int8 with every packing of weights.
    packed: Editor,
    /// A network over a graph whose matrices are stored.
    graph: Editor,
    /// The same for single nodes, everything on demand.
    query: Editor,
    attention: Editor,
    by_degree: Editor,
    pruned: Editor,
}

fn models() -> Models {
    let file = |graph| Editor::new(&export(&graph).expect("exports").0);
    let int8 = |name, input: [usize; 3], classes| {
        file(models::quantised(&models::network(name, &input, classes, 1).expect("builds"), 2).expect("quantises"))
    };
    Models {
        cnn: int8("small-cnn", [8, 8, 1], 10),
        residual: int8("tiny-resnet", [12, 12, 3], 5),
        float: file(models::every_operator_f32().expect("builds")),
        moving: file(models::movement::every_movement(DType::I8).expect("builds")),
        int16: file(models::movement::every_movement(DType::I16).expect("builds")),
        codes: file(models::elementwise::every_elementwise(DType::I8).expect("builds")),
        halves: file(models::elementwise::every_elementwise(DType::I16).expect("builds")),
        packed: Editor::new(&sparse::every_packing().expect("exports")),
        graph: file(nodes::network()),
        query: file(query(&nodes::network(), 2).expect("one row a node")),
        attention: file(nodes::choosing(Kind::Gat)),
        by_degree: file(nodes::choosing(Kind::Gcn)),
        pruned: Editor::new(&nodes::pruned_file()),
    }
}

/// A kind of damage.
struct Damage {
    name: &'static str,
    of: fn(&Models) -> &Editor,
    /// Does the damage and returns the error that must come.
    edit: fn(&mut Editor) -> E,
    /// Part of the message: the field, as SPEC.md calls it.
    says: &'static str,
}

fn cnn(models: &Models) -> &Editor {
    &models.cnn
}

fn residual(models: &Models) -> &Editor {
    &models.residual
}

fn float(models: &Models) -> &Editor {
    &models.float
}

fn moving(models: &Models) -> &Editor {
    &models.moving
}

fn int16(models: &Models) -> &Editor {
    &models.int16
}

fn codes(models: &Models) -> &Editor {
    &models.codes
}

fn halves(models: &Models) -> &Editor {
    &models.halves
}

fn graph(models: &Models) -> &Editor {
    &models.graph
}

fn query_of(models: &Models) -> &Editor {
    &models.query
}

fn attention(models: &Models) -> &Editor {
    &models.attention
}

fn by_degree(models: &Models) -> &Editor {
    &models.by_degree
}

fn pruned(models: &Models) -> &Editor {
    &models.pruned
}

fn packed(models: &Models) -> &Editor {
    &models.packed
}

fn header(field: &'static str, value: u32) -> E {
    E::Header { field, value }
}

fn tensor(tensor: u16, field: &'static str, value: u32) -> E {
    E::Tensor { tensor, field, value }
}

fn operand(operator: u16, error: O) -> E {
    E::Operand { operator, error }
}

/// Sets a parameter of the first operator of a kind.
fn set_param(file: &mut Editor, code: impl Into<OpCode>, index: usize, value: i32) -> u16 {
    let operator = file.find(code);
    file.edit_operator(operator, |record| record.params[index] = value);
    operator
}

/// Operand `index` of the first convolution.
fn conv_operand(file: &Editor, index: usize) -> (u16, u16) {
    let operator = file.find(Op::Conv2d);
    (operator, file.operator(operator).inputs[index])
}

/// Points operand `index` of the first operator of a kind to another tensor.
fn point(file: &mut Editor, code: impl Into<OpCode>, index: usize, tensor: u16) -> u16 {
    let operator = file.find(code);
    file.edit_operator(operator, |record| record.inputs[index] = tensor);
    operator
}

#[test]
fn every_kind_of_damage_is_refused_by_name() {
    let models = models();
    let tables = [
        file::ROWS,
        tensors::ROWS,
        operators::ROWS,
        params::ROWS,
        memory::ROWS,
        movement::ROWS,
        elementwise::ROWS,
        packed::ROWS,
        nodes::ROWS,
    ];
    for row in tables.into_iter().flatten() {
        let mut file = (row.of)(&models).clone();
        assert!(Model::verify(&file.aligned(), kernels::ALL).is_ok());
        let expected = (row.edit)(&mut file);
        file.seal();
        let error = Model::verify(&file.aligned(), kernels::ALL).expect_err(row.name);
        assert_eq!(error, expected, "{}", row.name);
        assert!(error.to_string().contains(row.says), "{}: `{error}` does not say `{}`", row.name, row.says);
    }
}

#[test]
fn any_changed_bit_breaks_the_checksum() {
    let mut file = models().cnn;
    let (stored, middle) = (file.header().checksum, file.bytes.len() / 2);
    file.bytes[middle] ^= 1;
    let error = Model::verify(&file.aligned(), kernels::ALL).expect_err("changed");
    assert!(matches!(error, E::Checksum { stored: s, computed } if s == stored && computed != stored), "{error:?}");
    assert!(error.to_string().starts_with("checksum: the file says"));
}

#[test]
fn a_model_at_no_16_byte_boundary_is_refused() {
    let file = models().cnn;
    let mut shifted = AlignedBytes::zeroed(file.bytes.len() + 8);
    shifted[8..].copy_from_slice(&file.bytes);
    assert_eq!(Model::verify(&shifted[8..], kernels::ALL).expect_err("misaligned"), E::Misaligned);
}

#[test]
fn an_operator_without_a_named_kernel_is_refused() {
    let file = models().cnn;
    let some = [kernels::CONV2D_I8, kernels::MAX_POOL2D_I8];
    let reshape = file.find(Op::Reshape);
    let (code, dtype) = (OpCode::from(Op::Reshape).byte(), DType::I8.code());
    let error = Model::verify(&file.aligned(), &some).map(|_| ()).expect_err("not named");
    assert_eq!(error, E::Unsupported { operator: reshape, code, dtype });
    let swapped = [kernels::MAX_POOL2D_I8, kernels::CONV2D_I8];
    let error = Model::verify(&file.aligned(), &swapped).map(|_| ()).expect_err("not in order");
    assert_eq!(error, E::Operators { position: 1 });
}

#[test]
fn a_port_of_another_type_or_a_frame_of_another_length_is_refused() {
    let file = models().cnn.aligned();
    let model = Model::verify(&file, kernels::ALL).expect("whole");
    let x = model.input::<i8>(0).expect("an int8 input");
    assert_eq!(model.input::<f32>(0), Err(PortError::Type { index: 0, has: "i8", asked: "f32" }));
    assert_eq!(model.output::<i16>(7), Err(PortError::Missing { index: 7, count: model.output_count() }));
    let mut arena = AlignedBytes::zeroed(model.arena_bytes());
    let mut session = Session::new(model, &mut arena).expect("fits");
    let frame = vec![1; x.len() + 1];
    let refused = SessionError::Frame { expected: x.len(), got: x.len() + 1 };
    assert_eq!(session.write(x, &frame), Err(refused));
    assert!(session.input_mut(x).iter().all(|&element| element == 0), "a refused frame changes nothing");
    assert_eq!(session.write(x, &frame[1..]), Ok(()));
    assert!(session.input_mut(x).iter().all(|&element| element == 1));
}

#[test]
fn an_arena_that_is_short_or_misaligned_is_refused() {
    let file = models().cnn.aligned();
    let model = Model::verify(&file, kernels::ALL).expect("whole");
    let needed = model.arena_bytes();
    let mut arena = AlignedBytes::zeroed(needed + 16);
    let short = Session::new(model, &mut arena[..needed - 1]).map(|_| ()).expect_err("short");
    assert_eq!(short, SessionError::ArenaTooSmall { needed, got: needed - 1 });
    let shifted = Session::new(model, &mut arena[4..]).map(|_| ()).expect_err("shifted");
    assert_eq!(shifted, SessionError::ArenaMisaligned);
}
