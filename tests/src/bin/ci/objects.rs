//! Symbols of compiled code: which of them mean that something can panic or allocate.

use object::{Object as _, ObjectSymbol as _, read::archive::ArchiveFile};
use std::{collections::BTreeSet, fs, path::Path};

/// Parts of the names of functions that panic or allocate, mangled or not.
const FORBIDDEN: [&str; 9] = [
    "panic",
    "unwrap_failed",
    "expect_failed",
    "slice_index",
    "index_fail",
    "len_mismatch",
    "__rust_alloc",
    "__rust_dealloc",
    "__rust_realloc",
];

/// Forbidden symbols of an object, an archive or an image, whether defined or only named.
///
/// # Errors
/// The file cannot be read, or has no symbol at all and so proves nothing.
pub(crate) fn forbidden(path: &Path) -> Result<BTreeSet<String>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let bytes = fs::read(path).map_err(|error| failed(&error))?;
    let mut symbols = Vec::new();
    if bytes.starts_with(&object::archive::MAGIC) {
        let archive = ArchiveFile::parse(bytes.as_slice()).map_err(|error| failed(&error))?;
        for member in archive.members() {
            let member = member.map_err(|error| failed(&error))?;
            // The metadata of a Rust library is not an object.
            if member.name().ends_with(b".o") {
                symbols.extend(names(member.data(bytes.as_slice()).map_err(|error| failed(&error))?)?);
            }
        }
    } else {
        symbols = names(&bytes).map_err(|error| failed(&error))?;
    }
    if symbols.is_empty() {
        return Err(failed(&"no symbols"));
    }
    Ok(symbols.into_iter().filter(|name| FORBIDDEN.iter().any(|part| name.contains(part))).collect())
}

fn names(object: &[u8]) -> Result<Vec<String>, String> {
    let file = object::File::parse(object).map_err(|error| error.to_string())?;
    let symbols = file.symbols().filter_map(|symbol| symbol.name().ok());
    Ok(symbols.filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Forbidden symbols of a library of this text.
    fn of(text: &str) -> BTreeSet<String> {
        let folder = tempfile::tempdir().expect("a new folder");
        let source = folder.path().join("lib.rs");
        // Exported; otherwise the compiler would generate it only where it is called.
        let text = text.replace("pub fn f", "#[unsafe(no_mangle)] pub fn f");
        fs::write(&source, format!("#![no_std]\n{text}\n")).expect("writes");
        let mut rustc = Command::new("rustc");
        rustc.args(["--edition=2024", "--crate-type=rlib", "-Copt-level=3", "-Ccodegen-units=1", "--emit=obj"]);
        let status = rustc.arg(&source).arg("-o").arg(folder.path().join("lib.o")).status().expect("rustc runs");
        assert!(status.success());
        forbidden(&folder.path().join("lib.o")).expect("an object")
    }

    #[test]
    fn code_that_can_panic_is_seen_and_code_that_cannot_is_not() {
        let checked = "pub fn f(x: &[u8], i: usize) -> u8 { x.get(i).copied().unwrap_or(0) }";
        assert_eq!(of(checked), BTreeSet::new());
        for panics in [
            "pub fn f(x: &[u8], i: usize) -> u8 { x[i] }",
            "pub fn f(x: &[u8], i: usize) -> &[u8] { &x[i..] }",
            "pub fn f(x: Option<u8>) -> u8 { x.unwrap() }",
            "pub fn f(x: Option<u8>) -> u8 { x.expect(\"there\") }",
            "pub fn f(x: Result<u8, u8>) -> u8 { x.unwrap() }",
            "pub fn f(x: &mut [u8], y: &[u8]) { x.copy_from_slice(y) }",
            "pub fn f(x: u32, y: u32) -> u32 { x / y }",
            "pub fn f(x: &[u8], n: usize) -> usize { x.chunks_exact(n).len() }",
        ] {
            assert!(!of(panics).is_empty(), "{panics}");
        }
        assert!(
            !of("extern crate alloc; pub fn f() -> alloc::boxed::Box<u8> { alloc::boxed::Box::new(1) }").is_empty()
        );
    }
}
