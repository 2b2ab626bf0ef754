//! Train a network on a workstation, prune and quantise it until it fits, plant it on a microcontroller.
//!
//! Folders in the order in which data flows:
//! `data → zoo → graph → engine → train → sparsify → quantize → plan → export → report`, with `chip` (where an
//! exported model runs) and `cli` (the command line) on top.

pub mod graph;
pub mod zoo;

pub mod chip;
pub mod cli;
pub mod data;
pub mod engine;
pub mod export;
pub mod pipeline;
pub mod plan;
pub mod quantize;
pub mod report;
pub mod sparsify;
pub mod train;
