//! Graphs, TEDDY, and learning on nodes.

use core::hint::black_box;
use niwaki_core::error::GraphError;
use niwaki_core::graph::propagate::{self, AttentionVectors};
use niwaki_core::graph::{Csr, Index, Undirected};
use niwaki_core::learn::fixed_point::{Contraction, Phi, Stop, degree_weights, degree_weights_gradient};
use niwaki_core::learn::single_forward::{Outputs, normalize_rows};
use niwaki_core::real::Real;
use niwaki_core::select::Cut;
use niwaki_core::teddy::{self, DropUnit, Scores};

fn operators<O: Index, I: Index, T: Real>(
    (offsets, indices, columns): (&[O], &[I], usize),
    by: &AttentionVectors<'_, T>,
    x: &[T],
    y: &mut [T],
) -> Result<(), GraphError> {
    let graph = Csr::try_new(offsets, indices, columns)?;
    let pairs = Undirected::try_new(graph)?;
    black_box((pairs.pairs().count(), pairs.csr().self_loops(), graph.contains(columns, columns)));
    propagate::gcn_factors(&graph, y)?;
    propagate::gcn(&graph, by.source, x, y)?;
    propagate::sum(&graph, by.slope, x, y)?;
    propagate::mean(&graph, x, y)?;
    propagate::attention(&graph, by, x, y)?;
    propagate::sparse_dense(&graph, Some(by.source), x, y)
}

fn sparse<O: Index, I: Index, T: Real>(
    (offsets, indices, columns): (&[O], &[I], usize),
    unit: DropUnit,
    [scratch, nodes, scores]: [&mut [T]; 3],
    keep: &mut [bool],
    [order, ranks]: [&mut [u32]; 2],
) -> Result<(), GraphError> {
    let graph = Csr::try_new(offsets, indices, columns)?;
    teddy::node_scores(&graph, scratch, nodes)?;
    let all = Scores::try_new(graph, nodes)?;
    all.write(scores)?;
    teddy::prune(&all, unit, unit.drop_count(columns, teddy::level_ratio(0.05, 3)), keep)?;
    black_box(teddy::ranks(&graph, scores, unit, order, ranks)?);
    black_box(Cut::above_smallest_of(|| scores.iter().copied(), columns));
    teddy::project_l0(&mut [scratch, scores], teddy::zero_count(columns, 0.5));
    Ok(())
}

fn learning<O: Index, I: Index, T: Real>(
    (offsets, indices, columns): (&[O], &[I], usize),
    (outputs, labels): (&Outputs<'_, T>, &[u32]),
    (gamma, phi, stop): (T, Phi, Stop),
    [a, b, c, d]: [&mut [T]; 4],
) -> Result<(), GraphError> {
    normalize_rows(a, columns)?;
    outputs.vote(a, b, c)?;
    black_box(outputs.loss_and_gradients(labels, a, b, c)?);
    let graph = Csr::try_new(offsets, indices, columns)?;
    degree_weights(&graph, columns, a, b)?;
    degree_weights_gradient(&graph, columns, a, b)?;
    let map = Contraction::try_new(graph, graph, outputs.hidden, columns, gamma, phi)?;
    black_box(map.solve(a, stop, b, c)?);
    black_box(map.gradients(a, b, stop, (c, d), &mut []))?;
    Ok(())
}

/// The functions that the generic ones above become.
pub type Graphs<O, I, T> = (
    fn((&[O], &[I], usize), &AttentionVectors<'_, T>, &[T], &mut [T]) -> Result<(), GraphError>,
    fn((&[O], &[I], usize), DropUnit, [&mut [T]; 3], &mut [bool], [&mut [u32]; 2]) -> Result<(), GraphError>,
    fn((&[O], &[I], usize), (&Outputs<'_, T>, &[u32]), (T, Phi, Stop), [&mut [T]; 4]) -> Result<(), GraphError>,
);

/// Small graphs.
pub static NARROW: Graphs<u16, u16, f32> = (operators, sparse, learning);

/// Large graphs.
pub static WIDE: Graphs<u32, u32, f64> = (operators, sparse, learning);
