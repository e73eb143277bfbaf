//! `GET /api/v1/console/stream`: what the console shows of this moment, as server-sent events.
//!
//! Owns what a role is shown. Must not work anything out for one who looks that was worked out for another.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream::unfold;
use futures_util::{FutureExt, StreamExt};
use serde::{Deserialize, Serialize};
use tidegate_actors::WorkspaceId;
use tidegate_actors::ports::books::{Lag, Listening, Wanted};
use tidegate_actors::ports::clock::Tick;
use utoipa::{IntoParams, ToSchema};

use super::calls;
use super::engine::{self, EngineState};
use super::health::{self, Readiness};
use super::tail;
use crate::http::error::{DoorError, or_refused};
use crate::http::openapi::ApiProblem;
use crate::http::watch::{Looking, Rated, Sight};
use crate::http::{Doors, access, guard};
use crate::identity::Role;
use crate::telemetry::when::written;

const SECOND: Duration = Duration::from_secs(1);

/// What is wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ConsoleAsked {
    /// Whether calls are shown as they are told; true if it does not say.
    calls: Option<bool>,
}

/// Everything at this moment.
#[derive(Serialize, ToSchema)]
pub(crate) struct Pulse {
    /// When it was worked out, by the server's clock, RFC 3339 UTC.
    at: String,
    /// Of the program.
    version: &'static str,
    /// The configuration in force, as rows of the ledger name it.
    config: String,
    /// Whether calls can be answered, and what cannot.
    readiness: Readiness,
    /// For operators.
    engine: Option<EngineState>,
    /// For operators; null until there are two readings.
    rates: Option<Rates>,
    /// For operators; null where no ledger is kept.
    ledger: Option<LedgerState>,
    /// The calls of the last minutes: for operators everybody's, for others those of their workspace.
    recent: Sight,
}

/// How fast counts grow, per second.
#[derive(Serialize, ToSchema)]
pub(crate) struct Rates {
    /// Calls answered.
    completed: f64,
    /// Calls that failed or were abandoned.
    failed: f64,
    refused: Vec<RefusedRate>,
}

/// Jobs refused by a lane, per second.
#[derive(Serialize, ToSchema)]
pub(crate) struct RefusedRate {
    lane: &'static str,
    full: f64,
    closed: f64,
}

/// How far the ledger is behind.
#[derive(Serialize, ToSchema)]
pub(crate) struct LedgerState {
    /// Rows reserved or not written.
    waiting_rows: usize,
    queue_rows: usize,
    /// Bytes written that are not in tables.
    unfolded_bytes: u64,
    max_unfolded_bytes: u64,
}

/// What the console shows, once a second: `event: pulse`. Between them calls as they are told, as `/api/v1/calls/stream` has
/// them; without these where no ledger is kept or too many listen. A console that is too slow is not shown every second.
/// The stream ends with the server, or with the credential.
#[utoipa::path(get, path = "/api/v1/console/stream", tag = "Tidegate", params(ConsoleAsked), responses(
    (status = 200, description = "Events until one leaves", body = Pulse, content_type = "text/event-stream"),
    (status = "4XX", description = "Refused, or too many look", body = ApiProblem),
))]
pub(crate) async fn stream(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    or_refused(async {
        let principal = guard::admit(&request, &doors, &access::CONSOLE_STREAM)?;
        let asked: ConsoleAsked = calls::asked(&request)?;
        let whose = (principal.role != Role::Operator).then(|| principal.workspace.clone());
        if request.method() == Method::HEAD {
            // A body that is never sent would keep the head back for ever.
            return Ok(tail::head().finish());
        }
        let place = Looking::at(&doors.watch).map_err(DoorError::crowded)?;
        let all = Wanted::all(principal.workspace.clone(), 1);
        let books = doors.books.as_ref().filter(|_| asked.calls != Some(false));
        let heard = books.and_then(|books| books.listen(whose.clone(), all).ok());
        let next = doors.engine.clock().now();
        Ok(events(Following { request, doors, whose, heard, next, _place: place }))
    })
    .await
}

/// Somebody who looks.
struct Following {
    request: HttpRequest,
    doors: web::Data<Doors>,
    whose: Option<WorkspaceId>,
    heard: Option<Listening>,
    /// When the next second is shown.
    next: Tick,
    _place: Looking,
}

impl Following {
    /// Whether the credential is still good for what is shown.
    fn may(&self) -> bool {
        guard::admit(&self.request, &self.doors, &access::CONSOLE_STREAM).is_ok_and(|principal| {
            match &self.whose {
                Some(workspace) => principal.role != Role::Operator && principal.workspace == *workspace,
                None => principal.role == Role::Operator,
            }
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        if self.heard.is_none() && self.doors.engine.read().draining {
            return None; // else the ledger says when the server ends
        }
        let clock = Arc::clone(self.doors.engine.clock());
        let call = match &mut self.heard {
            Some(heard) => heard.next().left_future(),
            None => std::future::pending().right_future(),
        };
        let heard = tokio::select! {
            biased;
            () = clock.sleep_until(self.next) => None,
            // The ledger ends with the server.
            heard = call => Some(heard?),
        };
        let event = match heard {
            Some(heard) => tail::event(heard, &self.doors.roster),
            None => self.pulse(clock.now()).await?,
        };
        self.may().then_some(event)
    }

    /// Nothing if it cannot be worked out. That takes milliseconds of thousands of calls: it is not done where calls are served.
    async fn pulse(&mut self, now: Tick) -> Option<Bytes> {
        let late = now.since(self.next).as_secs();
        self.doors.watch.dropped(late);
        self.next = now.plus(SECOND);
        let (doors, whose) = (self.doors.clone(), self.whose.clone());
        let worked_out = tokio::task::spawn_blocking(move || {
            doors.watch.at(&doors, whose.as_ref(), |recent, rates| {
                tail::written("pulse", &pulse(&doors, whose.is_none(), recent, rates))
            })
        });
        worked_out.await.ok()
    }
}

fn pulse(doors: &Doors, is_operator: bool, recent: Sight, rates: Option<&Rated>) -> Pulse {
    let lag = doors.books.as_ref().map(|books| books.lag());
    Pulse {
        at: written(doors.engine.clock().unix_us()),
        version: env!("CARGO_PKG_VERSION"),
        config: doors.version.to_string(),
        readiness: health::readiness(doors),
        engine: is_operator.then(|| engine::state(doors)),
        rates: rates.filter(|_| is_operator).map(|rates| Rates::of(doors, rates)),
        ledger: lag.filter(|_| is_operator).map(LedgerState::from),
        recent,
    }
}

impl Rates {
    fn of(doors: &Doors, rates: &Rated) -> Self {
        let lanes = doors.engine.read().lanes;
        let refused = lanes.iter().zip(&rates.refused);
        Self {
            completed: rates.completed,
            failed: rates.failed,
            refused: refused
                .map(|(lane, [full, closed])| RefusedRate {
                    lane: lane.id.name(),
                    full: *full,
                    closed: *closed,
                })
                .collect(),
        }
    }
}

impl From<Lag> for LedgerState {
    fn from(lag: Lag) -> Self {
        let Lag { waiting_rows, queue_rows, unfolded_bytes, max_unfolded_bytes, listeners: _ } = lag;
        Self { waiting_rows, queue_rows, unfolded_bytes, max_unfolded_bytes }
    }
}

fn events(following: Following) -> HttpResponse {
    let events = unfold(following, |mut following| async move {
        let event = following.next().await?;
        Some((Ok::<_, actix_web::Error>(event), following))
    });
    tail::head().streaming(Box::pin(events))
}
