//! The path of a request that is passed through: admitted, authorised, scheduled, counted; never shared or kept.

use std::sync::Arc;

use super::reply::{Found, Source};
use super::{Answered, Outcome, fly, stages, within};
use crate::call::{Call, CallKind, ForwardWork};
use crate::engine::Shared;
use crate::error::{CallError, Stage};
use crate::flight::{Flight, FlightPlan, Pilot, Stamps};
use crate::key::Key;
use crate::ports::provider::Task;
use crate::record::OpenRecord;

/// Answers `call` with whatever the target says, errors included.
pub(crate) async fn forward(engine: &Arc<Shared>, call: Call<ForwardWork>) -> Result<Answered, CallError> {
    let mut record = engine.recorder.open(&call, CallKind::Forward, call.work.body.len());
    match pass(engine, call, &mut record).await {
        Ok(found) => Ok(found.tell(engine, record)),
        Err(error) => {
            record.fail(&error);
            Err(error)
        }
    }
}

async fn pass(
    engine: &Arc<Shared>,
    call: Call<ForwardWork>,
    record: &mut OpenRecord,
) -> Result<Found, CallError> {
    let permit = stages::admit(engine, record)?;
    record.mark_admitted();
    let cleared = stages::authorise(engine, call, CallKind::Forward, permit)?;
    record.mark(Stage::Authorise);
    record.note(|record| record.reason = "forward");
    let stamps = cleared.stamps(engine);
    let (call, permit) = cleared.into_parts();
    let (flight, mut follower) = Flight::start(plan(engine, &call, stamps));
    let trip = fly::Trip::once(&call, CallKind::Forward, Task::Forward(call.work.clone()));
    engine.spawner.spawn(fly::fly(Arc::clone(engine), Pilot::new(flight, None), trip));
    let flight = Arc::clone(follower.flight());
    record.pays(&flight.bill);
    let origin = within(engine, &call, || flight.stage(), follower.origin()).await?;
    record.mark(Stage::Act);
    let source = Source::Live(follower, origin);
    record.note(|record| source.note(record));
    Ok(Found { id: call.id, key: None, outcome: Outcome::Bypass("forward"), source, permit })
}

/// Nothing is keyed: a passed-through request has no identity.
fn plan(engine: &Shared, call: &Call<ForwardWork>, stamps: Stamps) -> FlightPlan {
    FlightPlan {
        key: Key { hash: 0, sha: [0; 32] },
        call: call.id,
        credential: call.credential,
        stamps,
        max_bytes: engine.config.flight_max_bytes,
        grace: std::time::Duration::ZERO,
        bytes: engine.metrics.calls.flight_bytes.clone(),
    }
}
