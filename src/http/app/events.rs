//! Owns how a run is answered: as one JSON body, or as server-sent events where it yields or the caller asked for them.

use std::collections::VecDeque;
use std::time::Duration;

use actix_web::HttpResponse;
use bytes::Bytes;
use futures_util::stream::unfold;
use tidegate_actors::ports::clock::{ClockRef, Sleep};

use super::course::{Course, News};
use crate::http::budget::ByteShare;
use crate::http::reply::respond;
use crate::lang::machine::{Outcome, Yielded};
use crate::lang::value::{JsonStyle, Value};
use crate::run::payload::yielded;
use crate::run::routing::Reply;
use crate::run::site::not_run;
use crate::run::{Ran, Refusal};

/// Silence after which a comment shows that the connection lives, and finds out if it does not.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// How the end of a run is answered.
pub(super) trait Shape: Fn(&Outcome) -> Reply + 'static {}
impl<F: Fn(&Outcome) -> Reply + 'static> Shape for F {}

/// Follows the run to its end, or to its first message.
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
        News::Message(message) => {
            let first = VecDeque::from([event("yield", &yielded(&message))]);
            streamed(Stream { course: Some(course), ready: first, shape, clock, sleep: None, _share: share })
        }
        News::End(ran, heard) => {
            let (reply, rest) = end(ran, heard, &shape);
            if reply.status != 200 || (rest.is_empty() && !wants_events) {
                return respond(&reply);
            }
            let ready = rest.iter().map(|message| event("yield", &yielded(message)));
            let ready = ready.chain([event("return", &reply.body)]).collect();
            streamed(Stream { course: None, ready, shape, clock, sleep: None, _share: share })
        }
    }
}

/// The answer to a run that is over, and the messages nobody heard yet.
fn end(ran: Result<Box<Ran>, Refusal>, heard: usize, shape: &impl Shape) -> (Reply, Vec<Yielded>) {
    match ran {
        Ok(mut ran) => {
            let yields = std::mem::take(&mut ran.outcome.yields);
            (shape(&ran.outcome).of(&ran.told), yields.into_iter().skip(heard).collect())
        }
        Err(refusal) => (not_run(refusal), Vec::new()),
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
            News::Message(message) => Some(event("yield", &yielded(&message))),
            News::End(ran, heard) => {
                self.course = None;
                let (reply, rest) = end(ran, heard, &self.shape);
                let last = if reply.status == 200 { "return" } else { "error" };
                self.ready.extend(rest.iter().map(|message| event("yield", &yielded(message))));
                self.ready.push_back(event(last, &reply.body));
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
        .streaming(Box::pin(events))
}

/// One event; JSON as it is written here has no line ends.
fn event(name: &str, data: &Value) -> Bytes {
    format!("event: {name}\ndata: {}\n\n", data.to_json(JsonStyle::Canonical)).into()
}
