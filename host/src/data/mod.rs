//! Labelled samples, by name: the bundled digits and folders of IDX files, which can be fetched; graphs of labelled nodes
//! ([`graph`]).
//!
//! ```
//! let digits = niwaki::data::load("digits", None)?;
//! assert_eq!(digits.input_shape, [8, 8, 1]);
//! assert_eq!((digits.train.len(), digits.val.len(), digits.test.len()), (1300, 137, 360));
//! # Ok::<(), niwaki::data::DataError>(())
//! ```

mod digits;
pub mod get;
pub mod graph;
pub mod idx;
pub mod known;
#[cfg(test)]
mod tests;

pub use known::NAMES;

use crate::io::FileError;
use std::path::{Path, PathBuf};

/// Samples of one shape with a class each, split once and for all.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// One of [`NAMES`].
    pub name: String,
    /// Per-sample shape `[H, W, C]`.
    pub input_shape: Vec<usize>,
    /// Labels are below this.
    pub classes: usize,
    /// What gradients see.
    pub train: Split,
    /// What choices between models see: the last part of the published training set.
    pub val: Split,
    /// The published test set: looked at once, for the report.
    pub test: Split,
}

/// Samples and their labels.
///
/// # Shapes
/// `x: [N, H, W, C]` row-major, values in 0..=1 · `y: [N]`
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Split {
    /// Every sample, one after the other.
    pub x: Vec<f32>,
    /// The class of each sample.
    pub y: Vec<u32>,
}

impl Split {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.y.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.y.is_empty()
    }

    /// The values of sample `i`, which must be below [`Split::len`].
    pub fn sample(&self, i: usize) -> &[f32] {
        let sample_len = self.x.len() / self.len();
        &self.x[i * sample_len..][..sample_len]
    }

    /// Moves the samples from `at` on into a split of their own.
    fn split_off(&mut self, at: usize) -> Self {
        let sample_len = self.x.len() / self.len().max(1);
        Self { x: self.x.split_off(at * sample_len), y: self.y.split_off(at) }
    }
}

/// Why data could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The name is not one of [`NAMES`].
    #[error("no data set is called `{name}`{}; known: {}", suggestion(nearest(name, NAMES)), NAMES.join(", "))]
    UnknownName {
        /// What was asked for.
        name: String,
    },
    /// A graph was asked of samples.
    #[error("`{name}` is samples, not a graph; the networks gcn, gat, gin and sage take graphs")]
    NoGraph {
        /// The data set.
        name: &'static str,
    },
    /// A graph of one's own without its folder.
    #[error("`graph` is a graph of your own: name its folder, in the recipe `[data] dir = \"FOLDER\"`")]
    NeedsFolder,
    /// Samples were asked of one graph.
    #[error("`{name}` is one graph, not samples: only `niwaki train` and `niwaki data` take it")]
    Graph {
        /// The data set.
        name: &'static str,
    },
    /// A data set that is not bundled was asked for without its folder, and is not among the fetched ones.
    #[error(
        "`{name}` is not on this machine: run `niwaki data get {name}`, or name the folder of its files, in the recipe \
         `[data] dir = \"FOLDER\"`"
    )]
    NeedsDir {
        /// The data set.
        name: &'static str,
    },
    /// None of the names under which a file is published is in the folder.
    #[error("{}: no file `{name}.gz` or `{name}`", dir.display())]
    NoFile {
        /// The folder.
        dir: PathBuf,
        /// The name without `.gz`.
        name: &'static str,
    },
    /// What is wrong with a file.
    #[error(transparent)]
    File(#[from] FileError),
}

/// ` (did you mean …?)`, or nothing when no candidate was near.
pub(crate) fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

/// The candidate most like `unknown`; the first of equals; none if all are far away.
pub(crate) fn nearest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    let unknown = unknown.to_lowercase();
    let mut best = (0.7, None);
    for &candidate in known {
        let score = strsim::jaro_winkler(&unknown, candidate);
        if score > best.0 {
            best = (score, Some(candidate));
        }
    }
    best.1
}

/// The data set called `name`; `dir` holds the files of sets that are not bundled, [`known::cache`] unless given.
///
/// `digits` is bundled (its split: host/data/README.md). `fashion-mnist` and `mnist` are read from the four IDX files as
/// published, compressed or not; the last 5,000 of the 60,000 training images (one in twelve) are the validation part.
///
/// # Errors
/// [`DataError::UnknownName`], [`DataError::NeedsDir`], or what is wrong with a file.
pub fn load(name: &str, dir: Option<&Path>) -> Result<Dataset, DataError> {
    load_cached(name, dir, known::cache().as_deref())
}

fn load_cached(name: &str, dir: Option<&Path>, cache: Option<&Path>) -> Result<Dataset, DataError> {
    let known = known::by_name(name)?;
    if known.kind == known::Kind::Graph {
        return Err(DataError::Graph { name: known.name });
    }
    if known.is_bundled() {
        return Ok(digits::load());
    }
    let cached = || known::cached(known, cache?);
    match dir.map(PathBuf::from).or_else(cached) {
        Some(dir) => idx::load(known.name, &dir),
        None => Err(DataError::NeedsDir { name: known.name }),
    }
}
