//! Pins what the actix version in `Cargo.lock` really does where the engine leans on it.
//!
//! Every test here is a fact that `actors/` was designed around, not a wish: when an upgrade turns one red, the part of
//! the engine named in its comment has to be looked at again. No engine code is used here and none may be added.
//!
//! Determinism: every actor of a test lives on the test's own thread, so nothing runs between two `.await`s, and tasks
//! that are ready run in the order in which they were spawned or woken. Panics are raised with [`die`], which takes the
//! normal unwinding path and prints nothing.
#![expect(clippy::disallowed_methods, reason = "the subject of these tests is actix's own sends")]

use std::cell::{Cell, RefCell};
use std::future::{Future as _, poll_fn};
use std::panic::resume_unwind;
use std::process::Command;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::{Context as TaskContext, Poll, Waker};
use std::thread::{self, ThreadId};

use actix::prelude::*;
use tokio::sync::mpsc;

/// The mailbox capacity actix gives an actor that asks for none.
const CAPACITY: usize = 16;

/// Panics without the message on stderr that a panic hook would print.
fn die() -> ! {
    resume_unwind(Box::new("planned"))
}

/// Counts what it handles in a cell that the test reads.
struct Counter(Rc<Cell<usize>>);

impl Actor for Counter {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct Tick;

impl Handler<Tick> for Counter {
    type Result = ();

    fn handle(&mut self, _: Tick, _: &mut Context<Self>) {
        self.0.set(self.0.get() + 1);
    }
}

/// What `read` returns once every task that is ready now has been polled once more.
async fn after_one_turn<T: 'static>(read: impl FnOnce() -> T + 'static) -> T {
    actix_rt::spawn(async move { read() }).await.expect("reading a cell does not panic")
}

mod capacity {
    //! Why `JobQueue` bounds a lane and the actix mailbox does not.

    use super::*;

    #[actix_rt::test]
    async fn try_send_refuses_the_message_after_the_capacity_on_one_addr() {
        let addr = Counter(Rc::default()).start();
        for sent in 0..CAPACITY {
            assert!(addr.try_send(Tick).is_ok(), "message {sent} fits into {CAPACITY}");
        }
        assert!(matches!(addr.try_send(Tick), Err(SendError::Full(Tick))));
    }

    #[actix_rt::test]
    async fn try_send_through_fresh_clones_has_no_bound() {
        let handled = Rc::new(Cell::new(0));
        let addr = Counter(handled.clone()).start();
        for sent in 0..100 * CAPACITY {
            assert!(addr.clone().try_send(Tick).is_ok(), "clone {sent} gets a place of its own");
        }
        let seen = after_one_turn(move || handled.get()).await;
        assert_eq!(seen, 100 * CAPACITY);
    }

    #[actix_rt::test]
    async fn do_send_ignores_the_capacity() {
        let handled = Rc::new(Cell::new(0));
        let addr = Counter(handled.clone()).start();
        for _ in 0..100 * CAPACITY {
            addr.do_send(Tick);
        }
        let seen = after_one_turn(move || handled.get()).await;
        assert_eq!(seen, 100 * CAPACITY);
    }

    /// `send` on a full mailbox does not wait for room: the first poll of its future enqueues through a fresh clone.
    #[actix_rt::test]
    async fn send_enqueues_into_a_full_mailbox() {
        let handled = Rc::new(Cell::new(0));
        let addr = Counter(handled.clone()).start();
        let mut requests: Vec<_> = (0..100 * CAPACITY).map(|_| Box::pin(addr.send(Tick))).collect();
        let mut cx = TaskContext::from_waker(Waker::noop());
        for request in &mut requests {
            assert!(request.as_mut().poll(&mut cx).is_pending(), "the actor has not run yet");
        }
        let seen = after_one_turn(move || handled.get()).await;
        assert_eq!(seen, 100 * CAPACITY);
    }
}

mod polling {
    //! Why handlers are O(1), why a lane hands work to tasks, and why nothing calls `ctx.spawn` per request.

    use super::*;

    /// Sends itself a message from every message, `left` times.
    struct Chain {
        bystander_ran: Rc<Cell<bool>>,
        ran_at_the_end: Rc<Cell<Option<bool>>>,
    }

    impl Actor for Chain {
        type Context = Context<Self>;
    }

    #[derive(Message)]
    #[rtype(result = "()")]
    struct Link {
        left: usize,
    }

    impl Handler<Link> for Chain {
        type Result = ();

        fn handle(&mut self, link: Link, ctx: &mut Context<Self>) {
            match link.left {
                0 => self.ran_at_the_end.set(Some(self.bystander_ran.get())),
                left => ctx.address().do_send(Link { left: left - 1 }),
            }
        }
    }

    /// 100,000 messages in a row, each sent by the one before, are handled before a task that was ready all along.
    #[actix_rt::test]
    async fn a_mailbox_that_refills_itself_starves_its_thread() {
        let bystander_ran = Rc::new(Cell::new(false));
        let ran_at_the_end = Rc::new(Cell::new(None));
        let chain =
            Chain { bystander_ran: bystander_ran.clone(), ran_at_the_end: ran_at_the_end.clone() }.start();
        chain.do_send(Link { left: 100_000 });

        actix_rt::spawn(async move { bystander_ran.set(true) }).await.expect("setting a cell does not panic");

        assert_eq!(
            ran_at_the_end.get(),
            Some(false),
            "the whole chain ran first, and the bystander had to wait"
        );
    }

    /// Spawns futures that are never ready and count how often they are asked.
    struct Crowd {
        polls: Rc<RefCell<Vec<usize>>>,
    }

    impl Actor for Crowd {
        type Context = Context<Self>;

        fn started(&mut self, ctx: &mut Context<Self>) {
            for index in 0..self.polls.borrow().len() {
                let polls = self.polls.clone();
                let never = poll_fn(move |_| {
                    polls.borrow_mut()[index] += 1;
                    Poll::<()>::Pending
                });
                ctx.spawn(never.into_actor(self));
            }
        }
    }

    impl Handler<Tick> for Crowd {
        type Result = ();

        fn handle(&mut self, _: Tick, _: &mut Context<Self>) {}
    }

    #[actix_rt::test]
    async fn every_spawned_future_is_polled_when_the_actor_wakes_for_something_else() {
        let polls = Rc::new(RefCell::new(vec![0_usize; 1_000]));
        let crowd = Crowd { polls: polls.clone() }.start();
        crowd.send(Tick).await.expect("the crowd lives");
        let before = polls.borrow().clone();

        crowd.send(Tick).await.expect("the crowd lives");

        let more = polls.borrow().iter().zip(&before).filter(|(now, before)| now > before).count();
        assert_eq!(more, 1_000, "one message that concerns none of them polled each of them again");
    }
}

mod supervisor {
    //! Why `supervise/` restarts with a factory and a generation, and owns the queue of the lanes it restarts.

    use super::*;

    #[derive(Default, Clone)]
    struct Seen {
        starts: Rc<Cell<usize>>,
        restarts: Rc<Cell<usize>>,
        stopped_while_panicking: Rc<Cell<bool>>,
    }

    /// Stops itself in `started` until it has been started `stop_until` times.
    struct Ward {
        seen: Seen,
        stop_until: usize,
        value: usize,
    }

    impl Ward {
        fn start(seen: &Seen, stop_until: usize) -> Addr<Self> {
            let seen = seen.clone();
            Supervisor::start(move |_| Self { seen, stop_until, value: 0 })
        }
    }

    impl Actor for Ward {
        type Context = Context<Self>;

        fn started(&mut self, ctx: &mut Context<Self>) {
            self.seen.starts.set(self.seen.starts.get() + 1);
            if self.seen.starts.get() < self.stop_until {
                ctx.stop();
            }
        }

        fn stopped(&mut self, _: &mut Context<Self>) {
            self.seen.stopped_while_panicking.set(thread::panicking());
        }
    }

    impl Supervised for Ward {
        fn restarting(&mut self, _: &mut Context<Self>) {
            self.seen.restarts.set(self.seen.restarts.get() + 1);
        }
    }

    /// Adds to the ward's value and returns it.
    #[derive(Message)]
    #[rtype(result = "usize")]
    struct Add(usize);

    impl Handler<Add> for Ward {
        type Result = usize;

        fn handle(&mut self, Add(more): Add, _: &mut Context<Self>) -> usize {
            self.value += more;
            self.value
        }
    }

    #[derive(Message)]
    #[rtype(result = "()")]
    struct Stop;

    impl Handler<Stop> for Ward {
        type Result = ();

        fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
            ctx.stop();
        }
    }

    #[derive(Message)]
    #[rtype(result = "()")]
    struct Boom;

    impl Handler<Boom> for Ward {
        type Result = ();

        fn handle(&mut self, _: Boom, _: &mut Context<Self>) {
            die();
        }
    }

    #[actix_rt::test]
    async fn after_a_panic_there_is_no_restart_and_the_mailbox_is_lost() {
        let seen = Seen::default();
        let ward = Ward::start(&seen, 1);
        let other = ward.clone();
        let boom = ward.send(Boom);
        let queued_behind = ward.send(Add(1));

        assert_eq!(boom.await, Err(MailboxError::Closed));
        assert_eq!(queued_behind.await, Err(MailboxError::Closed), "a message already queued is dropped");
        assert_eq!(seen.restarts.get(), 0);
        assert!(!ward.connected() && !other.connected(), "every Addr is dead");
        assert_eq!(other.send(Add(1)).await, Err(MailboxError::Closed));
    }

    /// `stopped` runs inside the unwinding: a panic there would be the second one, which aborts (see `unwinding`).
    #[actix_rt::test]
    async fn after_a_panic_stopped_is_called_while_the_thread_unwinds() {
        let seen = Seen::default();
        assert_eq!(Ward::start(&seen, 1).send(Boom).await, Err(MailboxError::Closed));
        assert!(seen.stopped_while_panicking.get());
    }

    #[actix_rt::test]
    async fn a_restart_after_stop_keeps_the_same_value_and_the_mailbox() {
        let seen = Seen::default();
        let ward = Ward::start(&seen, 1);
        let before = ward.send(Add(7));
        ward.do_send(Stop);
        let queued_behind = ward.send(Add(1));

        assert_eq!(before.await, Ok(7));
        assert_eq!(queued_behind.await, Ok(8), "the restarted actor still holds what the old one held");
        assert_eq!((seen.starts.get(), seen.restarts.get()), (2, 1));
    }

    /// A thousand restarts happen in one poll: there is no pause, not even a turn for other tasks.
    #[actix_rt::test]
    async fn restarts_follow_each_other_without_backoff() {
        let seen = Seen::default();
        let _ward = Ward::start(&seen, 1_000);
        let starts = seen.starts.clone();
        assert_eq!(after_one_turn(move || starts.get()).await, 1_000);
        assert_eq!(seen.restarts.get(), 999);
    }
}

mod sync_arbiter {
    //! Why blocking work does not go through `SyncArbiter`.

    use super::*;

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
        let (one, other) =
            (pool.addr.send(WhoAreYou(Some(meet.clone()))), pool.addr.send(WhoAreYou(Some(meet))));
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
}

mod unwinding {
    //! Why `panic = "unwind"` is set and why no `Drop`, `stopping` or `stopped` of the engine may panic.

    use super::*;

    const CHILD: &str = "TIDEGATE_ACTIX_SEMANTICS_CHILD";
    const SURVIVED: &str = "the process survived";

    /// Panics in its handler and, if `twice`, once more in its destructor.
    struct Fragile {
        twice: bool,
    }

    impl Actor for Fragile {
        type Context = Context<Self>;
    }

    impl Drop for Fragile {
        fn drop(&mut self) {
            if self.twice {
                die();
            }
        }
    }

    impl Handler<Tick> for Fragile {
        type Result = ();

        fn handle(&mut self, _: Tick, _: &mut Context<Self>) {
            die();
        }
    }

    /// Runs this test again in a process of its own, where it takes the branch marked by [`CHILD`].
    fn run_child(test: &str, twice: bool) -> std::process::Output {
        Command::new(std::env::current_exe().expect("the test binary has a path"))
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(CHILD, if twice { "twice" } else { "once" })
            .output()
            .expect("the test binary starts")
    }

    fn child(mode: &str) {
        System::new().block_on(async {
            let lost = Fragile { twice: mode == "twice" }.start().send(Tick).await;
            assert_eq!(lost, Err(MailboxError::Closed));
        });
        eprintln!("{SURVIVED}");
    }

    #[test]
    fn a_second_panic_while_unwinding_ends_the_process() {
        use std::os::unix::process::ExitStatusExt;

        if let Ok(mode) = std::env::var(CHILD) {
            return child(&mode);
        }
        let name = "unwinding::a_second_panic_while_unwinding_ends_the_process";

        let once = run_child(name, false);
        assert!(once.status.success(), "one panic is contained: {once:?}");
        assert!(String::from_utf8_lossy(&once.stderr).contains(SURVIVED), "{once:?}");

        let twice = run_child(name, true);
        assert_eq!(twice.status.signal(), Some(6), "SIGABRT, not an exit code: {twice:?}");
        assert!(!String::from_utf8_lossy(&twice.stderr).contains(SURVIVED), "{twice:?}");
    }
}
