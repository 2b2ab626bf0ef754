//! Small networks of every operator that moves elements, in every number format.

use niwaki::graph::{Activation, Data, Graph, GraphError, Grid, Op, Padding, Quant, Sliding, TensorId};
use niwaki::ops;
use niwaki_core::format::DType;

/// Every operator that moves elements, a transposed convolution and a dense layer, from `[3, 3, 2]` to `[3]`.
///
/// Activations are of type `dtype`, i8, i16 or f32; F16 stands for f32 with binary16 weights.
///
/// # Errors
/// A bug in the graph's shape rules.
pub fn every_movement(dtype: DType) -> Result<Graph, GraphError> {
    let mut g = Graph::default();
    let x = g.input("x", &[3, 3, 2]);
    typed(&mut g, x, dtype);
    fn moved(
        g: &mut Graph,
        name: &str,
        op: impl Into<Op>,
        inputs: &[TensorId],
        dtype: DType,
    ) -> Result<TensorId, GraphError> {
        let y = g.push(name, op, inputs)?;
        typed(g, y, dtype);
        Ok(y)
    }
    let pads = vec![[1, 0], [0, 1], [0, 0]];
    let padded = moved(&mut g, "pad", ops::Pad { pads, value: -0.25 }, &[x], dtype)?;
    let (begin, size, stride) = (vec![3, 1, 0], vec![2, 3, 2], vec![-2, 1, 1]);
    let part = moved(&mut g, "slice", ops::Slice { begin, size, stride }, &[padded], dtype)?;
    let turned = moved(&mut g, "transpose", ops::Transpose { order: vec![2, 1, 0] }, &[part], dtype)?;
    let joined = moved(&mut g, "concat", ops::Concat { axis: 1 }, &[part, turned, part], dtype)?;
    let grid = Grid { align_corners: true, half_pixel_centers: false };
    let nearest = moved(&mut g, "nearest", ops::ResizeNearest { size: [3, 5], grid }, &[joined], dtype)?;
    let grid = Grid { align_corners: false, half_pixel_centers: true };
    let bilinear = moved(&mut g, "bilinear", ops::ResizeBilinear { size: [2, 3], grid }, &[nearest], dtype)?;
    let sliding = Sliding::strided(2, Padding::Same);
    let (w, b) = (weights(&mut g, "up.weight", &[3, 3, 2, 2], dtype), bias(&mut g, "up.bias", 3, dtype));
    let op = ops::TransposeConv2d { sliding, size: [3, 6], activation: Activation::Relu };
    let up = moved(&mut g, "up", op, &[bilinear, w, b], dtype)?;
    let (w, b) = (weights(&mut g, "dense.weight", &[3, 54], dtype), bias(&mut g, "dense.bias", 3, dtype));
    let y = moved(&mut g, "dense", ops::Dense { activation: Activation::None }, &[up, w, b], dtype)?;
    g.outputs.push(y);
    Ok(g)
}

fn typed(g: &mut Graph, id: TensorId, dtype: DType) {
    let (scale, zero_point) = match dtype {
        DType::I8 => (0.03125, -3),
        DType::I16 => (0.0005, 0),
        _ => return,
    };
    g.quantise(id, Quant { scales: vec![scale], zero_point, axis: None });
    g[id].element = dtype;
}

/// Constant weights without a visible pattern; codes have one scale.
fn weights(g: &mut Graph, name: &str, shape: &[usize], dtype: DType) -> TensorId {
    let codes: Vec<i8> =
        (0..shape.iter().product::<usize>()).map(|i| ((i * i * 31 + i * 57 + 101) % 255) as u8 as i8).collect();
    let floats = codes.iter().map(|&code| f32::from(code) / 512.0);
    let data = match dtype {
        DType::F32 => Data::F32(floats.collect()),
        DType::F16 => Data::F16(floats.map(half::f16::from_f32).collect()),
        _ => Data::I8(codes),
    };
    let id = g.constant(name, shape, data);
    if matches!(dtype, DType::I8 | DType::I16) {
        g[id].quant = Some(Quant { scales: vec![1.0 / 512.0], zero_point: 0, axis: None });
    }
    id
}

fn bias(g: &mut Graph, name: &str, len: usize, dtype: DType) -> TensorId {
    let codes = (0..len as i32).map(|i| i * 977 % 1000 - 300);
    let data = match dtype {
        DType::I8 => Data::I32(codes.collect()),
        DType::I16 => Data::I64(codes.map(i64::from).collect()),
        _ => Data::F32(codes.map(|code| code as f32 / 4096.0).collect()),
    };
    g.constant(name, &[len], data)
}
