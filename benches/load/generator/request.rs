//! Owns what goes over the wire: requests rendered once, as an SDK would send them, with a key patched in per
//! call.
//!
//! Must not know how requests are paced or what an answer means.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

/// Hex digits of a key inside a request.
const KEY_DIGITS: usize = 16;
/// Where the key goes while the request is rendered.
const KEY_HOLE: &str = "k################";
/// What the OpenAI Python SDK sends besides the framing headers.
const SDK_HEADERS: &str = "Accept-Encoding: gzip, deflate\r\n\
    Connection: keep-alive\r\n\
    Accept: application/json\r\n\
    Content-Type: application/json\r\n\
    User-Agent: OpenAI/Python 3.52.0\r\n\
    X-Stainless-Lang: python\r\n\
    X-Stainless-Package-Version: 3.52.0\r\n\
    X-Stainless-OS: Linux\r\n\
    X-Stainless-Arch: x64\r\n\
    X-Stainless-Runtime: CPython\r\n\
    X-Stainless-Runtime-Version: 3.11.7\r\n\
    X-Stainless-Async: false\r\n\
    x-stainless-retry-count: 0\r\n\
    x-stainless-read-timeout: 600\r\n";

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) enum Ask {
    /// A chat completion answered as one JSON body; `bytes` is the size of the request body.
    Chat { model: String, bytes: usize },
    /// A chat completion answered as server-sent events.
    Stream { model: String, bytes: usize },
    /// One text to embed, base64 as SDKs ask by default.
    Embedding { model: String },
    /// A question to the flow of an app, `bytes` long as JSON.
    Flow { bytes: usize },
    /// A plain GET.
    Get { path: String },
}

impl Ask {
    /// Chat with the model that answers at once and the usual 1.2 KB body.
    pub(crate) fn chat() -> Self {
        Self::Chat { model: "bench".to_owned(), bytes: 1200 }
    }

    fn path(&self) -> &str {
        match self {
            Self::Chat { .. } | Self::Stream { .. } => "/v1/chat/completions",
            Self::Embedding { .. } => "/v1/embeddings",
            Self::Flow { .. } => "/ask",
            Self::Get { path } => path,
        }
    }

    fn body(&self) -> String {
        match self {
            Self::Chat { model, bytes } => chat_body(model, *bytes, ""),
            Self::Stream { model, bytes } => {
                chat_body(model, *bytes, ",\"stream\":true,\"stream_options\":{\"include_usage\":true}")
            }
            Self::Embedding { model } => format!(
                "{{\"input\":[\"[{KEY_HOLE}] the quick brown fox jumps over the lazy dog\"],\
                 \"model\":\"{model}\",\"encoding_format\":\"base64\"}}"
            ),
            Self::Flow { bytes } => padded(&format!("{{\"q\":\"[{KEY_HOLE}] "), "\"}", *bytes),
            Self::Get { .. } => String::new(),
        }
    }
}

/// A conversation in the field order and spacing of openai-python, padded to `bytes`.
fn chat_body(model: &str, bytes: usize, tail: &str) -> String {
    let head = format!(
        "{{\"messages\":[{{\"role\":\"system\",\
         \"content\":\"You are a careful assistant. Answer briefly, \
         and say when you do not know.\"}},{{\"role\":\"user\",\"content\":\"[{KEY_HOLE}] "
    );
    let end = format!("\"}}],\"model\":\"{model}\",\"max_tokens\":256,\"temperature\":0{tail}}}");
    padded(&head, &end, bytes)
}

/// `head` and `end` with so much prose between them that all is `bytes` long.
fn padded(head: &str, end: &str, bytes: usize) -> String {
    let prose = "Please summarise the following notes of the harbour master for the next shift. ";
    let room = bytes.saturating_sub(head.len() + end.len());
    let filler: String = prose.chars().cycle().take(room).collect();
    format!("{head}{filler}{end}")
}

/// One request as bytes, with the place of its key. Cloned per connection, so that patching needs no lock.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    key_at: Option<usize>,
}

impl Template {
    /// Renders `ask` for the server at `host`; `extra` are whole header lines ending in CRLF.
    pub(crate) fn new(ask: &Ask, host: SocketAddr, extra: &str) -> Self {
        let body = ask.body();
        let path = ask.path();
        let text = if body.is_empty() {
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n")
        } else {
            format!(
                "POST {path} HTTP/1.1\r\nHost: {host}\r\n{SDK_HEADERS}{extra}Content-Length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        let key_at = text.find(KEY_HOLE).map(|at| at + 1);
        Self { bytes: text.into_bytes(), key_at }
    }

    /// The request for `key`; the same bytes are reused for the next one.
    pub(crate) fn with_key(&mut self, key: u64) -> &[u8] {
        if let Some(at) = self.key_at {
            write_hex(key, &mut self.bytes[at..at + KEY_DIGITS]);
        }
        &self.bytes
    }
}

/// Writes `key` as lower-case hex into all of `out`.
pub(crate) fn write_hex(key: u64, out: &mut [u8]) {
    let mut rest = key;
    for digit in out.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(rest & 15) as usize];
        rest >>= 4;
    }
}

/// Which key the next request carries. Clones share their position.
#[derive(Debug, Clone)]
pub(crate) enum Keys {
    /// Popularity as in real traffic: rank r is asked with weight 1/r.
    Zipf { draws: Rc<[u16]>, at: Rc<Cell<usize>> },
    /// Never the same twice, also across rounds.
    Unique { next: Rc<Cell<u64>> },
    /// Each of `0..len` in turn.
    Cycle { len: u64, next: Rc<Cell<u64>> },
}

impl Keys {
    /// Zipf with exponent 1 over `len` keys (at most 65,536), drawn beforehand with a fixed seed.
    pub(crate) fn zipf(len: u16) -> Self {
        let mut sums = Vec::with_capacity(usize::from(len));
        let mut total = 0.0_f64;
        for rank in 1..=len {
            total += 1.0 / f64::from(rank);
            sums.push(total);
        }
        let mut random = fastrand::Rng::with_seed(1);
        let draw = |random: &mut fastrand::Rng| {
            let point = random.f64() * total;
            u16::try_from(sums.partition_point(|sum| *sum < point)).unwrap_or(len).min(len - 1)
        };
        let draws = (0..1 << 18).map(|_| draw(&mut random)).collect();
        Self::Zipf { draws, at: Rc::default() }
    }

    /// Keys that no earlier run of this process used, from `start` upwards.
    pub(crate) fn unique(start: u64) -> Self {
        Self::Unique { next: Rc::new(Cell::new(start)) }
    }

    /// `0..len`, over and over.
    pub(crate) fn cycle(len: u64) -> Self {
        Self::Cycle { len, next: Rc::default() }
    }

    /// The next key.
    pub(crate) fn next(&self) -> u64 {
        match self {
            Self::Zipf { draws, at } => {
                let now = at.get();
                at.set((now + 1) % draws.len());
                u64::from(draws[now])
            }
            Self::Unique { next } => next.replace(next.get() + 1),
            Self::Cycle { len, next } => next.replace((next.get() + 1) % len),
        }
    }
}
