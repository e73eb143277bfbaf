//! Owns looks at what an app keeps, by somebody who runs nothing. Must not change it.

use super::{Host, Kept};
use crate::lang::fault::Fault;
use crate::lang::records::{Schema, Store};
use crate::run::Refusal;

impl Host {
    /// Looks at what the app keeps; waits until no run has it.
    ///
    /// # Errors
    /// As [`Host::run`].
    pub async fn look<T>(&self, look: impl FnOnce(&Kept) -> T) -> Result<T, Refusal> {
        let _turn = self.turn().await?;
        let kept = self.kept.lock();
        Ok(look(kept.as_ref().ok_or(Refusal::BrokeOff)?))
    }

    /// As [`Host::look`], with all rows of these tables there to be seen. The inner fault says why they are not.
    ///
    /// # Errors
    /// As [`Host::run`].
    pub async fn look_at_rows<T>(
        &self,
        tables: impl Iterator<Item = &Schema>,
        look: impl FnOnce(&Kept) -> T,
    ) -> Result<Result<T, Fault>, Refusal> {
        let _turn = self.turn().await?;
        let taken = self.kept.lock().take().ok_or(Refusal::BrokeOff)?;
        let mut taken = Taken { host: self, kept: Some(taken) };
        let kept = taken.kept.as_mut().expect("it was just taken");
        let fetched = fetch_rows(&mut kept.store, tables).await;
        Ok(fetched.map(|()| look(kept)))
    }

    /// What the app keeps, if no run has it just now.
    pub fn look_now<T>(&self, look: impl FnOnce(&Kept) -> T) -> Option<T> {
        self.kept.lock().as_ref().map(look)
    }
}

/// What an app keeps, in the hands of somebody who only looks: given back even if whoever waits leaves.
struct Taken<'h> {
    host: &'h Host,
    kept: Option<Kept>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.host.kept.lock() = self.kept.take();
    }
}

/// Makes all rows of the tables known to the store.
async fn fetch_rows(store: &mut Store, tables: impl Iterator<Item = &Schema>) -> Result<(), Fault> {
    store.begin(false);
    let mut session = store.archive().map(|archive| archive.session());
    for schema in tables {
        while let (Some(session), Some(want)) = (&mut session, store.wants_rows(schema)) {
            match session.fetch(want).await {
                Ok(supply) => store.supply(supply),
                Err(fault) => {
                    store.distrust();
                    return Err(fault);
                }
            }
        }
    }
    store.commit();
    Ok(())
}
