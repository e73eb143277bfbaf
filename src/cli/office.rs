//! Owns how commands change who may do what: the office over the data directory, and the wait until a server that runs has
//! put the change in force. Must not know where anything is stored.

use super::flags::{self, DataArgs};
use super::program::complain;
use super::{Parts, ServeError};
use crate::identity::Office;

/// An office beside a server, or without one.
pub struct Books {
    /// Where orders are given.
    pub office: Office,
    /// Waits until the server that has the data directory, if there is one, has put in force what was ordered.
    pub settle: Box<dyn Fn(&Office) -> Settled>,
}

/// Whether what was ordered is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is, or no server runs.
    Yes,
    /// The server that runs has not said so.
    NotYet,
}

/// Gives orders in an office, and returns when they are in force.
pub(super) fn with<T>(
    settings: &DataArgs,
    parts: Parts,
    orders: impl AsyncFnOnce(&Books) -> Result<T, String>,
) -> Result<T, String> {
    let loaded = flags::load(&settings.load_args())?;
    let told = |error: ServeError| error.to_string();
    actix_web::rt::System::new().block_on(async {
        let books = (parts.office)(&loaded.config).map_err(told)?;
        books.office.refresh().await.map_err(|fault| fault.to_string())?;
        let before = books.office.roster().contents().epoch;
        let done = orders(&books).await?;
        let changed = books.office.roster().contents().epoch != before;
        if changed && (books.settle)(&books.office) == Settled::NotYet {
            complain("the server that runs did not say that it knows of this; it is stored, and in force when it restarts");
        }
        Ok(done)
    })
}
