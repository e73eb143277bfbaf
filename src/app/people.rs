//! Owns how it is known who may do what: the roster of a server, how it follows what is stored, and the office of a command.

use std::path::Path;
use std::sync::{Arc, Weak};

use prometheus_client::registry::Registry;
use tidegate_actors::ports::clock::{ClockRef, SystemClock};
use tokio::task::JoinHandle;

use super::stored::{self, Stored, unusable};
use crate::cli::{Books, ServeError, Settled};
use crate::config::{Access, Config};
use crate::identity::{Office, OfficeError, Password, Roster, SignInRules};
use crate::stores::{DataLock, Database, Io, People, Target, Watch, followed, upkeep};

/// How often a server looks whether commands changed what is stored, milliseconds. One look is one `stat` of a file, or one
/// statement that reads one number.
const LOOK_MS: u64 = 50;
/// Looks between two tries of a database that could not be used.
const LOOKS_PER_PROBE: u32 = 20;
/// How often, and how many times, a command looks whether the server has followed.
const SETTLE_MS: u64 = 10;
const SETTLE_LOOKS: u32 = 500;

/// Who may sign in where that is only shown.
const DEMO_USER: &str = "test_user";
const DEMO_PASSWORD: &str = "test_password";

fn sign_in_rules(access: &Access) -> SignInRules {
    let us = |ms: u64| i64::try_from(ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
    SignInRules {
        token_us: us(access.token_ms),
        session_us: us(access.session_ms),
        per_account: access.failures_per_account,
        per_address: access.failures_per_address,
    }
}

/// Who judges the requests of a server, and where keys are given if anything is kept.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) roster: Arc<Roster>,
    pub(super) office: Option<Arc<Office>>,
}

impl Identity {
    /// Reads who may do what.
    ///
    /// # Errors
    /// It cannot be read, or others can reach the server and nobody has a key.
    pub(super) fn open(
        config: &Config,
        stored: Option<&Stored>,
        clock: &ClockRef,
    ) -> Result<Self, ServeError> {
        let roster = Arc::new(Roster::open(Arc::clone(clock)));
        let office = stored.map(|stored| {
            let registry = Arc::new(People::of(&stored.database));
            let rules = sign_in_rules(&config.access);
            let office = Office::with_rules(registry, Arc::clone(&roster), Arc::clone(clock), rules);
            Arc::new(office.counting(stored::books(Some(stored))))
        });
        if let (Some(stored), Some(office)) = (stored, &office) {
            let (office, demo) = (Arc::clone(office), config.access.demo);
            let read = stored.database.io().wait(async move {
                if demo {
                    let password = Password::new(DEMO_PASSWORD).map_err(OfficeError::from)?;
                    office.admit_guest(DEMO_USER, password).await?;
                }
                office.refresh().await.map_err(OfficeError::from)
            })?;
            read.ok_or("the work was broken off")?.map_err(|fault| fault.to_string())?;
        }
        let listen = &config.listen;
        if listen.ip().is_some_and(|ip| !ip.is_loopback()) {
            roster.guard();
            if !roster.lets_somebody_in() {
                return Err(nobody_may(&listen.host, &config.data.dir).into());
            }
        }
        Ok(Self { roster, office })
    }

    /// Follows what is stored until the lock is let go of.
    pub(super) fn follow(&self, stored: &mut Stored, clock: &ClockRef) -> Result<JoinHandle<()>, ServeError> {
        let (Some(office), Some(watch)) = (self.office.clone(), stored.watch.take()) else {
            return Err("nothing is kept".into());
        };
        let following = Following {
            office,
            watch,
            database: stored.database.clone(),
            lock: Arc::downgrade(stored.lock()),
            clock: Arc::clone(clock),
        };
        Ok(stored.database.io().handle()?.spawn(following.run()))
    }

    /// Notes what commands and the next start are to know, when nobody is served any more.
    pub(super) async fn close(&self) {
        if let Some(office) = &self.office {
            note(office).await;
        }
    }
}

fn nobody_may(host: &str, dir: &str) -> String {
    format!(
        "listen.host = {host} can be reached from other machines and there is no key, so nobody could call; make one with\n  \
         tidegate key create --name ops --role operator --data {dir}\nor a person who signs in, with\n  \
         tidegate user create NAME --role operator --data {dir}\nor listen on 127.0.0.1"
    )
}

struct Following {
    office: Arc<Office>,
    watch: Watch,
    database: Database,
    lock: Weak<DataLock>,
    clock: ClockRef,
}

impl Following {
    async fn run(self) {
        let Self { office, mut watch, database, lock, clock } = self;
        let (mut noted, mut looks) = (0, 0_u32);
        loop {
            if watch.stirred(clock.unix_us()).await
                && let Err(fault) = office.refresh().await
            {
                tracing::warn!(
                    "who may do what cannot be read, what was read before stays in force: {fault}"
                );
            }
            let epoch = office.roster().contents().epoch;
            let Some(lock) = lock.upgrade() else { return };
            if noted != epoch {
                match watch.note(&lock, epoch).await {
                    Ok(()) => noted = epoch,
                    Err(trouble) => tracing::debug!("commands cannot be told what is in force: {trouble}"),
                }
            }
            drop(lock);
            looks = looks.wrapping_add(1);
            if looks.is_multiple_of(LOOKS_PER_PROBE) {
                database.probe().await;
                note(&office).await;
            }
            clock.sleep_until(clock.now().plus_ms(LOOK_MS)).await;
        }
    }
}

/// Notes what commands and the next start are to know of budgets.
async fn note(office: &Office) {
    if let Err(fault) = office.note().await {
        tracing::debug!("what was spent of budgets cannot be noted, the ledger has it: {fault}");
    }
}

/// The office of a command, beside a server or alone.
pub(super) fn books(config: &Config) -> Result<Books, ServeError> {
    if !config.data.keep {
        return Err("nothing is kept (data.keep = false), so there are no keys".into());
    }
    let dir: Arc<Path> = Arc::from(Path::new(&config.data.dir));
    let told = |trouble| unusable(config, &trouble);
    let target = Target::of(&dir, &config.database).map_err(told)?;
    let (clock, io): (ClockRef, Io) = (Arc::new(SystemClock::new()), Io::default());
    // While it is held no server starts from the directory; there is none to hold if one runs.
    let alone = DataLock::beside(&dir)?;
    let is_alone = if target.is_shared() { !is_followed(config, &io, &target)? } else { alone.is_some() };
    if !is_alone {
        let own = target.clone();
        let layout = io.wait(async move { upkeep::layout(&own).await })?.ok_or("the work was broken off")?;
        layout.map_err(told)?;
    }
    let database = Database::open(&dir, &config.database, &io, &clock, &mut Registry::default());
    let database = database.map_err(told)?;
    let roster = Arc::new(Roster::open(Arc::clone(&clock)));
    let office = Office::new(Arc::new(People::of(&database)), roster, clock);
    let settle = Box::new(move |office: &Office| {
        if alone.is_some() && !target.is_shared() {
            return Settled::Yes;
        }
        let (epoch, dir, target) = (office.roster().contents().epoch, Arc::clone(&dir), target.clone());
        let settled = io.wait(async move {
            for _ in 0..SETTLE_LOOKS {
                let followed = followed(&dir, &target).await;
                if followed.is_ok_and(|followed| followed.is_none_or(|followed| followed >= epoch)) {
                    return Settled::Yes;
                }
                tokio::time::sleep(std::time::Duration::from_millis(SETTLE_MS)).await;
            }
            Settled::NotYet
        });
        settled.ok().flatten().unwrap_or(Settled::NotYet)
    });
    Ok(Books { office, settle })
}

/// Whether a server follows the database.
fn is_followed(config: &Config, io: &Io, target: &Target) -> Result<bool, ServeError> {
    let (dir, own) = (Arc::<Path>::from(Path::new(&config.data.dir)), target.clone());
    let followed = io.wait(async move { followed(&dir, &own).await })?.ok_or("the work was broken off")?;
    Ok(followed.map_err(|trouble| unusable(config, &trouble))?.is_some())
}
