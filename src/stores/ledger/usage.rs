//! Owns the sums of calls as they are read: those of tables, and those of the rows that are in no table yet. Must not fold: who looks
//! at sums waits for nobody, however far tables are behind.

use std::collections::BTreeMap;

use tidegate_actors::WorkspaceId;
use tidegate_actors::ports::books::{Unreadable, Usages};

use super::days::Day;
use super::lines::{self, HOUR_US};
use super::read::{BEHIND, Reader, unreadable};
use super::rows::{self, Booked};
use super::shelves::Shelves;
use super::statements::USAGE;
use super::told;

/// By hour, credential and model, which is also their order.
type Sums = BTreeMap<(i64, u64, String), Usages>;

/// The hours in question: their beginnings are from the first moment on and before the second.
type Hours = (i64, i64);

impl Reader {
    /// The sums of a workspace for the hours that begin in a time, exact for all that was told before.
    pub(super) async fn sums(
        &self,
        workspace: WorkspaceId,
        since_us: i64,
        until_us: i64,
    ) -> Result<Vec<Usages>, Unreadable> {
        let hours = (since_us.saturating_add(HOUR_US - 1).div_euclid(HOUR_US) * HOUR_US, until_us);
        let front = self.folder().front();
        let still = match front.hold().await {
            Some(still) => still,
            None => {
                self.folded().await?;
                front.hold().await.ok_or_else(|| unreadable(&BEHIND))?
            }
        };
        let (shelves, whose) = (self.shelves(), workspace.clone());
        let in_tables = self.there(async move { of_tables(&shelves, &whose, since_us, hours).await }).await?;
        let look = move |group: &[u8], sums: &mut Sums| {
            for row in rows::rows(group) {
                if let Booked::Call(call) = row
                    && call.workspace == workspace.as_str()
                    && (hours.0..hours.1).contains(&lines::hour(call.at_us))
                {
                    add(sums, lines::sum(&call));
                }
            }
            false
        };
        let sums = self.scan(still.at(), in_tables, look).await?;
        drop(still);
        Ok(sums.into_values().collect())
    }
}

fn add(sums: &mut Sums, sum: Usages) {
    let of = (sum.from_us, sum.credential, sum.model.clone());
    sums.entry(of).and_modify(|known| known.add(&sum)).or_insert(sum);
}

async fn of_tables(
    shelves: &Shelves,
    workspace: &WorkspaceId,
    since_us: i64,
    (first, until_us): Hours,
) -> Result<Sums, Unreadable> {
    let last = Day::of(until_us.saturating_sub(1));
    let between = shelves.between(Day::of(since_us), last).map_err(|error| unreadable(&error))?;
    let mut sums = Sums::new();
    for shelf in between {
        let open = shelf.open().await.map_err(|trouble| unreadable(&trouble))?;
        let Some(mut open) = open else { continue };
        let lines = open.lines(("ledger.usage", USAGE), told::read_usage, |query| {
            query.bind(workspace.as_str()).bind(first).bind(until_us)
        });
        lines.await.map_err(|trouble| unreadable(&trouble))?.into_iter().for_each(|sum| add(&mut sums, sum));
    }
    Ok(sums)
}
