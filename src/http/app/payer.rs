//! Owns how the asks of an app's run enter: as calls of who called the app, under the same limits as at the gateway's doors.

use std::any::Any;
use std::sync::Arc;

use actix_web::web;
use tidegate_actors::call::{CallKind, ChatWork};
use tidegate_actors::record::Arrival;
use tidegate_actors::{Call, WorkspaceId};

use crate::http::{Doors, turn};
use crate::identity::Principal;
use crate::run::Payer;

/// The caller of an app.
pub(super) struct Caller {
    pub(super) doors: web::Data<Doors>,
    pub(super) principal: Arc<Principal>,
}

impl Payer for Caller {
    fn credential(&self) -> u64 {
        self.principal.credential
    }

    fn enter(&self, call: &Call<ChatWork>) -> Result<Box<dyn Any>, String> {
        let size = || turn::Size::of_chat(call.work.document.root());
        let entered = turn::enter(&self.doors, &self.principal, call, size);
        entered.map(|turn| Box::new(turn) as Box<dyn Any>).map_err(|refused| {
            let arrival = Arrival {
                id: call.id,
                // The app's, as of all its calls.
                workspace: WorkspaceId::default_workspace(),
                credential: call.credential,
                door: call.door,
                kind: CallKind::Chat,
                model: Arc::clone(&call.model),
                form: call.form,
                tags: call.tags.clone(),
                request_bytes: call.work.document.raw().len() as u64,
            };
            self.doors.engine.refuse(arrival, refused.failure(), refused.limit());
            refused.message().to_owned()
        })
    }
}
