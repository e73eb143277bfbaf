//! `/api/v1/users`: add and list people, say what they may, keep them out. Admins see and change members of their workspace;
//! everything else is for operators.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use tidegate_actors::WorkspaceId;
use utoipa::ToSchema;

use super::auth::new_one;
use super::keys::role;
use crate::http::error::{DoorError, or_refused};
use crate::http::openapi::ApiProblem;
use crate::http::{Doors, access, guard, intake};
use crate::identity::{Contents, Office, PersonRow, Principal, Role, UserOrder};
use crate::telemetry::when::written;

/// A person to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserRequest {
    /// What they sign in with: no spaces, no @.
    username: String,
    /// What they may sign in with as well.
    email: Option<String>,
    /// 8 to 1024 bytes.
    password: String,
    /// Where they are a member, by id or name; `default` if nothing is said.
    workspace: Option<String>,
    /// `read`, `write` (if nothing is said), `admin`; `operator` for one who runs the instance.
    #[schema(example = "write")]
    role: Option<String>,
}

/// Another password for somebody.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordRequest {
    /// 8 to 1024 bytes.
    password: String,
}

/// What somebody may from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantRequest {
    /// Id or name; one's own if nothing is said.
    workspace: Option<String>,
    /// `read`, `write`, `admin`, or `none`: no member any more.
    role: Option<String>,
    /// Whether they run the instance; instead of a role in a workspace.
    operator: Option<bool>,
}

/// A person.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserShown {
    #[schema(example = "person_01932c07-9a3e-7a61-b2f0-0123456789ab")]
    id: String,
    username: String,
    email: Option<String>,
    /// Whether they run the instance. Only operators are told.
    operator: Option<bool>,
    /// Where they are a member, as far as the asker may know.
    workspaces: Vec<MembershipShown>,
    /// RFC 3339 UTC.
    created_at: String,
    /// Since when they may not come in.
    disabled_at: Option<String>,
}

/// What somebody may in a workspace.
#[derive(Serialize, ToSchema)]
pub(crate) struct MembershipShown {
    id: String,
    name: String,
    role: &'static str,
}

/// People, the oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserList {
    users: Vec<UserShown>,
}

/// The members of the workspace; everybody for operators.
#[utoipa::path(get, path = "/api/v1/users", tag = "Tidegate", responses(
    (status = 200, description = "Those the asker may know of", body = UserList),
    (status = "4XX", description = "Refused", body = ApiProblem),
))]
pub(crate) async fn list(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    or_refused(async {
        let principal = guard::admit(&request, &doors, &access::USERS)?;
        let contents = doors.roster.contents();
        let seen = contents.people.iter().filter(|person| knows(&principal, &contents, person));
        let users = seen.map(|person| shown(&principal, &contents, person)).collect();
        Ok(HttpResponse::Ok().json(UserList { users }))
    })
    .await
}

/// Adds a person. From the first one on, every request needs a credential.
#[utoipa::path(post, path = "/api/v1/users", tag = "Tidegate", request_body = UserRequest, responses(
    (status = 201, description = "They may sign in", body = UserShown),
    (status = "4XX", description = "Nobody was added", body = ApiProblem),
))]
pub(crate) async fn make(
    request: HttpRequest,
    mut payload: web::Payload,
    doors: web::Data<Doors>,
) -> HttpResponse {
    or_refused(async {
        let principal = guard::admit(&request, &doors, &access::MAKE_USER)?;
        let asked: UserRequest = intake::fields(&doors, &request, &mut payload).await?;
        let UserRequest { username, email, password, workspace, role: named } = asked;
        let role = named.as_deref().map_or(Ok(Role::Write), role)?;
        let workspace = workspace.unwrap_or_else(|| WorkspaceId::default_workspace().to_string());
        let password = new_one(&password)?;
        let order = UserOrder { name: username, email, password, workspace, role };
        let person = doors.office()?.make_user(order).await?;
        let shown = shown(&principal, &doors.roster.contents(), &person);
        Ok(HttpResponse::Created().json(shown))
    })
    .await
}

/// Gives a person another password. Their sessions have ended once this has answered.
#[utoipa::path(post, path = "/api/v1/users/{id}/password", tag = "Tidegate", request_body = PasswordRequest,
    params(("id" = String, Path, description = "The person's id, name or e-mail address")),
    responses(
        (status = 200, description = "It is the new one", body = UserShown),
        (status = "4XX", description = "Nothing was changed", body = ApiProblem),
    ),
)]
pub(crate) async fn password(
    request: HttpRequest,
    id: web::Path<String>,
    mut payload: web::Payload,
    doors: web::Data<Doors>,
) -> HttpResponse {
    or_refused(async {
        let principal = guard::admit(&request, &doors, &access::SET_PASSWORD)?;
        let asked: PasswordRequest = intake::fields(&doors, &request, &mut payload).await?;
        let person = doors.office()?.set_password(&id, new_one(&asked.password)?).await?;
        Ok(HttpResponse::Ok().json(shown(&principal, &doors.roster.contents(), &person)))
    })
    .await
}

/// Says what a person may, in a workspace or in all. In force once this has answered.
#[utoipa::path(post, path = "/api/v1/users/{id}/grant", tag = "Tidegate", request_body = GrantRequest,
    params(("id" = String, Path, description = "The person's id, name or e-mail address")),
    responses(
        (status = 200, description = "What they may now", body = UserShown),
        (status = "4XX", description = "Nothing was changed", body = ApiProblem),
    ),
)]
pub(crate) async fn grant(
    request: HttpRequest,
    id: web::Path<String>,
    mut payload: web::Payload,
    doors: web::Data<Doors>,
) -> HttpResponse {
    or_refused(async {
        let principal = guard::admit(&request, &doors, &access::GRANT)?;
        let asked: GrantRequest = intake::fields(&doors, &request, &mut payload).await?;
        let person = granted(doors.office()?, &principal, &id, &asked).await?;
        Ok(HttpResponse::Ok().json(shown(&principal, &doors.roster.contents(), &person)))
    })
    .await
}

/// Keeps a person out. No request of theirs is taken once this has answered.
#[utoipa::path(post, path = "/api/v1/users/{id}/disable", tag = "Tidegate",
    params(("id" = String, Path, description = "The person's id, name or e-mail address")),
    responses(
        (status = 200, description = "They may not come in", body = UserShown),
        (status = "4XX", description = "Nothing was changed", body = ApiProblem),
    ),
)]
pub(crate) async fn disable(
    request: HttpRequest,
    id: web::Path<String>,
    doors: web::Data<Doors>,
) -> HttpResponse {
    or_refused(async {
        let principal = guard::admit(&request, &doors, &access::DISABLE_USER)?;
        let person = doors.office()?.disable_user(&id).await?;
        Ok(HttpResponse::Ok().json(shown(&principal, &doors.roster.contents(), &person)))
    })
    .await
}

/// Lets a person in again who was kept out. They sign in anew.
#[utoipa::path(post, path = "/api/v1/users/{id}/enable", tag = "Tidegate",
    params(("id" = String, Path, description = "The person's id, name or e-mail address")),
    responses(
        (status = 200, description = "They may come in", body = UserShown),
        (status = "4XX", description = "Nothing was changed", body = ApiProblem),
    ),
)]
pub(crate) async fn enable(
    request: HttpRequest,
    id: web::Path<String>,
    doors: web::Data<Doors>,
) -> HttpResponse {
    or_refused(async {
        let principal = guard::admit(&request, &doors, &access::ENABLE_USER)?;
        let person = doors.office()?.enable_user(&id).await?;
        Ok(HttpResponse::Ok().json(shown(&principal, &doors.roster.contents(), &person)))
    })
    .await
}

/// Carries out what is asked, if the asker may: operators everything, admins for members of their workspace.
async fn granted(
    office: &Office,
    principal: &Principal,
    id: &str,
    asked: &GrantRequest,
) -> Result<PersonRow, DoorError> {
    office.refresh().await.map_err(|fault| DoorError::store(&fault))?;
    let person =
        office.person(id).ok().filter(|person| knows(principal, &office.roster().contents(), person));
    let person = person.ok_or_else(|| DoorError::no_such("person", id))?;
    let workspace = asked.workspace.as_deref().unwrap_or(principal.workspace.as_str());
    match (&asked.role, asked.operator) {
        (None, Some(_)) if principal.role < Role::Operator => {
            Err(DoorError::role_too_low(principal.role, Role::Operator))
        }
        (None, Some(is_operator)) => Ok(office.set_operator(&person.id, is_operator).await?),
        (Some(word), None) => {
            let role = if word == "none" { None } else { Some(role(word)?) };
            if role > Some(principal.role) {
                return Err(DoorError::role_too_low(principal.role, role.unwrap_or(Role::Operator)));
            }
            let known = office.workspace(workspace).ok().filter(|known| principal.sees(&known.id));
            let workspace = known.ok_or_else(|| DoorError::no_such("workspace", workspace))?.id;
            Ok(office.grant(&person.id, workspace.as_str(), role).await?)
        }
        _ => Err(DoorError::bad_field("body", "say either role, of a workspace, or operator")),
    }
}

/// Whether the asker may know of a person: they are in a workspace of the asker's.
fn knows(principal: &Principal, contents: &Contents, person: &PersonRow) -> bool {
    let is_theirs = |workspace: &WorkspaceId| principal.sees(workspace);
    principal.role == Role::Operator
        || contents.members.iter().any(|member| member.person == person.id && is_theirs(&member.workspace))
}

fn shown(principal: &Principal, contents: &Contents, person: &PersonRow) -> UserShown {
    let own = contents.members.iter().filter(|member| member.person == person.id);
    let seen = own.filter(|member| principal.sees(&member.workspace));
    let workspaces = seen.map(|member| {
        let id = member.workspace.as_str();
        let name = contents.workspace(id).map_or(id, |known| &known.name).to_owned();
        MembershipShown { id: id.to_owned(), name, role: member.role.name() }
    });
    UserShown {
        id: person.id.clone(),
        username: person.name.clone(),
        email: person.email.clone(),
        operator: (principal.role == Role::Operator).then_some(person.is_operator),
        workspaces: workspaces.collect(),
        created_at: written(person.created_us),
        disabled_at: person.disabled_us.map(written),
    }
}
