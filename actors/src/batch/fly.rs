//! One batch: a slot of its lane, the cut, the upstream, the way home of every row.
//!
//! Runs in a task of its own. Whatever ends it, each of its rows is told how: by its answer, by its error, or
//! by the guard as `lane_lost`. Must not decide what `cut.rs`, `assemble.rs` and `bisect.rs` decide.

use std::sync::Arc;
use std::time::Duration;

use crate::batch::assemble::{check, scatter, split_invoice};
use crate::batch::bisect::{Bisect, Said, Verdict};
use crate::batch::pace::Ticket;
use crate::batch::queue::Cut;
use crate::batch::registry::Batcher;
use crate::batch::table::{RowId, Settled, Taken};
use crate::batch::template::common;
use crate::batch::{Flown, Landed, RowItem};
use crate::cache::Entry;
use crate::cache::entry::{EntryFacts, Kept};
use crate::cache::orders::{Order, Publish, Then};
use crate::call::{Call, CallKind, EmbedWork};
use crate::error::{CallError, ErrorKind, Stage};
use crate::flight::Stamps;
use crate::json::Document;
use crate::ports::clock::Tick;
use crate::ports::ledger::Account;
use crate::ports::provider::{Answer, Fault, FaultKind, Rows, Task, Usage, Vector};
use crate::sites::Site;
use crate::upstream::Sent;
use crate::upstream::act::{self, Asked, Question};

/// The right to have a batch on its way; given back when dropped, also by a panic.
#[derive(Debug)]
pub(crate) struct BatchSlot {
    batcher: Arc<Batcher>,
    ticket: Option<Ticket>,
}

impl BatchSlot {
    /// Takes over the slot that [`RowQueue::start`](crate::batch::queue::RowQueue::start) gave.
    pub(crate) const fn new(batcher: Arc<Batcher>) -> Self {
        Self { batcher, ticket: None }
    }

    /// Cuts the batch; the next one may start from here on. `None` if everybody left meanwhile.
    fn cut(&mut self) -> Option<Cut<RowItem>> {
        let cut = self.batcher.queue.cut(self.batcher.ports.clock.now());
        self.ticket = Some(cut.ticket);
        // Rows that did not fit go with the next slot.
        self.batcher.ring();
        (!cut.rows.is_empty()).then_some(cut)
    }
}

impl Drop for BatchSlot {
    fn drop(&mut self) {
        if self.batcher.queue.release(self.ticket) {
            self.batcher.ring();
        }
    }
}

/// Takes one batch from the queue to its callers. `turn` is the row in whose turn the lane is asked.
pub(crate) async fn fly(mut slot: BatchSlot, turn: RowItem) {
    let batcher = Arc::clone(&slot.batcher);
    let lane_slot = match batcher.ports.lane.acquire(&turn.order.call.workspace).await {
        Ok(lane_slot) => lane_slot,
        Err(error) => return refuse(slot, &error),
    };
    let Some(cut) = slot.cut() else { return };
    batcher.ports.metrics.cut(&cut);
    let mut batch = Batch { batcher, rows: cut.rows.into_iter().map(Some).collect() };
    batch.batcher.ports.sites.pass(Site::BatchAfterCut);
    batch.run().await;
    drop(lane_slot); // held from dispatch to the terminal event
}

/// The lane has no room: with nothing in the air nobody would ask again, so the rows hear it.
fn refuse(slot: BatchSlot, error: &CallError) {
    let batcher = Arc::clone(&slot.batcher);
    drop(slot);
    if batcher.queue.read().running == 0 {
        batcher.queue.refuse_waiting(error);
    }
}

/// Rows in the air. Those not told when it is dropped are lost with it.
struct Batch {
    batcher: Arc<Batcher>,
    rows: Vec<Option<Taken<RowItem>>>,
}

impl Drop for Batch {
    fn drop(&mut self) {
        let lost = CallError::lane_lost(Stage::Group, "batcher");
        let rows = self.rows.iter_mut().filter_map(Option::take);
        self.batcher.queue.settle(rows.map(|row| (row.id, Settled::Lost(lost.clone()))));
    }
}

/// An answer and what is known of its way.
struct Answered {
    rows: Rows,
    target: Arc<str>,
    flown: Flown,
}

impl Batch {
    async fn run(&mut self) {
        let calls = self.rows.iter().flatten().map(|row| row.call).collect();
        let mut plan = Bisect::new(calls);
        loop {
            let failed_too = !plan.hopeless();
            let Some(asked) = plan.next(|at| self.is_wanted(at, failed_too)) else { return };
            let outcome = self.ask(&asked).await;
            let said = match &outcome {
                Ok(_) => Said::Accepted,
                Err(error) if is_rejection(error) => Said::Rejected,
                Err(_) => Said::Failed,
            };
            let verdict = plan.hear(asked.clone(), said);
            self.conclude(&asked, verdict, outcome);
        }
    }

    fn is_wanted(&self, at: usize, failed_too: bool) -> bool {
        self.rows[at].as_ref().is_some_and(|row| self.batcher.queue.is_wanted(row.id, failed_too))
    }

    fn conclude(&mut self, asked: &[usize], verdict: Verdict, outcome: Result<Answered, CallError>) {
        let metrics = &self.batcher.ports.metrics;
        match (verdict, outcome) {
            (Verdict::Split, _) => metrics.divided(),
            (_, Ok(answered)) => self.land(asked, answered),
            (Verdict::Poison | Verdict::RejectedCall, Err(error)) => {
                metrics.poisoned();
                self.settle(asked, &Settled::Poison(error));
            }
            (Verdict::Settled, Err(error)) => self.settle(asked, &Settled::Lost(error)),
        }
    }

    fn settle(&mut self, asked: &[usize], end: &Settled<Landed>) {
        let rows: Vec<_> = asked.iter().filter_map(|&at| self.rows[at].take()).collect();
        self.batcher.queue.settle(rows.into_iter().map(|row| (row.id, end.clone())));
    }

    fn in_air<'a>(&'a self, asked: &'a [usize]) -> impl Iterator<Item = &'a Taken<RowItem>> {
        asked.iter().filter_map(|&at| self.rows[at].as_ref())
    }

    /// Asks for these rows, unless everybody leaves meanwhile.
    async fn ask(&self, asked: &[usize]) -> Result<Answered, CallError> {
        let ids: Vec<RowId> = self.in_air(asked).map(|row| row.id).collect();
        let grace = self.in_air(asked).map(|row| row.item.order.grace).max().unwrap_or(Duration::ZERO);
        let ports = &self.batcher.ports;
        tokio::select! {
            biased;
            answered = self.ask_upstream(asked) => answered,
            () = self.batcher.queue.abandoned(&ids, &ports.clock, grace) => {
                ports.metrics.abandoned();
                Err(CallError::lane_lost(Stage::Act, "abandoned batch"))
            }
        }
    }

    async fn ask_upstream(&self, asked: &[usize]) -> Result<Answered, CallError> {
        let Some(first) = self.in_air(asked).next() else {
            return Err(CallError::lane_lost(Stage::Group, "batch"));
        };
        let call = &first.item.order.call;
        let items = self.in_air(asked).map(|row| row.item.item().clone()).collect();
        let question = Question {
            account: self.account(call, asked),
            task: Task::Embed { document: self.template(&call.work.document, asked), items },
            affecting: call.affecting.clone(),
            repeatable: true,
        };
        let ports = &self.batcher.ports;
        let asked_at = ports.clock.now();
        let Asked { answer, target, attempts, attempt, .. } =
            act::ask(&ports.acting, &[&self.batcher.target], &question, &Sent::default()).await?;
        let checked = match answer {
            Answer::Rows(rows) => check(asked.len(), &rows).map(|()| rows),
            _ => Err(Fault::broken(None, "an answer without vectors where vectors were asked")),
        };
        match checked {
            Ok(rows) => {
                let id = attempt.id();
                attempt.succeeded(rows.usage);
                let answered = ports.clock.now();
                if attempts == 1 {
                    let tokens = self.in_air(asked).map(|row| u64::from(row.tokens)).sum();
                    self.batcher.queue.learn(tokens, answered.since(asked_at));
                }
                let flown = Flown { asked: asked_at, answered, attempts, attempt: id, estimated: false };
                Ok(Answered { rows, target, flown })
            }
            Err(fault) => {
                attempt.failed(&fault);
                Err(CallError::upstream(target, fault, attempts))
            }
        }
    }

    /// The first call's, without a workspace where several share the request.
    fn account(&self, first: &Call<EmbedWork>, asked: &[usize]) -> Account {
        let alone = self.in_air(asked).all(|row| row.item.order.call.workspace == first.workspace);
        let account = Account::of(first, CallKind::Embed);
        let workspace = account.workspace.filter(|_| alone);
        Account { workspace, items: u32::try_from(asked.len()).unwrap_or(u32::MAX), ..account }
    }

    /// What the request says beside its items.
    fn template(&self, first: &Arc<Document>, asked: &[usize]) -> Arc<Document> {
        let mut orders: Vec<_> = self.in_air(asked).map(|row| &row.item.order).collect();
        orders.dedup_by(|one, other| Arc::ptr_eq(one, other)); // rows of a call mostly lie together
        common(first, orders.into_iter().map(|order| &order.call.work.document))
    }

    /// Publishes what may be kept, and only then tells the callers.
    fn land(&mut self, asked: &[usize], answered: Answered) {
        let (queue, ports) = (Arc::clone(&self.batcher.queue), Arc::clone(&self.batcher.ports));
        let (parts, estimated) = self.invoice(asked, answered.rows.usage);
        let flown = Arc::new(Flown { estimated, ..answered.flown });
        let rows = self.in_air(asked).cloned().zip(parts).collect();
        let vectors = answered.rows.vectors;
        let (target, model) = (answered.target, answered.rows.model);
        let facts = Facts { born: ports.clock.now(), target, model, estimated };
        let mut entries = Vec::new();
        let mut ends = Vec::with_capacity(asked.len());
        for ((row, part), vector) in scatter(rows, vectors) {
            let entry = Arc::new(self.entry(&row, part, vector, &facts));
            if self.may_be_kept(&row) {
                entries.push((Arc::clone(&entry), row.item.order.stamps));
            }
            let landed = Landed { entry, flown: Some(Arc::clone(&flown)) };
            ends.push((row.id, Settled::Answer(landed, part)));
        }
        ports.sites.pass(Site::BatchBeforeReply);
        for &at in asked {
            self.rows[at] = None; // from here on the closing answers for them
        }
        publish(&self.batcher, entries, Then::new(move || queue.settle(ends)));
    }

    /// What each row costs: as the upstream counts if that shows, else its payer's part of the invoice, or our
    /// own count where there is none; and whether that is an estimate.
    fn invoice(&self, asked: &[usize], usage: Option<Usage>) -> (Vec<u64>, bool) {
        let Some(usage) = usage else {
            return (self.in_air(asked).map(|row| u64::from(row.tokens)).collect(), true);
        };
        let own = self.in_air(asked).map(|row| (u64::from(row.tokens), row.item.item()));
        if let Some(exact) = self.batcher.counting.exact(usage.input, own) {
            return (exact, false);
        }
        let payers = self.batcher.queue.payers(self.in_air(asked).map(|row| row.id));
        let weights: Vec<_> = payers
            .into_iter()
            .zip(self.in_air(asked))
            .map(|(payer, row)| (payer, u64::from(row.tokens)))
            .collect();
        // What one call asked alone is all its own.
        let is_shared = weights.iter().any(|(payer, _)| *payer != weights[0].0);
        (split_invoice(usage.input, &weights), is_shared)
    }

    /// The answer is kept only under the versions it was looked up under.
    fn may_be_kept(&self, row: &Taken<RowItem>) -> bool {
        let Stamps { policy, redaction, .. } = row.item.order.stamps;
        let ports = &self.batcher.ports;
        row.item.order.keep && ports.policy.version() == policy && ports.egress.version() == redaction
    }

    fn entry(&self, row: &Taken<RowItem>, part: u64, vector: Vector, facts: &Facts) -> Entry {
        let call = &row.item.order.call;
        let entry = EntryFacts {
            key: row.key,
            workspace: call.workspace.clone(),
            kind: CallKind::Embed,
            model: Arc::clone(&call.model),
            target: Arc::clone(&facts.target),
            tags: call.tags.clone(),
            payer: call.id,
            usage: Some(Usage { input: part, ..Usage::default() }),
            estimated: facts.estimated,
            born: facts.born,
            expires: facts.born.plus_ms(self.batcher.ports.ttl_ms),
        };
        Entry::new(entry, Kept::Row { vector, model: Arc::clone(&facts.model) })
    }
}

/// What the entries of one answer have in common.
struct Facts {
    born: Tick,
    target: Arc<str>,
    model: Arc<str>,
    estimated: bool,
}

fn publish(batcher: &Batcher, entries: Vec<(Arc<Entry>, Stamps)>, then: Then) {
    if entries.is_empty() {
        return drop(then);
    }
    // A cache actor that cannot be told drops the order, and with it the closing runs: told, not kept.
    let _ = batcher.ports.cache.door.tell(Order::Publish(Publish { entries, then }));
}

fn is_rejection(error: &CallError) -> bool {
    matches!(&error.kind, ErrorKind::Upstream { fault, .. } if matches!(fault.kind, FaultKind::Rejected { .. }))
}
