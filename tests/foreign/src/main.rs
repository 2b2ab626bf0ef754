//! Reads a model's inputs from standard input and writes its outputs to standard output, both int8.

use foreign::{infer, model};
use std::io::{Error, Read as _, Write as _, stdin, stdout};

fn main() -> Result<(), Error> {
    let mut bytes = Vec::new();
    stdin().read_to_end(&mut bytes)?;
    let codes: Vec<i8> = bytes.into_iter().map(u8::cast_signed).collect();
    for x in codes.chunks(model::input::LEN) {
        let mut y = [0; model::output::LEN];
        if !infer(x, &mut y) {
            return Err(Error::other("the model or an input does not fit"));
        }
        stdout().write_all(&y.map(i8::cast_unsigned))?;
    }
    Ok(())
}
