//! Stores: where what outlives the process lies.
//!
//! Owns the runtime that waits for storage, the main database with its pool and its lock, the dialect of each database, the
//! migrations, and an adapter for each port that stores something. Must not know doors, runs or who asks. A store is a
//! file or folder here and a line below; what differs between databases stands in the file of the database, statements
//! stand beside their adapter.

mod aside;
#[cfg(test)]
#[path = "../../tests/postgres/mod.rs"]
mod cluster;
mod database;
mod io;
mod journal;
pub mod ledger;
mod lock;
mod metrics;
mod people;
mod pool;
mod postgres;
mod queries;
pub mod records;
mod retry;
mod schema;
mod sql;
mod sqlite;
mod target;
mod trouble;
pub mod upkeep;
mod warm;
mod watch;

pub use database::Database;
pub use io::Io;
pub use lock::{DataLock, Refused};
pub use people::People;
pub use target::Target;
pub use trouble::Trouble;
pub use warm::Warm;
pub use watch::{Watch, followed};
