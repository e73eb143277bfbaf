//! The append-only event log of a flight: pieces, cursors, the end. Pure but for the wakers it hands out.

use std::collections::VecDeque;
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use prometheus_client::metrics::gauge::Gauge;
use slab::Slab;

use super::{Ending, Origin, Shape, Step};
use crate::error::CallError;

#[derive(Debug, Default)]
struct Seat {
    /// Index of the next piece, counted from the first ever told.
    at: usize,
    waker: Option<Waker>,
}

#[derive(Debug)]
pub(super) struct Log {
    origin: Option<Origin>,
    pieces: VecDeque<Bytes>,
    /// Pieces freed at the front; zero unless the answer outgrew its limit.
    freed: usize,
    freed_bytes: usize,
    held: usize,
    /// Bytes held by all flights together; this log's share is `held`.
    gauge: Gauge,
    max_bytes: usize,
    outgrown: bool,
    cancelled: bool,
    end: Option<Result<Ending, CallError>>,
    seats: Slab<Seat>,
    grace: Duration,
}

impl Log {
    pub(super) fn new(max_bytes: usize, grace: Duration, gauge: Gauge) -> Self {
        Self {
            origin: None,
            pieces: VecDeque::new(),
            freed: 0,
            freed_bytes: 0,
            held: 0,
            gauge,
            max_bytes,
            outgrown: false,
            cancelled: false,
            end: None,
            seats: Slab::new(),
            grace,
        }
    }

    /// The first follower's seat.
    pub(super) fn sit(&mut self) -> usize {
        self.seats.insert(Seat::default())
    }

    pub(super) fn join(&mut self, grace: Duration) -> Option<usize> {
        let over = self.outgrown || self.cancelled || matches!(self.end, Some(Err(_)));
        if over {
            return None;
        }
        self.grace = self.grace.max(grace);
        Some(self.sit())
    }

    /// True if nobody follows any more.
    pub(super) fn leave(&mut self, seat: usize) -> bool {
        self.seats.remove(seat);
        self.free_prefix();
        self.seats.is_empty()
    }

    pub(super) fn begin(&mut self, origin: Origin) -> Vec<Waker> {
        self.origin = Some(origin);
        self.wakers()
    }

    pub(super) fn push(&mut self, piece: Bytes) -> Vec<Waker> {
        if self.end.is_some() || self.cancelled {
            return Vec::new();
        }
        self.hold(piece.len());
        self.pieces.push_back(piece);
        if self.held > self.max_bytes {
            self.outgrown = true;
        }
        self.free_prefix();
        self.wakers()
    }

    /// True while the writer is further ahead of its slowest follower than the limit allows.
    pub(super) fn must_wait(&self) -> bool {
        self.outgrown && self.held > self.max_bytes && !self.seats.is_empty() && self.end.is_none()
    }

    pub(super) fn recorded(&self) -> Option<(Origin, Vec<Bytes>)> {
        if self.outgrown || self.cancelled {
            return None;
        }
        self.origin.clone().map(|origin| (origin, self.pieces.iter().cloned().collect()))
    }

    pub(super) fn told(&self) -> (Option<Shape>, Vec<Bytes>, usize) {
        let shape = self.origin.as_ref().map(|origin| origin.shape.clone());
        (shape, self.pieces.iter().cloned().collect(), self.freed_bytes)
    }

    pub(super) fn close(&mut self, end: Result<Ending, CallError>) -> Vec<Waker> {
        self.end.get_or_insert(end);
        self.wakers()
    }

    /// `Some(grace)` while nobody follows.
    pub(super) fn empty_for(&self) -> Option<Duration> {
        self.seats.is_empty().then_some(self.grace)
    }

    pub(super) fn cancel_if_empty(&mut self) -> bool {
        let empty = self.seats.is_empty();
        self.cancelled |= empty;
        empty
    }

    fn hold(&mut self, bytes: usize) {
        self.held += bytes;
        self.gauge.inc_by(bytes as i64);
    }

    fn release(&mut self, bytes: usize) {
        self.held -= bytes;
        self.gauge.dec_by(bytes as i64);
    }

    /// The next step of a seat, and whether reading it made room for the writer.
    pub(super) fn poll(&mut self, seat: usize, waker: &Waker) -> (Poll<Step>, bool) {
        let at = self.seats[seat].at;
        if let Some(piece) = self.pieces.get(at - self.freed) {
            let piece = piece.clone();
            self.seats[seat].at += 1;
            let freed = self.free_prefix();
            return (Poll::Ready(Step::Piece(piece)), freed);
        }
        let step = match &self.end {
            Some(end) => Poll::Ready(Step::End(end.clone())),
            None => self.wait(seat, waker),
        };
        (step, false)
    }

    pub(super) fn poll_origin(&mut self, seat: usize, waker: &Waker) -> Poll<Result<Origin, CallError>> {
        if let Some(Err(error)) = &self.end
            && self.pieces.is_empty()
        {
            return Poll::Ready(Err(error.clone()));
        }
        match &self.origin {
            Some(origin) => Poll::Ready(Ok(origin.clone())),
            None => self.wait(seat, waker),
        }
    }

    fn wait<T>(&mut self, seat: usize, waker: &Waker) -> Poll<T> {
        match &mut self.seats[seat].waker {
            Some(old) => old.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        Poll::Pending
    }

    fn wakers(&mut self) -> Vec<Waker> {
        self.seats.iter_mut().filter_map(|(_, seat)| seat.waker.take()).collect()
    }

    /// Drops what every follower has read, once the answer may not be joined any more.
    fn free_prefix(&mut self) -> bool {
        if !self.outgrown {
            return false;
        }
        let slowest =
            self.seats.iter().map(|(_, seat)| seat.at).min().unwrap_or(self.freed + self.pieces.len());
        let before = self.freed;
        while self.freed < slowest {
            let Some(piece) = self.pieces.pop_front() else { break };
            self.release(piece.len());
            self.freed_bytes += piece.len();
            self.freed += 1;
        }
        self.freed > before
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.release(self.held);
    }
}
