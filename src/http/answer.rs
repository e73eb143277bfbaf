//! What every answer says about itself: ids, how it came, what Tidegate added.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use tidegate_actors::key::Key;
use tidegate_actors::{Answered, Body, CallId, Outcome, Tier};

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
static X_CACHE: HeaderName = HeaderName::from_static("x-tidegate-cache");
static X_KEY: HeaderName = HeaderName::from_static("x-tidegate-key");
static X_MODEL: HeaderName = HeaderName::from_static("x-tidegate-model");
static X_PROVIDER: HeaderName = HeaderName::from_static("x-tidegate-provider");
static X_CALLS: HeaderName = HeaderName::from_static("x-tidegate-calls");
static AGE: HeaderName = HeaderName::from_static("age");
static SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Calls of a run that its answer names: the head of an answer must stay small.
const NAMED_CALLS: usize = 32;

/// The header value for a text made here: ASCII without control characters.
fn value(text: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(text).unwrap_or(HeaderValue::from_static("?"))
}

/// Gives an answer that has no id yet one of its own.
pub(crate) fn identify(headers: &mut HeaderMap) {
    if headers.contains_key(&X_REQUEST_ID) {
        return;
    }
    let id = value(&CallId::fresh().text());
    headers.insert(X_REQUEST_ID.clone(), id.clone());
    headers.insert(REQUEST_ID.clone(), id);
}

/// Names the calls behind the answer of a run: all of them, up to [`NAMED_CALLS`], and as the answer's own id the first.
pub(crate) fn name_calls(headers: &mut HeaderMap, calls: &[CallId]) {
    let Some(first) = calls.first() else { return };
    let id = value(&first.text());
    headers.insert(X_REQUEST_ID.clone(), id.clone());
    headers.insert(REQUEST_ID.clone(), id);
    let named: Vec<String> = calls.iter().take(NAMED_CALLS).map(ToString::to_string).collect();
    headers.insert(X_CALLS.clone(), value(named.join(", ").as_bytes()));
}

/// What is said of any answer.
pub(crate) struct About {
    pub(crate) id: CallId,
    pub(crate) outcome: Outcome,
    /// Where it was read from, if it was kept.
    pub(crate) tier: Tier,
    pub(crate) key: Option<Key>,
    pub(crate) target: Arc<str>,
    pub(crate) age_s: Option<u64>,
    pub(crate) ours: Duration,
}

impl About {
    /// What is said of an answer, and what is answered.
    pub(crate) fn of(answered: Answered) -> (Self, Body) {
        let Answered { id, outcome, key, target, age_s, ours, body } = answered;
        let tier = match &body {
            Body::Kept(entry) => entry.tier(),
            _ => Tier::Hot,
        };
        (Self { id, outcome, tier, key, target, age_s, ours }, body)
    }

    /// Writes it into the head of the answer.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let Self { id, outcome, tier, key, target, age_s, ours } = self;
        tracing::debug!(call = %id, target = &**target, ?outcome, ?ours, "answered");
        let id = value(&id.text());
        headers.append(X_REQUEST_ID.clone(), id.clone());
        headers.append(REQUEST_ID.clone(), id);
        headers.append(X_CACHE.clone(), said(*outcome, *tier));
        if let Some(key) = key {
            headers.append(X_KEY.clone(), value(&key.text()));
        }
        let (provider, model) = Route::told(target);
        headers.append(X_PROVIDER.clone(), provider);
        if let Some(model) = model {
            headers.append(X_MODEL.clone(), model);
        }
        if let Some(age) = age_s {
            headers.append(AGE.clone(), HeaderValue::from(*age));
        }
        headers.append(SERVER_TIMING.clone(), timing(*ours));
    }
}

thread_local! {
    /// The targets that answered last on this thread, as header values: there are few, and each would be copied anew.
    static ROUTES: RefCell<VecDeque<Route>> = const { RefCell::new(VecDeque::new()) };
}

/// Targets that are held as header values; a catch-all has as many as clients name.
const HELD_ROUTES: usize = 8;

/// A target as header values.
struct Route {
    target: Arc<str>,
    provider: HeaderValue,
    model: Option<HeaderValue>,
}

impl Route {
    /// Its provider, and its model if it has one.
    fn told(target: &Arc<str>) -> (HeaderValue, Option<HeaderValue>) {
        ROUTES.with_borrow_mut(|routes| {
            let known = routes.iter().position(|known| Arc::ptr_eq(&known.target, target));
            let at = known.unwrap_or_else(|| {
                routes.truncate(HELD_ROUTES - 1);
                routes.push_front(Self::of(target));
                0
            });
            (routes[at].provider.clone(), routes[at].model.clone())
        })
    }

    fn of(target: &Arc<str>) -> Self {
        let (provider, model) = target.split_once('/').unwrap_or((target, ""));
        let model = Some(model).filter(|model| !model.is_empty()).map(|model| value(model.as_bytes()));
        Self { target: Arc::clone(target), provider: value(provider.as_bytes()), model }
    }
}

/// The time we added, in milliseconds with three digits after the point. Without `format!`, which costs more than
/// all the other headers together.
fn timing(ours: Duration) -> HeaderValue {
    let micros = u64::try_from(ours.as_micros()).unwrap_or(u64::MAX);
    let mut text = [0; 48];
    let mut free = text.len();
    let mut left = micros;
    for digit in 0.. {
        if digit == 3 {
            free -= 1;
            text[free] = b'.';
        }
        free -= 1;
        text[free] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 && digit >= 3 {
            break;
        }
    }
    free -= TIMING.len();
    text[free..free + TIMING.len()].copy_from_slice(TIMING);
    value(&text[free..])
}

const TIMING: &[u8] = b"tidegate;dur=";

fn said(outcome: Outcome, tier: Tier) -> HeaderValue {
    match outcome {
        Outcome::Hit if tier == Tier::Warm => HeaderValue::from_static("hit; tier=warm"),
        Outcome::Hit => HeaderValue::from_static("hit"),
        Outcome::Joined => HeaderValue::from_static("joined"),
        Outcome::Mixed => HeaderValue::from_static("mixed"),
        Outcome::Miss => HeaderValue::from_static("miss"),
        Outcome::Bypass(reason) => value(format!("bypass; reason={reason}").as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_told_as_provider_and_model_however_many_were_told_before() {
        let told = |target: &Arc<str>| {
            let (provider, model) = Route::told(target);
            let text = |value: &HeaderValue| value.to_str().expect("ascii").to_owned();
            (text(&provider), model.as_ref().map(text))
        };
        let targets: Vec<Arc<str>> = (0..3 * HELD_ROUTES).map(|n| format!("up/model/{n}").into()).collect();
        for (n, target) in targets.iter().enumerate().chain(targets.iter().enumerate().rev()) {
            assert_eq!(told(target), ("up".to_owned(), Some(format!("model/{n}"))));
        }
        assert_eq!(told(&"alone".into()), ("alone".to_owned(), None));
        assert!(ROUTES.with_borrow(VecDeque::len) <= HELD_ROUTES);
    }

    #[test]
    fn the_time_we_added_is_told_in_milliseconds_with_three_digits_after_the_point() {
        for (micros, told) in [
            (0, "tidegate;dur=0.000"),
            (7, "tidegate;dur=0.007"),
            (999, "tidegate;dur=0.999"),
            (1_000, "tidegate;dur=1.000"),
            (12_345_678, "tidegate;dur=12345.678"),
        ] {
            assert_eq!(timing(Duration::from_micros(micros)), told);
        }
        assert_eq!(timing(Duration::MAX), "tidegate;dur=18446744073709551.615");
    }
}
