//! `/api/v1/keys`: give, list, rotate and revoke keys. Of one's own workspace; of all for operators.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::error::{DoorError, or_refused};
use crate::http::openapi::ApiProblem;
use crate::http::{Doors, access, guard, intake};
use crate::identity::{Door, KeyOrder, KeyRow, Made, Office, Principal, Role, Scopes};
use crate::telemetry::when::written;

/// How long the old key is taken beside the new one, seconds, unless it is said: a day.
const OVERLAP_S: u64 = 86_400;

/// A key to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRequest {
    /// What people will call it.
    name: String,
    /// Id or name; one's own if nothing is said.
    workspace: Option<String>,
    /// `read`, `write` (if nothing is said), `admin` or `operator`; at most one's own.
    #[schema(example = "write")]
    role: Option<String>,
    /// Doors it is for: `chat`, `messages`, `embeddings`, `models`, `forward`, `account`, `api`, `app`; all but `account` if
    /// nothing is said.
    doors: Option<Vec<String>>,
    /// Models it is for: names, or beginnings of names with a `*` behind; all if nothing is said.
    models: Option<Vec<String>>,
    /// How long it is taken, seconds; for good if nothing is said.
    lifetime_s: Option<u64>,
}

/// How to rotate.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateRequest {
    /// How long the old key is taken beside the new one, seconds; a day if nothing is said.
    overlap_s: Option<u64>,
}

/// A key, without its text.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyShown {
    id: String,
    /// The eight characters behind `tg_`.
    short: String,
    name: String,
    /// As calls made with it show it.
    credential: String,
    workspace: String,
    role: &'static str,
    doors: Option<Vec<&'static str>>,
    models: Option<Vec<String>>,
    /// RFC 3339 UTC.
    created_at: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
}

/// A key that was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyMade {
    /// The key itself. It is shown this once and stored nowhere.
    #[schema(example = "tg_0123abcd_..")]
    secret: String,
    key: KeyShown,
}

/// Keys, the oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyList {
    keys: Vec<KeyShown>,
}

impl From<&KeyRow> for KeyShown {
    fn from(row: &KeyRow) -> Self {
        let Scopes { doors, models } = &row.scopes;
        Self {
            id: row.id.clone(),
            short: row.short.clone(),
            name: row.name.clone(),
            credential: format!("{:016x}", row.credential()),
            workspace: row.workspace.as_str().to_owned(),
            role: row.role.name(),
            doors: doors.as_ref().map(|doors| doors.iter().map(|door| door.name()).collect()),
            models: models.clone(),
            created_at: written(row.created_us),
            expires_at: row.expires_us.map(written),
            revoked_at: row.revoked_us.map(written),
        }
    }
}

/// The keys of the workspace, also those that ended.
#[utoipa::path(get, path = "/api/v1/keys", tag = "Tidegate", responses(
    (status = 200, description = "Without their text; operators see those of all workspaces", body = KeyList),
    (status = "4XX", description = "Refused", body = ApiProblem),
))]
pub(crate) async fn list(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    or_refused(async {
        let principal = guard::admit(&request, &doors, &access::KEYS)?;
        let contents = doors.roster.contents();
        let seen = contents.keys.iter().filter(|row| principal.sees(&row.workspace));
        Ok(HttpResponse::Ok().json(KeyList { keys: seen.map(KeyShown::from).collect() }))
    })
    .await
}

/// Makes a key. From the first one on, every request needs one.
#[utoipa::path(post, path = "/api/v1/keys", tag = "Tidegate", request_body = KeyRequest, responses(
    (status = 201, description = "With its text, this once", body = KeyMade),
    (status = "4XX", description = "No key was made", body = ApiProblem),
))]
pub(crate) async fn make(
    request: HttpRequest,
    mut payload: web::Payload,
    doors: web::Data<Doors>,
) -> HttpResponse {
    or_refused(async {
        let principal = guard::admit(&request, &doors, &access::MAKE_KEY)?;
        let asked: KeyRequest = intake::fields(&doors, &request, &mut payload).await?;
        let office = doors.office()?;
        let order = order(office, &principal, asked)?;
        Ok(made(&office.make_key(order).await?))
    })
    .await
}

/// Makes a key in the place of another.
#[utoipa::path(post, path = "/api/v1/keys/{id}/rotate", tag = "Tidegate", request_body = RotateRequest,
    params(("id" = String, Path, description = "The key's id or short part")),
    responses(
        (status = 201, description = "The new key with its text, this once", body = KeyMade),
        (status = "4XX", description = "Nothing was changed", body = ApiProblem),
    ),
)]
pub(crate) async fn rotate(
    request: HttpRequest,
    id: web::Path<String>,
    mut payload: web::Payload,
    doors: web::Data<Doors>,
) -> HttpResponse {
    or_refused(async {
        let principal = guard::admit(&request, &doors, &access::ROTATE_KEY)?;
        let asked: RotateRequest = intake::fields(&doors, &request, &mut payload).await?;
        let office = doors.office()?;
        let row = own(office, &principal, &id).await?;
        let overlap_s = asked.overlap_s.unwrap_or(OVERLAP_S);
        Ok(made(&office.rotate_key(&row.id, overlap_s).await?))
    })
    .await
}

/// Ends a key. No request with it is taken once this has answered.
#[utoipa::path(post, path = "/api/v1/keys/{id}/revoke", tag = "Tidegate",
    params(("id" = String, Path, description = "The key's id or short part")),
    responses(
        (status = 200, description = "It has ended", body = KeyShown),
        (status = "4XX", description = "Nothing was changed", body = ApiProblem),
    ),
)]
pub(crate) async fn revoke(
    request: HttpRequest,
    id: web::Path<String>,
    doors: web::Data<Doors>,
) -> HttpResponse {
    or_refused(async {
        let principal = guard::admit(&request, &doors, &access::REVOKE_KEY)?;
        let office = doors.office()?;
        let row = own(office, &principal, &id).await?;
        let row = office.revoke_key(&row.id).await?;
        Ok(HttpResponse::Ok().json(KeyShown::from(&row)))
    })
    .await
}

fn made(made: &Made) -> HttpResponse {
    let secret = made.key.reveal().to_owned();
    HttpResponse::Created()
        .insert_header(("cache-control", "no-store"))
        .json(KeyMade { secret, key: KeyShown::from(&made.row) })
}

/// The key `id`, if the asker may know of it.
async fn own(office: &Office, principal: &Arc<Principal>, id: &str) -> Result<KeyRow, DoorError> {
    office.refresh().await.map_err(|fault| DoorError::store(&fault))?;
    let row = office.key(id).ok().filter(|row| principal.sees(&row.workspace) && row.role <= principal.role);
    row.ok_or_else(|| DoorError::no_such("key", id))
}

/// What is asked for, if the asker may give it.
fn order(office: &Office, principal: &Principal, asked: KeyRequest) -> Result<KeyOrder, DoorError> {
    let KeyRequest { name, workspace, role, doors, models, lifetime_s } = asked;
    let role = role.as_deref().map_or(Ok(Role::Write), self::role)?;
    if role > principal.role {
        return Err(DoorError::role_too_low(principal.role, role));
    }
    let workspace = workspace.unwrap_or_else(|| principal.workspace.as_str().to_owned());
    let known = office.workspace(&workspace).ok().filter(|known| principal.sees(&known.id));
    let workspace = known.ok_or_else(|| DoorError::no_such("workspace", &workspace))?.id;
    let doors =
        doors.map(|words| words.iter().map(|word| door(word)).collect::<Result<_, _>>()).transpose()?;
    let scopes = Scopes { doors, models };
    Ok(KeyOrder { name, workspace: workspace.as_str().to_owned(), role, scopes, lifetime_s })
}

/// The role of this word.
pub(super) fn role(word: &str) -> Result<Role, DoorError> {
    let words = Role::ALL.map(Role::name).join(", ");
    Role::of(word)
        .ok_or_else(|| DoorError::bad_field("role", format!("role must be one of {words}, got {word:?}")))
}

fn door(word: &str) -> Result<Door, DoorError> {
    let words = Door::ALL.map(Door::name).join(", ");
    Door::of(word)
        .ok_or_else(|| DoorError::bad_field("doors", format!("doors must be of {words}, got {word:?}")))
}
