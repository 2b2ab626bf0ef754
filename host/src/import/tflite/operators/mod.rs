//! Operators of a file as nodes of the graph: one row an operator, in the file of its family, with the element types that
//! it runs in.

mod elementwise;
mod movement;
mod weighted;
mod window;

use super::error::Refusal;
use super::names;
use super::network::{Call, Network};
use super::tensors::element::{F32, I8, I16, I32, I64};
use crate::graph::Activation;

/// Adds an operator's nodes to the graph.
type Import = fn(&mut Network<'_>, &Call<'_>) -> Result<(), Refusal>;

/// An operator that can be imported.
struct Row {
    name: &'static str,
    /// The operand whose element type decides whether there is a kernel.
    data: usize,
    /// The types of that operand.
    elements: &'static [i8],
    import: Import,
}

const fn row(name: &'static str, elements: &'static [i8], import: Import) -> Row {
    Row { name, data: 0, elements, import }
}

const ARITHMETIC: &[i8] = &[F32, I8, I16];
const FLOAT_INT8: &[i8] = &[F32, I8];

/// Every operator that can be imported.
fn rows() -> impl Iterator<Item = &'static Row> {
    [weighted::ROWS, elementwise::ROWS, window::ROWS, movement::ROWS].into_iter().flatten()
}

/// Adds the nodes of one operator of the file.
pub(super) fn import(network: &mut Network<'_>, name: &str, call: &Call<'_>) -> Result<(), Refusal> {
    let Some(row) = rows().find(|row| row.name == name) else {
        let known: Vec<&str> = rows().map(|row| row.name).collect();
        let remedy = format!("build the network from {}", known.join(", "));
        return Err(Refusal::new("niwaki has no such operator", remedy));
    };
    let index = call.input(row.data)?;
    let element = network.file(index)?.element;
    if !row.elements.contains(&element) {
        let types: Vec<String> = row.elements.iter().map(|&e| names::element(e)).collect();
        let what = format!("it does not run in {}", names::element(element));
        return Err(Refusal::new(what, format!("convert the network to {}", types.join(" or "))));
    }
    if element == I8 || element == I16 {
        // Codes without a scale have no arithmetic.
        network.file(index)?.activation_type()?;
    }
    (row.import)(network, call)
}

/// The clamp that a file's code stands for.
fn activation(code: i8) -> Result<Activation, Refusal> {
    let name = match code {
        0 => return Ok(Activation::None),
        1 => return Ok(Activation::Relu),
        2 => return Ok(Activation::ReluN1To1),
        3 => return Ok(Activation::Relu6),
        4 => "TANH".to_owned(),
        5 => "SIGN_BIT".to_owned(),
        code => format!("{code}"),
    };
    Err(Refusal::new(format!("the fused activation {name} is not supported"), "make it an operator of its own"))
}

/// The constant indices that operand `i` holds.
fn indices(network: &Network<'_>, call: &Call<'_>, i: usize) -> Result<Vec<i64>, Refusal> {
    let tensor = network.file(call.input(i)?)?;
    if tensor.bytes.is_none() || ![I32, I64].contains(&tensor.element) {
        let what = format!("operand {i} `{}` must be constant int32 or int64", tensor.name);
        return Err(Refusal::new(what, "convert the network with fixed shapes and axes"));
    }
    tensor.indices()
}

/// For an operator whose options are not in the file.
fn no_options() -> Refusal {
    Refusal::damaged("its options are missing")
}

/// A count that must be at least 1.
fn count(what: &str, value: i32) -> Result<usize, Refusal> {
    let count = usize::try_from(value).ok().filter(|&v| (1..=niwaki_core::shape::MAX_DIM).contains(&v));
    count.ok_or_else(|| Refusal::damaged(format!("its {what} is {value}")))
}
