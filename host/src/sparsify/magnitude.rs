//! Magnitude pruning: train on, then keep the groups of largest norm (Li et al. 2017).

use super::method::Method;

/// Nothing happens while the network is trained; the default scores decide.
#[derive(Debug, Clone, Copy)]
pub struct Magnitude;

impl Method for Magnitude {}
