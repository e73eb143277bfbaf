//! Storage in memory that fails as it is told, and shows what a kill or a power cut would leave.

use std::collections::BTreeMap;
use std::io;

use parking_lot::{Condvar, Mutex};

use crate::stores::journal::storage::{Group, Storage};

/// Storage that shakes.
#[derive(Default)]
pub(in crate::stores) struct Shaky {
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Default, Clone)]
struct State {
    groups: BTreeMap<u64, Vec<u8>>,
    synced: BTreeMap<u64, Vec<u8>>,
    fails: Option<io::ErrorKind>,
    fails_after_writing: bool,
    holds: bool,
    holds_sync: bool,
}

impl Shaky {
    /// Fails every write and sync from now on, or none.
    pub(in crate::stores) fn fail(&self, with: Option<io::ErrorKind>) {
        self.state.lock().fails = with;
    }

    /// Writes, and says that it failed.
    pub(in crate::stores) fn fail_after_writing(&self, fails: bool) {
        self.state.lock().fails_after_writing = fails;
    }

    /// Lets writes wait.
    pub(in crate::stores) fn hold(&self, holds: bool) {
        self.state.lock().holds = holds;
        self.released.notify_all();
    }

    /// Lets syncs do nothing yet: what was written since the last is on its way to the disk.
    pub(in crate::stores) fn hold_sync(&self, holds: bool) {
        self.state.lock().holds_sync = holds;
    }

    /// What a killed process leaves.
    pub(in crate::stores) fn after_kill(&self) -> Self {
        let groups = self.state.lock().groups.clone();
        Self::holding(groups)
    }

    /// What a power cut leaves: what was synced.
    pub(in crate::stores) fn after_power_cut(&self) -> Self {
        let synced = self.state.lock().synced.clone();
        Self::holding(synced)
    }

    fn holding(groups: BTreeMap<u64, Vec<u8>>) -> Self {
        let state = State { synced: groups.clone(), groups, ..State::default() };
        Self { state: Mutex::new(state), ..Self::default() }
    }
}

fn failing(state: &State) -> io::Result<()> {
    state.fails.map_or(Ok(()), |kind| Err(io::Error::new(kind, "the disk is full")))
}

impl Storage for Shaky {
    fn append(&self, number: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock();
        while state.holds {
            self.released.wait(&mut state);
        }
        failing(&state)?;
        state.groups.insert(number, bytes.to_vec());
        if state.fails_after_writing {
            return Err(io::Error::other("nobody knows whether it was written"));
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        failing(&state)?;
        if !state.holds_sync {
            state.synced = state.groups.clone();
        }
        Ok(())
    }

    fn read(&self, from: u64, max_bytes: usize) -> io::Result<Vec<Group>> {
        let state = self.state.lock();
        let groups =
            state.groups.range(from..).map(|(number, bytes)| Group { number: *number, bytes: bytes.clone() });
        let mut left = max_bytes;
        let fits = move |group: &Group| {
            let fits = left == max_bytes || group.bytes.len() <= left;
            left = left.saturating_sub(group.bytes.len());
            fits
        };
        Ok(groups.take_while(fits).collect())
    }

    fn last(&self) -> io::Result<Option<u64>> {
        Ok(self.state.lock().groups.last_key_value().map(|(number, _)| *number))
    }

    fn forget(&self, before: u64) -> io::Result<u64> {
        let mut state = self.state.lock();
        failing(&state)?;
        let kept = state.groups.split_off(&before);
        let forgotten = std::mem::replace(&mut state.groups, kept);
        Ok(forgotten.values().map(|bytes| bytes.len() as u64).sum())
    }
}
