//! Workspaces, keys and limits in the main database: the adapter of [`Registry`] and its statements, which SQLite and
//! PostgreSQL both read. Must not judge what it stores.

use futures_util::future::BoxFuture;
use tidegate_actors::WorkspaceId;

use super::database::Database;
use super::sql::{Connection, Row};
use super::trouble::Trouble;
use crate::identity::{
    Change, Contents, Door, KeyHash, KeyRow, Limit, LimitName, Pending, Registry, RegistryFault, Renewal,
    Renewed, Role, Scopes, SessionRow, Span, SpentRow, Workspace,
};

mod persons;
mod sessions;

pub(super) const EPOCH: &str = "SELECT value FROM facts WHERE name = 'people_epoch'";
const NEXT_EPOCH: &str = "UPDATE facts SET value = value + 1 WHERE name = 'people_epoch' RETURNING value";
const WORKSPACES: &str = "SELECT id, name, created_us FROM workspaces ORDER BY created_us, id";
const KEYS: &str = "SELECT id, short, name, workspace, role, sha256, doors, models, created_us, expires_us, revoked_us \
    FROM api_keys ORDER BY id";
const LIMITS: &str = "SELECT subject, name, value FROM limits ORDER BY subject, name";
const SET_LIMIT: &str = "INSERT INTO limits (subject, name, value) VALUES ($1, $2, $3) \
    ON CONFLICT (subject, name) DO UPDATE SET value = excluded.value";
const LIFT_LIMIT: &str = "DELETE FROM limits WHERE subject = $1 AND name = $2";
const SPENT: &str = "SELECT subject, span, from_us, nano, counted FROM spent ORDER BY subject, span";
const NOTE_SPENT: &str = "INSERT INTO spent (subject, span, from_us, nano, counted) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (subject, span) DO UPDATE SET from_us = excluded.from_us, \
    nano = CASE WHEN spent.from_us = excluded.from_us AND spent.nano > excluded.nano THEN spent.nano ELSE excluded.nano END, \
    counted = CASE WHEN spent.from_us = excluded.from_us THEN spent.counted ELSE 0 END + excluded.counted \
    WHERE spent.from_us <= excluded.from_us";
const ADD_WORKSPACE: &str = "INSERT INTO workspaces (id, name, created_us) VALUES ($1, $2, $3)";
const ADD_KEY: &str = "INSERT INTO api_keys \
    (id, short, name, workspace, role, sha256, doors, models, created_us, expires_us, revoked_us) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
const EXPIRE_KEY: &str =
    "UPDATE api_keys SET expires_us = $2 WHERE id = $1 AND (expires_us IS NULL OR expires_us > $2)";
const REVOKE_KEY: &str = "UPDATE api_keys SET revoked_us = $2 WHERE id = $1 AND revoked_us IS NULL";

/// Identity in the main database.
pub struct People(Database);

impl People {
    /// Stored in `database`.
    #[must_use]
    pub fn of(database: &Database) -> Self {
        Self(database.clone())
    }
}

impl Registry for People {
    fn read(&self) -> Pending<Contents> {
        told(self.0.read("people.read", |on| Box::pin(read(on))))
    }

    fn epoch(&self) -> Pending<u64> {
        told(self.0.read("people.epoch", |mut on| Box::pin(async move { epoch(&mut on).await })))
    }

    fn apply(&self, changes: Vec<Change>) -> Pending<u64> {
        told(self.0.write("people.apply", move |on| apply(on, changes.clone())))
    }

    fn begin_session(&self, session: SessionRow) -> Pending<()> {
        told(self.0.write("people.begin_session", move |on| sessions::begin(on, session.clone())))
    }

    fn spent(&self) -> Pending<Vec<SpentRow>> {
        told(
            self.0.read("people.spent", |mut on| {
                Box::pin(async move { on.query(SPENT).fetch_all(spent).await })
            }),
        )
    }

    fn note_spent(&self, rows: Vec<SpentRow>) -> Pending<()> {
        told(self.0.write("people.note_spent", move |on| note_spent(on, rows.clone())))
    }

    fn renew_session(&self, renewal: Renewal) -> Pending<Renewed> {
        told(self.0.write("people.renew_session", move |on| sessions::renew(on, renewal.clone())))
    }
}

fn told<T: 'static>(done: impl Future<Output = Result<T, Trouble>> + Send + 'static) -> Pending<T> {
    Box::pin(async move {
        done.await.map_err(|trouble| match trouble {
            Trouble::Conflict(what) => RegistryFault::Conflict(what),
            other => RegistryFault::Unavailable(other.to_string()),
        })
    })
}

async fn epoch(on: &mut Connection<'_>) -> Result<u64, sqlx::Error> {
    let epoch: i64 = on.query(EPOCH).fetch_one().await?.get(0)?;
    u64::try_from(epoch).map_err(damaged)
}

async fn read(mut on: Connection<'_>) -> Result<Contents, sqlx::Error> {
    let epoch = epoch(&mut on).await?;
    let workspaces = on.query(WORKSPACES).fetch_all(workspace).await?;
    let keys = on.query(KEYS).fetch_all(key).await?;
    let limits = on.query(LIMITS).fetch_all(limit).await?;
    let people = persons::all(&mut on).await?;
    let members = persons::members(&mut on).await?;
    let ended_sessions = sessions::ended(&mut on).await?;
    let token_key = sessions::token_key(&mut on).await?;
    Ok(Contents { epoch, workspaces, keys, limits, people, members, ended_sessions, token_key })
}

fn apply(mut on: Connection<'_>, changes: Vec<Change>) -> BoxFuture<'_, Result<u64, sqlx::Error>> {
    Box::pin(async move {
        for change in changes {
            store(&mut on, change).await?;
        }
        let epoch: i64 = on.query(NEXT_EPOCH).fetch_one().await?.get(0)?;
        u64::try_from(epoch).map_err(damaged)
    })
}

async fn store(on: &mut Connection<'_>, change: Change) -> Result<(), sqlx::Error> {
    let query = match change {
        Change::AddWorkspace(Workspace { id, name, created_us }) => {
            on.query(ADD_WORKSPACE).bind(id.as_str().to_owned()).bind(name).bind(created_us)
        }
        Change::AddKey(row) => {
            let KeyRow { id, short, name, workspace, role, hash, scopes, created_us, expires_us, revoked_us } =
                row;
            let (doors, models) = written(&scopes);
            let query = on.query(ADD_KEY).bind(id).bind(short).bind(name).bind(workspace.as_str().to_owned());
            let query = query.bind(role.name()).bind(hash.hex()).bind(doors).bind(models);
            query.bind(created_us).bind(expires_us).bind(revoked_us)
        }
        Change::ExpireKey { id, at_us } => on.query(EXPIRE_KEY).bind(id).bind(at_us),
        Change::SetLimit(Limit { subject, name, value }) => {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            on.query(SET_LIMIT).bind(subject).bind(name.name()).bind(value)
        }
        Change::LiftLimit { subject, name } => on.query(LIFT_LIMIT).bind(subject).bind(name.name()),
        Change::RevokeKey { id, at_us } => on.query(REVOKE_KEY).bind(id).bind(at_us),
        Change::KeepTokenKey(key) => return sessions::keep_token_key(on, &key).await,
        Change::EndSession { id, at_us } => return sessions::end(on, id, at_us).await,
        of_person => return persons::store(on, of_person).await,
    };
    query.execute().await.map(drop)
}

fn workspace(row: &Row) -> Result<Workspace, sqlx::Error> {
    Ok(Workspace { id: WorkspaceId::new(row.get::<String>(0)?), name: row.get(1)?, created_us: row.get(2)? })
}

fn key(row: &Row) -> Result<KeyRow, sqlx::Error> {
    let hash: String = row.get(5)?;
    Ok(KeyRow {
        id: row.get(0)?,
        short: row.get(1)?,
        name: row.get(2)?,
        workspace: WorkspaceId::new(row.get::<String>(3)?),
        role: role(row.get(4)?)?,
        hash: KeyHash::parse(&hash).ok_or_else(|| damaged(format!("{hash:?} is no SHA-256")))?,
        scopes: scopes(row.get(6)?, row.get(7)?)?,
        created_us: row.get(8)?,
        expires_us: row.get(9)?,
        revoked_us: row.get(10)?,
    })
}

fn limit(row: &Row) -> Result<Limit, sqlx::Error> {
    let (name, value): (String, i64) = (row.get(1)?, row.get(2)?);
    Ok(Limit {
        subject: row.get(0)?,
        name: LimitName::of(&name).ok_or_else(|| damaged(format!("{name:?} is no limit")))?,
        value: u64::try_from(value).map_err(damaged)?,
    })
}

fn spent(row: &Row) -> Result<SpentRow, sqlx::Error> {
    let span: String = row.get(1)?;
    Ok(SpentRow {
        subject: row.get(0)?,
        span: Span::of(&span).ok_or_else(|| damaged(format!("{span:?} is no span of a budget")))?,
        from_us: row.get(2)?,
        nano: row.get(3)?,
        counted: row.get(4)?,
    })
}

fn note_spent(mut on: Connection<'_>, rows: Vec<SpentRow>) -> BoxFuture<'_, Result<(), sqlx::Error>> {
    Box::pin(async move {
        for SpentRow { subject, span, from_us, nano, counted } in rows {
            let query = on.query(NOTE_SPENT).bind(subject).bind(span.name()).bind(from_us);
            query.bind(nano).bind(counted).execute().await?;
        }
        Ok(())
    })
}

fn role(word: String) -> Result<Role, sqlx::Error> {
    Role::of(&word).ok_or_else(|| damaged(format!("{word:?} is no role")))
}

/// Both lists as JSON; nothing for what is not restricted.
fn written(scopes: &Scopes) -> (Option<String>, Option<String>) {
    let Scopes { doors, models } = scopes;
    let list = |words: Vec<&str>| serde_json::Value::from(words).to_string();
    let doors = doors.as_ref().map(|doors| list(doors.iter().map(|door| door.name()).collect()));
    (doors, models.as_ref().map(|models| list(models.iter().map(String::as_str).collect())))
}

fn scopes(doors: Option<String>, models: Option<String>) -> Result<Scopes, sqlx::Error> {
    let list = |text: Option<String>| -> Result<Option<Vec<String>>, sqlx::Error> {
        text.map(|text| serde_json::from_str(&text).map_err(damaged)).transpose()
    };
    let door = |word: &String| Door::of(word).ok_or_else(|| damaged(format!("{word:?} is no door")));
    let doors = list(doors)?.map(|words| words.iter().map(door).collect::<Result<_, _>>()).transpose()?;
    Ok(Scopes { doors, models: list(models)? })
}

/// A line that was not written like that.
fn damaged(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> sqlx::Error {
    sqlx::Error::Decode(what.into())
}

#[cfg(test)]
mod tests;
