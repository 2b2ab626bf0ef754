//! What the repository may not contain: unsafe and allocation in core, unknown files at the top level, paths and commands in
//! pages that do not exist.

use crate::citations;
use crate::run::{Context, Outcome, RELEASE, Verdict, output};
use crate::text::sources;

/// Files of core that may contain `unsafe`: one instruction set each.
const ISA_FILES: &[&str] = &[
    "kernels/arm_dsp/add.rs",
    "kernels/arm_dsp/attention.rs",
    "kernels/arm_dsp/blocks.rs",
    "kernels/arm_dsp/codebook.rs",
    "kernels/arm_dsp/compressed.rs",
    "kernels/arm_dsp/depthwise_conv2d_tiled.rs",
    "kernels/arm_dsp/int4.rs",
    "kernels/arm_dsp/kept.rs",
    "kernels/arm_dsp/nodes.rs",
    "kernels/arm_dsp/pool2d.rs",
    "kernels/arm_dsp/taps.rs",
    "kernels/arm_dsp/tiled.rs",
];

/// Lines of core that may name std: file, line, reason.
const STD_LINES: &[(&str, &str, &str)] = &[("real.rs", "extern crate std;", "hosted targets only, for their sqrt")];

/// Names that bring an allocator or the standard library in.
const ALLOCATING: [&str; 6] = ["extern crate alloc", "extern crate std", "alloc::", "std::", "Box<", "Vec<"];

/// What looks like one of them but is not: a list of fixed capacity.
const LIST: &str = "heapless::Vec<";

/// core: no `unsafe` outside the instruction-set files, no allocator, no std.
pub(crate) fn core_source(context: &Context) -> Outcome {
    let mut wrong = Vec::new();
    for source in sources(&context.root.join("core/src"))? {
        let path = source.path.to_string_lossy().replace('\\', "/");
        for (number, line) in &source.lines {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            if words.any(|word| word == "unsafe") && !ISA_FILES.contains(&path.as_str()) {
                wrong.push(format!("core/src/{path}:{number}: unsafe outside an instruction-set file: {line}"));
            }
            let allowed = STD_LINES.iter().any(|(file, text, _)| *file == path && *text == line.trim());
            let others = line.replace(LIST, "");
            if ALLOCATING.iter().any(|name| others.contains(name)) && !allowed {
                wrong.push(format!("core/src/{path}:{number}: std or an allocator in core: {line}"));
            }
        }
    }
    if wrong.is_empty() { Ok(Verdict::PASSED) } else { Err(wrong.join("\n")) }
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
    fn paths_and_commands_are_found_in_prose_and_in_code() {
        let text = "See `core/src/lib.rs`, [spec](core/SPEC.md#header) and and/or.\n```\n$ cargo run --release -- demo\n\
                    niwaki train host/recipes/a.toml --seed 1\n```\nniwaki is small";
        assert_eq!(paths(text), ["core/src/lib.rs", "core/SPEC.md", "host/recipes/a.toml"]);
        assert_eq!(subcommands(text), ["demo", "train"]);
    }
}
