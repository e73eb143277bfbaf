//! Owns records: what a declaration demands of a stored map, ids, tenants, uniqueness, the store behind one run with its
//! rollback, and what it asks of an archive where records outlast the process. Must not evaluate predicates or check
//! access: the machine does both and hands over values.

mod archive;
mod row;
mod schema;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod violation;
mod work;

pub use archive::{
    Archive, Changes, Counters, Pending, Session, Supply, TableChanges, TableName, UniqueValue, Want,
};
pub use row::{Row, RowKey, sort_by_id};
pub use schema::{Schema, Scope};
pub use store::Store;
pub use violation::Violation;
pub use work::{delete, latest, save, unknown_field, update, visible};
