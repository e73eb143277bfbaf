//! The mock's embeddings: hashed n-grams, so that similar texts lie near each other.
//!
//! Owns the features, their places and the length of a vector (one); it knows no request.

use std::fmt::Write as _;

use bytes::Bytes;
use tidegate_actors::json::{Kind, Node};
use tidegate_actors::ports::provider::Vector;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Places in the vector one feature adds to.
const SPREAD: u64 = 8;

/// The vector of one item, a string or a list of numbers, with `dimensions` numbers.
pub(super) fn embed(item: Node<'_>, dimensions: usize) -> Vector {
    let mut sums = vec![0.0_f32; dimensions];
    if item.kind() == Kind::Array {
        let numbers: Vec<&str> = item.elements().filter_map(|number| number.number_text()).collect();
        grams(&numbers, 1, &mut sums);
    } else {
        text(&item.as_str().unwrap_or_default().to_lowercase(), &mut sums);
    }
    // An item without any feature still has a place, and so has one whose features cancel each other out: in few
    // dimensions many do.
    if sums.iter().all(|sum| *sum == 0.0) {
        sums[0] = 1.0;
    }
    written(&normal(sums))
}

fn text(text: &str, sums: &mut [f32]) {
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    grams(&words, 3, sums);
    for word in words {
        let padded: Vec<char> = format!(" {word} ").chars().collect();
        for gram in padded.windows(3) {
            add(&gram.iter().collect::<String>(), 5, 0.3, sums);
        }
    }
    // Texts of the same words still differ if they are not the same text.
    add(text, 6, 0.2, sums);
}

/// Single words, and pairs for their order.
fn grams(words: &[&str], seed: u64, sums: &mut [f32]) {
    for word in words {
        add(word, seed, 1.0, sums);
    }
    for pair in words.windows(2) {
        add(&pair.join(" "), seed + 1, 0.5, sums);
    }
}

fn add(feature: &str, seed: u64, weight: f32, sums: &mut [f32]) {
    for n in 0..SPREAD {
        let hash = xxh3_64_with_seed(feature.as_bytes(), (seed << 8) | n);
        let sign = if hash >> 63 == 0 { weight } else { -weight };
        let at = (hash % sums.len() as u64) as usize;
        sums[at] += sign;
    }
}

fn normal(mut sums: Vec<f32>) -> Vec<f32> {
    let square: f64 = sums.iter().map(|sum| f64::from(*sum) * f64::from(*sum)).sum();
    let length = square.sqrt();
    for sum in &mut sums {
        *sum = (f64::from(*sum) / length) as f32;
    }
    sums
}

fn written(numbers: &[f32]) -> Vector {
    let mut text = String::with_capacity(numbers.len() * 8);
    let mut bits = Vec::with_capacity(numbers.len() * 4);
    text.push('[');
    for (n, number) in numbers.iter().enumerate() {
        if n > 0 {
            text.push(',');
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{number:?}");
        bits.extend_from_slice(&number.to_le_bytes());
    }
    text.push(']');
    Vector { text: Bytes::from(text), bits: Bytes::from(bits) }
}

#[cfg(test)]
mod tests {
    use tidegate_actors::json::{Document, JsonLimits};

    use super::*;

    fn vector(json: &str) -> Vec<f32> {
        let document = Document::parse(Bytes::copy_from_slice(json.as_bytes()), JsonLimits::default());
        let vector = embed(document.expect("the test's item").root(), 256);
        vector.bits.chunks_exact(4).map(|raw| f32::from_le_bytes(raw.try_into().expect("four"))).collect()
    }

    fn nearness(a: &str, b: &str) -> f32 {
        vector(a).iter().zip(vector(b)).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn a_vector_has_length_one_and_its_text_says_the_same_bits() {
        let made = embed(
            Document::parse(Bytes::from_static(b"\"a b\""), JsonLimits::default()).expect("json").root(),
            64,
        );
        let parsed: Vec<f32> = serde_json::from_slice(&made.text).expect("a float array");
        let bits: Vec<u8> = parsed.iter().flat_map(|number| number.to_le_bytes()).collect();
        assert_eq!((bits.as_slice(), parsed.len()), (&made.bits[..], 64));
        for json in ["\"\"", "\"hello\"", "[1,2,3]", "\"  \""] {
            let length: f32 = vector(json).iter().map(|number| number * number).sum();
            assert!((length - 1.0).abs() < 1e-5, "{json}: {length}");
        }
    }

    #[test]
    fn similar_texts_are_nearer_than_others() {
        let near = nearness("\"the ship enters the harbour\"", "\"a ship enters the harbour at night\"");
        let far = nearness("\"the ship enters the harbour\"", "\"quarterly revenue grew again\"");
        assert!(near > 0.5 && far < 0.3, "{near} {far}");
    }

    #[test]
    fn different_items_never_share_a_vector() {
        for (a, b) in [("\"a b\"", "\"b a\""), ("\"a\"", "\"a!\""), ("\"1 2\"", "[1,2]"), ("[1,2]", "[2,1]")]
        {
            assert_ne!(vector(a), vector(b), "{a} {b}");
        }
    }

    #[test]
    fn one_dimension_is_enough() {
        let document = Document::parse(Bytes::from_static(b"\"x\""), JsonLimits::default()).expect("json");
        assert_eq!(embed(document.root(), 1).bits.len(), 4);
    }

    /// Some texts were answered with a 502 in one dimension: "vector 653 is not finite".
    #[test]
    fn features_that_cancel_each_other_out_leave_a_vector_of_length_one() {
        for (n, dimensions) in (0..2_000).flat_map(|n| [(n, 1), (n, 2), (n, 3)]) {
            let json = Bytes::from(format!("\"text {n}\""));
            let document = Document::parse(json, JsonLimits::default()).expect("json");
            let numbers: Vec<f32> =
                serde_json::from_slice(&embed(document.root(), dimensions).text).expect("finite numbers");
            let length: f32 = numbers.iter().map(|number| number * number).sum();
            assert!((length - 1.0).abs() < 1e-5, "text {n} in {dimensions}: {numbers:?}");
        }
    }
}
