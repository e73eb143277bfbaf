//! Owns the composition: the only file that names concrete adapters. Must not hold any decision of its own.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::rt::task::JoinHandle;
use actix_web::web;
use futures_util::future::{OptionFuture, join_all, try_join_all};
use prometheus_client::registry::Registry;
use tidegate_actors::engine::{Placement, RunOn};
use tidegate_actors::ports::clock::{ClockRef, SystemClock};
use tidegate_actors::ports::ledger::{Ledger, NoLedger};
use tidegate_actors::ports::tier::TierStore;
use tidegate_actors::{
    BatchLimits, BreakerRules, CacheLimits, Capacity, Engine, EngineConfig, LaneId, Ports, RetryRules,
    SuperviseLimits, Upstream, UpstreamLimits,
};

use crate::cli::service::{AppService, Service};
use crate::cli::{Parts, ServeError, Up};
use crate::config::{self, Config, LaneName, PersistTarget, Persistence};
use crate::http::{ByteBudget, Doors, Exposition, HttpMetrics, ModelTable, Served, Watch};
use crate::identity::{Roster, SettlingLedger, Tariff};
use crate::lang::records::Store;
use crate::providers::{self, TextCounter};
use crate::run::{self, Asker, Speaker, Speech};
use crate::stores::Io;
use crate::stores::ledger::Prices;
use crate::stores::records::RecordFile;
use crate::telemetry::lag::LoopLag;
use crate::telemetry::log;

mod ledger;
mod listen;
mod people;
mod site;
mod stored;

use people::Identity;
use stored::Stored;

/// What the command line is given.
pub const PARTS: Parts = Parts { serve, asker, records, upkeep: stored::upkeep, office: people::books };

/// Runs a server until it is told to stop.
///
/// # Errors
/// An address that cannot be bound or a provider that cannot be made; nothing was served then.
pub fn serve(service: Service) -> Result<(), ServeError> {
    let Service { loaded, app, spare_ports, banner } = service;
    let _log = log::init(loaded.config.log.level, loaded.config.log.format)?;
    // One TLS implementation in the process, whoever asks first.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed before");
    }
    actix_web::rt::System::new().block_on(async {
        let running = start_with(&loaded.config, app, spare_ports)?;
        running.ready().await; // the first two equal calls after the banner are a miss and a hit
        let url = format!("http://{}", running.address());
        announce(&banner(&loaded, Up { url: &url, guarded: running.identity.roster.is_guarded() }))?;
        running.until(stop_signal()).await
    })
}

/// A server that answers. Dropped without [`Running::until`], it serves until its `System` ends.
pub struct Running {
    address: SocketAddr,
    handles: Vec<ServerHandle>,
    serving: JoinHandle<std::io::Result<()>>,
    engine: Engine,
    app: Option<site::Open>,
    /// What outlives the process, and who follows it.
    kept: Option<(Stored, JoinHandle<()>)>,
    identity: Identity,
    patience: Duration,
}

/// Binds the ports and makes everything behind them. Needs a running actix `System`.
///
/// # Errors
/// An address that cannot be bound or a provider that cannot be made; nothing was served then.
pub fn start(config: &Config) -> Result<Running, ServeError> {
    start_with(config, None, 0)
}

/// As [`start`], with an app beside the gateway, and up to `spare_ports` ports above the configured one if it is taken.
///
/// # Errors
/// As [`start`].
pub fn start_with(config: &Config, app: Option<AppService>, spare_ports: u16) -> Result<Running, ServeError> {
    let mut registry = Registry::default();
    let lag = LoopLag::register(&mut registry);
    let clock: ClockRef = Arc::new(SystemClock::new());
    let prices = Arc::new(Prices::of(config)?);
    let mut stored = Stored::open(config, &clock, &prices, &mut registry)?;
    let mut unless_started = stored::EndBooks::of(stored.as_ref());
    let identity = Identity::open(config, stored.as_ref(), &clock)?;
    let ledger = stored::ledger(stored.as_ref());
    let (backing, books) =
        (stored.iter().flat_map(Stored::backing).collect(), stored::books(stored.as_ref()));
    let tier = stored.as_ref().and_then(Stored::tier);
    let tariff: Arc<dyn Tariff> = prices;
    let till = Arc::clone(identity.roster.till());
    let ledger: Arc<dyn Ledger> = Arc::new(SettlingLedger::new(ledger, till, Arc::clone(&tariff)));
    let (of_app, mounted, app) = site::open(config, app, &ledger)?;
    let ports = ports(Arc::clone(&clock), ledger, tier);
    let Identity { roster, office } = identity.clone();
    let archive = stored::bodies(stored.as_ref(), config, (&roster, &clock), &mut registry)?;
    let shared = doors(config, ports, tariff, registry, of_app)?;
    let doors = Doors { app: mounted, backing, books, archive, roster, office, ..shared };
    let doors = web::Data::new(doors);
    let (servers, address) = listen::bind(config, &doors, &lag, spare_ports)?;
    let following = stored.as_mut().map(|stored| identity.follow(stored, &clock)).transpose()?;
    let patience = Duration::from_millis(config.listen.shutdown_ms);
    let handles = servers.iter().map(Server::handle).collect();
    let serving = actix_web::rt::spawn(async { try_join_all(servers).await.map(drop) });
    unless_started.forget();
    let kept = stored.zip(following);
    Ok(Running { address, handles, serving, engine: doors.engine.clone(), app, kept, identity, patience })
}

impl Running {
    /// The first address bound, with the port that was free if the configuration left it open.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until what can be remembered is.
    pub async fn ready(&self) {
        self.engine.ready().await;
        if let Some(app) = &self.app {
            app.ready().await;
        }
    }

    /// Serves until `stop` is ready, then lets admitted calls end for `listen.shutdown_ms`.
    ///
    /// # Errors
    /// Those of the listening sockets.
    pub async fn until(self, stop: impl Future<Output = ()> + 'static) -> Result<(), ServeError> {
        let Self { address: _, identity, handles, serving, engine, app, kept, patience } = self;
        let settled = app.as_ref().map(|app| app.settled(patience));
        let silence = kept.as_ref().map(|(stored, _)| stored.silence());
        let stopping = actix_web::rt::spawn(async move {
            stop.await;
            tracing::info!("draining");
            // New connections are still taken, so that newcomers are told 503 instead of being cut off.
            let (left, _) = tokio::join!(engine.drain(patience), OptionFuture::from(settled));
            tracing::info!(abandoned = left, "drained");
            OptionFuture::from(silence).await;
            join_all(handles.iter().map(|handle| handle.stop(true))).await;
        });
        serving.await??;
        stopping.abort();
        let closed = match app {
            Some(app) => app.close().await,
            None => Ok(()),
        };
        if let Some((stored, following)) = kept {
            following.abort();
            let _ = following.await;
            identity.close().await;
            stored.close().await;
        }
        closed
    }
}

/// Who answers the asks of programs: every configured provider by its name, one by its kind where no name says it, and
/// the mock of the language. Needs a running actix `System`, in which the engine then lives.
///
/// # Errors
/// A provider that cannot be made.
pub fn asker(config: &Config, performance: &config::Performance) -> Result<Asker, ServeError> {
    let ledger: Arc<dyn Ledger> = Arc::new(NoLedger);
    asker_in(config, performance, &mut Registry::default(), (Placement::Current, &ledger))
}

/// As [`asker`]; its engine counts in `registry`, lives where the placement says and is kept in the ledger.
fn asker_in(
    config: &Config,
    performance: &config::Performance,
    registry: &mut Registry,
    (placement, ledger): (Placement, &Arc<dyn Ledger>),
) -> Result<Asker, ServeError> {
    let clock: ClockRef = Arc::new(SystemClock::new());
    let ports = ports(Arc::clone(&clock), Arc::clone(ledger), None);
    let engine = Engine::start(run::engine_config(performance, placement), ports, registry);
    let mut speakers = BTreeMap::new();
    for (name, provider) in &config.providers {
        let (kind, speech) = match provider.kind {
            config::ProviderKind::Openai => ("openai", Speech::OpenAi),
            config::ProviderKind::Anthropic => ("anthropic", Speech::Anthropic),
            config::ProviderKind::Mock => continue, // programs have a mock of their own, pinned by their language
        };
        let adapter = providers::build(name, provider, &config.models, Arc::clone(&clock))?;
        let upstream = Upstream::new(name.as_str(), adapter, upstream_limits(provider));
        let speaker = Speaker { speech, upstream };
        speakers.entry(kind.to_owned()).or_insert_with(|| speaker.clone());
        speakers.insert(name.to_lowercase(), speaker);
    }
    let delay_ms = config.providers.get(MOCK).map_or(0, |mock| mock.mock.delay_ms);
    let mock: Arc<run::Mock> = Arc::new(run::Mock::new(clock, delay_ms));
    let upstream = Upstream::new(MOCK, mock, UpstreamLimits::default());
    speakers.insert(MOCK.to_owned(), Speaker { speech: Speech::Mock, upstream });
    let caching = performance.enabled() && performance.cache_size > 0;
    Ok(Asker::new(engine, speakers, caching, config.gateway.deadline_ms))
}

/// The ports of an engine of this process.
fn ports(clock: ClockRef, ledger: Arc<dyn Ledger>, tier: Option<Arc<dyn TierStore>>) -> Ports {
    Ports { clock, ledger, tier, counter: Arc::new(TextCounter), ..Ports::open(fastrand::u64(..)) }
}

/// The records of the app in `folder`. A file is opened when a run first wants something of it.
pub fn records(settings: &Persistence, folder: &Path) -> Store {
    match record_file(settings, folder) {
        Some(file) => Store::lasting(Arc::new(file)),
        None => Store::new(),
    }
}

fn record_file(settings: &Persistence, folder: &Path) -> Option<RecordFile> {
    match settings.target {
        PersistTarget::Memory => None,
        PersistTarget::Sqlite => Some(RecordFile::at(&folder.join(&settings.db_path), Io::default())),
    }
}

/// Name of the provider every program may use.
const MOCK: &str = "mock";

/// Builds the engine, the providers and everything the doors share.
/// Without keys, an office and an app.
fn doors(
    config: &Config,
    ports: Ports,
    tariff: Arc<dyn Tariff>,
    mut registry: Registry,
    of_app: Registry,
) -> Result<Doors, ServeError> {
    let clock = Arc::clone(&ports.clock);
    let engine = Engine::start(engine_config(config), ports, &mut registry);
    let mut served = BTreeMap::new();
    for (name, provider) in &config.providers {
        let adapter = providers::build(name, provider, &config.models, Arc::clone(&clock))?;
        let upstream = Upstream::new(name.as_str(), adapter, upstream_limits(provider));
        served.insert(name.clone(), Served { kind: provider.kind, upstream });
    }
    let roster = Arc::new(Roster::open(clock));
    Ok(Doors {
        engine,
        models: ModelTable::new(config.models.clone(), served, config.gateway.passthrough.clone()),
        bodies: ByteBudget::new(config.limits.buffered_bytes),
        memos: ByteBudget::new(config.limits.memo_bytes),
        meter: HttpMetrics::register(&mut registry),
        watch: Arc::new(Watch::register(&mut registry)),
        exposition: Exposition::new(registry, of_app),
        roster,
        office: None,
        tariff,
        config: config.clone(),
        app: None,
        backing: Vec::new(),
        books: None,
        archive: None,
        version: ledger::version(config),
    })
}

fn engine_config(config: &Config) -> EngineConfig {
    let lane = |name: LaneName| match name {
        LaneName::Interactive => LaneId::Interactive,
        LaneName::Heavy => LaneId::Heavy,
    };
    let kinds = &config.kinds;
    EngineConfig {
        max_operations: config.gateway.max_operations,
        max_concurrency: config.lanes.max_concurrency,
        queue_jobs: config.lanes.queue_jobs,
        aging_ms: config.lanes.aging_ms,
        lanes: [lane(kinds.chat.lane), lane(kinds.embed.lane), lane(kinds.forward.lane)],
        ttl_ms: [kinds.chat.ttl_ms, kinds.embed.ttl_ms, 1],
        cache: CacheLimits {
            capacity: Capacity::Bytes(config.cache.max_bytes),
            max_entry_bytes: config.cache.max_entry_bytes,
        },
        keep_cut_answers: config.cache.keep_cut_answers,
        join: config.gateway.join,
        flight_max_bytes: config.flight.max_bytes,
        orphan_grace_ms: config.gateway.orphan_grace_ms,
        explain_calls: config.gateway.explain_calls,
        supervise: SuperviseLimits {
            restarts: config.lanes.restarts,
            window_ms: config.lanes.restart_window_ms,
            stall_after_ms: config.lanes.stall_after_ms,
            ..SuperviseLimits::default()
        },
        batch: BatchLimits {
            mix_calls: config.gateway.batch,
            in_flight_batches: config.batch.in_flight_batches,
            max_items: config.batch.max_items,
            max_tokens: config.batch.max_tokens as u64,
            max_linger_ms: config.batch.max_linger_ms,
            max_rows: config.batch.max_rows,
            max_rows_in_all: config.batch.max_rows_in_all,
            max_batchers: config.batch.max_batchers,
            idle_ms: config.batch.idle_ms,
        },
        placement: Placement::Settled,
        run_on: match config.lanes.run_on {
            config::RunOn::Caller => RunOn::Caller,
            config::RunOn::Lane => RunOn::Lane,
        },
    }
}

fn upstream_limits(provider: &config::Provider) -> UpstreamLimits {
    let (retries, breaker) = (&provider.retries, &provider.breaker);
    UpstreamLimits {
        max_in_flight: provider.bounds.max_in_flight,
        retry: RetryRules {
            retries: retries.retries,
            base_ms: retries.retry_base_ms,
            max_ms: retries.retry_max_ms,
            budget: retries.retry_budget,
            budget_per_s: retries.retry_budget_min_per_s,
        },
        breaker: BreakerRules { failures: breaker.breaker_failures, open_ms: breaker.breaker_open_ms },
    }
}

fn announce(banner: &str) -> Result<(), ServeError> {
    let mut out = std::io::stdout().lock();
    write!(out, "{banner}")?;
    out.flush()?;
    Ok(())
}

/// Ready at the first SIGINT or SIGTERM.
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        tracing::error!("SIGTERM cannot be heard; stop with SIGINT");
        drop(tokio::signal::ctrl_c().await);
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
