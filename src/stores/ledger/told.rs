//! Owns what a line of a table means, and how ids and hashes stand in it. Must not know a statement.

use std::borrow::Cow;

use tidegate_actors::CallId;
use tidegate_actors::ports::books::{BookedAttempt, BookedCall, Usages};
use tidegate_actors::ports::ledger::AttemptId;
use tidegate_actors::ports::provider::Usage;
use tidegate_actors::record::ItemCounts;

use crate::stores::sql::Row;

pub(super) fn read_usage(line: &Row) -> sqlx::Result<Usages> {
    let number = |at: usize| line.get::<i64>(at).map(|number| u64::try_from(number).unwrap_or_default());
    Ok(Usages {
        from_us: line.get(0)?,
        credential: unnumber(line.get(1)?),
        model: line.get(2)?,
        calls: number(3)?,
        hits: number(4)?,
        joined: number(5)?,
        misses: number(6)?,
        mixed: number(7)?,
        bypassed: number(8)?,
        failed: number(9)?,
        abandoned: number(10)?,
        tokens_in: number(11)?,
        tokens_out: number(12)?,
        cost_nano: line.get(13)?,
        saved_nano: line.get(14)?,
        free_ns: number(15)?,
        paid_ns: number(16)?,
    })
}

pub(super) fn read_call(line: &Row) -> sqlx::Result<BookedCall<'static>> {
    let text = |at: usize| line.get::<String>(at).map(Cow::Owned);
    let small = |at: usize| line.get::<i64>(at).map(|number| u32::try_from(number).unwrap_or_default());
    let id: &str = line.get(0)?;
    let payer: Option<&str> = line.get(12)?;
    let key: Option<&str> = line.get(13)?;
    let batch: Option<&str> = line.get(31)?;
    let tags: Vec<String> = json_of(line.get(4)?)?;
    Ok(BookedCall {
        id: CallId::parse(id).ok_or_else(|| damaged("id"))?,
        at_us: line.get(1)?,
        workspace: text(2)?,
        credential: unnumber(line.get(3)?),
        tags: tags.join(",").into(),
        door: text(5)?,
        kind: text(6)?,
        form: text(7)?,
        model: text(8)?,
        target: text(9)?,
        outcome: text(10)?,
        reason: text(11)?,
        payer: payer.and_then(CallId::parse),
        key: key.and_then(sha),
        attempts: small(14)?,
        items: ItemCounts { hit: small(15)?, joined: small(16)?, miss: small(17)? },
        marks: json_of(line.get(18)?)?,
        usage: read_tokens(line, 19)?,
        cost: line.get(24)?,
        saved: line.get(25)?,
        bytes: line.get::<i64>(26)?.unsigned_abs(),
        failure: [text(27)?, text(28)?, text(29)?],
        config: text(30)?,
        batch: batch.and_then(AttemptId::parse),
        estimated: line.get::<i64>(32)? != 0,
        request_bytes: line.get::<i64>(33)?.unsigned_abs(),
    })
}

pub(super) fn read_attempt(line: &Row) -> sqlx::Result<BookedAttempt<'static>> {
    let text = |at: usize| line.get::<String>(at).map(Cow::Owned);
    let small = |at: usize| line.get::<i64>(at).map(|number| u32::try_from(number).unwrap_or_default());
    let (id, call): (&str, &str) = (line.get(0)?, line.get(1)?);
    Ok(BookedAttempt {
        id: AttemptId::parse(id).ok_or_else(|| damaged("id"))?,
        call: CallId::parse(call).ok_or_else(|| damaged("call"))?,
        at_us: line.get(2)?,
        workspace: text(3)?,
        credential: unnumber(line.get(4)?),
        kind: text(5)?,
        model: text(6)?,
        target: text(7)?,
        attempt: small(8)?,
        items: small(9)?,
        status: text(10)?,
        took_ns: line.get::<i64>(11)?.unsigned_abs(),
        usage: read_tokens(line, 12)?,
        cost: line.get(17)?,
        config: text(18)?,
    })
}

fn read_tokens(line: &Row, first: usize) -> sqlx::Result<Option<Usage>> {
    let number = |at: usize| line.get::<Option<i64>>(first + at);
    let Some(input) = number(0)? else { return Ok(None) };
    let count =
        |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default();
    Ok(Some(Usage {
        input: count(Some(input)),
        cached_read: count(number(1)?),
        cached_write: count(number(2)?),
        output: count(number(3)?),
        reasoning: count(number(4)?),
    }))
}

fn json_of<T: serde::de::DeserializeOwned>(text: &str) -> sqlx::Result<T> {
    serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn damaged(column: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(format!("a line of the ledger has an {column} that was never written").into())
}

/// Text that both databases take: PostgreSQL has none with a NUL in it.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// A credential as it stands in a column.
pub(super) fn number(credential: u64) -> String {
    format!("{credential:016x}")
}

fn unnumber(credential: &str) -> u64 {
    u64::from_str_radix(credential, 16).unwrap_or_default()
}

/// A hash as it stands in a column.
pub(super) fn sha(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
}
