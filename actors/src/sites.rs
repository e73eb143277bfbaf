//! Named places where a test may make the engine fail.
//!
//! Owns the names. Without the `testkit` feature every site is an empty function: a shipped binary has none.

/// A place where a fault can be injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Site {
    /// A lane answers its doorbell; a refused pass makes it deaf.
    LaneDoorbell,
    /// A lane has popped a job and not yet started it.
    LaneBeforeStart,
    /// The cache actor answers its doorbell; a refused pass makes it deaf.
    CacheDoorbell,
    /// The cache actor handles a join.
    CacheJoin,
    /// The cache actor is about to publish.
    CacheKeep,
    /// A batcher answers its doorbell; a refused pass makes it deaf.
    BatcherDoorbell,
    /// A batcher has cut a batch.
    BatchAfterCut,
    /// A batch has its answer and has not replied.
    BatchBeforeReply,
    /// A flight's task is about to ask upstream.
    FlightBeforeAct,
}

/// The faults planned for one engine; empty unless a test planned some.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sites {
    #[cfg(feature = "testkit")]
    pub(crate) plan: Option<std::sync::Arc<crate::sim::FaultPlan>>,
}

// A build without the testkit carries nothing of it, and does not compile if it did.
#[cfg(not(feature = "testkit"))]
const _: () = assert!(size_of::<Sites>() == 0);

impl Sites {
    /// Passes a site. May panic by a test's plan; false asks the caller to do nothing.
    #[cfg(feature = "testkit")]
    pub(crate) fn pass(&self, site: Site) -> bool {
        self.plan.as_ref().is_none_or(|plan| plan.pass(site))
    }

    /// Passes a site.
    #[cfg(not(feature = "testkit"))]
    #[expect(clippy::unused_self, reason = "the same call as in a testkit build")]
    #[inline]
    pub(crate) const fn pass(&self, _: Site) -> bool {
        true
    }
}
