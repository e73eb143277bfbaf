//! Identity: who asks, what they may do, and how keys come about and end.
//!
//! Owns workspaces, roles, keys and limits as values, the table in memory by which each request is judged, and the orders that
//! change them. What is stored is the truth; the path of a call reads memory alone. Must not know doors, databases or
//! who is upstream; the store is a port.

mod key;
mod limit;
mod meter;
mod office;
mod registry;
mod role;
mod roster;
mod scope;

pub use key::{ApiKey, KeyHash};
pub use limit::{LimitName, Quota};
pub use meter::{Exceeded, Meter, Quotas, SettlingLedger, Till, Turn};
pub use office::{KeyOrder, Made, Office, OfficeError, Subject};
pub use registry::{Change, Contents, KeyRow, Limit, Pending, Registry, RegistryFault, Workspace};
pub use role::Role;
pub use roster::{Denial, Principal, Roster, Who};
pub use scope::{Door, Scopes};
