//! Owns what a door knows of a call until the engine has it, and sees to it that a refusal up to there stands in the books of
//! the workspace it came from. Must not decide who is refused.

use std::sync::Arc;

use actix_web::HttpRequest;
use tidegate_actors::call::CallKind;
use tidegate_actors::record;
use tidegate_actors::route::Route;
use tidegate_actors::{CallId, Form};

use super::access::{Access, permit_model};
use super::error::DoorError;
use super::names::Need;
use super::{Doors, guard, intake};
use crate::identity::Principal;

/// A call that has come and is not the engine's yet.
pub(crate) struct Arriving {
    pub(crate) id: CallId,
    door: &'static str,
    kind: CallKind,
    /// Whose it is; nobody's until its credential is verified.
    principal: Option<Arc<Principal>>,
    model: Option<Arc<str>>,
    pub(crate) form: Form,
    pub(crate) bytes: usize,
}

impl Arriving {
    /// A call at a door, of which nothing is known yet.
    pub(crate) fn at(door: &'static str, kind: CallKind) -> Self {
        Self { id: CallId::fresh(), door, kind, principal: None, model: None, form: Form::Whole, bytes: 0 }
    }

    /// Whose it is, if they may come in here.
    pub(crate) fn admit(
        &mut self,
        request: &HttpRequest,
        doors: &Doors,
        access: &Access,
    ) -> Result<Arc<Principal>, DoorError> {
        let principal = guard::known(request, doors)?;
        self.principal = Some(Arc::clone(&principal));
        access.permit(&principal)?;
        Ok(principal)
    }

    /// Where a call for `name` may go, if its credential is for that model.
    pub(crate) fn route(
        &mut self,
        doors: &Doors,
        principal: &Principal,
        name: &str,
        need: Need,
    ) -> Result<Arc<Route>, DoorError> {
        let route = permit_model(principal, name).and_then(|()| doors.models.route(name, need));
        self.model = match &route {
            Ok(route) => Some(Arc::clone(&route.model)),
            // What nobody configured is only what somebody typed: sums by model must not grow with that.
            Err(_) => doors.models.knows(name).then(|| name.into()),
        };
        route
    }

    /// It was refused: the books say so, if anybody's books are meant.
    pub(crate) fn refused(self, request: &HttpRequest, doors: &Doors, error: &DoorError) {
        let Self { id, door, kind, principal: Some(principal), model, form, bytes } = self else { return };
        let arrival = record::Arrival {
            id,
            workspace: principal.workspace.clone(),
            credential: principal.credential,
            door,
            kind,
            model: model.unwrap_or_else(|| "".into()),
            form,
            // Labels that cannot be read may be what it was refused for.
            tags: intake::tags(doors, request.headers()).unwrap_or_default(),
            request_bytes: bytes as u64,
        };
        doors.engine.refuse(arrival, error.failure(), error.limit());
    }
}
