//! The exposition: what was counted, in classic Prometheus text, in OpenMetrics, and as JSON.
//!
//! Owns formats. The three performance counters keep their exact names: no suffix, no declared type.

mod families;

use std::fmt::Write;
use std::sync::Arc;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tidegate_actors::Engine;
use tidegate_actors::engine::{EngineReading, LaneReading};
use tidegate_actors::ports::books::Lag;

use self::families::{classic_from, joined};
use super::budget::ByteBudget;
use crate::identity::{Meter, Reading, Roster};
use crate::run::site::Site;
use crate::telemetry::process;

/// Everything that is counted.
pub struct Exposition {
    registry: Registry,
    /// What the engine of the served app counts, each series with the label [`APP`].
    of_app: Registry,
}

/// The label that says which app something is about. The gateway's own series do not have it.
pub const APP: &str = "app";

/// What is shown beside what registries hold.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) bodies: &'a ByteBudget,
    pub(crate) memos: &'a ByteBudget,
    pub(crate) app: Option<&'a Site>,
    pub(crate) ledger: Option<Lag>,
    pub(crate) roster: &'a Roster,
}

impl<'a> Shown<'a> {
    /// Every engine there is, with the labels of its series.
    fn engines(&self) -> impl Iterator<Item = (&'a Engine, Labels<'a>)> {
        let app = self.app.map(|site| (site.host().asker().engine(), vec![(APP, site.name())]));
        std::iter::once((self.engine, Vec::new())).chain(app)
    }
}

type Labels<'a> = Vec<(&'static str, &'a str)>;

/// A gauge read at the moment it is asked for.
struct Gauge {
    name: &'static str,
    help: &'static str,
    labels: String,
    value: f64,
}

impl Exposition {
    /// Shows what these registries hold; the second is that of the served app.
    pub fn new(registry: Registry, of_app: Registry) -> Self {
        Self { registry, of_app }
    }

    /// OpenMetrics 1.0 text.
    pub(crate) fn open_metrics(&self, shown: Shown<'_>) -> String {
        let mut text = self.registered();
        write_gauges(&mut text, &gauges(shown));
        write_performance(&mut text, shown, "unknown");
        text.push_str("# EOF\n");
        text
    }

    /// Classic Prometheus text, format 0.0.4.
    pub(crate) fn classic(&self, shown: Shown<'_>) -> String {
        let mut text = classic_from(&self.registered());
        write_gauges(&mut text, &gauges(shown));
        write_performance(&mut text, shown, "untyped");
        text
    }

    /// What both registries hold, without an end mark.
    fn registered(&self) -> String {
        let [own, of_app] = [&self.registry, &self.of_app].map(|registry| {
            let mut text = String::new();
            // Writing to a String cannot fail.
            let _ = encode(&mut text, registry);
            let end = text.rfind("# EOF").unwrap_or(text.len());
            text.truncate(end);
            text
        });
        joined(&own, &of_app)
    }
}

/// Labels as they stand behind a name.
fn written(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    format!("{{{}}}", pairs.join(","))
}

fn write_gauges(text: &mut String, gauges: &[Gauge]) {
    let mut last = "";
    for Gauge { name, help, labels, value } in gauges {
        if *name != last {
            let _ = writeln!(text, "# HELP {name} {help}.\n# TYPE {name} gauge");
            last = name;
        }
        let _ = writeln!(text, "{name}{labels} {value}");
    }
}

fn write_performance(text: &mut String, shown: Shown<'_>, kind: &str) {
    let help = "Counter of the performance controls, under its given name";
    for (at, (name, _)) in performance(shown.engine).into_iter().enumerate() {
        let _ = writeln!(text, "# HELP {name} {help}.\n# TYPE {name} {kind}");
        for (engine, labels) in shown.engines() {
            let _ = writeln!(text, "{name}{} {}", written(&labels), performance(engine)[at].1);
        }
    }
}

/// The three counters of the performance controls.
pub(crate) fn performance(engine: &Engine) -> [(&'static str, u64); 3] {
    let counters = &engine.metrics().performance;
    [
        ("performance_ai_cache_hit", counters.ai_cache_hit.get()),
        ("performance_ai_cache_miss", counters.ai_cache_miss.get()),
        ("performance_scheduler_wait_ms", counters.scheduler_wait_ms.get()),
    ]
}

fn gauges(shown: Shown<'_>) -> Vec<Gauge> {
    let read: Vec<_> = shown.engines().map(|(engine, labels)| (engine.read(), labels)).collect();
    let mut all: Vec<Gauge> = LANE_GAUGES.iter().flat_map(|gauge| lane_gauges(gauge, &read)).collect();
    for (name, help, value) in ENGINE_GAUGES {
        all.extend(read.iter().map(|(reading, labels)| Gauge {
            name,
            help,
            labels: written(labels),
            value: value(reading),
        }));
    }
    let plain = |name, help, value| Gauge { name, help, labels: String::new(), value };
    let bytes = |held: &ByteBudget| (held.held() as f64, held.limit() as f64);
    let ((bodies, most_bodies), (memos, most_memos)) = (bytes(shown.bodies), bytes(shown.memos));
    all.extend([
        plain("tidegate_request_bodies_bytes", "Bytes of request bodies held", bodies),
        plain("tidegate_request_bodies_limit_bytes", "Bytes of request bodies that may be held", most_bodies),
        plain("tidegate_request_memo_bytes", "Bytes of requests remembered as parsed", memos),
        plain(
            "tidegate_request_memo_limit_bytes",
            "Bytes of requests that may be remembered as parsed",
            most_memos,
        ),
    ]);
    all.extend(shown.app.into_iter().flat_map(app_gauges));
    all.extend(shown.ledger.into_iter().flat_map(ledger_gauges));
    all.extend(budget_gauges(shown));
    if let Ok(bytes) = process::resident_bytes() {
        all.push(plain("memory_usage_bytes", "Memory of this process that is resident", bytes as f64));
    }
    all
}

type Read<T> = (&'static str, &'static str, fn(&T) -> f64);

const ENGINE_GAUGES: [Read<EngineReading>; 10] = [
    ("tidegate_cache_entries", "Answers kept", |read| read.cache.entries as f64),
    ("tidegate_cache_bytes", "Bytes of kept answers", |read| read.cache.bytes as f64),
    ("tidegate_cache_online", "1 while the cache actor lives", |read| f64::from(u8::from(read.cache.online))),
    ("tidegate_batchers", "Batchers that exist", |read| read.batchers.len() as f64),
    ("tidegate_batch_rows_waiting", "Embedding rows waiting", |read| read.rows_waiting.0 as f64),
    ("tidegate_batch_rows_limit", "Embedding rows that may wait", |read| read.rows_waiting.1 as f64),
    ("tidegate_orphans", "Answers that wait for a caller to come back", |read| read.orphans.0 as f64),
    ("tidegate_orphans_limit", "Answers that may wait for a caller to come back", |read| {
        read.orphans.1 as f64
    }),
    ("tidegate_operations_limit", "Operations that may be in progress", |read| read.max_operations as f64),
    ("operation_duration_average_seconds", "Mean time of all ended operations", |read| read.operations.2),
];

const LANE_GAUGES: [Read<LaneReading>; 5] = [
    ("tidegate_lane_depth", "Jobs waiting in a lane", |lane| lane.depth as f64),
    ("tidegate_lane_depth_limit", "Jobs that may wait in a lane", |lane| lane.queue_jobs as f64),
    ("tidegate_lane_in_flight", "Jobs a lane runs", |lane| lane.in_flight as f64),
    ("tidegate_lane_in_flight_limit", "Jobs a lane may run", |lane| lane.in_flight_jobs as f64),
    ("tidegate_lane_oldest_wait_seconds", "How long the oldest job of a lane waits", |lane| {
        lane.oldest_wait_ms as f64 / 1_000.0
    }),
];

fn lane_gauges(gauge: &Read<LaneReading>, read: &[(EngineReading, Labels<'_>)]) -> Vec<Gauge> {
    let (name, help, value) = *gauge;
    let lanes =
        read.iter().flat_map(|(reading, labels)| reading.lanes.iter().map(move |lane| (lane, labels)));
    let told = lanes.map(|(lane, labels)| {
        let labels = [labels.as_slice(), &[("lane", lane.id.name())]].concat();
        Gauge { name, help, labels: written(&labels), value: value(lane) }
    });
    told.collect()
}

fn ledger_gauges(lag: Lag) -> [Gauge; 5] {
    let gauge = |name, help, value| Gauge { name, help, labels: String::new(), value };
    [
        gauge(
            "tidegate_ledger_rows_waiting",
            "Rows of calls in progress or not written",
            lag.waiting_rows as f64,
        ),
        gauge(
            "tidegate_ledger_rows_waiting_limit",
            "Rows that may wait to be written",
            lag.queue_rows as f64,
        ),
        gauge(
            "tidegate_ledger_unfolded_bytes",
            "Bytes of the ledger not in tables",
            lag.unfolded_bytes as f64,
        ),
        gauge(
            "tidegate_ledger_unfolded_limit_bytes",
            "Bytes of the ledger that may wait to be in tables",
            lag.max_unfolded_bytes as f64,
        ),
        gauge("tidegate_ledger_listeners", "Who listens to calls as they are told", lag.listeners as f64),
    ]
}

/// Money used and money there is, by whose budget it is. Ids stand here: only operators may see this page.
fn budget_gauges(shown: Shown<'_>) -> Vec<Gauge> {
    let clock = shown.engine.clock();
    let (now, now_us) = (clock.now(), clock.unix_us());
    let meters = shown.roster.meters();
    let read: Vec<_> = meters.iter().map(|meter| (meter.read(now, now_us), meter)).collect();
    let gauges = |name, help, value: fn(&Reading) -> u64| {
        let of_meter = move |(readings, meter): &(Vec<Reading>, &Arc<Meter>)| {
            let labels = |limit| written(&[("subject", meter.whose().id.as_str()), ("limit", limit)]);
            let money = readings.iter().filter(|reading| reading.name.is_money());
            let gauge = |reading: &Reading| Gauge {
                name,
                help,
                labels: labels(reading.name.name()),
                value: value(reading) as f64 / 1e9,
            };
            money.map(gauge).collect::<Vec<_>>()
        };
        read.iter().flat_map(of_meter).collect::<Vec<_>>()
    };
    let mut all = gauges("tidegate_budget_used_usd", "Money used or reserved of a budget", |read| read.used);
    all.extend(gauges("tidegate_budget_limit_usd", "Money in a budget", |read| read.limit));
    all
}

fn app_gauges(site: &Site) -> [Gauge; 2] {
    let (waiting, most) = site.host().waiting();
    let gauge = |name, help, value: usize| Gauge {
        name,
        help,
        labels: written(&[(APP, site.name())]),
        value: value as f64,
    };
    [
        gauge("tidegate_app_runs_waiting", "Runs that wait for what their app keeps", waiting),
        gauge("tidegate_app_runs_waiting_limit", "Runs that may wait for what their app keeps", most),
    ]
}
