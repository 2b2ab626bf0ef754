//! Train a network on a workstation, prune and quantise it until it fits, plant it on a microcontroller.
//!
//! A folder a step, in the order in which they may use each other (each only those before it):
//! `io, hardware, data, ops, graph, zoo, import, simplify, plan, engine, quantize, sparsify, export, recipe, train, tune, chip,
//! report, pipeline, cli`.

pub mod data;
pub mod graph;
pub mod hardware;
pub mod import;
pub mod io;
pub mod ops;
pub mod simplify;
pub mod zoo;

pub mod engine;
pub mod quantize;
pub mod recipe;
pub mod sparsify;
pub mod train;

pub mod export;
pub mod plan;

pub mod chip;

pub mod cli;
pub mod pipeline;
pub mod report;
pub mod tune;
