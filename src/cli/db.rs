//! Owns `tidegate db`: the grammar, and the table of what it says. Must not know any database.

use std::path::PathBuf;

use clap::Subcommand;

use super::flags::{self, DataArgs};
use super::run::say;
use super::table::Table;
use super::{Parts, Upkeep};

pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate db status                      where it lies, its layout, whether it is sound, rows of each table
  tidegate db backup monday.db            a copy as of now, also while a server runs
  tidegate db restore monday.db           put the copy in its place; what was there is kept as tidegate.db.before
  tidegate db optimize                    bring statistics up to date, give back the write-ahead log

A server brings its database up to date when it starts; `migrate` does it ahead. migrate and restore need the data directory
to themselves: stop the server first.";

#[derive(Debug, Subcommand)]
pub(super) enum DbCommand {
    /// Say how the database is
    Status,
    /// Make it, or bring its tables up to date
    Migrate,
    /// Copy it to a new file
    Backup {
        /// The file to make
        file: PathBuf,
    },
    /// Put a copy in its place
    Restore {
        /// A file that `backup` made
        file: PathBuf,
    },
    /// Keep it fast
    Optimize,
}

pub(super) fn run(command: DbCommand, settings: &DataArgs, parts: Parts) -> Result<(), String> {
    let loaded = flags::load(&settings.load_args())?;
    let what = match command {
        DbCommand::Status => Upkeep::Status,
        DbCommand::Migrate => Upkeep::Migrate,
        DbCommand::Backup { file } => Upkeep::Backup(file),
        DbCommand::Restore { file } => Upkeep::Restore(file),
        DbCommand::Optimize => Upkeep::Optimize,
    };
    let told = (parts.upkeep)(&loaded.config, what).map_err(|error| error.to_string())?;
    let mut table = Table::new(&["what", "is"]);
    told.into_iter().for_each(|(name, value)| table.row([name, value]));
    say(table.to_string().trim_end());
    Ok(())
}
