//! The calls of the last minutes and what they come to. Pure: it hears calls and is asked.
//!
//! Owns how many are remembered. Must not know who looks.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tidegate_actors::ports::books::BookedCall;
use tidegate_actors::{Stage, WorkspaceId};

use super::sight::{AffectedSight, FailureSight, OutcomeSight, Quantiles, Saved, Sight, Spent, StageSight};
use crate::identity::money::usd;

const SPAN_US: i64 = 300 * 1_000_000;
const MOST_CALLS: usize = 4_096;
/// Lines of a list that is shown.
const MOST_LINES: usize = 8;

type Call = Arc<BookedCall<'static>>;

/// The calls that were heard.
#[derive(Default)]
pub(super) struct Window {
    /// Nothing is known of what was before.
    since_us: i64,
    calls: VecDeque<Call>,
    /// When, and how many: calls that were not heard.
    missed: VecDeque<(i64, u64)>,
}

impl Window {
    /// Begins to hear now.
    pub(super) fn from(now_us: i64) -> Self {
        Self { since_us: now_us, ..Self::default() }
    }

    pub(super) fn add(&mut self, call: Call) {
        if self.calls.len() >= MOST_CALLS
            && let Some(oldest) = self.calls.pop_front()
        {
            self.since_us = self.since_us.max(oldest.at_us);
        }
        self.calls.push_back(call);
    }

    pub(super) fn miss(&mut self, now_us: i64, calls: u64) {
        self.missed.push_back((now_us, calls));
    }

    /// Forgets what is too long ago.
    pub(super) fn trim(&mut self, now_us: i64) {
        let from = now_us - SPAN_US;
        self.since_us = self.since_us.max(from);
        while self.calls.front().is_some_and(|call| call.at_us < from) {
            self.calls.pop_front();
        }
        while self.missed.front().is_some_and(|(at, _)| *at < self.since_us) {
            self.missed.pop_front();
        }
    }

    /// What the calls of `whose` workspace, or of all, come to.
    pub(super) fn sight(&self, whose: Option<&WorkspaceId>, now_us: i64) -> Sight {
        let is_own = |call: &&Call| whose.is_none_or(|whose| whose.as_str() == call.workspace);
        let calls: Vec<&BookedCall<'_>> = self.calls.iter().filter(is_own).map(|call| &**call).collect();
        let answered = || calls.iter().filter(|call| call.status() == "ok");
        let streamed = answered().filter(|call| call.form == "stream" && call.attempts > 0);
        Sight {
            seconds: (now_us - self.since_us).max(0) as f64 / 1e6,
            calls: calls.len() as u64,
            unseen: self.missed.iter().map(|(_, calls)| calls).sum(),
            outcomes: outcomes(&calls),
            stages: stages(&calls),
            first: quantiles(answered().map(|call| call.first_ns()).collect()),
            first_token: quantiles(streamed.map(|call| call.first_ns()).collect()),
            total: quantiles(answered().map(|call| call.took_ns()).collect()),
            failures: failures(&calls),
            affected: affected(&calls),
            spent: spent(&calls),
            saved: saved(&calls),
        }
    }
}

fn outcomes(calls: &[&BookedCall<'_>]) -> Vec<OutcomeSight> {
    let mut counts = BTreeMap::<&str, u64>::new();
    for call in calls {
        *counts.entry(&call.outcome).or_default() += 1;
    }
    counts.into_iter().map(|(outcome, calls)| OutcomeSight { outcome: outcome.to_owned(), calls }).collect()
}

fn stages(calls: &[&BookedCall<'_>]) -> Vec<StageSight> {
    let mut took = Stage::ALL.map(|stage| (stage, Vec::new()));
    for call in calls {
        let mut before = 0;
        for (stage, took) in &mut took {
            if let Some(at) = call.mark(*stage) {
                took.push(at.saturating_sub(before));
                before = before.max(at);
            }
        }
    }
    let sight =
        |(stage, took): (Stage, Vec<u64>)| Some(StageSight { stage: stage.name(), took: quantiles(took)? });
    took.into_iter().filter_map(sight).collect()
}

/// By nearest rank; nothing of nothing.
fn quantiles(mut nanos: Vec<u64>) -> Option<Quantiles> {
    nanos.sort_unstable();
    let last = nanos.len().checked_sub(1)?;
    let of = |permille: usize| {
        nanos[(nanos.len() * permille).div_ceil(1_000).saturating_sub(1).min(last)] as f64 / 1e6
    };
    Some(Quantiles {
        calls: nanos.len() as u64,
        p50_ms: of(500),
        p99_ms: of(990),
        p999_ms: of(999),
        max_ms: nanos[last] as f64 / 1e6,
    })
}

fn failures(calls: &[&BookedCall<'_>]) -> Vec<FailureSight> {
    let mut counts = BTreeMap::<[&str; 3], (u64, &BookedCall<'_>)>::new();
    for call in calls.iter().filter(|call| !call.failure[1].is_empty()) {
        let [stage, code, blame] = &call.failure;
        let line = counts.entry([stage, code, blame]).or_insert((0, call));
        *line = (line.0 + 1, call);
    }
    let mut lines: Vec<_> = counts.into_iter().collect();
    lines.sort_by_key(|(_, (calls, _))| std::cmp::Reverse(*calls));
    let line = |([stage, code, blame], (calls, last)): ([&str; 3], (u64, &BookedCall<'_>))| FailureSight {
        stage: stage.to_owned(),
        code: code.to_owned(),
        blame: blame.to_owned(),
        calls,
        last: last.id.to_string(),
    };
    lines.into_iter().take(MOST_LINES).map(line).collect()
}

fn affected(calls: &[&BookedCall<'_>]) -> Vec<AffectedSight> {
    let mut counts = BTreeMap::<&str, (u64, u64)>::new();
    for call in calls {
        let (failed, all) = counts.entry(&call.workspace).or_default();
        *failed += u64::from(call.status() == "failed");
        *all += 1;
    }
    let mut lines: Vec<_> = counts.into_iter().filter(|(_, (failed, _))| *failed > 0).collect();
    lines.sort_by_key(|(_, (failed, _))| std::cmp::Reverse(*failed));
    let line = |(workspace, (failed, calls)): (&str, _)| AffectedSight {
        workspace: workspace.to_owned(),
        failed,
        calls,
    };
    lines.into_iter().take(MOST_LINES).map(line).collect()
}

fn spent(calls: &[&BookedCall<'_>]) -> Spent {
    let paid = || calls.iter().filter(|call| call.attempts > 0 && call.payer.is_none());
    let tokens = |of: fn(&tidegate_actors::ports::provider::Usage) -> u64| {
        paid().filter_map(|call| call.usage.as_ref()).map(of).sum()
    };
    Spent {
        usd: usd(calls.iter().filter_map(|call| call.cost).sum()),
        tokens_in: tokens(|usage| usage.input),
        tokens_out: tokens(|usage| usage.output),
    }
}

fn saved(calls: &[&BookedCall<'_>]) -> Vec<Saved> {
    let mut paid = BTreeMap::<&str, Vec<u64>>::new();
    for call in calls.iter().filter(|call| call.outcome == "miss") {
        paid.entry(&call.model).or_default().push(call.took_ns());
    }
    let usual: BTreeMap<&str, u64> = paid
        .into_iter()
        .map(|(model, mut took)| {
            took.sort_unstable();
            (model, took[took.len() / 2])
        })
        .collect();
    let way = |by, is_so: fn(&BookedCall<'_>) -> bool| {
        let these: Vec<_> = calls.iter().filter(|call| is_so(call)).collect();
        let not_waited = |call: &&&&BookedCall<'_>| {
            usual.get(&*call.model).map_or(0, |usual| usual.saturating_sub(call.took_ns()))
        };
        let is_free = by != "batched";
        Saved {
            by,
            calls: these.len() as u64,
            usd: usd(these.iter().filter_map(|call| call.saved.filter(|_| is_free)).sum()),
            tokens: these
                .iter()
                .filter(|_| is_free)
                .filter_map(|call| call.usage)
                .map(|usage| usage.input + usage.output)
                .sum(),
            ms: these.iter().filter(|_| is_free).map(|call| not_waited(&call)).sum::<u64>() as f64 / 1e6,
        }
    };
    vec![
        way("exact", |call| matches!(&*call.outcome, "hit" | "mixed")),
        way("joined", |call| call.outcome == "joined"),
        way("batched", |call| call.batch.is_some()),
    ]
}

#[cfg(test)]
mod tests;
