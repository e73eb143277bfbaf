//! `/api/v1/limits`: what workspaces and keys may use, and what of it is used.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::error::{DoorError, or_refused};
use crate::http::openapi::ApiProblem;
use crate::http::{Doors, access, guard, intake};
use crate::identity::money::{nano, usd};
use crate::identity::{LimitName, Meter, Office, Principal, Reading, Role, Span, Subject, Who, Whose};
use crate::telemetry::when::written;

/// Limits to set, of a workspace or of a key; what is left out is lifted. Money is decimal USD, as text.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitRequest {
    /// Id or name. For operators.
    workspace: Option<String>,
    /// Id, or the eight characters behind `tg_`.
    key: Option<String>,
    /// Calls that begin.
    requests_per_minute: Option<u64>,
    /// Tokens read and written by providers; a call reserves a fourth of its bytes until they are known.
    tokens_per_minute: Option<u64>,
    /// Calls that have begun and not ended.
    concurrent_calls: Option<u64>,
    /// What calls may cost in a UTC day: where nothing more passes. A call reserves what it may cost until that is known.
    #[schema(example = "12.50")]
    usd_per_day: Option<String>,
    /// The same in a UTC month.
    usd_per_month: Option<String>,
    /// What calls may cost in a UTC day before answers carry `x-tidegate-budget-warning`.
    soft_usd_per_day: Option<String>,
    /// The same in a UTC month.
    soft_usd_per_month: Option<String>,
}

/// A limit in force, and what of it is used.
#[derive(Serialize, ToSchema)]
pub(crate) struct LimitShown {
    /// The id of a workspace or of a key.
    subject: String,
    /// `requests_per_minute`, `tokens_per_minute`, `concurrent_calls`, `usd_per_day`, `usd_per_month`, `soft_usd_per_day` or
    /// `soft_usd_per_month`.
    name: &'static str,
    /// How much there is.
    limit: Amount,
    /// How much of it is used or reserved.
    used: Amount,
    /// When all of it is there again, RFC 3339 UTC; null for calls that have not ended.
    reset_at: Option<String>,
}

/// A number, or decimal USD as text.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Amount {
    Number(u64),
    Usd(String),
}

impl Amount {
    fn of(name: LimitName, amount: u64) -> Self {
        match name.is_money() {
            true => Self::Usd(usd(i64::try_from(amount).unwrap_or(i64::MAX))),
            false => Self::Number(amount),
        }
    }
}

/// Limits.
#[derive(Serialize, ToSchema)]
pub(crate) struct LimitList {
    limits: Vec<LimitShown>,
}

/// What one's own key and workspace may use and have used; for admins all keys of the workspace, for operators everything.
#[utoipa::path(get, path = "/api/v1/limits", tag = "Tidegate", responses(
    (status = 200, description = "The limits in force", body = LimitList),
    (status = "4XX", description = "Refused", body = ApiProblem),
))]
pub(crate) async fn list(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    or_refused(async {
        let principal = guard::admit(&request, &doors, &access::LIMITS)?;
        Ok(HttpResponse::Ok().json(listed(&doors, &principal)))
    })
    .await
}

/// Sets what a workspace or a key may use.
#[utoipa::path(post, path = "/api/v1/limits", tag = "Tidegate", request_body = LimitRequest, responses(
    (status = 200, description = "The limits in force", body = LimitList),
    (status = "4XX", description = "Nothing was changed", body = ApiProblem),
))]
pub(crate) async fn set(
    request: HttpRequest,
    mut payload: web::Payload,
    doors: web::Data<Doors>,
) -> HttpResponse {
    or_refused(async {
        let principal = guard::admit(&request, &doors, &access::SET_LIMITS)?;
        let asked: LimitRequest = intake::fields(&doors, &request, &mut payload).await?;
        let office = doors.office()?;
        office.refresh().await.map_err(|fault| DoorError::store(&fault))?;
        let subject = subject(office, &principal, &asked)?;
        office.limit(&subject, &limits(&asked)?).await?;
        Ok(HttpResponse::Ok().json(listed(&doors, &principal)))
    })
    .await
}

/// What is to be limited, if the asker may.
fn subject(office: &Office, principal: &Principal, asked: &LimitRequest) -> Result<Subject, DoorError> {
    match (&asked.workspace, &asked.key) {
        (Some(named), None) if principal.role < Role::Operator => Err(DoorError::other_workspace(named)),
        (Some(named), None) => Ok(Subject::Workspace(named.clone())),
        (None, Some(named)) => {
            let known = office.key(named).ok().filter(|row| principal.sees(&row.workspace));
            known.map(|row| Subject::Key(row.id)).ok_or_else(|| DoorError::no_such("key", named))
        }
        _ => Err(DoorError::bad_field("body", "say what is limited: either workspace or key")),
    }
}

fn limits(asked: &LimitRequest) -> Result<[(LimitName, Option<u64>); 7], DoorError> {
    let money = |name: LimitName, text: &Option<String>| {
        let refused = |text: &String| {
            let message =
                format!("{} must be decimal USD as text, such as \"12.50\", not {text:?}", name.name());
            DoorError::bad_field(name.name(), message)
        };
        let amount =
            |text: &String| nano(text).and_then(|nano| u64::try_from(nano).ok()).ok_or_else(|| refused(text));
        Ok::<_, DoorError>((name, text.as_ref().map(amount).transpose()?))
    };
    Ok([
        (LimitName::RequestsPerMinute, asked.requests_per_minute),
        (LimitName::TokensPerMinute, asked.tokens_per_minute),
        (LimitName::ConcurrentCalls, asked.concurrent_calls),
        money(LimitName::Usd(Span::Day), &asked.usd_per_day)?,
        money(LimitName::Usd(Span::Month), &asked.usd_per_month)?,
        money(LimitName::SoftUsd(Span::Day), &asked.soft_usd_per_day)?,
        money(LimitName::SoftUsd(Span::Month), &asked.soft_usd_per_month)?,
    ])
}

/// What the asker may know of: admins of all keys of their workspace, others of the key they ask with.
fn listed(doors: &Doors, principal: &Principal) -> LimitList {
    let clock = doors.engine.clock();
    let (now, now_us) = (clock.now(), clock.unix_us());
    let is_own = |whose: &Whose| {
        let holds = matches!(&principal.who, Who::Key(id) if **id == *whose.id);
        principal.role >= Role::Admin || whose.credential.is_none() || holds
    };
    let meters = doors.roster.meters();
    let seen =
        meters.iter().filter(|meter| principal.sees(&meter.whose().workspace) && is_own(meter.whose()));
    let shown = |meter: &Arc<Meter>| {
        let subject = meter.whose().id.clone();
        let shown = move |read: Reading| LimitShown {
            subject: subject.clone(),
            name: read.name.name(),
            limit: Amount::of(read.name, read.limit),
            used: Amount::of(read.name, read.used),
            reset_at: read.reset_us.map(written),
        };
        meter.read(now, now_us).into_iter().map(shown)
    };
    LimitList { limits: seen.flat_map(shown).collect() }
}
