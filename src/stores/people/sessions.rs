//! Sessions of people, and what signs their tokens, in the main database. Must not know a token.

use futures_util::future::BoxFuture;
use tidegate_actors::WorkspaceId;

use super::{Connection, Row, damaged};
use crate::identity::{Renewal, Renewed, SessionRow, TokenKey};

/// How long the end of a session is remembered: longer than any token is taken.
const REMEMBERED_US: i64 = 2 * 3_600 * 1_000_000;
/// Sessions a person may have; the oldest cannot be renewed any more beyond that.
const MOST_OF_ONE: i64 = 100;

const BEGIN: &str = "INSERT INTO sessions (id, person, workspace, generation, renewals, created_us, expires_us) \
    VALUES ($1, $2, $3, $4, 0, $5, $6)";
const DROP_EXPIRED: &str = "DELETE FROM sessions WHERE expires_us <= $1";
const DROP_ENDED: &str = "DELETE FROM sessions WHERE ended_us <= $1";
const DROP_OLDEST: &str = "DELETE FROM sessions WHERE ended_us IS NULL AND id IN \
    (SELECT id FROM sessions WHERE person = $1 ORDER BY created_us DESC, id DESC LIMIT 1000 OFFSET $2)";
const RENEW: &str = "UPDATE sessions SET renewals = renewals + 1, expires_us = $3 \
    WHERE id = $1 AND renewals = $2 AND ended_us IS NULL AND expires_us > $4 \
    RETURNING id, person, workspace, generation, created_us, expires_us";
const RENEWALS: &str = "SELECT renewals FROM sessions WHERE id = $1 AND ended_us IS NULL AND expires_us > $2";
const END: &str = "UPDATE sessions SET ended_us = $2 WHERE id = $1 AND ended_us IS NULL";
const ENDED: &str = "SELECT id FROM sessions WHERE ended_us IS NOT NULL ORDER BY ended_us, id";
const TOKEN_KEY: &str = "SELECT value FROM secrets WHERE name = 'tokens'";
const KEEP_TOKEN_KEY: &str =
    "INSERT INTO secrets (name, value) VALUES ('tokens', $1) ON CONFLICT (name) DO NOTHING";

pub(super) fn begin(mut on: Connection<'_>, session: SessionRow) -> BoxFuture<'_, Result<(), sqlx::Error>> {
    Box::pin(async move {
        let SessionRow { id, person, workspace, generation, created_us, expires_us } = session;
        on.query(DROP_EXPIRED).bind(created_us).execute().await?;
        on.query(DROP_ENDED).bind(created_us.saturating_sub(REMEMBERED_US)).execute().await?;
        let generation = i64::try_from(generation).unwrap_or(i64::MAX);
        let query = on.query(BEGIN).bind(id).bind(person.clone()).bind(workspace.as_str().to_owned());
        query.bind(generation).bind(created_us).bind(expires_us).execute().await?;
        on.query(DROP_OLDEST).bind(person).bind(MOST_OF_ONE).execute().await.map(drop)
    })
}

pub(super) fn renew(mut on: Connection<'_>, renewal: Renewal) -> BoxFuture<'_, Result<Renewed, sqlx::Error>> {
    Box::pin(async move {
        let Renewal { session, renewals, at_us, expires_us } = renewal;
        let renewals = i64::try_from(renewals).map_err(damaged)?;
        let query = on.query(RENEW).bind(session.clone()).bind(renewals).bind(expires_us).bind(at_us);
        if let Some(found) = query.fetch_optional().await? {
            return row(&found).map(Renewed::Yes);
        }
        let now = on.query(RENEWALS).bind(session).bind(at_us).fetch_optional().await?;
        let now = now.map(|found| found.get::<i64>(0)).transpose()?;
        Ok(if now > Some(renewals) { Renewed::Used } else { Renewed::Gone })
    })
}

pub(super) async fn end(on: &mut Connection<'_>, id: String, at_us: i64) -> Result<(), sqlx::Error> {
    on.query(END).bind(id).bind(at_us).execute().await.map(drop)
}

pub(super) async fn ended(on: &mut Connection<'_>) -> Result<Vec<String>, sqlx::Error> {
    on.query(ENDED).fetch_all(|row| row.get(0)).await
}

pub(super) async fn token_key(on: &mut Connection<'_>) -> Result<Option<TokenKey>, sqlx::Error> {
    let Some(found) = on.query(TOKEN_KEY).fetch_optional().await? else { return Ok(None) };
    let hex: String = found.get(0)?;
    TokenKey::parse(&hex).map(Some).ok_or_else(|| damaged("what signs tokens is damaged"))
}

pub(super) async fn keep_token_key(on: &mut Connection<'_>, key: &TokenKey) -> Result<(), sqlx::Error> {
    on.query(KEEP_TOKEN_KEY).bind(key.hex()).execute().await.map(drop)
}

fn row(row: &Row) -> Result<SessionRow, sqlx::Error> {
    Ok(SessionRow {
        id: row.get(0)?,
        person: row.get(1)?,
        workspace: WorkspaceId::new(row.get::<String>(2)?),
        generation: u64::try_from(row.get::<i64>(3)?).map_err(damaged)?,
        created_us: row.get(4)?,
        expires_us: row.get(5)?,
    })
}
