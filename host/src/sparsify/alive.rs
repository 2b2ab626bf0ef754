//! The groups that are left while a network is trained: what was dropped is held at zero.

use super::error::SparsifyError;
use super::parameter_groups::{KeptGroups, ParameterGroups};

/// Which groups are left, and the values that are not.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Alive {
    kept: KeptGroups,
    /// Indices in the flat vector.
    dropped: Vec<usize>,
}

impl Alive {
    /// Leaves the groups in `kept`.
    ///
    /// # Errors
    /// [`SparsifyError::Group`].
    pub fn new(layers: &ParameterGroups, kept: KeptGroups) -> Result<Self, SparsifyError> {
        Ok(Self { dropped: layers.dropped_values(&kept)?, kept })
    }

    /// The groups that are left, one list a layer.
    pub fn kept(&self) -> &KeptGroups {
        &self.kept
    }

    /// Whether something was dropped.
    pub fn is_masked(&self) -> bool {
        !self.dropped.is_empty()
    }

    /// Sets what was dropped to zero in a flat vector: values, or an optimizer's moments.
    pub fn hold(&self, flat: &mut [f32]) {
        self.dropped.iter().for_each(|&i| flat[i] = 0.0);
    }

    /// One byte a group, 1 for those that are left.
    pub fn to_bytes(&self, layers: &ParameterGroups) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(layers.groups());
        for (layer, kept) in layers.list.iter().zip(&self.kept) {
            let start = bytes.len();
            bytes.resize(start + layer.groups, 0);
            kept.iter().for_each(|j| bytes[start + j] = 1);
        }
        bytes
    }

    /// The opposite of [`Alive::to_bytes`]; `None` unless there is one byte a group.
    ///
    /// # Errors
    /// [`SparsifyError::Group`].
    pub fn from_bytes(layers: &ParameterGroups, bytes: &[u8]) -> Result<Option<Self>, SparsifyError> {
        if bytes.len() != layers.groups() {
            return Ok(None);
        }
        let mut rest = bytes;
        let mut kept = KeptGroups::new();
        for layer in &layers.list {
            let (own, after) = rest.split_at(layer.groups);
            kept.push((0..layer.groups).filter(|&j| own[j] != 0).collect());
            rest = after;
        }
        Self::new(layers, kept).map(Some)
    }
}
