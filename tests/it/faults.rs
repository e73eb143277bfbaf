//! The fault suite: what a caller sees when a part of the engine fails under it.
//!
//! Every fault enters at a port or at a named site of one world, and every test ends with the books balanced.

mod batcher;
mod cache;
mod chaos;
mod clocks;
mod lanes;
mod leaving;
mod orphans;
mod shipped;
mod shutdown;
mod upstream;
