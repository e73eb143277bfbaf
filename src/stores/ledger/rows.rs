//! Rows of the ledger as bytes of the journal.
//!
//! Owns the layout: a tag, a length, then the fields in an order that is only ever added to at the end. Must not know where the
//! bytes lie.

use std::borrow::Cow;
use std::sync::Arc;

use tidegate_actors::ports::books::{BookedAttempt, BookedCall, Money};
use tidegate_actors::ports::ledger::{AttemptEnd, AttemptId, AttemptRow};
use tidegate_actors::ports::provider::Usage;
use tidegate_actors::record::{CallRecord, ItemCounts};
use tidegate_actors::{CallId, Form};

use super::codec::{Eyes, Pen};
use super::prices::Prices;
use crate::identity::Tariff as _;

const CALL: u8 = 1;
const ATTEMPT: u8 = 2;

/// A row of the journal.
#[expect(
    clippy::large_enum_variant,
    reason = "read one by one and never kept; a box would allocate for each"
)]
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Booked<'a> {
    Call(BookedCall<'a>),
    Attempt(BookedAttempt<'a>),
}

impl Booked<'_> {
    /// When it began, microseconds since 1970.
    pub(super) const fn at_us(&self) -> i64 {
        match self {
            Self::Call(row) => row.at_us,
            Self::Attempt(row) => row.at_us,
        }
    }
}

/// What every row of this process says.
pub(super) struct Scribe {
    pub(super) prices: Arc<Prices>,
    /// The version of the configuration in force.
    pub(super) config: Box<str>,
}

impl Scribe {
    /// Writes a call that was told.
    pub(super) fn call(&self, record: &CallRecord, out: &mut Vec<u8>) {
        out.push(CALL);
        Pen(out).framed(|pen| self.call_fields(record, pen));
    }

    fn call_fields(&self, record: &CallRecord, pen: &mut Pen<'_>) {
        let price = record.usage.and_then(|usage| self.price(record.target.as_deref(), usage));
        let (cost, saved) =
            if record.is_free() { (price.map(|_| 0), price) } else { (price, price.map(|_| 0)) };
        pen.bytes(&record.id.bytes());
        pen.bytes(&record.unix_us.to_le_bytes());
        pen.text(record.workspace.as_str());
        pen.number(record.credential);
        pen.joined(record.tags.iter().map(AsRef::as_ref));
        pen.text(record.door);
        pen.text(record.kind.name());
        pen.text(match record.form {
            Form::Whole => "whole",
            Form::Stream => "stream",
        });
        pen.text(&record.model);
        pen.text(record.target.as_deref().unwrap_or_default());
        pen.text(record.outcome);
        pen.text(record.reason);
        pen.bytes(&record.payer.map_or([0; 16], CallId::bytes));
        pen.bytes(&record.key.map_or([0; 32], |key| key.sha));
        pen.number(record.attempts.into());
        let ItemCounts { hit, joined, miss } = record.items;
        [hit, joined, miss].into_iter().for_each(|items| pen.number(items.into()));
        record.marks.into_iter().for_each(|mark| pen.number(mark));
        usage(record.usage, pen);
        money(cost, pen);
        money(saved, pen);
        pen.number(record.bytes);
        let failure =
            record.error.map_or([""; 3], |error| [error.stage.name(), error.code, error.blame.name()]);
        failure.into_iter().for_each(|part| pen.text(part));
        pen.text(&self.config);
        pen.number(record.request_bytes);
        pen.bytes(&record.batch.map_or([0; 16], AttemptId::bytes));
        pen.number(record.estimated.into());
    }

    /// Writes an attempt that ended.
    pub(super) fn ended(&self, row: &AttemptRow, end: AttemptEnd, out: &mut Vec<u8>) {
        let usage = end.usage;
        let cost = usage.and_then(|usage| self.price(Some(&row.target), usage));
        let status = Cow::Borrowed(end.status);
        let took_ns = end.closed.nanos_since(row.opened).max(1);
        self.attempt(&BookedAttempt { status, took_ns, usage, cost, ..self.opened(row) }, out);
    }

    /// An attempt as long as nobody knows its end.
    pub(super) fn opened<'a>(&'a self, row: &'a AttemptRow) -> BookedAttempt<'a> {
        let account = &row.account;
        BookedAttempt {
            id: row.id,
            call: account.call,
            at_us: row.unix_us,
            workspace: account.workspace.as_ref().map_or("", |workspace| workspace.as_str()).into(),
            credential: account.credential,
            kind: account.kind.name().into(),
            model: (&*account.model).into(),
            target: (&*row.target).into(),
            attempt: row.attempt,
            items: account.items,
            status: INTERRUPTED.into(),
            took_ns: 0,
            usage: None,
            cost: None,
            config: (&*self.config).into(),
        }
    }

    /// Writes an attempt.
    pub(super) fn attempt(&self, row: &BookedAttempt<'_>, out: &mut Vec<u8>) {
        out.push(ATTEMPT);
        Pen(out).framed(|pen| {
            pen.bytes(&row.id.bytes());
            pen.bytes(&row.call.bytes());
            pen.bytes(&row.at_us.to_le_bytes());
            pen.text(&row.workspace);
            pen.number(row.credential);
            pen.text(&row.kind);
            pen.text(&row.model);
            pen.text(&row.target);
            pen.number(row.attempt.into());
            pen.number(row.items.into());
            pen.text(&row.status);
            pen.number(row.took_ns);
            usage(row.usage, pen);
            money(row.cost, pen);
            pen.text(&row.config);
        });
    }

    fn price(&self, target: Option<&str>, usage: Usage) -> Money {
        self.prices.cost(target?, usage)
    }
}

/// The status of an attempt that nobody saw end.
pub(super) const INTERRUPTED: &str = "interrupted";

fn usage(usage: Option<Usage>, pen: &mut Pen<'_>) {
    let Some(Usage { input, cached_read, cached_write, output, reasoning }) = usage else {
        return pen.number(0);
    };
    pen.number(1);
    [input, cached_read, cached_write, output, reasoning].into_iter().for_each(|tokens| pen.number(tokens));
}

/// Costs are never below nothing.
fn money(money: Money, pen: &mut Pen<'_>) {
    pen.maybe(money.and_then(|nano| u64::try_from(nano).ok()));
}

/// The rows of a group, in their order; rows of a later version of Tidegate are left out. Ends at what cannot be read.
pub(super) fn rows(group: &[u8]) -> impl Iterator<Item = Booked<'_>> {
    frames(group).filter_map(|(tag, eyes)| match tag {
        CALL => call(eyes).map(Booked::Call),
        ATTEMPT => attempt(eyes).map(Booked::Attempt),
        _ => None,
    })
}

/// The call of this id in a group. Looks at ids only until it is found.
pub(super) fn find_call(group: &[u8], id: CallId) -> Option<BookedCall<'_>> {
    let found = frames(group).find(|(tag, eyes)| *tag == CALL && eyes.0.starts_with(&id.bytes()));
    found.and_then(|(_, eyes)| call(eyes))
}

/// The attempts made for a call, and the one of this id.
pub(super) fn find_attempts(
    group: &[u8],
    id: CallId,
    batch: Option<AttemptId>,
) -> impl Iterator<Item = BookedAttempt<'_>> {
    let of_call = move |eyes: &Eyes<'_>| {
        eyes.0.get(16..32) == Some(&id.bytes())
            || batch.is_some_and(|batch| eyes.0.starts_with(&batch.bytes()))
    };
    frames(group)
        .filter(move |(tag, eyes)| *tag == ATTEMPT && of_call(eyes))
        .filter_map(|(_, eyes)| attempt(eyes))
}

fn frames(group: &[u8]) -> impl Iterator<Item = (u8, Eyes<'_>)> {
    let mut eyes = Eyes(group);
    std::iter::from_fn(move || {
        if eyes.is_empty() {
            return None;
        }
        let [tag] = eyes.array()?;
        Some((tag, eyes.frame()?))
    })
}

fn call(mut eyes: Eyes<'_>) -> Option<BookedCall<'_>> {
    let eyes = &mut eyes;
    Some(BookedCall {
        id: CallId::from_bytes(eyes.array()?),
        at_us: i64::from_le_bytes(eyes.array()?),
        workspace: eyes.text()?.into(),
        credential: eyes.number()?,
        tags: eyes.text()?.into(),
        door: eyes.text()?.into(),
        kind: eyes.text()?.into(),
        form: eyes.text()?.into(),
        model: eyes.text()?.into(),
        target: eyes.text()?.into(),
        outcome: eyes.text()?.into(),
        reason: eyes.text()?.into(),
        payer: Some(eyes.array()?).filter(|id| *id != [0; 16]).map(CallId::from_bytes),
        key: Some(eyes.array()?).filter(|key| *key != [0; 32]),
        attempts: eyes.small()?,
        items: ItemCounts { hit: eyes.small()?, joined: eyes.small()?, miss: eyes.small()? },
        marks: read_marks(eyes)?,
        usage: read_usage(eyes)?,
        cost: read_money(eyes)?,
        saved: read_money(eyes)?,
        bytes: eyes.number()?,
        failure: [eyes.text()?.into(), eyes.text()?.into(), eyes.text()?.into()],
        config: eyes.text()?.into(),
        // Rows of an earlier version end here.
        request_bytes: eyes.number().unwrap_or_default(),
        batch: eyes.array().filter(|id| *id != [0; 16]).map(AttemptId::from_bytes),
        estimated: eyes.number().is_some_and(|flag| flag != 0),
    })
}

/// Reads the fields of an attempt, as they lie in a frame.
fn attempt(mut eyes: Eyes<'_>) -> Option<BookedAttempt<'_>> {
    let eyes = &mut eyes;
    Some(BookedAttempt {
        id: AttemptId::from_bytes(eyes.array()?),
        call: CallId::from_bytes(eyes.array()?),
        at_us: i64::from_le_bytes(eyes.array()?),
        workspace: eyes.text()?.into(),
        credential: eyes.number()?,
        kind: eyes.text()?.into(),
        model: eyes.text()?.into(),
        target: eyes.text()?.into(),
        attempt: eyes.small()?,
        items: eyes.small()?,
        status: eyes.text()?.into(),
        took_ns: eyes.number()?,
        usage: read_usage(eyes)?,
        cost: read_money(eyes)?,
        config: eyes.text()?.into(),
    })
}

fn read_marks(eyes: &mut Eyes<'_>) -> Option<[u64; 11]> {
    let mut marks = [0; 11];
    for mark in &mut marks {
        *mark = eyes.number()?;
    }
    Some(marks)
}

fn read_usage(eyes: &mut Eyes<'_>) -> Option<Option<Usage>> {
    if eyes.number()? == 0 {
        return Some(None);
    }
    Some(Some(Usage {
        input: eyes.number()?,
        cached_read: eyes.number()?,
        cached_write: eyes.number()?,
        output: eyes.number()?,
        reasoning: eyes.number()?,
    }))
}

fn read_money(eyes: &mut Eyes<'_>) -> Option<Money> {
    Some(eyes.maybe()?.and_then(|nano| i64::try_from(nano).ok()))
}
