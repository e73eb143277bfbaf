//! A world while it is being planned: configuration, faults, providers, ports.
//!
//! Owns the wiring of an engine to its scripted surroundings; must not ask it anything.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use prometheus_client::registry::Registry;

use super::faults::{Fault, FaultPlan};
use super::text::Letters;
use super::world::{Providers, Time, World};
use super::{Books, ManualClock, Script, SimClock};
use crate::engine::{Engine, EngineConfig, Placement, Ports};
use crate::ports::clock::ClockRef;
use crate::ports::egress::{Egress, PassThrough};
use crate::ports::policy::{AllowAll, Policy};
use crate::ports::tier::TierStore;
use crate::route::{Route, Target};
use crate::sites::{Site, Sites};
use crate::upstream::{Upstream, UpstreamLimits};

/// A world that is being planned.
pub struct WorldPlan {
    config: EngineConfig,
    faults: Arc<FaultPlan>,
    time: Time,
    models: Vec<(String, Vec<String>)>,
    limits: UpstreamLimits,
    policy: Arc<dyn Policy>,
    egress: Arc<dyn Egress>,
    tier: Option<Arc<dyn TierStore>>,
}

impl std::fmt::Debug for WorldPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorldPlan").field("config", &self.config).finish_non_exhaustive()
    }
}

impl WorldPlan {
    /// Changes the engine's configuration.
    #[must_use]
    pub fn config(mut self, change: impl FnOnce(&mut EngineConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Gives the interactive lane this many slots, and both lanes room for this many waiting jobs.
    #[must_use]
    pub fn lane(self, slots: usize, queue_jobs: usize) -> Self {
        self.config(|config| (config.max_concurrency, config.queue_jobs) = (2 * slots, queue_jobs))
    }

    /// Plans a fault at a site.
    #[must_use]
    pub fn fault(self, site: Site, fault: Fault) -> Self {
        self.faults.plan(site, fault);
        self
    }

    /// Serves this model from these providers, in this order; all weigh the same.
    #[must_use]
    pub fn model(mut self, model: &str, providers: &[&str]) -> Self {
        self.models.push((model.to_owned(), providers.iter().map(|&name| name.to_owned()).collect()));
        self
    }

    /// What the engine grants every provider.
    #[must_use]
    pub fn limits(mut self, limits: UpstreamLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Asks this policy.
    #[must_use]
    pub fn policy(mut self, policy: Arc<dyn Policy>) -> Self {
        self.policy = policy;
        self
    }

    /// Inspects with this.
    #[must_use]
    pub fn egress(mut self, egress: Arc<dyn Egress>) -> Self {
        self.egress = egress;
        self
    }

    /// Keeps answers behind memory here.
    #[must_use]
    pub fn tier(mut self, tier: Arc<dyn TierStore>) -> Self {
        self.tier = Some(tier);
        self
    }

    /// Lives by a clock that is moved by hand, for tests with threads of their own.
    #[must_use]
    pub fn clock(mut self, clock: &ManualClock) -> Self {
        self.time = Time::Manual(clock.clone());
        self
    }

    /// Starts the engine.
    pub fn start(mut self) -> World {
        if self.models.is_empty() {
            self = self.model("test-model", &["up"]);
        }
        let clock: ClockRef = match &self.time {
            Time::Sim(clock) => Arc::clone(clock) as _,
            Time::Manual(clock) => Arc::new(clock.clone()),
        };
        let books = Arc::new(Books::default());
        let ports = Ports {
            clock: Arc::clone(&clock),
            policy: Arc::clone(&self.policy),
            egress: Arc::clone(&self.egress),
            ledger: Arc::clone(&books) as _,
            counter: Arc::new(Letters),
            tier: self.tier.clone(),
            salt: 7,
        };
        let mut registry = Registry::default();
        let sites = Sites { plan: Some(Arc::clone(&self.faults)) };
        let engine = Engine::start_with(self.config, ports, &mut registry, sites);
        let providers = self.providers(&clock);
        let routes = self.routes(&providers);
        World {
            engine,
            registry,
            faults: self.faults,
            time: self.time,
            providers,
            routes,
            books,
            asked: Arc::default(),
            quiet: AtomicBool::new(false),
            started: Arc::default(),
        }
    }

    fn providers(&self, clock: &ClockRef) -> Providers {
        let names = self.models.iter().flat_map(|(_, providers)| providers);
        let provider = |name: &String| {
            let script = Script::new(Arc::clone(clock));
            let upstream = Upstream::new(name.as_str(), Arc::new(script.clone()), self.limits);
            (name.clone(), (script, upstream))
        };
        names.map(provider).collect()
    }

    fn routes(&self, providers: &Providers) -> BTreeMap<String, Arc<Route>> {
        let target = |name: &String| Target {
            name: format!("{name}/upstream-name").into(),
            upstream: Arc::clone(&providers[name].1),
            model: "upstream-name".into(),
            weight: 1,
        };
        let route = |(model, names): &(String, Vec<String>)| {
            let targets = names.iter().map(target).collect();
            (model.clone(), Arc::new(Route { model: model.as_str().into(), targets }))
        };
        self.models.iter().map(route).collect()
    }
}

impl World {
    /// A world with one model, `test-model`, and one provider, `up`, on this thread, at the paused clock.
    #[expect(clippy::new_ret_no_self, reason = "a world is planned before it is started")]
    pub fn new() -> WorldPlan {
        WorldPlan {
            config: EngineConfig { placement: Placement::Current, ..EngineConfig::default() },
            faults: Arc::default(),
            time: Time::Sim(Arc::new(SimClock::new())),
            models: Vec::new(),
            limits: UpstreamLimits::default(),
            policy: Arc::new(AllowAll),
            egress: Arc::new(PassThrough),
            tier: None,
        }
    }
}
