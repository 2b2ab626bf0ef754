//! Small networks of every operator that computes element by element or over axes, in every number format.

use niwaki::graph::{Activation, Data, Graph, GraphError, Op, Padding, Quant, Sliding, TensorId};
use niwaki::ops;
use niwaki_core::format::DType;

/// Every elementwise operator, reduction and conversion that `dtype` (i8, i16 or f32) has, on `[4, 3, 2]`.
///
/// Constants are operands on either side, broadcast along every axis; the outputs are a mean, a sum, the position of a
/// maximum, and codes or real values of another format.
///
/// # Errors
/// A bug in the graph's shape rules.
pub fn every_elementwise(dtype: DType) -> Result<Graph, GraphError> {
    let mut g = Graph::default();
    let mut x = g.input("x", &[4, 3, 2]);
    typed(&mut g, x, dtype, (0.031_25, -3));
    let columns = constant(&mut g, "columns", &[3, 1], dtype);
    let rows = constant(&mut g, "rows", &[4, 1, 1], dtype);
    let activation = Activation::None;
    x = push(&mut g, "add", ops::Add { activation: Activation::Relu6 }, &[x, columns], dtype, (0.046_875, -100))?;
    x = push(&mut g, "sub", ops::Sub { activation }, &[rows, x], dtype, (0.0625, 20))?;
    x = push(&mut g, "mul", ops::Mul { activation }, &[x, rows], dtype, (0.078_125, 10))?;
    x = push(&mut g, "leaky", ops::LeakyRelu { alpha: 0.25 }, &[x], dtype, (0.0625, -5))?;
    x = push(&mut g, "relu6", ops::Clamp(Activation::Relu6), &[x], dtype, (0.031_25, -64))?;
    if dtype != DType::I16 {
        x = push(&mut g, "prelu", ops::Prelu, &[x, columns], dtype, (0.0625, 0))?;
        x = push(&mut g, "hard_swish", ops::HardSwish, &[x], dtype, (0.0625, 7))?;
    }
    let pool = |kernel| (kernel, Sliding::unit(Padding::Same));
    let (kernel, sliding) = pool([2, 2]);
    let quant = (0.0625, 7);
    x = push(&mut g, "sum of products", ops::Add { activation }, &[x, x], dtype, quant)?;
    x = push(&mut g, "max_pool", ops::MaxPool2d { kernel, sliding }, &[x], dtype, quant)?;
    x = push(&mut g, "average_pool", ops::AveragePool2d { kernel, sliding }, &[x], dtype, quant)?;
    let logistic = push(&mut g, "logistic", ops::Logistic, &[x], dtype, (1.0 / 256.0, -128))?;
    let tanh = push(&mut g, "tanh", ops::Tanh, &[x], dtype, (1.0 / 128.0, 0))?;
    let softmax = push(&mut g, "softmax", ops::Softmax, &[tanh], dtype, (1.0 / 256.0, -128))?;
    let mean = Op::from(ops::Mean { axes: vec![0, 2], keep_axes: true });
    let mean = push(&mut g, "mean", mean, &[logistic], dtype, (0.0078, -50))?;
    let sum = Op::from(ops::Sum { axes: vec![1], keep_axes: false });
    let sum = push(&mut g, "sum", sum, &[softmax], dtype, (0.0117, -60))?;
    let best = g.push("arg_max", ops::ArgMax { axis: 1 }, &[logistic])?;
    g[best].element = DType::I32;
    g.outputs.extend([mean, sum, best]);
    for to in [DType::I8, DType::I16, DType::F32] {
        let name = format!("to_{}", to.name());
        let converted = match (dtype, to) {
            (DType::F32, DType::F32) => continue,
            (_, DType::F32) => push(&mut g, &name, ops::Dequantize, &[tanh], to, (0.0, 0))?,
            _ => push(&mut g, &name, ops::Quantize, &[tanh], to, (0.01, 3))?,
        };
        g.outputs.push(converted);
    }
    Ok(g)
}

/// A node whose output is of type `dtype`. `scale` is for int8; int16 outputs have the scale that their operators ask for.
fn push(
    g: &mut Graph,
    name: &str,
    op: impl Into<Op>,
    inputs: &[TensorId],
    dtype: DType,
    quant: (f32, i32),
) -> Result<TensorId, GraphError> {
    let op = op.into();
    let fixed = op.is::<ops::Logistic>() || op.is::<ops::Tanh>() || op.is::<ops::Softmax>();
    let y = g.push(name, op, inputs)?;
    typed(g, y, dtype, quant);
    if let (true, Some(quant)) = (fixed && dtype == DType::I16, &mut g[y].quant) {
        quant.scales = vec![1.0 / 32768.0];
    }
    Ok(y)
}

fn typed(g: &mut Graph, id: TensorId, dtype: DType, (scale, zero_point): (f32, i32)) {
    g[id].element = dtype;
    g[id].quant = match dtype {
        DType::I8 => Some(Quant { scales: vec![scale], zero_point, axis: None }),
        DType::I16 => Some(Quant { scales: vec![scale / 128.0], zero_point: 0, axis: None }),
        _ => None,
    };
}

/// A constant operand without a visible pattern.
fn constant(g: &mut Graph, name: &str, shape: &[usize], dtype: DType) -> TensorId {
    let codes = (0..shape.iter().product::<usize>()).map(|i| ((i * i * 31 + i * 57 + 101) % 255) as u8 as i8);
    let data = match dtype {
        DType::I8 => Data::I8(codes.collect()),
        DType::I16 => Data::I16(codes.map(|code| i16::from(code) * 200).collect()),
        _ => Data::F32(codes.map(|code| f32::from(code) / 64.0).collect()),
    };
    let id = g.constant(name, shape, data);
    typed(g, id, dtype, (0.015_625, 9));
    id
}
