//! engine

pub mod json;
pub mod key;
