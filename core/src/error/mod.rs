//! The errors of core: one `Copy` enum for each function that checks, made of numbers and static names.

mod graph;
mod model;
mod operator;
mod optim;
mod prox;
mod session;

pub use graph::GraphError;
pub use model::VerifyError;
pub use operator::{Operand, OperatorError, ShapeError};
pub use optim::OptimError;
pub use prox::{GroupError, ProxError};
pub use session::{PortError, SessionError};
