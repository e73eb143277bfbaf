//! Owns the key under which the answer of an AI call is cached: what makes two calls the same. Must not know the
//! cache.

use sha2::{Digest, Sha256};

use super::memory::Item;
use super::value::{JsonStyle, Value};

/// Everything that makes two AI calls the same call.
#[derive(Clone, Copy, Debug)]
pub struct CacheKeyParts<'c> {
    /// The provider, in any case.
    pub provider: &'c str,
    /// The model.
    pub model: &'c str,
    /// The prompt that applies: the agent's if it has one, otherwise the profile's.
    pub system_prompt: Option<&'c str>,
    /// Names of the tools the profile exposes, in any order.
    pub tools: &'c [&'c str],
    /// The text, or the canonical JSON of a structured input.
    pub user_input: &'c str,
    /// What the call recalls.
    pub recalled: &'c [Item],
}

/// SHA-256, in hex, of the parts as canonical JSON.
pub fn cache_key(parts: CacheKeyParts<'_>) -> String {
    let CacheKeyParts { provider, model, system_prompt, tools, user_input, recalled } = parts;
    let mut tools = tools.to_vec();
    tools.sort_unstable();
    let empty = || Value::list(Vec::new());
    let memory = Value::fields([
        ("profile", empty()),
        ("semantic", empty()),
        ("short_term", Value::list(recalled.iter().map(Item::to_value).collect())),
    ]);
    let object = Value::fields([
        ("memory", memory),
        ("model", model.into()),
        ("provider", Value::text(provider.to_lowercase())),
        ("system_prompt", system_prompt.map(Value::from).unwrap_or_default()),
        ("tools", Value::list(tools.into_iter().map(Value::from).collect())),
        ("user_input", user_input.into()),
    ]);
    let digest = Sha256::digest(object.to_json(JsonStyle::Canonical));
    hex::encode(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::memory::{ANONYMOUS, Memory};

    const PARTS: CacheKeyParts<'static> = CacheKeyParts {
        provider: "mock",
        model: "mm",
        system_prompt: None,
        tools: &[],
        user_input: "one",
        recalled: &[],
    };

    #[test]
    fn the_key_is_the_published_vector() {
        assert_eq!(cache_key(PARTS), "79b9c00ffaff97c975440d07cfcb2a20166882a6c1a23f8f347e18d871972f03");
    }

    #[test]
    fn case_of_the_provider_and_order_of_tools_do_not_matter() {
        assert_eq!(cache_key(CacheKeyParts { provider: "MOCK", ..PARTS }), cache_key(PARTS));
        let tools = |tools| cache_key(CacheKeyParts { tools, ..PARTS });
        assert_eq!(tools(&["a", "b"]), tools(&["b", "a"]));
        assert_ne!(tools(&["a"]), tools(&[]));
    }

    #[test]
    fn every_part_makes_another_key() {
        let mut memory = Memory::new();
        memory.remember(ANONYMOUS, 2, "q", "a");
        let recalled = memory.recall(ANONYMOUS, 2);
        let keys = [
            cache_key(PARTS),
            cache_key(CacheKeyParts { model: "m", ..PARTS }),
            cache_key(CacheKeyParts { system_prompt: Some(""), ..PARTS }),
            cache_key(CacheKeyParts { user_input: "two", ..PARTS }),
            cache_key(CacheKeyParts { recalled: &recalled, ..PARTS }),
        ];
        let distinct: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }
}
