//! The act stage: asks targets in order of preference until one answers.
//!
//! Owns attempts, retries and failover, all before the first piece is told. Every attempt is opened in the
//! ledger before dispatch and closed after, also when its future is dropped.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;

use crate::call::Affecting;
use crate::error::{CallError, Stage};
use crate::metrics::UpstreamMetrics;
use crate::ports::clock::ClockRef;
use crate::ports::ledger::{Account, AttemptEnd, AttemptId, AttemptRow, Ledger, Refusal};
use crate::ports::provider::{Answer, Events, Fault, FaultKind, Order, Piece, Task, Usage};
use crate::route::Target;

use super::permits::Permit;
use super::{Sent, Upstream};

/// What the act stage needs from the engine.
pub(crate) struct Acting {
    pub(crate) clock: ClockRef,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) metrics: UpstreamMetrics,
}

/// What is asked, of whom it may be asked is said beside it.
#[derive(Clone)]
pub(crate) struct Question {
    pub(crate) account: Account,
    pub(crate) task: Task,
    pub(crate) affecting: Affecting,
    /// False for work that may have an effect: it is asked once, of one target.
    pub(crate) repeatable: bool,
}

/// An answer that has begun, with all that is held until it ends.
pub(crate) struct Asked {
    pub(crate) answer: Answer,
    /// The first event, which proved that the stream lives.
    pub(crate) first: Option<Piece>,
    pub(crate) target: Arc<str>,
    pub(crate) attempts: u32,
    pub(crate) attempt: Attempt,
}

/// One request at an upstream: its permit and its row in the ledger, closed at the latest when dropped.
pub(crate) struct Attempt {
    acting: Arc<Acting>,
    upstream: Arc<Upstream>,
    row: AttemptRow,
    /// Its place in the books.
    place: u32,
    open: bool,
    _permit: Permit,
}

impl Attempt {
    /// What the books call it.
    pub(crate) const fn id(&self) -> AttemptId {
        self.row.id
    }

    /// It ended well.
    pub(crate) fn succeeded(mut self, usage: Option<Usage>) {
        self.close("ok", usage);
    }

    /// It broke after it had begun.
    pub(crate) fn failed(mut self, fault: &Fault) {
        self.blame(fault);
        self.close(fault.kind.name(), None);
    }

    /// A fault that is the provider's own counts against it; one of the request does not.
    fn blame(&self, fault: &Fault) {
        let mut breaker = self.upstream.breaker.lock();
        match fault.kind {
            // It lives and answers; what it says is another matter.
            FaultKind::Rejected { .. } | FaultKind::Unusable => breaker.succeeded(),
            FaultKind::Busy { .. } => {}
            _ => breaker.failed(self.acting.clock.now()),
        }
    }

    fn close(&mut self, status: &'static str, usage: Option<Usage>) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        let closed = self.acting.clock.now();
        self.upstream.metrics(&self.acting.metrics).attempt(status, closed.since(self.row.opened));
        self.acting.ledger.close(&self.row, self.place, AttemptEnd { status, usage, closed });
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.close("interrupted", None);
    }
}

enum Failed {
    /// Nobody else would answer it better.
    Here(Fault),
    /// Another target may.
    Elsewhere(Fault),
    /// Not asked: its breaker is open.
    Open(Duration),
    /// Not asked: it cannot be written down, and no other target's request could.
    Unrecorded(Refusal),
}

/// Why one attempt has no answer.
enum Lost {
    Fault(Fault),
    Unrecorded(Refusal),
}

impl From<Fault> for Lost {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Asks until one target answers; `sent` says meanwhile who has to be paid for it.
///
/// # Errors
/// The last target's fault when all are spent, `breaker_open` when none may be asked, `ledger_full` or
/// `ledger_failing` when the request could not be written down.
///
/// # Cancellation
/// Dropping the future drops the request; its row is closed as interrupted.
pub(crate) async fn ask(
    acting: &Arc<Acting>,
    targets: &[&Target],
    question: &Question,
    sent: &Sent,
) -> Result<Asked, CallError> {
    let mut attempts = 0;
    let mut worst: Option<CallError> = None;
    for target in targets {
        let error = match ask_target(acting, target, (question, sent), &mut attempts).await {
            Ok(asked) => return Ok(asked),
            Err(Failed::Unrecorded(why)) => return Err(CallError::unrecorded(Stage::Act, why)),
            Err(Failed::Here(fault)) => {
                return Err(CallError::upstream(target.name.clone(), fault, attempts));
            }
            Err(Failed::Elsewhere(fault)) => CallError::upstream(target.name.clone(), fault, attempts),
            Err(Failed::Open(after)) if worst.is_none() => {
                CallError::breaker_open(target.name.clone(), after)
            }
            Err(Failed::Open(_)) => continue,
        };
        worst = Some(error);
        if !question.repeatable && attempts > 0 {
            break;
        }
    }
    Err(worst.unwrap_or_else(|| CallError::upstream("none".into(), Fault::broken(None, "no target"), 0)))
}

async fn ask_target(
    acting: &Arc<Acting>,
    target: &Target,
    (question, sent): (&Question, &Sent),
    attempts: &mut u32,
) -> Result<Asked, Failed> {
    let upstream = &target.upstream;
    let mut here = 0;
    loop {
        upstream.breaker.lock().admit(acting.clock.now()).map_err(Failed::Open)?;
        *attempts += 1;
        here += 1;
        if here == 1 {
            upstream.budget.lock().earn();
        }
        let fault = match attempt(acting, target, (question, sent), *attempts).await {
            Ok(asked) => return Ok(asked),
            Err(Lost::Fault(fault)) => fault,
            Err(Lost::Unrecorded(why)) => return Err(Failed::Unrecorded(why)),
        };
        if fault.kind.is_final() {
            return Err(Failed::Here(fault));
        }
        let pause = upstream.limits.retry.pause(question.account.call, here + 1, &fault);
        let Some(pause) = pause.filter(|_| question.repeatable) else { return Err(Failed::Elsewhere(fault)) };
        if !upstream.budget.lock().spend(acting.clock.now()) {
            return Err(Failed::Elsewhere(fault));
        }
        upstream.metrics(&acting.metrics).retries.inc();
        acting.clock.sleep_until(acting.clock.now().plus(pause)).await;
    }
}

async fn attempt(
    acting: &Arc<Acting>,
    target: &Target,
    (question, sent): (&Question, &Sent),
    number: u32,
) -> Result<Asked, Lost> {
    let upstream = Arc::clone(&target.upstream);
    let permit = upstream.permits.acquire(question.account.workspace.as_ref()).await;
    let row = AttemptRow {
        id: AttemptId::fresh(),
        account: question.account.clone(),
        target: Arc::clone(&target.name),
        attempt: number,
        unix_us: acting.clock.unix_us(),
        opened: acting.clock.now(),
    };
    let opening = acting.ledger.open(&row).map_err(Lost::Unrecorded)?;
    let place = opening.place;
    let attempt = Attempt { acting: Arc::clone(acting), upstream, row, place, open: true, _permit: permit };
    if let Some(durable) = opening.durable
        && durable.await.is_err()
    {
        return Err(Lost::Unrecorded(Refusal::Failing { why: "its disk could not be synced".into() }));
    }
    let order = Order {
        call: question.account.call,
        model: Arc::clone(&target.model),
        task: question.task.clone(),
        affecting: question.affecting.clone(),
        attempt: number,
    };
    sent.leaves(&target.name, number);
    match begin(&attempt.upstream, order).await {
        Ok((answer, first)) => {
            attempt.upstream.breaker.lock().succeeded();
            Ok(Asked { answer, first, target: Arc::clone(&target.name), attempts: number, attempt })
        }
        Err(fault) => {
            sent.failed(fault.kind);
            attempt.failed(&fault);
            Err(fault.into())
        }
    }
}

/// Asks and, for a stream, waits for its first event: until then a failure can be tried again unseen.
async fn begin(upstream: &Upstream, order: Order) -> Result<(Answer, Option<Piece>), Fault> {
    match upstream.provider.ask(order).await? {
        Answer::Events(mut events) => {
            let first = first_of(&mut events).await?;
            Ok((Answer::Events(events), Some(first)))
        }
        answer => Ok((answer, None)),
    }
}

async fn first_of(events: &mut Events) -> Result<Piece, Fault> {
    match events.next().await {
        Some(first) => first,
        None => Err(Fault::new(FaultKind::Cut, "the stream ended before its first event")),
    }
}
