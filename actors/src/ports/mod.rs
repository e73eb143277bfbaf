//! Where the outside enters the engine: one trait per need, and nothing else is generic.
//!
//! Owns the contracts; must hold no adapter but the pass-through ones that keep the path whole.

pub mod bodies;
pub mod books;
pub mod clock;
pub mod counting;
pub mod egress;
pub mod ledger;
pub mod policy;
pub mod provider;
pub mod tier;
