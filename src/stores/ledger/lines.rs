//! Owns the values of the lines that rows of the journal add to tables, and the sums of calls. Must not know how they get there.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use tidegate_actors::ports::books::{BookedAttempt, BookedCall, Usages, provider};
use tidegate_actors::ports::provider::Usage;
use tidegate_actors::record::ItemCounts;

use super::told;

pub(super) const HOUR_US: i64 = 3_600 * 1_000_000;

/// What stands in a column.
#[derive(Debug)]
pub(super) enum Value<'a> {
    Null,
    Number(i64),
    Text(Cow<'a, str>),
}

pub(super) type CallLine<'a> = [Value<'a>; 40];
pub(super) type AttemptLine<'a> = [Value<'a>; 20];
pub(super) type TagLine<'a> = [Value<'a>; 4];
pub(super) type SumLine<'a> = [Value<'a>; 18];

pub(super) fn call_line<'a>(row: &'a BookedCall<'_>) -> CallLine<'a> {
    let [tokens_in, cached_read, cached_write, out, reasoning] = tokens(row.usage);
    let ItemCounts { hit, joined, miss } = row.items;
    let [stage, code, blame] = &row.failure;
    [
        row.id.to_string().into(),
        row.at_us.into(),
        text(&row.workspace),
        told::number(row.credential).into(),
        list(tags(row)),
        text(&row.door),
        text(&row.kind),
        text(&row.form),
        text(&row.model),
        text(&row.target),
        text(provider(&row.target)),
        text(row.status()),
        text(&row.outcome),
        text(&row.reason),
        row.payer.map(|payer| payer.to_string()).into(),
        row.key.map(hex::encode).into(),
        row.attempts.into(),
        hit.into(),
        joined.into(),
        miss.into(),
        list(row.marks),
        row.lane_wait_ns().into(),
        row.first_ns().into(),
        row.took_ns().into(),
        tokens_in,
        cached_read,
        cached_write,
        out,
        reasoning,
        row.cost.into(),
        row.saved.into(),
        row.bytes.into(),
        text(stage),
        text(code),
        text(blame),
        text(&row.config),
        text(row.decision()),
        row.batch.map(|batch| batch.to_string()).into(),
        u32::from(row.estimated).into(),
        row.request_bytes.into(),
    ]
}

/// A line for each of its tags.
pub(super) fn tag_lines<'a>(row: &'a BookedCall<'_>) -> impl Iterator<Item = TagLine<'a>> {
    tags(row).map(|tag| [text(&row.workspace), text(tag), row.at_us.into(), row.id.to_string().into()])
}

pub(super) fn attempt_line<'a>(row: &'a BookedAttempt<'_>) -> AttemptLine<'a> {
    let [tokens_in, cached_read, cached_write, out, reasoning] = tokens(row.usage);
    [
        row.id.to_string().into(),
        row.call.to_string().into(),
        row.at_us.into(),
        text(&row.workspace),
        told::number(row.credential).into(),
        text(&row.kind),
        text(&row.model),
        text(&row.target),
        text(provider(&row.target)),
        row.attempt.into(),
        row.items.into(),
        text(&row.status),
        row.took_ns.into(),
        tokens_in,
        cached_read,
        cached_write,
        out,
        reasoning,
        row.cost.into(),
        text(&row.config),
    ]
}

/// What a call counts for, and where.
#[derive(Debug)]
pub(super) struct Counted {
    workspace: String,
    sum: Usages,
}

/// Calls added up, by workspace, hour, credential and model.
#[derive(Debug, Default)]
pub(super) struct Sums(BTreeMap<(String, i64, u64, String), Usages>);

impl Counted {
    pub(super) fn of(row: &BookedCall<'_>) -> Self {
        Self { workspace: row.workspace.to_string(), sum: sum(row) }
    }
}

impl Sums {
    pub(super) fn add(&mut self, Counted { workspace, sum }: Counted) {
        let of = (workspace, sum.from_us, sum.credential, sum.model.clone());
        self.0.entry(of).or_default().add(&sum);
    }

    /// A line for each, always in the same order: who adds at the same time waits, and nobody for each other.
    pub(super) fn lines(&self) -> impl Iterator<Item = SumLine<'_>> {
        self.0.iter().map(|((workspace, hour, credential, model), sum)| {
            [
                text(workspace),
                (*hour).into(),
                told::number(*credential).into(),
                text(model),
                sum.calls.into(),
                sum.hits.into(),
                sum.joined.into(),
                sum.misses.into(),
                sum.mixed.into(),
                sum.bypassed.into(),
                sum.failed.into(),
                sum.abandoned.into(),
                sum.tokens_in.into(),
                sum.tokens_out.into(),
                sum.cost_nano.into(),
                sum.saved_nano.into(),
                sum.free_ns.into(),
                sum.paid_ns.into(),
            ]
        })
    }
}

/// What a call counts for in its hour.
pub(super) fn sum(row: &BookedCall<'_>) -> Usages {
    let is = |outcome: &str| u64::from(row.outcome == outcome);
    let tokens = row.usage.unwrap_or_default();
    let free = is("hit") + is("joined");
    Usages {
        from_us: hour(row.at_us),
        credential: row.credential,
        model: row.model.to_string(),
        calls: 1,
        hits: is("hit"),
        joined: is("joined"),
        misses: is("miss"),
        mixed: is("mixed"),
        bypassed: is("bypass"),
        failed: is("failed"),
        abandoned: is("abandoned"),
        tokens_in: tokens.input,
        tokens_out: tokens.output,
        cost_nano: row.cost.unwrap_or_default(),
        saved_nano: row.saved.unwrap_or_default(),
        free_ns: free * row.took_ns(),
        paid_ns: is("miss") * row.took_ns(),
    }
}

/// The beginning of the hour of a moment.
pub(super) fn hour(at_us: i64) -> i64 {
    at_us - at_us.rem_euclid(HOUR_US)
}

fn tags<'a>(row: &'a BookedCall<'_>) -> impl Iterator<Item = &'a str> {
    row.tags.split(',').filter(|tag| !tag.is_empty())
}

fn tokens(usage: Option<Usage>) -> [Value<'static>; 5] {
    usage.map_or(
        [const { Value::Null }; 5],
        |Usage { input, cached_read, cached_write, output, reasoning }| {
            [input, cached_read, cached_write, output, reasoning].map(Value::from)
        },
    )
}

/// A text that both databases take.
fn text(text: &str) -> Value<'_> {
    Value::Text(told::clean(text))
}

/// A JSON list.
fn list(items: impl IntoIterator<Item: Serialize>) -> Value<'static> {
    let items: Vec<_> = items.into_iter().collect();
    // Lists of texts and numbers can be written.
    serde_json::to_string(&items).unwrap_or_default().into()
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Value<'_> {
    /// What is more than the column holds is as much as it holds.
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<T: Into<Self>> From<Option<T>> for Value<'_> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => to.serialize_none(),
            Self::Number(number) => to.serialize_i64(*number),
            Self::Text(text) => to.serialize_str(text),
        }
    }
}
