//! A graph as `.npy` arrays, as the Planetoid sets are kept.
//!
//! | file | what |
//! | --- | --- |
//! | `edges.npy` | integers `[E, 2]`: undirected edges; doubles and mirror images count once, self loops stay |
//! | `feat_indptr.npy`, `feat_indices.npy` | integers `[N + 1]`, `[nnz]`: binary features as compressed rows, rising in each |
//! | `labels.npy` | integers `[N]`; negative: unknown |
//! | `train_idx.npy`, `val_idx.npy`, `test_idx.npy` | integers: nodes of each split |
//! | `meta.json` | `{"n_features": F}`; without it `F` is one more than the largest feature |

use super::{FeatureRows, NodeDataset, Parts, Sources, UNLABELLED, assemble};
use crate::io::FileError;
use crate::io::npy::{self, Array};
use std::path::Path;

/// The files, by the names under which [`crate::data::known`] has them.
pub const FILES: [&str; 8] = [
    "edges.npy",
    "feat_indptr.npy",
    "feat_indices.npy",
    "labels.npy",
    "train_idx.npy",
    "val_idx.npy",
    "test_idx.npy",
    "meta.json",
];

/// Reads a folder.
///
/// # Errors
/// [`FileError`] names the file, the place and what is expected there.
pub fn read(name: &str, dir: &Path) -> Result<NodeDataset, FileError> {
    let path = |file: &str| dir.join(file);
    let wrong = |file: &str, what: String| FileError::Mismatch { path: path(file), what };
    let pairs = npy::read_indices(&path("edges.npy"))?;
    let &[_, 2] = pairs.shape.as_slice() else {
        return Err(wrong("edges.npy", format!("shape {:?}, expected [E, 2]: the two ends of each edge", pairs.shape)));
    };
    let pairs = pairs.values.chunks_exact(2).map(|ends| (ends[0], ends[1])).collect();
    let vector = |file: &str| match npy::read_indices(&path(file))? {
        Array { shape, values } if shape.len() == 1 => Ok(values),
        Array { shape, .. } => Err(wrong(file, format!("shape {shape:?}, expected one axis"))),
    };
    let labels = labels(&path("labels.npy"))?;
    let (offsets, columns) = (vector("feat_indptr.npy")?, vector("feat_indices.npy")?);
    let nodes = labels.len();
    if offsets.len() != nodes + 1 {
        let what = format!("{} offsets for {nodes} labels, expected one more than labels", offsets.len());
        return Err(wrong("feat_indptr.npy", what));
    }
    if offsets.first() != Some(&0) || !offsets.is_sorted() || offsets.last().map(|o| *o as usize) != Some(columns.len())
    {
        let what =
            format!("offsets must begin with 0, never fall and end with {}, the entries there are", columns.len());
        return Err(wrong("feat_indptr.npy", what));
    }
    let largest = columns.iter().max().map_or(0, |column| *column as usize + 1);
    let width = declared_width(&path("meta.json"))?.unwrap_or(largest);
    for (node, ends) in offsets.windows(2).enumerate() {
        let row = &columns[ends[0] as usize..ends[1] as usize];
        if row.iter().any(|column| *column as usize >= width) {
            let what = format!("node {node} has feature {}, meta.json says there are {width}", row[row.len() - 1]);
            return Err(wrong("feat_indices.npy", what));
        }
        if !row.is_sorted_by(|a, b| a < b) {
            return Err(wrong("feat_indices.npy", format!("the features of node {node} must rise; sort each row")));
        }
    }
    let splits = [vector("train_idx.npy")?, vector("val_idx.npy")?, vector("test_idx.npy")?];
    let sources = Sources {
        edges: path("edges.npy"),
        nodes: path("labels.npy"),
        splits: ["train_idx.npy", "val_idx.npy", "test_idx.npy"].map(path),
    };
    let features = FeatureRows { offsets, columns, width, values: None };
    assemble(name, Parts { nodes, pairs, features, labels, splits }, &sources)
}

fn labels(path: &Path) -> Result<Vec<u32>, FileError> {
    let array = npy::read_any(path)?;
    let wrong = |what: String| FileError::Mismatch { path: path.into(), what };
    let values = array.integers().ok_or_else(|| wrong("expected integers, got float32".into()))?;
    if array.shape().len() != 1 {
        return Err(wrong(format!("shape {:?}, expected one label a node", array.shape())));
    }
    let label = |value: &i64| if *value < 0 { UNLABELLED } else { (*value).min(i64::from(u32::MAX)) as u32 };
    Ok(values.iter().map(label).collect())
}

/// `n_features` of the file, if there is one.
fn declared_width(path: &Path) -> Result<Option<usize>, FileError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(FileError::Read { path: path.into(), source }),
    };
    let wrong = |what: String| FileError::Mismatch { path: path.into(), what };
    let meta: serde_json::Value = serde_json::from_str(&text).map_err(|e| wrong(format!("not JSON: {e}")))?;
    match &meta["n_features"] {
        serde_json::Value::Null => Ok(None),
        value => match value.as_u64() {
            Some(width) if width < u64::from(u32::MAX) => Ok(Some(width as usize)),
            _ => Err(wrong(format!("n_features is {value}, expected a number of features"))),
        },
    }
}
