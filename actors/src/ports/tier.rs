//! The port to a store of answers behind memory, which outlives the process.
//!
//! Owns the contract; must not know where answers lie.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use crate::cache::{Entry, PurgeFilter};
use crate::key::Key;

/// A boxed future a tier returns.
pub type TierFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Keeps answers behind memory. What it cannot do is a miss, never an error: an answer can be asked for again.
pub trait TierStore: fmt::Debug + Send + Sync + 'static {
    /// False if it surely has no answer of this key. Answers at once.
    fn may_have(&self, key: &Key) -> bool;

    /// Its answers of these keys, in their order; one that is damaged or over is none. Works on another thread; dropping
    /// the future gives the answers up.
    fn read(&self, keys: Vec<Key>) -> TierFuture<Vec<Option<Arc<Entry>>>>;

    /// Keeps an answer, later and elsewhere. Answers at once; where there is no room the answer is not kept.
    fn keep(&self, entry: &Arc<Entry>);

    /// Forgets what the filter means, answers handed over before included; gives how many. Once it is ready, no read that
    /// begins then finds any of them. With `dry_run` it only counts.
    fn forget(&self, filter: &PurgeFilter, dry_run: bool) -> TierFuture<usize>;
}
