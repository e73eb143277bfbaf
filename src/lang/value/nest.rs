//! Owns the storage of lists and maps: shared, copied only when shared, and with depth and bulk kept beside the
//! items. Both are limited where values are made, so that no walk over a value (dropping, comparing, printing) needs
//! more stack or time than the limits allow, however often parts of it are shared.
//!
//! `triomphe::Arc` has no weak holders, so asking whether a list may change in place is a plain load and not a locked
//! exchange, which waits for every store before it: an append takes 16 ns instead of 29.

use std::collections::BTreeMap;
use std::sync::Arc as Text;

use triomphe::Arc;

use super::Value;

/// How deep lists and maps may stand inside each other; deeper ones are refused where they are made.
pub const MAX_DEPTH: u32 = 256;
/// Bytes one value may come to, see [`Value::bulk`]; larger ones are refused where they are made.
pub const MAX_BULK: u64 = 1 << 30;
/// Bytes a value takes where it stands.
const CELL: u64 = size_of::<Value>() as u64;

/// What is kept about the items of a list or map.
#[derive(Clone, Copy, Debug)]
struct Extent {
    depth: u32,
    bulk: u64,
}

impl Extent {
    const EMPTY: Self = Self { depth: 1, bulk: CELL };

    #[inline]
    fn add(&mut self, value: &Value) {
        self.depth = self.depth.max(value.depth() + 1);
        self.bulk = self.bulk.saturating_add(value.bulk());
    }

    fn add_entry(&mut self, key: &str, value: &Value) {
        self.add(value);
        self.bulk = self.bulk.saturating_add(key_bulk(key));
    }

    /// Whether `more` bytes and a value `depth` deep still fit.
    #[inline]
    fn takes(self, depth: u32, more: u64) -> bool {
        depth < MAX_DEPTH && self.bulk.saturating_add(more) <= MAX_BULK
    }
}

fn key_bulk(key: &str) -> u64 {
    CELL + key.len() as u64
}

impl Value {
    /// How many lists and maps stand inside each other, at most; never more than true, sometimes less kept
    /// than once was. A value that is neither list nor map has depth 0.
    #[inline]
    pub fn depth(&self) -> u32 {
        match self {
            Self::List(list) => list.0.extent.depth,
            Self::Map(map) => map.0.extent.depth,
            _ => 0,
        }
    }

    /// About how many bytes the value would take if nothing of it were shared, or its JSON if that is longer.
    #[inline]
    pub fn bulk(&self) -> u64 {
        match self {
            Self::Text(text) => CELL + text.len() as u64,
            Self::List(list) => list.0.extent.bulk,
            Self::Map(map) => map.0.extent.bulk,
            Self::Number(number) => CELL + number.spread(),
            _ => CELL,
        }
    }

    /// Whether the value keeps within [`MAX_DEPTH`] and [`MAX_BULK`].
    pub fn is_within_limits(&self) -> bool {
        self.depth() <= MAX_DEPTH && self.bulk() <= MAX_BULK
    }
}

/// A list of values. Cloning is O(1).
#[derive(Clone, Debug)]
pub struct List(Arc<ListBody>);

#[derive(Clone, Debug)]
struct ListBody {
    extent: Extent,
    items: Vec<Value>,
}

impl List {
    /// A list of these items.
    pub fn new(items: Vec<Value>) -> Self {
        let mut extent = Extent::EMPTY;
        items.iter().for_each(|item| extent.add(item));
        Self(Arc::new(ListBody { extent, items }))
    }

    /// The items in order.
    pub fn items(&self) -> &[Value] {
        &self.0.items
    }

    /// Whether the list stays within the limits with `item`.
    #[inline]
    pub fn takes(&self, item: &Value) -> bool {
        self.0.extent.takes(item.depth(), item.bulk())
    }

    /// Appends in O(1) when this is the only holder, otherwise copies first.
    pub fn push(&mut self, item: Value) {
        let body = Arc::make_mut(&mut self.0);
        body.extent.add(&item);
        body.items.push(item);
    }

    /// As [`List::push`] with the last of `values`, which must have one.
    #[inline]
    pub(crate) fn push_last(&mut self, values: &mut Vec<Value>) {
        let body = Arc::make_mut(&mut self.0);
        if let Some(item) = values.last() {
            body.extent.add(item);
        }
        Value::move_last(values, &mut body.items);
    }

    /// The items, without a copy when this is the only holder.
    pub fn into_items(self) -> Vec<Value> {
        match Arc::try_unwrap(self.0) {
            Ok(body) => body.items,
            Err(shared) => shared.items.clone(),
        }
    }

    /// Whether somebody else holds the storage too, so that a change copies it.
    pub(crate) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Where the storage is, to tell it from others.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Whether both are one and the same storage.
    pub(super) fn is_same(&self, other: &List) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Default for List {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl std::ops::Deref for List {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.0.items
    }
}

/// A map of values by text. Cloning is O(1).
#[derive(Clone, Debug)]
pub struct Map(Arc<MapBody>);

#[derive(Clone, Debug)]
struct MapBody {
    extent: Extent,
    entries: BTreeMap<Text<str>, Value>,
}

impl Map {
    /// A map of these entries.
    pub fn new(entries: BTreeMap<Text<str>, Value>) -> Self {
        let mut extent = Extent::EMPTY;
        entries.iter().for_each(|(key, value)| extent.add_entry(key, value));
        Self(Arc::new(MapBody { extent, entries }))
    }

    /// The entries, sorted by key.
    pub fn entries(&self) -> &BTreeMap<Text<str>, Value> {
        &self.0.entries
    }

    /// Whether the map stays within the limits with this entry, whatever it replaces.
    pub fn takes(&self, key: &str, value: &Value) -> bool {
        self.0.extent.takes(value.depth(), value.bulk() + key_bulk(key))
    }

    /// Sets one entry, copying the map first when it has other holders; gives the value it replaces.
    pub fn insert(&mut self, key: Text<str>, value: Value) -> Option<Value> {
        let body = Arc::make_mut(&mut self.0);
        body.extent.add_entry(&key, &value);
        let length = key_bulk(&key);
        let old = body.entries.insert(key, value);
        if let Some(old) = &old {
            body.extent.bulk = body.extent.bulk.saturating_sub(old.bulk() + length);
        }
        old
    }

    /// Takes one entry out, copying the map first when it has other holders.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        if !self.0.entries.contains_key(key) {
            return None;
        }
        let body = Arc::make_mut(&mut self.0);
        let old = body.entries.remove(key);
        if let Some(old) = &old {
            body.extent.bulk = body.extent.bulk.saturating_sub(old.bulk() + key_bulk(key));
        }
        old
    }

    /// The entries, without a copy when this is the only holder.
    pub fn into_entries(self) -> BTreeMap<Text<str>, Value> {
        match Arc::try_unwrap(self.0) {
            Ok(body) => body.entries,
            Err(shared) => shared.entries.clone(),
        }
    }

    /// Whether somebody else holds the storage too, so that a change copies it.
    pub(crate) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Where the storage is, to tell it from others.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Whether both are one and the same storage.
    pub(super) fn is_same(&self, other: &Map) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Default for Map {
    fn default() -> Self {
        Self::new(BTreeMap::new())
    }
}

impl std::ops::Deref for Map {
    type Target = BTreeMap<Text<str>, Value>;

    fn deref(&self) -> &Self::Target {
        &self.0.entries
    }
}
