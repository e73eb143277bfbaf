//! The property behind every embedding answer: whatever happens in whatever order, each text gets its own
//! vector. A world of calls, batches and an upstream that shuffles its answers is driven step by step.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};

use crate::batch::assemble::{by_index, scatter, split_invoice};
use crate::batch::bisect::{Bisect, Said, Verdict};
use crate::batch::budget::RowBudget;
use crate::batch::cut::CutLimits;
use crate::batch::pace::Ticket;
use crate::batch::queue::{QueueLimits, RowQueue, Start, Stay};
use crate::batch::row::{Collector, Delivered, How, RowAddress, Seq};
use crate::batch::table::{Asker, RowAsk, Settled, Taken};
use crate::call::{CallId, WorkspaceId};
use crate::error::{CallError, Stage};
use crate::key::Key;
use crate::ports::clock::Tick;
use crate::ports::provider::{Fault, FaultKind};

/// One text of one workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Text {
    workspace: u8,
    text: u8,
}

impl Text {
    fn key(self) -> Key {
        let hash = u128::from(self.workspace % 2) << 8 | u128::from(self.text);
        let mut sha = [0; 32]; // workspaces 0 and 2 collide in the quick hash and differ in the proof
        sha[0] = self.workspace;
        Key { hash, sha }
    }

    const fn is_poison(self) -> bool {
        self.text % 9 == 4
    }

    /// Rejected items have no vector; all others one of their own.
    const fn vector(self) -> u64 {
        self.workspace as u64 * 1_000 + self.text as u64 + 1
    }
}

/// Gives each row its vector; the one under test, or a broken one.
type Scatter = fn(Vec<Taken<Text>>, Vec<u64>) -> Vec<(Taken<Text>, u64)>;

struct Caller {
    texts: Vec<Text>,
    collector: Arc<Collector<u64>>,
    share: bool,
    /// What it missed and has not entered with yet.
    misses: Vec<RowAsk<Text>>,
    stay: Option<Stay<Text, u64>>,
}

struct Flying {
    ticket: Ticket,
    rows: Vec<Taken<Text>>,
    plan: Bisect<CallId>,
}

struct World {
    queue: Arc<RowQueue<Text, u64>>,
    budget: Arc<RowBudget>,
    kept: HashMap<Key, u64>,
    callers: Vec<Caller>,
    flying: Vec<Flying>,
    computed: HashMap<Text, u32>,
    injected: bool,
    scatter: Scatter,
}

/// A little arithmetic instead of a generator: steps stay small and shrink well.
fn draw(seed: &mut u64, below: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % below
}

impl World {
    fn new(mix_calls: bool, scatter: Scatter) -> Self {
        let cut = CutLimits { max_items: 7, max_tokens: 40, mix_calls, ..CutLimits::default() };
        let limits = QueueLimits { max_rows: 24, in_flight_batches: 2, cut };
        let budget = Arc::new(RowBudget::new(24));
        let queue = Arc::new(RowQueue::new(limits, Arc::clone(&budget)));
        queue.begin_generation(1);
        let (callers, flying) = (Vec::new(), Vec::new());
        let (kept, computed) = (HashMap::new(), HashMap::new());
        Self { queue, budget, kept, callers, flying, computed, injected: false, scatter }
    }

    fn step(&mut self, op: u8, mut seed: u64) -> Result<(), String> {
        match op {
            0..=2 => self.arrive(&mut seed),
            3 | 4 => self.enter(seed as usize),
            5 | 6 => self.cut()?,
            7..=9 => self.ask(&mut seed)?,
            10 => self.fail(seed as usize),
            _ => self.leave(seed as usize),
        }
        Ok(())
    }

    /// A call comes and reads the cache; what it missed it asks for in a later step.
    fn arrive(&mut self, seed: &mut u64) {
        let workspace = draw(seed, 3) as u8;
        let share = draw(seed, 8) > 0;
        let texts: Vec<Text> =
            (0..=draw(seed, 6)).map(|_| Text { workspace, text: draw(seed, 20) as u8 }).collect();
        let collector = Arc::new(Collector::new(CallId::fresh(), texts.len()));
        let mut misses = Vec::new();
        for (at, text) in texts.iter().enumerate() {
            let seq = Seq(at as u32);
            match self.kept.get(&text.key()).filter(|_| share) {
                Some(&value) => {
                    let address = RowAddress { call: collector.call(), seq };
                    collector.deliver(address, Ok(Delivered { value, how: How::Hit, billed: 0 }));
                }
                None => {
                    misses.push(RowAsk { seq, key: text.key(), tokens: u32::from(text.text), item: *text })
                }
            }
        }
        self.callers.push(Caller { texts, collector, share, misses, stay: None });
    }

    /// A call that missed something asks for it; refused for want of room, it asks again later.
    fn enter(&mut self, which: usize) {
        let mut waiting: Vec<_> =
            self.callers.iter_mut().filter(|caller| !caller.misses.is_empty()).collect();
        let count = waiting.len();
        let Some(caller) = waiting.get_mut(which % count.max(1)) else { return };
        let workspace = WorkspaceId::new(caller.texts[0].workspace.to_string());
        let (collector, share) = (&caller.collector, caller.share);
        let asker = Asker { collector, workspace: &workspace, share, epoch: 0, now: Tick(0) };
        let again =
            |ask: &RowAsk<Text>| RowAsk { seq: ask.seq, key: ask.key, tokens: ask.tokens, item: ask.item };
        let asks = caller.misses.iter().map(again).collect();
        let kept = &self.kept;
        if let Ok(stay) = self.queue.enter(&asker, asks, |key| kept.get(key).copied().filter(|_| share)) {
            caller.misses.clear();
            caller.stay = Some(stay);
        }
    }

    fn cut(&mut self) -> Result<(), String> {
        if !matches!(self.queue.start(1, Tick(0)), Start::Go(_)) {
            return Ok(());
        }
        let cut = self.queue.cut(Tick(0));
        if cut.rows.is_empty() {
            return Err("a slot was given and nothing waited".into());
        }
        let unwanted =
            self.queue.payers(cut.rows.iter().map(|row| row.id)).into_iter().filter(Option::is_none);
        if unwanted.count() > 0 {
            return Err("a row nobody waits for travels".into());
        }
        let plan = Bisect::new(cut.rows.iter().map(|row| row.call).collect());
        self.flying.push(Flying { ticket: cut.ticket, rows: cut.rows, plan });
        Ok(())
    }

    /// One request of one batch: the upstream answers in an order of its own, or rejects.
    fn ask(&mut self, seed: &mut u64) -> Result<(), String> {
        let Some(count) = (self.flying.len() as u64).checked_sub(1) else { return Ok(()) };
        let which = draw(seed, count + 1) as usize;
        let Flying { rows, plan, .. } = &mut self.flying[which];
        let failed_too = !plan.hopeless();
        let Some(asked) = plan.next(|row| self.queue.is_wanted(rows[row].id, failed_too)) else {
            let landed = self.flying.swap_remove(which);
            self.queue.release(Some(landed.ticket));
            return Ok(());
        };
        let sent: Vec<_> = asked.iter().map(|&row| rows[row].clone()).collect();
        let rejected = sent.iter().any(|row| row.item.is_poison());
        let said = if rejected { Said::Rejected } else { Said::Accepted };
        match plan.hear(asked, said) {
            Verdict::Split => {}
            Verdict::Settled => self.land(sent, seed)?,
            Verdict::Poison | Verdict::RejectedCall => {
                let fault = Fault::new(FaultKind::Rejected { status: 400 }, "poison");
                let error = CallError::upstream("up/m".into(), fault, 1);
                self.queue.settle(sent.into_iter().map(|row| (row.id, Settled::Poison(error.clone()))));
            }
        }
        Ok(())
    }

    fn land(&mut self, sent: Vec<Taken<Text>>, seed: &mut u64) -> Result<(), String> {
        let tokens = sent.iter().map(|row| u64::from(row.tokens)).sum();
        self.queue.learn(tokens, Duration::from_millis(draw(seed, 20) + tokens));
        let mut answer: Vec<_> = sent.iter().map(|row| row.item.vector()).enumerate().collect();
        for at in (1..answer.len()).rev() {
            answer.swap(at, draw(seed, at as u64 + 1) as usize);
        }
        let answer = answer.into_iter().map(|(index, vector)| (index as u64, vector));
        let vectors = by_index(sent.len(), answer).map_err(|fault| fault.what)?;
        let invoice = 3 * sent.len() as u64 + 1;
        let payers = self.queue.payers(sent.iter().map(|row| row.id));
        let weights: Vec<_> =
            payers.into_iter().zip(&sent).map(|(payer, row)| (payer, u64::from(row.tokens))).collect();
        let parts = split_invoice(invoice, &weights);
        if parts.iter().sum::<u64>() != invoice {
            return Err(format!("an invoice of {invoice} was split into {parts:?}"));
        }
        let mut ends = Vec::new();
        for ((row, vector), part) in (self.scatter)(sent, vectors).into_iter().zip(parts) {
            let shared =
                self.callers.iter().any(|caller| caller.collector.call() == row.call && caller.share);
            if shared {
                self.kept.insert(row.key, vector);
                *self.computed.entry(row.item).or_default() += 1;
            }
            ends.push((row.id, Settled::Answer(vector, part)));
        }
        self.queue.settle(ends);
        Ok(())
    }

    /// A batch dies with its rows.
    fn fail(&mut self, which: usize) {
        if self.flying.is_empty() {
            return;
        }
        let flying = self.flying.swap_remove(which % self.flying.len());
        self.injected = true;
        let error = CallError::lane_lost(Stage::Group, "batcher");
        self.queue.settle(flying.rows.into_iter().map(|row| (row.id, Settled::Lost(error.clone()))));
        self.queue.release(Some(flying.ticket));
    }

    fn leave(&mut self, which: usize) {
        if !self.callers.is_empty() {
            self.callers.swap_remove(which % self.callers.len());
        }
    }

    /// Lets everything that is under way come to its end.
    fn settle(&mut self) -> Result<(), String> {
        for round in 0..10_000 {
            self.enter(round);
            self.cut()?;
            self.ask(&mut (round as u64))?;
            let idle = self.flying.is_empty() && self.callers.iter().all(|caller| caller.misses.is_empty());
            if idle && self.queue.read().waiting == 0 {
                return Ok(());
            }
        }
        Err("the world does not come to rest".into())
    }

    fn check(&self) -> Result<(), String> {
        for caller in &self.callers {
            self.check_caller(caller)?;
        }
        if let Some((text, times)) = self.computed.iter().find(|(_, times)| **times > 1) {
            return Err(format!("{text:?} was computed {times} times"));
        }
        let left = self.queue.read();
        if (left.waiting, left.in_air, left.running, self.budget.waiting()) != (0, 0, 0, 0) {
            return Err(format!("something is left behind: {left:?}"));
        }
        Ok(())
    }

    fn check_caller(&self, caller: &Caller) -> Result<(), String> {
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(collected) = pin!(caller.collector.collect()).poll(&mut cx) else {
            return Err(format!("a call still waits for {:?}", caller.texts));
        };
        let poison = caller.texts.iter().position(|text| text.is_poison());
        match (collected, poison) {
            (Ok(rows), None) => {
                let expected: Vec<u64> = caller.texts.iter().map(|text| text.vector()).collect();
                let got: Vec<u64> = rows.into_iter().map(|row| row.value).collect();
                if got == expected {
                    Ok(())
                } else {
                    Err(format!("misplaced: {got:?} for {:?}", caller.texts))
                }
            }
            (Err(failed), Some(at)) if failed.item == Some(Seq(at as u32)) => Ok(()),
            (Err(failed), _) if failed.item.is_none() && self.injected => Ok(()),
            (other, _) => Err(format!("{:?} got {other:?}", caller.texts)),
        }
    }
}

fn run(mix_calls: bool, steps: &[(u8, u64)], scatter: Scatter) -> Result<(), String> {
    let mut world = World::new(mix_calls, scatter);
    for &(op, seed) in steps {
        world.step(op, seed)?;
    }
    world.settle()?;
    world.check()
}

fn worlds() -> impl Strategy<Value = (bool, Vec<(u8, u64)>)> {
    (any::<bool>(), proptest::collection::vec((0u8..12, any::<u64>()), 1..30))
}

fn runner(cases: u32) -> TestRunner {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
}

#[test]
fn in_100_000_random_worlds_no_vector_is_misplaced_no_row_computed_twice_and_nobody_left_waiting() {
    let result = runner(100_000)
        .run(&worlds(), |(mix_calls, steps)| run(mix_calls, &steps, scatter).map_err(TestCaseError::fail));
    if let Err(broken) = result {
        panic!("{broken}");
    }
}

#[test]
fn two_swapped_rows_are_noticed() {
    fn swapped(sent: Vec<Taken<Text>>, mut vectors: Vec<u64>) -> Vec<(Taken<Text>, u64)> {
        if let [first, .., last] = vectors.as_mut_slice() {
            std::mem::swap(first, last);
        }
        scatter(sent, vectors)
    }
    let result = runner(1_000)
        .run(&worlds(), |(mix_calls, steps)| run(mix_calls, &steps, swapped).map_err(TestCaseError::fail));
    let Err(TestError::Fail(why, _)) = result else { panic!("the planted bug was not noticed: {result:?}") };
    assert!(why.message().contains("misplaced"), "{why}");
}
