//! Owns `[providers]`: who answers, how they are reached and how patient we are. Must not send anything; the URL rules
//! stand here so that every adapter appends to the same root.

use super::credentials::Credentials;
use super::faults::{Faults, KeyPath};
use super::leaf::choices;
use super::reader::{Reader, Section, settings};
use super::secret::Secret;
use super::server::{LONGEST_MS, MOST_BYTES};
use std::collections::BTreeMap;

choices! {
    /// The wire format a provider speaks.
    pub enum ProviderKind {
        /// OpenAI and everything compatible with it.
        Openai = "openai",
        /// Anthropic Messages.
        Anthropic = "anthropic",
        /// Answers made from the input alone; calls nobody.
        Mock = "mock",
    }
}

choices! {
    /// How a request proves who sends it.
    pub enum Auth {
        /// `authorization: Bearer KEY`
        Bearer = "bearer",
        /// `api-key: KEY` (Azure)
        ApiKey = "api-key",
        /// `x-api-key: KEY` (Anthropic)
        XApiKey = "x-api-key",
        /// Not at all.
        None = "none",
    }
}

impl Auth {
    /// The header that carries the key.
    #[must_use]
    pub fn header(self) -> Option<&'static str> {
        match self {
            Self::Bearer => Some("authorization"),
            Self::ApiKey => Some("api-key"),
            Self::XApiKey => Some("x-api-key"),
            Self::None => None,
        }
    }
}

settings! {
    /// Where a provider is and what every request to it carries.
    pub struct Address {
        /// Root of the provider's paths; see [`Provider::api_root`].
        base_url: Option<String> = None;
        /// How a request proves who sends it; left out, as the kind does.
        auth: Option<Auth> = None;
        /// `openai-organization` header.
        organization: Option<String> = None;
        /// `openai-project` header.
        project: Option<String> = None;
        /// More headers. Their values are never printed.
        headers: BTreeMap<String, Secret> = BTreeMap::new();
        /// More query parameters. Their values are never printed.
        query: BTreeMap<String, Secret> = BTreeMap::new();
        /// HTTP proxy, `http://user:password@host:port`. Never printed.
        proxy: Option<Secret> = None;
    }
}

settings! {
    /// How long a provider may take, per attempt.
    pub struct Timeouts {
        /// Milliseconds for a connection, with TLS.
        connect_timeout_ms: u64 = 5_000, in 1..=LONGEST_MS;
        /// Milliseconds from sending a request to the first byte of the answer's content. A model that thinks, or
        /// answers in one piece, says nothing until it is done: it needs the time of a whole answer.
        first_token_timeout_ms: u64 = 300_000, in 1..=LONGEST_MS;
        /// Milliseconds of silence inside an answer.
        idle_timeout_ms: u64 = 60_000, in 1..=LONGEST_MS;
        /// Milliseconds for a whole answer.
        total_timeout_ms: u64 = 600_000, in 1..=LONGEST_MS;
    }
}

settings! {
    /// When a failed attempt is repeated.
    pub struct Retries {
        /// Attempts after the first.
        retries: u32 = 2, in 0..=20;
        /// Milliseconds before the first repetition, doubled for each next, with jitter.
        retry_base_ms: u64 = 200, in 1..=LONGEST_MS;
        /// Most milliseconds before a repetition.
        retry_max_ms: u64 = 10_000, in 1..=LONGEST_MS;
        /// Repetitions as a share of the requests.
        retry_budget: f64 = 0.1, in 0.0..=1.0;
        /// Repetitions per second that are always allowed, so that a quiet server can retry at all.
        retry_budget_min_per_s: f64 = 10.0, in 0.0..=100_000.0;
    }
}

settings! {
    /// When a provider is left alone for a while.
    pub struct Breaker {
        /// Failures in a row that open the breaker.
        breaker_failures: u32 = 5, in 1..=1_000_000;
        /// Milliseconds before one request tries again.
        breaker_open_ms: u64 = 10_000, in 1..=LONGEST_MS;
    }
}

settings! {
    /// How much of a provider is in memory at once.
    pub struct Bounds {
        /// Requests on their way at once.
        max_in_flight: usize = 256, in 1..=1_000_000;
        /// Bytes of one line of a stream.
        max_line_bytes: usize = 10_485_760, in 1_024..=MOST_BYTES;
        /// Bytes of one answer.
        max_answer_bytes: usize = 134_217_728, in 1_024..=MOST_BYTES;
    }
}

settings! {
    /// One planned failure of the mock provider.
    pub struct ScriptedFailure {
        /// Requests that succeed before it.
        after: u64 = 0;
        /// Requests that fail.
        times: u64 = 1, in 1..=1_000_000_000;
        /// Answer with this status.
        status: Option<u16> = None, in 400..=599;
        /// With a status: say when to come back, in milliseconds.
        retry_after_ms: Option<u64> = None, in 0..=LONGEST_MS;
        /// Or cut a stream after so many events.
        cut_after_events: Option<u32> = None, in 0..=1_000_000;
    }
}

/// How the mock provider behaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Mock {
    /// Milliseconds before an answer starts.
    pub delay_ms: u64,
    /// Speed of a stream; left out, as fast as it goes.
    pub tokens_per_s: Option<f64>,
    /// Numbers of an embedding when the request does not say.
    pub dimensions: usize,
    /// Planned failures.
    pub error_script: Vec<ScriptedFailure>,
}

impl Default for Mock {
    fn default() -> Self {
        Self { delay_ms: 0, tokens_per_s: None, dimensions: 1_536, error_script: Vec::new() }
    }
}

impl Section for Mock {
    fn read(reader: &mut Reader<'_, '_>, default: Self) -> Self {
        Self {
            delay_ms: reader.leaf("delay_ms", default.delay_ms),
            tokens_per_s: reader.leaf("tokens_per_s", default.tokens_per_s),
            dimensions: reader.leaf("dimensions", default.dimensions),
            error_script: reader.list("error_script", default.error_script),
        }
    }

    fn ranges(&self, at: &KeyPath, faults: &mut Faults) {
        super::reader::within(faults, &at.key("delay_ms"), &self.delay_ms, &(0..=LONGEST_MS));
        super::reader::within(faults, &at.key("tokens_per_s"), &self.tokens_per_s, &(0.001..=1e9));
        super::reader::within(faults, &at.key("dimensions"), &self.dimensions, &(1..=65_536));
        for (n, failure) in self.error_script.iter().enumerate() {
            failure.ranges(&at.key("error_script").item(n), faults);
        }
    }
}

/// `[providers.NAME]`. The groups are flat in the file; they are apart here because an adapter takes each as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// The wire format it speaks.
    pub kind: ProviderKind,
    /// Where it is and what every request carries.
    pub address: Address,
    /// Its keys, resolved: from the environment, from files or, on loopback, from the file.
    pub credentials: Credentials,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// When a failed attempt is repeated.
    pub retries: Retries,
    /// When it is left alone.
    pub breaker: Breaker,
    /// How much of it is in memory at once.
    pub bounds: Bounds,
    /// Only for `kind = "mock"`.
    pub mock: Mock,
}

impl Default for Provider {
    fn default() -> Self {
        Self {
            kind: ProviderKind::Mock,
            address: Address::default(),
            credentials: Credentials::default(),
            timeouts: Timeouts::default(),
            retries: Retries::default(),
            breaker: Breaker::default(),
            bounds: Bounds::default(),
            mock: Mock::default(),
        }
    }
}

impl Provider {
    /// Root to which `/chat/completions`, `/embeddings`, `/models` or `/messages` is appended; no slash at its end.
    /// OpenAI roots are taken as written. Anthropic roots may be written with or without `/v1`: it is there once.
    #[must_use]
    pub fn api_root(&self) -> String {
        let written = self.address.base_url.as_deref().unwrap_or(match self.kind {
            ProviderKind::Openai => "https://api.openai.com/v1",
            ProviderKind::Anthropic => "https://api.anthropic.com",
            ProviderKind::Mock => "",
        });
        let root = written.trim_end_matches('/');
        if self.kind == ProviderKind::Anthropic && !root.ends_with("/v1") {
            return format!("{root}/v1");
        }
        root.to_owned()
    }

    /// How a request proves who sends it; a provider without a key sends none.
    #[must_use]
    pub fn auth(&self) -> Auth {
        match (self.address.auth, self.kind) {
            _ if self.credentials.keys.is_empty() => Auth::None,
            (Some(auth), _) => auth,
            (None, ProviderKind::Anthropic) => Auth::XApiKey,
            (None, ProviderKind::Openai) => Auth::Bearer,
            (None, ProviderKind::Mock) => Auth::None,
        }
    }
}

impl Section for Provider {
    fn read(reader: &mut Reader<'_, '_>, default: Self) -> Self {
        Self {
            kind: reader.leaf("kind", default.kind),
            address: Address::read(reader, default.address),
            credentials: Credentials::read(reader, default.credentials),
            timeouts: Timeouts::read(reader, default.timeouts),
            retries: Retries::read(reader, default.retries),
            breaker: Breaker::read(reader, default.breaker),
            bounds: Bounds::read(reader, default.bounds),
            mock: Mock::read(reader, default.mock),
        }
    }

    fn ranges(&self, at: &KeyPath, faults: &mut Faults) {
        self.address.ranges(at, faults);
        self.timeouts.ranges(at, faults);
        self.retries.ranges(at, faults);
        self.breaker.ranges(at, faults);
        self.bounds.ranges(at, faults);
        self.mock.ranges(at, faults);
    }
}
