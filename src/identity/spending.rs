//! Owns what budgets begin with, and what is noted of them: the office's part of counting money. Must not know prices.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_actors::ports::books::{Books, Usages};

use super::budget::{Period, Span};
use super::meter::{Meter, Whose};
use super::office::Office;
use super::registry::{RegistryFault, SpentRow};

/// What other servers were told, by budget.
pub(super) type Shares = HashMap<(String, Span), Share>;

/// What other servers were told of one budget. All add what they count to one number, of which this is the part that is ours.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Share {
    /// The beginning of the period.
    from_us: i64,
    /// What all had counted when this process began to; it is in what was spent before.
    before: i64,
    /// What calls here cost that others need not be told: they were, or it stood in the books when these were asked.
    known: i64,
    /// What was added.
    added: i64,
    /// What was noted last, in all.
    noted: Option<i64>,
}

impl Office {
    /// The same office, whose budgets begin with what these books say was spent.
    #[must_use]
    pub fn counting(self, books: Option<Arc<dyn Books>>) -> Self {
        Self { books, ..self }
    }

    /// Lets budgets that are new begin with what was spent before: what the books have, or what was noted if that is more. Each
    /// can only say too little.
    pub(super) async fn count(&self) -> Result<(), RegistryFault> {
        let now_us = self.clock.unix_us();
        let meters = self.roster.meters();
        if meters.iter().all(|meter| meter.counted(now_us).is_none()) {
            return Ok(());
        }
        let noted = self.registry.spent().await?;
        for meter in meters {
            let now_us = self.clock.unix_us();
            // What is counted from here on is in the books as well: taken before they are asked, it is at most counted twice.
            let Some(counted) = meter.counted(now_us) else { continue };
            let periods = Span::ALL.map(|span| span.at(now_us));
            let booked = self.booked(meter.whose(), periods, now_us).await?;
            let before = [0, 1].map(|at| {
                let (span, from_us) = (Span::ALL[at], periods[at].from_us);
                let own = |row: &&SpentRow| row.subject == meter.whose().id && row.span == span;
                let noted = noted.iter().find(|row| own(row) && row.from_us == from_us);
                let share = Share {
                    from_us,
                    before: noted.map_or(0, |row| row.counted),
                    known: counted[at].own,
                    ..Share::default()
                };
                self.shares.lock().insert((meter.whose().id.clone(), span), share);
                booked[at].saturating_sub(counted[at].settled).max(noted.map_or(0, |row| row.nano))
            });
            meter.begin(before, now_us);
        }
        Ok(())
    }

    /// What the books have in these periods.
    async fn booked(
        &self,
        whose: &Whose,
        periods: [Period; 2],
        now_us: i64,
    ) -> Result<[i64; 2], RegistryFault> {
        let Some(books) = &self.books else { return Ok([0, 0]) };
        let since_us = periods.map(|period| period.from_us).into_iter().min().unwrap_or(now_us);
        let sums = books.usage(whose.workspace.clone(), since_us, now_us.saturating_add(1)).await;
        let sums = sums.map_err(|unreadable| RegistryFault::Unavailable(unreadable.to_string()))?;
        let own = |sum: &&Usages| whose.credential.is_none_or(|credential| credential == sum.credential);
        Ok(periods.map(|period| {
            let within = sums.iter().filter(own).filter(|sum| sum.from_us >= period.from_us);
            within.fold(0, |nano: i64, sum| nano.saturating_add(sum.cost_nano))
        }))
    }

    /// Notes what was spent since it was noted last, makes up for what could not be read before, and takes in what other servers
    /// have noted. For a server, which alone counts; whatever it does not know of others' money yet is what they spent since
    /// they noted it last.
    ///
    /// # Errors
    /// It cannot be read or stored; it is with the next. What was stored without our hearing of it counts twice then.
    pub async fn note(&self) -> Result<(), RegistryFault> {
        self.count().await?;
        let now_us = self.clock.unix_us();
        let meters = self.roster.meters();
        let new = self.unnoted(&meters, now_us);
        if !new.is_empty() {
            self.registry.note_spent(new.clone()).await?;
            let mut shares = self.shares.lock();
            for SpentRow { subject, span, from_us, nano, counted } in new {
                if let Some(share) = shares.get_mut(&(subject, span)).filter(|share| share.from_us == from_us)
                {
                    share.known = share.known.saturating_add(counted);
                    share.added = share.added.saturating_add(counted);
                    share.noted = Some(nano);
                }
            }
        }
        if meters.iter().any(|meter| meter.spent(now_us).is_some()) {
            self.take_in(&meters, &self.registry.spent().await?);
        }
        Ok(())
    }

    /// What is to be noted: nothing of a meter before it is known what was spent before it.
    fn unnoted(&self, meters: &[Arc<Meter>], now_us: i64) -> Vec<SpentRow> {
        let mut shares = self.shares.lock();
        let mut rows = Vec::new();
        for meter in meters {
            let subject = &meter.whose().id;
            for (span, spent) in Span::ALL.into_iter().zip(meter.spent(now_us).into_iter().flatten()) {
                let from_us = spent.period.from_us;
                let share = shares.entry((subject.clone(), span)).or_default();
                if share.from_us != from_us {
                    *share = Share { from_us, ..Share::default() }; // all begin with nothing
                }
                let (nano, counted) = (spent.settled, spent.own.saturating_sub(share.known));
                if counted != 0 || share.noted != Some(nano) {
                    rows.push(SpentRow { subject: subject.clone(), span, from_us, nano, counted });
                }
            }
        }
        rows
    }

    /// Lets budgets hold what other servers have counted since this process began.
    fn take_in(&self, meters: &[Arc<Meter>], noted: &[SpentRow]) {
        let shares = self.shares.lock();
        let meters: HashMap<_, _> = meters.iter().map(|meter| (meter.whose().id.as_str(), meter)).collect();
        for SpentRow { subject, span, from_us, counted, .. } in noted {
            let share = shares.get(&(subject.clone(), *span)).filter(|share| share.from_us == *from_us);
            if let (Some(share), Some(meter)) = (share, meters.get(subject.as_str())) {
                let others = counted.saturating_sub(share.before).saturating_sub(share.added);
                meter.elsewhere(*span, others, *from_us);
            }
        }
    }
}
