//! `/api/v1/prices`: what tokens are counted at.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::error::or_refused;
use crate::http::openapi::ApiProblem;
use crate::http::{Doors, access, guard};
use crate::identity::PriceRow;
use crate::identity::money::usd;

/// What a million tokens of a model cost, USD.
#[derive(Serialize, ToSchema)]
pub(crate) struct PriceShown {
    /// As its provider calls it; a name with a date behind it costs the same.
    #[schema(example = "gpt-4o")]
    model: String,
    #[schema(example = "2.500000000")]
    input: String,
    /// Those of the input that came from the provider's own memory of prompts.
    cached_read: String,
    /// Those that went there.
    cached_write: String,
    /// Reasoning included.
    output: String,
    /// As of when it is known.
    date: String,
    /// Where its provider publishes it.
    source: String,
}

/// Prices.
#[derive(Serialize, ToSchema)]
pub(crate) struct PriceList {
    prices: Vec<PriceShown>,
}

impl From<PriceRow> for PriceShown {
    fn from(row: PriceRow) -> Self {
        let PriceRow { model, million, date, source } = row;
        let [input, cached_read, cached_write, output] = million.map(usd);
        Self { model, input, cached_read, cached_write, output, date, source }
    }
}

/// The prices by which costs are counted. A model that is not listed has no cost; what a mock makes up costs nothing.
#[utoipa::path(get, path = "/api/v1/prices", tag = "Tidegate", responses(
    (status = 200, description = "As config/prices.toml has them", body = PriceList),
    (status = "4XX", description = "Refused", body = ApiProblem),
))]
pub(crate) async fn list(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    or_refused(async {
        guard::admit(&request, &doors, &access::PRICES)?;
        let prices = doors.tariff.rows().into_iter().map(PriceShown::from).collect();
        Ok(HttpResponse::Ok().json(PriceList { prices }))
    })
    .await
}
