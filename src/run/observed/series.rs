//! Owns the counters and timings of an app: how a point changes its series, and how all are told.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::lang::ast::MetricOp;
use crate::lang::machine::Measured;
use crate::lang::value::{JsonStyle, Value};
use crate::run::counters::Counters;

/// Counters and timings together; labels may come from users.
const MOST_SERIES: usize = 10_000;
/// Ends of the ranges by which recorded steps are counted.
const ENDS: [u16; 11] = [0, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000];
/// Name under which points are counted that found no room.
const DROPPED: &str = "observability_points_dropped";

/// A name and its labels, as JSON: the order in which series are told.
type Key = (Arc<str>, String);

/// All series of one app.
#[derive(Debug, Default)]
pub(super) struct Series {
    counters: BTreeMap<Key, (Value, f64)>,
    timings: BTreeMap<Key, Timing>,
    dropped: u64,
}

#[derive(Debug)]
struct Timing {
    labels: Value,
    count: u64,
    total: f64,
    least: f64,
    most: f64,
    last: f64,
    /// How many lie in each range, and how many beyond.
    ranges: [u64; ENDS.len() + 1],
}

impl Series {
    /// Adds one point.
    pub(super) fn note(&mut self, point: &Measured) {
        let labels = point.labels.clone().unwrap_or_else(|| Value::fields([]));
        let key = (Arc::clone(&point.name), labels.to_json(JsonStyle::Canonical));
        let known = self.counters.contains_key(&key) || self.timings.contains_key(&key);
        if !known && self.counters.len() + self.timings.len() >= MOST_SERIES {
            self.dropped += 1;
            return;
        }
        let value = point.value.as_number().and_then(|number| number.to_plain().parse().ok());
        let value = value.map_or(0.0, |value: f64| value.clamp(f64::MIN, f64::MAX)); // JSON knows no infinity
        match point.op {
            MetricOp::Increment | MetricOp::Add => {
                self.counters.entry(key).or_insert((labels, 0.0)).1 += value
            }
            MetricOp::Set => self.counters.entry(key).or_insert((labels, 0.0)).1 = value,
            MetricOp::Record => self.timings.entry(key).or_insert_with(|| Timing::new(labels)).note(value),
        }
    }

    /// Counters and timings as they are told, each sorted by name and labels; `calls` among the counters.
    pub(super) fn read(&self, calls: &Counters) -> (Vec<Value>, Vec<Value>) {
        let mut counters: BTreeMap<Key, (Value, f64)> = self.counters.clone();
        for (name, flow, count) in calls.read() {
            let labels = Value::fields([("flow", Value::Text(flow))]);
            counters.insert((name.into(), labels.to_json(JsonStyle::Canonical)), (labels, count as f64));
        }
        if self.dropped > 0 {
            counters.insert((DROPPED.into(), String::new()), (Value::fields([]), self.dropped as f64));
        }
        let counter = |((name, _), (labels, value)): (Key, (Value, f64))| {
            Value::fields([("labels", labels), ("name", Value::Text(name)), ("value", float(value))])
        };
        let timings = self.timings.iter().map(|((name, _), timing)| timing.told(name));
        (counters.into_iter().map(counter).collect(), timings.collect())
    }
}

/// A sum, which may have grown beyond what JSON can say.
fn float(value: f64) -> Value {
    Value::Float(value.clamp(f64::MIN, f64::MAX))
}

impl Timing {
    fn new(labels: Value) -> Self {
        let (least, most) = (f64::INFINITY, f64::NEG_INFINITY);
        Self { labels, count: 0, total: 0.0, least, most, last: 0.0, ranges: Default::default() }
    }

    fn note(&mut self, steps: f64) {
        self.count += 1;
        self.total += steps;
        self.least = self.least.min(steps);
        self.most = self.most.max(steps);
        self.last = steps;
        let range = ENDS.iter().position(|end| steps <= f64::from(*end)).unwrap_or(ENDS.len());
        self.ranges[range] += 1;
    }

    fn told(&self, name: &Arc<str>) -> Value {
        let count = |count: u64| Value::int(i64::try_from(count).unwrap_or(i64::MAX));
        let within = ENDS.iter().zip(&self.ranges);
        let within = within
            .map(|(end, many)| Value::fields([("count", count(*many)), ("le", Value::int((*end).into()))]));
        let beyond = Value::fields([
            ("count", count(self.ranges[ENDS.len()])),
            ("gt", Value::int(ENDS[ENDS.len() - 1].into())),
        ]);
        Value::fields([
            ("buckets", Value::list(within.chain([beyond]).collect())),
            ("count", count(self.count)),
            ("labels", self.labels.clone()),
            ("last_steps", float(self.last)),
            ("max_steps", float(self.most)),
            ("min_steps", float(self.least)),
            ("name", Value::Text(Arc::clone(name))),
            ("total_steps", float(self.total)),
            ("unit", "steps".into()),
        ])
    }
}
