//! Owns how an app comes to be served beside the gateway, and what is kept of it when the server ends.

use std::sync::Arc;
use std::time::Duration;

use crate::cli::ServeError;
use crate::cli::service::{AppService, Remember};
use crate::config::Config;
use crate::http::Mounted;
use crate::run::site::{Fittings, Site};

/// An app that is served.
pub(super) struct Open {
    site: Arc<Site>,
    remember: Remember,
}

/// Makes the app's doors and what stands behind them. An app that does not load has doors that say so.
pub(super) fn open(
    config: &Config,
    app: Option<AppService>,
) -> Result<(Option<Mounted>, Option<Open>), ServeError> {
    let Some(service) = app else { return Ok((None, None)) };
    let AppService { app, identity, observing, token, kept, remember } = service;
    let made = match app {
        Ok(app) => {
            let settings = config.performance.clone();
            let asker = super::asker(config, &settings)?;
            Site::new(app.tree(), Fittings { asker, settings, observing, identity, token, kept })
        }
        Err(faults) => Err(faults),
    };
    match made {
        Ok(site) => {
            let site = Arc::new(site);
            Ok((Some(Mounted::Site(Arc::clone(&site))), Some(Open { site, remember })))
        }
        Err(faults) => {
            let first = faults.first().ok_or("an app did not load and no fault says why")?;
            Ok((Some(Mounted::broken(first)), None))
        }
    }
}

impl Open {
    /// Waits until answers can be remembered.
    pub(super) async fn ready(&self) {
        self.site.host().asker().engine().ready().await;
    }

    /// Lets a run that nobody listens to any more end, at most for `patience`, and keeps what was said.
    pub(super) async fn close(self, patience: Duration) -> Result<(), ServeError> {
        let Self { site, remember } = self;
        match tokio::time::timeout(patience, site.host().look(|kept| kept.memory.clone())).await {
            Ok(Ok(memory)) => Ok(remember(&memory)?),
            Ok(Err(lost)) => Err(lost.into()),
            Err(_) => Err("a run did not end in time, so the short-term memory was not kept".into()),
        }
    }
}
