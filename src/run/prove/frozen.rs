//! Owns the archive of the worlds of a proof: every world sees the records as they were at the first look, and what it
//! keeps is thrown away. Must not write.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::lang::records::{Archive, Pending, Session, Supply, Want};

/// One transaction that only reads, shared by all worlds.
pub(super) struct Frozen {
    archive: Arc<dyn Archive>,
    shared: Arc<Mutex<Option<Box<dyn Session>>>>,
}

impl Frozen {
    pub(super) fn of(archive: Arc<dyn Archive>) -> Self {
        Self { archive, shared: Arc::default() }
    }
}

impl Archive for Frozen {
    fn session(&self) -> Box<dyn Session> {
        Box::new(Still { archive: Arc::clone(&self.archive), shared: Arc::clone(&self.shared) })
    }

    fn close(&self) -> Pending<()> {
        drop(self.shared.lock().take());
        self.archive.close()
    }
}

/// One world's part in it.
struct Still {
    archive: Arc<dyn Archive>,
    shared: Arc<Mutex<Option<Box<dyn Session>>>>,
}

impl Session for Still {
    fn fetch(&mut self, want: Want) -> Pending<Supply> {
        let mut shared = self.shared.lock();
        let want = match want {
            Want::Begin { .. } if shared.is_some() => return ready(Supply::Begun { epoch: 0 }),
            Want::Keep(_) => return ready(Supply::Kept { epoch: 0 }),
            Want::Begin { .. } => Want::Begin { writes: false },
            other => other,
        };
        shared.get_or_insert_with(|| self.archive.session()).fetch(want)
    }
}

fn ready(supply: Supply) -> Pending<Supply> {
    Box::pin(std::future::ready(Ok(supply)))
}
