//! An operator is one row: nothing in the host asks which one it has but the table.

use crate::run::{Context, Outcome, Verdict};
use crate::text::{Source, sources};

/// The file of the host that has the table.
const TABLE: &str = "ops/mod.rs";

/// host: variants of `Op` are matched in the table's file alone; elsewhere an operator is asked.
pub(crate) fn host_operators(context: &Context) -> Outcome {
    let wrong: Vec<String> = sources(&context.root.join("host/src"))?.iter().flat_map(matches).collect();
    if wrong.is_empty() { Ok(Verdict::PASSED) } else { Err(wrong.join("\n")) }
}

/// The lines of a file that match a variant: `Op::`, a name and what it holds.
fn matches(source: &Source) -> Vec<String> {
    let path = source.path.to_string_lossy().replace('\\', "/");
    let lines = source.lines.iter().filter(|(_, line)| path != TABLE && has_variant(line));
    lines
        .map(|(number, line)| {
            let line = line.trim();
            format!("host/src/{path}:{number}: asks which operator it has; add a rule to `Operator`: {line}")
        })
        .collect()
}

fn has_variant(line: &str) -> bool {
    let starts = line.match_indices("Op::").filter(|(at, _)| !line[..*at].ends_with(|c: char| c.is_alphanumeric()));
    starts.into_iter().any(|(at, name)| {
        let rest = &line[at + name.len()..];
        let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        rest.starts_with(|c: char| c.is_ascii_uppercase()) && rest[end..].starts_with('(')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_is_seen_and_a_construction_is_not() {
        for line in ["Op::Conv2d(_) => 0,", "if let Op::Pad(Pad { value, .. }) = op {", "matches!(x, Op::Add(_))"] {
            assert!(has_variant(line), "{line}");
        }
        for line in ["Op::from(Conv2d { sliding })", "CoreOp::Conv2d(x)", "OpCode::from(Op::Dense)", "op.is::<Add>()"] {
            assert!(!has_variant(line), "{line}");
        }
    }
}
