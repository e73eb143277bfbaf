//! Owns an app as it is served: its pages, routes and records behind one host, and what each of its fixed questions is
//! answered. Must not know HTTP beyond statuses, nor sockets.

mod rules;

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use self::rules::Rules;
use super::host::{Host, Kept, Question, Terms, Visit, Visited};
use super::news::Tell;
use super::pages::{Pages, fields};
use super::payer::For;
use super::payload;
use super::refusal::Refusal;
use super::routing::{BodyFault, Reply, Routes, problem, refused};
use super::{Asker, Ran};
use crate::config::Performance;
use crate::lang::ast::Program;
use crate::lang::fault::{Fault, Guide};
use crate::lang::records::{Schema, visible};
use crate::lang::value::{JsonStyle, Map, Value};

/// What an app is served with.
pub struct Fittings {
    /// What it is called where several things are shown side by side.
    pub name: String,
    /// Who answers its asks.
    pub asker: Asker,
    /// Its settings.
    pub settings: Performance,
    /// Whether log lines and metrics are collected.
    pub observing: bool,
    /// Who its callers are, as far as the environment says.
    pub identity: Option<Map>,
    /// What callers of `/api/v1/ui` and `/api/v1/actions` must show.
    pub token: Option<String>,
    /// What was kept before.
    pub kept: Kept,
    /// Runs that may wait for what the app keeps.
    pub queue_runs: usize,
}

/// An app that is served.
pub struct Site {
    name: String,
    host: Arc<Host>,
    pages: Pages,
    routes: Routes,
    tables: Vec<Table>,
    identity: Option<Map>,
    token: Option<String>,
    metrics_endpoint: Option<String>,
    /// What was wrong with the form sent last.
    errors: Mutex<Value>,
    rules: Rules,
}

/// A record as `/api/state` shows it.
struct Table {
    schema: Schema,
    fields: Value,
}

impl Site {
    /// Makes a checked program ready to be served.
    ///
    /// # Errors
    /// Routes that claim paths of the server.
    pub fn new(tree: &Program, fittings: Fittings) -> Result<Self, Vec<Fault>> {
        let Fittings { name, asker, settings, observing, identity, token, kept, queue_runs } = fittings;
        let routes = Routes::new(tree)?;
        let pages = Pages::new(tree)?;
        let terms = Terms { settings: &settings, observing, queue_runs };
        let host = Host::new(Arc::clone(pages.app()), asker, &terms, kept);
        let mut names = BTreeSet::new();
        // Of two records with one name the last counts.
        let declared = tree.records.iter().rev().filter(|record| names.insert(Arc::clone(&record.name.text)));
        let mut tables = declared
            .map(|record| Ok(Table { schema: Schema::new(record)?, fields: fields(Some(record)) }))
            .collect::<Result<Vec<_>, Fault>>()
            .map_err(|fault| vec![fault])?;
        tables.sort_by(|a, b| a.schema.name.cmp(&b.schema.name));
        let metrics_endpoint = settings.metrics_endpoint;
        let errors = Mutex::new(Value::list(Vec::new()));
        let host = Arc::new(host);
        let rules = Rules::default();
        Ok(Self { name, host, pages, routes, tables, identity, token, metrics_endpoint, errors, rules })
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What runs its flows.
    #[must_use]
    pub fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// Its routes.
    #[must_use]
    pub fn routes(&self) -> &Routes {
        &self.routes
    }

    /// Whether a caller of the versioned paths showed the right token.
    #[must_use]
    pub fn trusts(&self, shown: Option<&str>) -> bool {
        let digest = |text: &str| Sha256::digest(text.as_bytes());
        // Of digests, so that the time taken tells nothing of the token.
        self.token.as_ref().is_none_or(|token| shown.is_some_and(|shown| digest(shown) == digest(token)))
    }

    /// Whether this is a path of the metrics.
    #[must_use]
    pub fn is_metrics(&self, path: &str) -> bool {
        path == "/api/metrics" || self.metrics_endpoint.as_deref() == Some(path)
    }

    /// Runs the flow of a route.
    ///
    /// # Errors
    /// As [`Host::run_telling`].
    pub async fn run(
        self: Arc<Self>,
        flow: Arc<str>,
        input: Value,
        (tell, payer): (Tell, For),
    ) -> Result<Ran, Refusal> {
        self.host.run_telling(self.question(&flow, input, &payer), Some(tell)).await
    }

    fn question(&self, flow: &str, input: Value, payer: &For) -> Question {
        Question { flow: flow.to_owned(), input, identity: self.identity.clone(), payer: payer.clone() }
    }

    /// Carries out the action `id`; the payload is an object or nothing.
    ///
    /// # Errors
    /// As [`Host::run`].
    pub async fn act(&self, id: &str, payload: Option<&Value>, payer: &For) -> Result<Reply, Refusal> {
        let Some(action) = self.pages.action(id) else { return Ok(unknown_action(id)) };
        let input = match payload {
            None | Some(Value::Null) => action.input(Map::default()),
            Some(Value::Map(payload)) => action.input(payload.clone()),
            Some(other) => return Ok(bad_payload(other)),
        };
        self.settle_rules(payer).await?;
        let (pages, rules) = self.open_rules(payer);
        let visit = Visit {
            rule: self.rule_before(action.deed.guard(), payer),
            deed: self.question(action.deed.flow(), input.clone(), payer),
            rules,
        };
        let Visited { ran, hold } = self.host.visit(visit).await?;
        let manifest = self.shown(&pages, &hold);
        Ok(self.acted(action.reply(ran.outcome, &input, manifest).of(&ran.told)))
    }

    /// Remembers what was wrong with a form for `/api/ui/state`.
    fn acted(&self, reply: Reply) -> Reply {
        let errors = reply.body.as_map().and_then(|body| body.get("errors"));
        let of_form = errors.filter(|_| reply.status == 400).cloned();
        *self.errors.lock() = of_form.unwrap_or_else(|| Value::list(Vec::new()));
        reply
    }

    /// The pages the caller may see.
    ///
    /// # Errors
    /// As [`Host::run`].
    pub async fn manifest(&self, payer: &For) -> Result<Value, Refusal> {
        self.settle_rules(payer).await?;
        let (pages, rules) = self.open_rules(payer);
        let hold = self.host.judge(&rules).await?;
        Ok(self.shown(&pages, &hold))
    }

    /// `GET /api/v1/ui`: the manifest, and a hash that changes with it.
    ///
    /// # Errors
    /// As [`Host::run`].
    pub async fn versioned_manifest(&self, payer: &For) -> Result<Value, Refusal> {
        let manifest = self.manifest(payer).await?;
        let hash = hash(&manifest);
        Ok(Value::fields([
            ("api_version", "v1".into()),
            ("hash", Value::text(hash)),
            ("manifest", manifest),
            ("ok", true.into()),
        ]))
    }

    /// `GET /api/ui/actions`.
    ///
    /// # Errors
    /// As [`Host::run`].
    pub async fn actions(&self, payer: &For) -> Result<Value, Refusal> {
        let manifest = self.manifest(payer).await?;
        let actions = manifest.as_map().and_then(|manifest| manifest.get("actions")).and_then(Value::as_map);
        let actions = actions.into_iter().flat_map(|actions| actions.values().cloned());
        Ok(Value::fields([("actions", Value::list(actions.collect())), ("ok", true.into())]))
    }

    /// `GET /api/ui/state`.
    ///
    /// # Errors
    /// As [`Host::run`].
    pub async fn ui_state(&self) -> Result<Value, Refusal> {
        let values = self.host.look(|kept| Value::Map(kept.state.clone())).await?;
        let errors = self.errors.lock().clone();
        let state = Value::fields([("current_page", Value::Null), ("errors", errors), ("values", values)]);
        Ok(Value::fields([("ok", true.into()), ("state", state)]))
    }

    /// `GET /api/state`: the state, and the records the caller may see.
    ///
    /// # Errors
    /// As [`Host::run`].
    pub async fn state(&self) -> Result<Reply, Refusal> {
        let now_ms = self.host.now_ms();
        let tables = self.tables.iter().map(|table| &table.schema);
        let looked = self.host.look_at_rows(tables, |kept| {
            let records = self.tables.iter().map(|table| table.told(kept, self.identity.as_ref(), now_ms));
            (Value::Map(kept.state.clone()), Value::list(records.collect()))
        });
        let (state, records) = match looked.await? {
            Ok(seen) => seen,
            Err(fault) => return Ok(problem(&fault)),
        };
        let revision = hash(&Value::list(vec![state.clone(), records.clone()]));
        Ok(Reply::ok(Value::fields([
            ("ok", true.into()),
            ("records", records),
            ("revision", Value::text(revision)),
            ("state", state),
        ])))
    }

    /// `GET /api/logs`.
    #[must_use]
    pub fn logs(&self) -> Value {
        listed("logs", self.host.observed().logs())
    }

    /// `GET /api/traces`.
    #[must_use]
    pub fn traces(&self) -> Value {
        listed("spans", self.host.observed().spans())
    }

    /// `GET /api/metrics`.
    #[must_use]
    pub fn metrics(&self) -> Value {
        self.host.observed().metrics(self.host.counters())
    }

    /// `GET /api/health`.
    #[must_use]
    pub fn health(&self) -> Value {
        let count = |count: usize| Value::int(i64::try_from(count).unwrap_or(i64::MAX));
        Value::fields([
            ("actions", count(self.pages.actions().len())),
            ("mode", "run".into()),
            ("ok", true.into()),
            ("pages", count(self.pages.pages().len())),
            ("routes", count(self.routes.len())),
            ("status", "ready".into()),
        ])
    }
}

impl Table {
    fn told(&self, kept: &Kept, identity: Option<&Map>, now_ms: i64) -> Value {
        let identity = identity.cloned().map(Value::Map).unwrap_or_default();
        let scope = self.schema.scope(&identity, Some(now_ms));
        // Who has no tenant sees no tenant's records.
        let rows = scope.map(|scope| visible(&kept.store, &self.schema, &scope)).unwrap_or_default();
        let rows: Vec<Value> = rows.into_iter().map(|row| Value::Map(row.fields)).collect();
        Value::fields([
            ("count", Value::Number(rows.len().into())),
            ("fields", self.fields.clone()),
            ("id_field", Value::Text(Arc::clone(&self.schema.id_field))),
            ("name", Value::Text(Arc::clone(&self.schema.name))),
            ("rows", Value::list(rows)),
        ])
    }
}

fn listed(name: &str, lines: Vec<Value>) -> Value {
    Value::fields([
        ("count", Value::Number(lines.len().into())),
        (name, Value::list(lines)),
        ("ok", true.into()),
    ])
}

fn hash(value: &Value) -> String {
    let digest = Sha256::digest(value.to_json(JsonStyle::Canonical).as_bytes());
    hex::encode(digest)
}

/// The answer to an action that says too little to be one.
#[must_use]
pub fn no_action_id() -> Reply {
    failed(
        "Action id is required.",
        "The body names no action.",
        "Send {\"id\": .., \"payload\": {..}}; GET /api/ui/actions lists the ids.",
    )
}

/// The answer to a body that holds no action.
#[must_use]
pub fn bad_action_body(fault: BodyFault) -> Reply {
    let what = match fault {
        BodyFault::NotJson => "Invalid JSON body.",
        BodyFault::NotObject => "Body must be a JSON object.",
    };
    failed(what, "An action is an object with its id and its payload.", "Send one.")
}

fn unknown_action(id: &str) -> Reply {
    failed(
        &format!("Unknown action '{}'.", crate::lang::report::cut(id, 100)),
        "No page of the app has it.",
        "Use an id that GET /api/ui/actions lists.",
    )
}

fn bad_payload(payload: &Value) -> Reply {
    failed(
        "Payload must be an object.",
        &format!("It is {}.", payload.type_name()),
        "Send the input of the flow, or the values of the form, as an object.",
    )
}

/// The payload of an action that never ran.
fn failed(what: &str, why: &str, fix: &str) -> Reply {
    let example = "{\"id\": \"page.home.button.go\", \"payload\": {}}".to_owned();
    let guide = Guide { what: what.to_owned(), why: why.to_owned(), fix: fix.to_owned(), example };
    let mut body = match payload::failure(&[Fault::run_guided(guide, None)]) {
        Value::Map(body) => body,
        _ => Map::default(),
    };
    body.insert("error".into(), what.into());
    body.insert("result".into(), Value::Null);
    Reply::new(400, Value::Map(body))
}

/// The answer to who asked for a run that did not come to an end of its own.
#[must_use]
pub fn not_run(refusal: Refusal) -> Reply {
    let (status, fix) = match refusal {
        Refusal::BrokeOff => (500, "Ask again; if that fails too, look into the log of the server."),
        Refusal::LineFull { .. } => (429, "Ask again in a moment."),
        Refusal::Late { .. } => (504, "Ask again in a moment."),
        Refusal::Closing => (503, "Ask again when the server is back."),
    };
    refused(status, &refusal.to_string(), fix)
}
