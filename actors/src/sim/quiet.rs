//! The balance every test ends with.
//!
//! Owns what being at rest means; must not change anything.

use std::sync::atomic::Ordering;

use super::World;

impl World {
    /// Waits until nothing is going on, and says what still is if that never comes.
    ///
    /// All permits are home, both lanes empty, nothing in the air, every call told exactly once, every request
    /// an upstream saw written down and closed: admitted = answered + refused + abandoned.
    ///
    /// # Panics
    /// When something is left.
    #[expect(clippy::panic, reason = "what is left over fails the test")]
    pub async fn assert_quiet(&self) {
        self.quiet.store(true, Ordering::Relaxed);
        for _ in 0..self.turns() {
            if self.unrest().is_empty() {
                return;
            }
            self.turn().await;
        }
        panic!("the world is not quiet: {}", self.unrest().join("; "));
    }

    fn unrest(&self) -> Vec<String> {
        let mut unrest = Vec::new();
        let mut at_rest = |what: &str, left: usize, expected: usize| {
            if left != expected {
                unrest.push(format!("{what}: {left}, not {expected}"));
            }
        };
        let reading = self.engine.read();
        at_rest("permits out", reading.active_operations, 0);
        at_rest("flights", usize::try_from(reading.flights).unwrap_or(usize::MAX), 0);
        at_rest("orphans", reading.orphans.0, 0);
        at_rest("bytes held by flights", usize::try_from(reading.flight_bytes).unwrap_or(usize::MAX), 0);
        for lane in &reading.lanes {
            at_rest("jobs waiting", lane.depth, 0);
            at_rest("slots out", lane.in_flight, 0);
        }
        at_rest("rows waiting", reading.rows_waiting.0, 0);
        for batcher in &reading.batchers {
            at_rest("rows in a batch", batcher.in_air, 0);
            at_rest("batches", batcher.batches, 0);
        }
        let mut asks = 0;
        for (script, upstream) in self.providers.values() {
            at_rest("provider permits out", upstream.read(self.now()).in_flight, 0);
            at_rest("requests upstream", script.live(), 0);
            asks += script.asks();
        }
        at_rest("places in the books taken and not used", self.books.reserved(), 0);
        at_rest("attempts open", self.books.open_attempts(), 0);
        at_rest("attempts in the books", self.books.attempts().len(), asks);
        let asked = self.asked.load(Ordering::Relaxed);
        let (completed, failed, _) = reading.operations;
        at_rest("calls told or refused a place", self.books.told().len() + self.books.refused(), asked);
        at_rest("answered + refused + abandoned", (completed + failed) as usize, asked);
        at_rest("calls told twice", self.books.told_twice().len(), 0);
        unrest
    }
}
