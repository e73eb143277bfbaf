//! Owns the storage of lists and maps: shared, copied only when shared, and with the nesting depth kept beside
//! the items, so that dropping, comparing or printing a value never needs more stack than the limit allows.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Value;

/// How deep lists and maps may stand inside each other; deeper ones are refused where they are made.
pub const MAX_DEPTH: u32 = 256;

/// A list of values. Cloning is O(1).
#[derive(Clone, Debug, Default)]
pub struct List(Arc<ListBody>);

#[derive(Clone, Debug, Default)]
struct ListBody {
    depth: u32,
    items: Vec<Value>,
}

impl List {
    /// A list of these items.
    pub fn new(items: Vec<Value>) -> Self {
        let depth = 1 + items.iter().map(Value::depth).max().unwrap_or(0);
        Self(Arc::new(ListBody { depth, items }))
    }

    /// The items in order.
    pub fn items(&self) -> &[Value] {
        &self.0.items
    }

    /// Appends in O(1) when this is the only holder, otherwise copies first.
    pub fn push(&mut self, item: Value) {
        let body = Arc::make_mut(&mut self.0);
        body.depth = body.depth.max(1).max(item.depth() + 1);
        body.items.push(item);
    }

    /// The items, without a copy when this is the only holder.
    pub fn into_items(self) -> Vec<Value> {
        match Arc::try_unwrap(self.0) {
            Ok(body) => body.items,
            Err(shared) => shared.items.clone(),
        }
    }

    /// See [`Value::depth`].
    pub fn depth(&self) -> u32 {
        self.0.depth.max(1)
    }
}

impl std::ops::Deref for List {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.0.items
    }
}

/// A map of values by text. Cloning is O(1).
#[derive(Clone, Debug, Default)]
pub struct Map(Arc<MapBody>);

#[derive(Clone, Debug, Default)]
struct MapBody {
    depth: u32,
    entries: BTreeMap<Arc<str>, Value>,
}

impl Map {
    /// A map of these entries.
    pub fn new(entries: BTreeMap<Arc<str>, Value>) -> Self {
        let depth = 1 + entries.values().map(Value::depth).max().unwrap_or(0);
        Self(Arc::new(MapBody { depth, entries }))
    }

    /// The entries, sorted by key.
    pub fn entries(&self) -> &BTreeMap<Arc<str>, Value> {
        &self.0.entries
    }

    /// Sets one entry, copying the map first when it has other holders; gives the value it replaces.
    pub fn insert(&mut self, key: Arc<str>, value: Value) -> Option<Value> {
        let body = Arc::make_mut(&mut self.0);
        body.depth = body.depth.max(1).max(value.depth() + 1);
        body.entries.insert(key, value)
    }

    /// Takes one entry out, copying the map first when it has other holders.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        if !self.0.entries.contains_key(key) {
            return None;
        }
        Arc::make_mut(&mut self.0).entries.remove(key)
    }

    /// The entries, without a copy when this is the only holder.
    pub fn into_entries(self) -> BTreeMap<Arc<str>, Value> {
        match Arc::try_unwrap(self.0) {
            Ok(body) => body.entries,
            Err(shared) => shared.entries.clone(),
        }
    }

    /// See [`Value::depth`].
    pub fn depth(&self) -> u32 {
        self.0.depth.max(1)
    }
}

impl std::ops::Deref for Map {
    type Target = BTreeMap<Arc<str>, Value>;

    fn deref(&self) -> &Self::Target {
        &self.0.entries
    }
}
