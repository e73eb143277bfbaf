//! An answer as it comes: events out as they arrive, a comment when the upstream is silent, an error event when it
//! breaks, never a silent end.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::web::Bytes;
use futures_util::Stream;
use tidegate_actors::ports::clock::{ClockRef, Sleep};
use tidegate_actors::{CallId, Step, Telling};

use super::budget::ByteShare;
use super::error::{DoorError, Shape};
use super::keeping::Copying;
use super::vendor::Vendor;
use crate::identity::Turn;

/// Silence after which a comment shows that the connection lives, and finds out if it does not.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Which caller a stream is shaped for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader {
    pub(crate) vendor: Vendor,
    pub(crate) include_usage: bool,
    pub(crate) call: CallId,
}

/// The body of a streamed answer.
pub(crate) struct EventBody {
    telling: Telling,
    reader: Reader,
    clock: ClockRef,
    keep_alive: Sleep,
    ended: bool,
    /// Held until the last event is sent.
    held: Held,
}

/// What a call holds until its answer has ended: bytes of its request, its turn under the limits it has, and what is kept of it.
pub(crate) type Held = (ByteShare, Option<Turn>, Copying);

impl EventBody {
    pub(crate) fn new(telling: Telling, reader: Reader, clock: ClockRef, held: Held) -> Self {
        let keep_alive = clock.sleep_until(clock.now().plus(KEEP_ALIVE));
        Self { telling, reader, clock, keep_alive, ended: false, held }
    }

    fn rest(&mut self) {
        self.keep_alive = self.clock.sleep_until(self.clock.now().plus(KEEP_ALIVE));
    }

    /// What ends the stream: the vendor's word, or the error that broke it.
    fn end(&mut self, end: Result<(), DoorError>) -> Option<Bytes> {
        self.ended = true;
        match end {
            Ok(()) => self.reader.vendor.end_of_stream(),
            Err(error) => {
                error.log(self.reader.call);
                let shape = match self.reader.vendor {
                    Vendor::OpenAi => Shape::OpenAi,
                    Vendor::Anthropic => Shape::Anthropic,
                };
                Some(self.reader.vendor.error_event(&error.body(shape, self.reader.call)))
            }
        }
    }
}

impl Stream for EventBody {
    type Item = Result<Bytes, actix_web::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        while !this.ended {
            match this.telling.poll_step(cx) {
                Poll::Ready(Step::Piece(piece)) => {
                    this.rest();
                    if let Some(piece) = this.reader.vendor.shape(piece, this.reader.include_usage) {
                        this.held.2.add(&piece);
                        return Poll::Ready(Some(Ok(piece)));
                    }
                }
                Poll::Ready(Step::End(end)) => {
                    let last = this.end(end.map(|_| ()).map_err(DoorError::from));
                    last.iter().for_each(|last| this.held.2.add(last));
                    return Poll::Ready(last.map(Ok));
                }
                Poll::Pending => {
                    std::task::ready!(this.keep_alive.as_mut().poll(cx));
                    this.rest();
                    return Poll::Ready(Some(Ok(Bytes::from_static(b": ka\n\n"))));
                }
            }
        }
        Poll::Ready(None)
    }
}
