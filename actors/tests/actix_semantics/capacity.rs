//! Why `JobQueue` bounds a lane and the actix mailbox does not.

use std::cell::Cell;
use std::future::Future as _;
use std::rc::Rc;
use std::task::{Context as TaskContext, Waker};

use actix::prelude::*;

use super::{CAPACITY, Counter, Tick, after_one_turn};

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
