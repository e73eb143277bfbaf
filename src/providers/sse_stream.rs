//! A streamed answer as whole events, each given as soon as its last byte is here.
//!
//! Owns the way from body pieces to [`Piece`]s and the end of a stream; what an event means is the
//! vendor's [`Reader`] to say. Nothing is held back: an upstream that waits after an event is heard.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use tidegate_actors::ports::provider::{Fault, FaultKind, Finish, Piece};

use super::http::Body;
use crate::dialect::sse::{Frame, SseLimits, SseParser};

/// What a vendor's events mean.
pub(super) trait Reader: Send + Unpin + 'static {
    /// Looks at one event that carries data.
    ///
    /// # Errors
    /// What the event says went wrong.
    fn read(&mut self, frame: &Frame, data: &Bytes) -> Result<Seen, Fault>;

    /// The connection was closed in good order before the vendor's last event: how the answer ended
    /// if it had said enough, `None` if it was cut.
    fn closed(&self) -> Option<Finish>;
}

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Tell it.
    Tell,
    /// Tell it; it is the last.
    Last(Finish),
    /// Only says that all was told.
    Done(Finish),
}

/// The events of one answer.
pub(super) struct SseStream<R> {
    body: Option<Body>,
    parser: Option<SseParser>,
    reader: R,
    ready: VecDeque<Result<Piece, Fault>>,
    ended: bool,
}

impl<R: Reader> SseStream<R> {
    pub(super) fn new(body: Body, max_line_bytes: usize, reader: R) -> Self {
        let limits = SseLimits { max_line_bytes, max_frame_bytes: max_line_bytes.saturating_mul(2) };
        let parser = Some(SseParser::new(limits));
        Self { body: Some(body), parser, reader, ready: VecDeque::new(), ended: false }
    }

    /// Takes the next whole event out of what has arrived; false if there is none.
    fn advance(&mut self) -> bool {
        match self.parser.as_mut().map(SseParser::next_frame) {
            Some(Ok(Some(frame))) => {
                self.take(&frame);
                true
            }
            Some(Err(fault)) => {
                self.end(Err(Fault::new(FaultKind::Unusable, fault.to_string())));
                true
            }
            Some(Ok(None)) | None => false,
        }
    }

    fn take(&mut self, frame: &Frame) {
        // A frame without data is a keep-alive of this connection: nothing of the answer.
        let Some(data) = frame.data() else { return };
        match self.reader.read(frame, data) {
            Ok(Seen::Tell) => self.ready.push_back(Ok(Piece::Data(frame.raw.clone()))),
            Ok(Seen::Last(finish)) => {
                self.ready.push_back(Ok(Piece::Data(frame.raw.clone())));
                self.end(Ok(Piece::End(finish)));
            }
            Ok(Seen::Done(finish)) => self.end(Ok(Piece::End(finish))),
            Err(fault) => self.end(Err(fault)),
        }
    }

    /// The connection was closed in good order.
    fn close(&mut self) {
        if let Some(rest) = self.parser.take().and_then(SseParser::finish) {
            self.take(&rest);
        }
        if self.ended {
            return;
        }
        self.end(match self.reader.closed() {
            Some(finish) => Ok(Piece::End(finish)),
            None => Err(Fault::new(FaultKind::Cut, "the stream was closed before its last event")),
        });
    }

    fn end(&mut self, last: Result<Piece, Fault>) {
        // After its last event an upstream only has to close the body; the connection can then be
        // used again, but nobody should wait for that.
        if let Some(body) = self.body.take().filter(|_| last.is_ok()) {
            body.drain_in_background();
        }
        self.parser = None;
        self.ready.push_back(last);
        self.ended = true;
    }
}

impl<R: Reader> Stream for SseStream<R> {
    type Item = Result<Piece, Fault>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(piece) = this.ready.pop_front() {
                return Poll::Ready(Some(piece));
            }
            if this.ended {
                return Poll::Ready(None);
            }
            if this.advance() {
                continue;
            }
            let Some(body) = &mut this.body else { return Poll::Ready(None) };
            match std::task::ready!(body.poll_piece(cx)) {
                Some(Ok(bytes)) => this.parser.iter_mut().for_each(|parser| parser.push(&bytes)),
                Some(Err(fault)) => this.end(Err(fault)),
                None => this.close(),
            }
        }
    }
}
