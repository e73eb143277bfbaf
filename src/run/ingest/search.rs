//! Owns which chunks of an index are nearest to a question: an exact scan by the cosine of the vectors. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::index::Index;
use crate::lang::value::Value;

/// A chunk that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Cosine of its vector and the question's: 1 for the same direction, 0 for nothing in common.
    pub score: f64,
    /// Its document.
    pub document: Arc<str>,
    /// Its place in the document, from 1.
    pub chunk: i64,
    /// What it says.
    pub text: Arc<str>,
}

/// The models under which an index holds vectors, sorted.
#[must_use]
pub fn models(index: &Index) -> BTreeSet<Arc<str>> {
    index.ready().map(|((_, model, _), ..)| Arc::clone(model)).collect()
}

/// The `limit` chunks with a vector of `model` that are nearest to `question`, the nearest first; of equally near ones
/// the first in the order of the index. Cost: every number of every vector once.
///
/// # Errors
/// A question that points nowhere, and a vector that is none or of another length.
pub fn nearest(index: &Index, model: &str, question: &Value, limit: usize) -> Result<Vec<Found>, String> {
    let question =
        numbers(question).ok_or("the provider's vector of the question is not a list of numbers")?;
    let length = length(&question);
    if length == 0.0 {
        return Err(format!("{model} finds no word it knows in the question; ask with other words"));
    }
    let mut found = Vec::new();
    for ((document, of, chunk), text, vector) in index.ready() {
        if &**of != model {
            continue;
        }
        let vector = numbers(vector).filter(|vector| vector.len() == question.len()).ok_or_else(|| {
            let wanted = question.len();
            format!("chunk {chunk} of {document} has no vector of {wanted} numbers as the question has; ingest it anew")
        })?;
        let score = cosine(&question, length, &vector);
        found.push(Found { score, document: Arc::clone(document), chunk: *chunk, text: Arc::clone(text) });
    }
    // Stable, so that equally near ones keep their order.
    found.sort_by(|one, other| other.score.total_cmp(&one.score));
    found.truncate(limit);
    Ok(found)
}

fn cosine(question: &[f64], length_of_question: f64, vector: &[f64]) -> f64 {
    let product: f64 = question.iter().zip(vector).map(|(one, other)| one * other).sum();
    match length(vector) {
        // A text without a word points nowhere, and is near to nothing.
        0.0 => 0.0,
        length => product / (length_of_question * length) + 0.0,
    }
}

fn length(vector: &[f64]) -> f64 {
    vector.iter().map(|number| number * number).sum::<f64>().sqrt()
}

fn numbers(vector: &Value) -> Option<Vec<f64>> {
    let number = |value: &Value| match value {
        Value::Float(float) => Some(*float),
        // Zeros and ones are written without a fraction by some providers.
        other => other.as_number()?.to_plain().parse().ok(),
    };
    vector.as_list()?.iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::ingest::{Chunk, ChunkId};

    fn vector(numbers: &[f64]) -> Value {
        Value::list(numbers.iter().map(|number| Value::Float(*number)).collect())
    }

    fn index(chunks: &[(&str, &str, &[f64])]) -> Index {
        let mut index = Index::default();
        for (document, model, numbers) in chunks {
            let text = format!("of {document}");
            let id = ChunkId::of(model, &text);
            let chunk = Chunk { id, text: text.into(), embedding: Ok(vector(numbers)) };
            index.replace(&(*document).into(), &(*model).into(), vec![chunk]);
        }
        index
    }

    fn told(index: &Index, limit: usize) -> Vec<(String, f64)> {
        let found = nearest(index, "m", &vector(&[1.0, 0.0]), limit).expect("it can be searched");
        found.into_iter().map(|found| (found.document.to_string(), found.score)).collect()
    }

    #[test]
    fn the_nearest_comes_first_whatever_the_length_of_its_vector() {
        let index =
            index(&[("away", "m", &[-2.0, 0.0]), ("same", "m", &[9.0, 0.0]), ("side", "m", &[0.0, 1.0])]);
        let wanted = [("same".to_owned(), 1.0), ("side".to_owned(), 0.0), ("away".to_owned(), -1.0)];
        assert_eq!(told(&index, 9), wanted);
        assert_eq!(told(&index, 2), wanted[..2]);
    }

    #[test]
    fn equally_near_chunks_stand_in_the_order_of_the_index() {
        let same: &[f64] = &[0.6, 0.8];
        let index = index(&[("c", "m", same), ("a", "m", same), ("b", "m", same)]);
        assert_eq!(
            told(&index, 3).iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["a", "b", "c"]
        );
    }

    #[test]
    fn vectors_of_other_models_are_not_compared_and_those_of_other_lengths_are_a_fault() {
        let mixed = index(&[("a", "other", &[1.0]), ("b", "m", &[1.0, 0.0]), ("empty", "m", &[0.0, 0.0])]);
        assert_eq!(told(&mixed, 9), [("b".to_owned(), 1.0), ("empty".to_owned(), 0.0)]);
        assert_eq!(models(&mixed).iter().map(|name| &**name).collect::<Vec<_>>(), ["m", "other"]);
        let fault = nearest(&mixed, "other", &vector(&[1.0, 0.0]), 1).expect_err("one number");
        assert!(fault.starts_with("chunk 1 of a has no vector of 2 numbers"), "{fault}");
        let fault = nearest(&mixed, "m", &vector(&[0.0, 0.0]), 1).expect_err("it points nowhere");
        assert!(fault.contains("finds no word it knows"), "{fault}");
    }
}
