//! An upstream's answer to a batch, and the answer to one caller.
//!
//! Owns the proof that every item got its vector: count, set of indices, equal dimension, finite
//! values. An answer that fails it is no answer, however little is wrong.

use bytes::Bytes;
use tidegate_actors::json::{Document, JsonFault, JsonLimits, Kind, Node, quote};

use super::{Encoding, Row, RowFault, Written};
use crate::dialect::Usage;
use crate::dialect::write::Obj;

/// The vectors of a batch, in the order of its items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbedAnswer {
    /// One for each item asked for.
    pub rows: Vec<Row>,
    /// The model as the upstream names it.
    pub model: Option<String>,
    /// Tokens of the whole batch; `None` if the upstream gave none.
    pub usage: Option<Usage>,
}

/// Why an upstream's answer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerFault {
    /// Not JSON; `NaN` and `Infinity` are not.
    #[error("the upstream's answer is not valid JSON: {0}")]
    Json(JsonFault),
    /// No `data` array.
    #[error("the upstream's answer has no data array")]
    NoData,
    /// More or fewer rows than items.
    #[error("the upstream answered {got} vectors for {wanted} items")]
    Count {
        /// Items asked for.
        wanted: usize,
        /// Rows in the answer.
        got: usize,
    },
    /// A row that belongs to no item.
    #[error("row {row} of the upstream's answer has index {index}, there are {wanted} items")]
    Index {
        /// Place in the array.
        row: usize,
        /// What it says, or that it says nothing.
        index: String,
        /// Items asked for.
        wanted: usize,
    },
    /// Two rows for one item, so none for another.
    #[error("the upstream's answer has index {0} twice")]
    IndexTwice(usize),
    /// A value that is no vector.
    #[error("the vector of index {index} of the upstream's answer is unusable: {fault}")]
    Row {
        /// The item.
        index: usize,
        /// What is wrong with it.
        fault: RowFault,
    },
    /// Vectors of different lengths, or of another length than asked for.
    #[error("the vector of index {index} has {got} elements where {wanted} were expected")]
    Dimension {
        /// The item.
        index: usize,
        /// Elements of the others, or asked for.
        wanted: usize,
        /// Elements of this one.
        got: usize,
    },
}

impl EmbedAnswer {
    /// Reads the answer to `items` items; `dimensions` as the request asked for.
    ///
    /// # Errors
    /// [`AnswerFault`] for anything less than one good vector for each item.
    ///
    /// # Cost
    /// Linear in the body; a row is copied out of it, so that keeping one keeps no other.
    pub fn read(body: &Bytes, items: usize, dimensions: Option<u64>) -> Result<Self, AnswerFault> {
        let doc = Document::parse(body.clone(), JsonLimits::default()).map_err(AnswerFault::Json)?;
        let root = doc.root();
        let data = root.get("data").filter(|data| data.kind() == Kind::Array).ok_or(AnswerFault::NoData)?;
        if data.len() != items {
            return Err(AnswerFault::Count { wanted: items, got: data.len() });
        }
        let rows = rows(data)?;
        same_dimension(&rows, dimensions)?;
        let model = root.get("model").and_then(|model| model.as_str()).map(|model| model.into_owned());
        Ok(Self { rows, model, usage: usage(root) })
    }
}

fn rows(data: Node<'_>) -> Result<Vec<Row>, AnswerFault> {
    let mut rows: Vec<Option<Row>> = vec![None; data.len()];
    for (row, node) in data.elements().enumerate() {
        let index = index(row, node, data.len())?;
        let embedding = node.get("embedding").ok_or(RowFault::Kind("absent"));
        let vector = embedding.and_then(Row::read).map_err(|fault| AnswerFault::Row { index, fault })?;
        if rows[index].replace(vector).is_some() {
            return Err(AnswerFault::IndexTwice(index));
        }
    }
    // As many rows as items, each within range and none twice: every place is taken.
    Ok(rows.into_iter().flatten().collect())
}

fn index(row: usize, node: Node<'_>, wanted: usize) -> Result<usize, AnswerFault> {
    let said = node.get("index");
    let index = said.and_then(|index| index.as_u64()).and_then(|index| usize::try_from(index).ok());
    match index.filter(|index| *index < wanted) {
        Some(index) => Ok(index),
        None => {
            let index = said.map_or("absent".into(), |said| String::from_utf8_lossy(said.raw()));
            let index = index.chars().take(32).collect();
            Err(AnswerFault::Index { row, index, wanted })
        }
    }
}

fn same_dimension(rows: &[Row], dimensions: Option<u64>) -> Result<(), AnswerFault> {
    let first = rows.first().map_or(0, Row::dimension);
    let wanted = dimensions.map_or(first, |wanted| usize::try_from(wanted).unwrap_or(usize::MAX));
    match rows.iter().enumerate().find(|(_, row)| row.dimension() != wanted) {
        Some((index, row)) => Err(AnswerFault::Dimension { index, wanted, got: row.dimension() }),
        None => Ok(()),
    }
}

fn usage(root: Node<'_>) -> Option<Usage> {
    let usage = root.get("usage")?;
    let count = |name| usage.get(name).and_then(|count| count.as_u64());
    let input = count("prompt_tokens").or_else(|| count("total_tokens"))?;
    Some(Usage { input, ..Usage::default() })
}

/// The answer to one caller: `rows` in the order of its items, numbered from 0.
pub fn write_answer<'a, R: Into<Written<'a>>>(
    rows: impl IntoIterator<Item = R, IntoIter: Clone>,
    encoding: Encoding,
    model: &str,
    prompt_tokens: u64,
) -> Vec<u8> {
    let rows = rows.into_iter().map(Into::into);
    let size: usize = rows.clone().map(|row: Written<'a>| row.len(encoding) + 56).sum();
    let mut out = Vec::with_capacity(size + model.len() + 128);
    out.extend_from_slice(b"{\"object\":\"list\",\"data\":[");
    for (index, row) in rows.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"object\":\"embedding\",\"index\":");
        out.extend_from_slice(index.to_string().as_bytes());
        out.extend_from_slice(b",\"embedding\":");
        row.write_into(encoding, &mut out);
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"model\":");
    out.extend_from_slice(quote(model).as_bytes());
    out.extend_from_slice(b",\"usage\":");
    let usage = Obj::new().num("prompt_tokens", prompt_tokens).num("total_tokens", prompt_tokens);
    out.extend_from_slice(&usage.finish());
    out.push(b'}');
    out
}
