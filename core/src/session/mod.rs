//! Running a verified model in a caller-owned arena: cannot fail, cannot panic, cannot allocate.

use crate::error::SessionError;
use crate::format::{ALIGN, Element, Input, Model, Output};

/// A model with its working memory. It owns the model, which is a handful of references: a driver can own both.
///
/// # Examples
/// ```
/// # use niwaki_core::{Aligned, Model, Session, ops};
/// # fn infer(file: &[u8], frame: &[i8]) -> Result<i8, Box<dyn std::error::Error>> {
/// let model = Model::verify(file, ops::ALL)?; // the only place where the file can be refused
/// let (x, y) = (model.input::<i8>(0)?, model.output::<i8>(0)?); // the only place where a type can be wrong
/// let mut arena = Aligned([0_u8; 4096]);
/// let mut session = Session::new(model, &mut *arena)?;
/// session.write(x, frame)?; // the only place where a length can be wrong
/// session.run();
/// # let scores =
/// session.output(y);
/// # Ok(scores[0]) }
/// ```
pub struct Session<'m, 'a> {
    model: Model<'m>,
    arena: &'a mut [u8],
}

impl<'m, 'a> Session<'m, 'a> {
    /// Lends the model its memory, which is zeroed.
    ///
    /// # Errors
    /// [`SessionError`] when `arena` is shorter than [`Model::arena_bytes`] or not at a 16-byte boundary.
    pub fn new(model: Model<'m>, arena: &'a mut [u8]) -> Result<Self, SessionError> {
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
    pub const fn model(&self) -> &Model<'m> {
        &self.model
    }

    /// Copies `frame` into an input, before every [`run`](Self::run): inputs share their memory with what is computed.
    ///
    /// # Errors
    /// [`SessionError::Frame`] when `frame` has another length than the input; the input is untouched.
    pub fn write<T: Element>(&mut self, port: Input<T>, frame: &[T]) -> Result<(), SessionError> {
        let input = self.input_mut(port);
        if input.len() != frame.len() {
            return Err(SessionError::Frame { expected: input.len(), got: frame.len() });
        }
        input.copy_from_slice(frame);
        Ok(())
    }

    /// The elements of an input, to be filled in place before every [`run`](Self::run).
    ///
    /// `port.len()` elements; empty where `port` is another model's and lies outside this one's arena.
    pub fn input_mut<T: Element>(&mut self, port: Input<T>) -> &mut [T] {
        let (start, end) = port.span();
        bytemuck::try_cast_slice_mut(self.arena.get_mut(start..end).unwrap_or_default()).unwrap_or_default()
    }

    /// The elements of an output after a [`run`](Self::run).
    ///
    /// `port.len()` elements; empty where `port` is another model's and lies outside this one's arena.
    pub fn output<T: Element>(&self, port: Output<T>) -> &[T] {
        let (start, end) = port.span();
        bytemuck::try_cast_slice(self.arena.get(start..end).unwrap_or_default()).unwrap_or_default()
    }

    /// The bytes of input `index`, for programs that run any model; empty where there is no such input.
    pub fn input_bytes_mut(&mut self, index: usize) -> &mut [u8] {
        let span = self.model.input_tensor(index).and_then(|t| self.model.tensor(t)).map(|t| t.span());
        span.and_then(|(start, end)| self.arena.get_mut(start..end)).unwrap_or_default()
    }

    /// The bytes of output `index`, for programs that run any model; empty where there is no such output.
    pub fn output_bytes(&self, index: usize) -> &[u8] {
        let span = self.model.output_tensor(index).and_then(|t| self.model.tensor(t)).map(|t| t.span());
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
