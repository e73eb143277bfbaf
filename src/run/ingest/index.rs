//! Owns the index of embedded chunks: what is known of each, and its form as JSON lines. Reads and writes text; must not
//! touch files.
//!
//! One line for each chunk, sorted by document, model and place:
//! `{"chunk":1,"document":"notes.txt","id":"<SHA-256>","model":"hash:hash:v1","reason":null,"status":"ready","text":"..",
//! "vector":[..]}`. `chunk` counts from 1 within its document, `id` names text and model, `status` is `ready` or
//! `unavailable`, which has a `reason` and no vector.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::lang::value::{JsonStyle, Value, parse_json};

/// What names a text under a model: the same chunk is never embedded twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChunkId(Arc<str>);

impl ChunkId {
    /// The id of a text under a model.
    #[must_use]
    pub fn of(model: &str, text: &str) -> Self {
        let digest = Sha256::new().chain_update(model).chain_update([0]).chain_update(text).finalize();
        Self(hex::encode(digest).into())
    }
}

/// A vector as the provider wrote it, or why there is none.
pub type Embedding = Result<Value, String>;

/// Document, model, number from 1.
pub(super) type Place = (Arc<str>, Arc<str>, i64);

/// One chunk of a document.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// Its name.
    pub id: ChunkId,
    /// What it says.
    pub text: Arc<str>,
    /// Its vector.
    pub embedding: Embedding,
}

/// All chunks beside an app.
#[derive(Debug, Default)]
pub struct Index {
    /// By document, model and place from 1.
    chunks: BTreeMap<Place, Chunk>,
    known: HashMap<ChunkId, Value>,
}

impl Index {
    /// Reads what [`Index::to_text`] wrote.
    ///
    /// # Errors
    /// The first line that was not written here, by its number.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut index = Self::default();
        for (at, line) in text.lines().enumerate() {
            let value = parse_json(line).map_err(|fault| format!("line {}: {fault}", at + 1))?;
            let (place, chunk) =
                entry(&value).ok_or_else(|| format!("line {}: not a chunk of an index", at + 1))?;
            index.put(place, chunk);
        }
        Ok(index)
    }

    /// A line for each chunk, in their order: the same chunks are the same text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let lines = self.chunks.iter().map(|((document, model, at), chunk)| {
            let (status, reason, vector) = match &chunk.embedding {
                Ok(vector) => ("ready", Value::Null, vector.clone()),
                Err(reason) => ("unavailable", Value::text(reason.as_str()), Value::Null),
            };
            let line = Value::fields([
                ("chunk", Value::int(*at)),
                ("document", Value::Text(document.clone())),
                ("id", Value::Text(chunk.id.0.clone())),
                ("model", Value::Text(model.clone())),
                ("reason", reason),
                ("status", status.into()),
                ("text", Value::Text(chunk.text.clone())),
                ("vector", vector),
            ]);
            line.to_json(JsonStyle::Compact) + "\n"
        });
        lines.collect()
    }

    /// The vector of a chunk that was embedded before, in whatever document.
    #[must_use]
    pub fn vector(&self, id: &ChunkId) -> Option<&Value> {
        self.known.get(id)
    }

    /// Every chunk that has a vector: place, text, vector; in the order of the places.
    pub(super) fn ready(&self) -> impl Iterator<Item = (&Place, &Arc<str>, &Value)> {
        self.chunks
            .iter()
            .filter_map(|(place, chunk)| Some((place, &chunk.text, chunk.embedding.as_ref().ok()?)))
    }

    /// Puts the chunks of a document in the place of those it had under that model.
    pub fn replace(&mut self, document: &Arc<str>, model: &Arc<str>, chunks: Vec<Chunk>) {
        let place = |at| (Arc::clone(document), Arc::clone(model), at);
        let old: Vec<_> =
            self.chunks.range(place(i64::MIN)..=place(i64::MAX)).map(|(place, _)| place.clone()).collect();
        for gone in old {
            self.chunks.remove(&gone);
        }
        for (at, chunk) in (1..).zip(chunks) {
            self.put(place(at), chunk);
        }
    }

    /// Chunks in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks.len()
    }

    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    fn put(&mut self, place: Place, chunk: Chunk) {
        if let Ok(vector) = &chunk.embedding {
            self.known.insert(chunk.id.clone(), vector.clone());
        }
        self.chunks.insert(place, chunk);
    }
}

fn entry(value: &Value) -> Option<(Place, Chunk)> {
    let map = value.as_map()?;
    let text = |key: &str| map.get(key).and_then(Value::as_text).cloned();
    let embedding = match (map.get("status")?.as_text()?.as_ref(), map.get("vector")?) {
        ("ready", vector @ Value::List(_)) => Ok(vector.clone()),
        ("unavailable", Value::Null) => Err(text("reason")?.to_string()),
        _ => return None,
    };
    let (document, model, words) = (text("document")?, text("model")?, text("text")?);
    let id = ChunkId::of(&model, &words);
    let chunk = Chunk { id, text: words, embedding };
    let known = *chunk.id.0 == *text("id")?;
    known.then_some(((document, model, map.get("chunk")?.as_number()?.to_i64()?), chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(text: &str, embedding: Embedding) -> Chunk {
        Chunk { id: ChunkId::of("m", text), text: text.into(), embedding }
    }

    #[test]
    fn an_index_is_read_as_it_was_written() {
        let mut index = Index::default();
        let vector = Value::list(vec![Value::Float(0.25), Value::Float(-0.5), Value::Float(0.0)]);
        let chunks = vec![chunk("one\n\"\u{e9}\"", Ok(vector)), chunk("two", Err("too long".into()))];
        index.replace(&"a.txt".into(), &"m".into(), chunks);

        let text = index.to_text();
        let again = Index::read(&text).expect("it was written here");
        assert_eq!(again.to_text(), text);
        assert!(
            text.contains(r#""status":"ready""#) && text.contains(r#""vector":[0.25,-0.5,0.0]}"#),
            "{text}"
        );
        assert!(again.vector(&ChunkId::of("m", "one\n\"\u{e9}\"")).is_some());
        assert!(again.vector(&ChunkId::of("m", "two")).is_none() && again.len() == 2);
    }

    #[test]
    fn a_document_that_was_changed_leaves_nothing_of_its_former_self() {
        let mut index = Index::default();
        let vector = || Ok(Value::list(vec![]));
        let (document, model) = ("a".into(), "m".into());
        index.replace(&document, &model, vec![chunk("one", vector()), chunk("two", vector())]);
        index.replace(&"b".into(), &model, vec![chunk("other", vector())]);
        index.replace(&document, &model, vec![chunk("three", vector())]);
        assert_eq!(index.len(), 2);
        assert!(!index.to_text().contains("two") && index.to_text().contains("three"));
    }

    #[test]
    fn a_line_that_was_not_written_here_is_named() {
        assert!(Index::read("").expect("nothing is an index").is_empty());
        let good = {
            let mut index = Index::default();
            index.replace(&"a".into(), &"m".into(), vec![chunk("one", Ok(Value::list(vec![])))]);
            index.to_text()
        };
        for bad in ["{", "{}", &good.replace("one", "two"), &good.replace("ready", "readi")] {
            let fault = Index::read(&format!("{good}{bad}")).expect_err("the second line is wrong");
            assert!(fault.starts_with("line 2: "), "{fault}");
        }
    }
}
