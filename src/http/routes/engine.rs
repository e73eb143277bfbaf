//! `GET /api/v1/engine`: lanes, cache, batchers, flights, providers at this moment.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use tidegate_actors::engine::{CacheReading, EngineReading, LaneReading};
use tidegate_actors::{BatcherReading, Restarts, UpstreamReading};
use utoipa::ToSchema;

use crate::http::error::or_refused;
use crate::http::openapi::ApiProblem;
use crate::http::{Doors, access, guard};
use crate::run::site::Site;

/// The engine at one moment.
#[derive(Serialize, ToSchema)]
pub(crate) struct EngineState {
    operations: Operations,
    /// Nothing is admitted any more.
    draining: bool,
    lanes: Vec<LaneState>,
    cache: CacheState,
    batchers: Vec<BatcherState>,
    /// Embedding rows waiting at all batchers.
    rows: Filled,
    /// Actors that were replaced, by child and cause.
    restarts: Vec<RestartCount>,
    /// Upstream answers in the air.
    flights: i64,
    /// Answers that wait for a caller that left to come back.
    orphans: Filled,
    /// Calls that explain remembers.
    explain: Filled,
    /// Bytes of request bodies held.
    bodies: Filled,
    providers: Vec<ProviderState>,
    /// The app served beside the gateway, if there is one and it loaded.
    app: Option<AppState>,
}

/// A served app, whose calls have lanes and a cache of their own.
#[derive(Serialize, ToSchema)]
pub(crate) struct AppState {
    /// The name of its file.
    name: String,
    /// Runs that wait for the state and records of the app.
    runs_waiting: Filled,
    operations: Operations,
    lanes: Vec<LaneState>,
    cache: CacheState,
    restarts: Vec<RestartCount>,
    flights: i64,
    explain: Filled,
}

/// Calls admitted since start.
#[derive(Serialize, ToSchema)]
pub(crate) struct Operations {
    active: usize,
    limit: usize,
    completed: u64,
    failed: u64,
    mean_ms: f64,
}

/// How full something bounded is.
#[derive(Serialize, ToSchema)]
pub(crate) struct Filled {
    held: u64,
    limit: u64,
}

/// One lane.
#[derive(Serialize, ToSchema)]
pub(crate) struct LaneState {
    #[schema(example = "interactive")]
    name: &'static str,
    /// Jobs waiting.
    depth: usize,
    /// Jobs that may wait.
    limit: usize,
    in_flight: usize,
    in_flight_limit: usize,
    oldest_wait_ms: u64,
    refused: Refused,
    /// The restart budget is spent.
    closed: bool,
}

/// Jobs refused, by reason.
#[derive(Serialize, ToSchema)]
pub(crate) struct Refused {
    full: u64,
    closed: u64,
}

/// The cache.
#[derive(Serialize, ToSchema)]
pub(crate) struct CacheState {
    /// The cache actor lives; without it every call is a miss.
    online: bool,
    entries: usize,
    bytes: usize,
    /// Calls answered from memory, by kind.
    hits: BTreeMap<&'static str, u64>,
    embed_items: EmbedItems,
    kept: u64,
    evicted: u64,
    expired: u64,
    purged: u64,
}

/// Embedding items by how they were answered.
#[derive(Serialize, ToSchema)]
pub(crate) struct EmbedItems {
    hit: u64,
    joined: u64,
    miss: u64,
}

/// One batcher.
#[derive(Serialize, ToSchema)]
pub(crate) struct BatcherState {
    #[schema(example = "openai/text-embedding-3-small")]
    target: String,
    #[schema(example = "text")]
    input: &'static str,
    /// Rows waiting.
    waiting: usize,
    /// Rows that may wait.
    limit: usize,
    /// Rows in the air.
    in_air: usize,
    /// Batches on their way.
    batches: usize,
    oldest_wait_ms: u64,
    /// It failed more often than it may; its callers are refused.
    closed: bool,
}

/// How often a child was replaced for one cause.
#[derive(Serialize, ToSchema)]
pub(crate) struct RestartCount {
    child: &'static str,
    #[schema(example = "panic")]
    cause: &'static str,
    count: u64,
}

/// One provider.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProviderState {
    name: String,
    in_flight: usize,
    limit: usize,
    /// `closed`, `open` or `half_open`.
    breaker: &'static str,
    open_for_ms: u64,
}

/// The engine at this moment.
#[utoipa::path(get, path = "/api/v1/engine", tag = "Tidegate", responses(
    (status = 200, description = "Lanes, cache, batchers, providers at this moment", body = EngineState),
    (status = "4XX", description = "Refused", body = ApiProblem),
))]
pub(crate) async fn engine(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    or_refused(async {
        guard::admit(&request, &doors, &access::ENGINE)?;
        Ok(HttpResponse::Ok().json(state(&doors)))
    })
    .await
}

/// The engine at this moment.
pub(super) fn state(doors: &Doors) -> EngineState {
    let reading = doors.engine.read();
    let now = doors.engine.clock().now();
    EngineState {
        operations: Operations::from(&reading),
        draining: reading.draining,
        lanes: reading.lanes.iter().map(LaneState::from).collect(),
        cache: CacheState::from(&reading.cache),
        batchers: reading.batchers.iter().map(BatcherState::from).collect(),
        rows: Filled::of(reading.rows_waiting),
        restarts: reading.restarts.iter().map(RestartCount::from).collect(),
        flights: reading.flights,
        orphans: Filled::of(reading.orphans),
        explain: remembered(&reading),
        bodies: Filled::of((doors.bodies.held(), doors.bodies.limit())),
        providers: doors.models.providers().map(|(_, served)| served.upstream.read(now).into()).collect(),
        app: doors.site().map(AppState::from),
    }
}

/// Calls that explain remembers, and could.
fn remembered(reading: &EngineReading) -> Filled {
    let (limit, seen) = reading.recorded;
    Filled { held: seen.min(limit as u64), limit: limit as u64 }
}

impl Filled {
    fn of((held, limit): (usize, usize)) -> Self {
        Self { held: held as u64, limit: limit as u64 }
    }
}

impl From<&EngineReading> for Operations {
    fn from(reading: &EngineReading) -> Self {
        let (completed, failed, mean_s) = reading.operations;
        Self {
            active: reading.active_operations,
            limit: reading.max_operations,
            completed,
            failed,
            mean_ms: mean_s * 1e3,
        }
    }
}

impl From<&Site> for AppState {
    fn from(site: &Site) -> Self {
        let reading = site.host().asker().engine().read();
        Self {
            name: site.name().to_owned(),
            runs_waiting: Filled::of(site.host().waiting()),
            operations: Operations::from(&reading),
            lanes: reading.lanes.iter().map(LaneState::from).collect(),
            cache: CacheState::from(&reading.cache),
            restarts: reading.restarts.iter().map(RestartCount::from).collect(),
            flights: reading.flights,
            explain: remembered(&reading),
        }
    }
}

impl From<&LaneReading> for LaneState {
    fn from(lane: &LaneReading) -> Self {
        Self {
            name: lane.id.name(),
            depth: lane.depth,
            limit: lane.queue_jobs,
            in_flight: lane.in_flight,
            in_flight_limit: lane.in_flight_jobs,
            oldest_wait_ms: lane.oldest_wait_ms,
            refused: Refused { full: lane.refused_full, closed: lane.refused_closed },
            closed: lane.closed,
        }
    }
}

impl From<&CacheReading> for CacheState {
    fn from(cache: &CacheReading) -> Self {
        let [hit, joined, miss] = cache.embed_items;
        Self {
            online: cache.online,
            entries: cache.entries,
            bytes: cache.bytes,
            hits: cache.hits.iter().map(|(kind, hits)| (kind.name(), *hits)).collect(),
            embed_items: EmbedItems { hit, joined, miss },
            kept: cache.kept,
            evicted: cache.evicted,
            expired: cache.expired,
            purged: cache.purged,
        }
    }
}

impl From<&BatcherReading> for BatcherState {
    fn from(batcher: &BatcherReading) -> Self {
        Self {
            target: batcher.target.to_string(),
            input: batcher.input,
            waiting: batcher.waiting,
            limit: batcher.max_rows,
            in_air: batcher.in_air,
            batches: batcher.batches,
            oldest_wait_ms: batcher.oldest_wait_ms,
            closed: batcher.closed,
        }
    }
}

impl From<&Restarts> for RestartCount {
    fn from(restarts: &Restarts) -> Self {
        Self { child: restarts.child, cause: restarts.cause, count: restarts.count }
    }
}

impl From<UpstreamReading> for ProviderState {
    fn from(up: UpstreamReading) -> Self {
        Self {
            name: up.name.to_string(),
            in_flight: up.in_flight,
            limit: up.max_in_flight,
            breaker: up.breaker,
            open_for_ms: up.open_for_ms,
        }
    }
}
