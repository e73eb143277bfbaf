//! `GET /api/v1/calls/export.jsonl` and `.csv`: all calls that are wanted, streamed page by page, so that a million rows need no
//! more memory than a page.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use tidegate_actors::ports::books::{BookedCall, Books, Unreadable, Wanted};
use tidegate_actors::ports::provider::Usage;

use super::calls::{ListAsked, books, wanted};
use crate::http::access::{self, Access};
use crate::http::booked::{CallRow, credential, credential_id};
use crate::http::error::or_refused;
use crate::http::openapi::ApiProblem;
use crate::http::{Doors, guard};
use crate::identity::Roster;
use crate::identity::money::usd;
use crate::telemetry::when::written;

/// Rows read at once.
const ROWS: usize = 500;

const HEADINGS: &str = "id,at,workspace,credential,credential_id,tags,door,kind,form,model,target,status,outcome,reason,payer,key,attempts,\
    lane_wait_ms,first_ms,total_ms,bytes,tokens_in,tokens_cached_read,tokens_cached_write,tokens_out,tokens_reasoning,cost,\
    saved,error_stage,error_code,error_blame,config,decision,batch,tokens_estimated,request_bytes\r\n";

/// Calls as they were written down, the latest first, one JSON object a line, each as `/api/v1/calls` shows it.
#[utoipa::path(get, path = "/api/v1/calls/export.jsonl", tag = "Tidegate", params(ListAsked), responses(
    (status = 200, description = "All calls that are wanted", body = String, content_type = "application/x-ndjson"),
    (status = "4XX", description = "What was asked cannot be understood", body = ApiProblem),
    (status = 503, description = "No ledger is kept, or it cannot be read", body = ApiProblem),
))]
pub(crate) async fn jsonl(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    export(&request, &doors, &access::EXPORT_JSONL, ("application/x-ndjson", ""), json_line).await
}

/// The same as CSV (RFC 4180), with headings.
#[utoipa::path(get, path = "/api/v1/calls/export.csv", tag = "Tidegate", params(ListAsked), responses(
    (status = 200, description = "All calls that are wanted", body = String, content_type = "text/csv"),
    (status = "4XX", description = "What was asked cannot be understood", body = ApiProblem),
    (status = 503, description = "No ledger is kept, or it cannot be read", body = ApiProblem),
))]
pub(crate) async fn csv(request: HttpRequest, doors: web::Data<Doors>) -> HttpResponse {
    export(&request, &doors, &access::EXPORT_CSV, ("text/csv; charset=utf-8", HEADINGS), csv_line).await
}

type Line = fn(BookedCall<'static>, &Roster) -> String;

async fn export(
    request: &HttpRequest,
    doors: &Doors,
    access: &Access,
    (kind, headings): (&'static str, &'static str),
    line: Line,
) -> HttpResponse {
    or_refused(async {
        let principal = guard::admit(request, doors, access)?;
        let books = Arc::clone(books(doors)?);
        let wanted = Wanted { limit: ROWS, ..wanted(request, doors, &principal)? };
        // Before the head of the answer goes out, so that a ledger that cannot be read is a 503.
        let (text, rest) = next(&*books, &doors.roster, wanted, line).await?;
        let roster = Arc::clone(&doors.roster);
        let first = Ok::<_, Unreadable>(Bytes::from(format!("{headings}{text}")));
        let others = stream::try_unfold(rest, move |rest| {
            let (books, roster) = (Arc::clone(&books), Arc::clone(&roster));
            async move {
                let Some(wanted) = rest else { return Ok(None) };
                let (text, rest) = next(&*books, &roster, wanted, line).await?;
                Ok(Some((Bytes::from(text), rest)))
            }
        });
        let body = futures_util::StreamExt::chain(stream::iter([first]), others);
        Ok(HttpResponse::Ok().content_type(kind).streaming(Box::pin(body)))
    })
    .await
}

/// A page as text, and what is wanted behind it.
async fn next(
    books: &dyn Books,
    roster: &Roster,
    wanted: Wanted,
    line: Line,
) -> Result<(String, Option<Wanted>), Unreadable> {
    let page = books.calls(wanted.clone()).await?;
    let rest = page.next.map(|cursor| Wanted { after: Some(cursor), ..wanted });
    Ok((page.rows.into_iter().map(|row| line(row, roster)).collect(), rest))
}

fn json_line(row: BookedCall<'static>, roster: &Roster) -> String {
    // A row of texts and numbers has a JSON form.
    serde_json::to_string(&CallRow::of(row, roster)).unwrap_or_default() + "\n"
}

fn csv_line(row: BookedCall<'static>, roster: &Roster) -> String {
    let Usage { input, cached_read, cached_write, output, reasoning } = row.usage.unwrap_or_default();
    let counted = |tokens: u64| row.usage.map(|_| tokens.to_string()).unwrap_or_default();
    let ms = |nanos: u64| (nanos as f64 / 1e6).to_string();
    let fields = [
        row.id.to_string(),
        written(row.at_us),
        row.workspace.to_string(),
        credential(row.credential).unwrap_or_default(),
        credential_id(row.credential, roster).unwrap_or_default(),
        row.tags.to_string(),
        row.door.to_string(),
        row.kind.to_string(),
        row.form.to_string(),
        row.model.to_string(),
        row.target.to_string(),
        row.status().to_owned(),
        row.outcome.to_string(),
        row.reason.to_string(),
        row.payer.map(|payer| payer.to_string()).unwrap_or_default(),
        row.key.map(hex::encode).unwrap_or_default(),
        row.attempts.to_string(),
        ms(row.lane_wait_ns()),
        ms(row.first_ns()),
        ms(row.took_ns()),
        row.bytes.to_string(),
        counted(input),
        counted(cached_read),
        counted(cached_write),
        counted(output),
        counted(reasoning),
        row.cost.map(usd).unwrap_or_default(),
        row.saved.map(usd).unwrap_or_default(),
        row.failure[0].to_string(),
        row.failure[1].to_string(),
        row.failure[2].to_string(),
        row.config.to_string(),
        row.decision().to_owned(),
        row.batch.map(|batch| batch.to_string()).unwrap_or_default(),
        u8::from(row.estimated).to_string(),
        row.request_bytes.to_string(),
    ];
    fields.map(|field| quoted(&field)).join(",") + "\r\n"
}

/// A field, in quotes where it needs them.
fn quoted(field: &str) -> String {
    match field.contains(['"', ',', '\r', '\n']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_with_commas_quotes_or_line_ends_stand_in_quotes() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("say \"no\"\r\n"), "\"say \"\"no\"\"\r\n\"");
        assert_eq!(HEADINGS.matches(',').count(), 35, "a heading for each field");
    }
}
