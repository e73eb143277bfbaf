//! Identity: who asks, what they may do, and how keys come about and end.
//!
//! Owns workspaces, people, roles, keys and limits as values, the table in memory by which each request is judged, the orders
//! that change them, and how people sign in. What is stored is the truth; the path of a call reads memory alone. Must not know doors, databases or
//! who is upstream; the store is a port.

mod budget;
mod key;
mod limit;
mod limited;
mod meter;
pub mod money;
mod office;
mod password;
mod people;
mod person;
mod principal;
mod registry;
mod role;
mod roster;
mod scope;
mod sign_in;
mod spending;
mod throttle;
mod till;
mod token;
mod users;

pub use budget::{Period, Span, Spent};
pub use key::{ApiKey, KeyHash};
pub use limit::{LimitName, Quota};
pub use meter::{Entry, Exceeded, Meter, Quotas, Reading, Warned, Whose};
pub use office::{KeyOrder, Made, Office, OfficeError, Subject};
pub use password::{BadPassword, NotHashed, Password, PasswordHash};
pub use person::{Membership, PersonRow, SessionRow};
pub use principal::{Denial, Named, Principal, Who};
pub use registry::{
    Change, Contents, KeyRow, Limit, Pending, Registry, RegistryFault, Renewal, Renewed, SpentRow, Workspace,
};
pub use role::Role;
pub use roster::Roster;
pub use scope::{Door, Scopes};
pub use sign_in::{Mismatch, SignIn, SignInError, SignInRules, SignedIn};
pub use till::{PriceRow, SettlingLedger, Tariff, Till, Turn};
pub use token::TokenKey;
pub use users::UserOrder;
