//! Owns how a moment is written for people and programs, and read again: RFC 3339, UTC.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The moment so many microseconds after 1970 UTC.
#[must_use]
pub fn written(unix_us: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_us) * 1_000);
    // A clock outside the years 0 to 9999 has no date.
    at.ok().and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}

/// The moment a text names, microseconds after 1970 UTC; nothing for a text that names none.
#[must_use]
pub fn read(text: &str) -> Option<i64> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos() / 1_000).ok()
}
