//! Owns records: what a declaration demands of a stored map, ids, tenants, uniqueness, and the store behind one run
//! with its rollback. Must not evaluate predicates or check access: the machine does both and hands over values.

mod in_memory;
mod row;
mod schema;
mod store;
#[cfg(test)]
mod tests;
mod violation;

pub use in_memory::InMemoryStore;
pub use row::{Row, RowKey, sort_by_id};
pub use schema::{Schema, Scope};
pub use store::{Store, delete, latest, save, unknown_field, update, visible};
pub use violation::Violation;
