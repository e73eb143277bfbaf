//! How an upstream counts, as far as its invoices show. Pure but for what it remembers.
//!
//! Owns the guess and its refutation. A caller's usage must not depend on who else was in the batch; split by
//! our own estimate it would, wherever the upstream counts otherwise. A way of counting that has reproduced
//! every invoice so far gives each row what it would have cost alone.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::call::EmbedItem;
use crate::json::unescape_into;
use crate::key::ItemKind;

/// What a text measures.
#[derive(Debug, Default)]
struct Measure {
    bytes: u64,
    chars: u64,
    words: u64,
}

impl Measure {
    fn of(item: &EmbedItem) -> Self {
        let inner =
            item.json.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or_default();
        let mut bytes = Vec::with_capacity(inner.len());
        unescape_into(inner, |run| bytes.extend_from_slice(run));
        let text = String::from_utf8_lossy(&bytes);
        Self {
            bytes: bytes.len() as u64,
            chars: text.chars().count() as u64,
            words: text.split_whitespace().count() as u64,
        }
    }
}

/// Our own count, then the simple ones that small servers use for lack of a tokenizer.
type Way = fn(own: u64, text: &Measure) -> u64;
const WAYS: [Way; 6] = [
    |own, _| own,
    |_, text| text.words.max(1),
    |_, text| text.chars,
    |_, text| (text.chars / 4).max(1),
    |_, text| text.chars.div_ceil(4).max(1),
    |_, text| text.bytes,
];
const OWN: u8 = 1;

/// The ways of counting that no invoice has refuted yet; one per batcher.
#[derive(Debug)]
pub(crate) struct Counting(AtomicU8);

impl Default for Counting {
    fn default() -> Self {
        Self(AtomicU8::new((1 << WAYS.len()) - 1))
    }
}

impl Counting {
    /// What each row costs, if a way is known in which the rows cost exactly `invoice`.
    ///
    /// # Cost
    /// Reads each text once while more than our own count is possible, and never after.
    pub(crate) fn exact<'a>(
        &self,
        invoice: u64,
        rows: impl Iterator<Item = (u64, &'a EmbedItem)>,
    ) -> Option<Vec<u64>> {
        let open = self.0.load(Ordering::Relaxed);
        let measure = |item: &EmbedItem| match item.input {
            ItemKind::Text if open & !OWN != 0 => Measure::of(item),
            _ => Measure::default(),
        };
        let rows: Vec<(u64, ItemKind, Measure)> =
            rows.map(|(own, item)| (own, item.input, measure(item))).collect();
        let mut found = None;
        let mut refuted = 0;
        for (bit, way) in WAYS.iter().enumerate().filter(|(bit, _)| open & 1 << bit != 0) {
            let cost = |(own, kind, text): &(u64, ItemKind, Measure)| match kind {
                ItemKind::Text => way(*own, text),
                ItemKind::Tokens => *own, // a list of tokens says itself how many it has
            };
            let costs: Vec<u64> = rows.iter().map(cost).collect();
            if costs.iter().sum::<u64>() != invoice {
                refuted |= 1 << bit;
            } else if found.is_none() {
                found = Some(costs);
            }
        }
        self.0.fetch_and(!refuted, Ordering::Relaxed);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Document, JsonLimits};
    use crate::key::BodyDigest;
    use bytes::Bytes;

    fn item(text: &str) -> EmbedItem {
        let json = Bytes::from(format!("\"{text}\""));
        Document::parse(json.clone(), JsonLimits::default()).expect("valid JSON");
        EmbedItem { json, input: ItemKind::Text, digest: BodyDigest([0; 32]), tokens: 0 }
    }

    /// Asks for the parts of a batch of texts, our own count being a quarter of the bytes.
    fn parts(counting: &Counting, invoice: u64, texts: &[&str]) -> Option<Vec<u64>> {
        let items: Vec<_> = texts.iter().map(|text| item(text)).collect();
        counting.exact(invoice, items.iter().map(|item| ((item.json.len() as u64 - 2).div_ceil(4), item)))
    }

    #[test]
    fn an_upstream_that_counts_words_bills_each_text_what_it_costs_alone() {
        let counting = Counting::default();
        assert_eq!(parts(&counting, 3, &["three small words"]), Some(vec![3]));
        assert_eq!(parts(&counting, 6, &["one", r"a\nb\tc d", "incomprehensibilities"]), Some(vec![1, 4, 1]));
    }

    #[test]
    fn our_own_count_is_believed_first_and_a_way_refuted_once_is_not_tried_again() {
        let counting = Counting::default();
        assert_eq!(parts(&counting, 2, &["two wor"]), Some(vec![2]), "own and words agree");
        assert_eq!(parts(&counting, 2, &["abcdefg"]), Some(vec![2]), "words are refuted");
        assert_eq!(parts(&counting, 1, &["incomprehensibilities"]), None, "now our own is too");
        assert_eq!(parts(&counting, 2, &["abcdefg"]), None);
    }

    #[test]
    fn an_invoice_nobody_understands_is_split_by_the_caller_of_this() {
        assert_eq!(parts(&Counting::default(), 1_000, &["a", "b"]), None);
    }
}
