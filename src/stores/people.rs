//! Workspaces, keys and limits in the main database: the adapter of [`Registry`] and its statements, which SQLite and
//! PostgreSQL both read. Must not judge what it stores.

use futures_util::future::BoxFuture;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use tidegate_actors::WorkspaceId;

use super::database::Database;
use super::sqlite::Connection;
use super::trouble::Trouble;
use crate::identity::{
    Change, Contents, Door, KeyHash, KeyRow, Limit, LimitName, Pending, Registry, RegistryFault, Role,
    Scopes, Workspace,
};

const EPOCH: &str = "SELECT value FROM facts WHERE name = 'people_epoch'";
const NEXT_EPOCH: &str = "UPDATE facts SET value = value + 1 WHERE name = 'people_epoch' RETURNING value";
const WORKSPACES: &str = "SELECT id, name, created_us FROM workspaces ORDER BY created_us, id";
const KEYS: &str = "SELECT id, short, name, workspace, role, sha256, doors, models, created_us, expires_us, revoked_us \
    FROM api_keys ORDER BY id";
const LIMITS: &str = "SELECT subject, name, value FROM limits ORDER BY subject, name";
const SET_LIMIT: &str = "INSERT INTO limits (subject, name, value) VALUES ($1, $2, $3) \
    ON CONFLICT (subject, name) DO UPDATE SET value = excluded.value";
const LIFT_LIMIT: &str = "DELETE FROM limits WHERE subject = $1 AND name = $2";
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
        told(self.0.read("people.epoch", |on| Box::pin(epoch(on))))
    }

    fn apply(&self, changes: Vec<Change>) -> Pending<u64> {
        told(self.0.write("people.apply", move |on| apply(on, changes.clone())))
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

async fn epoch(on: &mut Connection) -> Result<u64, sqlx::Error> {
    let epoch: i64 = sqlx::query_scalar(EPOCH).fetch_one(on).await?;
    u64::try_from(epoch).map_err(damaged)
}

async fn read(on: &mut Connection) -> Result<Contents, sqlx::Error> {
    let epoch = epoch(on).await?;
    let workspaces = sqlx::query(WORKSPACES).try_map(workspace).fetch_all(&mut *on).await?;
    let keys = sqlx::query(KEYS).try_map(key).fetch_all(&mut *on).await?;
    let limits = sqlx::query(LIMITS).try_map(limit).fetch_all(&mut *on).await?;
    Ok(Contents { epoch, workspaces, keys, limits })
}

fn apply(on: &mut Connection, changes: Vec<Change>) -> BoxFuture<'_, Result<u64, sqlx::Error>> {
    Box::pin(async move {
        for change in changes {
            store(on, change).await?;
        }
        let epoch: i64 = sqlx::query_scalar(NEXT_EPOCH).fetch_one(on).await?;
        u64::try_from(epoch).map_err(damaged)
    })
}

async fn store(on: &mut Connection, change: Change) -> Result<(), sqlx::Error> {
    let query = match change {
        Change::AddWorkspace(Workspace { id, name, created_us }) => {
            sqlx::query(ADD_WORKSPACE).bind(id.as_str().to_owned()).bind(name).bind(created_us)
        }
        Change::AddKey(row) => {
            let KeyRow { id, short, name, workspace, role, hash, scopes, created_us, expires_us, revoked_us } =
                row;
            let (doors, models) = written(&scopes);
            let query =
                sqlx::query(ADD_KEY).bind(id).bind(short).bind(name).bind(workspace.as_str().to_owned());
            let query = query.bind(role.name()).bind(hash.hex()).bind(doors).bind(models);
            query.bind(created_us).bind(expires_us).bind(revoked_us)
        }
        Change::ExpireKey { id, at_us } => sqlx::query(EXPIRE_KEY).bind(id).bind(at_us),
        Change::SetLimit(Limit { subject, name, value }) => {
            let value = i64::try_from(value).unwrap_or(i64::MAX);
            sqlx::query(SET_LIMIT).bind(subject).bind(name.name()).bind(value)
        }
        Change::LiftLimit { subject, name } => sqlx::query(LIFT_LIMIT).bind(subject).bind(name.name()),
        Change::RevokeKey { id, at_us } => sqlx::query(REVOKE_KEY).bind(id).bind(at_us),
    };
    query.execute(on).await.map(drop)
}

fn workspace(row: SqliteRow) -> Result<Workspace, sqlx::Error> {
    Ok(Workspace {
        id: WorkspaceId::new(row.try_get::<String, _>(0)?),
        name: row.try_get(1)?,
        created_us: row.try_get(2)?,
    })
}

fn key(row: SqliteRow) -> Result<KeyRow, sqlx::Error> {
    let hash: String = row.try_get(5)?;
    Ok(KeyRow {
        id: row.try_get(0)?,
        short: row.try_get(1)?,
        name: row.try_get(2)?,
        workspace: WorkspaceId::new(row.try_get::<String, _>(3)?),
        role: role(row.try_get(4)?)?,
        hash: KeyHash::parse(&hash).ok_or_else(|| damaged(format!("{hash:?} is no SHA-256")))?,
        scopes: scopes(row.try_get(6)?, row.try_get(7)?)?,
        created_us: row.try_get(8)?,
        expires_us: row.try_get(9)?,
        revoked_us: row.try_get(10)?,
    })
}

fn limit(row: SqliteRow) -> Result<Limit, sqlx::Error> {
    let (name, value): (String, i64) = (row.try_get(1)?, row.try_get(2)?);
    Ok(Limit {
        subject: row.try_get(0)?,
        name: LimitName::of(&name).ok_or_else(|| damaged(format!("{name:?} is no limit")))?,
        value: u64::try_from(value).map_err(damaged)?,
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
