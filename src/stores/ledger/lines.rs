//! Owns the lines that a group of the journal adds to the tables of a day. Must not know which day it is, or when it is folded.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value as Json, json};
use tidegate_actors::ports::books::{BookedAttempt, BookedCall, Usages, provider};
use tidegate_actors::ports::provider::Usage;
use tidegate_actors::record::ItemCounts;

use super::statements::{ADD_ATTEMPTS, ADD_CALLS, ADD_TAGS, ADD_UP, KNOWN};
use super::told;
use crate::stores::sql::Connection;

/// Calls looked for with one statement: SQLite is not to keep a processor for long that somebody else wants.
const ASKED_AT_ONCE: usize = 256;
const HOUR_US: i64 = 3_600 * 1_000_000;

/// Lines of one day that go in together, each a list of values.
#[derive(Debug, Default)]
pub(super) struct Lines {
    calls: Vec<CallLines>,
    attempts: Vec<Json>,
}

/// What one call adds.
#[derive(Debug)]
struct CallLines {
    line: Json,
    tags: Vec<Json>,
    workspace: String,
    sum: Usages,
}

impl Lines {
    pub(super) fn call(&mut self, row: &BookedCall<'_>) {
        let [tokens_in, cached_read, cached_write, out, reasoning] = tokens(row.usage);
        let tags: Vec<&str> = row.tags.split(',').filter(|tag| !tag.is_empty()).collect();
        let ItemCounts { hit, joined, miss } = row.items;
        let [stage, code, blame] = &row.failure;
        let line = clean(json!([
            row.id.to_string(),
            row.at_us,
            row.workspace,
            told::number(row.credential),
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
            row.key.map(hex::encode),
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
            row.decision(),
            row.batch.map(|batch| batch.to_string()),
            u8::from(row.estimated),
            row.request_bytes,
        ]));
        let tag = |tag: &&str| clean(json!([row.workspace, tag, row.at_us, row.id.to_string()]));
        let tags = tags.iter().map(tag).collect();
        self.calls.push(CallLines { line, tags, workspace: row.workspace.to_string(), sum: sum(row) });
    }

    pub(super) fn attempt(&mut self, row: &BookedAttempt<'_>) {
        let [tokens_in, cached_read, cached_write, out, reasoning] = tokens(row.usage);
        self.attempts.push(clean(json!([
            row.id.to_string(),
            row.call.to_string(),
            row.at_us,
            row.workspace,
            told::number(row.credential),
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
        ])));
    }

    /// Adds to the tables of a day, which begins and ends at these moments, what is not there yet, and adds it up; inside a
    /// transaction that has begun.
    pub(super) async fn add(
        mut self,
        on: &mut Connection<'_>,
        (from_us, until_us): (i64, i64),
    ) -> sqlx::Result<()> {
        if !self.attempts.is_empty() {
            on.add(ADD_ATTEMPTS, self.attempts).await?;
        }
        if self.calls.is_empty() {
            return Ok(());
        }
        let mut known: HashSet<String> = HashSet::new();
        for calls in self.calls.chunks(ASKED_AT_ONCE) {
            let ids: Json = calls.iter().map(|call| json!([call.line[0]])).collect();
            let there = on.query(KNOWN).bind(ids.to_string()).bind(from_us).bind(until_us);
            known.extend(there.fetch_all(|row| row.get(0)).await?);
        }
        self.calls.retain(|call| call.line[0].as_str().is_some_and(|id| !known.contains(id)));
        let sums = sums(&self.calls);
        let (lines, tags): (Vec<Json>, Vec<Vec<Json>>) =
            self.calls.into_iter().map(|call| (call.line, call.tags)).unzip();
        on.add(ADD_CALLS, lines).await?;
        for (statement, list) in [(ADD_TAGS, tags.concat()), (ADD_UP, sums)] {
            if !list.is_empty() {
                on.query(statement).bind(Json::Array(list).to_string()).execute().await?;
            }
        }
        Ok(())
    }
}

/// What a call counts for.
fn sum(row: &BookedCall<'_>) -> Usages {
    let is = |outcome: &str| u64::from(row.outcome == outcome);
    let tokens = row.usage.unwrap_or_default();
    let free = is("hit") + is("joined");
    Usages {
        from_us: row.at_us - row.at_us.rem_euclid(HOUR_US),
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

/// The sums of all these calls, always in the same order: who adds at the same time waits, and nobody for each other.
fn sums(calls: &[CallLines]) -> Vec<Json> {
    let mut sums: BTreeMap<(&str, i64, u64, &str), Usages> = BTreeMap::new();
    for CallLines { workspace, sum, .. } in calls {
        sums.entry((workspace, sum.from_us, sum.credential, &sum.model)).or_default().add(sum);
    }
    let line = |((workspace, from_us, credential, model), sum): ((&str, i64, u64, &str), Usages)| {
        clean(json!([
            workspace,
            from_us,
            told::number(credential),
            model,
            sum.calls,
            sum.hits,
            sum.joined,
            sum.misses,
            sum.mixed,
            sum.bypassed,
            sum.failed,
            sum.abandoned,
            sum.tokens_in,
            sum.tokens_out,
            sum.cost_nano,
            sum.saved_nano,
            sum.free_ns,
            sum.paid_ns,
        ]))
    };
    sums.into_iter().map(line).collect()
}

/// A list that both databases take.
fn clean(mut list: Json) -> Json {
    for value in list.as_array_mut().into_iter().flatten() {
        if let Json::String(text) = value
            && text.contains('\0')
        {
            *text = told::clean(text);
        }
    }
    list
}

fn tokens(usage: Option<Usage>) -> [Option<u64>; 5] {
    usage.map_or([None; 5], |Usage { input, cached_read, cached_write, output, reasoning }| {
        [input, cached_read, cached_write, output, reasoning].map(Some)
    })
}
