//! An answer as bytes, and back.
//!
//! Owns the layout, and that bytes which are not what was written are never an answer. Pure.
//!
//! `SHA-256 of the rest | version | packed | length of the fields | fields`, the fields packed with LZ4 if they are larger than
//! 1 KiB and smaller that way. Numbers are little-endian, texts and bodies have their length before them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tidegate_actors::call::Tags;
use tidegate_actors::key::Key;
use tidegate_actors::ports::clock::Tick;
use tidegate_actors::ports::provider::{Usage, Vector};
use tidegate_actors::{CallId, CallKind, Entry, EntryFacts, Kept, WorkspaceId};

const VERSION: u8 = 1;
/// Fields of at most so many bytes are not packed.
const PLAIN_BYTES: usize = 1 << 10;
const KINDS: [CallKind; 3] = [CallKind::Chat, CallKind::Embed, CallKind::Forward];

/// Before tokens: whether the upstream or we have counted them; 0 where nobody has.
const COUNTED: u8 = 1;
const ESTIMATED: u8 = 2;

/// A moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) tick: Tick,
    pub(super) unix_us: i64,
}

/// When an answer was kept and when it ends, microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) born_us: i64,
    pub(super) expires_us: i64,
}

impl Times {
    /// Those of an answer of this process.
    pub(super) fn of(facts: &EntryFacts, now: Now) -> Self {
        let us = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        Self {
            born_us: now.unix_us.saturating_sub(us(now.tick.since(facts.born))),
            expires_us: now.unix_us.saturating_add(us(facts.expires.since(now.tick))),
        }
    }
}

/// Why bytes are no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// They are not what was written, or what was written under another key.
    Damaged,
    /// Its time is over.
    Over,
}

pub(super) fn encode(facts: &EntryFacts, kept: &Kept, times: Times) -> Vec<u8> {
    let plain = fields(facts, kept, times);
    let packed = (plain.len() > PLAIN_BYTES).then(|| lz4_flex::block::compress(&plain));
    let packed = packed.filter(|packed| packed.len() < plain.len());
    let mut row = vec![0; 32];
    row.push(VERSION);
    row.push(u8::from(packed.is_some()));
    row.extend_from_slice(&u32::try_from(plain.len()).unwrap_or(u32::MAX).to_le_bytes());
    row.extend_from_slice(packed.as_ref().unwrap_or(&plain));
    let digest: [u8; 32] = Sha256::digest(&row[32..]).into();
    row[..32].copy_from_slice(&digest);
    row
}

/// The answer to `key` in these bytes.
pub(super) fn decode(row: &[u8], key: &Key, now: Now) -> Result<Entry, Fault> {
    let (digest, rest) = row.split_first_chunk::<32>().ok_or(Fault::Damaged)?;
    if *digest != <[u8; 32]>::from(Sha256::digest(rest)) {
        return Err(Fault::Damaged);
    }
    let (times, facts, kept) = unpacked(rest).and_then(entry).ok_or(Fault::Damaged)?;
    if facts.key != *key {
        return Err(Fault::Damaged);
    }
    let Times { born_us, expires_us } = times;
    // A clock that was set back makes no answer younger than new, and none live longer than it was to live.
    let lifetime_us = expires_us.saturating_sub(born_us);
    let left_us = expires_us.saturating_sub(now.unix_us).min(lifetime_us);
    if left_us <= 0 {
        return Err(Fault::Over);
    }
    let span = |us: i64| Duration::from_micros(u64::try_from(us).unwrap_or(0));
    let facts = EntryFacts { born: now.tick, expires: now.tick.plus(span(left_us)), ..facts };
    Ok(Entry::restored(facts, kept, span(now.unix_us.saturating_sub(born_us))))
}

fn unpacked(rest: &[u8]) -> Option<Bytes> {
    let (&[version, packed], rest) = rest.split_first_chunk::<2>()?;
    let (length, fields) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    match (version, packed) {
        (VERSION, 0) => Some(Bytes::copy_from_slice(fields)),
        (VERSION, 1) => lz4_flex::block::decompress(fields, length).ok().map(Bytes::from),
        _ => None,
    }
}

fn fields(facts: &EntryFacts, kept: &Kept, times: Times) -> Vec<u8> {
    let EntryFacts { key, workspace, kind, model, target, tags, payer, usage, estimated, .. } = facts;
    let mut out = Writer(Vec::new());
    out.0.extend_from_slice(&key.hash.to_le_bytes());
    out.0.extend_from_slice(&key.sha);
    out.0.extend_from_slice(&times.born_us.to_le_bytes());
    out.0.extend_from_slice(&times.expires_us.to_le_bytes());
    out.0.push(KINDS.iter().position(|known| known == kind).unwrap_or(0) as u8);
    out.text(workspace.as_str());
    out.text(model);
    out.text(target);
    out.text(&payer.to_string());
    out.count(tags.len());
    tags.iter().for_each(|tag| out.text(tag));
    match usage {
        None => out.0.push(0),
        Some(Usage { input, cached_read, cached_write, output, reasoning }) => {
            out.0.push(if *estimated { ESTIMATED } else { COUNTED });
            for count in [input, cached_read, cached_write, output, reasoning] {
                out.0.extend_from_slice(&count.to_le_bytes());
            }
        }
    }
    match kept {
        Kept::Whole(body) => {
            out.0.push(0);
            out.bytes(body);
        }
        Kept::Events(events) => {
            out.0.push(1);
            out.count(events.len());
            events.iter().for_each(|event| out.bytes(event));
        }
        Kept::Row { vector, model } => {
            out.0.push(2);
            out.bytes(&vector.text);
            out.bytes(&vector.bits);
            out.text(model);
        }
    }
    out.0
}

fn entry(fields: Bytes) -> Option<(Times, EntryFacts, Kept)> {
    let mut from = Reader { fields, at: 0 };
    let key = Key { hash: u128::from_le_bytes(from.array()?), sha: from.array()? };
    let times =
        Times { born_us: i64::from_le_bytes(from.array()?), expires_us: i64::from_le_bytes(from.array()?) };
    let kind = *KINDS.get(usize::from(from.byte()?))?;
    let workspace = WorkspaceId::new(from.text()?);
    let (model, target) = (from.text()?, from.text()?);
    let payer = CallId::parse(&from.text()?)?;
    let tags = (0..from.count()?).map(|_| from.text().map(|tag| Box::from(&*tag)));
    let tags: Tags = tags.collect::<Option<Vec<Box<str>>>>()?.into();
    let counted = from.byte()?;
    let estimated = counted == ESTIMATED;
    let usage = match counted {
        0 => None,
        _ => {
            let mut count = || Some(u64::from_le_bytes(from.array()?));
            let (input, cached_read, cached_write) = (count()?, count()?, count()?);
            Some(Usage { input, cached_read, cached_write, output: count()?, reasoning: count()? })
        }
    };
    let kept = match from.byte()? {
        0 => Kept::Whole(from.bytes()?),
        1 => Kept::Events((0..from.count()?).map(|_| from.bytes()).collect::<Option<Vec<_>>>()?.into()),
        2 => {
            let vector = Vector { text: from.bytes()?, bits: from.bytes()? };
            Kept::Row { vector, model: from.text()? }
        }
        _ => return None,
    };
    let (born, expires) = (Tick::default(), Tick::default());
    let facts =
        EntryFacts { key, workspace, kind, model, target, tags, payer, usage, estimated, born, expires };
    (from.at == from.fields.len()).then_some((times, facts, kept))
}

struct Writer(Vec<u8>);

impl Writer {
    fn count(&mut self, count: usize) {
        self.0.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }
}

struct Reader {
    fields: Bytes,
    at: usize,
}

impl Reader {
    fn take(&mut self, length: usize) -> Option<Bytes> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.fields.len())?;
        let taken = self.fields.slice(self.at..end);
        self.at = end;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.as_ref().try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn count(&mut self) -> Option<usize> {
        Some(u32::from_le_bytes(self.array()?) as usize)
    }

    fn bytes(&mut self) -> Option<Bytes> {
        let length = self.count()?;
        self.take(length)
    }

    fn text(&mut self) -> Option<Arc<str>> {
        let bytes = self.bytes()?;
        std::str::from_utf8(&bytes).ok().map(Arc::from)
    }
}
