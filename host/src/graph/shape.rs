//! Shape rules of every operator, and the check of a whole graph.

mod movement;
mod nodes;

use super::{Graph, GraphError, Node, Op, Role};
use crate::ops;

/// The output shape of `op` for these input shapes; `Err` says what does not fit.
///
/// # Errors
/// A sentence that names the operand.
pub fn infer(op: &Op, inputs: &[&[usize]]) -> Result<Vec<usize>, String> {
    let arity = |allowed: std::ops::RangeInclusive<usize>| {
        if allowed.contains(&inputs.len()) {
            Ok(())
        } else {
            Err(format!("takes {allowed:?} inputs, got {}", inputs.len()))
        }
    };
    let vector = |name: &str, i: usize, len: usize| match inputs.get(i) {
        None => Ok(()),
        Some(&[n]) if *n == len => Ok(()),
        Some(other) => Err(format!("{name} must be [{len}], got {other:?}")),
    };
    match op {
        Op::Conv2d(ops::Conv2d { sliding, .. }) => {
            arity(2..=3)?;
            let &[h, w, c] = inputs[0] else { return Err("x must be [H, W, C]".into()) };
            let &[o, kh, kw, i] = inputs[1] else { return Err("w must be [O, KH, KW, I]".into()) };
            if i != c {
                return Err(format!("w reads {i} channels, x has {c}"));
            }
            vector("bias", 2, o)?;
            let win = sliding.window([h, w], [kh, kw]).map_err(|e| e.to_string())?;
            Ok(vec![win.y.output(), win.x.output(), o])
        }
        Op::DepthwiseConv2d(ops::DepthwiseConv2d { sliding, .. }) => {
            arity(2..=3)?;
            let &[h, w, c] = inputs[0] else { return Err("x must be [H, W, C]".into()) };
            let &[kh, kw, o] = inputs[1] else { return Err("w must be [KH, KW, C * multiplier]".into()) };
            if c == 0 || o % c != 0 || o == 0 {
                return Err(format!("{o} output channels are no multiple of {c} input channels"));
            }
            vector("bias", 2, o)?;
            let win = sliding.window([h, w], [kh, kw]).map_err(|e| e.to_string())?;
            Ok(vec![win.y.output(), win.x.output(), o])
        }
        Op::Dense(_) => {
            arity(2..=3)?;
            let &[o, i] = inputs[1] else { return Err("w must be [O, I]".into()) };
            let len: usize = inputs[0].iter().product();
            if len != i {
                return Err(format!("w reads {i} elements, x has {len}"));
            }
            vector("bias", 2, o)?;
            Ok(vec![o])
        }
        Op::BatchNorm(_) => {
            arity(5..=5)?;
            let &c = inputs[0].last().ok_or("x must have a channel axis")?;
            for (i, name) in ["gamma", "beta", "running_mean", "running_var"].iter().enumerate() {
                vector(name, i + 1, c)?;
            }
            Ok(inputs[0].to_vec())
        }
        Op::Clamp(_)
        | Op::Softmax(_)
        | Op::Logistic(_)
        | Op::Tanh(_)
        | Op::LeakyRelu(_)
        | Op::HardSwish(_)
        | Op::Quantize(_)
        | Op::Dequantize(_) => {
            arity(1..=1)?;
            Ok(inputs[0].to_vec())
        }
        Op::Add(_) | Op::Sub(_) | Op::Mul(_) => {
            arity(2..=2)?;
            broadcast(inputs[0], inputs[1])
        }
        Op::Prelu(_) => {
            arity(2..=2)?;
            let shape = broadcast(inputs[0], inputs[1])?;
            if shape == inputs[0] { Ok(shape) } else { Err("alpha must broadcast to x".into()) }
        }
        Op::Mean(ops::Mean { axes, keep_axes }) | Op::Sum(ops::Sum { axes, keep_axes }) => {
            arity(1..=1)?;
            reduced(inputs[0], axes, *keep_axes)
        }
        Op::ArgMax(ops::ArgMax { axis }) => {
            arity(1..=1)?;
            reduced(inputs[0], &[*axis], false)
        }
        Op::MaxPool2d(ops::MaxPool2d { kernel, sliding })
        | Op::AveragePool2d(ops::AveragePool2d { kernel, sliding }) => {
            arity(1..=1)?;
            let &[h, w, c] = inputs[0] else { return Err("x must be [H, W, C]".into()) };
            if sliding.dilation != [1, 1] {
                return Err("pooling has no dilation".into());
            }
            let win = sliding.window([h, w], *kernel).map_err(|e| e.to_string())?;
            Ok(vec![win.y.output(), win.x.output(), c])
        }
        Op::Reshape(ops::Reshape { shape }) => {
            arity(1..=1)?;
            if shape.iter().product::<usize>() != inputs[0].iter().product::<usize>() {
                return Err(format!("cannot become {shape:?}"));
            }
            Ok(shape.clone())
        }
        Op::Pad(_)
        | Op::Concat(_)
        | Op::Slice(_)
        | Op::Transpose(_)
        | Op::ResizeNearest(_)
        | Op::ResizeBilinear(_)
        | Op::TransposeConv2d(_) => movement::infer(op, inputs),
        Op::Propagate(_) | Op::KeepEdges(_) | Op::SparseDense(_) | Op::Gather(_) | Op::Dropout(_) => {
            nodes::infer(op, inputs)
        }
    }
}

/// NumPy's rule: axes aligned at the last, of one size or of size 1 in either.
fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>, String> {
    let rank = a.len().max(b.len());
    let axis = |shape: &[usize], i: usize| (i + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
    let size = |i: usize| match (axis(a, i), axis(b, i)) {
        (a, b) if a == b || b == 1 => Ok(a),
        (1, b) => Ok(b),
        _ => Err("the operands' shapes do not broadcast: axes must have one size or 1, counted from the last".into()),
    };
    (0..rank).map(size).collect()
}

/// `shape` without `axes`, or with 1 in their place.
fn reduced(shape: &[usize], axes: &[usize], keep: bool) -> Result<Vec<usize>, String> {
    if axes.is_sorted_by(|a, b| a < b) && axes.last().is_none_or(|&last| last < shape.len()) {
        let sizes = shape.iter().enumerate();
        Ok(sizes.filter_map(|(i, &size)| if axes.contains(&i) { keep.then_some(1) } else { Some(size) }).collect())
    } else {
        Err(format!("axes {axes:?} must ascend and be axes of x"))
    }
}

impl Graph {
    /// Checks order, shapes and data of the whole graph.
    ///
    /// # Errors
    /// The first thing that does not fit, by node and tensor name.
    pub fn validate(&self) -> Result<(), GraphError> {
        for t in &self.tensors {
            let len = match &t.data {
                None if t.role == Role::Activation => continue,
                None => 0,
                Some(data) => data.len(),
            };
            if len != t.element_count() {
                return Err(GraphError::Data { tensor: t.name.clone(), shape: t.shape.clone(), len });
            }
        }
        let mut written: Vec<bool> = self.tensors.iter().map(|t| t.data.is_some()).collect();
        for id in &self.inputs {
            written[id.0] = true;
        }
        for node in &self.nodes {
            for id in &node.inputs {
                if !written[id.0] {
                    return Err(GraphError::Order {
                        op: node.op.name(),
                        node: node.name.clone(),
                        tensor: self[*id].name.clone(),
                    });
                }
            }
            let shape = self.infer_node(node)?;
            if shape != self[node.output].shape {
                let what = format!("output is declared {:?} but comes out {shape:?}", self[node.output].shape);
                return Err(self.shape_error(node, what));
            }
            written[node.output.0] = true;
        }
        Ok(())
    }

    /// The output shape of `node` from the shapes of its inputs.
    ///
    /// # Errors
    /// [`GraphError::Shape`].
    pub fn infer_node(&self, node: &Node) -> Result<Vec<usize>, GraphError> {
        let shapes: Vec<&[usize]> = node.inputs.iter().map(|&i| self[i].shape.as_slice()).collect();
        infer(&node.op, &shapes).map_err(|what| self.shape_error(node, what))
    }

    /// Recomputes every activation's shape, after a pass that changed constants. A reshape keeps all axes of its result
    /// but the last, which takes what there is.
    ///
    /// # Errors
    /// [`GraphError::Shape`].
    pub fn propagate_shapes(&mut self) -> Result<(), GraphError> {
        for n in 0..self.nodes.len() {
            let elements = self[self.nodes[n].inputs[0]].element_count();
            if let Op::Reshape(ops::Reshape { shape }) = &mut self.nodes[n].op
                && let Some((last, rest)) = shape.split_last_mut()
            {
                *last = elements / rest.iter().product::<usize>().max(1);
            }
            let shape = self.infer_node(&self.nodes[n])?;
            let output = self.nodes[n].output;
            self[output].shape = shape;
        }
        Ok(())
    }

    fn shape_error(&self, node: &Node, what: String) -> GraphError {
        GraphError::Shape {
            op: node.op.name(),
            node: node.name.clone(),
            what,
            shapes: node.inputs.iter().map(|&i| self[i].shape.clone()).collect(),
        }
    }
}
