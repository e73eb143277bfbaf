//! The body of an answer: pieces as they arrive, under the limits of its exchange.
//!
//! Owns size and time limits while reading; of the bytes it only knows that secrets are masked in them.

use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body as _, Incoming};
use tidegate_actors::ports::provider::{Fault, FaultKind};

use super::innermost;
use super::lines::Taken;
use super::patience::Watch;
use crate::providers::secrets::Veil;

/// Where a body comes from.
pub(super) enum Source {
    /// hyper's client.
    Any(Incoming),
    /// A line of our own, given back behind the last piece.
    Line(Taken),
    /// It was whole.
    Over,
}

/// Reads one body. Dropping it stops the exchange.
pub(crate) struct Body {
    source: Source,
    watch: Watch,
    veil: Veil,
    max_bytes: usize,
    read: usize,
}

impl Source {
    /// The next piece, which may be empty; `None` behind the last.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Box<dyn Error>>>> {
        match self {
            Self::Line(taken) => taken.line.poll_piece(cx).map_err(Into::into),
            Self::Any(incoming) => {
                let frame = std::task::ready!(Pin::new(incoming).poll_frame(cx));
                Poll::Ready(frame.map(|frame| Ok(frame?.into_data().unwrap_or_default())))
            }
            Self::Over => Poll::Ready(None),
        }
    }
}

impl Body {
    /// A body of any size.
    pub(super) fn new(source: Source, watch: Watch, veil: Veil) -> Self {
        Self { source, watch, veil, max_bytes: usize::MAX, read: 0 }
    }

    /// Of at most so many bytes.
    pub(super) fn bounded(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }

    /// The next piece, as soon as it is there; `None` after the last.
    ///
    /// # Errors
    /// [`FaultKind::Cut`] when the connection ends before the body does, a timeout, or a body
    /// beyond the limit. Nothing follows a fault.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        loop {
            match self.source.poll_data(cx) {
                Poll::Pending => return self.watch.poll_expired(cx).map(|fault| Some(Err(fault))),
                Poll::Ready(None) => {
                    if let Source::Line(taken) = std::mem::replace(&mut self.source, Source::Over) {
                        taken.give_back(self.watch.last_heard());
                    }
                    let rest = self.veil.rest();
                    return Poll::Ready((!rest.is_empty()).then_some(Ok(rest)));
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(self.cut(&*error)))),
                Poll::Ready(Some(Ok(piece))) if piece.is_empty() => {}
                Poll::Ready(Some(Ok(piece))) => {
                    let seen = self.count(piece).map(|piece| self.veil.pass(piece));
                    if !seen.as_ref().is_ok_and(Bytes::is_empty) {
                        return Poll::Ready(Some(seen));
                    }
                }
            }
        }
    }

    /// The whole body.
    ///
    /// # Errors
    /// As [`Body::poll_piece`], but a body that breaks off is [`FaultKind::Broken`]: nobody saw its start.
    pub(crate) async fn whole(self) -> Result<Bytes, Fault> {
        let limit = self.max_bytes;
        let (read, beyond) = self.up_to(limit).await.map_err(unseen)?;
        if beyond {
            return Err(too_large(limit));
        }
        Ok(read)
    }

    /// Without the limit on its size: for a body that is handed on piece by piece and never held.
    pub(crate) fn unlimited(self) -> Self {
        self.bounded(usize::MAX)
    }

    /// At most `limit` bytes, and whether there was more.
    ///
    /// # Errors
    /// As [`Body::poll_piece`].
    pub(crate) async fn up_to(mut self, limit: usize) -> Result<(Bytes, bool), Fault> {
        self.max_bytes = usize::MAX;
        let Some(first) = self.next().await else { return Ok((Bytes::new(), false)) };
        let first = first?;
        if first.len() > limit {
            return Ok((first.slice(..limit), true));
        }
        let Some(second) = self.next().await else { return Ok((first, false)) };
        let mut whole = BytesMut::with_capacity(self.expected(limit, first.len()));
        whole.extend_from_slice(&first);
        let mut next = Some(second);
        while let Some(piece) = next {
            let piece = piece?;
            let room = limit - whole.len();
            if piece.len() > room {
                whole.extend_from_slice(&piece[..room]);
                return Ok((whole.freeze(), true));
            }
            whole.extend_from_slice(&piece);
            next = self.next().await;
        }
        Ok((whole.freeze(), false))
    }

    /// Reads what is left, so that the connection can be used again; the caller has what it wanted.
    /// A body that goes on is given up with its connection.
    pub(crate) fn drain_in_background(mut self) {
        const FURTHER: usize = 64 << 10;
        if let Poll::Ready(None) = self.poll_piece(&mut Context::from_waker(Waker::noop())) {
            return;
        }
        self.max_bytes = self.read.saturating_add(FURTHER);
        self.watch.hurry();
        tokio::spawn(async move { while let Some(Ok(_)) = self.next().await {} });
    }

    async fn next(&mut self) -> Option<Result<Bytes, Fault>> {
        poll_fn(|cx| self.poll_piece(cx)).await
    }

    /// Room to take at once: what the upstream announced, as far as it is believable.
    fn expected(&self, limit: usize, already: usize) -> usize {
        const BELIEVED: usize = 1 << 20;
        let announced = match &self.source {
            Source::Any(incoming) => incoming.size_hint().lower(),
            Source::Line(taken) => taken.line.left(),
            Source::Over => 0,
        };
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        announced.saturating_add(already).clamp(4096, BELIEVED).min(limit.max(already))
    }

    fn count(&mut self, piece: Bytes) -> Result<Bytes, Fault> {
        self.watch.heard();
        self.read = self.read.saturating_add(piece.len());
        if self.read > self.max_bytes { Err(too_large(self.max_bytes)) } else { Ok(piece) }
    }

    fn cut(&self, error: &(dyn Error + 'static)) -> Fault {
        let text = format!("the answer broke off after {} bytes: {}", self.read, innermost(error));
        Fault::new(FaultKind::Cut, text)
    }
}

fn unseen(fault: Fault) -> Fault {
    if fault.kind == FaultKind::Cut { Fault::broken(None, fault.what) } else { fault }
}

fn too_large(limit: usize) -> Fault {
    Fault::new(FaultKind::Unusable, format!("the answer is larger than {limit} bytes (max_answer_bytes)"))
}
