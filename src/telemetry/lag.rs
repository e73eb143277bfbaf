//! Owns the event-loop lag probe: how late a worker's thread comes to what is due.
//!
//! Lag is what a handler that blocks does to everybody else on its thread. Must not act on it, only measure.

use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tidegate_actors::ports::clock::ClockRef;

/// How often a worker is asked; one timer and one clock reading each.
const EVERY: Duration = Duration::from_millis(50);
/// Seconds. Timers are due at whole milliseconds, so an idle worker is up to 1 ms late.
const BUCKETS: [f64; 9] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0];

/// The histogram `tidegate_event_loop_lag_seconds`, shared by the probes of all workers.
#[derive(Debug, Clone)]
pub struct LoopLag {
    seconds: Histogram,
}

impl LoopLag {
    /// Registers the histogram. Nothing is measured before [`LoopLag::watch`] runs.
    pub fn register(registry: &mut Registry) -> Self {
        let seconds = Histogram::new(BUCKETS);
        let help = "How late a worker's event loop came to a timer";
        registry.register("tidegate_event_loop_lag_seconds", help, seconds.clone());
        Self { seconds }
    }

    /// Measures the thread it is spawned on, forever: spawn it once on each worker, and it ends with the worker.
    ///
    /// Every 50 ms it waits for a moment and records how much later than that moment it was resumed.
    pub async fn watch(self, clock: ClockRef) {
        loop {
            let due = clock.now().plus(EVERY);
            clock.sleep_until(due).await;
            self.seconds.observe(clock.now().since(due).as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::Arc;

    use parking_lot::Mutex;
    use prometheus_client::encoding::text::encode;
    use tidegate_actors::ports::clock::{Clock, Sleep, Tick};

    use super::*;

    /// Comes to each sleeper as late as the script says, then to nobody.
    #[derive(Debug)]
    struct LateClock {
        now: Mutex<Tick>,
        late_ms: Mutex<Vec<u64>>,
    }

    impl Clock for LateClock {
        fn now(&self) -> Tick {
            *self.now.lock()
        }

        fn unix_us(&self) -> i64 {
            0
        }

        fn sleep_until(&self, at: Tick) -> Sleep {
            match self.late_ms.lock().pop() {
                Some(late) => {
                    *self.now.lock() = at.plus_ms(late);
                    Box::pin(ready(()))
                }
                None => Box::pin(pending()),
            }
        }
    }

    #[tokio::test]
    async fn each_resumption_is_recorded_by_how_late_it_was() {
        let mut registry = Registry::default();
        let lag = LoopLag::register(&mut registry);
        let clock = LateClock { now: Mutex::default(), late_ms: Mutex::new(vec![0, 15, 70, 3]) };

        let mut watch = Box::pin(lag.watch(Arc::new(clock)));
        assert!(futures_util::poll!(&mut watch).is_pending(), "it goes on measuring until it is dropped");

        let mut text = String::new();
        encode(&mut text, &registry).expect("writing to a String cannot fail");
        let has = |line: &str| assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
        has("tidegate_event_loop_lag_seconds_count 4");
        has("tidegate_event_loop_lag_seconds_bucket{le=\"0.001\"} 1");
        has("tidegate_event_loop_lag_seconds_bucket{le=\"0.005\"} 2");
        has("tidegate_event_loop_lag_seconds_bucket{le=\"0.02\"} 3");
        has("tidegate_event_loop_lag_seconds_bucket{le=\"0.1\"} 4");
    }
}
