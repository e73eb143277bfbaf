//! Berths: places of a fixed size in one file, for what must survive the end of this process before it goes on.
//!
//! Owns the file and who has which place. Must not know what lies in a berth.
//!
//! A berth is written by whoever needs it, in its own thread: one write to the page cache (a few microseconds), where a way through
//! another thread would cost two changes of context for each request. The file has its full length from the start, so a full disk
//! does not stop it. Berths lie within pages, so a killed process leaves each whole or as it was; after a power cut a torn one is
//! known by its checksum and counts as empty.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tidegate_actors::ports::ledger::Refusal;
use xxhash_rust::xxh3::xxh3_64;

/// Bytes of a berth.
const BERTH: usize = 1_024;
/// Length and checksum.
const HEAD: usize = 10;
/// What fits into a berth.
pub(in crate::stores) const BERTH_BYTES: usize = BERTH - HEAD;

/// The berths of one file.
#[derive(Debug)]
pub(in crate::stores) struct Berths {
    file: File,
    path: PathBuf,
    places: Mutex<Places>,
    count: usize,
    /// Something was written that is not synced.
    is_dirty: AtomicBool,
}

#[derive(Debug, Default)]
struct Places {
    /// The last one freed is taken first: few pages are touched.
    free: Vec<u32>,
    /// Free, but what lay there can still be read.
    stale: Vec<bool>,
}

impl Berths {
    /// Opens the file, with so many berths, and gives what lies in it from before: each is told once, as the file is cleared by
    /// [`Berths::clear`].
    ///
    /// # Errors
    /// Those of the file.
    pub(in crate::stores) fn open(path: &Path, count: usize) -> io::Result<(Self, Vec<Vec<u8>>)> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let there = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX) / BERTH;
        let mut left = Vec::new();
        let mut stale = vec![false; count.max(there)];
        let mut berth = [0; BERTH];
        for (at, stale) in stale.iter_mut().enumerate().take(there) {
            file.read_exact_at(&mut berth, offset(at))?;
            *stale = berth[..2] != [0, 0];
            left.extend(read(&berth));
        }
        // Written, not only made longer: a full disk must not meet who moors.
        berth.fill(0);
        for at in there..count {
            file.write_all_at(&berth, offset(at))?;
        }
        file.sync_all()?;
        let free = (0..u32::try_from(count).unwrap_or(u32::MAX)).rev().collect();
        let places = Mutex::new(Places { free, stale });
        let path = path.to_owned();
        Ok((Self { file, path, places, count, is_dirty: AtomicBool::new(false) }, left))
    }

    /// Takes a berth and writes into it.
    ///
    /// # Errors
    /// None is free, or the file cannot be written.
    pub(in crate::stores) fn moor(&self, bytes: &[u8]) -> Result<u32, Refusal> {
        let bytes = &bytes[..bytes.len().min(BERTH_BYTES)];
        let mut berth = [0; BERTH];
        let length = u16::try_from(bytes.len()).unwrap_or_default();
        berth[..2].copy_from_slice(&length.to_le_bytes());
        berth[2..HEAD].copy_from_slice(&xxh3_64(bytes).to_le_bytes());
        berth[HEAD..HEAD + bytes.len()].copy_from_slice(bytes);
        let taken = {
            let mut places = self.places.lock();
            let taken = places.free.pop();
            if let Some(place) = taken {
                places.stale[place as usize] = true;
            }
            taken
        };
        let place = taken.ok_or(Refusal::Full { rows: self.count })?;
        match self.file.write_all_at(&berth[..HEAD + bytes.len()], offset(place as usize)) {
            Ok(()) => {
                self.is_dirty.store(true, Ordering::Release);
                Ok(place)
            }
            Err(error) => {
                self.places.lock().free.push(place);
                Err(Refusal::Failing { why: error.to_string().into() })
            }
        }
    }

    /// These berths can be taken again.
    pub(super) fn free(&self, berths: &mut Vec<u32>) {
        if !berths.is_empty() {
            self.places.lock().free.append(berths);
        }
    }

    /// Empties every berth that nobody has.
    pub(in crate::stores) fn clear(&self) -> io::Result<()> {
        let stale = {
            let Places { free, stale } = &mut *self.places.lock();
            let taken: Vec<u32> = free.extract_if(.., |place| stale[*place as usize]).collect();
            for place in &taken {
                stale[*place as usize] = false;
            }
            // What a file with more berths left behind belongs to nobody.
            let beyond = stale.iter().enumerate().skip(self.count).filter(|(_, stale)| **stale);
            let beyond: Vec<u32> = beyond.filter_map(|(at, _)| u32::try_from(at).ok()).collect();
            (taken, beyond)
        };
        let (taken, beyond) = stale;
        let cleared = taken
            .iter()
            .chain(&beyond)
            .try_for_each(|place| self.file.write_all_at(&[0; 2], offset(*place as usize)));
        self.is_dirty.store(true, Ordering::Release);
        let mut places = self.places.lock();
        if cleared.is_err() {
            taken.iter().for_each(|place| places.stale[*place as usize] = true);
        } else {
            beyond.iter().for_each(|place| places.stale[*place as usize] = false);
        }
        places.free.extend(taken);
        cleared
    }

    /// Syncs what was written; asks nothing of the disk if nothing was.
    pub(super) fn sync(&self) -> io::Result<()> {
        if !self.is_dirty.swap(false, Ordering::Acquire) {
            return Ok(());
        }
        let synced = self.is_there().and_then(|()| self.file.sync_data());
        synced.inspect_err(|_| self.is_dirty.store(true, Ordering::Release))
    }

    /// What is written into a file that nobody finds again would not survive this process.
    fn is_there(&self) -> io::Result<()> {
        let own = self.file.metadata()?;
        let there = std::fs::metadata(&self.path);
        match there.is_ok_and(|there| (there.dev(), there.ino()) == (own.dev(), own.ino())) {
            true => Ok(()),
            false => {
                let path = self.path.display();
                Err(io::Error::other(format!("{path} was taken away; put it back, or restart the server")))
            }
        }
    }
}

fn offset(place: usize) -> u64 {
    (place * BERTH) as u64
}

/// What lies in a berth; nothing if it is empty or torn.
fn read(berth: &[u8; BERTH]) -> Option<Vec<u8>> {
    let (length, rest) = berth.split_first_chunk::<2>()?;
    let (sum, rest) = rest.split_first_chunk::<8>()?;
    let bytes = rest.get(..usize::from(u16::from_le_bytes(*length)))?;
    (!bytes.is_empty() && xxh3_64(bytes) == u64::from_le_bytes(*sum)).then(|| bytes.to_vec())
}
