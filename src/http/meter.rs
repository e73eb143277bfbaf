//! What the doors count: every request by method, route and status, whether it failed or not, what limits refuse, and who comes in.

use std::future::{Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::Method;
use actix_web::{Error, web};
use pin_project_lite::pin_project;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use tidegate_actors::ports::clock::Tick;

use super::Doors;
use super::answer::identify;
use crate::identity::{LimitName, Mismatch, SignInError};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    endpoint: &'static str,
    status: u16,
}

/// Requests at the doors.
#[derive(Debug, Clone)]
pub struct HttpMetrics {
    requests: Family<Labels, Counter>,
    /// The counters of answered calls, by [`CALLS`]: what is counted most often is not looked up.
    answered: [Counter; CALLS.len()],
    duration: Histogram,
    limited: Family<LimitLabels, Counter>,
    sign_ins: Family<OutcomeLabels, Counter>,
    renewals: Family<OutcomeLabels, Counter>,
}

/// Which limit had no room; whose it was is nobody else's business.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabels {
    limit: &'static str,
}

/// How a try to come in ended; whose it was shows nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

/// How a sign-in ends, and how the renewal of a session does.
const SIGN_INS: [&str; 6] = ["ok", "wrong_password", "throttled", "disabled", "no_workspace", "failed"];
const RENEWALS: [&str; 4] = ["ok", "ended", "reused", "failed"];

fn outcome(refused: Option<&SignInError>) -> OutcomeLabels {
    let outcome = match refused {
        None => "ok",
        Some(SignInError::Wrong(Mismatch::Password)) => "wrong_password",
        Some(SignInError::Wrong(Mismatch::Disabled)) => "disabled",
        Some(SignInError::TooMany(_)) => "throttled",
        Some(SignInError::Nowhere(_) | SignInError::Elsewhere(_)) => "no_workspace",
        Some(SignInError::Ended) => "ended",
        Some(SignInError::Used) => "reused",
        Some(SignInError::Office(_)) => "failed",
    };
    OutcomeLabels { outcome }
}

/// A family with these outcomes, told as 0 before the first.
fn outcomes(known: &[&'static str]) -> Family<OutcomeLabels, Counter> {
    let family = Family::<OutcomeLabels, Counter>::default();
    known.iter().for_each(|outcome| drop(family.get_or_create(&OutcomeLabels { outcome })));
    family
}

impl HttpMetrics {
    /// Registers what the doors count.
    pub fn register(registry: &mut Registry) -> Self {
        let requests = Family::default();
        let duration = Histogram::new(exponential_buckets(0.000_1, 2.5, 16));
        registry.register("http_requests", "HTTP requests", Family::clone(&requests));
        registry.register(
            "http_request_duration_seconds",
            "Time until the head of the answer",
            duration.clone(),
        );
        let limited = Family::default();
        registry.register(
            "tidegate_limit_refusals",
            "Calls refused because a limit of their key or workspace was used up",
            Family::clone(&limited),
        );
        for name in LimitName::ALL.into_iter().filter(|name| name.refuses()) {
            drop(limited.get_or_create(&LimitLabels { limit: name.name() })); // told as 0 before the first
        }
        let answered = CALLS.map(|endpoint| {
            Counter::clone(&requests.get_or_create(&Labels { method: "POST", endpoint, status: 200 }))
        });
        let (sign_ins, renewals) = (outcomes(&SIGN_INS), outcomes(&RENEWALS));
        registry.register(
            "tidegate_sign_ins",
            "Tries to sign in, by how they ended",
            Family::clone(&sign_ins),
        );
        registry.register(
            "tidegate_session_renewals",
            "Tries to renew a session; \"reused\" ended one whose token somebody had used before",
            Family::clone(&renewals),
        );
        Self { requests, answered, duration, limited, sign_ins, renewals }
    }

    /// Somebody came in with a password, or was refused.
    pub(crate) fn sign_in(&self, refused: Option<&SignInError>) {
        self.sign_ins.get_or_create(&outcome(refused)).inc();
    }

    /// Somebody renewed a session, or was refused.
    pub(crate) fn renewal(&self, refused: Option<&SignInError>) {
        self.renewals.get_or_create(&outcome(refused)).inc();
    }

    /// A limit had no room for a call.
    pub(crate) fn limited(&self, name: LimitName) {
        self.limited.get_or_create(&LimitLabels { limit: name.name() }).inc();
    }

    fn count(&self, method: &Method, endpoint: &'static str, status: u16, took: Duration) {
        let call = CALLS.iter().position(|call| *call == endpoint);
        match call.filter(|_| *method == Method::POST && status == 200) {
            Some(call) => self.answered[call].inc(),
            None => self.requests.get_or_create(&Labels { method: known(method), endpoint, status }).inc(),
        };
        self.duration.observe(took.as_secs_f64());
    }
}

/// The routes by which calls come.
const CALLS: [&str; 3] = ["/v1/chat/completions", "/v1/embeddings", "/v1/messages"];

/// Methods by name; what a client made up shares one label.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The route a path belongs to: a label must not grow with what clients type.
fn endpoint(path: &str) -> &'static str {
    const FIXED: [&str; 27] = [
        "/v1/chat/completions",
        "/v1/embeddings",
        "/v1/messages",
        "/v1/models",
        "/health",
        "/ready",
        "/metrics",
        "/api/v1/engine",
        "/api/v1/calls",
        "/api/v1/attempts",
        "/api/v1/calls/export.jsonl",
        "/api/v1/calls/export.csv",
        "/api/v1/usage",
        "/api/v1/cache/purge",
        "/api/v1/keys",
        "/api/v1/limits",
        "/api/v1/prices",
        "/api/v1/workspaces",
        "/api/action",
        "/api/ui",
        "/api/ui/actions",
        "/api/ui/state",
        "/api/state",
        "/api/health",
        "/api/logs",
        "/api/traces",
        "/api/v1/ui",
    ];
    if let Some(fixed) = FIXED.into_iter().find(|fixed| *fixed == path) {
        return fixed;
    }
    match path {
        _ if path.starts_with("/v1/models/") => "/v1/models/{id}",
        _ if path.starts_with("/v1/") => "/v1/{tail}",
        _ if path.starts_with("/api/v1/calls/") && path.ends_with("/explain") => "/api/v1/calls/{id}/explain",
        _ if path.starts_with("/api/v1/calls/") => "/api/v1/calls/{id}",
        _ if path.starts_with("/api/v1/keys/") => "/api/v1/keys/{id}",
        _ if path.starts_with("/api/v1/workspaces/") && path.ends_with("/cache/stats") => {
            "/api/v1/workspaces/{id}/cache/stats"
        }
        _ if path.starts_with("/api/v1/actions/") => "/api/v1/actions/{id}",
        _ if path.starts_with("/docs") => "/docs",
        _ => "other",
    }
}

/// Counts every request, also one whose handler failed, and sees to it that every answer has an id. By hand rather than
/// by `from_fn`, which allocates twice for each request.
#[derive(Clone)]
pub struct Metered {
    doors: web::Data<Doors>,
}

impl Metered {
    /// Counts for `doors`.
    pub fn new(doors: &web::Data<Doors>) -> Self {
        Self { doors: doors.clone() }
    }
}

impl<S, B> Transform<S, ServiceRequest> for Metered
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Transform = MeteredService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(MeteredService { service, doors: Rc::new(self.doors.clone()) }))
    }
}

/// The service behind [`Metered`].
pub struct MeteredService<S> {
    service: S,
    doors: Rc<web::Data<Doors>>,
}

impl<S, B> Service<ServiceRequest> for MeteredService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Future = Counting<S::Future>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.service.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        Counting {
            method: request.method().clone(),
            endpoint: endpoint(request.path()),
            started: self.doors.engine.clock().now(),
            doors: Rc::clone(&self.doors),
            answer: self.service.call(request),
        }
    }
}

pin_project! {
    /// A request that is being answered.
    pub struct Counting<F> {
        #[pin]
        answer: F,
        doors: Rc<web::Data<Doors>>,
        started: Tick,
        method: Method,
        endpoint: &'static str,
    }
}

impl<F, B> Future for Counting<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut answered = std::task::ready!(this.answer.poll(context));
        if let Ok(response) = &mut answered {
            identify(response.headers_mut());
        }
        let status = match &answered {
            Ok(response) => response.status().as_u16(),
            Err(error) => error.as_response_error().status_code().as_u16(),
        };
        let took = this.doors.engine.clock().now().since(*this.started);
        this.doors.meter.count(this.method, this.endpoint, status, took);
        Poll::Ready(answered)
    }
}
