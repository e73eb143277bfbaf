//! Owns how what outlives the process is opened, who has it, and the commands that look after it.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::registry::Registry;
use tidegate_actors::WorkspaceId;
use tidegate_actors::ports::bodies::Bodies;
use tidegate_actors::ports::books::Books;
use tidegate_actors::ports::clock::{Clock, ClockRef, SystemClock};
use tidegate_actors::ports::ledger::{Ledger, NoLedger};
use tidegate_actors::ports::tier::TierStore;

use super::ledger;
use crate::cli::{ServeError, Told, Upkeep};
use crate::config::Config;
use crate::http::Backing;
use crate::identity::Roster;
use crate::stores::ledger::{BodyKeeper, BookKeeper, Prices};
use crate::stores::{DataLock, Database, Io, Target, Trouble, Warm, Watch, followed, upkeep};
use crate::telemetry::when::written;

/// The data directory of a server.
pub(super) struct Stored {
    pub(super) database: Database,
    /// How it is heard that others changed the database, until somebody listens.
    pub(super) watch: Option<Watch>,
    /// The ledger, if it is kept.
    books: Option<BookKeeper>,
    /// What calls ask and are told, for workspaces that keep it.
    bodies: OnceLock<BodyKeeper>,
    /// Answers behind memory, where they are kept.
    warm: Option<Warmed>,
    /// What keeps its queries fast.
    rhythm: upkeep::Rhythm,
    /// Held until the process ends.
    lock: Arc<DataLock>,
}

impl Stored {
    /// Takes the data directory and opens what lies in it; nothing where nothing is to be kept.
    pub(super) fn open(
        config: &Config,
        clock: &ClockRef,
        prices: &Arc<Prices>,
        registry: &mut Registry,
    ) -> Result<Option<Self>, ServeError> {
        if !config.data.keep {
            return Ok(None);
        }
        let dir = Path::new(&config.data.dir);
        let lock = DataLock::take(dir, "tidegate serve")?;
        let database = Database::open(dir, &config.database, &Io::default(), clock, registry);
        let database = database.map_err(|trouble| unusable(config, &trouble))?;
        let watch = Watch::start(&database).map_err(|trouble| unusable(config, &trouble))?;
        let books = ledger::open(config, clock, prices, &database)?;
        let warm = if config.cache.warm { warm(dir, config, clock, registry) } else { None };
        let every = Duration::from_millis(config.database.optimize_ms);
        let rhythm = upkeep::Rhythm::start(dir, &database, every, clock)?;
        Ok(Some(Self {
            database,
            rhythm,
            watch: Some(watch),
            books,
            bodies: OnceLock::new(),
            warm,
            lock: Arc::new(lock),
        }))
    }

    /// What makes the directory ours.
    pub(super) fn lock(&self) -> &Arc<DataLock> {
        &self.lock
    }

    /// What keeps answers behind memory.
    pub(super) fn tier(&self) -> Option<Arc<dyn TierStore>> {
        self.warm.as_ref().map(|Warmed(warm)| Arc::new(warm.clone()) as _)
    }

    /// Lets those who listen to the ledger hear what was told until now, and nothing more.
    pub(super) fn silence(&self) -> impl Future<Output = ()> + use<> {
        let books = self.books.clone();
        async move {
            if let Some(books) = books {
                books.fall_silent().await;
            }
        }
    }

    /// What `/ready` looks at.
    pub(super) fn backing(&self) -> Vec<Backing> {
        let database = self.database.clone();
        let trouble = move || database.ailment().map(|trouble| trouble.to_string());
        let database = Backing { part: "database", trouble: Box::new(trouble) };
        let ledger = self.books.clone().map(|books| {
            let trouble = move || books.failure().map(|why| why.to_string());
            Backing { part: "ledger", trouble: Box::new(trouble) }
        });
        std::iter::once(database).chain(ledger).collect()
    }

    /// Lets go of it, when nothing is under way any more.
    pub(super) async fn close(self) {
        // Nobody is served any more: the thread may wait for the disk.
        self.books.iter().for_each(BookKeeper::end);
        self.bodies.get().into_iter().for_each(BodyKeeper::end);
        self.rhythm.end().await;
        self.database.close().await;
    }
}

/// Ends the books of a server that does not come to be, so that whoever tries again finds them free.
pub(super) struct EndBooks(Option<BookKeeper>);

impl EndBooks {
    pub(super) fn of(stored: Option<&Stored>) -> Self {
        Self(stored.and_then(|stored| stored.books.clone()))
    }

    /// They are needed.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }
}

impl Drop for EndBooks {
    fn drop(&mut self) {
        self.0.iter().for_each(BookKeeper::end);
    }
}

/// What engines write into.
pub(super) fn ledger(stored: Option<&Stored>) -> Arc<dyn Ledger> {
    match stored.and_then(|stored| stored.books.as_ref()) {
        Some(books) => Arc::new(books.clone()),
        None => Arc::new(NoLedger),
    }
}

/// What doors read.
pub(super) fn books(stored: Option<&Stored>) -> Option<Arc<dyn Books>> {
    let books = stored?.books.as_ref()?;
    Some(Arc::new(books.reader()))
}

/// Where bodies are kept: as the ledger is, for the workspaces that `roster` says.
pub(super) fn bodies(
    stored: Option<&Stored>,
    config: &Config,
    (roster, clock): (&Arc<Roster>, &ClockRef),
    registry: &mut Registry,
) -> Result<Option<Arc<dyn Bodies>>, ServeError> {
    let Some(stored) = stored.filter(|stored| stored.books.is_some()) else { return Ok(None) };
    let (roster, most) = (Arc::clone(roster), config.ledger.bodies_days);
    let days = move |workspace: &WorkspaceId| {
        let days = roster.body_days(workspace)?;
        Some(u32::try_from(days).map_or(most, |days| days.min(most)))
    };
    let dir = Path::new(&config.data.dir);
    let keeper = BodyKeeper::open(dir, &config.ledger, Arc::new(days), clock, registry)?;
    Ok(Some(Arc::new(stored.bodies.get_or_init(|| keeper).clone())))
}

/// Answers behind memory, closed when the server is, or when it does not come to be.
struct Warmed(Warm);

impl Drop for Warmed {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Answers can be asked for again: that they cannot be kept stops no server.
fn warm(dir: &Path, config: &Config, clock: &ClockRef, registry: &mut Registry) -> Option<Warmed> {
    let opened = Warm::open(dir, config.cache.warm_max_bytes as u64, clock, registry);
    let refused = |error: &std::io::Error| {
        tracing::warn!(dir = %dir.display(), %error, "answers are kept in memory alone (cache.warm)");
    };
    opened.inspect_err(refused).ok().map(Warmed)
}

/// Why the main database cannot be used, and which that is.
pub(super) fn unusable(config: &Config, trouble: &Trouble) -> ServeError {
    let dir = Path::new(&config.data.dir);
    match Target::of(dir, &config.database) {
        Ok(target) if target.is_shared() => format!("the {}: {trouble}", target.shown()).into(),
        Ok(_) => format!("the database in {}: {trouble}", dir.display()).into(),
        Err(_) => trouble.to_string().into(), // it says itself what cannot be read
    }
}

/// Looks after the main database; says what there is to say, name by name.
pub(super) fn upkeep(config: &Config, what: Upkeep) -> Result<Told, ServeError> {
    let dir = Path::new(&config.data.dir);
    let told = |trouble: Trouble| unusable(config, &trouble);
    let target = Target::of(dir, &config.database).map_err(told)?;
    let shown = |name: &str, value: String| (name.to_owned(), value);
    let own = target.clone();
    Ok(match what {
        Upkeep::Status => match wait(async move { upkeep::look(&own).await })?.map_err(told)? {
            Some(condition) => condition_told(&condition),
            None => vec![shown("database", format!("none in {}; a server makes it", place(dir, &target)))],
        },
        Upkeep::Migrate => {
            let _lock = alone(config, &target, "tidegate db migrate")?;
            let version = wait(async move { upkeep::migrate(&own).await })?.map_err(told)?;
            vec![shown("layout", version.to_string())]
        }
        Upkeep::Backup(to) => back_up(config, &target, &to)?,
        Upkeep::Restore(from) => {
            let _lock = alone(config, &target, "tidegate db restore")?;
            let (dir, copy) = (dir.to_owned(), from.clone());
            let before = wait(async move { upkeep::restore(&dir, &own, &copy).await })?;
            let before = before.map_err(|trouble| format!("{}: {trouble}", from.display()))?;
            let before = before.map_or("nothing".to_owned(), |path| path.display().to_string());
            vec![shown("restored", from.display().to_string()), shown("before", before)]
        }
        Upkeep::Optimize => {
            let now_us = SystemClock::new().unix_us();
            let folder = dir.to_owned();
            let left = wait(async move { upkeep::optimize(&folder, &own, now_us).await })?;
            let left: Vec<String> = left.iter().map(|(at, trouble)| format!("{at}: {trouble}")).collect();
            if !left.is_empty() {
                return Err(left.join("\n").into());
            }
            vec![shown("optimized", place(dir, &target))]
        }
    })
}

fn back_up(config: &Config, target: &Target, to: &Path) -> Result<Told, ServeError> {
    let dir = Path::new(&config.data.dir);
    // Nobody else folds what is in the journal while we do.
    let lock = alone(config, target, "tidegate db backup");
    let unfolded = match &lock {
        Ok(_) => ledger::fold(config).map(|()| ""),
        Err(_) => Ok("calls that a running server holds in its journal, mostly of the last second; "),
    }?;
    // Bodies are files, whatever the database is.
    let bodies = dir.join("bodies");
    let bodies = match target.is_shared() && bodies.exists() {
        true => format!("bodies, which lie in {}; ", bodies.display()),
        false => String::new(),
    };
    let (from, own, copy) = (dir.to_owned(), target.clone(), to.to_owned());
    let copied = wait(async move { upkeep::back_up(&from, &own, &copy).await })?;
    let upkeep::Copied { files, bytes } = copied.map_err(|trouble| unusable(config, &trouble))?;
    Ok([
        ("backup", to.display().to_string()),
        ("files", files.to_string()),
        ("bytes", bytes.to_string()),
        ("left out", format!("{unfolded}{bodies}answers behind memory, which can be asked for again")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into())
}

/// Whoever changes a database as a whole must be alone with it: nobody else has the directory while the lock is held, and
/// no server follows the database.
fn alone(config: &Config, target: &Target, command: &str) -> Result<DataLock, ServeError> {
    let dir = Arc::<Path>::from(Path::new(&config.data.dir));
    let lock = DataLock::take(&dir, command)?;
    if target.is_shared() {
        let own = target.clone();
        let followed = wait(async move { followed(&dir, &own).await })?;
        if followed.map_err(|trouble| unusable(config, &trouble))?.is_some() {
            return Err(format!("the {} is in use by a server; stop it first", target.shown()).into());
        }
    }
    Ok(lock)
}

fn place(dir: &Path, target: &Target) -> String {
    if target.is_shared() { target.shown() } else { dir.display().to_string() }
}

fn wait<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T, ServeError> {
    Io::default().wait(work)?.ok_or_else(|| "the work was broken off".into())
}

fn condition_told(condition: &upkeep::Condition) -> Told {
    let upkeep::Condition { at, engine, bytes, layout, latest, check, tables, optimized_us } = condition;
    let layout = match layout == latest {
        true => layout.to_string(),
        false => format!("{layout} (this version makes {latest}; `tidegate db migrate`)"),
    };
    let mut told = vec![
        ("database".to_owned(), at.clone()),
        ("engine".to_owned(), engine.clone()),
        ("bytes".to_owned(), bytes.to_string()),
        ("layout".to_owned(), layout),
        ("optimized".to_owned(), optimized_us.map_or("never".to_owned(), written)),
    ];
    told.extend(check.iter().map(|check| ("check".to_owned(), check.clone())));
    told.extend(tables.iter().map(|(name, rows)| (format!("rows in {name}"), rows.to_string())));
    told
}
