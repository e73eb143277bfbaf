//! The outbound HTTP client: one exchange, its limits, and the answer as it comes.
//!
//! Owns connections (kept alive), size and time limits. It follows no redirect, decompresses nothing,
//! reads no proxy from the environment, and knows no vendor.
//!
//! A plain `http` upstream is HTTP/1.1 and is spoken to on [`lines`] of our own, without a task per
//! connection and with little work per exchange; over TLS, where ALPN may choose h2, and through a proxy it is hyper-util's client.

mod body;
mod connect;
mod framing;
mod line;
mod lines;
mod patience;
mod wire;

use std::cell::RefCell;
use std::error::Error;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use tidegate_actors::ports::clock::ClockRef;
use tidegate_actors::ports::provider::{Fault, Phase};

pub(super) use body::Body;
use body::Source;
use connect::{ConnectTimedOut, Connector, Proxy};
use lines::{Lines, Unanswered};
pub(super) use patience::Patience;
use patience::{Watch, timed_out};

use super::secrets::Secrets;

/// What does not differ from one request to the next of the same sort.
pub(super) struct Template {
    method: Method,
    uri: Uri,
    fields: HeaderMap,
    /// Its head as it is written on a line; empty where hyper's client writes it.
    begun: Vec<u8>,
}

/// A request on its way.
pub(super) struct Outgoing<'a> {
    pub(super) template: &'a Template,
    pub(super) credential: Option<(&'a HeaderName, &'a HeaderValue)>,
    pub(super) body: Bytes,
}

/// How one thread reaches an upstream.
#[derive(Clone)]
enum Client {
    Plain(Arc<Lines>),
    Any(Arc<legacy::Client<Connector, Full<Bytes>>>),
}

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
    /// What is masked in every body.
    pub(super) secrets: Arc<Secrets>,
    /// Issuers that are trusted beside the web's.
    pub(super) roots: Vec<CertificateDer<'static>>,
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
    /// Where a plain upstream listens and what it is called in `host`; `None` over TLS or through a proxy.
    plain: Option<(Uri, HeaderValue)>,
    patience: Patience,
    max_answer_bytes: usize,
    keep_alive: Duration,
    proxy: Option<Proxy>,
    secrets: Arc<Secrets>,
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
    static CLIENTS: RefCell<Vec<(u64, Weak<Shared>, Client)>> = RefCell::default();
}

impl Outgoing<'_> {
    /// The request as hyper's client takes it.
    fn whole(self) -> Request<Full<Bytes>> {
        let Self { template, credential, body } = self;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = template.method.clone();
        *request.uri_mut() = template.uri.clone();
        *request.headers_mut() = template.fields.clone();
        if let Some((name, value)) = credential {
            request.headers_mut().insert(name.clone(), value.clone());
        }
        request
    }
}

impl Outbound {
    /// A client for one provider. Opens nothing yet.
    ///
    /// # Errors
    /// One line for people when the proxy cannot be used or TLS cannot be set up.
    pub(super) fn new(settings: HttpSettings, clock: ClockRef) -> Result<Self, String> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let shared = Shared {
            plain: plain(&settings),
            host: settings.base.authority().map(|host| host.as_str().to_owned()).unwrap_or_default(),
            patience: settings.patience,
            max_answer_bytes: settings.max_answer_bytes,
            keep_alive: settings.keep_alive,
            secrets: settings.secrets,
            proxy: settings.proxy.map(Proxy::from_uri).transpose()?,
            tls: connect::tls(settings.roots).map_err(|fault| format!("cannot set up TLS: {fault}"))?,
            clock,
        };
        Ok(Self { number: NUMBERS.fetch_add(1, Ordering::Relaxed), shared: Arc::new(shared) })
    }

    /// The template of requests to `uri`.
    pub(super) fn template(&self, method: Method, uri: Uri, fields: HeaderMap) -> Template {
        let host = self.shared.plain.as_ref().map(|(_, host)| host);
        let begun = host.map_or_else(Vec::new, |host| wire::begin_head(&method, &uri, &fields, host));
        Template { method, uri, fields, begun }
    }

    /// Sends `request` and waits for the head of its answer, whatever its status.
    ///
    /// Dropping the future closes the connection it uses (h1) or resets its stream (h2).
    ///
    /// # Errors
    /// No connection, no HTTP, or a time limit.
    pub(super) async fn send(&self, request: Outgoing<'_>) -> Result<Reply, Fault> {
        let mut watch = Watch::start(self.shared.clock.clone(), self.shared.patience);
        let (status, fields, source) = match self.client() {
            Client::Plain(lines) => {
                let exchange = pin!(lines.exchange(request, watch.last_heard()));
                let answer = watch.over(exchange).await?;
                let (head, taken) = answer.map_err(|why| self.shared.unanswered(why))?;
                (head.status, head.fields, Source::Line(taken))
            }
            // Boxed: an exchange on a line need not carry the state of the other client.
            Client::Any(client) => {
                let exchange = Box::pin(client.request(request.whole()));
                let answer = watch.over(pin!(exchange)).await?;
                let answer = answer.map_err(|error| self.shared.refused(error.is_connect(), &error))?;
                let (head, incoming) = answer.into_parts();
                (head.status, head.headers, Source::Any(incoming))
            }
        };
        let is_error = status.is_client_error() || status.is_server_error();
        let veil = self.shared.secrets.veil(is_error);
        let body = Body::new(source, watch, veil).bounded(self.shared.max_answer_bytes);
        Ok(Reply { status, fields, body })
    }

    fn client(&self) -> Client {
        CLIENTS.with_borrow_mut(|clients| {
            if let Some((.., client)) = clients.iter().find(|(number, ..)| *number == self.number) {
                return client.clone();
            }
            clients.retain(|(_, provider, _)| provider.strong_count() > 0);
            let client = self.shared.client();
            clients.push((self.number, Arc::downgrade(&self.shared), client.clone()));
            client
        })
    }
}

impl Shared {
    fn client(&self) -> Client {
        let connector =
            Connector::new(&self.tls, self.proxy.as_ref(), self.clock.clone(), self.patience.connect);
        if let Some((to, _)) = &self.plain {
            return Client::Plain(Lines::new(connector, to.clone(), self.clock.clone(), self.keep_alive));
        }
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(self.keep_alive)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .http2_keep_alive_interval(Duration::from_secs(30))
            .http2_adaptive_window(true)
            .build(connector);
        Client::Any(Arc::new(client))
    }

    fn unanswered(&self, why: Unanswered) -> Fault {
        match why {
            Unanswered::Connect(error) => self.refused(true, &*error),
            Unanswered::Exchange(error) => self.refused(false, &error),
        }
    }

    /// Why there is no head of an answer; `unconnected` if there was no connection either.
    fn refused(&self, unconnected: bool, error: &(dyn Error + 'static)) -> Fault {
        let host = &self.host;
        let cause = innermost(error);
        if cause.is::<ConnectTimedOut>() {
            return timed_out(Phase::Connect, self.patience.connect);
        }
        if unconnected {
            let text = connect::distrust(cause).unwrap_or_else(|| cause.to_string());
            return Fault::broken(None, format!("cannot connect to {host}: {text}"));
        }
        Fault::broken(None, format!("{host} gave no answer: {cause}"))
    }
}

/// Where `settings` lead if that is plain HTTP without a proxy, and the `host` to say there.
fn plain(settings: &HttpSettings) -> Option<(Uri, HeaderValue)> {
    let base = &settings.base;
    if base.scheme_str() != Some("http") || settings.proxy.is_some() {
        return None;
    }
    let host = match base.port_u16() {
        Some(port) if port != 80 => format!("{}:{port}", base.host()?),
        _ => base.host()?.to_owned(),
    };
    Some((base.clone(), HeaderValue::try_from(host).ok()?))
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
