//! Stores: where what outlives the process lies.
//!
//! Owns the runtime that waits for storage, the dialect of each database, the migrations, and an adapter for each port
//! that stores something. Must not know doors, runs or who asks. A store is a file or folder here and a line below; what
//! differs between databases stands in the file of the database, statements stand beside their adapter.

mod io;
pub mod records;
mod sqlite;
mod trouble;

pub use io::Io;
