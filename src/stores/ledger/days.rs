//! Days of the ledger: which file holds which.
//!
//! Owns the names of files and the arithmetic of days, in UTC. Must not know what a file holds.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use time::{Date, OffsetDateTime};

use crate::stores::schema::Schema;
use crate::stores::sqlite::Sqlite;

/// How long a file may be locked by somebody who looks at it with other tools.
const PATIENCE: Duration = Duration::from_secs(10);
const DAY_US: i64 = 86_400 * 1_000_000;

/// A UTC day, counted from 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(i64);

impl Day {
    /// The day of a moment.
    pub(super) const fn of(unix_us: i64) -> Self {
        Self(unix_us.div_euclid(DAY_US))
    }

    /// When it begins and when the next does.
    pub(super) const fn bounds(self) -> (i64, i64) {
        (self.0.saturating_mul(DAY_US), self.0.saturating_add(1).saturating_mul(DAY_US))
    }

    /// So many days after.
    pub(super) const fn after(self, days: u32) -> Self {
        Self(self.0 + days as i64)
    }

    /// So many days before.
    pub(super) const fn before(self, days: u32) -> Self {
        Self(self.0 - days as i64)
    }

    fn date(self) -> Option<Date> {
        OffsetDateTime::from_unix_timestamp(self.0.checked_mul(86_400)?).ok().map(OffsetDateTime::date)
    }

    pub(super) fn name(self) -> String {
        // A clock outside the years -9999 to 9999 has no date; its rows are kept all the same.
        self.date().map_or_else(|| format!("day{}", self.0), |date| date.to_string())
    }

    /// The day a file is named after.
    pub(super) fn named(name: &str) -> Option<Self> {
        let (year, rest) = name.split_once('-')?;
        let (month, day) = rest.split_once('-')?;
        let month = time::Month::try_from(month.parse::<u8>().ok()?).ok()?;
        let date = Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()?;
        Some(Self(date.midnight().assume_utc().unix_timestamp().div_euclid(86_400)))
    }
}

/// The folder of all days.
#[derive(Debug, Clone)]
pub(super) struct Days {
    folder: PathBuf,
    /// What the file of a day holds.
    schema: &'static Schema,
}

impl Days {
    pub(super) fn new(folder: PathBuf, schema: &'static Schema) -> Self {
        Self { folder, schema }
    }

    /// The file of a day.
    pub(super) fn file(&self, day: Day) -> Sqlite {
        let path = self.folder.join(format!("{}.db", day.name()));
        Sqlite { path: path.into(), schema: self.schema, patience: PATIENCE }
    }

    /// The days there are between these, both included, the latest first.
    pub(super) fn between(&self, first: Day, last: Day) -> io::Result<Vec<Day>> {
        let mut days = self.all()?;
        days.retain(|day| (first..=last).contains(day));
        days.sort_unstable_by_key(|day| std::cmp::Reverse(*day));
        Ok(days)
    }

    /// Removes whole days; gives how many.
    pub(super) fn drop_before(&self, first: Day) -> io::Result<usize> {
        let mut days = self.all()?;
        days.retain(|day| *day < first);
        for day in &days {
            let path = self.file(*day).path;
            fs::remove_file(&path)?;
            for beside in ["-wal", "-shm"] {
                let mut name = path.as_os_str().to_owned();
                name.push(beside);
                match fs::remove_file(name) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(days.len())
    }

    fn all(&self) -> io::Result<Vec<Day>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let day = |entry: io::Result<fs::DirEntry>| {
            let name = entry.map(|entry| entry.file_name());
            name.map(|name| Day::named(name.to_str()?.strip_suffix(".db")?)).transpose()
        };
        entries.filter_map(day).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_its_day_and_read_back_from_its_name() {
        for (unix_us, name) in [
            (0, "1970-01-01"),
            (DAY_US - 1, "1970-01-01"),
            (DAY_US, "1970-01-02"),
            (1_772_323_199_999_999, "2026-02-28"),
            (1_772_323_200_000_000, "2026-03-01"),
            (-1, "1969-12-31"),
        ] {
            let day = Day::of(unix_us);
            assert_eq!((day.name().as_str(), Day::named(name)), (name, Some(day)));
        }
        assert_eq!(Day::named("2026-02-30"), None);
        assert_eq!(Day::of(DAY_US * 40).before(7), Day::of(DAY_US * 33));
    }
}
