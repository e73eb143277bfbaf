//! What the engine promises its callers, on a clock that stands still.
//!
//! Each module is a subject, and all share one link. Faults are in the fault suite of the root package.

mod bounds;
mod costs;
mod determinism;
mod explain;
mod fairness;
mod isolation;
mod memory;
mod purge;
mod sharing;
mod streams;
mod tiers;
