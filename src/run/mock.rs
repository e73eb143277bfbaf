//! Owns the mock of `.ai` programs as a provider: it says what the language says the mock answers, at once or after a
//! set delay. Must not know how a call was queued, cached or counted.

use std::sync::Arc;

use bytes::Bytes;
use tidegate_actors::ports::clock::ClockRef;
use tidegate_actors::ports::provider::{
    Answer, Fault, FaultKind, Finish, Order, Provider, ProviderFuture, Task,
};

use super::speech;

/// Answers asks from their own words.
#[derive(Debug)]
pub struct Mock {
    clock: ClockRef,
    delay_ms: u64,
}

impl Mock {
    /// One that takes `delay_ms` milliseconds for each answer.
    #[must_use]
    pub fn new(clock: ClockRef, delay_ms: u64) -> Self {
        Self { clock, delay_ms }
    }
}

impl Provider for Mock {
    fn ask(&self, order: Order) -> ProviderFuture<Result<Answer, Fault>> {
        let clock = Arc::clone(&self.clock);
        let until = clock.now().plus_ms(self.delay_ms);
        let delayed = self.delay_ms > 0;
        Box::pin(async move {
            if delayed {
                clock.sleep_until(until).await;
            }
            let Task::Generate { document, .. } = &order.task else {
                let what = "the mock of programs answers questions only";
                return Err(Fault::new(FaultKind::Rejected { status: 400 }, what));
            };
            let text = speech::mocked(document.raw(), &order.model).ok_or_else(|| {
                Fault::broken(None, "the question is not of the form programs ask in".to_owned())
            })?;
            let finish = Finish { complete: true, ..Finish::default() };
            Ok(Answer::Whole { body: Bytes::from(text), finish })
        })
    }
}
