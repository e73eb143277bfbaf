//! Rows of the ledger as `/api/v1` shows them.
//!
//! Owns their JSON form: times in RFC 3339, durations in milliseconds, money in decimal USD. Must not read the ledger.

use serde::Serialize;
use tidegate_actors::ports::books::{BookedAttempt, BookedCall};
use tidegate_actors::ports::provider::Usage;
use tidegate_actors::record::ItemCounts;
use utoipa::ToSchema;

use crate::identity::Roster;
use crate::identity::money::usd;
use crate::telemetry::when::written;

/// A call as the ledger has it.
#[derive(Serialize, ToSchema)]
pub(crate) struct CallRow {
    pub(crate) id: String,
    /// Admission, RFC 3339 UTC.
    #[schema(example = "2026-01-31T12:00:00.000001Z")]
    pub(crate) at: String,
    pub(crate) workspace: String,
    /// The credential it came with; null on an instance without keys.
    pub(crate) credential: Option<String>,
    /// The key or person this is, as far as that is known any more.
    #[schema(example = "key_01932c07-9a3e-7a61-b2f0-0123456789ab")]
    pub(crate) credential_id: Option<String>,
    pub(crate) tags: Vec<String>,
    #[schema(example = "openai.chat")]
    pub(crate) door: String,
    /// `chat`, `embed` or `forward`.
    pub(crate) kind: String,
    /// `whole` or `stream`.
    pub(crate) form: String,
    /// The name that was asked for.
    pub(crate) model: String,
    /// Who answered, as `provider/model`.
    pub(crate) target: Option<String>,
    /// What policy said: `allowed` or `denied`; null where it was not asked.
    pub(crate) decision: Option<&'static str>,
    /// `ok`, `failed` or `abandoned`.
    pub(crate) status: String,
    /// `hit`, `joined`, `miss`, `mixed`, `bypass`, `failed` or `abandoned`.
    pub(crate) outcome: String,
    /// Why it was not a hit, or the limit that refused it; empty for a hit.
    pub(crate) reason: String,
    /// The call that paid, if another did: for a hit the one that was answered first, for a joined call the one it joined.
    pub(crate) payer: Option<String>,
    /// The first request upstream that carried embedding items of it with others'.
    pub(crate) batch: Option<String>,
    /// As `x-tidegate-key` gave it.
    pub(crate) key: Option<String>,
    /// Requests sent upstream for it.
    pub(crate) attempts: u32,
    pub(crate) items: ItemsShown,
    pub(crate) lane_wait_ms: f64,
    /// Until the answer began.
    pub(crate) first_ms: f64,
    pub(crate) total_ms: f64,
    /// Bytes of the request as it came.
    pub(crate) request_bytes: u64,
    /// Bytes of the answer that were told.
    pub(crate) bytes: u64,
    pub(crate) usage: Option<UsageShown>,
    /// The usage is an estimate of ours, not what the upstream said.
    pub(crate) usage_estimated: bool,
    /// What it cost this caller, USD; null where no price is known.
    #[schema(example = "0.000012500")]
    pub(crate) cost: Option<String>,
    /// What it would have cost, had nobody else paid.
    pub(crate) saved: Option<String>,
    pub(crate) error: Option<ErrorShown>,
    /// The configuration in force.
    pub(crate) config: String,
}

/// A request to an upstream as the ledger has it.
#[derive(Serialize, ToSchema)]
pub(crate) struct AttemptRow {
    pub(crate) id: String,
    /// The call, or the first of a batch, it served.
    pub(crate) call: String,
    /// The credential of that call, and the key or person this is; null on an instance without keys.
    pub(crate) credential: Option<String>,
    pub(crate) credential_id: Option<String>,
    /// When it was opened, RFC 3339 UTC.
    pub(crate) at: String,
    pub(crate) kind: String,
    pub(crate) model: String,
    /// Who was asked, as `provider/model`.
    pub(crate) target: String,
    /// 1 for the first.
    pub(crate) attempt: u32,
    /// Embedding items it carried.
    pub(crate) items: u32,
    /// `ok`, the fault's name, or `interrupted`: its callers left, or the server ended before it did.
    pub(crate) status: String,
    /// Null if nobody saw its end.
    pub(crate) total_ms: Option<f64>,
    pub(crate) usage: Option<UsageShown>,
    /// USD; null where no price is known.
    pub(crate) cost: Option<String>,
    pub(crate) config: String,
}

/// Embedding items by how they were answered.
#[derive(Serialize, ToSchema)]
pub(crate) struct ItemsShown {
    hit: u32,
    joined: u32,
    miss: u32,
}

/// Tokens.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageShown {
    input: u64,
    cached_read: u64,
    cached_write: u64,
    output: u64,
    reasoning: u64,
}

/// Where it failed, as what, and whose doing it was.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorShown {
    pub(crate) stage: String,
    pub(crate) code: String,
    /// `caller`, `us` or `upstream`.
    pub(crate) blame: String,
}

impl CallRow {
    /// A row, whose credential `roster` knows by name.
    pub(crate) fn of(row: BookedCall<'static>, roster: &Roster) -> Self {
        let (lane_wait, first, total) = (row.lane_wait_ns(), row.first_ns(), row.took_ns());
        let (status, decision) = (row.status().to_owned(), row.decision());
        let [stage, code, blame] = row.failure.map(String::from);
        Self {
            id: row.id.to_string(),
            at: written(row.at_us),
            workspace: row.workspace.into(),
            credential: credential(row.credential),
            credential_id: credential_id(row.credential, roster),
            tags: split(&row.tags),
            door: row.door.into(),
            kind: row.kind.into(),
            form: row.form.into(),
            model: row.model.into(),
            target: some(row.target.into()),
            decision: Some(decision).filter(|said| !said.is_empty()),
            status,
            outcome: row.outcome.into(),
            reason: row.reason.into(),
            payer: row.payer.map(|payer| payer.to_string()),
            batch: row.batch.map(|batch| batch.to_string()),
            key: row.key.map(hex::encode),
            attempts: row.attempts,
            items: row.items.into(),
            lane_wait_ms: ms(lane_wait),
            first_ms: ms(first),
            total_ms: ms(total),
            request_bytes: row.request_bytes,
            bytes: row.bytes,
            usage: row.usage.map(UsageShown::from),
            usage_estimated: row.estimated,
            cost: row.cost.map(usd),
            saved: row.saved.map(usd),
            error: some(code).map(|code| ErrorShown { stage, code, blame }),
            config: row.config.into(),
        }
    }
}

impl AttemptRow {
    /// A row, whose credential `roster` knows by name.
    pub(crate) fn of(row: BookedAttempt<'static>, roster: &Roster) -> Self {
        Self {
            id: row.id.to_string(),
            call: row.call.to_string(),
            credential: credential(row.credential),
            credential_id: credential_id(row.credential, roster),
            at: written(row.at_us),
            kind: row.kind.into(),
            model: row.model.into(),
            target: row.target.into(),
            attempt: row.attempt,
            items: row.items,
            status: row.status.into(),
            total_ms: (row.took_ns > 0).then(|| ms(row.took_ns)),
            usage: row.usage.map(UsageShown::from),
            cost: row.cost.map(usd),
            config: row.config.into(),
        }
    }
}

impl From<Usage> for UsageShown {
    fn from(usage: Usage) -> Self {
        let Usage { input, cached_read, cached_write, output, reasoning } = usage;
        Self { input, cached_read, cached_write, output, reasoning }
    }
}

impl From<ItemCounts> for ItemsShown {
    fn from(items: ItemCounts) -> Self {
        let ItemCounts { hit, joined, miss } = items;
        Self { hit, joined, miss }
    }
}

/// What tells the calls of one credential from those of others; nothing on an instance without keys.
pub(crate) fn credential(number: u64) -> Option<String> {
    (number != 0).then(|| format!("{number:016x}"))
}

/// The key or person with this credential.
pub(crate) fn credential_id(number: u64, roster: &Roster) -> Option<String> {
    roster.named(number).map(|named| named.id.to_string())
}

/// Labels of a row.
pub(crate) fn split(tags: &str) -> Vec<String> {
    tags.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

/// Nothing for an empty text.
pub(crate) fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn ms(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}
