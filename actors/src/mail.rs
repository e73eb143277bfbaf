//! The only file that sends to an actor's address, and how replies come back.
//!
//! Owns bounded, non-blocking sends; must not know any message.
//!
//! Every message in any mailbox is covered by an admission permit, a doorbell bit or a lane slot, so a
//! mailbox cannot outgrow what configuration allows.

use std::fmt;

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message};
use parking_lot::RwLock;
use tokio::sync::oneshot;

/// Where the current generation of an actor can be reached, if there is one.
pub(crate) struct Door<A: Actor>(RwLock<Option<Addr<A>>>);

impl<A: Actor> Default for Door<A> {
    fn default() -> Self {
        Self(RwLock::new(None))
    }
}

impl<A: Actor> fmt::Debug for Door<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("open", &self.0.read().is_some()).finish()
    }
}

impl<A: Actor> Door<A> {
    /// A new generation moved in.
    pub(crate) fn open(&self, addr: Addr<A>) {
        let old = self.0.write().replace(addr);
        drop(old);
    }

    /// Nobody lives here for now.
    pub(crate) fn shut(&self) {
        let old = self.0.write().take();
        drop(old);
    }

    /// Puts a message into the mailbox without waiting.
    ///
    /// # Errors
    /// Gives the message back when nobody lives here, the actor is dead or its mailbox is full.
    #[expect(clippy::disallowed_methods, reason = "the one place that sends")]
    pub(crate) fn tell<M>(&self, message: M) -> Result<(), M>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        match &*self.0.read() {
            Some(addr) => addr.try_send(message).map_err(actix::prelude::SendError::into_inner),
            None => Err(message),
        }
    }
}

/// Who waits for the answer to a message. Dropping it unanswered tells them so.
#[derive(Debug)]
pub(crate) struct ReplyTo<T>(oneshot::Sender<T>);

/// The waiting end of a [`ReplyTo`].
pub(crate) type Reply<T> = oneshot::Receiver<T>;

/// A pair: one end travels in the message, the other is awaited.
pub(crate) fn reply<T>() -> (ReplyTo<T>, Reply<T>) {
    let (to, from) = oneshot::channel();
    (ReplyTo(to), from)
}

impl<T> ReplyTo<T> {
    /// Answers; a value nobody waits for any more is dropped.
    pub(crate) fn answer(self, value: T) {
        drop(self.0.send(value));
    }
}
