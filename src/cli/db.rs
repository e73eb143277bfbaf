//! Owns `tidegate db`: the grammar, and the table of what it says. Must not know any database.

use std::path::PathBuf;

use clap::Subcommand;

use super::flags::{self, DataArgs};
use super::run::say;
use super::table::Table;
use super::{Parts, Upkeep};

pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate db status                      where it lies, its layout, whether it is sound, when it was optimized, rows of each table
  tidegate db backup monday               a copy as of now in the new folder monday, also while a server runs
  tidegate db restore monday              put the copy in its place; what was there is kept in DATA/before
  tidegate db optimize                    bring statistics up to date, give back the write-ahead logs

A copy holds the main database, the ledger's days and kept bodies. Without a server the journal is folded into these first; beside one the copy lacks
what the server has not folded yet. Restoring leaves the journal alone: the next server folds it into what was put back. Where
database.url names PostgreSQL, copies are files that pg_dump makes and pg_restore reads.

A server brings its database up to date when it starts; `migrate` does it ahead. migrate and restore need the data directory
to themselves: stop the server first. A server does what `optimize` does each hour by itself (database.optimize_ms).";

#[derive(Debug, Subcommand)]
pub(super) enum DbCommand {
    /// Say how the database is
    Status,
    /// Make it, or bring its tables up to date
    Migrate,
    /// Copy it
    Backup {
        /// The folder to make; a file, where the database is a server's
        to: PathBuf,
    },
    /// Put a copy in its place
    Restore {
        /// What `backup` made
        from: PathBuf,
    },
    /// Keep it fast
    Optimize,
}

pub(super) fn run(command: DbCommand, settings: &DataArgs, parts: Parts) -> Result<(), String> {
    let loaded = flags::load(&settings.load_args())?;
    let what = match command {
        DbCommand::Status => Upkeep::Status,
        DbCommand::Migrate => Upkeep::Migrate,
        DbCommand::Backup { to } => Upkeep::Backup(to),
        DbCommand::Restore { from } => Upkeep::Restore(from),
        DbCommand::Optimize => Upkeep::Optimize,
    };
    let told = (parts.upkeep)(&loaded.config, what).map_err(|error| error.to_string())?;
    let mut table = Table::new(&["what", "is"]);
    told.into_iter().for_each(|(name, value)| table.row([name, value]));
    say(table.to_string().trim_end());
    Ok(())
}
