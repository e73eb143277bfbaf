//! The doors: HTTP in, calls to the engine, HTTP out.
//!
//! Owns paths, headers, status codes and limits on what a client may send. Must not import providers, and must
//! not decide what the engine decides.

pub mod access;
mod answer;
mod app;
mod arrival;
mod booked;
mod budget;
mod coding;
mod cookie;
mod error;
mod guard;
mod intake;
mod keeping;
mod memo;
mod meter;
mod metrics;
mod names;
mod nowhere;
mod openapi;
mod proxy;
mod reply;
mod routes;
mod stream;
mod tokens;
mod turn;
mod ui;
mod values;
mod vendor;
mod watch;

use std::rc::Rc;
use std::sync::Arc;

use actix_web::guard::{Any, Get, Head};
use actix_web::{Resource, Route, web};
use tidegate_actors::Engine;
use tidegate_actors::ports::bodies::Bodies;
use tidegate_actors::ports::books::Books;

use crate::config::Config;
use crate::identity::{Office, Roster, Tariff};
use crate::run::site::Site;

use memo::RequestMemo;

pub use app::Mounted;
pub use budget::ByteBudget;
pub use meter::{HttpMetrics, Metered};
pub use metrics::{APP, Exposition};
pub use names::{ModelTable, Served};
pub use openapi::described;
pub use watch::Watch;

/// What every door needs; one per process, shared by all workers.
pub struct Doors {
    /// The engine.
    pub engine: Engine,
    /// What it was started with.
    pub config: Config,
    /// Public model names and their targets.
    pub models: ModelTable,
    /// Request bodies held at once.
    pub bodies: Arc<ByteBudget>,
    /// Requests remembered as parsed.
    pub memos: Arc<ByteBudget>,
    /// What `/metrics` shows.
    pub exposition: Exposition,
    /// What the doors count.
    pub meter: HttpMetrics,
    /// Whose credentials are taken.
    pub roster: Arc<Roster>,
    /// Where keys are given; nothing where nothing is kept.
    pub office: Option<Arc<Office>>,
    /// What tokens cost.
    pub tariff: Arc<dyn Tariff>,
    /// The app served beside the gateway, if there is one.
    pub app: Option<Mounted>,
    /// What stands behind the doors beside the engine.
    pub backing: Vec<Backing>,
    /// The ledger, if one is kept.
    pub books: Option<Arc<dyn Books>>,
    /// What calls ask and are told, for workspaces that keep it.
    pub archive: Option<Arc<dyn Bodies>>,
    /// What consoles are shown.
    pub watch: Arc<Watch>,
    /// Tells its configuration from others, as rows of the ledger do.
    pub version: String,
}

/// A part without which a server is not ready.
pub struct Backing {
    /// Its name.
    pub part: &'static str,
    /// Why it cannot be used just now, if that is so. Answers at once.
    pub trouble: Box<dyn Fn() -> Option<String> + Send + Sync>,
}

impl Doors {
    /// The app served beside the gateway, if it loaded.
    pub(crate) fn site(&self) -> Option<&Site> {
        match &self.app {
            Some(Mounted::Site(site)) => Some(site),
            Some(Mounted::Broken(_)) | None => None,
        }
    }

    /// Where keys are given.
    pub(crate) fn office(&self) -> Result<&Office, error::DoorError> {
        self.office.as_deref().ok_or_else(error::DoorError::nothing_kept)
    }
}

/// What the doors of one worker need.
pub(crate) struct Desk {
    doors: web::Data<Doors>,
    memo: RequestMemo,
}

/// Adds every route to the app of one worker. The paths named most often stand first: actix tries them in order.
pub fn routes(doors: &web::Data<Doors>) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
    let doors = doors.clone();
    move |app| {
        let metrics_endpoint = doors.config.observability.metrics_endpoint.clone();
        let desk = Desk { doors: doors.clone(), memo: RequestMemo::new(&doors.memos) };
        app.app_data(doors.clone())
            .app_data(web::ThinData(Rc::new(desk)))
            .service(taking(access::CHAT.path, post().to(routes::chat::completions)))
            .service(taking(access::EMBED.path, post().to(routes::embeddings::create)))
            .service(taking(access::MESSAGES.path, post().to(routes::chat::messages)))
            .service(taking(access::COUNT_TOKENS.path, post().to(routes::forward::count_tokens)));
        app::mount(app, &doors);
        app.service(giving("/health", get().to(routes::health::health)))
            .service(giving("/ready", get().to(routes::health::ready)))
            .service(giving(access::METRICS.path, get().to(routes::metrics::text)))
            .service(giving(&metrics_endpoint, get().to(routes::metrics::json)))
            .service(giving(access::MODELS.path, get().to(routes::models::list)))
            // Other methods of it pass through: a vendor's own models can be deleted.
            .route(access::MODEL.path, get().to(routes::models::one))
            .service(giving(access::CALLS.path, get().to(routes::calls::list)))
            .service(giving(access::USAGE.path, get().to(routes::usage::usage)))
            .service(giving(access::CACHE_STATS.path, get().to(routes::usage::cache_stats)))
            .service(giving(access::ATTEMPTS.path, get().to(routes::calls::attempts)))
            .service(giving(access::EXPORT_JSONL.path, get().to(routes::export::jsonl)))
            .service(giving(access::EXPORT_CSV.path, get().to(routes::export::csv)))
            .service(giving(access::TAIL.path, get().to(routes::tail::stream)))
            .service(giving(access::CALL.path, get().to(routes::calls::one)))
            .service(giving(access::BODIES.path, get().to(routes::bodies::one)))
            .service(giving(access::EXPLAIN.path, get().to(routes::explain::explain)))
            .service(giving(access::CONSOLE_STREAM.path, get().to(routes::console::stream)))
            .service(taking(access::PURGE.path, post().to(routes::purge::purge)))
            .service(giving(access::ENGINE.path, get().to(routes::engine::engine)))
            .service(both(
                access::WORKSPACES.path,
                get().to(routes::workspaces::list),
                post().to(routes::workspaces::make),
            ))
            .service(taking(access::SET_WORKSPACE.path, post().to(routes::workspaces::set)))
            .service(both(access::KEYS.path, get().to(routes::keys::list), post().to(routes::keys::make)))
            .service(giving(access::PRICES.path, get().to(routes::prices::list)))
            .service(both(
                access::LIMITS.path,
                get().to(routes::limits::list),
                post().to(routes::limits::set),
            ))
            .service(taking(access::ROTATE_KEY.path, post().to(routes::keys::rotate)))
            .service(taking(access::REVOKE_KEY.path, post().to(routes::keys::revoke)))
            .configure(people)
            .service(giving("/docs/openapi.json", get().to(routes::docs::openapi)))
            .service(giving("/docs", get().to(routes::docs::moved)))
            .service(giving("/docs/{file:.*}", get().to(routes::docs::page)))
            .service(giving(access::HOME.path, get().to(ui::home)))
            .service(giving("/console", get().to(ui::moved)))
            .service(giving(access::CONSOLE.path, get().to(ui::page)))
            .route(access::FORWARD.path, web::route().to(routes::forward::forward))
            .default_service(web::route().to(nowhere::fallback));
    }
}

/// The paths of those who sign in.
fn people(app: &mut web::ServiceConfig) {
    app.service(taking(access::LOGIN.path, post().to(routes::auth::login)))
        .service(taking(access::REFRESH.path, post().to(routes::auth::refresh)))
        .service(taking(access::LOGOUT.path, post().to(routes::auth::logout)))
        .service(taking(access::PASSWORD.path, post().to(routes::auth::password)))
        .service(giving(access::ME.path, get().to(routes::auth::me)))
        .service(both(access::USERS.path, get().to(routes::users::list), post().to(routes::users::make)))
        .service(taking(access::SET_PASSWORD.path, post().to(routes::users::password)))
        .service(taking(access::GRANT.path, post().to(routes::users::grant)))
        .service(taking(access::DISABLE_USER.path, post().to(routes::users::disable)))
        .service(taking(access::ENABLE_USER.path, post().to(routes::users::enable)));
}

fn get() -> Route {
    web::route().guard(Any(Get()).or(Head()))
}

fn post() -> Route {
    web::post()
}

/// A path that is read; any other method is told so.
fn giving(path: &str, route: Route) -> Resource {
    only(path, route, "GET, HEAD, OPTIONS")
}

/// A path that takes a body; any other method is told so.
fn taking(path: &str, route: Route) -> Resource {
    only(path, route, "POST, OPTIONS")
}

/// A path that is read and takes a body.
fn both(path: &str, read: Route, take: Route) -> Resource {
    only(path, read, "GET, HEAD, POST, OPTIONS").route(take)
}

fn only(path: &str, route: Route, allowed: &'static str) -> Resource {
    let wrong = move |request, doors: web::Data<Doors>| async move {
        nowhere::wrong_method(&request, &doors, allowed)
    };
    web::resource(path).route(route).default_service(web::route().to(wrong))
}
