//! Owns a run as its caller follows it: messages and tokens as they come, then the end. Dropping it leaves the run, which
//! goes on without being heard.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::lang::value::Value;
use crate::run::site::Site;
use crate::run::{For, News, Ran, Refusal, Tell};

/// Bytes of tokens that may wait for a caller who reads slowly. A token more is left out, and its number is missing.
pub(super) const MOST_WAITING: usize = 1 << 20;

/// What is heard of a run.
pub(super) enum Heard {
    News(News),
    /// The run is over. What was not heard before comes with it.
    End(Result<Box<Ran>, Refusal>, Vec<News>),
}

/// A run in progress.
pub(super) struct Course {
    run: Pin<Box<dyn Future<Output = Result<Ran, Refusal>>>>,
    news: Inbox,
    /// Messages of `yield` heard.
    yields: usize,
}

impl Course {
    pub(super) fn begin(site: Arc<Site>, flow: Arc<str>, input: Value, payer: For) -> Self {
        let (tell, news) = Inbox::new();
        Self { run: Box::pin(site.run(flow, input, (tell, payer))), news, yields: 0 }
    }

    /// What comes next; nothing after [`Heard::End`]. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Heard {
        let mut ran = tokio::select! {
            biased; // a run that failed before anything was sent is answered with its status
            ran = &mut self.run => ran.map(Box::new),
            news = self.news.next() => return Heard::News(self.heard(news)),
        };
        let mut rest = Vec::new();
        while let Some(news) = self.news.take() {
            rest.push(self.heard(news));
        }
        if let Ok(ran) = &mut ran {
            let yields = std::mem::take(&mut ran.outcome.yields).into_iter().skip(self.yields);
            rest.extend(yields.map(News::Yielded));
        }
        Heard::End(ran, rest)
    }

    fn heard(&mut self, news: News) -> News {
        self.yields += usize::from(matches!(news, News::Yielded(_)));
        news
    }
}

/// What was told and not read yet: messages, which the limits of a run bound, and tokens, of which so many bytes may wait.
struct Inbox {
    news: UnboundedReceiver<News>,
    waiting: Rc<Cell<usize>>,
}

impl Inbox {
    fn new() -> (Tell, Self) {
        let (sender, news) = unbounded_channel();
        let waiting = Rc::new(Cell::new(0_usize));
        let held = Rc::clone(&waiting);
        let tell = move |news: News| {
            let after = held.get() + bytes(&news);
            let fits = after <= MOST_WAITING || !matches!(news, News::Token(_));
            // A caller that left hears nothing; its run goes on.
            if fits && !matches!(news, News::Answered { .. }) && sender.send(news).is_ok() {
                held.set(after);
            }
        };
        (Rc::new(tell), Self { news, waiting })
    }

    async fn next(&mut self) -> News {
        match self.news.recv().await {
            Some(news) => self.read(news),
            // Whoever tells is the run, and that ends by itself.
            None => std::future::pending().await,
        }
    }

    fn take(&mut self) -> Option<News> {
        let news = self.news.try_recv().ok()?;
        Some(self.read(news))
    }

    fn read(&self, news: News) -> News {
        self.waiting.set(self.waiting.get() - bytes(&news));
        news
    }
}

/// What waiting costs.
fn bytes(news: &News) -> usize {
    match news {
        News::Token(token) => size_of::<News>() + token.output.len(),
        News::Yielded(_) | News::Answered { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Token;

    fn token(sequence: u64) -> News {
        let output = "x".repeat(1_000);
        News::Token(Token { ask: 1, flow: "f".into(), profile: "p".into(), output, sequence })
    }

    fn number(news: News) -> u64 {
        let News::Token(token) = news else { panic!("{news:?}") };
        token.sequence
    }

    /// A caller that read nothing made the server hold every token of every answer of its run.
    #[test]
    fn tokens_a_slow_caller_has_no_room_for_are_left_out_and_later_ones_heard() {
        let (tell, mut inbox) = Inbox::new();
        (1..=2_000).for_each(|number| tell(token(number)));
        let room = MOST_WAITING / bytes(&token(0));
        assert!(inbox.waiting.get() <= MOST_WAITING && room < 2_000);

        let heard: Vec<u64> = std::iter::from_fn(|| inbox.take()).map(number).collect();
        assert_eq!(heard, (1..=room as u64).collect::<Vec<_>>(), "in order, the first of them");
        tell(token(2_001));
        assert_eq!(inbox.take().map(number), Some(2_001), "there is room again");
        assert_eq!(inbox.waiting.get(), 0);
    }
}
