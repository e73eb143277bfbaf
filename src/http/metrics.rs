//! The exposition: what was counted, in classic Prometheus text, in OpenMetrics, and as JSON.
//!
//! Owns formats. The three performance counters keep their exact names: no suffix, no declared type.

use std::fmt::Write;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tidegate_actors::Engine;
use tidegate_actors::engine::EngineReading;

use super::budget::ByteBudget;
use crate::telemetry::process;

/// Everything that is counted.
pub struct Exposition {
    registry: Registry,
}

/// What the doors hold in memory.
#[derive(Clone, Copy)]
pub(crate) struct Held<'a> {
    pub(crate) bodies: &'a ByteBudget,
    pub(crate) memos: &'a ByteBudget,
}

/// A gauge read at the moment it is asked for.
struct Gauge {
    name: &'static str,
    help: &'static str,
    labels: &'static str,
    value: f64,
}

impl Exposition {
    /// Shows what `registry` holds.
    pub fn new(registry: Registry) -> Self {
        Self { registry }
    }

    /// OpenMetrics 1.0 text.
    pub(crate) fn open_metrics(&self, engine: &Engine, held: Held<'_>) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        let end = text.rfind("# EOF").unwrap_or(text.len());
        text.truncate(end);
        write_gauges(&mut text, &gauges(engine, held));
        write_performance(&mut text, engine, "unknown");
        text.push_str("# EOF\n");
        text
    }

    /// Classic Prometheus text, format 0.0.4.
    pub(crate) fn classic(&self, engine: &Engine, held: Held<'_>) -> String {
        let mut open = String::new();
        let _ = encode(&mut open, &self.registry);
        let mut text = classic_from(&open);
        write_gauges(&mut text, &gauges(engine, held));
        write_performance(&mut text, engine, "untyped");
        text
    }
}

/// OpenMetrics names a counter's family without `_total` and its sample with it; classic text names both with it.
fn classic_from(open: &str) -> String {
    let mut counters = Vec::new();
    for line in open.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ")
            && let Some(name) = rest.strip_suffix(" counter")
        {
            counters.push(name);
        }
    }
    let mut text = String::with_capacity(open.len());
    for line in open.lines().filter(|line| *line != "# EOF" && !line.starts_with("# UNIT ")) {
        let renamed = ["# HELP ", "# TYPE "].iter().find_map(|head| {
            let (name, rest) = line.strip_prefix(head)?.split_once(' ')?;
            counters.contains(&name).then(|| format!("{head}{name}_total {rest}"))
        });
        text.push_str(renamed.as_deref().unwrap_or(line));
        text.push('\n');
    }
    text
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

fn write_performance(text: &mut String, engine: &Engine, kind: &str) {
    let help = "Counter of the performance controls, under its given name";
    for (name, value) in performance(engine) {
        let _ = writeln!(text, "# HELP {name} {help}.\n# TYPE {name} {kind}\n{name} {value}");
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

fn gauges(engine: &Engine, held: Held<'_>) -> Vec<Gauge> {
    let reading = engine.read();
    let mut all = lane_gauges(&reading);
    let plain = |name, help, value| Gauge { name, help, labels: "", value };
    let cache = &reading.cache;
    all.extend([
        plain("tidegate_cache_entries", "Answers kept", cache.entries as f64),
        plain("tidegate_cache_bytes", "Bytes of kept answers", cache.bytes as f64),
        plain("tidegate_cache_online", "1 while the cache actor lives", f64::from(u8::from(cache.online))),
        plain("tidegate_batchers", "Batchers that exist", reading.batchers.len() as f64),
        plain("tidegate_batch_rows_waiting", "Embedding rows waiting", reading.rows_waiting.0 as f64),
        plain("tidegate_batch_rows_limit", "Embedding rows that may wait", reading.rows_waiting.1 as f64),
        plain(
            "tidegate_operations_limit",
            "Operations that may be in progress",
            reading.max_operations as f64,
        ),
        plain("tidegate_request_bodies_bytes", "Bytes of request bodies held", held.bodies.held() as f64),
        plain(
            "tidegate_request_bodies_limit_bytes",
            "Bytes of request bodies that may be held",
            held.bodies.limit() as f64,
        ),
        plain(
            "tidegate_request_memo_bytes",
            "Bytes of requests remembered as parsed",
            held.memos.held() as f64,
        ),
        plain(
            "tidegate_request_memo_limit_bytes",
            "Bytes of requests that may be remembered as parsed",
            held.memos.limit() as f64,
        ),
        plain(
            "operation_duration_average_seconds",
            "Mean time of all ended operations",
            reading.operations.2,
        ),
    ]);
    if let Ok(bytes) = process::resident_bytes() {
        all.push(plain("memory_usage_bytes", "Memory of this process that is resident", bytes as f64));
    }
    all
}

fn lane_gauges(reading: &EngineReading) -> Vec<Gauge> {
    const LABELS: [&str; 2] = ["{lane=\"interactive\"}", "{lane=\"heavy\"}"];
    type Read = fn(&tidegate_actors::engine::LaneReading) -> f64;
    const ROWS: [(&str, &str, Read); 5] = [
        ("tidegate_lane_depth", "Jobs waiting in a lane", |lane| lane.depth as f64),
        ("tidegate_lane_depth_limit", "Jobs that may wait in a lane", |lane| lane.queue_jobs as f64),
        ("tidegate_lane_in_flight", "Jobs a lane runs", |lane| lane.in_flight as f64),
        ("tidegate_lane_in_flight_limit", "Jobs a lane may run", |lane| lane.in_flight_jobs as f64),
        ("tidegate_lane_oldest_wait_seconds", "How long the oldest job of a lane waits", |lane| {
            lane.oldest_wait_ms as f64 / 1_000.0
        }),
    ];
    let row = |(name, help, read): (&'static str, &'static str, Read)| {
        let lanes = reading.lanes.iter().zip(LABELS);
        lanes.map(move |(lane, labels)| Gauge { name, help, labels, value: read(lane) }).collect::<Vec<_>>()
    };
    ROWS.into_iter().flat_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::classic_from;

    #[test]
    fn classic_text_names_a_counter_as_its_sample_is_named() {
        let open = "# HELP calls Calls.\n# TYPE calls counter\ncalls_total{kind=\"chat\"} 1\n\
                    # HELP depth Depth.\n# TYPE depth gauge\ndepth 2\n# EOF\n";
        let classic = "# HELP calls_total Calls.\n# TYPE calls_total counter\ncalls_total{kind=\"chat\"} 1\n\
                       # HELP depth Depth.\n# TYPE depth gauge\ndepth 2\n";
        assert_eq!(classic_from(open), classic);
    }
}
