//! Dependencies point one way: between crates by their manifests, inside core and host by what modules name.

use crate::circles::{Reasons, circles};
use crate::run::{Context, Outcome, Verdict};
use crate::text::{Source, sources};
use std::collections::BTreeSet;

/// Each manifest with the packages of this repository that it may depend on.
const MANIFESTS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("gpu-kernels", &["niwaki-core"]),
    ("host", &["niwaki-core", "niwaki-kernels", "niwaki-protocol"]),
    ("tests", &["niwaki-core", "niwaki-kernels", "niwaki-protocol", "niwaki"]),
    ("firmware", &["niwaki-core", "niwaki-protocol"]),
    ("firmware/footprint", &["niwaki-core", "niwaki-firmware"]),
    ("firmware/selftest", &["niwaki-core", "niwaki-firmware"]),
    ("firmware/protocol", &[]),
];

type Modules = [(&'static str, &'static [&'static str])];

/// Each module of core with the modules that it may name: `error ← num ← shape ← kernels ← format ← ops ← session`, and
/// the training side beside the kernels.
const CORE: &Modules = &[
    ("error", &[]),
    ("num", &["error"]),
    ("real", &[]),
    ("shape", &["error", "num"]),
    ("kernels", &["error", "num", "shape", "graph"]),
    ("format", &["error", "num", "shape", "kernels"]),
    ("ops", &["error", "num", "shape", "graph", "kernels", "format"]),
    ("session", &["error", "format"]),
    ("prox", &["error", "real"]),
    ("optim", &["error", "real"]),
    ("schedule", &[]),
    ("graph", &["error", "real"]),
    ("select", &["real"]),
    ("teddy", &["error", "real", "select", "graph"]),
    ("learn", &["error", "real", "graph"]),
];

/// The modules of host in their order: each may name those before it.
const HOST: &[&str] = &[
    "io", "hardware", "data", "ops", "graph", "zoo", "import", "simplify", "plan", "engine", "quantize", "sparsify",
    "export", "recipe", "train", "tune", "chip", "report", "pipeline", "cli",
];

/// Circles of core's files.
const CORE_CIRCLES: Reasons = &[
    (
        "format/model.rs",
        &["format/operator.rs", "format/step.rs", "format/verify.rs"],
        "a model is verified when it is opened, and hands out its steps",
    ),
    ("format/operator.rs", &["format/step.rs"], "a row of the table reads a step, which knows its row"),
    (
        "kernels/inner_loops.rs",
        &[
            "kernels/portable/mod.rs",
            "kernels/tiles/blocks.rs",
            "kernels/tiles/codebook.rs",
            "kernels/tiles/depthwise_drive.rs",
            "kernels/tiles/drive.rs",
            "kernels/tiles/int4.rs",
            "kernels/tiles/kept.rs",
            "kernels/tiles/packed.rs",
            "kernels/tiles/taps.rs",
        ],
        "the traits of inner loops name the records that they walk over",
    ),
    ("kernels/tiles/inner_loops.rs", &["kernels/tiles/drive.rs"], "the same for packed weights"),
    (
        "kernels/tiles/packed.rs",
        &["kernels/tiles/inner_loops.rs"],
        "a packed layer names the inner loops that it is run by",
    ),
    (
        "kernels/portable/mod.rs",
        &["kernels/back_end.rs"],
        "the portable back end is a type of the trait that it is the default of",
    ),
    (
        "kernels/nodes/chain.rs",
        &["kernels/nodes/rows.rs", "kernels/nodes/weighted_row.rs"],
        "a row is computed from rows that the chain computes on demand",
    ),
    (
        "kernels/tiles/windows.rs",
        &["kernels/tiles/drive.rs"],
        "a window is gathered as the rows that the loop over tiles takes",
    ),
];

/// Circles of host's files.
const HOST_CIRCLES: Reasons = &[
    (
        "ops/lowered.rs",
        &[
            "ops/moved.rs",
            "ops/operands.rs",
            "ops/pool2d.rs",
            "ops/reduce.rs",
            "ops/rows/mod.rs",
            "ops/softmax.rs",
            "ops/weighted.rs",
        ],
        "what an operator is lowered to is one enum over the families, which lower to it",
    ),
    ("quantize/codes.rs", &["quantize/scheme.rs"], "codes are those of a scheme, which makes them"),
    ("export/tiles.rs", &["export/layout.rs"], "tiles are one of the layouts that a layer is packed in"),
    ("engine/buffers.rs", &["engine/plan.rs"], "places of buffers follow from the steps of a plan, which holds them"),
    ("engine/distill.rs", &["engine/lane.rs"], "a teacher's answers are part of a batch, and it answers batches"),
    ("train/checkpoint.rs", &["train/qat.rs"], "a checkpoint restores the network that rounds in training"),
];

/// The gate.
pub(crate) fn arrows(context: &Context) -> Outcome {
    let mut wrong = manifests(context)?;
    let before = |k: usize| &HOST[..k];
    let host: Vec<_> = HOST.iter().enumerate().map(|(k, name)| (*name, before(k))).collect();
    for (folder, table, reasons) in [("core/src", CORE, CORE_CIRCLES), ("host/src", &host, HOST_CIRCLES)] {
        let sources = sources(&context.root.join(folder))?;
        wrong.extend(sources.iter().flat_map(|source| module_arrows(folder, source, table)));
        wrong.extend(circles(folder, &sources, reasons));
    }
    if wrong.is_empty() { Ok(Verdict::PASSED) } else { Err(wrong.join("\n")) }
}

fn manifests(context: &Context) -> Result<Vec<String>, String> {
    let mut wrong = Vec::new();
    for (folder, allowed) in MANIFESTS {
        let path = format!("{folder}/Cargo.toml");
        let manifest: toml::Table = context.read(&path)?.parse().map_err(|error| format!("{path}: {error}"))?;
        for name in dependencies(&manifest) {
            if name.starts_with("niwaki") && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{path}: may not depend on {name}"));
            }
        }
    }
    Ok(wrong)
}

/// Names of all dependencies of a manifest, those for tests, build scripts and single targets included.
fn dependencies(table: &toml::Table) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (key, value) in table {
        let Some(inner) = value.as_table() else { continue };
        match key.as_str() {
            "dependencies" | "dev-dependencies" | "build-dependencies" => names.extend(inner.keys().cloned()),
            "target" => names.extend(inner.values().filter_map(|value| value.as_table()).flat_map(dependencies)),
            _ => {}
        }
    }
    names
}

fn module_arrows(folder: &str, source: &Source, table: &Modules) -> Vec<String> {
    let modules = source.modules();
    let place = format!("{folder}/{}", source.path.display());
    // The crate's root and the program's `main` may name everything.
    let Some(own) = modules.first().filter(|name| *name != "main") else { return Vec::new() };
    let Some((_, allowed)) = table.iter().find(|(name, _)| name == own) else {
        return vec![format!("{place}: module {own} is not in the table of tests/src/bin/ci/arrows.rs")];
    };
    let mut wrong = Vec::new();
    for (line, named) in named_modules(source, modules.len()) {
        if named != *own && !allowed.contains(&named.as_str()) && table.iter().any(|(name, _)| *name == named) {
            wrong.push(format!("{place}:{line}: {own} may not use {named}"));
        }
    }
    wrong
}

/// Modules at the crate's root that a file names through `crate::…` or as many `super::…` as lead there.
fn named_modules(source: &Source, depth: usize) -> Vec<(usize, String)> {
    let text: String = source.lines.iter().map(|(_, line)| format!("{line}\n")).collect();
    let line_of = |at: usize| source.lines[text[..at].matches('\n').count()].0;
    let mut named = Vec::new();
    for prefix in ["crate::".to_owned(), "super::".repeat(depth)] {
        for (at, _) in text.match_indices(&prefix) {
            named.extend(heads(&text[at + prefix.len()..]).into_iter().map(|name| (line_of(at), name)));
        }
    }
    named
}

/// The first names of a path: `a::b` has `a`, `{a::{b, c}, d}` has `a` and `d`.
fn heads(path: &str) -> Vec<String> {
    let name = |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let Some(list) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut heads, mut depth, mut start) = (Vec::new(), 0, true);
    for (at, c) in list.char_indices() {
        match c {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if start && !c.is_whitespace() => {
                heads.push(name(&list[at..]));
                start = false;
            }
            _ => {}
        }
    }
    heads
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(path: &str, text: &str) -> Vec<String> {
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.to_owned())).collect();
        module_arrows("core/src", &Source { path: path.into(), lines }, CORE)
    }

    #[test]
    fn an_arrow_that_points_back_is_seen_in_every_spelling() {
        let expected = ["core/src/format/model.rs:2: format may not use session"];
        assert_eq!(wrong("format/model.rs", "use crate::kernels::Clamp;\nuse crate::session::Operator;"), expected);
        assert_eq!(wrong("format/model.rs", "\nuse crate::{\n    num::{Rounding, x},\n    session,\n};"), expected);
        assert_eq!(wrong("format/model.rs", "use super::records;\nuse super::super::session::x;"), expected);
        assert_eq!(wrong("format/model.rs", "use crate::format::records;\nuse super::session;"), [""; 0]);
    }

    #[test]
    fn a_module_without_a_row_is_refused() {
        assert!(wrong("helpers.rs", "")[0].contains("not in the table"));
    }
}
