//! Why handlers are O(1), why a lane hands work to tasks, and why nothing calls `ctx.spawn` per request.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use actix::prelude::*;

use super::Tick;

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

    assert_eq!(ran_at_the_end.get(), Some(false), "the whole chain ran first, and the bystander had to wait");
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
