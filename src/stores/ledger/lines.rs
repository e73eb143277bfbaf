//! Owns the statements on the tables of a day and what their lines mean. Must not know which day it is, or when it is folded.
//!
//! Many lines go in with one statement, as a JSON list: by one statement each the way to the database would cost more than the line.

use std::borrow::Cow;

use serde_json::{Value as Json, json};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use tidegate_actors::CallId;
use tidegate_actors::ports::books::{BookedAttempt, BookedCall, Usages, Wanted, provider};
use tidegate_actors::ports::ledger::AttemptId;
use tidegate_actors::ports::provider::Usage;
use tidegate_actors::record::ItemCounts;

use crate::stores::sqlite::Connection;

const LAST: &str = "SELECT coalesce(max(seq), 0) FROM calls";

const ADD_CALLS: &str = "INSERT INTO calls (id, at_us, workspace, credential, tags, door, kind, form, model, target, provider, \
    status, outcome, reason, payer, request_key, attempts, items_hit, items_joined, items_miss, marks, lane_wait_ns, first_ns, \
    total_ns, tokens_in, tokens_cached_read, tokens_cached_write, tokens_out, tokens_reasoning, cost_nano, saved_nano, bytes, \
    error_stage, error_code, error_blame, config) \
    SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8, value->>9, \
    value->>10, value->>11, value->>12, value->>13, value->>14, value->>15, value->>16, value->>17, value->>18, value->>19, \
    value->>20, value->>21, value->>22, value->>23, value->>24, value->>25, value->>26, value->>27, value->>28, value->>29, \
    value->>30, value->>31, value->>32, value->>33, value->>34, value->>35 \
    FROM json_each($1) WHERE true ON CONFLICT (id) DO NOTHING";

const ADD_ATTEMPTS: &str = "INSERT INTO attempts (id, call, at_us, workspace, credential, kind, model, target, provider, number, \
    items, status, total_ns, tokens_in, tokens_cached_read, tokens_cached_write, tokens_out, tokens_reasoning, cost_nano, config) \
    SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8, value->>9, \
    value->>10, value->>11, value->>12, value->>13, value->>14, value->>15, value->>16, value->>17, value->>18, value->>19 \
    FROM json_each($1) WHERE true ON CONFLICT (id) DO NOTHING";

const ADD_TAGS: &str = "INSERT INTO call_tags (workspace, tag, at_us, id) \
    SELECT workspace, tag.value, at_us, calls.id FROM calls, json_each(calls.tags) AS tag \
    WHERE seq > $1 AND tags <> '[]' ON CONFLICT DO NOTHING";

const ADD_UP: &str = "INSERT INTO usage (workspace, hour_us, credential, model, calls, hits, joined, misses, mixed, bypassed, \
    failed, abandoned, tokens_in, tokens_out, cost_nano, saved_nano, free_ns, paid_ns) \
    SELECT workspace, at_us - at_us % 3600000000, credential, model, count(*), sum(outcome = 'hit'), sum(outcome = 'joined'), \
    sum(outcome = 'miss'), sum(outcome = 'mixed'), sum(outcome = 'bypass'), sum(outcome = 'failed'), \
    sum(outcome = 'abandoned'), sum(coalesce(tokens_in, 0)), sum(coalesce(tokens_out, 0)), sum(coalesce(cost_nano, 0)), \
    sum(coalesce(saved_nano, 0)), sum(iif(outcome IN ('hit', 'joined'), total_ns, 0)), \
    sum(iif(outcome = 'miss', total_ns, 0)) \
    FROM calls WHERE seq > $1 GROUP BY 1, 2, 3, 4 \
    ON CONFLICT (workspace, hour_us, credential, model) DO UPDATE SET calls = calls + excluded.calls, \
    hits = hits + excluded.hits, joined = joined + excluded.joined, misses = misses + excluded.misses, \
    mixed = mixed + excluded.mixed, bypassed = bypassed + excluded.bypassed, failed = failed + excluded.failed, \
    abandoned = abandoned + excluded.abandoned, tokens_in = tokens_in + excluded.tokens_in, \
    tokens_out = tokens_out + excluded.tokens_out, cost_nano = cost_nano + excluded.cost_nano, \
    saved_nano = saved_nano + excluded.saved_nano, free_ns = free_ns + excluded.free_ns, paid_ns = paid_ns + excluded.paid_ns";

const USAGE: &str = "SELECT hour_us, credential, model, calls, hits, joined, misses, mixed, bypassed, failed, abandoned, \
    tokens_in, tokens_out, cost_nano, saved_nano, free_ns, paid_ns FROM usage \
    WHERE workspace = $1 AND hour_us >= $2 AND hour_us < $3 ORDER BY hour_us, credential, model";

macro_rules! calls {
    ($($which:literal),*) => {
        concat!(
            "SELECT id, at_us, workspace, credential, tags, door, kind, form, model, target, outcome, reason, payer, \
            request_key, attempts, items_hit, items_joined, items_miss, marks, tokens_in, tokens_cached_read, \
            tokens_cached_write, tokens_out, tokens_reasoning, cost_nano, saved_nano, bytes, error_stage, error_code, \
            error_blame, config FROM calls WHERE ",
            $($which),*
        )
    };
}

macro_rules! attempts {
    ($($which:literal),*) => {
        concat!(
            "SELECT id, call, at_us, workspace, credential, kind, model, target, number, items, status, total_ns, \
            tokens_in, tokens_cached_read, tokens_cached_write, tokens_out, tokens_reasoning, cost_nano, config \
            FROM attempts WHERE ",
            $($which),*
        )
    };
}

macro_rules! page {
    ($table:ident, $and:literal) => {
        $table!("workspace = $1 AND at_us >= $2 AND at_us <= $3", $and, " ORDER BY at_us DESC, id DESC")
    };
}

pub(super) const CALL: &str = calls!("id = $1");
pub(super) const ATTEMPTS_OF: &str = attempts!("call = $1 ORDER BY at_us, id");

/// A statement that walks an index, and what it looks for there beside workspace and time. Everything else that is wanted is
/// looked at in each line it gives.
pub(super) type Walk = (&'static str, Option<String>);

/// How the calls that are wanted are walked: by what is mostly rarest.
pub(super) fn walk_calls(wanted: &Wanted) -> Walk {
    let Wanted { credential, model, provider, status, outcome, tag, .. } = wanted;
    let outcome = outcome.as_deref().or_else(|| status.as_deref().filter(|status| *status != "ok"));
    if let Some(tag) = tag {
        let tagged = page!(
            calls,
            " AND id IN (SELECT id FROM call_tags WHERE workspace = $1 AND tag = $4 \
            AND at_us >= $2 AND at_us <= $3)"
        );
        return (tagged, Some(tag.to_string()));
    }
    if let Some(credential) = credential {
        return (page!(calls, " AND credential = $4"), Some(hex(*credential)));
    }
    if let Some(model) = model {
        return (page!(calls, " AND model = $4"), Some(model.to_string()));
    }
    if let Some(outcome) = outcome {
        return (page!(calls, " AND outcome = $4"), Some(outcome.to_owned()));
    }
    match provider {
        Some(provider) => (page!(calls, " AND provider = $4"), Some(provider.to_string())),
        None => (page!(calls, ""), None),
    }
}

/// The same for attempts.
pub(super) fn walk_attempts(wanted: &Wanted) -> Walk {
    let Wanted { credential, model, provider, status, .. } = wanted;
    if let Some(credential) = credential {
        return (page!(attempts, " AND credential = $4"), Some(hex(*credential)));
    }
    if let Some(model) = model {
        return (page!(attempts, " AND model = $4"), Some(model.to_string()));
    }
    if let Some(status) = status {
        return (page!(attempts, " AND status = $4"), Some(status.to_string()));
    }
    match provider {
        Some(provider) => (page!(attempts, " AND provider = $4"), Some(provider.to_string())),
        None => (page!(attempts, ""), None),
    }
}

/// Lines of one day that go in together, as JSON lists.
#[derive(Debug, Default)]
pub(super) struct Lines {
    calls: Vec<Json>,
    attempts: Vec<Json>,
}

impl Lines {
    pub(super) fn call(&mut self, row: &BookedCall<'_>) {
        let [tokens_in, cached_read, cached_write, out, reasoning] = tokens(row.usage);
        let tags: Vec<&str> = row.tags.split(',').filter(|tag| !tag.is_empty()).collect();
        let ItemCounts { hit, joined, miss } = row.items;
        let [stage, code, blame] = &row.failure;
        self.calls.push(json!([
            row.id.to_string(),
            row.at_us,
            row.workspace,
            hex(row.credential),
            json!(tags).to_string(),
            row.door,
            row.kind,
            row.form,
            row.model,
            row.target,
            provider(&row.target),
            row.status(),
            row.outcome,
            row.reason,
            row.payer.map(|payer| payer.to_string()),
            row.key.map(|key| digits(&key)),
            row.attempts,
            hit,
            joined,
            miss,
            json!(row.marks).to_string(),
            row.lane_wait_ns(),
            row.first_ns(),
            row.took_ns(),
            tokens_in,
            cached_read,
            cached_write,
            out,
            reasoning,
            row.cost,
            row.saved,
            row.bytes,
            stage,
            code,
            blame,
            row.config,
        ]));
    }

    pub(super) fn attempt(&mut self, row: &BookedAttempt<'_>) {
        let [tokens_in, cached_read, cached_write, out, reasoning] = tokens(row.usage);
        self.attempts.push(json!([
            row.id.to_string(),
            row.call.to_string(),
            row.at_us,
            row.workspace,
            hex(row.credential),
            row.kind,
            row.model,
            row.target,
            provider(&row.target),
            row.attempt,
            row.items,
            row.status,
            row.took_ns,
            tokens_in,
            cached_read,
            cached_write,
            out,
            reasoning,
            row.cost,
            row.config,
        ]));
    }

    /// Adds what is not there yet, and adds it up, inside a transaction that has begun.
    pub(super) async fn add(self, on: &mut Connection) -> sqlx::Result<()> {
        let Self { calls, attempts } = self;
        if !attempts.is_empty() {
            sqlx::query(ADD_ATTEMPTS).bind(Json::Array(attempts).to_string()).execute(&mut *on).await?;
        }
        if !calls.is_empty() {
            let last: i64 = sqlx::query_scalar(LAST).fetch_one(&mut *on).await?;
            sqlx::query(ADD_CALLS).bind(Json::Array(calls).to_string()).execute(&mut *on).await?;
            sqlx::query(ADD_TAGS).bind(last).execute(&mut *on).await?;
            sqlx::query(ADD_UP).bind(last).execute(&mut *on).await?;
        }
        Ok(())
    }
}

/// Sums of the hours of a day from `since_us` on and before `until_us`.
pub(super) async fn usage(
    on: &mut Connection,
    workspace: &str,
    since_us: i64,
    until_us: i64,
) -> sqlx::Result<Vec<Usages>> {
    let lines = sqlx::query(USAGE).bind(workspace).bind(since_us).bind(until_us).fetch_all(on).await?;
    lines.iter().map(read_usage).collect()
}

fn read_usage(line: &SqliteRow) -> sqlx::Result<Usages> {
    let number =
        |at: usize| line.try_get::<i64, _>(at).map(|number| u64::try_from(number).unwrap_or_default());
    Ok(Usages {
        from_us: line.try_get(0)?,
        credential: unhex(line.try_get(1)?),
        model: line.try_get(2)?,
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
        cost_nano: line.try_get(13)?,
        saved_nano: line.try_get(14)?,
        free_ns: number(15)?,
        paid_ns: number(16)?,
    })
}

pub(super) fn read_call(line: &SqliteRow) -> sqlx::Result<BookedCall<'static>> {
    let text = |at: usize| line.try_get::<String, _>(at).map(Cow::Owned);
    let small =
        |at: usize| line.try_get::<i64, _>(at).map(|number| u32::try_from(number).unwrap_or_default());
    let id: &str = line.try_get(0)?;
    let payer: Option<&str> = line.try_get(12)?;
    let key: Option<&str> = line.try_get(13)?;
    let tags: Vec<String> = json_of(line.try_get(4)?)?;
    Ok(BookedCall {
        id: CallId::parse(id).ok_or_else(|| damaged("id"))?,
        at_us: line.try_get(1)?,
        workspace: text(2)?,
        credential: unhex(line.try_get(3)?),
        tags: tags.join(",").into(),
        door: text(5)?,
        kind: text(6)?,
        form: text(7)?,
        model: text(8)?,
        target: text(9)?,
        outcome: text(10)?,
        reason: text(11)?,
        payer: payer.and_then(CallId::parse),
        key: key.and_then(undigits),
        attempts: small(14)?,
        items: ItemCounts { hit: small(15)?, joined: small(16)?, miss: small(17)? },
        marks: json_of(line.try_get(18)?)?,
        usage: read_tokens(line, 19)?,
        cost: line.try_get(24)?,
        saved: line.try_get(25)?,
        bytes: line.try_get::<i64, _>(26)?.unsigned_abs(),
        failure: [text(27)?, text(28)?, text(29)?],
        config: text(30)?,
    })
}

pub(super) fn read_attempt(line: &SqliteRow) -> sqlx::Result<BookedAttempt<'static>> {
    let text = |at: usize| line.try_get::<String, _>(at).map(Cow::Owned);
    let small =
        |at: usize| line.try_get::<i64, _>(at).map(|number| u32::try_from(number).unwrap_or_default());
    let (id, call): (&str, &str) = (line.try_get(0)?, line.try_get(1)?);
    Ok(BookedAttempt {
        id: AttemptId::parse(id).ok_or_else(|| damaged("id"))?,
        call: CallId::parse(call).ok_or_else(|| damaged("call"))?,
        at_us: line.try_get(2)?,
        workspace: text(3)?,
        credential: unhex(line.try_get(4)?),
        kind: text(5)?,
        model: text(6)?,
        target: text(7)?,
        attempt: small(8)?,
        items: small(9)?,
        status: text(10)?,
        took_ns: line.try_get::<i64, _>(11)?.unsigned_abs(),
        usage: read_tokens(line, 12)?,
        cost: line.try_get(17)?,
        config: text(18)?,
    })
}

fn tokens(usage: Option<Usage>) -> [Option<u64>; 5] {
    usage.map_or([None; 5], |Usage { input, cached_read, cached_write, output, reasoning }| {
        [input, cached_read, cached_write, output, reasoning].map(Some)
    })
}

fn read_tokens(line: &SqliteRow, first: usize) -> sqlx::Result<Option<Usage>> {
    let number = |at: usize| line.try_get::<Option<i64>, _>(first + at);
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

fn hex(credential: u64) -> String {
    format!("{credential:016x}")
}

fn unhex(credential: &str) -> u64 {
    u64::from_str_radix(credential, 16).unwrap_or_default()
}

fn digits(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn undigits(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}
