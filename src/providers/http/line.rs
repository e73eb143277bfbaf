//! One plain HTTP/1.1 connection, moved on by whoever waits for an answer on it.
//!
//! Owns the socket and what was read of it. It has no task of its own: an exchange then costs no message between tasks
//! and wakes nobody but its caller. What the bytes mean is in `wire.rs` and `framing.rs`; must not know how connections are chosen.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use hyper::Method;
use tidegate_actors::ports::clock::Tick;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;

use super::framing::{Chunk, Framing, Next};
use super::wire::{self, Head, Nonsense};

/// Room for one read: a small answer whole, and more while answers fill it.
const ROOM: usize = 8 << 10;
const MOST_ROOM: usize = 64 << 10;
/// Less room than this is not worth a read.
const LEAST_ROOM: usize = 1 << 10;

/// A connection that can carry one exchange after the other.
pub(super) struct Line {
    socket: TcpStream,
    read: BytesMut,
    room: usize,
    /// What is left of the answer on it.
    framing: Framing,
    /// Another request may follow on it.
    keeps: bool,
    /// It has carried an exchange, so the upstream may have closed it meanwhile.
    pub(super) used: bool,
    /// Since when nobody uses it.
    pub(super) idle_since: Tick,
}

/// Why there is no answer, or no more of it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error(transparent)]
    Socket(#[from] io::Error),
    #[error("the connection was closed before the answer was whole")]
    Closed,
    #[error(transparent)]
    Nonsense(#[from] Nonsense),
}

/// Why a request has no answer.
pub(super) struct Failed {
    pub(super) why: Broken,
    /// Nothing of the request was sent: it can be sent elsewhere.
    pub(super) unsent: bool,
}

/// A request on its way out.
struct Going<'a> {
    head: &'a [u8],
    body: &'a [u8],
    sent: usize,
}

impl Line {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            read: BytesMut::new(),
            room: ROOM,
            framing: Framing::Length(0),
            keeps: true,
            used: false,
            idle_since: Tick::default(),
        }
    }

    /// Sends a request and waits for the head of its answer. Dropping the future leaves a line that must be dropped.
    ///
    /// # Errors
    /// [`Failed`], which says if anything was sent.
    pub(super) async fn send(&mut self, method: &Method, head: &[u8], body: &[u8]) -> Result<Head, Failed> {
        let mut going = Going { head, body, sent: 0 };
        self.used = true;
        let answer = poll_fn(|cx| self.poll_answer(cx, &mut going, *method == Method::HEAD)).await;
        answer.map_err(|why| Failed { why, unsent: going.sent == 0 })
    }

    fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        going: &mut Going<'_>,
        asked_for_head: bool,
    ) -> Poll<Result<Head, Broken>> {
        let cut_short = match going.poll_write(&mut self.socket, cx) {
            Poll::Ready(Err(error)) if going.sent == 0 => return Poll::Ready(Err(error.into())),
            Poll::Ready(Err(_)) => true,
            Poll::Ready(Ok(())) | Poll::Pending => false,
        };
        loop {
            if let Some(head) = wire::read_head(&mut self.read, asked_for_head)? {
                // An answer before the request was whole leaves the two ends out of step.
                self.keeps = head.keeps && going.is_sent();
                self.framing = head.framing;
                return Poll::Ready(Ok(head));
            }
            match self.poll_read(cx)? {
                Poll::Ready(1..) => {}
                // An upstream that stopped reading may say why; there is nothing to wait for.
                Poll::Pending if !cut_short => return Poll::Pending,
                Poll::Ready(0) | Poll::Pending => return Poll::Ready(Err(Broken::Closed)),
            }
        }
    }

    /// The next piece of the answer's body; `None` behind the last.
    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        loop {
            match self.framing.next(&mut self.read) {
                Ok(Next::Data(piece)) => return Poll::Ready(Some(Ok(piece))),
                Ok(Next::End) => return Poll::Ready(None),
                Ok(Next::More) => {}
                Err(nonsense) => return Poll::Ready(Some(Err(nonsense.into()))),
            }
            match ready!(self.poll_read(cx)) {
                Ok(1..) => {}
                Ok(0) if self.framing.may_end() => {
                    self.keeps = false;
                    return Poll::Ready(None);
                }
                Ok(0) => return Poll::Ready(Some(Err(Broken::Closed))),
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }

    /// Bytes of the body that certainly follow.
    pub(super) fn left(&self) -> u64 {
        self.framing.left()
    }

    /// Reads once; 0 at the end of the connection.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.read.capacity() - self.read.len() < LEAST_ROOM {
            self.read.reserve(self.room);
        }
        let room = self.read.capacity() - self.read.len();
        let read = ready!(pin!(self.socket.read_buf(&mut self.read)).poll(cx))?;
        if read == room {
            self.room = (self.room * 2).min(MOST_ROOM);
        }
        Poll::Ready(Ok(read))
    }

    /// True if another request can follow. Takes notice of what came while nobody used it, such as its end.
    pub(super) fn is_free(&mut self) -> bool {
        let over = matches!(self.framing, Framing::Length(0) | Framing::Chunked(Chunk::Over));
        let free = over && self.keeps && self.read.is_empty();
        free && self.poll_read(&mut Context::from_waker(Waker::noop())).is_pending()
    }
}

impl Going<'_> {
    fn is_sent(&self) -> bool {
        self.sent == self.head.len() + self.body.len()
    }

    fn poll_write(&mut self, socket: &mut TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.is_sent() {
            let head = self.head.get(self.sent..).unwrap_or_default();
            let body = &self.body[self.sent.saturating_sub(self.head.len())..];
            let both = [IoSlice::new(head), IoSlice::new(body)];
            match ready!(Pin::new(&mut *socket).poll_write_vectored(cx, &both))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.sent += sent,
            }
        }
        Poll::Ready(Ok(()))
    }
}
