//! Bodies: what calls asked and were told, a file for each workspace and UTC day.
//!
//! Owns what may wait to be written, in bytes: what has no room is not kept, and counted; nobody waits. Hashing, masking and
//! packing are the writing thread's work, which takes only the time nobody else wants. Must not decide who keeps bodies.

mod body;
mod metrics;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;
use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use sqlx::Row as _;
use tidegate_actors::ports::bodies::{Bodies, Exchange, Keeping, KeptBody};
use tidegate_actors::ports::books::{Reading, Unreadable};
use tidegate_actors::ports::clock::ClockRef;
use tidegate_actors::{CallId, WorkspaceId};
use tokio::sync::{mpsc, oneshot};

use self::body::{Mask, Packed};
use self::metrics::BodyMetrics;
use self::writer::{Job, Writer};
use super::days::Days;
use super::read::days_of;
use super::shelves::open_to_read;
use super::told;
use crate::config;
use crate::stores::aside;
use crate::stores::io::Io;
use crate::stores::schema::BODIES;
use crate::stores::sql::Place as _;

/// What waiting takes beside the bytes of the bodies.
const DRAFT_BYTES: usize = 512;

const FIND: &str = "SELECT request.sha256, request.length, request.packed, request.bytes, \
    answer.sha256, answer.length, answer.packed, answer.bytes FROM exchanges \
    JOIN bodies AS request ON request.sha256 = exchanges.request \
    LEFT JOIN bodies AS answer ON answer.sha256 = exchanges.answer WHERE call = $1";

/// For how many days a workspace keeps bodies; nothing where it keeps none.
pub type KeepDays = Arc<dyn Fn(&WorkspaceId) -> Option<u32> + Send + Sync>;

/// Keeps bodies in a folder. Clones are one; it is ended with [`BodyKeeper::end`].
#[derive(Clone)]
pub struct BodyKeeper(Arc<Inner>);

struct Inner {
    shelves: Shelves,
    keep_days: KeepDays,
    clock: ClockRef,
    metrics: BodyMetrics,
    jobs: mpsc::UnboundedSender<Job>,
    room: Arc<Room>,
    io: Io,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Where the days of each workspace lie.
#[derive(Debug, Clone)]
struct Shelves(Arc<Path>);

impl Shelves {
    /// Those of a workspace; nothing for an id that cannot be a folder's name. Ids are made here, none is like that.
    fn of(&self, workspace: &str) -> Option<Days> {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
        let fits = !workspace.is_empty() && workspace.chars().all(is_plain);
        fits.then(|| Days::new(self.0.join(workspace), &BODIES))
    }

    /// Every workspace that has some.
    fn workspaces(&self) -> io::Result<Vec<String>> {
        match std::fs::read_dir(&self.0) {
            Ok(entries) => {
                let names = entries.map(|entry| Ok(entry?.file_name().into_string().unwrap_or_default()));
                names.collect()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// Bytes that wait to be written.
struct Room {
    taken: AtomicUsize,
    shown: Gauge,
    most: usize,
    most_of_body: usize,
}

impl Room {
    fn take(&self, bytes: usize) -> bool {
        let more = |taken: usize| taken.checked_add(bytes).filter(|taken| *taken <= self.most);
        let is_free = self.taken.fetch_update(Ordering::AcqRel, Ordering::Relaxed, more).is_ok();
        if is_free {
            self.shown.inc_by(bytes as i64);
        }
        is_free
    }

    fn give(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::AcqRel);
        self.shown.dec_by(bytes as i64);
    }
}

impl BodyKeeper {
    /// Keeps bodies in `bodies/` of the data directory `dir`; `keep_days` says whose.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn open(
        dir: &Path,
        settings: &config::Ledger,
        keep_days: KeepDays,
        clock: &ClockRef,
        registry: &mut Registry,
    ) -> io::Result<Self> {
        let folder: PathBuf = dir.join("bodies");
        let shelves = Shelves(folder.into());
        let metrics = BodyMetrics::register(registry);
        let (most, most_of_body) = (settings.bodies_queue_bytes, settings.body_max_bytes);
        let room =
            Arc::new(Room { taken: AtomicUsize::new(0), shown: metrics.waiting.clone(), most, most_of_body });
        let (jobs, given) = mpsc::unbounded_channel(); // its jobs take room first
        let mask = Mask::new().map_err(io::Error::other)?;
        let writer =
            Writer::new(shelves.clone(), mask, Arc::clone(&keep_days), Arc::clone(clock), metrics.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = aside::spawn("tidegate-bodies", move || runtime.block_on(writer.run(given)))?;
        let (clock, io, thread) = (Arc::clone(clock), Io::default(), Mutex::new(Some(thread)));
        Ok(Self(Arc::new(Inner { shelves, keep_days, clock, metrics, jobs, room, io, thread })))
    }

    /// Writes what was handed over. Nothing is kept from here on. Blocks.
    pub fn end(&self) {
        // A writer that is gone has nothing to end.
        let _ = self.0.jobs.send(Job::End);
        if let Some(thread) = self.0.thread.lock().take() {
            // A writer that panicked has said so; what it had not written is lost, as bodies may be.
            let _ = thread.join();
        }
    }
}

/// A call whose bodies are being kept.
struct Draft {
    keeper: Arc<Inner>,
    written: Option<Written>,
    /// Bytes of the answer so far, and of room it has.
    answered: usize,
    taken: usize,
}

/// What is handed over.
struct Written {
    call: CallId,
    workspace: WorkspaceId,
    at_us: i64,
    request: Bytes,
    /// Nothing where it is longer than may be kept.
    answer: Option<Vec<Bytes>>,
}

/// The room a job has until it is done.
struct Share {
    room: Arc<Room>,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.give(self.bytes);
    }
}

impl Keeping for Draft {
    fn add(&mut self, piece: &Bytes) {
        let Some(written) = &mut self.written else { return };
        let Some(answer) = &mut written.answer else { return };
        let room = &self.keeper.room;
        self.answered += piece.len();
        let fits = self.answered <= room.most_of_body;
        if fits && room.take(piece.len()) {
            self.taken += piece.len();
            answer.push(piece.clone());
            return;
        }
        written.answer = None;
        let metrics = &self.keeper.metrics;
        if fits {
            metrics.dropped.inc()
        } else {
            metrics.too_large.inc()
        };
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let share = Share { room: Arc::clone(&self.keeper.room), bytes: self.taken };
        if let Some(written) = self.written.take() {
            // A writer that is gone drops it, and with it its room.
            let _ = self.keeper.jobs.send(Job::Keep(written, share));
        }
    }
}

impl Bodies for BodyKeeper {
    fn begin(&self, call: CallId, workspace: &WorkspaceId, request: &Bytes) -> Option<Box<dyn Keeping>> {
        let Inner { keep_days, room, metrics, clock, .. } = &*self.0;
        keep_days(workspace)?;
        if request.len() > room.most_of_body {
            metrics.too_large.inc();
            return None;
        }
        let taken = DRAFT_BYTES + request.len();
        if !room.take(taken) {
            metrics.dropped.inc();
            return None;
        }
        let (workspace, request, at_us) = (workspace.clone(), request.clone(), clock.unix_us());
        let written = Some(Written { call, workspace, at_us, request, answer: Some(Vec::new()) });
        Some(Box::new(Draft { keeper: Arc::clone(&self.0), written, answered: 0, taken }))
    }

    fn find(&self, call: CallId, workspace: &WorkspaceId) -> Reading<Option<Exchange>> {
        let keeper = Arc::clone(&self.0);
        let days = keeper.shelves.of(workspace.as_str());
        Box::pin(async move {
            let Some(days) = days else { return Ok(None) };
            let (done, written) = oneshot::channel();
            // Where nothing is written any more, what was written before can be read all the same.
            if keeper.jobs.send(Job::Flush(done)).is_ok() {
                let _ = written.await;
            }
            let handle = keeper.io.handle().map_err(|error| Unreadable(error.to_string().into()))?;
            let metrics = keeper.metrics.clone();
            let found = handle.spawn(async move { find(&days, call, &metrics).await });
            found.await.map_err(|broken| Unreadable(broken.to_string().into()))?
        })
    }
}

async fn find(days: &Days, call: CallId, metrics: &BodyMetrics) -> Result<Option<Exchange>, Unreadable> {
    let unreadable = |trouble: &dyn std::fmt::Display| Unreadable(trouble.to_string().into());
    let (first, next) = days_of(call);
    for day in days.between(first, next).map_err(|error| unreadable(&error))? {
        let file = days.file(day);
        let told = |error: &sqlx::Error| unreadable(&file.named(file.trouble(error)));
        let opened = open_to_read(&file).await.map_err(|trouble| unreadable(&file.named(trouble)));
        let Some(mut connection) = opened? else {
            continue;
        };
        let found = sqlx::query(FIND).bind(call.to_string()).fetch_optional(&mut connection).await;
        let Some(line) = found.map_err(|error| told(&error))? else { continue };
        let packed = |first: usize| -> sqlx::Result<Option<Packed>> {
            let Some(sha) = line.try_get::<Option<&str>, _>(first)? else { return Ok(None) };
            Ok(Some(Packed {
                sha: told::sha(sha).unwrap_or_default(),
                length: usize::try_from(line.try_get::<i64, _>(first + 1)?).unwrap_or_default(),
                is_packed: line.try_get::<i64, _>(first + 2)? != 0,
                bytes: line.try_get(first + 3)?,
            }))
        };
        let opened = |packed: Packed| {
            let sha = packed.sha;
            packed.open().map(|bytes| KeptBody { sha, bytes }).ok_or_else(|| {
                metrics.corrupt.inc();
                Unreadable(format!("the body {} is damaged", hex::encode(sha)).into())
            })
        };
        let request = packed(0).map_err(|error| told(&error))?;
        let answer = packed(4).map_err(|error| told(&error))?;
        let Some(request) = request else { continue };
        return Ok(Some(Exchange { request: opened(request)?, answer: answer.map(opened).transpose()? }));
    }
    Ok(None)
}
