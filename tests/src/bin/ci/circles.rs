//! Circles of files that name each other: none between folders at the root of a crate, within one only with a reason.
//!
//! A module and those below it count as one place: `mod.rs` may name its children, and they it. A name that `mod.rs` has from
//! a child is an arrow to that child.

use crate::text::Source;
use std::collections::{BTreeMap, BTreeSet};

/// Arrows that close a circle and stay: a file below the crate's `src`, what it names, and why.
pub(crate) type Reasons = &'static [(&'static str, &'static [&'static str], &'static str)];

/// Modules by their path in the crate.
type Files<'a> = BTreeMap<Vec<String>, &'a Source>;

/// Each file with those that it names.
type Arrows = BTreeMap<String, BTreeSet<String>>;

/// What is wrong with the circles of a crate, whose folder is `folder`.
pub(crate) fn circles(folder: &str, sources: &[Source], reasons: Reasons) -> Vec<String> {
    let files: Files<'_> = sources.iter().map(|source| (source.modules(), source)).collect();
    let name = |module: &Vec<String>| files[module].path.to_string_lossy().into_owned();
    let to = |module, source| arrows(module, source, &files).iter().map(name).collect();
    let mut arrows: Arrows = files.iter().map(|(module, source)| (name(module), to(module, source))).collect();
    let room = |file: &str| file.split(['/', '.']).next().map(str::to_owned);
    let mut wrong = Vec::new();
    let all = found(&arrows);
    for &(from, to, _) in reasons {
        for &to in to {
            let closes = all.iter().any(|circle| circle.contains(from) && circle.contains(to));
            let there = arrows.get_mut(from).is_some_and(|named| named.remove(to));
            if !(closes && there) {
                wrong.push(format!("{folder}: {from} to {to} is listed, and closes no circle"));
            } else if room(from) != room(to) {
                wrong.push(format!("{folder}: {from} and {to} name each other, across folders"));
            }
        }
    }
    for circle in found(&arrows) {
        let inside =
            |file: &String| arrows[file].intersection(&circle).map(String::as_str).collect::<Vec<_>>().join(", ");
        let around: Vec<String> = circle.iter().map(|file| format!("\n  {file} to {}", inside(file))).collect();
        wrong.push(format!("{folder}: files name each other:{}", around.concat()));
    }
    wrong
}

/// Every largest set of files that lead to each other.
fn found(arrows: &Arrows) -> BTreeSet<BTreeSet<String>> {
    let reached = |from: &String| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(file) = next.pop() {
            next.extend(arrows[file].iter().filter(|to| seen.insert((*to).clone())));
        }
        seen
    };
    let reach: BTreeMap<&String, BTreeSet<String>> = arrows.keys().map(|file| (file, reached(file))).collect();
    let around = |file: &String| reach[file].iter().filter(|other| reach[*other].contains(file)).cloned().collect();
    arrows.keys().map(around).filter(|circle: &BTreeSet<String>| circle.len() > 1).collect()
}

/// The modules that `source` names, without itself and those around and below it.
fn arrows(module: &[String], source: &Source, files: &Files<'_>) -> BTreeSet<Vec<String>> {
    let resolved = named(module, source).into_iter().filter_map(|path| resolve(&path, files, 8));
    resolved.filter(|to| !to.starts_with(module) && !module.starts_with(to)).collect()
}

/// The module of a path's last name; where that module only passes the name on, the one it has it from.
fn resolve(path: &[String], files: &Files<'_>, steps: usize) -> Option<Vec<String>> {
    let len = (1..=path.len()).rev().find(|&len| files.contains_key(&path[..len]))?;
    let (module, rest) = path.split_at(len);
    let passed_on = rest.first().filter(|_| steps > 0).and_then(|name| {
        let from = used(module, files[module]).into_iter().find(|from| from.last() == Some(name) && from != path)?;
        resolve(&from, files, steps - 1)
    });
    Some(passed_on.unwrap_or_else(|| module.to_vec()))
}

/// Every path from the crate's root that a file names.
fn named(module: &[String], source: &Source) -> Vec<Vec<String>> {
    let text = text(source);
    let mut paths = Vec::new();
    for (at, _) in text.match_indices("crate::").chain(text.match_indices("super::")) {
        let before = &text[..at];
        // `super::super::` is found at its first word; `pub(super)` has no `::`.
        if !before.ends_with("super::") && !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            paths.extend(absolute(module, &text[at..]));
        }
    }
    paths
}

/// What a file's `use` statements bring in, as paths from the crate's root.
fn used(module: &[String], source: &Source) -> Vec<Vec<String>> {
    let text = text(source);
    let mut paths = Vec::new();
    for (at, _) in text.match_indices("use ").filter(|(at, _)| text[..*at].ends_with(['\n', ' ']) || *at == 0) {
        let path = &text[at + "use ".len()..];
        if path.starts_with("crate::") || path.starts_with("super::") {
            paths.extend(absolute(module, path));
        } else {
            tree(module, path.strip_prefix("self::").unwrap_or(path), &mut paths);
        }
    }
    paths
}

fn text(source: &Source) -> String {
    source.lines.iter().map(|(_, line)| format!("{line}\n")).collect()
}

/// The paths of `text`, which begins with `crate::` or `super::`.
fn absolute(module: &[String], text: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    if let Some(rest) = text.strip_prefix("crate::") {
        tree(&[], rest, &mut paths);
        return paths;
    }
    let (mut base, mut rest) = (module, text);
    while let Some(after) = rest.strip_prefix("super::") {
        (base, rest) = (&base[..base.len().saturating_sub(1)], after);
    }
    tree(base, rest, &mut paths);
    paths
}

/// Adds the paths of `a::{b, c::d}` below `base`; what comes after them. A name of a crate outside ends in no module.
fn tree<'t>(base: &[String], text: &'t str, paths: &mut Vec<Vec<String>>) -> &'t str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = tree(base, rest, paths).trim_start();
            match rest.strip_prefix(',') {
                Some(after) if !after.trim_start().starts_with('}') => rest = after,
                Some(after) => return after.trim_start().strip_prefix('}').unwrap_or(after),
                None => return rest.strip_prefix('}').unwrap_or(rest),
            }
        }
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let mut path = base.to_vec();
    if end > 0 && &text[..end] != "self" {
        path.push(text[..end].to_owned());
    }
    let rest = &text[end..];
    match rest.strip_prefix("::") {
        Some(below) if !below.starts_with('<') => tree(&path, below, paths),
        _ => {
            paths.push(path);
            rest.strip_prefix('*').unwrap_or(rest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.to_owned())).collect();
        Source { path: path.into(), lines }
    }

    #[test]
    fn a_circle_is_found_through_lists_and_names_that_are_passed_on() {
        let sources = [
            source("a/mod.rs", "mod x;\nmod y;\nmod z;\npub use y::{Other, Y};\nfn f() { x::f() }"),
            source("a/x.rs", "use super::{\n    Y,\n    z::{self, Z},\n};"),
            source("a/y.rs", "fn g() -> crate::a::x::X { super::f() }"),
            source("a/z.rs", "use super::f;"),
        ];
        let wrong = circles("host/src", &sources, &[]);
        assert_eq!(wrong, ["host/src: files name each other:\n  a/x.rs to a/y.rs\n  a/y.rs to a/x.rs"]);
        assert_eq!(circles("host/src", &sources, &[("a/x.rs", &["a/y.rs"], "")]), [""; 0]);
    }

    #[test]
    fn no_reason_excuses_a_circle_across_folders_nor_one_that_is_gone() {
        const LISTED: Reasons = &[("a/mod.rs", &["b.rs"], "")];
        let across = [source("a/mod.rs", "use crate::b::B;"), source("b.rs", "fn f(_: crate::a::A) {}")];
        assert!(circles("host/src", &across, &[])[0].ends_with("a/mod.rs to b.rs\n  b.rs to a/mod.rs"));
        let wrong = circles("host/src", &across, LISTED);
        assert_eq!(wrong, ["host/src: a/mod.rs and b.rs name each other, across folders"]);
        let one_way = [source("a/mod.rs", "use crate::b::B;"), source("b.rs", "")];
        assert_eq!(
            circles("host/src", &one_way, LISTED),
            ["host/src: a/mod.rs to b.rs is listed, and closes no circle"]
        );
    }
}
