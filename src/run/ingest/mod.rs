//! Ingestion: texts to chunks, chunks to vectors through the engine's batcher, and the index of both; and what is near to
//! a question in it.
//!
//! Owns the order of work: groups of chunks, each one call, in the order of the texts. Must not read or write files.

mod chunk;
mod hash;
mod index;
mod search;
mod work;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use tidegate_actors::call::{CacheWish, Deadline, EmbedItem, EmbedWork, Memory};
use tidegate_actors::json::{Document, JsonLimits};
use tidegate_actors::key::{BodyDigest, Deny, ItemKind};
use tidegate_actors::ports::provider::{FaultKind, Provider};
use tidegate_actors::route::{Route, Target};
use tidegate_actors::{
    Call, CallError, CallId, Engine, Entry, ErrorKind, Form, Kept, Upstream, UpstreamLimits, WorkspaceId,
};

use super::speech::Speech;
use super::{Asker, embed_group};
use crate::config::Performance;
use crate::lang::embed::HASH_MODEL;
use crate::lang::value::{JsonStyle, Value, parse_json};

pub use chunk::{CHUNK_CHARS, CHUNK_SIZES, chunks};
pub use hash::Hash;
pub use index::{Chunk, ChunkId, Embedding, Index};
pub use search::{Found, models, nearest};
pub use work::{Ingested, Work};

/// Name of the embedding programs have without any provider.
pub const HASH: &str = "hash";

/// Who embeds.
pub struct Embedder {
    engine: Engine,
    target: Target,
    /// Name under which vectors are stored.
    id: Arc<str>,
    /// Texts of one request.
    group: usize,
    /// Requests at once.
    at_once: usize,
    patience_ms: u64,
}

/// How an embedder works.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Texts of one request.
    pub group: usize,
    /// Requests at once.
    pub at_once: usize,
    /// Patience of each, milliseconds.
    pub patience_ms: u64,
}

impl Pace {
    /// What the settings mean: with lanes as many requests at once as there are slots, else one after the other.
    #[must_use]
    pub fn of(settings: &Performance, patience_ms: u64) -> Self {
        let at_once = if settings.async_runtime { settings.max_concurrency } else { 1 };
        Self { group: embed_group(settings), at_once, patience_ms }
    }
}

impl Embedder {
    /// The embedder programs mean by `name`: `hash`, or `PROVIDER/MODEL` of a configured provider that has embeddings.
    ///
    /// # Errors
    /// A name nobody answers to.
    pub fn new(asker: &Asker, name: &str, pace: Pace) -> Result<Self, String> {
        let (provider, model) = name.split_once('/').unwrap_or((HASH, name));
        let (upstream, model, id) = match (provider, model) {
            (HASH, HASH) => (
                Upstream::new(HASH, Arc::new(Hash), UpstreamLimits::default()),
                HASH_MODEL,
                HASH_MODEL.into(),
            ),
            (HASH, other) => {
                return Err(format!(
                    "the embedding model '{other}' is not known: use `hash`, or PROVIDER/MODEL such as \
                     openai/text-embedding-3-small"
                ));
            }
            (provider, model) => {
                let speaker = asker.speaker(provider).filter(|speaker| speaker.speech == Speech::OpenAi);
                let speaker = speaker.ok_or_else(|| {
                    format!(
                        "no provider '{provider}' with embeddings is configured: add [providers.{provider}] with \
                         kind = \"openai\" to tidegate.toml, or use `hash`"
                    )
                })?;
                (Arc::clone(&speaker.upstream), model, format!("{provider}:{model}"))
            }
        };
        let target =
            Target { name: format!("{provider}/{model}").into(), upstream, model: model.into(), weight: 1 };
        let Pace { group, at_once, patience_ms } = pace;
        Ok(Self { engine: asker.engine().clone(), target, id: id.into(), group, at_once, patience_ms })
    }

    /// The name by which [`Embedder::new`] is asked for the embedder whose vectors are stored under `id`.
    #[must_use]
    pub fn name_of(id: &str) -> String {
        if id == HASH_MODEL { HASH.to_owned() } else { id.replacen(':', "/", 1) }
    }

    /// The same, with its provider behind a decorator.
    #[must_use]
    pub fn decorated(mut self, wrap: impl FnOnce(Arc<dyn Provider>) -> Arc<dyn Provider>) -> Self {
        self.target.upstream = self.target.upstream.decorated(wrap);
        self
    }

    /// Name under which its vectors are stored.
    #[must_use]
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// Embeds texts in groups. `done` is handed what became of each, in the order of the texts, as groups come home. A
    /// text that is refused has its reason and the others their vectors; a group whose request fails has the reason on
    /// each of its texts.
    pub async fn embed(&self, texts: &[Arc<str>], mut done: impl FnMut(Vec<Embedding>)) {
        let groups = stream::iter(texts.chunks(self.group.max(1)));
        let mut groups = groups.map(|group| self.embed_group(group)).buffered(self.at_once.max(1));
        while let Some(embeddings) = groups.next().await {
            done(embeddings);
        }
    }

    async fn embed_group(&self, texts: &[Arc<str>]) -> Vec<Embedding> {
        let mut embeddings: Vec<Option<Embedding>> = vec![None; texts.len()];
        // Each round ends the group, or takes out one text that was refused: those that were not are remembered.
        loop {
            let open: Vec<usize> = (0..texts.len()).filter(|at| embeddings[*at].is_none()).collect();
            if open.is_empty() {
                break;
            }
            let asked: Vec<&str> = open.iter().map(|at| &*texts[*at]).collect();
            match self.ask(&asked).await {
                Ok(rows) => {
                    for (at, row) in open.iter().zip(rows) {
                        embeddings[*at] = Some(row);
                    }
                }
                Err(error) => match refused(&error).and_then(|item| open.get(item)) {
                    Some(at) => embeddings[*at] = Some(Err(error.to_string())),
                    None => {
                        for at in open {
                            embeddings[at] = Some(Err(error.to_string()));
                        }
                    }
                },
            }
        }
        embeddings.into_iter().flatten().collect()
    }

    async fn ask(&self, texts: &[&str]) -> Result<Vec<Embedding>, CallError> {
        let embedded = self.engine.embed(self.call(texts)).await?;
        Ok(embedded.rows.iter().map(vector).collect())
    }

    fn call(&self, texts: &[&str]) -> Call<EmbedWork> {
        let model = &self.target.model;
        let template = Value::fields([("model", Value::Text(Arc::clone(model)))]);
        let document = parsed(&template);
        let others = BodyDigest::of(document.root(), Deny::EMBED);
        let items = texts.iter().map(|text| {
            let item = parsed(&Value::text(*text));
            EmbedItem {
                json: item.root().raw_bytes(),
                input: ItemKind::Text,
                digest: others.item(ItemKind::Text, item.root()),
                tokens: u32::try_from(text.len().div_ceil(4)).unwrap_or(u32::MAX).max(1),
            }
        });
        let items = items.collect();
        Call {
            id: CallId::fresh(),
            workspace: WorkspaceId::default_workspace(),
            credential: 0,
            door: "ai.embed",
            model: Arc::clone(model),
            route: Arc::new(Route { model: Arc::clone(model), targets: vec![self.target.clone()] }),
            work: EmbedWork { document: Arc::new(document), others, items },
            form: Form::Whole,
            memory: Memory::Use(CacheWish::default()),
            affecting: Default::default(),
            tags: Default::default(),
            deadline: Deadline::within_ms(self.engine.clock().now(), self.patience_ms),
            client_attempt: None,
        }
    }
}

/// What is written here can be read; its texts are far below any limit.
fn parsed(value: &Value) -> Document {
    let text = Bytes::from(value.to_json(JsonStyle::Canonical));
    Document::parse(text, JsonLimits::default()).expect("a text or a map of one text is JSON")
}

/// Which item the upstream refused; nothing if the request failed as a whole.
fn refused(error: &CallError) -> Option<usize> {
    match &error.kind {
        ErrorKind::Upstream { fault, .. } if matches!(fault.kind, FaultKind::Rejected { .. }) => fault.item,
        _ => None,
    }
}

fn vector(entry: &Arc<Entry>) -> Embedding {
    let Kept::Row { vector, .. } = &entry.kept else {
        return Err("the provider answered without a vector".to_owned());
    };
    let text = std::str::from_utf8(&vector.text).ok().and_then(|text| parse_json(text).ok());
    text.ok_or_else(|| "the provider's vector is not JSON".to_owned())
}
