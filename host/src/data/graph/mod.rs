//! Graphs whose nodes are classified: edges, sparse features, labels and which nodes are for what.
//!
//! A folder holds either arrays, as the Planetoid sets are kept here ([`arrays`]), or two text files ([`csv`]).

pub mod arrays;
pub mod csv;
#[cfg(test)]
mod tests;

use super::{DataError, known};
use crate::io::FileError;
use std::path::{Path, PathBuf};

/// The label of a node whose class is not known.
pub const UNLABELLED: u32 = u32::MAX;

/// One graph, split once and for all.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeDataset {
    /// A name of [`super::NAMES`].
    pub name: String,
    /// Number of nodes.
    pub nodes: usize,
    /// Every edge in both directions, `(from, to)`, sorted, none twice; self loops once.
    pub edges: Vec<(u32, u32)>,
    /// What is known of each node.
    pub features: FeatureRows,
    /// The class of each node, or [`UNLABELLED`].
    pub labels: Vec<u32>,
    /// Labels are below this.
    pub classes: usize,
    /// What gradients see.
    pub train: Vec<u32>,
    /// What choices between models see.
    pub val: Vec<u32>,
    /// Looked at once, for the report.
    pub test: Vec<u32>,
}

/// A sparse matrix of features: row `i` has its entries at `offsets[i]..offsets[i + 1]`.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureRows {
    /// `[nodes + 1]`
    pub offsets: Vec<u32>,
    /// The feature of each entry, rising in a row.
    pub columns: Vec<u32>,
    /// Number of features.
    pub width: usize,
    /// What each entry is worth; 1 where there are none.
    pub values: Option<Vec<f32>>,
}

impl FeatureRows {
    /// One feature for each node: what there is to learn from when nothing is known of them.
    fn identity(nodes: usize) -> Self {
        let nodes = nodes as u32;
        Self { offsets: (0..=nodes).collect(), columns: (0..nodes).collect(), width: nodes as usize, values: None }
    }
}

/// The graph called `name`; `dir` holds the files of one that is not bundled, [`known::cache`] unless given.
///
/// # Errors
/// As [`super::load`]; what is wrong with a file, and where.
pub fn load(name: &str, dir: Option<&Path>) -> Result<NodeDataset, DataError> {
    let known = known::by_name(name)?;
    let cached = || known::cached(known, &known::cache()?);
    if known.kind != known::Kind::Graph {
        return Err(DataError::NoGraph { name: known.name });
    }
    match dir.map(PathBuf::from).or_else(|| if known.is_bundled() { None } else { cached() }) {
        Some(dir) => Ok(from_folder(known.name, &dir)?),
        None if known.name == KARATE => Ok(karate()),
        None if known.name == OWN => Err(DataError::NeedsFolder),
        None => Err(DataError::NeedsDir { name: known.name }),
    }
}

/// The name of a graph that is nobody else's.
pub const OWN: &str = "graph";

/// The name of the bundled graph.
pub const KARATE: &str = "karate";

/// Zachary's karate club (1977): 34 members, 78 friendships, and which of two factions each joined.
pub fn karate() -> NodeDataset {
    let text = csv::Text {
        edges: include_str!("../../../data/karate/edges.csv"),
        nodes: include_str!("../../../data/karate/nodes.csv"),
    };
    csv::parse(KARATE, text, Path::new("karate")).expect("the bundled graph is whole")
}

/// Reads a folder of either kind.
///
/// # Errors
/// [`FileError::Mismatch`] when it is neither; what is wrong with a file.
pub fn from_folder(name: &str, dir: &Path) -> Result<NodeDataset, FileError> {
    let has = |file: &str| dir.join(file).is_file();
    if has("edges.npy") {
        arrays::read(name, dir)
    } else if has("edges.csv") {
        csv::read(name, dir)
    } else {
        let what = "holds no graph: there is neither edges.npy nor edges.csv in it".into();
        Err(FileError::Mismatch { path: dir.into(), what })
    }
}

/// What the readers have found.
struct Parts {
    nodes: usize,
    /// Each edge in one direction or both.
    pairs: Vec<(u32, u32)>,
    features: FeatureRows,
    labels: Vec<u32>,
    splits: [Vec<u32>; 3],
}

/// Where the parts came from, for messages.
struct Sources {
    edges: PathBuf,
    nodes: PathBuf,
    splits: [PathBuf; 3],
}

/// Checks what no reader can see alone, and turns every edge around.
fn assemble(name: &str, parts: Parts, from: &Sources) -> Result<NodeDataset, FileError> {
    let Parts { nodes, pairs, features, labels, splits } = parts;
    let wrong = |path: &Path, what: String| Err(FileError::Mismatch { path: path.into(), what });
    if nodes == 0 {
        return wrong(&from.nodes, "there are no nodes".into());
    }
    if features.width == 0 {
        return wrong(
            &from.nodes,
            "there are no features; give each node one of its own, or leave them out of a CSV".into(),
        );
    }
    if let Some(at) = pairs.iter().position(|(u, v)| *u.max(v) as usize >= nodes) {
        let (u, v) = pairs[at];
        return wrong(&from.edges, format!("edge {at}, {u} - {v}: there are {nodes} nodes, counted from 0"));
    }
    let classes = labels.iter().filter(|label| **label != UNLABELLED).max().map_or(0, |label| *label as usize + 1);
    if classes < 2 {
        return wrong(&from.nodes, format!("{classes} classes: there must be two or more, counted from 0"));
    }
    let mut seen = vec![false; nodes];
    for (split, path) in splits.iter().zip(&from.splits) {
        for node in split {
            let what = match seen.get_mut(*node as usize) {
                None => format!("node {node}: there are {nodes}, counted from 0"),
                Some(true) => format!("node {node} is in two splits, or twice in one"),
                Some(_) if labels[*node as usize] == UNLABELLED => format!("node {node} has no label"),
                Some(seen) => {
                    *seen = true;
                    continue;
                }
            };
            return wrong(path, what);
        }
    }
    if splits[0].is_empty() || splits[1].is_empty() {
        return wrong(&from.splits[usize::from(!splits[0].is_empty())], "no node is for this split".into());
    }
    let mut edges: Vec<(u32, u32)> = pairs.iter().flat_map(|&(u, v)| [(u, v), (v, u)]).collect();
    edges.sort_unstable();
    edges.dedup();
    let [train, val, test] = splits;
    Ok(NodeDataset { name: name.into(), nodes, edges, features, labels, classes, train, val, test })
}
