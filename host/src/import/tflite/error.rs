//! What in a `.tflite` file cannot be used: the place, and what to do.

use crate::graph::GraphError;

/// What in a file cannot be imported.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The bytes are no `.tflite` file.
    #[error("this is no .tflite file ({what}); fetch or convert it again")]
    Format {
        /// What is wrong with them.
        what: String,
    },
    /// A file with another number of networks than one.
    #[error(
        "the file has {count} subgraphs ({names}), niwaki runs files of one; convert the network without control flow \
         (IF, WHILE, CALL_ONCE), one signature a file"
    )]
    Subgraphs {
        /// How many.
        count: usize,
        /// Their names.
        names: String,
    },
    /// A tensor that no operator can use, or an input or output that is none.
    #[error("tensor {index} `{name}`: {what}; {remedy}")]
    Tensor {
        /// Position in the file's list.
        index: i64,
        /// Its name.
        name: String,
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// An operator that niwaki does not have, or not for these tensors and options.
    #[error("operator {index} {operator}: {what} ({tensors}); {remedy}")]
    Operator {
        /// Position in the file's list.
        index: usize,
        /// Name of the operator.
        operator: String,
        /// Element types and shapes of its inputs and outputs.
        tensors: String,
        /// What is not supported.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// Everything was understood, but it is no network.
    #[error("{0}; the file is damaged: convert the network again")]
    Graph(#[from] GraphError),
}

/// A reason and a remedy, before the place is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    pub(super) what: String,
    pub(super) remedy: String,
}

impl Refusal {
    pub(super) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }

    /// For what no converter writes.
    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Self::new(what, "the file is damaged: convert the network again")
    }
}
