//! The outbound HTTP client: one exchange, its limits, and the answer as it comes.
//!
//! Owns connections (kept alive, HTTP/1.1 or h2 by ALPN), size and time limits. It follows no
//! redirect, decompresses nothing, reads no proxy from the environment, and knows no vendor.

mod body;
mod connect;
mod patience;

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::client::legacy::{self, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tidegate_actors::ports::clock::ClockRef;
use tidegate_actors::ports::provider::{Fault, Phase};

pub(super) use body::Body;
use connect::{ConnectTimedOut, Connector, Proxy};
pub(super) use patience::Patience;
use patience::{Watch, timed_out};

type Client = legacy::Client<Connector, Full<Bytes>>;

/// What the client of one provider is made from.
pub(super) struct HttpSettings {
    /// Where requests go: scheme and authority are used, for messages.
    pub(super) base: Uri,
    /// Time limits of an exchange.
    pub(super) patience: Patience,
    /// Bytes of one answer's body, whole or streamed.
    pub(super) max_answer_bytes: usize,
    /// An idle connection is closed after this long.
    pub(super) keep_alive: Duration,
    /// `http://[user:password@]host:port` of a proxy that opens tunnels.
    pub(super) proxy: Option<Uri>,
}

/// Sends the requests of one provider.
///
/// Connections belong to the thread that opened them: a connection is driven by a task of the
/// runtime it was opened on, and each arbiter has a runtime of its own, so a client shared between
/// arbiters would have one arbiter's exchange wait for another's thread, and die with it. Each
/// thread therefore makes its own client the first time it sends, found by the provider's number.
pub(super) struct Outbound {
    number: u64,
    shared: Arc<Shared>,
}

struct Shared {
    host: String,
    patience: Patience,
    max_answer_bytes: usize,
    keep_alive: Duration,
    proxy: Option<Proxy>,
    tls: ClientConfig,
    clock: ClockRef,
}

/// An answer whose head has arrived.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) fields: HeaderMap,
    pub(super) body: Body,
}

thread_local! {
    /// This thread's clients; those of providers that are gone are dropped when one is added.
    static CLIENTS: RefCell<HashMap<u64, (Weak<Shared>, Client)>> = RefCell::default();
}

impl Outbound {
    /// A client for one provider. Opens nothing yet.
    ///
    /// # Errors
    /// One line for people when the proxy cannot be used or TLS cannot be set up.
    pub(super) fn new(settings: HttpSettings, clock: ClockRef) -> Result<Self, String> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let shared = Shared {
            host: settings.base.authority().map(|host| host.as_str().to_owned()).unwrap_or_default(),
            patience: settings.patience,
            max_answer_bytes: settings.max_answer_bytes,
            keep_alive: settings.keep_alive,
            proxy: settings.proxy.map(Proxy::from_uri).transpose()?,
            tls: connect::tls().map_err(|fault| format!("cannot set up TLS: {fault}"))?,
            clock,
        };
        Ok(Self { number: NUMBERS.fetch_add(1, Ordering::Relaxed), shared: Arc::new(shared) })
    }

    /// Sends `request` and waits for the head of its answer, whatever its status.
    ///
    /// Dropping the future closes the connection it uses (h1) or resets its stream (h2).
    ///
    /// # Errors
    /// No connection, no HTTP, or a time limit.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Reply, Fault> {
        let mut watch = Watch::start(self.shared.clock.clone(), self.shared.patience);
        let answer =
            watch.over(self.start(request)).await?.map_err(|error| self.shared.unanswered(&error))?;
        let (head, incoming) = answer.into_parts();
        let body = Body::new(incoming, watch, self.shared.max_answer_bytes);
        Ok(Reply { status: head.status, fields: head.headers, body })
    }

    fn start(&self, request: Request<Full<Bytes>>) -> ResponseFuture {
        CLIENTS.with_borrow_mut(|clients| {
            if let Some((_, client)) = clients.get(&self.number) {
                return client.request(request);
            }
            clients.retain(|_, (provider, _)| provider.strong_count() > 0);
            let client = self.shared.client();
            let started = client.request(request);
            clients.insert(self.number, (Arc::downgrade(&self.shared), client));
            started
        })
    }
}

impl Shared {
    fn client(&self) -> Client {
        let connector =
            Connector::new(&self.tls, self.proxy.as_ref(), self.clock.clone(), self.patience.connect);
        legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(self.keep_alive)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .http2_keep_alive_interval(Duration::from_secs(30))
            .http2_adaptive_window(true)
            .build(connector)
    }

    /// Why there is no head of an answer.
    fn unanswered(&self, error: &legacy::Error) -> Fault {
        let host = &self.host;
        let cause = innermost(error);
        if cause.is::<ConnectTimedOut>() {
            return timed_out(Phase::Connect, self.patience.connect);
        }
        if error.is_connect() {
            return Fault::broken(None, format!("cannot connect to {host}: {cause}"));
        }
        Fault::broken(None, format!("{host} gave no answer: {cause}"))
    }
}

/// The error at the bottom of a chain: the layers above it only say that they failed.
fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause
}

/// The fields every request carries.
pub(super) fn common_fields() -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.insert(USER_AGENT, HeaderValue::from_static(concat!("tidegate/", env!("CARGO_PKG_VERSION"))));
    fields.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    fields
}
