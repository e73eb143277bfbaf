//! The engine of Tidegate: calls, lanes, flights, the cache, the batcher and the path they share.
//!
//! Knows actix actors; never HTTP, vendors, files or SQL. Everything outside enters through
//! [`ports`]. Start with [`Engine`]; the path itself is `pipeline/`, top to bottom.

pub mod batch;
mod cache;
pub mod call;
pub mod engine;
pub mod error;
mod flight;
pub mod json;
pub mod key;
mod lane;
mod mail;
pub mod metrics;
mod near;
mod pipeline;
pub mod ports;
pub mod record;
pub mod route;
#[cfg(feature = "testkit")]
pub mod sim;
mod sites;
mod supervise;
mod upstream;

pub use batch::{BatchLimits, BatcherReading};
pub use cache::{CacheLimits, Capacity, Entry, EntryFacts, Kept, PurgeFilter, Tier};
pub use call::{Call, CallId, CallKind, Form, WorkspaceId};
pub use engine::{Engine, EngineConfig, Ports};
pub use error::{Blame, CallError, ErrorKind, Retry, Stage};
pub use flight::{Ending, Follower, Origin, Shape, Step};
pub use lane::{LaneId, LaneLimits, split_slots};
pub use pipeline::{Answered, Body, Embedded, Outcome, Telling};
pub use sites::Site;
pub use supervise::SuperviseLimits;
pub use supervise::metrics::Restarts;
pub use upstream::{BreakerRules, RetryRules, Upstream, UpstreamLimits, UpstreamReading};
