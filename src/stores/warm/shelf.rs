//! The rows in a fjall database: answers by their SHA-256, and the order in which they came.
//!
//! Owns that both agree: they change in one batch. Must not know what a row says.
//!
//! What a batch leaves survives a killed process; `sync` makes it survive a power cut. `answers` holds `number | cost | row`
//! under the SHA-256, `order` holds a [`Place`] under the number.

use std::io;
use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};
use tidegate_actors::{EntryFacts, PurgeFilter};
use xxhash_rust::xxh3::xxh3_64;

use crate::stores::trouble::of_tree;

/// Bytes of tables kept in memory.
const CACHE_BYTES: u64 = 16 << 20;
/// Bytes in memory before a table is written.
const MEMTABLE_BYTES: u64 = 8 << 20;

/// Where an answer stands and what a purge needs to know of it: hashes, as names can be long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) sha: [u8; 32],
    /// What it counts against the byte budget.
    pub(super) cost: u32,
    pub(super) expires_us: i64,
    names: Vec<u64>,
}

/// The first names of a place; tags follow.
const WORKSPACE: usize = 0;
const MODEL: usize = 1;
const TARGET: usize = 2;
const TAGS: usize = 3;

impl Place {
    pub(super) fn of(facts: &EntryFacts, cost: u32, expires_us: i64) -> Self {
        let names = [facts.workspace.as_str(), &facts.model, &facts.target];
        let names = names.into_iter().chain(facts.tags.iter().map(AsRef::as_ref)).map(hash).collect();
        Self { sha: facts.key.sha, cost, expires_us, names }
    }

    /// Whether a purge means it. Names that hash alike are purged together, which costs a miss.
    pub(super) fn is_meant(&self, filter: &PurgeFilter) -> bool {
        let PurgeFilter { workspace, sha, tag, model } = filter;
        let is = |at: usize, name: &str| self.names.get(at) == Some(&hash(name));
        workspace.as_ref().is_none_or(|workspace| is(WORKSPACE, workspace.as_str()))
            && sha.as_ref().is_none_or(|sha| *sha == self.sha)
            && tag.as_ref().is_none_or(|tag| self.names.iter().skip(TAGS).any(|name| *name == hash(tag)))
            && model.as_ref().is_none_or(|model| is(MODEL, model) || is(TARGET, model))
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = self.sha.to_vec();
        out.extend_from_slice(&self.cost.to_le_bytes());
        out.extend_from_slice(&self.expires_us.to_le_bytes());
        self.names.iter().for_each(|name| out.extend_from_slice(&name.to_le_bytes()));
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (sha, rest) = bytes.split_first_chunk::<32>()?;
        let (cost, rest) = rest.split_first_chunk::<4>()?;
        let (expires_us, rest) = rest.split_first_chunk::<8>()?;
        let names = rest.chunks_exact(8).filter_map(|name| Some(u64::from_le_bytes(name.try_into().ok()?)));
        Some(Self {
            sha: *sha,
            cost: u32::from_le_bytes(*cost),
            expires_us: i64::from_le_bytes(*expires_us),
            names: names.collect(),
        })
    }
}

fn hash(name: &str) -> u64 {
    xxh3_64(name.as_bytes())
}

/// The rows of a folder.
pub(super) struct Shelf {
    database: Database,
    answers: Keyspace,
    order: Keyspace,
}

impl Shelf {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let database =
            Database::builder(folder).worker_threads(1).cache_size(CACHE_BYTES).open().map_err(of_tree)?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let answers = database.keyspace("answers", options).map_err(of_tree)?;
        let order = database.keyspace("order", options).map_err(of_tree)?;
        Ok(Self { database, answers, order })
    }

    /// The row of an answer.
    pub(super) fn find(&self, sha: &[u8; 32]) -> io::Result<Option<Vec<u8>>> {
        let found = self.answers.get(sha).map_err(of_tree)?;
        Ok(found.and_then(|value| value.get(HEAD_BYTES..).map(<[u8]>::to_vec)))
    }

    /// Number and cost of an answer.
    pub(super) fn place(&self, sha: &[u8; 32]) -> io::Result<Option<(u64, u32)>> {
        let found = self.answers.get(sha).map_err(of_tree)?;
        Ok(found.and_then(|value| {
            let (number, rest) = value.split_first_chunk::<8>()?;
            let (cost, _) = rest.split_first_chunk::<4>()?;
            Some((u64::from_be_bytes(*number), u32::from_le_bytes(*cost)))
        }))
    }

    /// All places in the order of their numbers, until `look` has seen enough.
    pub(super) fn each(&self, mut look: impl FnMut(u64, Place) -> bool) -> io::Result<()> {
        for found in self.order.iter() {
            let (number, place) = found.into_inner().map_err(of_tree)?;
            let number = (*number).try_into().map_or(0, u64::from_be_bytes);
            if let Some(place) = Place::decode(&place)
                && !look(number, place)
            {
                break;
            }
        }
        Ok(())
    }

    /// What is done at once or not at all.
    pub(super) fn batch(&self) -> Batch<'_> {
        Batch { shelf: self, batch: self.database.batch().durability(Some(PersistMode::Buffer)) }
    }

    /// Everything done so far survives a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.database.persist(PersistMode::SyncAll).map_err(of_tree)
    }

    #[cfg(test)]
    pub(super) fn overwrite(&self, sha: &[u8; 32], change: impl FnOnce(&mut Vec<u8>)) {
        let mut value = self.answers.get(sha).expect("readable").expect("it is there").to_vec();
        change(&mut value);
        self.answers.insert(sha, value).expect("writable");
    }
}

/// Before a row stand its number and its cost.
const HEAD_BYTES: usize = 12;

/// See [`Shelf::batch`].
pub(super) struct Batch<'s> {
    shelf: &'s Shelf,
    batch: OwnedWriteBatch,
}

impl Batch<'_> {
    pub(super) fn put(&mut self, number: u64, place: &Place, row: &[u8]) {
        let value = [&number.to_be_bytes()[..], &place.cost.to_le_bytes(), row].concat();
        self.batch.insert(&self.shelf.answers, place.sha, value);
        self.batch.insert(&self.shelf.order, number.to_be_bytes(), place.encode());
    }

    /// Takes out the answer and its place.
    pub(super) fn remove(&mut self, number: u64, sha: &[u8; 32]) {
        self.batch.remove(&self.shelf.answers, *sha);
        self.batch.remove(&self.shelf.order, number.to_be_bytes());
    }

    /// Takes out the place of an answer that is put again.
    pub(super) fn replace(&mut self, number: u64) {
        self.batch.remove(&self.shelf.order, number.to_be_bytes());
    }

    pub(super) fn commit(self) -> io::Result<()> {
        self.batch.commit().map_err(of_tree)
    }
}
