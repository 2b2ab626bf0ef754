//! Running a verified model in a caller-owned arena: cannot fail, cannot panic, cannot allocate.

pub use crate::format::{Element, Model, Operator};

use crate::error::SessionError;
use crate::format::ALIGN;

/// A model with its working memory.
///
/// # Examples
/// ```
/// # use niwaki_core::{format::Aligned, ops, session::{Model, Session}};
/// # fn infer(file: &[u8], frame: &[i8]) -> Result<i8, Box<dyn std::error::Error>> {
/// let model = Model::verify(file, ops::ALL)?; // the only place where the file can be refused
/// let mut arena = Aligned([0_u8; 4096]);
/// let mut session = Session::new(&model, &mut *arena)?;
/// session.input_mut(0).copy_from_slice(frame);
/// session.run();
/// # let scores: &[i8] = session.output(0);
/// # Ok(scores[0]) }
/// ```
pub struct Session<'m, 'a> {
    model: &'a Model<'m>,
    arena: &'a mut [u8],
}

impl<'m, 'a> Session<'m, 'a> {
    /// Lends the model its memory, which is zeroed.
    ///
    /// # Errors
    /// [`SessionError`] when `arena` is shorter than [`Model::arena_bytes`] or not at a 16-byte boundary.
    pub fn new(model: &'a Model<'m>, arena: &'a mut [u8]) -> Result<Self, SessionError> {
        let got = arena.len();
        let needed = model.arena_bytes();
        let arena = arena.get_mut(..needed).ok_or(SessionError::ArenaTooSmall { needed, got })?;
        if arena.as_ptr().align_offset(ALIGN) != 0 {
            return Err(SessionError::ArenaMisaligned);
        }
        arena.fill(0);
        Ok(Self { model, arena })
    }

    /// The model.
    pub const fn model(&self) -> &'a Model<'m> {
        self.model
    }

    /// The elements of input `index`, to be filled before every [`run`](Self::run): its memory is reused.
    ///
    /// Empty where the model has no such input or its elements are not `T`.
    pub fn input_mut<T: Element>(&mut self, index: usize) -> &mut [T] {
        let tensor =
            self.model.input(index).and_then(|t| self.model.tensor(t)).filter(|t| t.element() == Some(T::DTYPE));
        let Some((start, end)) = tensor.map(|t| t.span()) else { return &mut [] };
        let bytes = self.arena.get_mut(start..end).unwrap_or_default();
        bytemuck::try_cast_slice_mut(bytes).unwrap_or_default()
    }

    /// The elements of output `index` after a [`run`](Self::run).
    ///
    /// Empty where the model has no such output or its elements are not `T`.
    pub fn output<T: Element>(&self, index: usize) -> &[T] {
        let tensor =
            self.model.output(index).and_then(|t| self.model.tensor(t)).filter(|t| t.element() == Some(T::DTYPE));
        let Some((start, end)) = tensor.map(|t| t.span()) else { return &[] };
        let bytes = self.arena.get(start..end).unwrap_or_default();
        bytemuck::try_cast_slice(bytes).unwrap_or_default()
    }

    /// The bytes of input `index`, whatever its element type; empty where there is no such input.
    pub fn input_bytes_mut(&mut self, index: usize) -> &mut [u8] {
        let span = self.model.input(index).and_then(|t| self.model.tensor(t)).map(|t| t.span());
        span.and_then(|(start, end)| self.arena.get_mut(start..end)).unwrap_or_default()
    }

    /// The bytes of output `index`, whatever its element type; empty where there is no such output.
    pub fn output_bytes(&self, index: usize) -> &[u8] {
        let span = self.model.output(index).and_then(|t| self.model.tensor(t)).map(|t| t.span());
        span.and_then(|(start, end)| self.arena.get(start..end)).unwrap_or_default()
    }

    /// Computes the outputs from the inputs.
    pub fn run(&mut self) {
        self.run_observed(|_| ());
    }

    /// [`run`](Self::run) that calls `after` after every operator with its position.
    pub fn run_observed(&mut self, mut after: impl FnMut(usize)) {
        for (index, step) in self.model.steps().enumerate() {
            // `verify` found a kernel for every operator, read it and proved that its operands fit.
            let done = step.map(|step| (step.operator.run)(&step, self.arena));
            debug_assert!(matches!(done, Some(Ok(()))), "operator {index}: the model changed after it was verified");
            after(index);
        }
    }
}
