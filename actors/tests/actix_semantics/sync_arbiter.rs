//! Why blocking work does not go through `SyncArbiter`.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::{self, ThreadId};

use actix::prelude::*;
use tokio::sync::mpsc;

use super::{CAPACITY, die};

thread_local! {
    /// Its destructor runs when the worker thread is really gone.
    static LAST_WORDS: RefCell<Option<LastWords>> = const { RefCell::new(None) };
}

struct LastWords(mpsc::UnboundedSender<ThreadId>);

impl Drop for LastWords {
    fn drop(&mut self) {
        // The test may already have ended and dropped the receiver.
        let _ = self.0.send(thread::current().id());
    }
}

struct Worker {
    exits: mpsc::UnboundedSender<ThreadId>,
}

impl Actor for Worker {
    type Context = SyncContext<Self>;

    fn started(&mut self, _: &mut SyncContext<Self>) {
        LAST_WORDS.set(Some(LastWords(self.exits.clone())));
    }
}

/// Asks which thread answers, after meeting the others at the barrier if there is one.
struct WhoAreYou(Option<Arc<Barrier>>);

impl Message for WhoAreYou {
    type Result = ThreadIdReply;
}

#[derive(MessageResponse, Debug, PartialEq, Eq)]
struct ThreadIdReply(ThreadId);

impl Handler<WhoAreYou> for Worker {
    type Result = ThreadIdReply;

    fn handle(&mut self, WhoAreYou(barrier): WhoAreYou, _: &mut SyncContext<Self>) -> ThreadIdReply {
        if let Some(barrier) = barrier {
            barrier.wait();
        }
        ThreadIdReply(thread::current().id())
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Boom;

impl Handler<Boom> for Worker {
    type Result = ();

    fn handle(&mut self, _: Boom, _: &mut SyncContext<Self>) {
        die();
    }
}

struct Pool {
    addr: Addr<Worker>,
    made: Arc<AtomicUsize>,
    exits: mpsc::UnboundedReceiver<ThreadId>,
}

fn pool(threads: usize) -> Pool {
    let made = Arc::new(AtomicUsize::new(0));
    let (tell, exits) = mpsc::unbounded_channel();
    let count = made.clone();
    let addr = SyncArbiter::start(threads, move || {
        count.fetch_add(1, Ordering::SeqCst);
        Worker { exits: tell.clone() }
    });
    Pool { addr, made, exits }
}

#[actix_rt::test]
async fn a_panic_costs_the_pool_a_thread_for_good() {
    let mut pool = pool(2);
    let meet = Arc::new(Barrier::new(2));
    let (one, other) = (pool.addr.send(WhoAreYou(Some(meet.clone()))), pool.addr.send(WhoAreYou(Some(meet))));
    let both = [one.await.expect("two threads met"), other.await.expect("two threads met")];
    assert_ne!(both[0], both[1]);

    assert_eq!(pool.addr.send(Boom).await, Err(MailboxError::Closed));
    let gone = pool.exits.recv().await.expect("a worker thread ended");

    assert!(both.contains(&ThreadIdReply(gone)));
    assert_eq!(pool.made.load(Ordering::SeqCst), 2, "nobody was made in its place");
    for _ in 0..64 {
        let answer = pool.addr.send(WhoAreYou(None)).await.expect("one thread is left");
        assert!(answer != ThreadIdReply(gone) && both.contains(&answer));
    }
}

/// The last panic leaves an Addr that still says it is connected; the next message kills the arbiter's own task.
#[actix_rt::test]
async fn a_pool_without_threads_still_looks_connected() {
    let mut pool = pool(1);
    assert_eq!(pool.addr.send(Boom).await, Err(MailboxError::Closed));
    pool.exits.recv().await.expect("the only worker thread ended");

    assert!(pool.addr.connected());
    assert_eq!(pool.addr.send(WhoAreYou(None)).await, Err(MailboxError::Closed));
    assert!(!pool.addr.connected());
}

#[actix_rt::test]
async fn the_pools_queue_has_no_bound() {
    let pool = pool(1);
    let gate = Arc::new(Barrier::new(2));
    let held = pool.addr.send(WhoAreYou(Some(gate.clone())));
    for sent in 0..1_000 * CAPACITY {
        assert!(pool.addr.try_send(WhoAreYou(None)).is_ok(), "message {sent} behind a busy worker");
    }
    let opened = thread::spawn(move || gate.wait());
    held.await.expect("the worker passed the gate");
    opened.join().expect("the gate opened");
}
