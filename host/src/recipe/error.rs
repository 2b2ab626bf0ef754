//! What is wrong with a recipe, and where.

use crate::data::suggestion;
use std::{fmt, io, path::PathBuf};

/// Where something in a recipe was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// In the file; line and column count from 1, columns in characters.
    File {
        /// The file, as the user named it.
        file: String,
        /// Line.
        line: usize,
        /// Column.
        column: usize,
    },
    /// In an argument of `--set`.
    Set(String),
    /// Nowhere: a default, or a value made by a program.
    Nowhere,
}

impl Place {
    /// The place of byte `offset` of `text`.
    pub(super) fn at(file: &str, text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let line = before.matches('\n').count() + 1;
        Self::File { file: file.into(), line, column: before[line_start..].chars().count() + 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Set(assignment) => write!(f, "--set {assignment}"),
            Self::Nowhere => f.write_str("recipe"),
        }
    }
}

/// Why a recipe cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// The file could not be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The text is not TOML.
    #[error("{place}: not TOML: {message}")]
    Syntax {
        /// Where.
        place: Box<Place>,
        /// The parser's words.
        message: String,
    },
    /// A section or key that does not exist.
    #[error("{place}: unknown {what} `{name}`{}; known: {known}", suggestion(*nearest))]
    Unknown {
        /// Where.
        place: Box<Place>,
        /// `section`, or `key in [train]`.
        what: String,
        /// What was written.
        name: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
        /// What exists.
        known: String,
    },
    /// A value that the key cannot have.
    #[error("{place}: `{key}` is {value}{}; allowed: {allowed}", suggestion(*nearest))]
    Value {
        /// Where.
        place: Box<Place>,
        /// `section.key`
        key: String,
        /// What was written.
        value: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
        /// What can be written.
        allowed: String,
    },
    /// A key without a default is not there.
    #[error("{file}: `{key}` is missing; allowed: {allowed}")]
    Missing {
        /// The recipe.
        file: String,
        /// `section.key`
        key: String,
        /// What can be written.
        allowed: String,
    },
    /// An argument of `--set` has no key or no value.
    #[error("--set {assignment}: expected SECTION.KEY=VALUE, for example train.epochs=3")]
    Set {
        /// The argument.
        assignment: String,
    },
}
