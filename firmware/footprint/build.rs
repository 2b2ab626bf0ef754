//! Names the operators to link: those in `NIWAKI_OPERATORS`, such as `CONV2D_I8,DENSE_I8`, or every one.

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=NIWAKI_OPERATORS");
    let list = match env::var("NIWAKI_OPERATORS") {
        Ok(names) => {
            let named = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if let Some(name) = names.split(',').find(|name| !named(name)) {
                return Err(format!("NIWAKI_OPERATORS: \"{name}\" is no operator").into());
            }
            let operators = names.split(',').map(|name| format!("ops::{name}"));
            format!("&[{}]", operators.collect::<Vec<_>>().join(", "))
        }
        Err(_) => "ops::ALL".to_owned(),
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    fs::write(out.join("operators.rs"), list)?;
    for argument in ["--nmagic", "-Tlink.x", "-Tdefmt.x"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    Ok(())
}
