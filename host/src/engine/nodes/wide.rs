//! The first layer of a network over a graph and the dense layers that read it, 64 hidden channels at a time.
//!
//! Sparse product, propagation, clamp and dropout keep channels apart, and a dense layer's products add up over them. So
//! a block of channels goes through all of them while it lies in the cache, each thread takes blocks of its own, and only
//! the few channels behind the dense layers are summed over blocks, in their order. The block before any dropout is kept
//! from the evaluation after one step to the training of the next: its operands are the same.

use super::super::elementwise::{Clamp, bias_activation};
use super::super::gemm::{Into, Matrix, gemm};
use super::super::real::Real;
use super::super::simd::vectorize;
use super::dropout::Mask;
use super::gather::Gather;
use super::linear::Linear;
use super::pool::Pool;
use super::resolve::{Kernel, Step};
use super::sparse_dense::SparseDense;
use super::{Randomness, own};
use crate::graph::Activation;
use pulp::Arch;
use std::ops::Range;

/// Channels of a block: what a row takes of each of four cache lines.
const BLOCK: usize = 64;

/// A dense layer that reads the hidden channels, or what dropout leaves of them.
pub(super) struct Head {
    pub(super) op: Linear,
    w: Range<usize>,
    bias: Option<Range<usize>>,
    dropout: Option<(f32, usize)>,
    /// The value that it writes.
    pub(super) output: usize,
}

/// `head_k(dropout_k(clamp(G (F w))))`
pub(super) struct Wide<T> {
    features: SparseDense<T>,
    w: Range<usize>,
    gather: Gather<T>,
    eps: Option<Range<usize>>,
    activation: Activation,
    pub(super) heads: Vec<Head>,
    nodes: usize,
    hidden: usize,
    blocks: Vec<Block<T>>,
}

/// One block of channels and everything that one thread needs for it.
struct Block<T> {
    channels: Range<usize>,
    /// `[inputs, width]`: these columns of `w`, then of its gradient.
    w: Vec<T>,
    /// `[nodes, width]`: the sparse product.
    product: Vec<T>,
    /// After propagation and clamp.
    hidden: Vec<T>,
    /// Two places for gradients.
    gradients: [Vec<T>; 2],
    eps_gradient: T,
    heads: Vec<HeadBlock<T>>,
}

struct HeadBlock<T> {
    /// `[outputs, width]`: these columns of the head's weights, then of their gradient.
    w: Vec<T>,
    /// `[nodes, outputs]`: this block's part of the sums.
    part: Vec<T>,
    /// `[nodes, width]`: what dropout leaves; empty without dropout.
    dropped: Vec<T>,
}

/// The steps of `steps` that one [`Wide`] computes: positions of the sparse product, the propagation, and of each head
/// with its dropout.
struct Found {
    features: usize,
    gather: usize,
    heads: Vec<(usize, Option<usize>)>,
}

fn find<T>(steps: &[Step<T>], output: usize) -> Option<Found> {
    let readers =
        |value: usize| -> Vec<usize> { (0..steps.len()).filter(|step| steps[*step].inputs.contains(&value)).collect() };
    let only = |value: usize| match readers(value).as_slice() {
        &[reader] if value != output => Some(reader),
        _ => None,
    };
    let is_head = |step: usize| matches!(steps[step].kernel, Kernel::Linear { .. });
    (0..steps.len()).find_map(|features| {
        let Kernel::SparseDense { bias: None, op, .. } = &steps[features].kernel else { return None };
        let gather = only(steps[features].output).filter(|_| op.activation == Activation::None)?;
        let Kernel::Gather { .. } = &steps[gather].kernel else { return None };
        let hidden = steps[gather].output;
        let mut heads = Vec::new();
        for reader in readers(hidden) {
            match &steps[reader].kernel {
                Kernel::Linear { .. } => heads.push((reader, None)),
                Kernel::Dropout { .. } => {
                    heads.push((only(steps[reader].output).filter(|step| is_head(*step))?, Some(reader)));
                }
                _ => return None,
            }
        }
        (hidden != output && !heads.is_empty()).then_some(Found { features, gather, heads })
    })
}

/// Replaces the steps that a [`Wide`] can compute by one.
pub(super) fn fuse<T: Real>(steps: Vec<Step<T>>, output: usize, nodes: usize) -> Vec<Step<T>> {
    let Some(found) = find(&steps, output) else { return steps };
    let mut taken: Vec<Option<Step<T>>> = steps.into_iter().map(Some).collect();
    let mut take = |step: usize| taken[step].take();
    let mut heads = Vec::new();
    for &(linear, dropout) in &found.heads {
        let dropout = dropout.and_then(&mut take).and_then(|step| match step.kernel {
            Kernel::Dropout { rate, layer } => Some((rate, layer)),
            _ => None,
        });
        if let Some(Step { kernel: Kernel::Linear { op, w, bias }, output, .. }) = take(linear) {
            heads.push(Head { op, w, bias, dropout, output });
        }
    }
    let (features, gather) = (take(found.features), take(found.gather));
    let (Some(features), Some(gather)) = (features, gather) else { unreachable!("found among the steps") };
    let (Kernel::SparseDense { op: features, w, .. }, Kernel::Gather { op: gather, eps, activation }) =
        (features.kernel, gather.kernel)
    else {
        unreachable!("found by their kinds")
    };
    let wide = Wide::new(features, w, *gather, eps, activation, heads, nodes);
    let output = wide.heads[0].output;
    let kernel = Kernel::Wide(Box::new(wide));
    let mut fused: Vec<Step<T>> = vec![Step { kernel, inputs: Vec::new(), output, shared: false }];
    fused.extend(taken.into_iter().flatten());
    fused
}

impl<T: Real> Wide<T> {
    fn new(
        features: SparseDense<T>,
        w: Range<usize>,
        gather: Gather<T>,
        eps: Option<Range<usize>>,
        activation: Activation,
        heads: Vec<Head>,
        nodes: usize,
    ) -> Self {
        let hidden = heads[0].op.inputs;
        let inputs = w.len() / hidden;
        let zeros = |len: usize| vec![T::ZERO; len];
        let block = |first: usize| {
            let width = BLOCK.min(hidden - first);
            let head = |head: &Head| HeadBlock {
                w: zeros(head.op.outputs * width),
                part: zeros(head.op.outputs * nodes),
                dropped: zeros(if head.dropout.is_some() { nodes * width } else { 0 }),
            };
            Block {
                channels: first..first + width,
                w: zeros(inputs * width),
                product: zeros(nodes * width),
                hidden: zeros(nodes * width),
                gradients: [zeros(nodes * width), zeros(nodes * width)],
                eps_gradient: T::ZERO,
                heads: heads.iter().map(head).collect(),
            }
        };
        let blocks = (0..hidden).step_by(BLOCK).map(block).collect();
        Self { features, w, gather, eps, activation, heads, nodes, hidden, blocks }
    }

    /// Every head's output: `outputs[k]` of head `k`. `fresh`: the hidden channels belong to the values as they are.
    pub(super) fn forward(
        &mut self,
        arch: Arch,
        pool: &Pool,
        all: &[T],
        training: Option<Randomness>,
        fresh: bool,
        outputs: &mut [Vec<T>],
    ) {
        let Self { features, w, gather, eps, activation, heads, nodes, hidden, blocks } = self;
        let (nodes, hidden) = (*nodes, *hidden);
        let own = own(gather.own, eps, all);
        pool.parts(blocks, 1, |_, blocks| {
            for block in blocks {
                let width = block.channels.len();
                if !fresh {
                    pack(&all[w.clone()], hidden, &block.channels, &mut block.w);
                    features.forward_block(arch, &block.w, &mut block.product);
                    gather.forward_block(arch, own, *activation, &block.product, &mut block.hidden);
                }
                for (head, at) in heads.iter().zip(&mut block.heads) {
                    pack(&all[head.w.clone()], hidden, &block.channels, &mut at.w);
                    let x = match (head.dropout, training) {
                        (Some((rate, layer)), Some(Randomness { seed, step })) => {
                            let mask = Mask::new(rate, seed, step, layer);
                            let first = block.channels.start * nodes;
                            mask.apply_from(arch, first, rate, &block.hidden, &mut at.dropped);
                            &at.dropped
                        }
                        _ => &block.hidden,
                    };
                    let (x, w) = (Matrix::new(x, nodes, width), Matrix::new(&at.w, head.op.outputs, width));
                    gemm(x, w.t(), Into::Write, &mut at.part);
                }
            }
        });
        for (k, (head, output)) in heads.iter().zip(outputs).enumerate() {
            let (first, rest) = blocks.split_first().expect("a layer has channels");
            output.copy_from_slice(&first.heads[k].part);
            vectorize!(arch, {
                for block in rest {
                    for (sum, part) in output.iter_mut().zip(&block.heads[k].part) {
                        *sum += *part;
                    }
                }
            });
            bias_activation(arch, head.bias.clone().map(|range| &all[range]), head.op.activation, output);
        }
    }

    /// Gradients of all weights from those of every head's output, `dys[k]`, which its clamp has gone over.
    pub(super) fn backward(
        &mut self,
        arch: Arch,
        pool: &Pool,
        all: &[T],
        randomness: Randomness,
        dys: &[Vec<T>],
        gradients: &mut [T],
    ) {
        let Self { features, w, gather, eps, activation, heads, nodes, hidden, blocks } = self;
        let (nodes, hidden) = (*nodes, *hidden);
        let own = own(gather.own, eps, all);
        pool.parts(blocks, 1, |_, blocks| {
            for block in blocks {
                let width = block.channels.len();
                let [d_hidden, d_product] = &mut block.gradients;
                for (k, ((head, at), dy)) in heads.iter().zip(&mut block.heads).zip(dys).enumerate() {
                    let mask = head.dropout.map(|(rate, layer)| {
                        let Randomness { seed, step } = randomness;
                        (rate, Mask::new(rate, seed, step, layer))
                    });
                    let scratch = &mut *d_product;
                    spread(arch, head.op.outputs, &at.w, dy, scratch);
                    if let Some((rate, mask)) = mask {
                        mask.apply_in_place_from(arch, block.channels.start * nodes, rate, scratch);
                    }
                    match k {
                        0 => std::mem::swap(d_hidden, d_product),
                        _ => vectorize!(arch, {
                            for (sum, d) in d_hidden.iter_mut().zip(&*d_product) {
                                *sum += *d;
                            }
                        }),
                    }
                    let x = if mask.is_some() { &at.dropped } else { &block.hidden };
                    let (dy, x) = (Matrix::new(dy, nodes, head.op.outputs), Matrix::new(x, nodes, width));
                    gemm(dy.t(), x, Into::Write, &mut at.w);
                }
                if *activation != Activation::None {
                    let clamp = Clamp::new(*activation);
                    vectorize!(arch, {
                        for (d, y) in d_hidden.iter_mut().zip(&block.hidden) {
                            *d = clamp.mask(*y, *d);
                        }
                    });
                }
                if eps.is_some() {
                    block.eps_gradient = gather.own_gradient(&block.product, d_hidden);
                }
                gather.input_gradient_block(arch, own, d_hidden, d_product);
                features.weight_gradient_block(arch, d_product, &mut block.w);
            }
        });
        let blocks = &*blocks;
        if let Some(eps) = eps {
            blocks.iter().for_each(|block| gradients[eps.start] += block.eps_gradient);
        }
        for (k, (head, dy)) in heads.iter().zip(dys).enumerate() {
            if let Some(bias) = &head.bias {
                Linear::bias_gradient(arch, dy, &mut gradients[bias.clone()]);
            }
            unpack(pool, blocks, |block| &block.heads[k].w, hidden, &mut gradients[head.w.clone()]);
        }
        unpack(pool, blocks, |block| &block.w, hidden, &mut gradients[w.clone()]);
    }
}

/// Columns of a row-major matrix.
fn pack<T: Copy>(from: &[T], columns: usize, channels: &Range<usize>, to: &mut [T]) {
    for (from, to) in from.chunks_exact(columns).zip(to.chunks_exact_mut(channels.len())) {
        to.copy_from_slice(&from[channels.clone()]);
    }
}

/// Every block's columns back into the matrix.
fn unpack<T: Real>(
    pool: &Pool,
    blocks: &[Block<T>],
    of: impl Fn(&Block<T>) -> &[T] + Sync,
    columns: usize,
    to: &mut [T],
) {
    pool.rows(to, columns, |start, part| {
        for (row, to) in (start / columns..).zip(part.chunks_exact_mut(columns)) {
            for block in blocks {
                let width = block.channels.len();
                to[block.channels.clone()].copy_from_slice(&of(block)[row * width..][..width]);
            }
        }
    });
}

/// `dx = dy w` for few outputs and one block of channels.
fn spread<T: Real>(arch: Arch, outputs: usize, w: &[T], dy: &[T], dx: &mut [T]) {
    let width = w.len() / outputs;
    vectorize!(arch, {
        for (dy, dx) in dy.chunks_exact(outputs).zip(dx.chunks_exact_mut(width)) {
            dx.fill(T::ZERO);
            for (dy, w) in dy.iter().zip(w.chunks_exact(width)) {
                for (dx, w) in dx.iter_mut().zip(w) {
                    *dx += *dy * *w;
                }
            }
        }
    });
}
