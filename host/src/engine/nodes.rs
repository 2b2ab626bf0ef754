//! Training over the nodes of a graph: losses over rows, gradients of the caller's, weights of edges.

use super::EngineOf;
use super::dropout::Randomness;
use super::error::EngineError;
use super::kernel::Kernel;
use super::lane::Batch;
use super::loss::Loss;
use super::objective::Objective;
use super::passes::StepList;
use super::real::Real;

/// What every directed edge counts, and the gradient of that.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeMask<T> {
    /// In the order of the graph's edges; those of GCN leave self loops out.
    pub values: Vec<T>,
    /// Of the last step, summed over the layers.
    pub gradients: Vec<T>,
}

impl<T: Real> EngineOf<T> {
    /// A training step without its update over a network that has its data in it: dropout, loss,
    /// [`gradients`](Self::gradients).
    ///
    /// # Numerics
    /// The same bits for any number of threads.
    ///
    /// # Errors
    /// [`EngineError`] names what does not fit; nothing has changed then.
    pub fn loss_and_gradients_of_nodes(
        &mut self,
        objective: &Objective<'_, T>,
        randomness: Randomness,
    ) -> Result<Loss, EngineError> {
        self.check_input(&[], 1)?;
        let classes = self.plan.classes;
        objective.check(self.plan.value_lens[self.plan.logits] / classes, classes)?;
        let batch = Batch { objective: Some(objective), random: Some(randomness), ..Batch::unlabelled(&[], 1) };
        Ok(self.training_step(&batch))
    }

    /// The gradients of a loss that the caller has, over a network that has its data in it: `gradient` is its derivative
    /// by the scores that [`logits`](Self::logits) gave last.
    ///
    /// # Errors
    /// [`EngineError::Len`]; [`EngineError::Tensor`] for a network with dropout or batch norm, whose training is not its
    /// inference.
    pub fn gradients_from(&mut self, gradient: &[T]) -> Result<(), EngineError> {
        self.check_input(&[], 1)?;
        let expected = self.plan.value_lens[self.plan.logits];
        if gradient.len() != expected {
            return Err(EngineError::Len { what: "gradient", batch: 1, expected, got: gradient.len() });
        }
        if let Some(op) = self.plan.operators.iter().zip(&self.plan.fixed).find(|(_, fixed)| !**fixed) {
            let what = "it depends on dropout or on batch norm: gradients of a loss outside the engine are those of \
                        inference";
            return Err(EngineError::Tensor { tensor: self.names[op.0.output].clone(), what });
        }
        self.begin(1);
        self.forget_gradients(1);
        self.lanes[0].set_gradient(&self.plan, gradient);
        self.run(StepList::Backward, &Batch::unlabelled(&[], 1));
        self.reduce_gradients(1);
        Ok(())
    }

    /// Weights of the edges of every propagation, 1 to begin with, that gradients are computed for; `None` takes them
    /// away.
    ///
    /// # Errors
    /// [`EngineError::Len`] unless there is one an edge.
    pub fn set_edge_mask(&mut self, mask: Option<Vec<T>>) -> Result<(), EngineError> {
        self.fresh = false;
        let entries = self.plan.operators.iter().find_map(|operator| match &operator.kernel {
            Kernel::Propagate { op, .. } => Some(op.entries()),
            _ => None,
        });
        let (expected, got) = (entries.unwrap_or(0), mask.as_ref().map_or(0, Vec::len));
        if mask.is_some() && got != expected {
            return Err(EngineError::Len { what: "edge mask", batch: 1, expected, got });
        }
        let zeros = || vec![T::ZERO; got];
        self.lanes.iter_mut().for_each(|lane| lane.edge_gradients = zeros());
        self.edges = mask.map(|values| EdgeMask { gradients: zeros(), values });
        Ok(())
    }

    /// The weights of edges and their gradients, if they were set.
    pub fn edge_mask(&mut self) -> Option<&mut EdgeMask<T>> {
        self.fresh = false;
        self.edges.as_mut()
    }
}
