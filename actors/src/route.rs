//! Where a call may go: a public model name and its weighted targets.
//!
//! Owns what is fixed by configuration; health, permits and breakers of a target live in `upstream/`.

use std::sync::Arc;

use crate::upstream::Upstream;

/// A public model name and the targets behind it, in configured order.
#[derive(Debug)]
pub struct Route {
    /// The public name.
    pub model: Arc<str>,
    /// Never empty.
    pub targets: Vec<Target>,
}

/// One way to answer a model.
#[derive(Debug, Clone)]
pub struct Target {
    /// `provider/model`: names the target in keys, metrics and `explain`.
    pub name: Arc<str>,
    /// The provider and what is known of its health.
    pub upstream: Arc<Upstream>,
    /// The model's name there.
    pub model: Arc<str>,
    /// Share of calls, relative to its siblings; at least 1.
    pub weight: u32,
}
