//! Embedding calls of tests, and the vectors they must get.
//!
//! Owns how texts become a call; must not know how they are batched.

use std::sync::Arc;

use bytes::Bytes;

use super::{World, text};
use crate::Kept;
use crate::call::{Call, CallId, Deadline, EmbedItem, EmbedWork, Form, Memory, WorkspaceId};
use crate::error::CallError;
use crate::json::{Document, JsonLimits, Node, quote};
use crate::key::{BodyDigest, Deny, ItemKind};
use crate::pipeline::Embedded;
use crate::ports::clock::Tick;
use crate::route::Route;

impl World {
    /// Asks for the vectors of `texts`, at the first model of this world.
    pub fn embed<T: AsRef<str>>(
        &self,
        workspace: &str,
        texts: &[T],
        memory: Memory,
    ) -> impl Future<Output = Result<Embedded, CallError>> + use<T> {
        let quoted: Vec<String> = texts.iter().map(|text| quote(text.as_ref())).collect();
        let body = format!(r#"{{"input":[{}]}}"#, quoted.join(","));
        let (workspace, entered) = (WorkspaceId::new(workspace), self.enter());
        let route = self.first_route();
        async move {
            let engine = entered.await;
            let call = Call { workspace, memory, ..call(&route, body.into(), engine.clock().now()) };
            engine.embed(call).await
        }
    }
}

/// Whether each row is the vector of its text, at the model every scripted provider serves.
pub fn are_vectors_of<T: AsRef<str>>(embedded: &Embedded, texts: &[T]) -> bool {
    let model: Arc<str> = "upstream-name".into();
    let is_of = |(row, text): (&Arc<crate::Entry>, &T)| match &row.kept {
        Kept::Row { vector, .. } => *vector == text::vector(&model, quote(text.as_ref()).as_bytes()),
        _ => false,
    };
    embedded.rows.len() == texts.len() && embedded.rows.iter().zip(texts).all(is_of)
}

fn call(route: &Arc<Route>, body: Bytes, now: Tick) -> Call<EmbedWork> {
    let document = Document::parse(body, JsonLimits::default()).expect("texts were quoted as JSON");
    let others = BodyDigest::of(document.root(), Deny::EMBED);
    let item = |node: Node<'_>| EmbedItem {
        json: node.raw_bytes(),
        input: ItemKind::Text,
        digest: others.item(ItemKind::Text, node),
        tokens: u32::try_from(node.len()).unwrap_or(u32::MAX),
    };
    let items = document.root().get("input").map(|input| input.elements().map(item).collect());
    Call {
        id: CallId::fresh(),
        workspace: WorkspaceId::default_workspace(),
        credential: 0,
        door: "openai.embeddings",
        model: Arc::clone(&route.model),
        route: Arc::clone(route),
        work: EmbedWork { others, items: items.unwrap_or_default(), document: Arc::new(document) },
        form: Form::Whole,
        memory: Memory::Use(crate::call::CacheWish::default()),
        affecting: Default::default(),
        tags: Default::default(),
        deadline: Deadline::within_ms(now, 60_000),
        client_attempt: None,
    }
}
