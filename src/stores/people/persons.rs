//! People and what they may where, in the main database. Must not judge what it stores.

use tidegate_actors::WorkspaceId;

use super::{Connection, Row, damaged, role};
use crate::identity::{Change, Membership, PasswordHash, PersonRow};

const PEOPLE: &str = "SELECT id, name, email, password, generation, is_operator, created_us, disabled_us FROM people \
    ORDER BY id";
const MEMBERS: &str = "SELECT m.person, m.workspace, m.role FROM members m JOIN workspaces w ON w.id = m.workspace \
    ORDER BY w.created_us, w.id, m.person";
const ADD_PERSON: &str = "INSERT INTO people \
    (id, name, email, password, generation, is_operator, created_us, disabled_us) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const SET_PASSWORD: &str = "UPDATE people SET password = $2, generation = generation + 1 WHERE id = $1";
const DISABLE: &str =
    "UPDATE people SET disabled_us = $2, generation = generation + 1 WHERE id = $1 AND disabled_us IS NULL";
const ENABLE: &str = "UPDATE people SET disabled_us = NULL WHERE id = $1";
const SET_OPERATOR: &str = "UPDATE people SET is_operator = $2 WHERE id = $1";
const SET_MEMBER: &str = "INSERT INTO members (person, workspace, role) VALUES ($1, $2, $3) \
    ON CONFLICT (person, workspace) DO UPDATE SET role = excluded.role";
const END_MEMBER: &str = "DELETE FROM members WHERE person = $1 AND workspace = $2";

pub(super) async fn all(on: &mut Connection<'_>) -> Result<Vec<PersonRow>, sqlx::Error> {
    on.query(PEOPLE).fetch_all(person).await
}

pub(super) async fn members(on: &mut Connection<'_>) -> Result<Vec<Membership>, sqlx::Error> {
    on.query(MEMBERS).fetch_all(membership).await
}

pub(super) async fn store(on: &mut Connection<'_>, change: Change) -> Result<(), sqlx::Error> {
    let query = match change {
        Change::AddPerson(row) => {
            let PersonRow { id, name, email, password, generation, is_operator, created_us, disabled_us } =
                row;
            let query = on.query(ADD_PERSON).bind(id).bind(name).bind(email).bind(password.text().to_owned());
            let generation = i64::try_from(generation).unwrap_or(i64::MAX);
            query.bind(generation).bind(i64::from(is_operator)).bind(created_us).bind(disabled_us)
        }
        Change::SetPassword { person, password } => {
            on.query(SET_PASSWORD).bind(person).bind(password.text().to_owned())
        }
        Change::DisablePerson { id, at_us } => on.query(DISABLE).bind(id).bind(at_us),
        Change::EnablePerson { id } => on.query(ENABLE).bind(id),
        Change::SetOperator { person, is_operator } => {
            on.query(SET_OPERATOR).bind(person).bind(i64::from(is_operator))
        }
        Change::SetMembership(Membership { person, workspace, role }) => {
            on.query(SET_MEMBER).bind(person).bind(workspace.as_str().to_owned()).bind(role.name())
        }
        Change::EndMembership { person, workspace } => {
            on.query(END_MEMBER).bind(person).bind(workspace.as_str().to_owned())
        }
        other => return Err(damaged(format!("{other:?} is no change of a person"))),
    };
    query.execute().await.map(drop)
}

fn person(row: &Row) -> Result<PersonRow, sqlx::Error> {
    Ok(PersonRow {
        id: row.get(0)?,
        name: row.get(1)?,
        email: row.get(2)?,
        password: PasswordHash::stored(row.get(3)?),
        generation: u64::try_from(row.get::<i64>(4)?).map_err(damaged)?,
        is_operator: row.get::<i64>(5)? != 0,
        created_us: row.get(6)?,
        disabled_us: row.get(7)?,
    })
}

fn membership(row: &Row) -> Result<Membership, sqlx::Error> {
    Ok(Membership {
        person: row.get(0)?,
        workspace: WorkspaceId::new(row.get::<String>(1)?),
        role: role(row.get(2)?)?,
    })
}
