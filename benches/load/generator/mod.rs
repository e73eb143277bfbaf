//! The load generator: raw HTTP/1.1 over tokio on one thread, so that it costs less than what it measures.
//!
//! Knows requests, connections and pacing; must not know servers, scenarios or gates.

mod burst;
mod closed;
mod connection;
mod open;
mod pace;
mod request;
mod tally;

use std::net::SocketAddr;

pub(crate) use burst::{Burst, hold_streams};
pub(crate) use closed::Closed;
pub(crate) use connection::{Connection, Proof, Source, vector_start};
pub(crate) use open::Open;
pub(crate) use pace::sleep_exactly;
pub(crate) use request::{Ask, Keys, Template};
pub(crate) use tally::Tally;

/// Where to send what, and how to tell that an answer belongs to its question.
#[derive(Debug, Clone)]
pub(crate) struct Aim {
    pub(crate) addr: SocketAddr,
    pub(crate) template: Template,
    pub(crate) keys: Keys,
    pub(crate) proof: Proof,
}
