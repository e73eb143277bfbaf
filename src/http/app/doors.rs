//! Each door of an app: its request read, the site asked, the answer worded.

use std::sync::Arc;

use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, web};
use tidegate_actors::WorkspaceId;

use super::course::Course;
use super::payer::Caller;
use super::{Fixed, Mounted, events, is_gateway};
use crate::http::error::DoorError;
use crate::http::reply::{refuse, respond};
use crate::http::{Doors, access, guard, intake, nowhere, routes};
use crate::identity::Principal;
use crate::lang::value::{Map, Value};
use crate::run::routing::{Reply, body, query, refused};
use crate::run::site::{Site, bad_action_body, no_action_id, not_run};
use crate::run::{For, Refusal};

/// A request that is the app's.
pub(crate) async fn answer(
    request: HttpRequest,
    payload: web::Payload,
    doors: web::Data<Doors>,
) -> HttpResponse {
    let principal = match admit(&request, &doors) {
        Ok(principal) => principal,
        Err(refused) => return refuse(&refused),
    };
    let done = match doors.app.as_ref() {
        Some(Mounted::Broken(reply)) => return respond(reply),
        Some(Mounted::Site(site)) => {
            let payer: For = Some(Arc::new(Caller { doors: doors.clone(), principal }));
            of_site((Arc::clone(site), payer), &request, payload, &doors).await
        }
        None => return nowhere::fallback(request, doors).await,
    };
    done.unwrap_or_else(|refused| refused)
}

/// The app and what it keeps are of the workspace `default`; operators may use it too.
fn admit(request: &HttpRequest, doors: &Doors) -> Result<Arc<Principal>, DoorError> {
    let access = match request.method().is_safe() {
        true => &access::APP_READ,
        false => &access::APP_WRITE,
    };
    let principal = guard::admit(request, doors, access)?;
    let own = WorkspaceId::default_workspace();
    if principal.sees(&own) { Ok(principal) } else { Err(DoorError::other_workspace(own.as_str())) }
}

async fn of_site(
    (site, payer): (Arc<Site>, For),
    request: &HttpRequest,
    mut payload: web::Payload,
    doors: &web::Data<Doors>,
) -> Result<HttpResponse, HttpResponse> {
    let (method, path) = (request.method(), request.path());
    let fixed = Fixed::of(&site, path);
    let found = site.routes().find(method.as_str(), path);
    let route = found.filter(|found| found.route.is_literal() || fixed.is_none() && !is_gateway(path));
    if let (None, Some(fixed)) = (&route, &fixed) {
        return self::fixed((&site, &payer), fixed, request, payload, doors).await;
    }
    let Some(found) = route else { return Ok(nowhere::missing(request, doors)) };
    let taken = intake::body(doors, request, &mut payload).await.map_err(|error| refuse(&error))?;
    let fields = body(&taken.bytes).map_err(|fault| respond(&fault.reply()))?;
    let input = found.input(request.query_string(), fields);
    let wants_events = query(request.query_string()).any(|(name, value)| name == "stream" && value == "true");
    let flow = Arc::clone(&found.route.flow);
    let course = Course::begin(Arc::clone(&site), flow, input, payer);
    let clock = Arc::clone(doors.engine.clock());
    let route = Arc::clone(found.route);
    let shape = move |outcome: &_| route.reply(outcome);
    Ok(events::answer(course, wants_events, shape, clock, taken.share).await)
}

async fn fixed(
    (site, payer): (&Arc<Site>, &For),
    fixed: &Fixed,
    request: &HttpRequest,
    mut payload: web::Payload,
    doors: &web::Data<Doors>,
) -> Result<HttpResponse, HttpResponse> {
    if !fixed.takes(request.method()) {
        return Err(nowhere::wrong_method(request, doors, fixed.allowed()));
    }
    if matches!(fixed, Fixed::VersionedUi | Fixed::VersionedAction(_))
        && !site.trusts(token(request.headers()))
    {
        let fix = "Send the token as X-API-Token, or as Authorization: Bearer.";
        return Err(respond(&refused(401, "API token is missing or wrong.", fix)));
    }
    let told = |value: Result<Value, Refusal>| value.map_or_else(not_run, Reply::ok);
    let reply = match fixed {
        Fixed::Action | Fixed::VersionedAction(_) => {
            let taken = intake::body(doors, request, &mut payload).await.map_err(|error| refuse(&error))?;
            match body(&taken.bytes) {
                Ok(fields) => action((site, payer), fixed, &fields).await,
                Err(fault) => bad_action_body(fault),
            }
        }
        Fixed::Ui => told(site.manifest(payer).await),
        Fixed::UiActions => told(site.actions(payer).await),
        Fixed::UiState => told(site.ui_state().await),
        Fixed::State => site.state().await.unwrap_or_else(not_run),
        Fixed::VersionedUi => told(site.versioned_manifest(payer).await),
        Fixed::Health => Reply::ok(site.health()),
        Fixed::Logs => Reply::ok(site.logs()),
        Fixed::Traces => Reply::ok(site.traces()),
        Fixed::Metrics if routes::metrics::wants_text(request.headers()) => {
            return Ok(routes::metrics::text(request.clone(), doors.clone()).await);
        }
        Fixed::Metrics => Reply::ok(site.metrics()),
    };
    Ok(respond(&reply))
}

/// Carries out an action: its id stands in the body, or in a versioned path.
async fn action((site, payer): (&Arc<Site>, &For), fixed: &Fixed, fields: &Map) -> Reply {
    let id = match fixed {
        Fixed::VersionedAction(id) => Some(id.as_str()),
        _ => fields.get("id").and_then(Value::as_text).map(AsRef::as_ref),
    };
    match id.filter(|id| !id.is_empty()) {
        Some(id) => site.act(id, fields.get("payload"), payer).await.unwrap_or_else(not_run),
        None => no_action_id(),
    }
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let own = headers.get("x-api-token").and_then(|value| value.to_str().ok());
    let bearer = || headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ");
    own.or_else(bearer)
}
