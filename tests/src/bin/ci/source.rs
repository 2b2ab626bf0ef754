//! What the repository may not contain: unsafe and allocation in core, unknown files at the top level, paths and commands in
//! pages that do not exist.

use crate::citations;
use crate::run::{Context, Outcome, RELEASE, Verdict, output};
use crate::text::{Source, sources};

/// Instruction sets that core has a back end for: its folder in `core/src/kernels`, and the `cfg` that chooses it.
const INSTRUCTION_SETS: &[&str] = &["arm_dsp"];

/// The file of core that chooses the back end.
const CHOICE: &str = "kernels/mod.rs";

/// What else a `cfg` could ask of the processor.
const PROCESSOR: [&str; 2] = ["target_arch", "target_feature"];

/// Lines of core that may name std: file, line, reason.
const STD_LINES: &[(&str, &str, &str)] = &[
    ("real.rs", "extern crate std;", "hosted targets only, for their sqrt"),
    ("lib.rs", "extern crate alloc;", "the suite's"),
];

/// The folder of core that is for tests alone, on chips too, and has an allocator.
const SUITE: &str = "kernels/suite/";

/// Names that bring an allocator or the standard library in.
const ALLOCATING: [&str; 6] = ["extern crate alloc", "extern crate std", "alloc::", "std::", "Box<", "Vec<"];

/// What looks like one of them but is not: a list of fixed capacity.
const LIST: &str = "heapless::Vec<";

/// core: `unsafe` in the folders of instruction sets alone, which one file chooses from; no allocator, no std.
pub(crate) fn core_source(context: &Context) -> Outcome {
    let wrong: Vec<String> = sources(&context.root.join("core/src"))?.iter().flat_map(wrong_in_core).collect();
    if wrong.is_empty() { Ok(Verdict::PASSED) } else { Err(wrong.join("\n")) }
}

/// What a file of core says that it may not.
fn wrong_in_core(source: &Source) -> Vec<String> {
    let path = source.path.to_string_lossy().replace('\\', "/");
    let of_instruction_set = INSTRUCTION_SETS.iter().any(|name| path.starts_with(&format!("kernels/{name}/")));
    let mut wrong = Vec::new();
    for (number, line) in &source.lines {
        let mut refuse = |what: &str| wrong.push(format!("core/src/{path}:{number}: {what}: {line}"));
        let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        if words.contains(&"unsafe") && !of_instruction_set {
            refuse("unsafe outside the folder of an instruction set");
        }
        let asks = |name: &&&str| words.contains(*name);
        let conditional = words.iter().any(|word| matches!(*word, "cfg" | "cfg_attr"));
        if conditional && path != CHOICE && INSTRUCTION_SETS.iter().chain(&PROCESSOR).any(|name| asks(&name)) {
            refuse("an instruction set is asked for outside the choice of the back end");
        }
        let allowed = STD_LINES.iter().any(|(file, text, _)| *file == path && *text == line.trim());
        let others = line.replace(LIST, "");
        if ALLOCATING.iter().any(|name| others.contains(name)) && !allowed && !path.starts_with(SUITE) {
            refuse("std or an allocator in core");
        }
    }
    wrong
}

/// Everything that may stand at the top level besides dot-files.
const TOP_LEVEL: [&str; 12] = [
    "Cargo.toml",
    "Cargo.lock",
    "core",
    "host",
    "firmware",
    "gpu-kernels",
    "tests",
    "README.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "rust-toolchain.toml",
    "rustfmt.toml",
];

/// The top level has exactly what it should, and every manifest inherits the licence.
pub(crate) fn top_level(context: &Context) -> Outcome {
    let entries = std::fs::read_dir(&context.root).map_err(|error| error.to_string())?;
    let names: Vec<String> =
        entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    // Written by cargo and by training runs; git ignores them.
    let left = ["target", "runs"];
    let strange = names
        .iter()
        .filter(|name| !name.starts_with('.') && !TOP_LEVEL.contains(&name.as_str()) && !left.contains(&name.as_str()));
    let mut wrong: Vec<String> = strange.map(|name| format!("{name} does not belong at the top level")).collect();
    let missing = TOP_LEVEL.iter().filter(|name| !names.iter().any(|there| there == *name));
    wrong.extend(missing.map(|name| format!("{name} is missing at the top level")));
    for folder in ["core", "host", "gpu-kernels", "tests", "firmware", "firmware/protocol"] {
        let manifest = context.read(&format!("{folder}/Cargo.toml"))?;
        if !manifest.contains("license.workspace = true") {
            wrong.push(format!("{folder}/Cargo.toml does not inherit the workspace's licence"));
        }
    }
    if wrong.is_empty() { Ok(Verdict::PASSED) } else { Err(wrong.join("\n")) }
}

/// Every path that a page names and every `niwaki` command of README.md exists, and so does all that comments and pages cite.
pub(crate) fn readme(context: &Context) -> Outcome {
    let text = context.read("README.md")?;
    let mut build = context.cargo(&["run", RELEASE, "--quiet", "-p", "niwaki", "--", "--help"]);
    build.env("COLUMNS", "200");
    let help = output(build)?;
    let commands: Vec<&str> = help.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let files = citations::files(context)?;
    let mut wrong = citations::check(&files);
    for (page, text) in files.iter().filter(|(path, _)| path.ends_with(".md")) {
        for path in paths(text).iter().filter(|path| !context.root.join(path).exists()) {
            wrong.push(format!("{page} names `{path}`, which is not there"));
        }
    }
    for command in subcommands(&text) {
        if !commands.contains(&command.as_str()) {
            wrong.push(format!("README.md names `niwaki {command}`, which the program does not have"));
        }
    }
    if wrong.is_empty() { Ok(Verdict::PASSED) } else { Err(wrong.join("\n")) }
}

/// Words of `text` that are paths of this repository.
fn paths(text: &str) -> Vec<String> {
    let words = text.split(|c: char| c.is_whitespace() || "`()[]|,;\"'<>".contains(c));
    let words = words.map(|word| word.trim_end_matches(['.', ':']).split('#').next().unwrap_or_default());
    let ours = |word: &&str| {
        let first = word.split('/').next().unwrap_or_default();
        word.contains('/') && TOP_LEVEL.contains(&first) && !word.contains(['*', '…', '{', '$'])
    };
    words.filter(ours).map(|word| word.trim_end_matches('/').to_owned()).collect()
}

/// Subcommands that code blocks of `text` pass to niwaki, directly or through `cargo run --release --`.
fn subcommands(text: &str) -> Vec<String> {
    let (mut commands, mut code) = (Vec::new(), false);
    for line in text.lines() {
        code ^= line.trim_start().starts_with("```");
        if !code {
            continue;
        }
        let line = line.trim().trim_start_matches("$ ");
        let rest = ["cargo run --release -- ", "niwaki "].iter().find_map(|start| line.strip_prefix(start));
        let command = rest.and_then(|rest| rest.split_whitespace().next());
        commands.extend(command.filter(|word| word.chars().all(|c| c.is_ascii_lowercase())).map(str::to_owned));
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_core_may_not_say_is_seen() {
        let wrong = |path: &str, line: &str| {
            wrong_in_core(&Source { path: path.into(), lines: vec![(1, line.to_owned())] }).len()
        };
        for (path, line) in [
            ("shape.rs", "#[cfg_attr(arm_dsp, inline(never))]"),
            ("kernels/arm_dsp/add.rs", "#[cfg(not(arm_dsp))]"),
            ("num/mod.rs", "#[cfg(target_arch = \"arm\")]"),
            ("kernels/mod.rs", "unsafe { add() }"),
            ("kernels/portable/mod.rs", "use std::vec;"),
        ] {
            assert_eq!(wrong(path, line), 1, "{path}: {line}");
        }
        for (path, line) in [
            ("kernels/mod.rs", "#[cfg(arm_dsp)]"),
            ("kernels/arm_dsp/add.rs", "unsafe { add() }"),
            ("kernels/mod.rs", "pub mod arm_dsp;"),
            ("kernels/mod.rs", "#[cfg(test)]"),
        ] {
            assert_eq!(wrong(path, line), 0, "{path}: {line}");
        }
    }

    #[test]
    fn paths_and_commands_are_found_in_prose_and_in_code() {
        let text = "See `core/src/lib.rs`, [spec](core/SPEC.md#header) and and/or.\n```\n$ cargo run --release -- demo\n\
                    niwaki train host/recipes/a.toml --seed 1\n```\nniwaki is small";
        assert_eq!(paths(text), ["core/src/lib.rs", "core/SPEC.md", "host/recipes/a.toml"]);
        assert_eq!(subcommands(text), ["demo", "train"]);
    }
}
