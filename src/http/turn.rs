//! Owns how a call enters under the limits of its credential, and what its answer says of them, as its vendor says it. Must not
//! know how a limit is counted.

use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use tidegate_actors::Call;
use tidegate_actors::json::Node;
use tidegate_actors::ports::provider::Usage;
use tidegate_actors::route::Route;

use super::Doors;
use super::error::DoorError;
use super::vendor::Vendor;
use crate::dialect::tally::BYTES_PER_TOKEN;
use crate::identity::money::short_usd;
use crate::identity::{Entry, Principal, Quota, Quotas, Turn, Warned};
use crate::telemetry::when::written;

/// Names of limit, remaining and reset.
type Names = [HeaderName; 3];

/// Of requests and of tokens.
static OPENAI: [Names; 2] = [
    [
        HeaderName::from_static("x-ratelimit-limit-requests"),
        HeaderName::from_static("x-ratelimit-remaining-requests"),
        HeaderName::from_static("x-ratelimit-reset-requests"),
    ],
    [
        HeaderName::from_static("x-ratelimit-limit-tokens"),
        HeaderName::from_static("x-ratelimit-remaining-tokens"),
        HeaderName::from_static("x-ratelimit-reset-tokens"),
    ],
];
static ANTHROPIC: [Names; 2] = [
    [
        HeaderName::from_static("anthropic-ratelimit-requests-limit"),
        HeaderName::from_static("anthropic-ratelimit-requests-remaining"),
        HeaderName::from_static("anthropic-ratelimit-requests-reset"),
    ],
    [
        HeaderName::from_static("anthropic-ratelimit-tokens-limit"),
        HeaderName::from_static("anthropic-ratelimit-tokens-remaining"),
        HeaderName::from_static("anthropic-ratelimit-tokens-reset"),
    ],
];
static X_BUDGET_WARNING: HeaderName = HeaderName::from_static("x-tidegate-budget-warning");

/// Tokens of an answer whose request does not say how long it may be, likewise.
pub(crate) const ASSUMED_OUTPUT: u64 = 1_000;

/// The fields by which a request says how long its answer may be.
const LONGEST: [&str; 2] = ["max_completion_tokens", "max_tokens"];

/// How large a request and its answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// Bytes of the request.
    pub(crate) bytes: usize,
    /// Tokens of the answer.
    pub(crate) output: u64,
}

impl Size {
    /// Of a request in one of the chat formats.
    pub(crate) fn of_chat(root: Node<'_>) -> Self {
        let said = LONGEST.iter().find_map(|name| root.get(name)?.as_u64());
        let answers = root.get("n").and_then(|n| n.as_u64()).unwrap_or(1).max(1);
        let output = said.unwrap_or(ASSUMED_OUTPUT).saturating_mul(answers);
        Self { bytes: root.raw_bytes().len(), output }
    }

    /// Tokens read, by estimate.
    fn input(self) -> u64 {
        self.bytes.div_ceil(BYTES_PER_TOKEN) as u64
    }

    /// What it may cost at most, whoever of the route answers.
    fn nano(self, doors: &Doors, route: &Route) -> i64 {
        let usage = Usage { input: self.input(), output: self.output, ..Usage::default() };
        let costs = route.targets.iter().filter_map(|target| doors.tariff.cost(&target.name, usage));
        costs.max().unwrap_or(0)
    }
}

/// Lets a call of this size in, if every limit allows it. Taken last before the engine is asked.
pub(crate) fn enter<W>(
    doors: &Doors,
    principal: &Principal,
    call: &Call<W>,
    size: impl FnOnce() -> Size,
) -> Result<Option<Turn>, DoorError> {
    if principal.meters.is_empty() {
        return Ok(None);
    }
    let (size, clock) = (size(), doors.engine.clock());
    let (tokens, nano) = (size.input(), size.nano(doors, &call.route));
    let entry = Entry { tokens, nano, now: clock.now(), now_us: clock.unix_us() };
    let entered = doors.roster.till().enter(&principal.meters, call.id, entry);
    entered.map_err(|(exceeded, quotas)| {
        doors.meter.limited(exceeded.name);
        DoorError::limited(exceeded, quotas)
    })
}

/// What was left when the call came in.
pub(crate) fn quotas(turn: Option<&Turn>) -> Quotas {
    turn.map_or_else(Quotas::default, |turn| turn.quotas)
}

/// Says what is left, as the vendor does.
pub(crate) fn write(quotas: Quotas, vendor: Vendor, headers: &mut HeaderMap) {
    let Quotas { requests, tokens, warned, at_us } = quotas;
    let names = match vendor {
        Vendor::OpenAi => &OPENAI,
        Vendor::Anthropic => &ANTHROPIC,
    };
    for (names, quota) in names.iter().zip([requests, tokens]) {
        let Some(Quota { limit, remaining, reset }) = quota else { continue };
        let [limits, remains, resets] = names;
        headers.insert(limits.clone(), HeaderValue::from(limit));
        headers.insert(remains.clone(), HeaderValue::from(remaining));
        let reset = match vendor {
            Vendor::OpenAi => lasting(reset),
            Vendor::Anthropic => second(at_us, reset),
        };
        put(headers, resets, &reset);
    }
    if let Some(Warned { name, used, limit, reset_us }) = warned {
        let (name, used, limit) = (name.name(), short_usd(used), short_usd(limit));
        let told = format!("{name}; used={used}; limit={limit}; reset={}", written(reset_us));
        put(headers, &X_BUDGET_WARNING, &told);
    }
}

fn put(headers: &mut HeaderMap, name: &HeaderName, text: &str) {
    headers.insert(name.clone(), HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("0")));
}

/// `17ms`, `1s`, `6m0s`.
fn lasting(time: Duration) -> String {
    let ms = time.as_nanos().div_ceil(1_000_000);
    match ms {
        0..1_000 => format!("{ms}ms"),
        1_000..60_000 => format!("{}s", ms.div_ceil(1_000)),
        _ => format!("{}m{}s", ms.div_ceil(1_000) / 60, ms.div_ceil(1_000) % 60),
    }
}

/// `2026-01-31T12:00:00Z`: the first whole second by which so much time has passed.
fn second(at_us: i64, time: Duration) -> String {
    const SECOND_US: i64 = 1_000_000;
    let until_us = at_us.saturating_add(i64::try_from(time.as_micros()).unwrap_or(i64::MAX));
    written(until_us.saturating_add(SECOND_US - 1).div_euclid(SECOND_US) * SECOND_US)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_actors::json::{Document, JsonLimits};

    #[test]
    fn a_time_is_written_as_each_vendor_writes_it() {
        let written = |ms| lasting(Duration::from_millis(ms));
        assert_eq!([0, 17, 999, 1_000, 59_001].map(written), ["0ms", "17ms", "999ms", "1s", "60s"]);
        assert_eq!((written(60_000), written(61_001)), ("1m0s".to_owned(), "1m2s".to_owned()));
        assert_eq!(second(0, Duration::from_millis(59_000)), "1970-01-01T00:00:59Z");
        assert_eq!(second(1, Duration::from_millis(59_000)), "1970-01-01T00:01:00Z");
    }

    #[test]
    fn a_request_is_as_long_as_it_says_its_answers_may_be() {
        let output = |body: &'static str| {
            let read = Document::parse(bytes::Bytes::from_static(body.as_bytes()), JsonLimits::default());
            Size::of_chat(read.expect("JSON").root()).output
        };
        assert_eq!(output(r#"{"max_tokens":7}"#), 7);
        assert_eq!(output(r#"{"max_tokens":7,"max_completion_tokens":9,"n":3}"#), 27);
        assert_eq!(output(r#"{"n":0}"#), ASSUMED_OUTPUT);
    }
}
