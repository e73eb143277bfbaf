//! Owns the statements on the tables of the ledger. Must not know where these lie, or what a line means.
//!
//! A line is added to a file by a statement of its own, and many at once, as a JSON list, to a server: taking that list apart
//! costs SQLite more than adding the lines, and the way to a server costs more than a line.

use tidegate_actors::ports::books::Wanted;

use super::told;
use crate::stores::sql::Statement;

/// What adds lines: to these columns, a `?` for each of them, each as it is taken out of a list, what becomes of a line that is
/// there, and what a server tells of those it added.
macro_rules! adding {
    ($into:literal, $line:literal, $taken:literal, $conflict:literal, $told:literal) => {
        Statement {
            sqlite: concat!("INSERT INTO ", $into, " VALUES ", $line, $conflict),
            postgres: concat!(
                "INSERT INTO ",
                $into,
                " SELECT ",
                $taken,
                " FROM jsonb_array_elements(CAST($1 AS JSONB))",
                $conflict,
                $told
            ),
        }
    };
}

pub(super) const ADD_CALLS: Statement = adding!(
    "calls (id, at_us, workspace, credential, tags, door, kind, form, model, target, provider, status, outcome, reason, \
    payer, request_key, attempts, items_hit, items_joined, items_miss, marks, lane_wait_ns, first_ns, total_ns, tokens_in, \
    tokens_cached_read, tokens_cached_write, tokens_out, tokens_reasoning, cost_nano, saved_nano, bytes, error_stage, \
    error_code, error_blame, config, decision, batch, tokens_estimated, request_bytes)",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "value->>0, CAST(value->>1 AS BIGINT), value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8, \
    value->>9, value->>10, value->>11, value->>12, value->>13, value->>14, value->>15, CAST(value->>16 AS BIGINT), \
    CAST(value->>17 AS BIGINT), CAST(value->>18 AS BIGINT), CAST(value->>19 AS BIGINT), value->>20, CAST(value->>21 AS \
    BIGINT), CAST(value->>22 AS BIGINT), CAST(value->>23 AS BIGINT), CAST(value->>24 AS BIGINT), CAST(value->>25 AS \
    BIGINT), CAST(value->>26 AS BIGINT), CAST(value->>27 AS BIGINT), CAST(value->>28 AS BIGINT), CAST(value->>29 AS \
    BIGINT), CAST(value->>30 AS BIGINT), CAST(value->>31 AS BIGINT), value->>32, value->>33, value->>34, value->>35, \
    value->>36, value->>37, CAST(value->>38 AS BIGINT), CAST(value->>39 AS BIGINT)",
    " ON CONFLICT DO NOTHING",
    " RETURNING id"
);

pub(super) const ADD_ATTEMPTS: Statement = adding!(
    "attempts (id, call, at_us, workspace, credential, kind, model, target, provider, number, items, status, total_ns, \
    tokens_in, tokens_cached_read, tokens_cached_write, tokens_out, tokens_reasoning, cost_nano, config)",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "value->>0, value->>1, CAST(value->>2 AS BIGINT), value->>3, value->>4, value->>5, value->>6, value->>7, value->>8, \
    CAST(value->>9 AS BIGINT), CAST(value->>10 AS BIGINT), value->>11, CAST(value->>12 AS BIGINT), CAST(value->>13 AS \
    BIGINT), CAST(value->>14 AS BIGINT), CAST(value->>15 AS BIGINT), CAST(value->>16 AS BIGINT), CAST(value->>17 AS \
    BIGINT), CAST(value->>18 AS BIGINT), value->>19",
    " ON CONFLICT DO NOTHING",
    ""
);

pub(super) const ADD_TAGS: Statement = adding!(
    "call_tags (workspace, tag, at_us, id)",
    "(?, ?, ?, ?)",
    "value->>0, value->>1, CAST(value->>2 AS BIGINT), value->>3",
    " ON CONFLICT DO NOTHING",
    ""
);

pub(super) const ADD_UP: Statement = adding!(
    "usage (workspace, hour_us, credential, model, calls, hits, joined, misses, mixed, bypassed, failed, abandoned, \
    tokens_in, tokens_out, cost_nano, saved_nano, free_ns, paid_ns)",
    "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "value->>0, CAST(value->>1 AS BIGINT), value->>2, value->>3, CAST(value->>4 AS BIGINT), CAST(value->>5 AS BIGINT), \
    CAST(value->>6 AS BIGINT), CAST(value->>7 AS BIGINT), CAST(value->>8 AS BIGINT), CAST(value->>9 AS BIGINT), \
    CAST(value->>10 AS BIGINT), CAST(value->>11 AS BIGINT), CAST(value->>12 AS BIGINT), CAST(value->>13 AS BIGINT), \
    CAST(value->>14 AS BIGINT), CAST(value->>15 AS BIGINT), CAST(value->>16 AS BIGINT), CAST(value->>17 AS BIGINT)",
    " ON CONFLICT (workspace, hour_us, credential, model) DO UPDATE SET calls = usage.calls + excluded.calls, \
    hits = usage.hits + excluded.hits, joined = usage.joined + excluded.joined, misses = usage.misses + excluded.misses, \
    mixed = usage.mixed + excluded.mixed, bypassed = usage.bypassed + excluded.bypassed, failed = usage.failed + \
    excluded.failed, abandoned = usage.abandoned + excluded.abandoned, tokens_in = usage.tokens_in + excluded.tokens_in, \
    tokens_out = usage.tokens_out + excluded.tokens_out, cost_nano = usage.cost_nano + excluded.cost_nano, saved_nano = \
    usage.saved_nano + excluded.saved_nano, free_ns = usage.free_ns + excluded.free_ns, paid_ns = usage.paid_ns + \
    excluded.paid_ns",
    ""
);

pub(super) const USAGE: &str = "SELECT hour_us, credential, model, calls, hits, joined, misses, mixed, bypassed, failed, abandoned, \
    tokens_in, tokens_out, cost_nano, saved_nano, free_ns, paid_ns FROM usage \
    WHERE workspace = $1 AND hour_us >= $2 AND hour_us < $3 ORDER BY hour_us, credential, model";

macro_rules! calls {
    ($($which:literal),*) => {
        concat!(
            "SELECT id, at_us, workspace, credential, tags, door, kind, form, model, target, outcome, reason, payer, \
            request_key, attempts, items_hit, items_joined, items_miss, marks, tokens_in, tokens_cached_read, \
            tokens_cached_write, tokens_out, tokens_reasoning, cost_nano, saved_nano, bytes, error_stage, error_code, \
            error_blame, config, batch, tokens_estimated, request_bytes FROM calls WHERE ",
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
        $table!(
            "workspace = $1 AND at_us >= $2 AND at_us <= $3 AND (at_us, id) < ($3, $4)",
            $and,
            " ORDER BY at_us DESC, id DESC LIMIT $5"
        )
    };
}

pub(super) const CALL: &str = calls!("id = $1 AND at_us >= $2 AND at_us < $3");
pub(super) const ATTEMPTS_OF: &str =
    attempts!("(call = $1 OR id = $4) AND at_us >= $2 AND at_us < $3 ORDER BY at_us, id");

/// A statement that walks an index, a page at a time: of a workspace (`$1`), from a moment on (`$2`), before a line (`$3`, `$4`), so
/// many (`$5`). And what it looks for beside that (`$6`); everything else that is wanted is looked at in each line it gives.
pub(super) type Walk = (&'static str, Option<String>);

/// How the calls that are wanted are walked: by what is mostly rarest.
pub(super) fn walk_calls(wanted: &Wanted) -> Walk {
    let Wanted { credential, model, provider, status, outcome, tag, .. } = wanted;
    let outcome = outcome.as_deref().or_else(|| status.as_deref().filter(|status| *status != "ok"));
    if let Some(tag) = tag {
        let tagged = page!(
            calls,
            " AND id IN (SELECT id FROM call_tags WHERE workspace = $1 AND tag = $6 AND at_us >= $2 AND at_us <= $3 \
            AND (at_us, id) < ($3, $4) ORDER BY at_us DESC, id DESC LIMIT $5)"
        );
        return (tagged, Some(tag.to_string()));
    }
    if let Some(credential) = credential {
        return (page!(calls, " AND credential = $6"), Some(told::number(*credential)));
    }
    if let Some(model) = model {
        return (page!(calls, " AND model = $6"), Some(model.to_string()));
    }
    if let Some(outcome) = outcome {
        return (page!(calls, " AND outcome = $6"), Some(outcome.to_owned()));
    }
    match provider {
        Some(provider) => (page!(calls, " AND provider = $6"), Some(provider.to_string())),
        None => (page!(calls, ""), None),
    }
}

/// The same for attempts.
pub(super) fn walk_attempts(wanted: &Wanted) -> Walk {
    let Wanted { credential, model, provider, status, .. } = wanted;
    if let Some(credential) = credential {
        return (page!(attempts, " AND credential = $6"), Some(told::number(*credential)));
    }
    if let Some(model) = model {
        return (page!(attempts, " AND model = $6"), Some(model.to_string()));
    }
    if let Some(status) = status {
        return (page!(attempts, " AND status = $6"), Some(status.to_string()));
    }
    match provider {
        Some(provider) => (page!(attempts, " AND provider = $6"), Some(provider.to_string())),
        None => (page!(attempts, ""), None),
    }
}
