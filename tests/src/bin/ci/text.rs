//! Rust sources as gates read them: without comments, strings and tests.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A source file, reduced to program text.
pub(crate) struct Source {
    /// Path from the folder that was read.
    pub(crate) path: PathBuf,
    /// Number and text of each line of the program.
    pub(crate) lines: Vec<(usize, String)>,
}

impl Source {
    /// Names of the modules around this file, outermost first.
    pub(crate) fn modules(&self) -> Vec<String> {
        let without = self.path.with_extension("");
        let names = without.iter().map(|name| name.to_string_lossy().into_owned());
        names.filter(|name| name != "mod" && name != "lib").collect()
    }
}

/// Every Rust file below `folder` except tests, in the order of the paths.
pub(crate) fn sources(folder: &Path) -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    walk(folder, Path::new(""), &mut sources)?;
    sources.sort_by(|a: &Source, b: &Source| a.path.cmp(&b.path));
    if sources.is_empty() { Err(format!("{}: no Rust sources", folder.display())) } else { Ok(sources) }
}

fn walk(root: &Path, below: &Path, sources: &mut Vec<Source>) -> Result<(), String> {
    let folder = root.join(below);
    let failed = |error| format!("{}: {error}", folder.display());
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let path = below.join(&name);
        let full = root.join(&path);
        if name == "tests" || name == "tests.rs" {
            continue;
        }
        if full.is_dir() {
            walk(root, &path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&full).map_err(|error| format!("{}: {error}", full.display()))?;
            sources.push(Source { path, lines: program(&text) });
        }
    }
    Ok(())
}

/// The lines of `text` outside comments, strings and items under `#[cfg(test)]`.
fn program(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut numbered = text.lines().enumerate();
    while let Some((index, line)) = numbered.next() {
        if line.trim_start().starts_with("#[cfg(test)]") {
            let indent = line.len() - line.trim_start().len();
            // Up to the item's first line, then, unless that ends it, up to the brace that closes it.
            let first = numbered.find(|(_, line)| !line.trim_start().starts_with("#["));
            if first.is_some_and(|(_, line)| line.trim_end().ends_with('{')) {
                let closes = |line: &str| line.len() == indent + 1 && line.ends_with('}');
                let _ = numbered.find(|(_, line)| closes(line));
            }
            continue;
        }
        let bare = bare(line);
        if !bare.trim().is_empty() {
            lines.push((index + 1, bare));
        }
    }
    lines
}

/// `line` without its comment and with empty strings.
fn bare(line: &str) -> String {
    let mut out = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '/' if !quoted && line[at..].starts_with("//") => break,
            _ if quoted => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_strings_and_tests_are_no_program() {
        let text = "use a; // unsafe\n/// unsafe\n#[cfg(test)]\nmod tests;\nlet s = \"unsafe // \\\" x\";\n\
                    #[cfg(test)]\n#[allow(x)]\nmod tests {\n    unsafe {\n    }\n}\nfn f() {}\n";
        let got: Vec<(usize, String)> = program(text);
        let got: Vec<(usize, &str)> = got.iter().map(|(n, line)| (*n, line.as_str())).collect();
        assert_eq!(got, [(1, "use a; "), (5, "let s = ;"), (12, "fn f() {}")]);
    }
}
