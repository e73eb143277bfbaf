//! Owns what one ingestion has to do and what came of it: which chunks are new, when a document is complete. Pure.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::chunk::chunks;
use super::index::{Chunk, ChunkId, Embedding, Index};

/// A document cut into chunks.
struct Cut {
    name: Arc<str>,
    chunks: Vec<(ChunkId, Arc<str>)>,
    /// Places in what is to be embedded: what was new with it. Its other chunks are known, or came before.
    new: std::ops::Range<usize>,
}

/// What became of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingested {
    /// Its name.
    pub document: Arc<str>,
    /// Its chunks.
    pub chunks: usize,
    /// Of these, embedded now.
    pub embedded: usize,
    /// Of these, known before: of an earlier run, or an equal chunk of this one.
    pub skipped: usize,
    /// Of these, without a vector: their places from 1, and why.
    pub unavailable: Vec<(usize, String)>,
}

/// One ingestion on its way.
pub struct Work {
    model: Arc<str>,
    documents: std::vec::IntoIter<Cut>,
    /// The document that is completed next.
    next: Option<Cut>,
    todo: Vec<ChunkId>,
    texts: Vec<Arc<str>>,
    /// What became of the first of `todo`, in their order.
    came: HashMap<ChunkId, Embedding>,
    done: usize,
    ingested: Vec<Ingested>,
}

impl Work {
    /// What is to be done so that `index` holds the chunks of `documents` (name and text) under `model`.
    #[must_use]
    pub fn new(
        index: &Index,
        model: &Arc<str>,
        documents: &[(Arc<str>, String)],
        chunk_chars: usize,
    ) -> Self {
        let (mut todo, mut texts, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
        let mut cut = |(name, text): &(Arc<str>, String)| {
            let before = todo.len();
            let name_each = |text: &str| {
                let (id, text): (_, Arc<str>) = (ChunkId::of(model, text), text.into());
                if index.vector(&id).is_none() && seen.insert(id.clone()) {
                    todo.push(id.clone());
                    texts.push(Arc::clone(&text));
                }
                (id, text)
            };
            let chunks = chunks(text, chunk_chars).into_iter().map(name_each).collect();
            Cut { name: Arc::clone(name), chunks, new: before..todo.len() }
        };
        let documents: Vec<Cut> = documents.iter().map(&mut cut).collect();
        let mut documents = documents.into_iter();
        let next = documents.next();
        let model = Arc::clone(model);
        Self { model, documents, next, todo, texts, came: HashMap::new(), done: 0, ingested: Vec::new() }
    }

    /// The texts to embed, in order.
    #[must_use]
    pub fn texts(&self) -> Vec<Arc<str>> {
        self.texts.clone()
    }

    /// Takes what became of the next texts, and puts every document that is complete now into the index.
    pub fn take(&mut self, embeddings: Vec<Embedding>, index: &mut Index) {
        for embedding in embeddings {
            if let Some(id) = self.todo.get(self.done) {
                self.came.insert(id.clone(), embedding);
                self.done += 1;
            }
        }
        while let Some(cut) = self.next.take_if(|cut| cut.new.end <= self.done) {
            self.complete(cut, index);
            self.next = self.documents.next();
        }
    }

    /// Texts done so far.
    #[must_use]
    pub fn done(&self) -> usize {
        self.done
    }

    /// The documents that are complete.
    #[must_use]
    pub fn ingested(&self) -> &[Ingested] {
        &self.ingested
    }

    fn complete(&mut self, cut: Cut, index: &mut Index) {
        let Cut { name, chunks, new } = cut;
        let chunks: Vec<Chunk> = chunks
            .iter()
            .map(|(id, text)| {
                let known = || index.vector(id).cloned().ok_or_else(|| "it was not embedded".to_owned());
                let embedding = self.came.get(id).cloned().unwrap_or_else(known);
                Chunk { id: id.clone(), text: Arc::clone(text), embedding }
            })
            .collect();
        let unavailable: Vec<(usize, String)> = chunks
            .iter()
            .enumerate()
            .filter_map(|(at, chunk)| Some((at + 1, chunk.embedding.as_ref().err()?.clone())))
            .collect();
        let embedded = self.todo[new].iter().filter(|id| matches!(self.came.get(id), Some(Ok(_)))).count();
        self.ingested.push(Ingested {
            document: Arc::clone(&name),
            chunks: chunks.len(),
            embedded,
            skipped: chunks.len() - embedded - unavailable.len(),
            unavailable,
        });
        index.replace(&name, &self.model, chunks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::value::Value;

    fn vector(number: f64) -> Embedding {
        Ok(Value::list(vec![Value::Float(number)]))
    }

    fn work(index: &Index, documents: &[(&str, &str)]) -> Work {
        let documents: Vec<_> =
            documents.iter().map(|(name, text)| (Arc::from(*name), (*text).to_owned())).collect();
        Work::new(index, &"m".into(), &documents, 20)
    }

    #[test]
    fn only_what_is_new_is_embedded_and_a_chunk_that_comes_twice_once() {
        let mut index = Index::default();
        let mut first = work(&index, &[("a", "one line of words\ntwo"), ("b", "two"), ("c", "")]);
        assert_eq!(
            first.texts().iter().map(|text| &**text).collect::<Vec<_>>(),
            ["one line of words", "two"]
        );
        first.take(vec![vector(1.0)], &mut index);
        assert!(first.ingested().is_empty() && index.is_empty(), "the document is not complete");
        first.take(vec![vector(2.0)], &mut index);
        let counts: Vec<_> =
            first.ingested().iter().map(|done| (done.chunks, done.embedded, done.skipped)).collect();
        assert_eq!(counts, [(2, 2, 0), (1, 0, 1), (0, 0, 0)]);

        let mut second = work(&index, &[("a", "two\n\nthree is longer")]);
        assert_eq!(second.texts().len(), 1, "{:?}", second.texts());
        second.take(vec![vector(3.0)], &mut index);
        assert_eq!(index.len(), 2, "one chunk of each: {}", index.to_text());
    }

    #[test]
    fn a_chunk_that_failed_is_marked_and_tried_again_next_time() {
        let mut index = Index::default();
        let mut first = work(&index, &[("a", "one line of words\nand a second one")]);
        first.take(vec![vector(1.0), Err("too odd".into())], &mut index);
        let done = &first.ingested()[0];
        assert_eq!(
            (done.embedded, done.skipped, &done.unavailable),
            (1, 0, &vec![(2, "too odd".to_owned())])
        );
        let again = work(&index, &[("a", "one line of words\nand a second one")]);
        assert_eq!(again.texts().iter().map(|text| &**text).collect::<Vec<_>>(), ["and a second one"]);
    }
}
