//! What a recipe says about quantisation.

use super::Calibration;
use crate::graph::Op;
use crate::ops::WeightLayout;
use serde::{Deserialize, Serialize};

/// `[quantize]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quantize {
    /// Type of the weights; biases are int32.
    pub weights: Precision,
    /// Type of the weights of the first and of the last layer that has any: they are few, and what they lose nothing
    /// can repair.
    pub ends: Precision,
    /// Layers, by name, whose weights have four bits whatever else is said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub four_bits: Vec<String>,
    /// Whether layers are given four bits, those first that change the scores least, until the model is within the flash
    /// of its target.
    pub fit: bool,
    /// Type of the tensors between operators.
    pub activations: Activations,
    /// How the range of an activation is chosen.
    pub calibration: Calibration,
    /// How the range of the weights is chosen; `mse` for int4 and `minmax` for the others unless given.
    pub weight_calibration: Calibration,
    /// What shares a scale among the weights of a layer.
    pub granularity: Granularity,
    /// Training samples that are looked at for ranges, bias correction and reconstruction, the first ones.
    pub samples: usize,
    /// Whether weights are moved between neighbouring layers until their channels have ranges of one size
    /// (cross-layer equalisation, Nagel et al. 2019, section 4.1).
    pub equalize: bool,
    /// Whether biases take back the mean error that rounding makes (Nagel et al. 2019, section 4.2).
    pub bias_correction: bool,
    /// Optimizer steps a layer of layer-wise reconstruction (AdaQuant, Hubara et al. 2021); 0 leaves it out.
    pub reconstruct: usize,
    /// Epochs of quantisation-aware training; 0 leaves it out.
    pub qat_epochs: usize,
    /// Largest learning rate of quantisation-aware training as a share of `optimizer.lr`.
    pub qat_lr: f64,
    /// What the float network's answers count for in quantisation-aware training, 0 to 1; `sparsity.temperature`
    /// softens them.
    pub qat_distill: f64,
    /// Whether quantisation-aware training learns the steps between codes too (LSQ, Esser et al. 2020).
    pub lsq: bool,
}

impl Quantize {
    /// Whether weights of a codebook are to be trained: sixteen values are chosen for weights that no longer change.
    pub fn trains_codebook(&self) -> bool {
        self.qat_epochs > 0 && [self.weights, self.ends].contains(&Precision::Codebook)
    }
}

impl Default for Quantize {
    fn default() -> Self {
        Self {
            weights: Precision::Int8,
            ends: Precision::Int8,
            four_bits: Vec::new(),
            fit: false,
            activations: Activations::Int8,
            calibration: Calibration::Mse,
            weight_calibration: Precision::Int8.weight_calibration(),
            granularity: Granularity::Channel,
            samples: 256,
            equalize: false,
            bias_correction: false,
            reconstruct: 0,
            qat_epochs: 0,
            qat_lr: 0.1,
            qat_distill: 0.0,
            lsq: false,
        }
    }
}

/// An integer type of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Eight bits: codes -127 to 127.
    Int8,
    /// Four bits: codes -7 to 7.
    Int4,
    /// Codes of eight bits of which a layer has at most sixteen: four bits and a table. Of convolutions and dense layers;
    /// others have eight bits. After training only.
    Codebook,
}

impl Precision {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::Int4 => "int4",
            Self::Codebook => "codebook",
        }
    }

    /// What the weights of an operator get: others than convolutions and dense layers have no codebook.
    pub(super) fn of(self, op: &Op) -> Self {
        match (self, op.rules().weights) {
            (Self::Codebook, Some(WeightLayout::Filters)) => self,
            (Self::Codebook, _) => Self::Int8,
            _ => self,
        }
    }

    /// Bits of a code.
    pub fn bits(self) -> u8 {
        match self {
            Self::Int8 | Self::Codebook => 8,
            Self::Int4 => 4,
        }
    }

    /// The largest code; the smallest is its negative.
    pub fn largest(self) -> i32 {
        match self {
            Self::Int8 | Self::Codebook => 127,
            Self::Int4 => 7,
        }
    }

    /// `weight_calibration` unless a recipe gives it: eight bits reach every weight, four must choose.
    pub fn weight_calibration(self) -> Calibration {
        match self {
            Self::Int8 | Self::Codebook => Calibration::MinMax,
            Self::Int4 => Calibration::Mse,
        }
    }
}

/// The integer type of activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activations {
    /// Eight bits with a zero point.
    Int8,
}

/// What shares a scale among the weights of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Granularity {
    /// The weights of one output channel.
    Channel,
    /// All of them.
    Tensor,
}
