//! Owns how a call enters under the limits of its credential, and what its answer says of them. Must not know how a limit is
//! counted.

use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use tidegate_actors::CallId;

use super::Doors;
use super::error::DoorError;
use crate::identity::{Principal, Quota, Quotas, Turn};

/// Names of limit, remaining and reset.
type Names = [HeaderName; 3];

static REQUESTS: Names = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
static TOKENS: Names = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

/// Bytes of a request that count as one token until the provider says how many there were.
const BYTES_PER_TOKEN: usize = 4;

/// Lets a call of so many bytes in, if every limit allows it. Taken last before the engine is asked.
pub(crate) fn enter(
    doors: &Doors,
    principal: &Principal,
    id: CallId,
    bytes: usize,
) -> Result<Option<Turn>, DoorError> {
    if principal.meters.is_empty() {
        return Ok(None);
    }
    let (tokens, now) = (bytes.div_ceil(BYTES_PER_TOKEN) as u64, doors.engine.clock().now());
    let entered = doors.roster.till().enter(&principal.meters, id, tokens, now);
    entered.map_err(|exceeded| DoorError::limited(&exceeded))
}

/// What was left when the call came in.
pub(crate) fn quotas(turn: Option<&Turn>) -> Quotas {
    turn.map_or_else(Quotas::default, |turn| turn.quotas)
}

/// Says what is left, as OpenAI does.
pub(crate) fn write(quotas: Quotas, headers: &mut HeaderMap) {
    for (names, quota) in [(&REQUESTS, quotas.requests), (&TOKENS, quotas.tokens)] {
        let Some(Quota { limit, remaining, reset }) = quota else { continue };
        let [limits, remains, resets] = names;
        headers.insert(limits.clone(), HeaderValue::from(limit));
        headers.insert(remains.clone(), HeaderValue::from(remaining));
        let reset = HeaderValue::try_from(lasting(reset)).unwrap_or(HeaderValue::from_static("0s"));
        headers.insert(resets.clone(), reset);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_openai_writes_it() {
        let written = |ms| lasting(Duration::from_millis(ms));
        assert_eq!([0, 17, 999, 1_000, 59_001].map(written), ["0ms", "17ms", "999ms", "1s", "60s"]);
        assert_eq!((written(60_000), written(61_001)), ("1m0s".to_owned(), "1m2s".to_owned()));
    }
}
