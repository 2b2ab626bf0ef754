//! Citations: every page (`*.md`) that a comment or another page names is there, and so is every section that it cites.
//!
//! In a comment a section (`§` and a number) is one of the page that was named last in its file. In a page it is one of the page
//! named directly before it, and otherwise the page's own.

use crate::run::Context;
use std::{collections::BTreeMap, fs, path::Path};

/// Folders that hold nothing of the repository, at any depth outside sources.
const SKIPPED: [&str; 3] = ["target", "runs", "shared"];

/// Words that may stand between two sections of one page.
const JOINING: [&str; 3] = ["and", "or", "to"];

/// Every page and Rust source of the repository, by its path from the root.
pub(crate) fn files(context: &Context) -> Result<BTreeMap<String, String>, String> {
    let mut files = BTreeMap::new();
    read(&context.root, "", &mut files)?;
    Ok(files)
}

/// Reads every page and Rust source below `folder`, by its path from the root.
fn read(root: &Path, folder: &str, files: &mut BTreeMap<String, String>) -> Result<(), String> {
    let failed = |error| format!("{folder}: {error}");
    for entry in fs::read_dir(root.join(folder)).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        let source = folder.split('/').any(|part| part == "src");
        if name.starts_with('.') || (!source && SKIPPED.contains(&name.as_str())) {
            continue;
        }
        let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        let full = root.join(&path);
        if full.is_dir() {
            read(root, &path, files)?;
        } else if path.ends_with(".md") || path.ends_with(".rs") {
            let text = fs::read_to_string(&full).map_err(|error| format!("{path}: {error}"))?;
            files.insert(path, text);
        }
    }
    Ok(())
}

/// What is wrong with the citations of `files`, texts by their paths: a line each.
pub(crate) fn check(files: &BTreeMap<String, String>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut pages: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".md")) {
        let sections = pages.entry(path).or_default();
        for (line, number) in headings(text) {
            if sections.contains(&number) {
                wrong.push(format!("{path}:{line}: section {number} is there twice"));
            }
            sections.push(number);
        }
    }
    for (path, text) in files {
        let text = if path.ends_with(".rs") { comments(text) } else { text.clone() };
        let own = pages.get_key_value(path.as_str()).filter(|(_, sections)| !sections.is_empty());
        let mut page = own;
        for Mention { line, what } in mentions(&text) {
            match what {
                What::Page(name) => {
                    page = resolved(path, name).iter().find_map(|name| pages.get_key_value(name.as_str()));
                    if page.is_none() {
                        wrong.push(format!("{path}:{line}: {name} is not there"));
                    }
                }
                What::Section { number, joined } => {
                    page = if joined { page } else { own.or(page) };
                    match page {
                        Some((_, sections)) if sections.contains(&number) => {}
                        Some((page, _)) => wrong.push(format!("{path}:{line}: {page} has no section {number}")),
                        None => wrong.push(format!("{path}:{line}: section {number} of a page that is not named")),
                    }
                }
            }
        }
    }
    wrong
}

/// Line and number of every numbered heading of a page.
fn headings(text: &str) -> Vec<(usize, &str)> {
    let (mut found, mut code) = (Vec::new(), false);
    for (line, text) in (1..).zip(text.lines()) {
        code ^= text.starts_with("```");
        let title = text.trim_start_matches('#');
        let number = number(title.trim_start());
        if !code && title.len() < text.len() && !number.is_empty() {
            found.push((line, number));
        }
    }
    found
}

/// The number that `text` begins with, as 2 or 2.3; empty where it begins with none.
fn number(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text[..end].trim_end_matches('.')
}

/// The comments of a Rust source, each on its line.
fn comments(text: &str) -> String {
    let comment = |line: &str| match line.trim_start().strip_prefix("//") {
        Some(comment) => comment.trim_start_matches(['/', '!']).to_owned() + "\n",
        None => {
            // Not where a string holds the two strokes.
            let outside = |at: &usize| line[..*at].matches('"').count().is_multiple_of(2);
            let start = line.match_indices(" // ").map(|(at, _)| at).find(outside);
            start.map_or("", |at| &line[at..]).to_owned() + "\n"
        }
    };
    text.lines().map(comment).collect()
}

/// A page or a section that a text names.
struct Mention<'a> {
    /// Its line, from 1.
    line: usize,
    what: What<'a>,
}

enum What<'a> {
    /// The page of this name.
    Page(&'a str),
    /// The section of this number; whether only joining words stand between it and the mention before.
    Section { number: &'a str, joined: bool },
}

/// Everything that `text` names, in order.
fn mentions(text: &str) -> Vec<Mention<'_>> {
    let (mut found, mut end) = (Vec::new(), None);
    for (at, c) in text.char_indices() {
        let (before, after) = (&text[..at], &text[at + c.len_utf8()..]);
        let what = match c {
            '§' if !number(after).is_empty() => {
                let joined = end.is_some_and(|end: usize| joins(&text[end..at]));
                end = Some(at + c.len_utf8() + number(after).len());
                What::Section { number: number(after), joined }
            }
            '.' if after.starts_with("md") && !after[2..].starts_with(char::is_alphanumeric) => {
                let part = |c: char| c.is_alphanumeric() || "_-./".contains(c);
                let from = before.trim_end_matches(part).len();
                // A name alone, not the end of an address or of a pattern.
                if from == at || before[from..].starts_with('/') {
                    continue;
                }
                end = Some(at + ".md".len());
                What::Page(&text[from..at + ".md".len()])
            }
            _ => continue,
        };
        found.push(Mention { line: 1 + before.matches('\n').count(), what });
    }
    found
}

/// Whether what stands between two mentions leaves the second with the page of the first.
fn joins(between: &str) -> bool {
    let words = between.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    !between.contains(['.', ';', ':', '(']) && words.into_iter().all(|word| JOINING.contains(&word))
}

/// The paths from the root that `name` may stand for in the file `from`: beside it, from the root, from its crate, from core.
fn resolved(from: &str, name: &str) -> [String; 4] {
    let beside = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let own = from.split('/').next().unwrap_or_default();
    [beside, "", own, "core"].map(|folder| {
        let mut parts = Vec::new();
        for part in folder.split('/').chain(name.split('/')).filter(|part| !part.is_empty() && *part != ".") {
            match part {
                ".." => parts.truncate(parts.len().saturating_sub(1)),
                part => parts.push(part),
            }
        }
        parts.join("/")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with these texts, beside a page with the sections 1, 2 and 2.1.
    fn wrong(texts: &[(&str, &str)]) -> Vec<String> {
        let page = ("core/specs/a.md", "# A\n\n## 1. One\n\n## 2. Two\n### 2.1 More\n");
        let files = texts.iter().chain([&page]).map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        check(&files.collect())
    }

    #[test]
    fn a_section_that_is_there_is_right_from_every_place() {
        let core = ("core/src/x.rs", "//! As specs/a.md §1.\nfn f() {} // and §2.1\n");
        let host = ("host/src/x.rs", "/// See specs/a.md\n/// §2 (and §1), and core/specs/a.md §2.1.\n");
        let beside = ("core/specs/b.md", "## 7. B\nAs `a.md` §1, §2 and §2.1. Or §7. [link](../specs/a.md)\n");
        let root = ("README.md", "The `core/specs/a.md`\n§2.1, and https://x.org/y.md, and all `*.md`.\n");
        assert_eq!(wrong(&[core, host, beside, root]), [] as [&str; 0]);
    }

    #[test]
    fn a_section_or_a_page_that_is_not_there_is_named_with_its_line() {
        let source = ("core/src/x.rs", "//! specs/a.md §2.2\n\n/// As §3, specs/b.md.\nlet s = \"specs/c.md §9\";\n");
        assert_eq!(
            wrong(&[source]),
            [
                "core/src/x.rs:1: core/specs/a.md has no section 2.2",
                "core/src/x.rs:3: core/specs/a.md has no section 3",
                "core/src/x.rs:3: specs/b.md is not there",
            ]
        );
    }

    #[test]
    fn a_section_without_a_page_is_refused() {
        assert_eq!(
            wrong(&[("host/src/x.rs", "/// As learned scales (specs §8).\n")]),
            ["host/src/x.rs:1: section 8 of a page that is not named"]
        );
    }

    #[test]
    fn a_page_means_its_own_sections_unless_another_is_named_directly_before() {
        let page = ("core/specs/b.md", "## 7. B\n`a.md` §1 has it, §7 has the rest, §2 has not.\n");
        assert_eq!(wrong(&[page]), ["core/specs/b.md:2: core/specs/b.md has no section 2"]);
    }

    #[test]
    fn a_number_that_two_headings_have_is_refused_and_code_has_no_headings() {
        let page = ("core/specs/b.md", "## 1. B\n```\n# 1 is a comment\n```\n## 1. C\n");
        assert_eq!(wrong(&[page]), ["core/specs/b.md:5: section 1 is there twice"]);
    }
}
