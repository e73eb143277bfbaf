//! Owns how a run is answered: as one JSON body, or as server-sent events where it yields, streams what a model says, or
//! the caller asked for them.

use std::collections::VecDeque;
use std::time::Duration;

use actix_web::HttpResponse;
use bytes::Bytes;
use futures_util::stream::unfold;
use tidegate_actors::ports::clock::{ClockRef, Sleep};

use super::course::{Course, Heard};
use crate::http::budget::ByteShare;
use crate::http::reply::respond;
use crate::lang::machine::Outcome;
use crate::lang::value::{JsonStyle, Value};
use crate::run::payload::{token, yielded};
use crate::run::routing::Reply;
use crate::run::site::not_run;
use crate::run::{News, Ran, Refusal};

/// Silence after which a comment shows that the connection lives, and finds out if it does not.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// How the end of a run is answered.
pub(super) trait Shape: Fn(&Outcome) -> Reply + 'static {}
impl<F: Fn(&Outcome) -> Reply + 'static> Shape for F {}

/// Follows the run to its end, or to its first message or token.
///
/// A run that fails before it first waits is answered with its status, whatever it yielded: nothing was sent by then.
pub(super) async fn answer(
    mut course: Course,
    wants_events: bool,
    shape: impl Shape,
    clock: ClockRef,
    share: ByteShare,
) -> HttpResponse {
    match course.next().await {
        Heard::News(news) => {
            let ready = VecDeque::from([told(&news)]);
            streamed(Stream { course: Some(course), ready, shape, clock, sleep: None, _share: share })
        }
        Heard::End(ran, rest) => {
            let reply = end(ran, &shape);
            let streams = rest.iter().any(|news| matches!(news, News::Token(_)));
            if !streams && (reply.status != 200 || (rest.is_empty() && !wants_events)) {
                return respond(&reply);
            }
            let ready = rest.iter().map(told).chain([last(&reply)]).collect();
            streamed(Stream { course: None, ready, shape, clock, sleep: None, _share: share })
        }
    }
}

/// The answer to a run that is over.
fn end(ran: Result<Box<Ran>, Refusal>, shape: &impl Shape) -> Reply {
    match ran {
        Ok(ran) => shape(&ran.outcome).of(&ran.told),
        Err(refusal) => not_run(refusal),
    }
}

struct Stream<S> {
    course: Option<Course>,
    ready: VecDeque<Bytes>,
    shape: S,
    clock: ClockRef,
    sleep: Option<Sleep>,
    /// Held until the last event is sent.
    _share: ByteShare,
}

impl<S: Shape> Stream<S> {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(event) = self.ready.pop_front() {
            return Some(event);
        }
        let course = self.course.as_mut()?;
        let sleep =
            self.sleep.get_or_insert_with(|| self.clock.sleep_until(self.clock.now().plus(KEEP_ALIVE)));
        let news = tokio::select! {
            biased;
            news = course.next() => news,
            () = sleep => {
                self.sleep = None;
                return Some(Bytes::from_static(b": ka\n\n"));
            }
        };
        self.sleep = None;
        match news {
            Heard::News(news) => Some(told(&news)),
            Heard::End(ran, rest) => {
                self.course = None;
                let reply = end(ran, &self.shape);
                self.ready.extend(rest.iter().map(told).chain([last(&reply)]));
                self.ready.pop_front()
            }
        }
    }
}

fn streamed<S: Shape>(stream: Stream<S>) -> HttpResponse {
    let events = unfold(stream, |mut stream| async move {
        let event = stream.next().await?;
        Some((Ok::<_, actix_web::Error>(event), stream))
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("cache-control", "no-cache"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(Box::pin(events))
}

/// What happened, as an event. The end of an ask is none: its last token was, or the next event says what became of it.
fn told(news: &News) -> Bytes {
    match news {
        News::Yielded(message) => event("yield", &yielded(message)),
        News::Token(part) => event("token", &token(part)),
        News::Answered { .. } => Bytes::new(),
    }
}

fn last(reply: &Reply) -> Bytes {
    event(if reply.status == 200 { "return" } else { "error" }, &reply.body)
}

/// One event; JSON as it is written here has no line ends.
fn event(name: &str, data: &Value) -> Bytes {
    format!("event: {name}\ndata: {}\n\n", data.to_json(JsonStyle::Canonical)).into()
}
