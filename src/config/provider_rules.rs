//! Owns what the keys of one provider must mean together: URLs, loopback, keys of another kind. Must not read anything.

use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue};

use super::faults::{Faults, KeyPath};
use super::provider::{Auth, Provider, ProviderKind, ScriptedFailure};

/// Keys that mean something for `kind = "mock"` alone.
const MOCK_KEYS: [&str; 4] = ["delay_ms", "tokens_per_s", "dimensions", "error_script"];

/// Keys that mean nothing for `kind = "mock"`.
const REMOTE_KEYS: [&str; 12] = [
    "base_url",
    "auth",
    "organization",
    "project",
    "headers",
    "query",
    "proxy",
    "ca_file",
    "api_key",
    "api_key_env",
    "api_key_file",
    "api_keys",
];

/// Headers the HTTP client sets itself, or that `auth` sets.
const OWN_HEADERS: [&str; 7] =
    ["host", "content-length", "content-type", "transfer-encoding", "connection", "accept-encoding", "te"];

/// A name travels in a header of every answer and is a label of every metric.
pub(crate) fn name(name: &str, at: &KeyPath, faults: &mut Faults) {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let message = "a provider's name is 1 to 64 letters, digits, '-', '_' and '.'";
    faults.require(plain && (1..=64).contains(&name.len()), at, message);
}

impl Provider {
    pub(crate) fn agree(&self, at: &KeyPath, faults: &mut Faults) {
        if faults.given(at) && !faults.given(&at.key("kind")) {
            faults.add(at, "must say its kind: kind = \"openai\", \"anthropic\" or \"mock\"");
            return;
        }
        if faults.faulty_below(&at.key("kind")) {
            return; // Which rules hold is not known.
        }
        let mock = self.kind == ProviderKind::Mock;
        let foreign: &[&str] = if mock { &REMOTE_KEYS } else { &MOCK_KEYS };
        for key in foreign.iter().map(|key| at.key(key)).filter(|key| faults.given(key)).collect::<Vec<_>>() {
            faults.add(&key, format!("has no meaning for kind = \"{}\"", self.kind.word()));
        }
        if !mock {
            self.address_agrees(at, faults);
            self.keys_agree(at, faults);
        }
        self.limits_agree(at, faults);
        for (n, failure) in self.mock.error_script.iter().enumerate() {
            failure.agrees(&at.key("error_script").item(n), faults);
        }
    }

    fn address_agrees(&self, at: &KeyPath, faults: &mut Faults) {
        if let Some(url) = &self.address.base_url
            && let Some(fault) = url_fault(url, "http://127.0.0.1:9999/v1")
        {
            faults.add(&at.key("base_url"), fault);
        }
        let plain = self.api_root().starts_with("http://");
        let ca_file = at.key("ca_file");
        faults.require(
            !(plain && faults.given(&ca_file)),
            &ca_file,
            "has no meaning for a base_url that begins with http://: nothing is certified there",
        );
        if let Some(proxy) = &self.address.proxy {
            let uri = proxy.reveal().parse::<Uri>().ok();
            let usable = uri.is_some_and(|uri| uri.scheme_str() == Some("http") && uri.host().is_some());
            faults.require(usable, &at.key("proxy"), "must be a URL like http://proxy:3128");
        }
        for (name, value) in &self.address.headers {
            let path = at.key("headers");
            let valid =
                HeaderName::try_from(name.as_str()).is_ok() && HeaderValue::try_from(value.reveal()).is_ok();
            faults.require(valid, &path, format!("{name:?} or its value is not a valid HTTP header"));
            let own = OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name));
            faults.require(!own, &path, format!("{name:?} is set by the HTTP client and cannot be changed"));
            let twice = self.auth().header().is_some_and(|header| header.eq_ignore_ascii_case(name));
            faults.require(!twice, &path, format!("{name:?} already carries the key; see auth"));
        }
        for (key, value) in [("organization", &self.address.organization), ("project", &self.address.project)]
        {
            let valid = value
                .as_ref()
                .is_none_or(|text| !text.is_empty() && HeaderValue::try_from(text.as_str()).is_ok());
            faults.require(valid, &at.key(key), "must be text that a header can carry");
        }
    }

    fn keys_agree(&self, at: &KeyPath, faults: &mut Faults) {
        let inline = at.key("api_key");
        let in_file = matches!(faults.source(&inline), Some(super::Source::File { .. }));
        faults.require(
            !in_file || self.is_loopback(),
            &inline,
            "a key in the file is only for loopback tests; use api_key_env or api_key_file",
        );
        let keyless = self.credentials.keys.is_empty() && !faults.faulty_below(at);
        let wanted = self.address.base_url.is_none() && self.address.auth != Some(Auth::None);
        faults.require(
            !(keyless && wanted),
            at,
            format!("{} needs a key: set api_key_env or api_key_file", self.api_root()),
        );
        let promised = self.address.auth.is_some_and(|auth| auth != Auth::None);
        let kept = !(keyless && promised && !wanted);
        faults.require(kept, &at.key("auth"), "needs a key: set api_key_env or api_key_file");
    }

    fn limits_agree(&self, at: &KeyPath, faults: &mut Faults) {
        let (line, answer) = (self.bounds.max_line_bytes, self.bounds.max_answer_bytes);
        let message = format!("must not exceed max_answer_bytes = {answer}, got {line}");
        faults.require(line <= answer, &at.key("max_line_bytes"), message);
        let (base, most) = (self.retries.retry_base_ms, self.retries.retry_max_ms);
        let message = format!("must not exceed retry_max_ms = {most}, got {base}");
        faults.require(base <= most, &at.key("retry_base_ms"), message);
        let total = self.timeouts.total_timeout_ms;
        for (key, part) in [
            ("connect_timeout_ms", self.timeouts.connect_timeout_ms),
            ("first_token_timeout_ms", self.timeouts.first_token_timeout_ms),
            ("idle_timeout_ms", self.timeouts.idle_timeout_ms),
        ] {
            // A shorter total bounds the others' defaults as well; only what was set can contradict it.
            let set = faults.given(&at.key(key));
            let message = format!("must not exceed total_timeout_ms = {total}, got {part}");
            faults.require(part <= total || !set, &at.key(key), message);
        }
    }

    /// Whether requests stay on this machine.
    fn is_loopback(&self) -> bool {
        let uri = self.address.base_url.as_deref().and_then(|url| url.parse::<Uri>().ok());
        uri.as_ref().and_then(Uri::host).is_some_and(is_loopback_host)
    }
}

impl ScriptedFailure {
    fn agrees(&self, at: &KeyPath, faults: &mut Faults) {
        let one = self.status.is_some() != self.cut_after_events.is_some();
        faults.require(one, at, "must have either status or cut_after_events");
        let hint = self.retry_after_ms.is_none() || self.status.is_some();
        faults.require(hint, &at.key("retry_after_ms"), "needs a status");
    }
}

/// Whether a host of a URL is this machine, without asking a resolver.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Why `url` cannot be the root of an API. Never repeats a URL that holds a password.
fn url_fault(url: &str, example: &str) -> Option<String> {
    let Ok(uri) = url.parse::<Uri>() else {
        return Some(format!("must be a URL like {example}"));
    };
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Some("must not hold a password; use api_key_env".to_owned());
    }
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Some(format!("must be a URL like {example}, got {url:?}"));
    }
    uri.query().map(|_| "must not have a query; use the query table".to_owned())
}
