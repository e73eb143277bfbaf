//! Owns where the ledger of a server lies and what it is told of its configuration.

use std::path::Path;
use std::sync::Arc;

use prometheus_client::registry::Registry;
use sha2::{Digest, Sha256};
use tidegate_actors::ports::clock::{ClockRef, SystemClock};

use super::stored::unusable;
use crate::cli::ServeError;
use crate::config::Config;
use crate::stores::ledger::{BookKeeper, Fittings, Prices};
use crate::stores::{Database, Io};

/// The books, if they are kept.
pub(super) fn open(
    config: &Config,
    clock: &ClockRef,
    prices: &Arc<Prices>,
    database: &Database,
) -> Result<Option<BookKeeper>, ServeError> {
    if !config.ledger.enabled {
        return Ok(None);
    }
    let folder = Path::new(&config.data.dir);
    // The lanes of the gateway, and those of an app; and of the rows that may wait every other one, as an attempt's end mostly
    // waits beside the row of its call. With fewer a disk that stalls would stop calls before the queue is full.
    let waiting = config.ledger.queue_rows / 2;
    let attempts = config.lanes.max_concurrency.saturating_mul(2).saturating_add(waiting);
    let (settings, clock, prices) = (&config.ledger, Arc::clone(clock), Arc::clone(prices));
    let database = Some(database);
    let fittings = Fittings { settings, attempts, clock, prices, config: version(config), database };
    let books = BookKeeper::open(folder, fittings);
    let unusable = |error| {
        format!(
            "the ledger in {} cannot be kept: {error}; name another directory with --data, or set ledger.enabled = false",
            folder.display()
        )
    };
    Ok(Some(books.map_err(unusable)?))
}

/// Folds all that the journal holds into tables, for a command that has the data directory to itself.
pub(super) fn fold(config: &Config) -> Result<(), ServeError> {
    let clock: ClockRef = Arc::new(SystemClock::new());
    if !Path::new(&config.data.dir).join("ledger").exists() {
        return Ok(());
    }
    let (dir, io) = (Path::new(&config.data.dir), Io::default());
    let database = Database::open(dir, &config.database, &io, &clock, &mut Registry::default());
    let database = database.map_err(|trouble| unusable(config, &trouble))?;
    let prices = Arc::new(Prices::of(config)?);
    let Some(books) = open(config, &clock, &prices, &database)? else { return Ok(()) };
    let own = books.clone();
    let folded = io.wait(async move { own.fold().await });
    books.end();
    match folded? {
        Some(true) => Ok(()),
        _ => Err("what the ledger's journal holds cannot be folded into tables; the log says why".into()),
    }
}

/// Tells one configuration from another, on the rows of the ledger. Secrets do not show in what it is made of.
pub(super) fn version(config: &Config) -> String {
    let digest = Sha256::digest(format!("{config:?}"));
    hex::encode(&digest[..6])
}
