//! Half-space steps in training: a group that a gradient step turns around goes to zero, and stays there.
//!
//! specs/sparse_and_graph.md §2.8: the second stage of HSPG, for any regulariser whose gradient is a factor of each group.
//! The step is the optimizer's own, on the loss and the regulariser together.

use super::alive::Alive;
use super::error::SparsifyError;
use super::method::Stage;
use super::parameter_groups::ParameterGroups;
use niwaki_core::prox::half_space::half_space_scales;

/// A group goes when `⟨x̂_g, x_g⟩ < EPSILON ||x_g||²`: only groups that reverse go.
const EPSILON: f64 = 0.0;

/// How many groups stay, whatever the steps do: those that the target is met with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Floor {
    /// So many of each layer.
    Each(Vec<usize>),
    /// So many of all layers together, and one of each.
    All(usize),
}

impl Floor {
    /// How many groups may still go when `left` are left: of each layer, and of all together.
    fn room(&self, left: &[usize]) -> (Vec<usize>, usize) {
        match self {
            Self::Each(counts) => (left.iter().zip(counts).map(|(n, k)| n.saturating_sub(*k)).collect(), usize::MAX),
            Self::All(k) => {
                (left.iter().map(|n| n.saturating_sub(1)).collect(), left.iter().sum::<usize>().saturating_sub(*k))
            }
        }
    }
}

/// The second stage.
pub(super) struct HalfSpace {
    floor: Floor,
    /// Indices in the flat vector of all values that are in a group.
    grouped: Vec<usize>,
    /// The values before the step.
    before: Vec<f32>,
}

impl HalfSpace {
    /// # Errors
    /// [`SparsifyError::Group`].
    pub(super) fn new(layers: &ParameterGroups, floor: Floor) -> Result<Self, SparsifyError> {
        let none = vec![Vec::new(); layers.list.len()];
        Ok(Self { floor, grouped: layers.dropped_values(&none)?, before: Vec::new() })
    }

    /// Before a step: adds the regulariser's gradient `factors[j] · θ_j` to the gradients, and remembers the values.
    ///
    /// `factors` has one entry a group, all layers one after the other; groups at zero have none.
    ///
    /// # Errors
    /// [`SparsifyError::Group`].
    pub(super) fn pull(&mut self, stage: &mut Stage<'_>, factors: &[f32]) -> Result<(), SparsifyError> {
        let mut pull = stage.values.to_vec();
        let mut first = 0;
        for layer in &stage.layers.list {
            layer.scale(&mut pull, &factors[first..first + layer.groups])?;
            first += layer.groups;
        }
        self.grouped.iter().for_each(|&i| stage.gradients[i] += pull[i]);
        self.before.clear();
        self.before.extend_from_slice(stage.values);
        Ok(())
    }

    /// After the step: groups that turned around, or were at zero, leave; first those that turned furthest, ties to the
    /// lower index, and none below the floor.
    ///
    /// # Errors
    /// [`SparsifyError`].
    pub(super) fn drop_reversed(&mut self, stage: &mut Stage<'_>) -> Result<(), SparsifyError> {
        // How far each group turned, its layer, and the group.
        let mut turned: Vec<(f64, usize, usize)> = Vec::new();
        let mut kept = stage.alive.kept().clone();
        for (f, layer) in stage.layers.list.iter_mut().enumerate() {
            let squares = layer.squares(&self.before)?.to_vec();
            let name = layer.name.clone();
            let products = layer.products(stage.values, &self.before)?;
            let mut scales = vec![0.0_f32; squares.len()];
            half_space_scales(products, &squares, EPSILON, &mut scales)
                .map_err(|error| SparsifyError::Prox { layer: name, error })?;
            let cosine = |j: usize| if squares[j] == 0.0 { f64::NEG_INFINITY } else { products[j] / squares[j] };
            turned.extend(kept[f].iter().filter(|&&j| scales[j] == 0.0).map(|&j| (cosine(j), f, j)));
        }
        turned.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        let left: Vec<usize> = kept.iter().map(Vec::len).collect();
        let (mut each, mut all) = self.floor.room(&left);
        let mut gone: Vec<Vec<bool>> = stage.layers.list.iter().map(|layer| vec![false; layer.groups]).collect();
        for (_, f, j) in turned {
            if each[f] > 0 && all > 0 {
                gone[f][j] = true;
                each[f] -= 1;
                all -= 1;
            }
        }
        kept.iter_mut().zip(gone).for_each(|(kept, gone)| kept.retain(|&j| !gone[j]));
        if kept != *stage.alive.kept() {
            *stage.alive = Alive::new(stage.layers, kept)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, EngineOptions, Slots};
    use crate::sparsify::method::Moment;
    use crate::sparsify::options::Sparsity;
    use crate::zoo;

    /// The groups that are gone after one step in which group 2 of the first layer turned around, group 7 was zero
    /// before, group 5 of the second turned further than group 2, and everything else shrank to a half.
    fn gone_after_a_step(floor: Floor) -> Vec<Vec<usize>> {
        let graph = zoo::by_name("small-cnn").expect("in the zoo").build(&[8, 8, 1], 10, 1).expect("fits");
        let engine = Engine::new(&graph, EngineOptions { batch: 1, threads: 1 }).expect("a network");
        let mut layers = ParameterGroups::new(&graph, engine.parameters(), &Sparsity::default()).expect("has channels");
        let mut values = engine.values().to_vec();
        let scaled = |layers: &ParameterGroups, f: usize, j: usize, factor: f32, values: &mut [f32]| {
            let mut factors = vec![1.0; layers.list[f].groups];
            factors[j] = factor;
            layers.list[f].scale(values, &factors).expect("fits");
        };
        scaled(&layers, 0, 7, 0.0, &mut values);
        let mut half_space = HalfSpace::new(&layers, floor).expect("fits");
        let mut alive = Alive::new(&layers, layers.all()).expect("fits");
        let (mut gradients, mut slots) = (vec![0.0; values.len()], Slots::default());
        let at = Moment { epoch: 0, epochs: 1, step: 1, steps: 1, lr: 0.1, lambda: 1.0, half_space: true };
        let factors = vec![0.5; layers.groups()];
        let grouped: usize = layers.list.iter().flat_map(|f| &f.sizes).sum();
        let before = values.clone();
        let mut stage = Stage {
            layers: &mut layers,
            values: &mut values,
            gradients: &mut gradients,
            slots: &mut slots,
            alive: &mut alive,
            at,
        };
        half_space.pull(&mut stage, &factors).expect("fits");
        let pulled = stage.gradients.iter().zip(&before).filter(|(g, x)| **g == 0.5 * **x && **g != 0.0).count();
        assert!(pulled > 0 && pulled <= grouped);
        assert_eq!(pulled, stage.gradients.iter().filter(|g| **g != 0.0).count(), "values in no group have no penalty");
        stage.values.iter_mut().for_each(|value| *value *= 0.5);
        scaled(stage.layers, 0, 2, -1.0, stage.values);
        scaled(stage.layers, 1, 5, -2.0, stage.values);
        half_space.drop_reversed(&mut stage).expect("fits");
        let gone = |(kept, layer): (&Vec<usize>, &crate::sparsify::parameter_groups::LayerGroups)| {
            (0..layer.groups).filter(|j| !kept.contains(j)).collect()
        };
        alive.kept().iter().zip(&layers.list).map(gone).collect()
    }

    #[test]
    fn groups_that_turn_around_and_groups_at_zero_leave_and_others_stay() {
        assert_eq!(gone_after_a_step(Floor::Each(vec![1, 1, 1])), [vec![2, 7], vec![5], vec![]]);
        assert_eq!(gone_after_a_step(Floor::All(1)), [vec![2, 7], vec![5], vec![]]);
    }

    #[test]
    fn no_more_leave_than_the_target_allows_and_those_that_turned_furthest_are_first() {
        assert_eq!(gone_after_a_step(Floor::Each(vec![15, 32, 32])), [vec![7], vec![], vec![]]);
        assert_eq!(gone_after_a_step(Floor::All(79)), [vec![7], vec![], vec![]]);
        assert_eq!(gone_after_a_step(Floor::All(78)), [vec![7], vec![5], vec![]]);
        assert!(gone_after_a_step(Floor::All(80)).iter().all(Vec::is_empty));
    }
}
