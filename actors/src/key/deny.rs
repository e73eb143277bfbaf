//! The reviewed lists of top-level fields that cannot change an answer.
//!
//! A deny-list, not an allow-list: whatever a vendor adds tomorrow is in the key until somebody
//! writes a line here. A field belongs here only if the answer's content is the same whatever its
//! value; where in doubt it stays in the key and costs a miss.
//!
//! Looked at and kept in the key: `store` (a stored completion is an effect the caller asked for),
//! `service_tier` (the answer reports it), `prompt_cache_retention`, `n`, `logprobs`, `dimensions`,
//! `model` (the answer names it), `parallel_tool_calls`, `prediction`.

use crate::json::Node;

/// A field left out of the key, and why that is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Excused {
    /// Name of the top-level member.
    pub field: &'static str,
    /// Why no value of it can change the answer.
    pub why: &'static str,
}

/// The fields one dialect leaves out of its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deny {
    fields: &'static [Excused],
}

const STREAM: Excused = Excused { field: "stream", why: "transport: the same answer in pieces" };
const USER: Excused = Excused { field: "user", why: "names the end user for abuse reports" };
const METADATA: Excused = Excused { field: "metadata", why: "labels for the vendor's records" };

impl Deny {
    /// Nothing is left out.
    pub const NONE: Deny = Deny { fields: &[] };

    /// `POST /v1/chat/completions`.
    pub const OPENAI_CHAT: Deny = Deny {
        fields: &[
            STREAM,
            Excused { field: "stream_options", why: "adds a usage frame or padding, no content" },
            USER,
            METADATA,
            Excused { field: "safety_identifier", why: "names the end user, as `user` does" },
            Excused { field: "prompt_cache_key", why: "routes to the vendor's prefix cache: price only" },
        ],
    };

    /// `POST /v1/embeddings`, everything but the items, which are keyed one by one.
    pub const EMBED: Deny = Deny {
        fields: &[
            Excused { field: "input", why: "keyed item by item" },
            Excused { field: "encoding_format", why: "both forms are written from one kept vector" },
            USER,
        ],
    };

    /// `POST /v1/messages`.
    pub const ANTHROPIC: Deny = Deny { fields: &[STREAM, METADATA] };

    /// A list of one's own.
    pub const fn new(fields: &'static [Excused]) -> Self {
        Self { fields }
    }

    /// The fields and the reasons.
    pub fn fields(&self) -> &'static [Excused] {
        self.fields
    }

    /// True if the member named by `key` is left out.
    pub fn excuses(&self, key: Node<'_>) -> bool {
        self.fields.iter().any(|excused| key.is_str(excused.field))
    }

    /// Members of `object` that are left out.
    pub fn count_in(&self, object: Node<'_>) -> usize {
        if self.fields.is_empty() {
            return 0;
        }
        object.members().filter(|member| self.excuses(member.key)).count()
    }
}
