//! Owns the "hash" embedding: words hashed into 64 signed buckets, normalised, rounded to 6 places. A pure function,
//! the default provider of ingestion. Must not batch or store anything.

use sha2::{Digest, Sha256};

/// Name of this embedding where vectors are stored.
pub const HASH_MODEL: &str = "hash:hash:v1";
/// Numbers in a vector.
pub const DIMENSIONS: usize = 64;

/// The vector of a text; all zeros for a text without letters or digits of ASCII. Cost: one SHA-256 per word.
pub fn hash_embedding(text: &str) -> [f64; DIMENSIONS] {
    let mut buckets = [0i64; DIMENSIONS];
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    for word in words {
        let digest = Sha256::digest(word.to_ascii_lowercase());
        let index = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]) as usize % DIMENSIONS;
        buckets[index] += if digest[4] % 2 == 0 { 1 } else { -1 };
    }
    let length = (buckets.iter().map(|sum| (sum * sum) as f64).sum::<f64>()).sqrt();
    if length == 0.0 {
        return [0.0; DIMENSIONS];
    }
    buckets.map(|sum| rounded(sum as f64 / length))
}

/// To 6 places, halves away from zero; never a negative zero.
fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6 + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hello_world_has_the_published_vector() {
        let vector = hash_embedding("Hello world");
        let set = vector.iter().enumerate().filter(|(_, number)| **number != 0.0);
        let set: Vec<_> = set.map(|(index, number)| format!("{index}: {number}")).collect();
        assert_eq!(set, ["34: 0.707107", "58: -0.707107"]);
    }

    #[test]
    fn case_and_what_stands_between_words_do_not_matter() {
        assert_eq!(hash_embedding("HELLO,  World!"), hash_embedding("hello world"));
        assert_eq!(hash_embedding("\u{e9} ?"), [0.0; DIMENSIONS]);
    }
}
