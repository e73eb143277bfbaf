//! Owns how an app comes to be served beside the gateway, and what is kept of it when the server ends.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tidegate_actors::engine::Placement;
use tidegate_actors::ports::ledger::Ledger;

use crate::cli::ServeError;
use crate::cli::service::{AppService, Remember};
use crate::config::Config;
use crate::http::{APP, Mounted};
use crate::lang::records::Store;
use crate::run::site::{Fittings, Site};

/// An app that is served.
pub(super) struct Open {
    site: Arc<Site>,
    remember: Remember,
}

/// Makes the app's doors and what stands behind them, and what its engine counts. An app that does not load has doors that say so.
pub(super) fn open(
    config: &Config,
    app: Option<AppService>,
    ledger: &Arc<dyn Ledger>,
) -> Result<(Registry, Option<Mounted>, Option<Open>), ServeError> {
    let Some(service) = app else { return Ok((Registry::default(), None, None)) };
    let AppService { name, app, identity, observing, token, folder, mut kept, remember } = service;
    let mut registry = Registry::with_labels([(APP.into(), name.clone().into())].into_iter());
    let made = match app {
        Ok(app) => {
            // A file that cannot be used stops the start, not the first request.
            if let Some(file) = super::record_file(&config.persistence, &folder) {
                file.check().map_err(|fault| fault.to_string())?;
                kept.store = Store::lasting(Arc::new(file));
            }
            let settings = config.performance.clone();
            let asker = super::asker_in(config, &settings, &mut registry, (Placement::Settled, ledger))?;
            let queue_runs = config.lanes.queue_jobs;
            let fittings = Fittings { name, asker, settings, observing, identity, token, kept, queue_runs };
            Site::new(app.tree(), fittings)
        }
        Err(faults) => Err(faults),
    };
    match made {
        Ok(site) => {
            let site = Arc::new(site);
            Ok((registry, Some(Mounted::Site(Arc::clone(&site))), Some(Open { site, remember })))
        }
        Err(faults) => {
            let first = faults.first().ok_or("an app did not load and no fault says why")?;
            Ok((registry, Some(Mounted::broken(first)), None))
        }
    }
}

impl Open {
    /// Waits until answers can be remembered.
    pub(super) async fn ready(&self) {
        self.site.host().asker().engine().ready().await;
    }

    /// Lets no run begin any more, and waits, at most for `patience`, until those under way have ended, also those
    /// nobody listens to any more: workers take what they are doing with them.
    pub(super) fn settled(&self, patience: Duration) -> impl Future<Output = ()> + use<> {
        let site = Arc::clone(&self.site);
        async move {
            if tokio::time::timeout(patience, site.host().close()).await.is_err() {
                tracing::warn!("a run of the app did not end in time (listen.shutdown_ms)");
            }
            // Else its actors end with their thread, and their supervisor takes that for a fault.
            site.host().asker().engine().drain(Duration::ZERO).await;
        }
    }

    /// Keeps what was said, when nothing runs any more.
    pub(super) async fn close(self) -> Result<(), ServeError> {
        let Self { site, remember } = self;
        match site.host().look_now(|kept| (kept.memory.clone(), kept.store.archive().cloned())) {
            Some((memory, archive)) => {
                if let Some(archive) = archive {
                    archive.close().await.map_err(|fault| fault.to_string())?;
                }
                remember(&memory)?;
            }
            None => {
                tracing::warn!("a run of the app is under way still, so what its models said is not kept")
            }
        }
        Ok(())
    }
}
