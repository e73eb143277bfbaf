//! How many tokens an embedding item has, and which text a token list stands for.
//!
//! Exact for OpenAI's models, whose tables are built in; an estimate of four bytes a token for all others. An
//! estimate cuts batches and splits usage, it never refuses anything.

use actix_web::web;
use tiktoken_rs::cl100k_base_singleton;
use tiktoken_rs::tokenizer::{Tokenizer, get_tokenizer};

use crate::dialect::tally::BYTES_PER_TOKEN;

/// By bytes alone, at least one.
pub(crate) fn estimate(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(BYTES_PER_TOKEN).max(1)).unwrap_or(u32::MAX)
}

/// True if `model` is one whose tokens can be counted.
pub(crate) fn is_known(model: &str) -> bool {
    matches!(get_tokenizer(model), Some(Tokenizer::Cl100kBase))
}

/// Tokens of each text, exactly. Off the connection's thread: the first use loads a table for some 100 ms.
pub(crate) async fn count(texts: Vec<String>) -> Option<Vec<u32>> {
    let counted = web::block(move || {
        let table = cl100k_base_singleton();
        let count = |text: &String| u32::try_from(table.encode_ordinary(text).len()).unwrap_or(u32::MAX);
        texts.iter().map(count).collect::<Vec<u32>>()
    });
    counted.await.ok()
}

/// The text each token list stands for; `Err` with the place of one that stands for none.
pub(crate) async fn decode(lists: Vec<Vec<u32>>) -> Result<Vec<String>, usize> {
    let decoded = web::block(move || {
        let table = cl100k_base_singleton();
        let text = |(at, list): (usize, &Vec<u32>)| {
            let bytes = table.decode_bytes(list).map_err(|_| at)?;
            String::from_utf8(bytes).map_err(|_| at)
        };
        lists.iter().enumerate().map(text).collect::<Result<Vec<String>, usize>>()
    });
    decoded.await.unwrap_or(Err(0))
}
