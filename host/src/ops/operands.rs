//! A node as its operator sees it: the tensors that it reads and the one that it writes.

use super::lowered::clamp_codes;
use super::{Activation, Data, Misfit, Quant, Tensor, Value};
use niwaki_core::format::DType;
use niwaki_core::kernels::{Affine, Clamp};
use niwaki_core::num::Rounding;
use std::borrow::Cow;

/// The tensors of a node.
#[derive(Debug, Clone)]
pub struct Operands<'a> {
    /// In the order that the operator documents.
    pub inputs: Vec<&'a Tensor>,
    /// What the node writes.
    pub output: &'a Tensor,
    /// How requantisation rounds in this network.
    pub rounding: Rounding,
    /// Whether the network is over the nodes of a graph, so that a layer of one tap is one of each node.
    pub over_nodes: bool,
}

/// The values of those operands that are computed; constants have theirs in their tensor.
pub type Computed<'a> = [Option<&'a Value>];

impl<'a> Operands<'a> {
    /// The first operand.
    pub fn x(&self) -> &'a Tensor {
        self.inputs[0]
    }

    /// Rows and columns of the first operand, an image whose shape was checked, and its channels.
    pub fn image(&self) -> ([usize; 2], usize) {
        let shape = &self.x().shape;
        ([shape[0], shape[1]], shape.last().copied().unwrap_or(0))
    }

    /// Shapes of the operands.
    pub fn shapes(&self) -> Vec<&'a [usize]> {
        self.inputs.iter().map(|tensor| tensor.shape.as_slice()).collect()
    }

    /// The value of operand `i`: computed, or constant.
    ///
    /// # Errors
    /// [`Misfit::NoValue`].
    pub fn value<'v>(&self, i: usize, computed: &'v Computed<'_>) -> Result<Cow<'v, Value>, Misfit> {
        let constant = || self.inputs[i].data.as_ref().and_then(Value::of_data).map(Cow::Owned);
        let found = computed[i].map(Cow::Borrowed).or_else(constant);
        found.ok_or_else(|| Misfit::NoValue { tensor: self.inputs[i].name.clone() })
    }

    /// The f32 values of operand `i`, computed or constant.
    ///
    /// # Errors
    /// [`Misfit::NoFloats`].
    pub fn floats<'v>(&'v self, i: usize, computed: &'v Computed<'_>) -> Result<&'v [f32], Misfit> {
        let found = computed[i].and_then(Value::f32s).or_else(|| self.inputs[i].f32s());
        found.ok_or_else(|| Misfit::NoFloats { tensor: self.inputs[i].name.clone() })
    }

    /// The bias of an operator with weights, zeros where it has none; a binary16 one as f32. TensorFlow Lite Micro sums
    /// int16 operators without bias in 64 bits.
    pub fn bias(&self) -> Data {
        let channels = self.output.shape.last().copied().unwrap_or(0);
        match self.inputs.get(2).and_then(|bias| bias.data.clone()) {
            Some(Data::F16(bias)) => Data::F32(bias.into_iter().map(f32::from).collect()),
            Some(bias) => bias,
            None => match self.x().element {
                DType::I8 => Data::I32(vec![0; channels]),
                DType::I16 => Data::I64(vec![0; channels]),
                _ => Data::F32(vec![0.0; channels]),
            },
        }
    }

    /// The scales of all operands and the output, which are of one type; `None` where they are f32.
    pub(super) fn one_type<const N: usize>(&self) -> Result<Option<[Scaled; N]>, Misfit> {
        let mut scales = Vec::with_capacity(N);
        for tensor in self.inputs.iter().take(N - 1).copied().chain([self.output]) {
            scales.extend(Scaled::of(tensor)?);
        }
        match <[Scaled; N]>::try_from(scales) {
            Ok(scales) if scales.iter().all(|of| of.int16 == scales[0].int16) => Ok(Some(scales)),
            Err(none) if none.is_empty() => Ok(None),
            _ => Err(Misfit::MixedTypes),
        }
    }

    /// Whether the first operand and the output have one quantisation.
    pub(super) fn keeps_quantisation(&self) -> Result<(), Misfit> {
        if self.x().quant == self.output.quant { Ok(()) } else { Err(Misfit::Requantised) }
    }
}

/// Scale and zero point of quantised values, and their type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scaled {
    pub(super) affine: Affine,
    pub(super) int16: bool,
}

impl Scaled {
    /// Those of a tensor; `None` where it is f32.
    pub(super) fn of(tensor: &Tensor) -> Result<Option<Self>, Misfit> {
        let (int16, quant) = match (tensor.dtype(), &tensor.quant) {
            (DType::F32, None) => return Ok(None),
            (DType::I8, Some(quant)) => (false, quant),
            (DType::I16, Some(quant)) => (true, quant),
            (dtype, quant) => {
                let (tensor, dtype) = (tensor.name.clone(), dtype.name());
                return Err(Misfit::ElementType { tensor, dtype, has_scale: quant.is_some() });
            }
        };
        match *quant.scales {
            [scale] => Ok(Some(Self { affine: Affine { scale, zero_point: quant.zero_point }, int16 })),
            _ => Err(Misfit::ManyScales { tensor: tensor.name.clone() }),
        }
    }

    /// The clamp of `activation` in these quantised values.
    pub(super) fn clamp(self, activation: Activation) -> Clamp<i32> {
        let quant = Quant { scales: vec![self.affine.scale], zero_point: self.affine.zero_point, axis: None };
        if self.int16 { clamp_codes::<i16>(activation, &quant) } else { clamp_codes::<i8>(activation, &quant) }
    }

    /// Its scale in units of that of `y`.
    pub(super) fn quotient(self, y: Self) -> f64 {
        f64::from(self.affine.scale) / f64::from(y.affine.scale)
    }
}
