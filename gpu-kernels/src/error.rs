//! Why a GPU could not be opened, or a kernel could not run.

use core::fmt;
use niwaki_core::error::ProxError;

/// Why a GPU could not be opened, or a kernel could not run. On an error the caller's tensors are untouched.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GpuError {
    /// This binary was built without the back end.
    NotCompiledIn {
        /// The cargo feature that builds it.
        feature: &'static str,
    },
    /// The machine has no driver or no device for the back end.
    NoAdapter {
        /// The back end.
        kind: &'static str,
        /// What was looked for and not found.
        reason: String,
    },
    /// A tensor does not have `groups * row_len` elements.
    Len {
        /// Which part, or `weights`.
        operand: String,
        /// Elements that the groups ask for.
        expected: usize,
        /// Elements that were given.
        got: usize,
    },
    /// A tensor is larger than one buffer of the device.
    TooLarge {
        /// Its bytes.
        bytes: u64,
        /// Bytes that one buffer can have.
        max_bytes: u64,
    },
    /// The operator refused its parameters.
    Prox(ProxError),
    /// The device failed while it ran.
    Device {
        /// What the driver said.
        reason: String,
    },
}

impl fmt::Display for GpuError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCompiledIn { feature } => {
                write!(f, "this binary has no {feature} kernels: rebuild with --features {feature}")
            }
            Self::NoAdapter { kind, reason } => write!(f, "no {kind} adapter: {reason}"),
            Self::Len { operand, expected, got } => write!(f, "{operand} has {got} elements, expected {expected}"),
            Self::TooLarge { bytes, max_bytes } => {
                write!(f, "a tensor of {bytes} bytes does not fit into one buffer of {max_bytes} bytes")
            }
            Self::Prox(e) => e.fmt(f),
            Self::Device { reason } => write!(f, "the device failed: {reason}"),
        }
    }
}

impl core::error::Error for GpuError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Prox(e) => Some(e),
            _ => None,
        }
    }
}

impl From<ProxError> for GpuError {
    fn from(e: ProxError) -> Self {
        Self::Prox(e)
    }
}
