//! Faults planned for the named sites of one engine.
//!
//! Owns when a site fails; must not know what stands at a site.

use std::collections::HashMap;

use parking_lot::{Condvar, Mutex};

use crate::sites::Site;

/// What happens at a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Panics at the nth pass, counted from 1.
    PanicOn(u64),
    /// Panics at every pass from the nth on.
    PanicFrom(u64),
    /// Refuses to act at every pass from the nth on, until [`FaultPlan::heal`].
    DeafFrom(u64),
    /// Holds its thread at the nth pass, until [`FaultPlan::heal`]. Not for a world on one thread.
    HangOn(u64),
}

/// Faults of one engine.
#[derive(Debug, Default)]
pub struct FaultPlan {
    sites: Mutex<HashMap<Site, (Fault, u64)>>,
    healed: Condvar,
}

impl FaultPlan {
    /// Plans a fault, replacing the site's earlier one.
    pub fn plan(&self, site: Site, fault: Fault) {
        self.sites.lock().insert(site, (fault, 0));
    }

    /// Takes a site's fault back.
    pub fn heal(&self, site: Site) {
        self.sites.lock().remove(&site);
        self.healed.notify_all();
    }

    #[expect(clippy::panic, reason = "panicking is what a planned fault does")]
    pub(crate) fn pass(&self, site: Site) -> bool {
        let fault = {
            let mut sites = self.sites.lock();
            let Some((fault, passes)) = sites.get_mut(&site) else { return true };
            *passes += 1;
            (*fault, *passes)
        };
        match fault {
            (Fault::PanicOn(on), passes) if passes == on => panic!("planned fault at {site:?}"),
            (Fault::PanicFrom(from), passes) if passes >= from => panic!("planned fault at {site:?}"),
            (Fault::DeafFrom(from), passes) => passes < from,
            (Fault::HangOn(on), passes) if passes == on => {
                self.healed.wait_while(&mut self.sites.lock(), |sites| sites.contains_key(&site));
                true
            }
            _ => true,
        }
    }
}
