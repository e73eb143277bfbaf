//! `GET /api/v1/usage` and `GET /api/v1/workspaces/{id}/cache/stats`: calls added up.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use tidegate_actors::WorkspaceId;
use tidegate_actors::ports::books::Usages;
use utoipa::{IntoParams, ToSchema};

use super::calls::{books, moment, workspace};
use crate::http::booked::credential;
use crate::http::error::{DoorError, or_refused};
use crate::http::openapi::ApiProblem;
use crate::http::{Doors, access, guard};
use crate::identity::Roster;
use crate::identity::money::usd;
use crate::telemetry::when::written;

const DAY_US: i64 = 86_400 * 1_000_000;

/// Calls added up.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageList {
    /// `hour` or `day`.
    by: &'static str,
    usage: Vec<UsageRow>,
}

/// Calls of an hour or a day, with one credential and of one model.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageRow {
    /// The beginning of the hour or day, RFC 3339 UTC.
    from: String,
    credential: Option<String>,
    /// The key or person this is, and what people call it, as far as that is known any more.
    credential_id: Option<String>,
    credential_name: Option<String>,
    model: String,
    /// All of them; each is in one of the next seven counts.
    calls: u64,
    hits: u64,
    joined: u64,
    misses: u64,
    mixed: u64,
    bypassed: u64,
    failed: u64,
    abandoned: u64,
    tokens_in: u64,
    tokens_out: u64,
    /// USD, as far as prices are known.
    cost: String,
    /// What those that paid nothing would have cost.
    saved: String,
}

impl UsageRow {
    /// Sums, whose credential `roster` knows by name.
    fn of(sums: &Usages, roster: &Roster) -> Self {
        let named = roster.named(sums.credential);
        Self {
            from: written(sums.from_us),
            credential: credential(sums.credential),
            credential_id: named.as_ref().map(|named| named.id.to_string()),
            credential_name: named.map(|named| named.name.to_string()),
            model: sums.model.clone(),
            calls: sums.calls,
            hits: sums.hits,
            joined: sums.joined,
            misses: sums.misses,
            mixed: sums.mixed,
            bypassed: sums.bypassed,
            failed: sums.failed,
            abandoned: sums.abandoned,
            tokens_in: sums.tokens_in,
            tokens_out: sums.tokens_out,
            cost: usd(sums.cost_nano),
            saved: usd(sums.saved_nano),
        }
    }
}

/// What the memory of answers was worth to a workspace.
#[derive(Serialize, ToSchema)]
pub(crate) struct CacheStats {
    workspace: String,
    /// Calls that were looked up: those that hit, joined or missed, and those whose items came in different ways.
    lookups: u64,
    hits: u64,
    joined: u64,
    misses: u64,
    /// Those that hit, of all that were looked up; 0 where none was.
    hit_rate: f64,
    /// Time not waited for providers: what those that hit or joined would have taken at the pace of those that missed, less what
    /// they took.
    saved_ms: f64,
    /// What those that hit or joined would have cost, USD, as far as prices are known.
    saved: String,
}

/// Which time.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageAsked {
    /// `hour` or `day`, the default.
    by: Option<String>,
    /// From this moment on, RFC 3339; a week before `until` if it does not say. Hours count for the time they begin in.
    since: Option<String>,
    /// Before this moment, RFC 3339; now if it does not say.
    until: Option<String>,
    /// The id of a workspace, where the path does not say; one's own if it does not say. Another for operators alone.
    workspace: Option<String>,
    model: Option<String>,
}

/// Calls added up by hour or day, credential and model. Everything told before is in the sums.
#[utoipa::path(get, path = "/api/v1/usage", tag = "Tidegate", params(UsageAsked), responses(
    (status = 200, description = "The sums", body = UsageList),
    (status = "4XX", description = "What was asked cannot be understood", body = ApiProblem),
    (status = 503, description = "No ledger is kept, or it cannot be read", body = ApiProblem),
))]
pub(crate) async fn usage(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    or_refused(async {
        let principal = guard::admit(&request, &doors, &access::USAGE)?;
        let asked = asked(&request)?;
        let by = match asked.by.as_deref() {
            None | Some("day") => "day",
            Some("hour") => "hour",
            Some(other) => {
                return Err(DoorError::bad_field("by", format!("by must be hour or day, got {other:?}")));
            }
        };
        let workspace = workspace(asked.workspace.clone(), &principal)?;
        let mut rows = sums(&doors, workspace, asked).await?;
        if by == "day" {
            rows = by_day(rows);
        }
        let usage = rows.iter().map(|sums| UsageRow::of(sums, &doors.roster));
        Ok(HttpResponse::Ok().json(UsageList { by, usage: usage.collect() }))
    })
    .await
}

/// What the memory of answers was worth to a workspace.
#[utoipa::path(get, path = "/api/v1/workspaces/{id}/cache/stats", tag = "Tidegate",
    params(("id" = String, Path, description = "The workspace"), UsageAsked), responses(
    (status = 200, description = "The sums", body = CacheStats),
    (status = "4XX", description = "What was asked cannot be understood, or there is no such workspace", body = ApiProblem),
    (status = 503, description = "No ledger is kept, or it cannot be read", body = ApiProblem),
))]
pub(crate) async fn cache_stats(
    request: HttpRequest,
    id: web::Path<String>,
    doors: web::Data<Doors>,
) -> HttpResponse {
    or_refused(async {
        let principal = guard::admit(&request, &doors, &access::CACHE_STATS)?;
        let workspace = WorkspaceId::new(id.as_str());
        if !principal.sees(&workspace) {
            // Not even whether it is there.
            return Err(DoorError::no_such("workspace", &id));
        }
        let rows = sums(&doors, workspace, asked(&request)?).await?;
        Ok(HttpResponse::Ok().json(stats(&id, &rows)))
    })
    .await
}

fn asked(request: &HttpRequest) -> Result<UsageAsked, DoorError> {
    let asked = web::Query::<UsageAsked>::from_query(request.query_string());
    Ok(asked.map_err(|error| DoorError::bad_field("query", error.to_string()))?.into_inner())
}

async fn sums(doors: &Doors, workspace: WorkspaceId, asked: UsageAsked) -> Result<Vec<Usages>, DoorError> {
    let books = books(doors)?;
    let UsageAsked { by: _, workspace: _, since, until, model } = asked;
    let until_us =
        moment("until", until)?.unwrap_or_else(|| doors.engine.clock().unix_us().saturating_add(1));
    let since_us = moment("since", since)?.unwrap_or_else(|| until_us.saturating_sub(7 * DAY_US));
    let mut rows = books.usage(workspace, since_us, until_us).await?;
    rows.retain(|row| model.as_ref().is_none_or(|model| *model == row.model));
    Ok(rows)
}

fn by_day(hours: Vec<Usages>) -> Vec<Usages> {
    let mut days: BTreeMap<(i64, u64, String), Usages> = BTreeMap::new();
    for hour in hours {
        let from_us = hour.from_us.div_euclid(DAY_US) * DAY_US;
        let key = (from_us, hour.credential, hour.model.clone());
        let fresh = || Usages {
            from_us,
            credential: hour.credential,
            model: hour.model.clone(),
            ..Usages::default()
        };
        days.entry(key).or_insert_with(fresh).add(&hour);
    }
    days.into_values().collect()
}

/// Time saved is counted model by model: a fast model must not lend its pace to a slow one.
fn stats(workspace: &str, rows: &[Usages]) -> CacheStats {
    let mut models: BTreeMap<&str, Usages> = BTreeMap::new();
    for row in rows {
        models.entry(&row.model).or_default().add(row);
    }
    let mut all = Usages::default();
    models.values().for_each(|model| all.add(model));
    let lookups = all.hits + all.joined + all.misses + all.mixed;
    CacheStats {
        workspace: workspace.to_owned(),
        lookups,
        hits: all.hits,
        joined: all.joined,
        misses: all.misses,
        hit_rate: if lookups == 0 { 0.0 } else { all.hits as f64 / lookups as f64 },
        saved_ms: models.values().map(|model| model.saved_ns() as f64 / 1e6).sum(),
        saved: usd(all.saved_nano),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(model: &str, from_us: i64, hits: u64, misses: u64) -> Usages {
        Usages {
            from_us,
            model: model.to_owned(),
            calls: hits + misses,
            hits,
            misses,
            free_ns: hits * 1_000_000,
            paid_ns: misses * 100_000_000,
            saved_nano: i64::try_from(hits).unwrap_or_default() * 5,
            ..Usages::default()
        }
    }

    #[test]
    fn without_look_ups_the_hit_rate_is_0_and_nothing_was_saved() {
        let stats = stats("w", &[]);
        assert_eq!((stats.lookups, stats.hit_rate, stats.saved_ms), (0, 0.0, 0.0));
        assert_eq!(stats.saved, "0.000000000");
    }

    #[test]
    fn what_a_hit_saved_is_the_time_of_a_miss_of_its_model_less_its_own() {
        let stats = stats("w", &[hour("a", 0, 3, 1), hour("a", 1, 0, 1), hour("b", 0, 4, 0)]);
        assert_eq!((stats.lookups, stats.hits, stats.misses), (9, 7, 2));
        assert!((stats.hit_rate - 7.0 / 9.0).abs() < 1e-12);
        assert!((stats.saved_ms - 3.0 * 99.0).abs() < 1e-9, "of b no miss says how long one takes");
        assert_eq!(stats.saved, "0.000000035");
    }

    #[test]
    fn hours_of_a_day_are_one_line_for_each_model() {
        let days =
            by_day(vec![hour("a", 1, 1, 0), hour("b", 2, 1, 0), hour("a", 3, 2, 2), hour("a", DAY_US, 1, 0)]);
        let told: Vec<_> = days.iter().map(|day| (day.from_us, day.model.as_str(), day.calls)).collect();
        assert_eq!(told, [(0, "a", 5), (0, "b", 1), (DAY_US, "a", 1)]);
    }
}
