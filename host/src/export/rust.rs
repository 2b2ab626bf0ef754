//! A model as a Rust module for other firmware: what `niwaki export --rust` writes beside the model's bytes.

use super::read::{Description, ModelFile, Port};
use niwaki_core::format::{Model, Operator, Step};
use niwaki_core::ops;

/// The module's own file in its folder.
pub const MODULE_FILE: &str = "mod.rs";

/// The file beside it with the model's bytes.
pub const MODEL_FILE: &str = "model.niwaki";

/// The constants of `niwaki_core::ops` that a model is made of, by name (`CONV2D_I8` and so on) and in the order that
/// `Model::verify` asks for.
pub fn operator_names(model: &Model<'_>) -> Vec<&'static str> {
    let used = |row: &&Operator| {
        let same = |step: Step<'_>| step.operator.code == row.code && step.operator.dtype == row.dtype;
        (0..model.operator_count()).filter_map(|idx| model.step(idx)).any(same)
    };
    ops::ALL.iter().filter(used).filter_map(Operator::constant_name).collect()
}

/// The text of [`MODULE_FILE`] for a module called `name`, as rustfmt writes it without a configuration.
///
/// The module has the bytes at the boundary that core needs, the operators to link, the size of the arena, and for each
/// input and output its shape, element type and quantisation.
pub fn module(name: &str, file: &ModelFile) -> String {
    let Description { arena_bytes, file_bytes, macs, operators, inputs, outputs, .. } = &file.description;
    // A file that was read was verified.
    let names = Model::verify(&file.bytes, ops::ALL).map_or_else(|_| Vec::new(), |m| operator_names(&m));
    let mut text = format!(
        "//! A network of {} operators and {macs} multiply-accumulates, written by `niwaki export --rust`.\n//!\n",
        operators.len(),
    );
    text += &example(name, inputs.len(), outputs.len());
    text += "\nuse niwaki_core::{Aligned, Operator, ops};\n\n";
    text += &format!(
        "/// The model file, at the boundary that `Model::verify` asks for.\n\
         pub static MODEL: Aligned<[u8; MODEL_BYTES]> = niwaki_core::include_model!(\"{MODEL_FILE}\");\n\n\
         /// Size of [`MODEL`].\n\
         pub const MODEL_BYTES: usize = {file_bytes};\n\n\
         /// What the model is made of; no other operator is linked.\n\
         {}\n\n\
         /// Size of the memory that `Session::new` is lent, all of what the model needs.\n\
         pub const ARENA_BYTES: usize = {arena_bytes};\n",
        operator_list(&names),
    );
    for (kind, ports) in [("input", inputs), ("output", outputs)] {
        for (index, port) in ports.iter().enumerate() {
            text += &port_module(kind, index, ports.len(), port);
        }
    }
    text
}

/// How the module is used, as its documentation.
fn example(name: &str, inputs: usize, outputs: usize) -> String {
    let (input, output) = (port_name("input", 0, inputs), port_name("output", 0, outputs));
    let lines = [
        "```ignore".to_owned(),
        "use niwaki_core::{Aligned, Model, Session};".to_owned(),
        String::new(),
        format!("let mut arena = Aligned([0; {name}::ARENA_BYTES]);"),
        format!("let model = Model::verify(&*{name}::MODEL, {name}::OPERATORS)?;"),
        format!("let x = model.input::<{name}::{input}::Element>(0)?;"),
        format!("let y = model.output::<{name}::{output}::Element>(0)?;"),
        "let mut session = Session::new(model, &mut *arena)?;".to_owned(),
        "session.write(x, &sample)?;".to_owned(),
        "session.run();".to_owned(),
        format!("let scores: &[{name}::{output}::Element] = session.output(y);"),
        "```".to_owned(),
    ];
    lines.iter().map(|line| format!("//! {line}").trim_end().to_owned() + "\n").collect()
}

/// `OPERATORS`, on one line where rustfmt would leave it there.
fn operator_list(names: &[&str]) -> String {
    /// Longest array that stays on one line.
    const ARRAY_WIDTH: usize = 60;
    /// Longest line.
    const MAX_WIDTH: usize = 100;
    let names: Vec<String> = names.iter().map(|name| format!("ops::{name}")).collect();
    let inner = names.join(", ");
    let line = format!("pub const OPERATORS: &[Operator] = &[{inner}];");
    if inner.len() <= ARRAY_WIDTH && line.len() <= MAX_WIDTH {
        return line;
    }
    let rows: String = names.iter().map(|name| format!("    {name},\n")).collect();
    format!("pub const OPERATORS: &[Operator] = &[\n{rows}];")
}

/// The module of one of `count` inputs or outputs: `input`, or `input_1` where there are several.
fn port_name(kind: &str, index: usize, count: usize) -> String {
    if count == 1 { kind.to_owned() } else { format!("{kind}_{index}") }
}

fn port_module(kind: &str, index: usize, count: usize, port: &Port) -> String {
    let rank = port.shape.len();
    let axes: Vec<String> = port.shape.iter().map(usize::to_string).collect();
    let (axes, len) = (axes.join(", "), port.shape.iter().product::<usize>());
    let mut text = format!(
        "\n/// {} {index}.\n\
         pub mod {} {{\n    \
             /// Length of each axis, row-major, for one sample.\n    \
             pub const SHAPE: [usize; {rank}] = [{axes}];\n\n    \
             /// Number of elements.\n    \
             pub const LEN: usize = {len};\n\n    \
             /// What the elements are.\n    \
             pub type Element = {};\n",
        if kind == "input" { "Input" } else { "Output" },
        port_name(kind, index, count),
        port.dtype,
    );
    if port.scale > 0.0 {
        text += &format!(
            "\n    /// Real value of one code: real = `SCALE` * (code - `ZERO_POINT`).\n    \
                 pub const SCALE: f32 = {:?};\n\n    \
                 /// Code of the real value 0.\n    \
                 pub const ZERO_POINT: i32 = {};\n",
            port.scale, port.zero_point,
        );
    }
    text + "}\n"
}
