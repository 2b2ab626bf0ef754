//! The optimizer's step, in parts that threads share.

use super::EngineOf;
use super::threads::PARTS;
use crate::engine::Slots;
use crate::engine::simd::vectorize;

impl EngineOf<f32> {
    /// Changes all values by their gradients, in parts that threads share: `change(values, gradients, slots)` sees the
    /// same part of each.
    ///
    /// # Errors
    /// The first error of a part.
    pub fn update<E: Send>(
        &mut self,
        slots: &mut Slots,
        change: impl Fn(&mut [f32], &[f32], &mut [&mut [f32]]) -> Result<(), E> + Sync,
    ) -> Result<(), E> {
        self.fresh = false;
        let len = self.values.len().div_ceil(PARTS).max(1);
        let mut slots: Vec<_> = slots.flat_mut().into_iter().map(|slot| slot.chunks_mut(len)).collect();
        let mut part_of_slots = || slots.iter_mut().filter_map(|slot| slot.next()).collect::<Vec<&mut [f32]>>();
        let parts = self.values.chunks_mut(len).zip(self.gradients.chunks(len));
        let mut parts: Vec<_> = parts.map(|part| (part, part_of_slots(), Ok(()))).collect();
        let arch = self.arch;
        self.threads.parts(&mut parts, 1, |_, part| {
            for ((values, gradients), slots, done) in part {
                *done = vectorize!(arch, change(values, gradients, slots));
            }
        });
        parts.into_iter().try_for_each(|(_, _, done)| done)
    }
}
