//! `/api/v1/auth`: sign in and out, as a program with tokens or as a browser with cookies, and who one is.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::error::{DoorError, or_refused};
use crate::http::openapi::ApiProblem;
use crate::http::{Doors, cookie, guard, intake, proxy};
use crate::identity::{Password, Principal, SignIn, SignedIn, Who};

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginRequest {
    /// Name or e-mail address; either this or `email`.
    #[serde(alias = "email")]
    username: String,
    password: String,
    /// Id or name of the workspace to be in; one's own, the oldest first, if nothing is said.
    workspace: Option<String>,
    /// Whether the tokens go into cookies that scripts cannot read, instead of into the answer.
    #[serde(default)]
    cookie: bool,
    /// How long the token is taken, seconds; `access.token_ms` at most, and if nothing is said.
    lifetime_s: Option<u64>,
}

/// A session that is to go on. Without a token the cookie's is used.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefreshRequest {
    /// As the last answer gave it.
    refresh_token: Option<String>,
    /// How long the token is taken, seconds; `access.token_ms` at most, and if nothing is said.
    lifetime_s: Option<u64>,
}

/// A session that is to end. Without a token that of the request or its cookies.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogoutRequest {
    refresh_token: Option<String>,
}

/// Another password for oneself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnPasswordRequest {
    /// Name or e-mail address.
    #[serde(alias = "email")]
    username: String,
    /// The one there is.
    password: String,
    /// The one there is to be, 8 to 1024 bytes.
    new_password: String,
}

/// Somebody signed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct LoginAnswer {
    /// Goes with requests as `Authorization: Bearer TOKEN`. Not there when it went into a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    /// `Bearer`, or `Cookie` when the tokens went into cookies.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// How long the token is taken, seconds.
    expires_in: i64,
    /// Gets the next pair from `/api/v1/auth/refresh`, once. Not there when it went into a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// How long that is taken, seconds.
    refresh_expires_in: i64,
    user: UserNamed,
    workspace: PlaceShown,
    /// Every workspace they may be in, with `x-tidegate-workspace: NAME` on a request.
    workspaces: Vec<PlaceShown>,
}

/// A person by name.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserNamed {
    id: String,
    #[schema(example = "anna")]
    username: String,
    email: Option<String>,
}

/// What somebody may in a workspace.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlaceShown {
    id: String,
    name: String,
    /// `read`, `write`, `admin` or `operator`.
    role: &'static str,
}

/// Whether there was a session to end.
#[derive(Serialize, ToSchema)]
pub(crate) struct LogoutAnswer {
    ended: bool,
}

/// Who asks.
#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    /// Whether one has to sign in or send a key; not on an instance without keys and people, which only this machine reaches.
    sign_in_required: bool,
    /// Whether `test_user` may sign in.
    demo: bool,
    /// `person`, `key`, `anybody`; null for nobody that may come in.
    kind: Option<&'static str>,
    /// Of the person or key.
    id: Option<String>,
    /// Of a person.
    user: Option<UserNamed>,
    /// Where the request is, and what it may there.
    workspace: Option<PlaceShown>,
    /// Every workspace it could be in.
    workspaces: Vec<PlaceShown>,
    /// Why it may not come in: as the code of a refusal.
    denied: Option<&'static str>,
}

/// Signs in. A wrong name and a wrong password are told in the same words and time.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "Tidegate", request_body = LoginRequest, responses(
    (status = 200, description = "Tokens, or cookies that hold them", body = LoginAnswer),
    (status = "4XX", description = "Not let in", body = ApiProblem),
))]
pub(crate) async fn login(
    request: HttpRequest,
    mut payload: web::Payload,
    doors: web::Data<Doors>,
) -> HttpResponse {
    or_refused(async {
        guard::no_stranger(&request, &doors)?;
        let asked: LoginRequest = intake::fields(&doors, &request, &mut payload).await?;
        let LoginRequest { username, password, workspace, cookie: is_cookie, lifetime_s } = asked;
        if is_cookie {
            cookie::from_our_page(&request)?;
        }
        let from = proxy::address(&request, &doors);
        let workspace = workspace.as_deref();
        let asked = SignIn { called: &username, password: &password, workspace, from, lifetime_s };
        let signed_in = doors.office()?.sign_in(asked).await;
        doors.meter.sign_in(signed_in.as_ref().err());
        let signed_in = signed_in?;
        Ok(given(&request, &doors, signed_in, is_cookie))
    })
    .await
}

/// Lets a session go on. Each token for that is taken once; the second time ends the session.
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "Tidegate", request_body = RefreshRequest, responses(
    (status = 200, description = "New tokens, the way the old ones came", body = LoginAnswer),
    (status = "4XX", description = "The session has ended", body = ApiProblem),
))]
pub(crate) async fn refresh(
    request: HttpRequest,
    mut payload: web::Payload,
    doors: web::Data<Doors>,
) -> HttpResponse {
    or_refused(async {
        guard::no_stranger(&request, &doors)?;
        let RefreshRequest { refresh_token, lifetime_s } =
            intake::fields(&doors, &request, &mut payload).await?;
        let of_cookie = refresh_token.is_none().then(|| cookie::renew(request.headers())).flatten();
        if of_cookie.is_some() {
            cookie::from_our_page(&request)?;
        }
        let missing =
            || DoorError::bad_field("refresh_token", "refresh_token is missing, and there is no cookie");
        let token = refresh_token.as_deref().or(of_cookie).ok_or_else(missing)?;
        let signed_in = doors.office()?.renew(token, lifetime_s).await;
        doors.meter.renewal(signed_in.as_ref().err());
        let signed_in = signed_in?;
        Ok(given(&request, &doors, signed_in, of_cookie.is_some()))
    })
    .await
}

/// Ends the session of a token, whether that is still taken or not. None of its tokens is taken once this has answered.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "Tidegate", request_body = LogoutRequest, responses(
    (status = 200, description = "No token of the request is one of a session any more", body = LogoutAnswer),
    (status = "4XX", description = "Nothing was changed", body = ApiProblem),
))]
pub(crate) async fn logout(
    request: HttpRequest,
    mut payload: web::Payload,
    doors: web::Data<Doors>,
) -> HttpResponse {
    or_refused(async {
        guard::no_stranger(&request, &doors)?;
        let LogoutRequest { refresh_token } = intake::fields(&doors, &request, &mut payload).await?;
        let headers = request.headers();
        let named = refresh_token.as_deref().or_else(|| guard::bearer_of(&request));
        let cookies = [cookie::access(headers), cookie::renew(headers)];
        if named.is_none() && cookies.iter().any(Option::is_some) {
            cookie::from_our_page(&request)?;
        }
        let office = doors.office()?;
        let mut ended = false;
        for token in named.map_or(cookies, |named| [Some(named), None]).into_iter().flatten() {
            ended |= office.sign_out(token).await?;
        }
        let mut answer = HttpResponse::Ok();
        if named.is_none() {
            set_cookies(&mut answer, &request, ("", 0), ("", 0));
        }
        Ok(answer.json(LogoutAnswer { ended }))
    })
    .await
}

/// Gives oneself another password. All sessions one has have ended once this has answered.
#[utoipa::path(post, path = "/api/v1/auth/password", tag = "Tidegate", request_body = OwnPasswordRequest, responses(
    (status = 204, description = "It is the new one; sign in again"),
    (status = "4XX", description = "Nothing was changed", body = ApiProblem),
))]
pub(crate) async fn password(
    request: HttpRequest,
    mut payload: web::Payload,
    doors: web::Data<Doors>,
) -> HttpResponse {
    or_refused(async {
        guard::no_stranger(&request, &doors)?;
        let OwnPasswordRequest { username, password, new_password } =
            intake::fields(&doors, &request, &mut payload).await?;
        let to = new_one(&new_password)?;
        let from = proxy::address(&request, &doors);
        let asked =
            SignIn { called: &username, password: &password, workspace: None, from, lifetime_s: None };
        let changed = doors.office()?.change_password(&asked, to).await;
        changed.inspect_err(|refused| doors.meter.sign_in(Some(refused)))?;
        Ok(HttpResponse::NoContent().finish())
    })
    .await
}

/// Who asks, what they may where, and whether one has to sign in at all. For everybody.
#[utoipa::path(get, path = "/api/v1/auth/me", tag = "Tidegate", responses(
    (status = 200, description = "Who, as far as anybody may come in", body = Me),
    (status = "4XX", description = "Refused", body = ApiProblem),
))]
pub(crate) async fn me(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    or_refused(async {
        guard::no_stranger(&request, &doors)?;
        let (sign_in_required, demo) = (doors.roster.is_guarded(), doors.config.access.demo);
        let nobody = Me {
            sign_in_required,
            demo,
            kind: None,
            id: None,
            user: None,
            workspace: None,
            workspaces: Vec::new(),
            denied: None,
        };
        let told = match guard::judge(&request, &doors).0 {
            Ok(principal) => known(&doors, &principal, nobody),
            Err(denial) => Me { denied: Some(DoorError::unauthorised(denial, "").code()), ..nobody },
        };
        Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(told))
    })
    .await
}

fn known(doors: &Doors, principal: &Principal, nobody: Me) -> Me {
    let workspace = Some(place(doors, principal));
    let (kind, id) = match &principal.who {
        Who::Anybody => ("anybody", None),
        Who::Key(id) => ("key", Some(id)),
        Who::Person(id) => ("person", Some(id)),
    };
    let (mut user, mut workspaces) = (None, vec![place(doors, principal)]);
    if let Who::Person(id) = &principal.who {
        user = doors.roster.contents().person(id).map(|person| UserNamed {
            id: person.id.clone(),
            username: person.name.clone(),
            email: person.email.clone(),
        });
        workspaces = places(doors, id);
    }
    Me { kind: Some(kind), id: id.map(|id| id.to_string()), user, workspace, workspaces, ..nobody }
}

/// A password somebody chose.
pub(super) fn new_one(text: &str) -> Result<Password, DoorError> {
    Password::new(text).map_err(|bad| DoorError::bad_field("password", bad.to_string()))
}

fn place(doors: &Doors, principal: &Principal) -> PlaceShown {
    let id = principal.workspace.as_str();
    let name =
        doors.roster.contents().workspace(id).map_or_else(|| id.to_owned(), |known| known.name.clone());
    PlaceShown { id: id.to_owned(), name, role: principal.role.name() }
}

fn places(doors: &Doors, person: &str) -> Vec<PlaceShown> {
    doors.roster.places(person).iter().map(|principal| place(doors, principal)).collect()
}

fn given(request: &HttpRequest, doors: &Doors, signed_in: SignedIn, is_cookie: bool) -> HttpResponse {
    let SignedIn { access, access_s, renew, renew_s, person, place: here } = signed_in;
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    if is_cookie {
        set_cookies(&mut answer, request, (&access, access_s), (&renew, renew_s));
    }
    let shown = |token: String| (!is_cookie).then_some(token);
    answer.json(LoginAnswer {
        access_token: shown(access),
        token_type: if is_cookie { "Cookie" } else { "Bearer" },
        expires_in: access_s,
        refresh_token: shown(renew),
        refresh_expires_in: renew_s,
        workspace: place(doors, &here),
        workspaces: places(doors, &person.id),
        user: UserNamed { id: person.id, username: person.name, email: person.email },
    })
}

fn set_cookies(
    answer: &mut actix_web::HttpResponseBuilder,
    request: &HttpRequest,
    access: (&str, i64),
    renew: (&str, i64),
) {
    for cookie in cookie::setting(request, access, renew) {
        answer.append_header((header::SET_COOKIE, cookie));
    }
}
