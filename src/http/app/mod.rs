//! The doors of an `.ai` app that is served beside the gateway: which requests are its own, and which door takes them.
//!
//! Must not decide what an app answers; `run::site` does.

mod course;
mod doors;
mod events;
mod payer;

use actix_web::guard::GuardContext;
use actix_web::http::Method;
use actix_web::web;
use percent_encoding::percent_decode_str;

use super::{Doors, ui};
use crate::run::routing::{Reply, is_reserved, problem};
use crate::run::site::Site;

pub(crate) use doors::answer;

/// The app of a server.
pub enum Mounted {
    /// One that loaded.
    Site(std::sync::Arc<Site>),
    /// One that did not, and what every request for it is answered.
    Broken(Reply),
}

impl Mounted {
    /// An app that did not load because of `fault`.
    #[must_use]
    pub fn broken(fault: &crate::lang::fault::Fault) -> Self {
        Self::Broken(problem(fault))
    }
}

/// A fixed path of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fixed {
    Action,
    Ui,
    UiActions,
    UiState,
    State,
    Health,
    Logs,
    Traces,
    Metrics,
    VersionedUi,
    VersionedAction(String),
}

impl Fixed {
    fn of(site: &Site, path: &str) -> Option<Self> {
        let path = path.trim_end_matches('/');
        Some(match path {
            "/api/action" => Self::Action,
            "/api/ui" => Self::Ui,
            "/api/ui/actions" => Self::UiActions,
            "/api/ui/state" => Self::UiState,
            "/api/state" => Self::State,
            "/api/health" => Self::Health,
            "/api/logs" => Self::Logs,
            "/api/traces" => Self::Traces,
            "/api/v1/ui" => Self::VersionedUi,
            _ if site.is_metrics(path) => Self::Metrics,
            _ => {
                let id = percent_decode_str(path.strip_prefix("/api/v1/actions/")?);
                Self::VersionedAction(id.decode_utf8_lossy().into_owned())
            }
        })
    }

    const fn takes_body(&self) -> bool {
        matches!(self, Self::Action | Self::VersionedAction(_))
    }

    const fn allowed(&self) -> &'static str {
        if self.takes_body() { "POST, OPTIONS" } else { "GET, HEAD, OPTIONS" }
    }

    fn takes(&self, method: &Method) -> bool {
        match self.takes_body() {
            true => method == Method::POST,
            false => method == Method::GET || method == Method::HEAD,
        }
    }
}

/// Whether the gateway answers this path, reserved or not.
fn is_gateway(path: &str) -> bool {
    matches!(path, "/health" | "/ready" | "/docs" | "/console")
        || path.starts_with("/docs/")
        || path.starts_with(ui::PLACE)
}

/// Whether a request is the app's: one of its fixed paths, or a route. A path that the server has keeps its meaning
/// unless a route names it word for word.
fn claims(mounted: &Mounted, method: &Method, path: &str) -> bool {
    let site = match mounted {
        Mounted::Broken(_) => return !is_reserved(path) && !is_gateway(path),
        Mounted::Site(site) => site,
    };
    if Fixed::of(site, path).is_some() {
        return true;
    }
    let found = site.routes().find(method.as_str(), path);
    found.is_some_and(|found| found.route.is_literal() || !is_gateway(path))
}

/// Adds the app's doors to the app of one worker.
pub(super) fn mount(app: &mut web::ServiceConfig, doors: &web::Data<Doors>) {
    if doors.app.is_none() {
        return;
    }
    let doors = doors.clone();
    let ours = move |context: &GuardContext<'_>| {
        let head = context.head();
        doors.app.as_ref().is_some_and(|mounted| claims(mounted, &head.method, head.uri.path()))
    };
    let door = web::resource("/{tail:.*}").guard(actix_web::guard::fn_guard(ours));
    app.service(door.default_service(web::route().to(answer)));
}
