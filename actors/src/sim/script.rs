//! A provider that follows a script and remembers what it was asked.
//!
//! Owns which play meets which request; what a play says is made in `text.rs`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use futures_util::stream;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::play::{Play, Turn};
use super::text;
use crate::call::{CallId, Form};
use crate::json::Document;
use crate::ports::clock::{ClockRef, Tick};
use crate::ports::provider::{
    Answer, Events, Fault, FaultKind, Order, Piece, Provider, ProviderFuture, Task,
};

/// A request as the provider saw it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The call it served.
    pub call: CallId,
    /// The model's name at the provider.
    pub model: Arc<str>,
    /// The last message, the items, or the body.
    pub text: String,
    /// Form wanted; a body's where there is no choice.
    pub form: Form,
    /// Items to embed; 0 for other work.
    pub items: usize,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// When.
    pub at: Tick,
}

#[derive(Default)]
struct State {
    always: Play,
    next: VecDeque<Play>,
    by_text: HashMap<String, Play>,
    asked: Vec<Asked>,
    live: usize,
    left: usize,
    released: u64,
}

struct Stage {
    state: Mutex<State>,
    changed: Notify,
    clock: ClockRef,
}

/// A scripted provider. Clones share it.
#[derive(Clone)]
pub struct Script(Arc<Stage>);

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Script").field("asks", &self.asks()).finish_non_exhaustive()
    }
}

impl Script {
    /// A provider that answers everything at once.
    pub fn new(clock: ClockRef) -> Self {
        Self(Arc::new(Stage { state: Mutex::default(), changed: Notify::new(), clock }))
    }

    /// Plays this whenever nothing else is said.
    pub fn always(&self, play: Play) -> &Self {
        self.0.state.lock().always = play;
        self
    }

    /// Plays this once, after what was lined up before.
    pub fn next(&self, play: Play) -> &Self {
        self.0.state.lock().next.push_back(play);
        self
    }

    /// Plays this for the next `times` requests.
    pub fn next_times(&self, times: usize, play: &Play) -> &Self {
        self.0.state.lock().next.extend(std::iter::repeat_n(play, times).cloned());
        self
    }

    /// Plays this whenever a request is about `text`: its last message, or one of its items.
    pub fn on(&self, text: &str, play: Play) -> &Self {
        self.0.state.lock().by_text.insert(text.to_owned(), play);
        self
    }

    /// Lets go whatever hangs or holds now.
    pub fn release(&self) {
        self.0.state.lock().released += 1;
        self.0.changed.notify_waiters();
    }

    /// Requests so far.
    pub fn asks(&self) -> usize {
        self.0.state.lock().asked.len()
    }

    /// Every request so far, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.0.state.lock().asked.clone()
    }

    /// Requests being worked on.
    pub fn live(&self) -> usize {
        self.0.state.lock().live
    }

    /// Requests that were cancelled before their answer was complete.
    pub fn left(&self) -> usize {
        self.0.state.lock().left
    }

    /// Ready once there were `asks` requests.
    pub async fn asked_times(&self, asks: usize) {
        self.until(|state| state.asked.len() >= asks).await;
    }

    /// Ready once `left` requests were cancelled.
    pub async fn left_times(&self, left: usize) {
        self.until(|state| state.left >= left).await;
    }

    async fn until(&self, done: impl Fn(&State) -> bool) {
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if done(&self.0.state.lock()) {
                return;
            }
            changed.await;
        }
    }

    async fn released(&self) {
        let before = self.0.state.lock().released;
        self.until(|state| state.released > before).await;
    }

    async fn pause(&self, ms: u64) {
        if ms > 0 {
            self.0.clock.sleep_until(self.0.clock.now().plus_ms(ms)).await;
        }
    }

    fn meet(&self, order: &Order) -> (Play, Work) {
        let subject = text::subject(&order.task);
        let asked = self.seen(order, &subject);
        let mut state = self.0.state.lock();
        let about = |text: &String| match &order.task {
            Task::Embed { items, .. } => {
                items.iter().any(|item| *item.json == *crate::json::quote(text).as_bytes())
            }
            _ => *text == subject,
        };
        let named = state.by_text.iter().find(|(text, _)| about(text)).map(|(_, play)| play.clone());
        let play = named.or_else(|| state.next.pop_front()).unwrap_or_else(|| state.always.clone());
        state.asked.push(asked);
        state.live += 1;
        drop(state);
        self.0.changed.notify_waiters();
        (play, Work { script: self.clone(), done: false })
    }

    fn seen(&self, order: &Order, subject: &str) -> Asked {
        let (form, items) = match &order.task {
            Task::Generate { form, .. } => (*form, 0),
            Task::Embed { items, .. } => (Form::Whole, items.len()),
            Task::Forward(_) => (Form::Whole, 0),
        };
        Asked {
            call: order.call,
            model: Arc::clone(&order.model),
            text: subject.to_owned(),
            form,
            items,
            attempt: order.attempt,
            at: self.0.clock.now(),
        }
    }

    #[expect(clippy::panic, reason = "a provider that panics is what the script says")]
    async fn act(self, order: Order) -> Result<Answer, Fault> {
        let (play, mut work) = self.meet(&order);
        self.pause(play.after_ms).await;
        match &play.turn {
            Turn::Answer => {}
            Turn::Hang => self.released().await,
            Turn::Panic => panic!("scripted panic of a provider"),
            Turn::Fail(fault) => {
                work.done = true;
                return Err(fault.clone());
            }
        }
        Ok(self.answer(order, play, work))
    }

    fn answer(self, order: Order, play: Play, mut work: Work) -> Answer {
        let finish = text::finish(&play);
        match order.task {
            Task::Generate { document, form: Form::Stream, .. } => {
                Answer::Events(self.events(order.model, document, play, work))
            }
            Task::Generate { document, form: Form::Whole, .. } => {
                work.done = true;
                Answer::Whole { body: text::body(&order.model, &document), finish }
            }
            Task::Embed { items, .. } => {
                work.done = true;
                let mut rows = text::rows(&order.model, &items);
                rows.usage = rows.usage.filter(|_| !play.uncounted);
                if let Some(bend) = play.bend {
                    bend(&mut rows);
                }
                Answer::Rows(rows)
            }
            Task::Forward(forward) => {
                work.done = true;
                let body = stream::iter([Ok(Piece::Data(forward.body)), Ok(Piece::End(finish))]);
                let fields = vec![("content-type".into(), "application/json".into())];
                Answer::Passed { status: 200, fields, body: Box::pin(body) }
            }
        }
    }

    fn events(self, model: Arc<str>, document: Arc<Document>, play: Play, work: Work) -> Events {
        let show = Show { script: self, model, document, play, work, at: 0, over: false };
        Box::pin(stream::unfold(show, Show::step))
    }
}

impl Provider for Script {
    fn ask(&self, order: Order) -> ProviderFuture<Result<Answer, Fault>> {
        Box::pin(self.clone().act(order))
    }
}

/// One request being worked on. Dropped before it is done, it was cancelled.
struct Work {
    script: Script,
    done: bool,
}

impl Drop for Work {
    fn drop(&mut self) {
        {
            let mut state = self.script.0.state.lock();
            state.live -= 1;
            state.left += usize::from(!self.done);
        }
        self.script.0.changed.notify_waiters();
    }
}

/// A stream on its way.
struct Show {
    script: Script,
    model: Arc<str>,
    document: Arc<Document>,
    play: Play,
    work: Work,
    at: usize,
    over: bool,
}

impl Show {
    async fn step(mut self) -> Option<(Result<Piece, Fault>, Self)> {
        let stream = self.play.stream;
        if self.over {
            return None;
        }
        if self.at > 0 {
            self.script.pause(stream.every_ms).await;
        }
        if stream.hold_after == Some(self.at) {
            self.script.released().await;
        }
        let piece = match stream.fail_after {
            _ if stream.cut_after == Some(self.at) => {
                self.work.done = true;
                return None;
            }
            Some((after, kind)) if after == self.at => Err(Fault::new(kind, "scripted fault in a stream")),
            _ if self.at < stream.events => {
                Ok(Piece::Data(text::event(&self.model, &self.document, self.at)))
            }
            _ => Ok(Piece::End(text::finish(&self.play))),
        };
        self.over = !matches!(piece, Ok(Piece::Data(_)));
        self.work.done |= self.over;
        self.at += 1;
        Some((piece, self))
    }
}

impl Script {
    /// A fault kind for scripts: the upstream's 503.
    pub const BROKEN: FaultKind = FaultKind::Broken { status: Some(503) };
    /// A fault kind for scripts: the upstream's 429.
    pub const BUSY: FaultKind = FaultKind::Busy { status: 429 };
    /// A fault kind for scripts: the upstream's 400.
    pub const REJECTED: FaultKind = FaultKind::Rejected { status: 400 };
}
