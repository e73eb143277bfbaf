//! The parser: one pass over the bytes, one `Vec` of slots, no recursion.
//!
//! Owns the grammar and the layout of the arena. It must not interpret what it reads: numbers stay
//! text, strings stay escaped.
//!
//! Layout: a container is followed by its content in document order. An object's content is key,
//! value, key, value. `after` is the first slot behind a value's own content, so a sibling is one
//! step away. An object's keys are also linked in sorted order (`link`), which finds duplicates
//! here and gives the canonical writer its order without allocating. An array of nothing but
//! numbers is packed: it has a length and no content, and its elements are read from the text.

use std::cmp::Ordering;

use super::cursor::Kind;
use super::fault::{Flaw, JsonFault};
use super::{JsonLimits, text};

/// No slot: the end of a list.
pub(super) const NONE: u32 = u32::MAX;
/// Objects with more keys than this sort them on the heap.
const SORT_INLINE: usize = 32;
/// Slots there is room for from the start: what an allocator still takes from its quickest list (1 KiB).
const FEW: usize = 1024 / size_of::<Slot>();

/// One value or key of the arena.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    /// First byte, quotes and brackets included.
    pub(super) start: u32,
    /// Behind the last byte.
    pub(super) end: u32,
    /// First slot behind this value and its content.
    pub(super) after: u32,
    /// Members, elements, or unescaped bytes of a string.
    pub(super) len: u32,
    /// Object: its smallest key. Key: the next larger one. While open: the parent.
    pub(super) link: u32,
    pub(super) kind: Kind,
    /// A string with at least one escape.
    pub(super) escaped: bool,
    /// An array whose elements have no slots.
    pub(super) packed: bool,
}

/// Parses `src` as one JSON text.
pub(super) fn scan(src: &[u8], limits: JsonLimits) -> Result<Vec<Slot>, JsonFault> {
    if src.len() >= NONE as usize {
        return Err(JsonFault { offset: 0, what: Flaw::TooLong(src.len()) });
    }
    if let Err(bad) = std::str::from_utf8(src) {
        return Err(JsonFault { offset: bad.valid_up_to(), what: Flaw::Utf8 });
    }
    let max_depth = limits.max_depth.min(JsonLimits::DEEPEST);
    let slots = Vec::with_capacity((src.len() / 32).clamp(FEW, 1024));
    let mut scan = Scan { src, at: 0, slots, parent: NONE, depth: 0, max_depth, max_nodes: limits.max_nodes };
    scan.text()?;
    Ok(scan.slots)
}

struct Scan<'a> {
    src: &'a [u8],
    at: usize,
    slots: Vec<Slot>,
    parent: u32,
    depth: usize,
    max_depth: usize,
    max_nodes: usize,
}

impl Scan<'_> {
    fn text(&mut self) -> Result<(), JsonFault> {
        self.value()?;
        while self.parent != NONE {
            self.next_in_container()?;
        }
        self.space();
        match self.src.get(self.at) {
            None => Ok(()),
            Some(found) => Err(self.fault(Flaw::Trailing(*found))),
        }
    }

    /// Reads what follows a complete value, or an opening bracket, of the open container.
    fn next_in_container(&mut self) -> Result<(), JsonFault> {
        self.space();
        let Slot { kind, len, .. } = self.slots[self.parent as usize];
        let (close, wanted) = match (kind, len) {
            (Kind::Object, 0) => (b'}', "a key or '}'"),
            (Kind::Object, _) => (b'}', "',' or '}'"),
            (_, 0) => (b']', "a value or ']'"),
            (_, _) => (b']', "',' or ']'"),
        };
        match self.src.get(self.at) {
            Some(byte) if *byte == close => {
                self.at += 1;
                return self.close();
            }
            Some(b',') if len > 0 => {
                self.at += 1;
                self.space();
            }
            Some(_) if len == 0 => {}
            _ => return Err(self.unexpected(wanted)),
        }
        self.slots[self.parent as usize].len += 1;
        if kind == Kind::Object {
            self.key()?;
        }
        self.value()
    }

    fn key(&mut self) -> Result<(), JsonFault> {
        if self.src.get(self.at) != Some(&b'"') {
            return Err(self.unexpected("a key"));
        }
        self.string(Kind::Key)?;
        self.space();
        if self.src.get(self.at) != Some(&b':') {
            return Err(self.unexpected("':'"));
        }
        self.at += 1;
        Ok(())
    }

    /// Reads a scalar whole, or opens a container.
    fn value(&mut self) -> Result<(), JsonFault> {
        self.space();
        match self.src.get(self.at) {
            Some(b'"') => self.string(Kind::String),
            Some(b'{') => self.open(Kind::Object),
            Some(b'[') => self.array(),
            Some(b'-' | b'0'..=b'9') => {
                let start = self.at;
                self.at = self.number_end(start)?;
                self.leaf(Kind::Number, start)
            }
            Some(b't') => self.word(b"true", Kind::True),
            Some(b'f') => self.word(b"false", Kind::False),
            Some(b'n') => self.word(b"null", Kind::Null),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<(), JsonFault> {
        let start = self.at;
        if !self.src[start..].starts_with(word) {
            return Err(self.unexpected("a value"));
        }
        self.at += word.len();
        self.leaf(kind, start)
    }

    fn leaf(&mut self, kind: Kind, start: usize) -> Result<(), JsonFault> {
        self.push(kind, start, self.at)
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize) -> Result<(), JsonFault> {
        let index = self.slots.len();
        if index >= self.max_nodes.min(NONE as usize - 1) {
            return Err(JsonFault { offset: start, what: Flaw::TooMany(self.max_nodes) });
        }
        self.slots.push(Slot {
            start: start as u32,
            end: end as u32,
            after: index as u32 + 1,
            len: 0,
            link: NONE,
            kind,
            escaped: false,
            packed: false,
        });
        Ok(())
    }

    fn open(&mut self, kind: Kind) -> Result<(), JsonFault> {
        if self.depth == self.max_depth {
            return Err(self.fault(Flaw::TooDeep(self.max_depth)));
        }
        let index = self.slots.len() as u32;
        self.push(kind, self.at, self.at + 1)?;
        self.slots[index as usize].link = self.parent;
        self.parent = index;
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) -> Result<(), JsonFault> {
        let index = self.parent as usize;
        let after = self.slots.len() as u32;
        let slot = &mut self.slots[index];
        slot.end = self.at as u32;
        slot.after = after;
        self.parent = std::mem::replace(&mut slot.link, NONE);
        self.depth -= 1;
        if slot.kind == Kind::Object { self.link_keys(index) } else { Ok(()) }
    }

    /// Opens an array, or reads it whole when it holds nothing but numbers.
    fn array(&mut self) -> Result<(), JsonFault> {
        let start = self.at;
        if self.depth < self.max_depth
            && let Some((end, len)) = self.numbers_only(start + 1)?
        {
            self.push(Kind::Array, start, end)?;
            if let Some(slot) = self.slots.last_mut() {
                slot.len = len;
                slot.packed = true;
            }
            self.at = end;
            return Ok(());
        }
        self.open(Kind::Array)
    }

    /// The end and length of an array of at least one number, or `None` if it holds anything
    /// else. A malformed number is a fault either way.
    fn numbers_only(&self, from: usize) -> Result<Option<(usize, u32)>, JsonFault> {
        let (mut at, mut len) = (from, 0);
        loop {
            at = text::skip_space(self.src, at);
            if !matches!(self.src.get(at), Some(b'-' | b'0'..=b'9')) {
                return Ok(None);
            }
            at = text::skip_space(self.src, self.number_end(at)?);
            len += 1;
            match self.src.get(at) {
                Some(b',') => at += 1,
                Some(b']') => return Ok(Some((at + 1, len))),
                _ => return Ok(None),
            }
        }
    }

    fn number_end(&self, start: usize) -> Result<usize, JsonFault> {
        let end = text::number_end(self.src, start);
        end.map_err(|offset| JsonFault { offset, what: Flaw::Number })
    }

    /// Reads a string at its opening quote.
    fn string(&mut self, kind: Kind) -> Result<(), JsonFault> {
        let start = self.at;
        let mut at = start + 1;
        let mut saved = 0;
        loop {
            at += text::plain_start(&self.src[at..]);
            if self.src.get(at) == Some(&b'"') {
                at += 1;
                break;
            }
            let Some(found) = memchr::memchr2(b'"', b'\\', &self.src[at..]) else {
                return Err(self.unclosed(at));
            };
            let stop = at + found;
            self.no_control(at, stop)?;
            if self.src[stop] == b'"' {
                at = stop + 1;
                break;
            }
            let escape = text::escape(&self.src[stop..]);
            let escape = escape.ok_or(JsonFault { offset: stop, what: Flaw::Escape })?;
            saved += escape.taken - escape.bytes().len();
            at = stop + escape.taken;
        }
        self.at = at;
        self.push(kind, start, at)?;
        if let Some(slot) = self.slots.last_mut() {
            slot.len = (at - start - 2 - saved) as u32;
            slot.escaped = saved > 0;
        }
        Ok(())
    }

    fn unclosed(&self, from: usize) -> JsonFault {
        let end = self.src.len();
        let fault = self.no_control(from, end).err();
        fault.unwrap_or(JsonFault { offset: end, what: Flaw::Ends("the end of a string") })
    }

    fn no_control(&self, from: usize, to: usize) -> Result<(), JsonFault> {
        let run = &self.src[from..to];
        // No early exit: this form is vectorised.
        if !run.iter().fold(false, |bad, byte| bad | (*byte < 0x20)) {
            return Ok(());
        }
        let at = run.iter().position(|byte| *byte < 0x20).unwrap_or(0);
        Err(JsonFault { offset: from + at, what: Flaw::Control(run[at]) })
    }

    /// Links the keys of a closed object in sorted order and refuses a duplicate.
    fn link_keys(&mut self, object: usize) -> Result<(), JsonFault> {
        let count = self.slots[object].len as usize;
        let mut inline = [(0u64, 0u32); SORT_INLINE];
        let mut heap = Vec::new();
        let keys = if count <= SORT_INLINE {
            &mut inline[..count]
        } else {
            heap.resize(count, (0, 0));
            &mut heap[..]
        };
        let (mut key, mut escaped) = (object + 1, false);
        for place in keys.iter_mut() {
            *place = (self.prefix(&self.slots[key]), key as u32);
            escaped |= self.slots[key].escaped;
            key = self.slots[key + 1].after as usize;
        }
        if escaped {
            keys.iter_mut().for_each(|(prefix, _)| *prefix = 0); // they say nothing beside one that is not plain
        }
        keys.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| self.compare_keys(a.1, b.1)));
        for pair in keys.windows(2) {
            if pair[0].0 == pair[1].0 && self.compare_keys(pair[0].1, pair[1].1) == Ordering::Equal {
                return Err(self.duplicate(pair[0].1.max(pair[1].1)));
            }
        }
        let mut last = object;
        for (_, key) in keys.iter() {
            self.slots[last].link = *key;
            last = *key as usize;
        }
        Ok(())
    }

    /// The first eight bytes of a plain key as a number, which orders nearly all keys without a call. A shorter one is
    /// filled with zeros, which no key has in it.
    fn prefix(&self, key: &Slot) -> u64 {
        let from = key.start as usize + 1;
        let len = key.end as usize - 1 - from;
        let cut = u64::MAX.checked_shr(8 * len.min(8) as u32).unwrap_or(0);
        match self.src.get(from..from + 8) {
            Some(eight) => u64::from_be_bytes(eight.try_into().expect("eight bytes")) & !cut,
            None => {
                let bytes = self.src[from..from + len].iter().zip((0..8).rev());
                bytes.fold(0, |prefix, (byte, place)| prefix | u64::from(*byte) << (8 * place))
            }
        }
    }

    fn compare_keys(&self, a: u32, b: u32) -> Ordering {
        let (a, b) = (&self.slots[a as usize], &self.slots[b as usize]);
        let (raw_a, raw_b) = (inner(self.src, a), inner(self.src, b));
        if a.escaped || b.escaped {
            return text::Unescaped::new(raw_a).cmp(text::Unescaped::new(raw_b));
        }
        raw_a.cmp(raw_b)
    }

    fn duplicate(&self, key: u32) -> JsonFault {
        let slot = &self.slots[key as usize];
        let mut name = Vec::new();
        text::unescape_into(inner(self.src, slot), |bytes| name.extend_from_slice(bytes));
        let mut name = String::from_utf8_lossy(&name).into_owned();
        if let Some((cut, _)) = name.char_indices().nth(64) {
            name.truncate(cut);
        }
        JsonFault { offset: slot.start as usize, what: Flaw::DuplicateKey(name) }
    }

    fn space(&mut self) {
        self.at = text::skip_space(self.src, self.at);
    }

    fn unexpected(&self, wanted: &'static str) -> JsonFault {
        self.fault(match self.src.get(self.at) {
            Some(found) => Flaw::Unexpected { found: *found, wanted },
            None => Flaw::Ends(wanted),
        })
    }

    fn fault(&self, what: Flaw) -> JsonFault {
        JsonFault { offset: self.at, what }
    }
}

/// The bytes between the quotes of a string or key.
pub(super) fn inner<'a>(src: &'a [u8], slot: &Slot) -> &'a [u8] {
    &src[slot.start as usize + 1..slot.end as usize - 1]
}
