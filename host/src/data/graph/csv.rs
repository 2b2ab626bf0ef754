//! A graph as two text files.
//!
//! `edges.csv` has an edge a line, `u,v`, nodes counted from 0. `nodes.csv` begins with a line of names: `split,label` and
//! any names of features; then a node a line: `train`, `val`, `test` or nothing, its class or nothing, and its features as
//! numbers (nothing is 0). Without features every node gets one of its own. Lines that begin with `#` are passed over.

use super::{FeatureRows, NodeDataset, Parts, Sources, UNLABELLED, assemble};
use crate::io::FileError;
use std::path::Path;

/// What the two files say.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// Of `edges.csv`.
    pub edges: &'a str,
    /// Of `nodes.csv`.
    pub nodes: &'a str,
}

/// Reads a folder.
///
/// # Errors
/// [`FileError`] names the file, the line and what is expected there.
pub fn read(name: &str, dir: &Path) -> Result<NodeDataset, FileError> {
    let text = |file: &str| {
        let path = dir.join(file);
        std::fs::read_to_string(&path).map_err(|source| FileError::Read { path, source })
    };
    parse(name, Text { edges: &text("edges.csv")?, nodes: &text("nodes.csv")? }, dir)
}

/// Reads the two texts, which lie in `dir`.
///
/// # Errors
/// As [`read`].
pub fn parse(name: &str, text: Text<'_>, dir: &Path) -> Result<NodeDataset, FileError> {
    let (edges, nodes) = (dir.join("edges.csv"), dir.join("nodes.csv"));
    let pairs = pairs(text.edges, &edges)?;
    let Nodes { features, labels, splits } = rows(text.nodes, &nodes)?;
    let sources = Sources { edges, splits: std::array::from_fn(|_| nodes.clone()), nodes };
    assemble(name, Parts { nodes: labels.len(), pairs, features, labels, splits }, &sources)
}

/// The refusal of a line of the file at `path`.
fn wrong<T>(path: &Path, line: usize, what: String) -> Result<T, FileError> {
    Err(FileError::Mismatch { path: path.into(), what: format!("line {line}: {what}") })
}

/// The edges.
fn pairs(text: &str, path: &Path) -> Result<Vec<(u32, u32)>, FileError> {
    let pair = |(line, row): (usize, &str)| {
        let ends = row.split_once(',').map(|(u, v)| (u.trim().parse::<u32>(), v.trim().parse::<u32>()));
        match ends {
            Some((Ok(u), Ok(v))) => Ok((u, v)),
            _ => wrong(path, line, format!("`{row}` is no edge; expected two nodes, as in 0,31")),
        }
    };
    lines(text).map(pair).collect()
}

/// What `nodes.csv` says.
struct Nodes {
    features: FeatureRows,
    labels: Vec<u32>,
    splits: [Vec<u32>; 3],
}

/// The nodes.
fn rows(text: &str, path: &Path) -> Result<Nodes, FileError> {
    let mut rows = lines(text);
    let names: Vec<&str> = match rows.next() {
        Some((_, header)) => header.split(',').map(str::trim).collect(),
        None => return wrong(path, 1, "expected a line of names: split,label and those of features".into()),
    };
    if names.get(..2) != Some(&["split", "label"]) {
        return wrong(path, 1, format!("the names begin with {:?}, expected split,label", names.get(..2)));
    }
    let width = names.len() - 2;
    let (mut labels, mut splits) = (Vec::new(), [const { Vec::new() }; 3]);
    let (mut offsets, mut columns, mut values) = (vec![0], Vec::new(), Vec::new());
    for (line, row) in rows {
        let cells: Vec<&str> = row.split(',').map(str::trim).collect();
        if cells.len() != names.len() {
            return wrong(path, line, format!("{} cells, there are {} names", cells.len(), names.len()));
        }
        let node = labels.len() as u32;
        match ["train", "val", "test"].iter().position(|split| *split == cells[0]) {
            Some(split) => splits[split].push(node),
            None if cells[0].is_empty() => {}
            None => return wrong(path, line, format!("`{}` is no split: train, val, test or nothing", cells[0])),
        }
        labels.push(match (cells[1].parse::<u32>(), cells[1].is_empty()) {
            (_, true) => UNLABELLED,
            (Ok(label), _) if label < 1 << 16 => label,
            _ => return wrong(path, line, format!("`{}` is no class; classes are counted from 0", cells[1])),
        });
        for (feature, cell) in cells[2..].iter().enumerate() {
            let value = if cell.is_empty() { Ok(0.0) } else { cell.parse::<f32>() };
            match value {
                Ok(0.0) => {}
                Ok(value) if value.is_finite() => {
                    columns.push(feature as u32);
                    values.push(value);
                }
                _ => return wrong(path, line, format!("{} is `{cell}`, expected a number", names[feature + 2])),
            }
        }
        offsets.push(columns.len() as u32);
    }
    let features = match width {
        0 => FeatureRows::identity(labels.len()),
        _ => FeatureRows { offsets, columns, width, values: Some(values) },
    };
    Ok(Nodes { features, labels, splits })
}

/// Lines that say something, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}
