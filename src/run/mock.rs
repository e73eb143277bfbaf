//! Owns the mock of `.ai` programs as a provider: it says what the language says the mock answers, at once or after a
//! set delay, in one piece or word by word. Must not know how a call was queued, cached or counted.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{iter, once};
use tidegate_actors::Form;
use tidegate_actors::ports::clock::{ClockRef, Tick};
use tidegate_actors::ports::provider::{
    Answer, Events, Fault, FaultKind, Finish, Order, Piece, Provider, ProviderFuture, Task,
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
        let pace = Pace { clock: Arc::clone(&self.clock), began: self.clock.now(), delay_ms: self.delay_ms };
        Box::pin(async move {
            let Task::Generate { document, form, .. } = &order.task else {
                let what = "the mock of programs answers questions only";
                return Err(Fault::new(FaultKind::Rejected { status: 400 }, what));
            };
            let text = speech::mocked(document.raw(), &order.model).ok_or_else(|| {
                Fault::broken(None, "the question is not of the form programs ask in".to_owned())
            })?;
            if *form == Form::Stream {
                return Ok(Answer::Events(pace.events(speech::words(&text))));
            }
            pace.until(1, 1).await;
            Ok(Answer::Whole { body: Bytes::from(text), finish: FINISH })
        })
    }
}

const FINISH: Finish = Finish { complete: true, cut: false, usage: None };

/// How fast an answer comes.
#[derive(Clone)]
struct Pace {
    clock: ClockRef,
    began: Tick,
    delay_ms: u64,
}

impl Pace {
    /// Waits for part `number` of `parts`; the last comes when a whole answer would.
    async fn until(&self, number: usize, parts: usize) {
        if self.delay_ms > 0 {
            let part_ms = self.delay_ms.saturating_mul(number as u64) / parts as u64;
            self.clock.sleep_until(self.began.plus_ms(part_ms)).await;
        }
    }

    fn events(self, words: Vec<Bytes>) -> Events {
        let parts = words.len();
        let words = iter(words.into_iter().enumerate()).then(move |(at, word)| {
            let pace = self.clone();
            async move {
                pace.until(at + 1, parts).await;
                Ok(Piece::Data(word))
            }
        });
        Box::pin(words.chain(once(async { Ok(Piece::End(FINISH)) })))
    }
}
