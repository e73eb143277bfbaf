//! Owns the language's "hash" embedding as a provider: the default of ingestion, without a network. Must not know how
//! texts were grouped.

use bytes::{BufMut, Bytes, BytesMut};
use tidegate_actors::json::{Document, JsonLimits};
use tidegate_actors::ports::provider::{
    Answer, Fault, FaultKind, Order, Provider, ProviderFuture, Rows, Task, Usage, Vector,
};

use crate::lang::embed::hash_embedding;
use crate::lang::value::{JsonStyle, Value};

/// Embeds texts by their words.
#[derive(Debug, Clone, Copy)]
pub struct Hash;

impl Provider for Hash {
    fn ask(&self, order: Order) -> ProviderFuture<Result<Answer, Fault>> {
        Box::pin(std::future::ready(answer(&order)))
    }
}

fn answer(order: &Order) -> Result<Answer, Fault> {
    let Task::Embed { items, .. } = &order.task else {
        return Err(Fault::new(FaultKind::Rejected { status: 400 }, "hash embeds texts and answers nothing"));
    };
    let vectors = items.iter().map(|item| embed(&item.json)).collect::<Result<_, _>>()?;
    let input = items.iter().map(|item| u64::from(item.tokens)).sum();
    let usage = Some(Usage { input, ..Usage::default() });
    Ok(Answer::Rows(Rows { vectors, usage, model: order.model.clone() }))
}

fn embed(item: &Bytes) -> Result<Vector, Fault> {
    let document = Document::parse(item.clone(), JsonLimits::default());
    let document = document.map_err(|fault| Fault::broken(None, format!("an item is not JSON: {fault}")))?;
    let Some(text) = document.root().as_str() else {
        return Err(Fault::new(FaultKind::Rejected { status: 400 }, "hash embeds texts, not tokens"));
    };
    let numbers = hash_embedding(&text);
    let written = Value::list(numbers.into_iter().map(Value::Float).collect());
    let mut bits = BytesMut::with_capacity(numbers.len() * 4);
    for number in numbers {
        bits.put_f32_le(number as f32);
    }
    Ok(Vector { text: written.to_json(JsonStyle::Compact).into(), bits: bits.freeze() })
}
