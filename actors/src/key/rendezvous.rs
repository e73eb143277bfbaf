//! Weighted rendezvous hashing: which target answers a request.
//!
//! Owns the score only; health and order of probing are the caller's. Every node that knows the
//! same targets ranks them the same way, and a target that goes moves only its own requests.
//! Schindelhauer and Schomaker, "Weighted distributed hash tables" (SPAA 2005).

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::BodyDigest;

/// Rank of a target for one request; the highest answers. Zero: never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score(u64);

/// The score of `target` for the request `body`. Over many requests a target is ranked first in
/// proportion to its weight; weight 0 scores lowest. Break ties by name.
pub fn rendezvous(body: &BodyDigest, target: &str, weight: u32) -> Score {
    if weight == 0 {
        return Score(0);
    }
    let seed = xxh3_64_with_seed(&body.0, 0);
    let hash = xxh3_64_with_seed(target.as_bytes(), seed);
    // 53 bits, moved off both ends: 0 < unit < 1, so the logarithm is finite and negative.
    let unit = ((hash >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    // The bits of positive floats sort as the floats do.
    Score((f64::from(weight) / -unit.ln()).to_bits())
}
