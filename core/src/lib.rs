//! Inference and learning kernels for microcontrollers: `no_std`, no allocator, no panic, no unsafe.
//!
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

pub mod optim;
pub mod prox;
pub mod schedule;

pub mod graph;
pub mod select;
pub mod teddy;

pub mod learn;
