//! The queue's promises one by one, the property that no vector is ever misplaced, and whole engines.

mod engine;
#[cfg(feature = "testkit")]
mod faults;
mod harness;
mod invoices;
mod placement;
mod queue;
