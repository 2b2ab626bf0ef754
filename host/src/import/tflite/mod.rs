//! `.tflite` files (TensorFlow Lite schema version 3) as graphs.
//!
//! The file is not trusted: `schema.rs` lets flatbuffers' verifier
//! follow every offset first, and every index, size and shape is checked where it is used. The graph has no batch
//! axis: a leading axis of 1 is dropped from every tensor of more than one axis, and axis numbers shift with it.
//!
//! What cannot run is refused here, by operator name, position and tensor shapes, with what to do about it.

mod error;
mod names;
mod network;
mod operators;
mod schema;
mod tensors;
#[cfg(test)]
mod tests;

pub use error::Fault;

use crate::graph::Graph;
use error::Refusal;
use network::{Call, Network};
use schema::{Model, Operator};

/// Every `.tflite` file has these bytes at offset 4.
const IDENTIFIER: &[u8] = b"TFL3";

/// The network in the bytes of a `.tflite` file, whatever they are.
///
/// # Errors
/// [`Fault`] names the tensor or operator and the remedy.
pub fn from_bytes(bytes: &[u8]) -> Result<Graph, Fault> {
    if bytes.get(4..8) != Some(IDENTIFIER) {
        return Err(Fault::Format { what: "bytes 4 to 8 are not TFL3".into() });
    }
    let model = schema::model(bytes).map_err(|e| {
        // The trace after the first line names every table on the way.
        Fault::Format { what: e.to_string().lines().next().unwrap_or_default().trim_end_matches('.').to_owned() }
    })?;
    let subgraphs: Vec<_> = model.subgraphs().iter().flatten().collect();
    let &[subgraph] = subgraphs.as_slice() else {
        let name = |n: Option<_>| n.map_or_else(|| "?".into(), |n| tensors::text(n));
        let names: Vec<String> = subgraphs.iter().take(8).map(|s| name(s.name())).collect();
        return Err(Fault::Subgraphs { count: subgraphs.len(), names: names.join(", ") });
    };
    let mut network = Network::with_inputs(&model, &subgraph)?;
    for (index, operator) in subgraph.operators().iter().flatten().enumerate() {
        import_operator(&mut network, &model, index, operator)?;
    }
    network.finish()
}

/// Adds operator `index` of the file.
fn import_operator<'a>(
    network: &mut Network<'a>,
    model: &Model<'a>,
    index: usize,
    operator: Operator<'a>,
) -> Result<(), Fault> {
    let code = operator.fields().opcode_index() as usize;
    let codes = model.operator_codes().filter(|c| code < c.len());
    let Some(code) = codes.map(|c| c.get(code)) else {
        return Err(Fault::Format { what: format!("operator {index} has no operator code") });
    };
    // Codes above 126 do not fit the old field, which then holds 127.
    let builtin = i32::from(code.deprecated_builtin_code()).max(code.builtin_code());
    let name = match (names::operator(builtin), code.custom_code()) {
        (name, Some(custom)) if name == "CUSTOM" => format!("CUSTOM `{}`", tensors::text(custom)),
        (name, _) => name,
    };
    let call = Call {
        inputs: operator.fields().inputs().iter().flatten().collect(),
        outputs: operator.fields().outputs().iter().flatten().collect(),
        operator,
    };
    operators::import(network, &name, &call).map_err(|Refusal { what, remedy }| Fault::Operator {
        index,
        operator: name,
        tensors: network.describe(&call),
        what,
        remedy,
    })
}
