//! Macros of an operator's file: what it answers as most do, or does not have at all, stated by name; and its example.

/// States what an operator does not have, or does as most do, each named.
macro_rules! answers {
    ($($answer:ident),* $(,)?) => { $(answers!(@ $answer);)* };
    (@ no_macs) => {
        fn macs(&self, _: &$crate::ops::Operands<'_>) -> usize {
            0
        }
    };
    (@ no_identity) => {
        fn is_identity(&self, _: &$crate::ops::Operands<'_>) -> bool {
            false
        }
    };
    (@ no_factor) => {
        fn passes_factor(&self, _: usize) -> bool {
            false
        }
    };
    (@ no_activation) => {
        fn activation_mut(&mut self) -> Option<&mut $crate::ops::Activation> {
            None
        }
    };
    (@ fused_activation) => {
        fn activation_mut(&mut self) -> Option<&mut $crate::ops::Activation> {
            Some(&mut self.activation)
        }
    };
    (@ no_window) => {
        fn sliding_mut(&mut self) -> Option<&mut $crate::ops::Sliding> {
            None
        }

        fn kernel(&self, _: &$crate::ops::Operands<'_>) -> Option<[usize; 2]> {
            None
        }
    };
    (@ window_of_weights) => {
        fn sliding_mut(&mut self) -> Option<&mut $crate::ops::Sliding> {
            Some(&mut self.sliding)
        }

        fn kernel(&self, on: &$crate::ops::Operands<'_>) -> Option<[usize; 2]> {
            self.rules().weights?.window(&on.inputs.get(1)?.shape)
        }
    };
    (@ window) => {
        fn sliding_mut(&mut self) -> Option<&mut $crate::ops::Sliding> {
            Some(&mut self.sliding)
        }

        fn kernel(&self, _: &$crate::ops::Operands<'_>) -> Option<[usize; 2]> {
            Some(self.kernel)
        }
    };
    (@ no_counts) => {
        fn keep_channels(&mut self, _: &[bool]) {}

        fn refit(&mut self, _: usize) {}
    };
    (@ mixes_channels) => {
        fn channels(&self, _: &$crate::ops::Operands<'_>) -> $crate::ops::Channels {
            $crate::ops::Channels::mixed()
        }
    };
    (@ same_channels) => {
        fn channels(&self, on: &$crate::ops::Operands<'_>) -> $crate::ops::Channels {
            $crate::ops::Channels::same(on)
        }
    };
    (@ same_shape) => {
        fn shape(&self, inputs: &[&[usize]]) -> Result<Vec<usize>, $crate::ops::Misfit> {
            $crate::ops::arity(inputs, 1..=1)?;
            Ok(inputs[0].to_vec())
        }
    };
    (@ untrained) => {
        fn train(&self, _: &$crate::ops::Operands<'_>) -> Result<$crate::ops::Training, $crate::ops::Misfit> {
            Err($crate::ops::Misfit::Untrained)
        }
    };
    (@ evaluated_as_lowered) => {
        fn evaluate(
            &self,
            on: &$crate::ops::Operands<'_>,
            computed: &$crate::ops::Computed<'_>,
        ) -> Result<$crate::ops::Value, $crate::ops::Misfit> {
            self.lower(on)?.evaluate(on, computed)
        }
    };
}

pub(super) use answers;

/// An example of an operator and operands for it, which tests of all operators use: `example!(Type = operator, operands)`.
macro_rules! example {
    ($name:ident = $op:expr, $operands:expr $(,)?) => {
        #[cfg(test)]
        impl $crate::ops::tests::examples::Exemplary for $name {
            fn example() -> $crate::ops::tests::examples::Example {
                #[allow(unused_imports, clippy::wildcard_imports, reason = "an example takes what it needs")]
                use $crate::ops::{tests::examples::*, *};
                Example { op: $op.into(), operands: $operands.into() }
            }
        }
    };
}
pub(super) use example;
