//! Owns what budgets begin with, and what is noted of them: the office's part of counting money. Must not know prices.

use std::sync::Arc;

use tidegate_actors::ports::books::{Books, Usages};

use super::budget::{Period, Span};
use super::meter::{Meter, Whose};
use super::office::Office;
use super::registry::{RegistryFault, SpentRow};

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

    /// Notes what was spent since it was noted last, and makes up for what could not be read before. For a server, which alone
    /// counts.
    ///
    /// # Errors
    /// It cannot be read or stored; it is with the next.
    pub async fn note(&self) -> Result<(), RegistryFault> {
        self.count().await?;
        let now_us = self.clock.unix_us();
        let meters = self.roster.meters();
        let spent: Vec<_> = meters.iter().flat_map(|meter| spent(meter, now_us)).collect();
        let new: Vec<_> = {
            let noted = self.noted.lock();
            spent.iter().filter(|row| !noted.contains(row)).cloned().collect()
        };
        if !new.is_empty() {
            self.registry.note_spent(new).await?;
            *self.noted.lock() = spent;
        }
        Ok(())
    }
}

/// What is to be noted of a meter: nothing before it is known what was spent before it.
fn spent(meter: &Arc<Meter>, now_us: i64) -> impl Iterator<Item = SpentRow> + use<> {
    let subject = meter.whose().id.clone();
    let spent = Span::ALL.into_iter().zip(meter.spent(now_us).into_iter().flatten());
    spent.map(move |(span, spent)| SpentRow {
        subject: subject.clone(),
        span,
        from_us: spent.period.from_us,
        nano: spent.settled,
    })
}
