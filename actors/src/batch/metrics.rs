//! What the batchers count, all together: a label per batcher would grow with what callers send.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::batch::RowItem;
use crate::batch::cut::CutReason;
use crate::batch::queue::Cut;

type Counters = Family<Vec<(&'static str, String)>, Counter>;

/// Counters and histograms of batching.
#[derive(Debug, Clone)]
pub(crate) struct BatchMetrics {
    batches: [Counter; CutReason::ALL.len()],
    rows: Counter,
    tokens: Counter,
    joined: Counter,
    poison: Counter,
    divided: Counter,
    abandoned: Counter,
    refused: Counter,
    fill: Histogram,
    wait: Histogram,
}

impl BatchMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let batches = Counters::default();
        let made = Self {
            batches: CutReason::ALL
                .map(|reason| batches.get_or_create(&vec![("cut", reason.name().to_owned())]).clone()),
            rows: Counter::default(),
            tokens: Counter::default(),
            joined: Counter::default(),
            poison: Counter::default(),
            divided: Counter::default(),
            abandoned: Counter::default(),
            refused: Counter::default(),
            fill: Histogram::new(exponential_buckets(1.0, 2.0, 12)),
            wait: Histogram::new(exponential_buckets(0.000_05, 2.5, 16)),
        };
        registry.register(
            "tidegate_batches",
            "Embedding batches, by why they were cut where they were",
            batches,
        );
        made.register_plain(registry);
        made
    }

    fn register_plain(&self, registry: &mut Registry) {
        let counters = [
            ("tidegate_batch_rows", "Embedding rows that travelled in batches", &self.rows),
            ("tidegate_batch_tokens", "Tokens of these rows, counted or estimated", &self.tokens),
            ("tidegate_batch_joined_rows", "Embedding items that shared another item's row", &self.joined),
            ("tidegate_batch_poison_rows", "Embedding rows the upstream rejected alone", &self.poison),
            ("tidegate_batch_divisions", "Rejected batches asked again in parts", &self.divided),
            ("tidegate_batch_abandoned", "Batches in the air every caller had left", &self.abandoned),
            ("tidegate_batch_refused", "Embedding calls refused for want of room", &self.refused),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        registry.register("tidegate_batch_fill_rows", "Rows of a batch", self.fill.clone());
        registry.register(
            "tidegate_batch_wait_seconds",
            "Time a batch's oldest row had waited",
            self.wait.clone(),
        );
    }

    pub(crate) fn cut(&self, cut: &Cut<RowItem>) {
        self.batches[cut.reason as usize].inc();
        self.rows.inc_by(cut.rows.len() as u64);
        self.tokens.inc_by(cut.tokens);
        self.fill.observe(cut.rows.len() as f64);
        self.wait.observe(cut.waited.as_secs_f64());
    }

    pub(crate) fn joined(&self, items: usize) {
        self.joined.inc_by(items as u64);
    }

    pub(crate) fn poisoned(&self) {
        self.poison.inc();
    }

    pub(crate) fn divided(&self) {
        self.divided.inc();
    }

    pub(crate) fn abandoned(&self) {
        self.abandoned.inc();
    }

    pub(crate) fn refused(&self) {
        self.refused.inc();
    }
}
