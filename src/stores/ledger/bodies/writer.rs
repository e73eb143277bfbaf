//! The one thread that writes bodies, and drops the days of those that are to be kept no longer.
//!
//! Owns the rhythm, and which files are open. A disk that refuses costs bodies, never a call.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::{Connection as _, SqliteConnection};
use tidegate_actors::WorkspaceId;
use tidegate_actors::ports::clock::ClockRef;
use tokio::sync::{mpsc, oneshot};

use super::body::{Mask, Packed};
use super::metrics::BodyMetrics;
use super::{KeepDays, Share, Shelves, Written};
use crate::stores::ledger::days::{Day, Days};
use crate::stores::sql::Place as _;
use crate::stores::sqlite::BEGIN_TO_WRITE;
use crate::stores::trouble::Trouble;

/// How long the first job of a group waits for others.
const GATHER: Duration = Duration::from_millis(20);
/// Jobs of one group.
const GROUP_JOBS: usize = 1_024;
/// How often it is looked what is to be kept no longer.
const LOOK: Duration = Duration::from_secs(600);
/// Files that stay open.
const OPEN_FILES: usize = 8;

const ADD_BODY: &str = "INSERT INTO bodies (sha256, length, packed, bytes) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (sha256) DO NOTHING";
const ADD_EXCHANGE: &str = "INSERT INTO exchanges (call, at_us, request, answer) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (call) DO NOTHING";

/// What the writer is to do.
pub(super) enum Job {
    Keep(Written, Share),
    /// Told when what was handed over before is written, or cannot be.
    Flush(oneshot::Sender<()>),
    End,
}

/// See the module.
pub(super) struct Writer {
    shelves: Shelves,
    mask: Mask,
    keep_days: KeepDays,
    clock: ClockRef,
    metrics: BodyMetrics,
    open: BTreeMap<Place, SqliteConnection>,
    /// The disk refused something: it is told once.
    refused: bool,
}

/// Whose, and of which day.
type Place = (WorkspaceId, Day);

impl Writer {
    pub(super) fn new(
        shelves: Shelves,
        mask: Mask,
        keep_days: KeepDays,
        clock: ClockRef,
        metrics: BodyMetrics,
    ) -> Self {
        Self { shelves, mask, keep_days, clock, metrics, open: BTreeMap::new(), refused: false }
    }

    pub(super) async fn run(mut self, mut jobs: mpsc::UnboundedReceiver<Job>) {
        self.drop_old().await;
        loop {
            let first = tokio::select! {
                biased;
                job = jobs.recv() => job,
                () = tokio::time::sleep(LOOK) => {
                    self.drop_old().await;
                    continue;
                }
            };
            let Some(first) = first else { break };
            if matches!(first, Job::Keep(..)) {
                tokio::time::sleep(GATHER).await;
            }
            let more = std::iter::from_fn(|| jobs.try_recv().ok());
            let group: Vec<Job> = std::iter::once(first).chain(more.take(GROUP_JOBS)).collect();
            if !self.carry_out(group).await {
                break;
            }
        }
        for connection in std::mem::take(&mut self.open).into_values() {
            // What is committed is on disk, however the file is closed.
            let _ = connection.close().await;
        }
    }

    /// False if it was told to end.
    async fn carry_out(&mut self, group: Vec<Job>) -> bool {
        let (mut places, mut asked, mut ends) = (BTreeMap::<Place, Vec<_>>::new(), Vec::new(), false);
        for job in group {
            match job {
                Job::Keep(written, share) => {
                    let place = (written.workspace.clone(), Day::of(written.at_us));
                    places.entry(place).or_default().push((written, share));
                }
                Job::Flush(told) => asked.push(told),
                Job::End => ends = true,
            }
        }
        for (place, drafts) in places {
            let count = drafts.len();
            let kept = self.keep(place, drafts).await;
            self.told(kept, count);
        }
        for told in asked {
            // Who left needs no answer.
            let _ = told.send(());
        }
        !ends
    }

    async fn keep(&mut self, place: Place, drafts: Vec<(Written, Share)>) -> Result<(), Trouble> {
        let Some(days) = self.shelves.of(place.0.as_str()) else {
            return Err(Trouble::Closed(format!("{:?} cannot be the name of a folder", place.0.as_str())));
        };
        let file = days.file(place.1);
        let mut connection = match self.open.remove(&place) {
            Some(connection) => connection,
            None => file.open().await?,
        };
        // A connection that failed is not used again.
        let written = self.write(&mut connection, drafts).await;
        written.map_err(|error| file.trouble(&error))?;
        self.open.insert(place, connection);
        while self.open.len() > OPEN_FILES {
            if let Some((_, first)) = self.open.pop_first() {
                let _ = first.close().await; // as above
            }
        }
        Ok(())
    }

    async fn write(&self, on: &mut SqliteConnection, drafts: Vec<(Written, Share)>) -> sqlx::Result<()> {
        let (mut kept, mut equal) = (0, 0);
        let mut transaction = on.begin_with(BEGIN_TO_WRITE).await?;
        for (written, _share) in drafts {
            let request = Packed::of(&self.mask.over(&written.request));
            let answer = written.answer.map(|pieces| pieces.concat()).filter(|answer| !answer.is_empty());
            let answer = answer.map(|answer| Packed::of(&self.mask.over(&answer)));
            let names = [Some(&request), answer.as_ref()].map(|body| body.map(|body| hex::encode(body.sha)));
            for body in std::iter::once(request).chain(answer) {
                let query = sqlx::query(ADD_BODY).bind(hex::encode(body.sha)).bind(body.length as i64);
                let query = query.bind(i64::from(body.is_packed)).bind(body.bytes);
                let added = query.execute(&mut *transaction).await?.rows_affected();
                (kept, equal) = (kept + added, equal + (1 - added.min(1)));
            }
            let [request, answer] = names;
            let query = sqlx::query(ADD_EXCHANGE).bind(written.call.to_string()).bind(written.at_us);
            query.bind(request).bind(answer).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        self.metrics.kept.inc_by(kept);
        self.metrics.equal.inc_by(equal);
        Ok(())
    }

    /// Drops whole days of every workspace that keeps them no longer, and all of one that keeps none.
    async fn drop_old(&mut self) {
        let today = Day::of(self.clock.unix_us());
        let workspaces = self.shelves.workspaces().map_err(|error| Trouble::Closed(error.to_string()));
        let workspaces = match workspaces {
            Ok(workspaces) => workspaces,
            Err(trouble) => return self.told(Err(trouble), 0),
        };
        for workspace in workspaces {
            let Some(days) = self.shelves.of(&workspace) else { continue };
            let workspace = WorkspaceId::new(workspace);
            let first = match (self.keep_days)(&workspace) {
                Some(keep) => today.before(keep),
                None => today.after(1),
            };
            self.drop_before(&workspace, &days, first).await;
        }
    }

    async fn drop_before(&mut self, workspace: &WorkspaceId, days: &Days, first: Day) {
        let is_old = |(of, day): &Place| of == workspace && *day < first;
        let old: Vec<Place> = self.open.keys().filter(|place| is_old(place)).cloned().collect();
        for place in old {
            if let Some(connection) = self.open.remove(&place) {
                let _ = connection.close().await; // its file goes now
            }
        }
        match days.drop_before(first) {
            Ok(0) => {}
            Ok(days) => tracing::info!(days, %workspace, "dropped days of bodies that are kept no longer"),
            Err(error) => {
                tracing::warn!(%workspace, "bodies that are kept no longer cannot be dropped: {error}")
            }
        }
    }

    /// Counts what the disk refused, and says it once.
    fn told(&mut self, done: Result<(), Trouble>, drafts: usize) {
        match done {
            Err(trouble) => {
                self.metrics.failed.inc_by(drafts as u64);
                if !std::mem::replace(&mut self.refused, true) {
                    tracing::error!("requests and answers cannot be kept (bodies/ in data.dir): {trouble}");
                }
            }
            Ok(()) => {
                if std::mem::take(&mut self.refused) {
                    tracing::info!("requests and answers are kept again");
                }
            }
        }
    }
}
