//! Runs: a program's flow from its input to its result, with every ask of it a call on the engine's path.
//!
//! Owns what stands between the language, which asks, and the engine, which answers: how an ask becomes a call, how a
//! run is driven, what an app keeps between runs. Must not know doors, files or vendors' HTTP.

mod ask;
mod asks;
mod counters;
mod drive;
mod explain;
mod gate;
mod hearing;
mod host;
pub mod ingest;
mod line;
mod mock;
mod news;
mod observed;
pub mod pages;
mod payer;
pub mod payload;
pub mod prove;
mod refusal;
pub mod routing;
pub mod site;
mod speech;
#[cfg(test)]
mod tests;
mod trouble;

pub use ask::{Asker, Speaker, Told};
pub use counters::Counters;
pub use drive::{Begun, Ran, Underway, begin, drive, drive_beside_others, wait};
pub use explain::{Explained, explain};
pub use gate::{capability_fault, embed_group, engine_config, missing_capabilities};
pub use host::{Host, Kept, Question, Terms, Visit, Visited};
pub use mock::Mock;
pub use news::{News, Tell, Token};
pub use observed::Observed;
pub use payer::{For, Payer};
pub use refusal::Refusal;
pub use speech::Speech;
pub use trouble::Trouble;
