//! Distillation: a loss between the labels and the softened scores of a teacher.

use super::lane::Batch;
use super::loss::{Loss, LossSum};
use super::real::Real;
use super::{EngineError, EngineOf};

/// How much a student listens to its teacher (Hinton, Vinyals & Dean 2015, section 2).
///
/// With `w` the weight, `T` the temperature, `z` the student's scores and `t` the teacher's, one sample's loss is
/// `(1 - w) CE(z, label) + w T² KL(softmax(t / T) ‖ softmax(z / T))`. The factor `T²` keeps the two gradients of one
/// size, whatever the temperature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distillation {
    /// The teacher's share of the loss, in `0..=1`.
    pub weight: f64,
    /// What scores are divided by, finite and above 0; above 1, classes that lost by little count too.
    pub temperature: f64,
}

/// A teacher's scores `[batch, classes]` and what they count for.
pub(super) struct Teacher<'a, T> {
    pub(super) logits: &'a [T],
    pub(super) options: Distillation,
}

impl<T> Teacher<'_, T> {
    /// The loss of a whole batch from its two sums.
    pub(super) fn total(&self, sum: &LossSum) -> f64 {
        let Distillation { weight, temperature } = self.options;
        (1.0 - weight) * sum.total + weight * temperature * temperature * sum.divergence
    }
}

impl<T: Real> EngineOf<T> {
    /// Inference: the scores that the loss reads, `[batch, classes]`: the graph's output before its final softmax. This
    /// is what a teacher hands to [`distill`](Self::distill).
    ///
    /// # Shapes
    /// `x: [batch, input]`
    ///
    /// # Errors
    /// [`EngineError::Batch`] or [`EngineError::Len`].
    pub fn logits(&mut self, x: &[T], batch: usize) -> Result<&[T], EngineError> {
        self.check_input(x, batch)?;
        Ok(self.infer(self.plan.logits, x, batch))
    }

    /// As [`loss_and_gradients`](Self::loss_and_gradients), with the loss of [`Distillation`].
    ///
    /// # Shapes
    /// `x: [batch, input] · labels: [batch] · teacher: [batch, classes]`, scores before the softmax
    ///
    /// # Numerics
    /// The same bits for any number of threads. With weight 0, the bits of `loss_and_gradients`; where the teacher's
    /// scores are the student's own, its share of loss and gradient is exactly 0.
    ///
    /// # Errors
    /// [`EngineError`] names what does not fit; nothing has changed then.
    pub fn distill(
        &mut self,
        x: &[T],
        labels: &[u32],
        teacher: &[T],
        options: Distillation,
    ) -> Result<Loss, EngineError> {
        self.check_labels(x, labels)?;
        options.check()?;
        let (batch, classes) = (labels.len(), self.plan.value_lens[self.plan.logits]);
        if teacher.len() != batch * classes {
            let (expected, got) = (batch * classes, teacher.len());
            return Err(EngineError::Len { what: "teacher", batch, expected, got });
        }
        let teacher = (options.weight > 0.0).then_some(Teacher { logits: teacher, options });
        let rounded = self.rounded_input(x);
        Ok(self.training_step(&Batch { teacher, ..Batch::labelled(rounded.as_deref().unwrap_or(x), labels) }))
    }
}

impl Distillation {
    fn check(self) -> Result<(), EngineError> {
        let Self { weight, temperature } = self;
        let wrong = |name, value, range| Err(EngineError::Distillation { name, value, range });
        if !(0.0..=1.0).contains(&weight) {
            return wrong("weight", weight, "in 0..=1");
        }
        if !(temperature.is_finite() && temperature > 0.0) {
            return wrong("temperature", temperature, "finite and above 0");
        }
        Ok(())
    }

    /// Turns the gradient of the mean cross-entropy in `dlogits` into that of this loss,
    /// `(1 - w) dlogits + w T (softmax(z / T) - softmax(t / T)) / batch`, and adds the divergence of the rows to `sum`.
    pub(super) fn blend<T: Real>(
        self,
        classes: usize,
        batch: usize,
        logits: &[T],
        teacher: &[T],
        sum: &mut LossSum,
        dlogits: &mut [T],
    ) {
        let (hard, soft) = (1.0 - self.weight, self.weight * self.temperature / batch as f64);
        let rows = logits.chunks_exact(classes).zip(teacher.chunks_exact(classes));
        for ((z, t), drow) in rows.zip(dlogits.chunks_exact_mut(classes)) {
            let (student, taught) = (LogSoftmax::new(z, self.temperature), LogSoftmax::new(t, self.temperature));
            for ((&z, &t), d) in z.iter().zip(t).zip(drow) {
                let (ln_q, ln_p) = (student.of(z), taught.of(t));
                let (q, p) = (ln_q.exp(), ln_p.exp());
                // A class without any probability costs nothing, however the student scores it.
                sum.divergence += if p == 0.0 { 0.0 } else { p * (ln_p - ln_q) };
                *d = T::from_f64(hard * d.to_f64() + soft * (q - p));
            }
        }
    }
}

/// `ln softmax(row / temperature)`, in f64: classes are few.
struct LogSoftmax {
    top: f64,
    ln_sum: f64,
    temperature: f64,
}

impl LogSoftmax {
    fn new<T: Real>(row: &[T], temperature: f64) -> Self {
        let top = row.iter().fold(f64::NEG_INFINITY, |top, z| top.max(z.to_f64()));
        let sum: f64 = row.iter().map(|z| ((z.to_f64() - top) / temperature).exp()).sum();
        Self { top, ln_sum: sum.ln(), temperature }
    }

    fn of<T: Real>(&self, z: T) -> f64 {
        (z.to_f64() - self.top) / self.temperature - self.ln_sum
    }
}
