//! One plain HTTP/1.1 connection, driven by whoever waits for an answer on it.
//!
//! Owns the two halves hyper gives of a connection. It has no task of its own: an exchange then costs no message
//! between tasks and wakes nobody but its caller. Must not know how connections are chosen or kept.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use parking_lot::Mutex;
use tidegate_actors::ports::clock::Tick;

use super::Outgoing;
use super::connect::Stream;

/// How often in a row the connection may ask to be looked at again before others get their turn.
const ROUNDS: usize = 4;

/// A connection that can carry one exchange after the other.
pub(super) struct Line {
    sender: SendRequest<Full<Bytes>>,
    /// `None` once the connection has ended.
    driver: Option<Connection<Stream, Full<Bytes>>>,
    ear: Arc<Ear>,
    /// The same ear, as hyper sees it.
    waker: Waker,
    /// It has carried an exchange, so the upstream may have closed it meanwhile.
    pub(super) used: bool,
    /// Since when nobody uses it.
    pub(super) idle_since: Tick,
}

/// Why a request has no answer, and the request if nothing of it was sent.
pub(super) struct Unsent {
    pub(super) error: hyper::Error,
    pub(super) request: Option<Outgoing>,
}

impl Line {
    /// # Errors
    /// As hyper has it; nothing is sent yet.
    pub(super) async fn open(stream: Stream) -> hyper::Result<Box<Self>> {
        let (sender, driver) = http1::handshake(stream).await?;
        let ear = Arc::new(Ear { state: AtomicU8::new(AWAY), task: Mutex::new(None) });
        let waker = Waker::from(Arc::clone(&ear));
        let driver = Some(driver);
        Ok(Box::new(Self { sender, driver, ear, waker, used: false, idle_since: Tick::default() }))
    }

    /// Sends `request` and waits for the head of its answer. Dropping the future leaves a line that must be dropped.
    ///
    /// # Errors
    /// [`Unsent`], with the request if the connection had ended before.
    pub(super) async fn send(&mut self, request: Outgoing) -> Result<Response<Incoming>, Box<Unsent>> {
        let mut answer = pin!(self.sender.try_send_request(*request));
        let answer = std::future::poll_fn(|cx| self.drive(cx, |cx| answer.as_mut().poll(cx))).await;
        self.used = true;
        answer.map_err(|mut failed| {
            let request = failed.take_message().map(Box::new);
            Box::new(Unsent { error: failed.into_error(), request })
        })
    }

    /// Polls what is `wanted` from the connection, and moves the connection on as far as that takes.
    pub(super) fn drive<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut wanted: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.ear.attach(cx.waker());
        let waker = self.waker.clone();
        let mut inner = Context::from_waker(&waker);
        for _ in 0..ROUNDS {
            self.ear.enter();
            let mut polled = wanted(&mut inner);
            if polled.is_pending() {
                self.advance(&mut inner);
                polled = wanted(&mut inner);
            }
            let again = self.ear.leave();
            if polled.is_ready() || !again {
                return polled;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// True if another request can be sent; looks once whether the connection still stands.
    pub(super) fn is_free(&mut self) -> bool {
        self.ear.detach();
        if !self.sender.is_ready() {
            self.look();
        }
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Takes notice of what came while nobody used it, such as its end. False if it cannot be used any more.
    pub(super) fn look(&mut self) -> bool {
        let waker = self.waker.clone();
        self.advance(&mut Context::from_waker(&waker));
        self.driver.is_some()
    }

    fn advance(&mut self, cx: &mut Context<'_>) {
        if let Some(driver) = &mut self.driver
            && Pin::new(driver).poll(cx).is_ready()
        {
            // Its errors have reached the exchange; dropping it gives back a request it did not send.
            self.driver = None;
        }
    }
}

/// Nobody is driving: a call wakes the task.
const AWAY: u8 = 0;
/// The line is being driven: a call is heard when that ends.
const DRIVING: u8 = 1;
/// It was called while driven.
const CALLED: u8 = 2;

/// Who is woken when something happens on the connection. It stays the same for as long as the connection lives,
/// so that changing hands registers nothing anew.
struct Ear {
    state: AtomicU8,
    task: Mutex<Option<Waker>>,
}

impl Ear {
    fn attach(&self, waker: &Waker) {
        let mut task = self.task.lock();
        if !task.as_ref().is_some_and(|old| old.will_wake(waker)) {
            *task = Some(waker.clone());
        }
    }

    fn detach(&self) {
        let task = self.task.lock().take();
        drop(task); // outside the lock: it may be the last hold on a task
    }

    fn enter(&self) {
        self.state.store(DRIVING, Ordering::Release);
    }

    /// True if it was called since [`Ear::enter`].
    fn leave(&self) -> bool {
        self.state.swap(AWAY, Ordering::AcqRel) == CALLED
    }
}

impl Wake for Ear {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let called = self.state.compare_exchange(DRIVING, CALLED, Ordering::AcqRel, Ordering::Acquire);
        if let Err(AWAY) = called {
            let task = self.task.lock().take();
            if let Some(task) = task {
                task.wake();
            }
        }
    }
}
