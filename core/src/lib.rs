//! Inference and learning kernels for microcontrollers: `no_std`, no allocator, no panic, no unsafe.
//!
//! # Running a model
//! Firmware needs what stands at this root: [`include_model!`], [`Aligned`], [`Model`], the operators that the model uses
//! (`niwaki export --rust` writes the list of constants of [`ops`]), [`Input`] and [`Output`], and a [`Session`].
//! ```
//! use niwaki_core::{Aligned, Input, Model, Operator, Output, Session, ops};
//!
//! /// What a network is made of; no other operator is linked.
//! const OPERATORS: &[Operator] = &[ops::SOFTMAX_I8, ops::DENSE_TILED_I8];
//!
//! /// A driver owns its session and its ports.
//! struct Classifier<'a> {
//!     session: Session<'static, 'a>,
//!     x: Input<i8>,
//!     y: Output<i8>,
//! }
//!
//! impl<'a> Classifier<'a> {
//!     fn new(file: &'static [u8], arena: &'a mut [u8]) -> Result<Self, Box<dyn core::error::Error>> {
//!         let model = Model::verify(file, OPERATORS)?; // the only place where the file can be refused
//!         let (x, y) = (model.input(0)?, model.output(0)?); // the only place where a type can be wrong
//!         Ok(Self { session: Session::new(model, arena)?, x, y })
//!     }
//!
//!     fn scores(&mut self, frame: &[i8]) -> Result<&[i8], niwaki_core::error::SessionError> {
//!         self.session.write(self.x, frame)?; // the only place where a length can be wrong
//!         self.session.run(); // cannot fail, panic or allocate
//!         Ok(self.session.output(self.y))
//!     }
//! }
//!
//! static NOT_A_MODEL: Aligned<[u8; 64]> = Aligned([0; 64]); // include_model!("kws.niwaki")
//! let mut arena = Aligned([0; 1024]);
//! let refused = Classifier::new(&*NOT_A_MODEL, &mut *arena).err().map(|error| error.to_string());
//! assert_eq!(refused.as_deref(), Some("magic: not a .niwaki file"));
//! ```
//!
//! # Features
//! - `dsp`: an Armv8-M chip has the DSP extension; Armv7E-M always has it.
//! - `defmt`: every error implements `defmt::Format`.
//! - `train`: what learns, on a chip or a workstation.
//! - `host`: what a workstation needs besides: costs of operators, and their parameter words written again.
//!
//! # What is where
//! This crate is the *definition* of every number that more than one part of niwaki computes. The host's CPU path
//! calls it; GPU kernels and instruction-set kernels are faster spellings tested against it.
//!
//! Modules, in the order in which they may use each other (left may not use right):
//! `error ← num ← shape ← kernels ← format ← ops ← session`, and beside `kernels` the training side: `real ← prox`,
//! `optim`, `schedule`, `select`, `graph ← teddy`, `learn`. The kernels over nodes read the rows of `graph`.
#![cfg_attr(not(test), no_std)]

#[cfg(target_endian = "big")]
compile_error!("niwaki models are little-endian and read in place; big-endian targets are not supported");

#[cfg(any(test, feature = "suite"))]
extern crate alloc;

pub mod error;
pub mod num;
pub mod real;
pub mod shape;

pub mod kernels;

pub mod format;
pub mod ops;
pub mod session;

pub use format::{Aligned, Input, Model, Operator, Output};
pub use session::Session;

#[cfg(feature = "train")]
pub mod optim;
#[cfg(feature = "train")]
pub mod prox;
#[cfg(feature = "train")]
pub mod schedule;

pub mod graph;
#[cfg(feature = "train")]
pub mod select;
#[cfg(feature = "train")]
pub mod teddy;

#[cfg(feature = "train")]
pub mod learn;
