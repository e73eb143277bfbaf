//! The plain HTTP/1.1 connections to one upstream that one thread has opened.
//!
//! Owns which connection a request takes, when it is sent again on another, and when an unused one is closed. Must
//! not know what is asked.

use std::error::Error;
use std::sync::{Arc, Weak};
use std::time::Duration;

use hyper::Uri;
use hyper_rustls::MaybeHttpsStream;
use parking_lot::Mutex;
use tidegate_actors::ports::clock::{ClockRef, Tick};
use tokio::runtime::Handle;
use tower_service::Service;

use super::Outgoing;
use super::connect::Connector;
use super::line::{Broken, Line};
use super::wire::{Head, finish_head};

/// How often unused connections are looked at for their end.
const SWEEP: Duration = Duration::from_secs(5);

/// The connections nobody uses, and how to open another.
pub(super) struct Lines {
    connector: Connector,
    to: Uri,
    clock: ClockRef,
    keep_alive: Duration,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// The longest unused first.
    #[expect(clippy::vec_box, reason = "a line is handed on as a pointer, never moved")]
    lines: Vec<Box<Line>>,
    /// A task closes them in time.
    swept: bool,
}

/// Why there is no head of an answer.
pub(super) enum Unanswered {
    Connect(Box<dyn Error + Send + Sync>),
    Exchange(Broken),
}

/// A line in use, and where it belongs.
pub(super) struct Taken {
    pub(super) line: Box<Line>,
    home: Arc<Lines>,
}

impl Taken {
    /// The exchange is over: the line may carry the next one.
    pub(super) fn give_back(mut self, now: Tick) {
        if self.line.is_free() {
            self.line.idle_since = now;
            self.home.keep(self.line);
        }
    }
}

impl Lines {
    pub(super) fn new(connector: Connector, to: Uri, clock: ClockRef, keep_alive: Duration) -> Arc<Self> {
        Arc::new(Self { connector, to, clock, keep_alive, idle: Mutex::default() })
    }

    /// Sends `request`, on a line that is free or on a new one. If a line had ended before anything was sent, the
    /// next one is taken.
    ///
    /// # Errors
    /// No connection, or no HTTP on it.
    pub(super) async fn exchange(
        self: Arc<Self>,
        request: Outgoing<'_>,
        now: Tick,
    ) -> Result<(Head, Taken), Unanswered> {
        let Outgoing { template, credential, body } = request;
        let head = finish_head(&template.begun, &template.method, credential, body.len());
        loop {
            let mut line = match self.free(now) {
                Some(line) => line,
                None => self.open().await?,
            };
            let was_used = line.used;
            match line.send(&template.method, &head, &body).await {
                Ok(answer) => return Ok((answer, Taken { line, home: self })),
                Err(failed) if failed.unsent && was_used => {}
                Err(failed) => return Err(Unanswered::Exchange(failed.why)),
            }
        }
    }

    /// The line that was used last: the others can grow old. One that has ended meanwhile is passed over.
    fn free(&self, now: Tick) -> Option<Box<Line>> {
        let mut idle = self.idle.lock();
        while let Some(mut line) = idle.lines.pop() {
            if now.since(line.idle_since) >= self.keep_alive {
                let old = std::mem::take(&mut idle.lines);
                drop(idle);
                drop((line, old)); // outside the lock: each closes a connection
                return None;
            }
            if line.is_free() {
                return Some(line);
            }
        }
        None
    }

    async fn open(&self) -> Result<Box<Line>, Unanswered> {
        // Boxed: a request on a line that is free need not carry the state of one being opened.
        Box::pin(async {
            match self.connector.clone().call(self.to.clone()).await.map_err(Unanswered::Connect)? {
                MaybeHttpsStream::Http(plain) => Ok(Box::new(Line::new(plain.into_inner()))),
                MaybeHttpsStream::Https(_) => Err(Unanswered::Connect("TLS where none was asked for".into())),
            }
        })
        .await
    }

    fn keep(self: &Arc<Self>, line: Box<Line>) {
        let mut idle = self.idle.lock();
        if !idle.swept {
            // Without a runtime nothing could be sent on it either.
            let Ok(runtime) = Handle::try_current() else { return };
            idle.swept = true;
            drop(runtime.spawn(sweep(Arc::downgrade(self))));
        }
        idle.lines.push(line);
    }

    /// Closes what is too old or has ended. False if nothing is left to look at.
    fn weed(&self) -> bool {
        let now = self.clock.now();
        let mut idle = self.idle.lock();
        let old = idle
            .lines
            .extract_if(.., |line| now.since(line.idle_since) >= self.keep_alive || !line.is_free());
        let old: Vec<_> = old.collect();
        idle.swept = !idle.lines.is_empty();
        let left = idle.swept;
        drop(idle);
        drop(old); // outside the lock, as above
        left
    }
}

/// Closes unused connections in time, until none is left.
async fn sweep(lines: Weak<Lines>) {
    loop {
        let Some(pause) = lines.upgrade().map(|lines| {
            let at = lines.clock.now().plus(SWEEP.min(lines.keep_alive));
            lines.clock.sleep_until(at)
        }) else {
            return;
        };
        pause.await;
        if !lines.upgrade().is_some_and(|lines| lines.weed()) {
            return;
        }
    }
}
