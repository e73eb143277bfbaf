//! What a request and its answer are made of, to count their tokens where the upstream did not.
//!
//! Owns which members of a format are text that a model reads or writes, and where an upstream says what it counted. Serves every
//! format passed on as JSON, also those that have no door. Must not know a tokenizer.

use bytes::Bytes;
use tidegate_actors::json::{Document, JsonLimits, Kind, Node};

use super::sse::{SseLimits, SseParser};
use super::{Usage, anthropic, openai_chat};

/// Bytes of text that make one token, where no tokenizer is known.
pub const BYTES_PER_TOKEN: usize = 4;

/// What a model is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// All text, one after the other.
    pub text: String,
    /// Messages, each of which has some tokens of its own.
    pub messages: u64,
    /// Pictures, sounds and files.
    pub media: u64,
}

/// What it answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// All text, one after the other.
    pub text: String,
    /// What the upstream says that it read, with what of it its memory had; no output.
    pub input: Option<Usage>,
    /// What it says that it wrote, and what of that was reasoning.
    pub output: Option<(u64, u64)>,
}

/// Members of a request that a model reads.
const READ: [&str; 8] =
    ["messages", "system", "tools", "functions", "input", "prompt", "instructions", "response_format"];
/// Members below these that are no text: names of things, and what seals a part.
const SEALS: [&str; 7] =
    ["type", "id", "tool_use_id", "tool_call_id", "call_id", "signature", "encrypted_content"];
/// Members that are a picture, a sound or a file, or say where it is.
const MEDIA: [&str; 5] = ["url", "image_url", "data", "file_data", "file_id"];
/// Members of an answer that a model wrote.
const WRITTEN: [&str; 9] = [
    "content",
    "text",
    "refusal",
    "reasoning_content",
    "reasoning",
    "thinking",
    "arguments",
    "partial_json",
    "name",
];

impl Asked {
    /// Reads a request.
    #[must_use]
    pub fn read(root: Node<'_>) -> Self {
        let mut asked = Self::default();
        for name in READ {
            if let Some(node) = root.get(name) {
                asked.add(node);
            }
        }
        asked.messages = root.get("messages").map_or(1, |messages| messages.elements().count() as u64);
        asked
    }

    fn add(&mut self, node: Node<'_>) {
        match node.kind() {
            Kind::String => self.text.push_str(&node.as_str().unwrap_or_default()),
            Kind::Array => node.elements().for_each(|element| self.add(element)),
            Kind::Object => node.members().for_each(|member| {
                let is = |names: &[&str]| names.iter().any(|name| member.key.is_str(name));
                match member.value.kind() {
                    Kind::String if is(&MEDIA) => self.media += 1,
                    Kind::String if is(&SEALS) => {}
                    _ => self.add(member.value),
                }
            }),
            _ => {}
        }
    }
}

impl Told {
    /// Reads an answer that is one JSON value.
    #[must_use]
    pub fn whole(body: &Bytes) -> Self {
        let mut told = Self::default();
        told.json(body);
        told
    }

    /// Reads events, as far as they came; what is no JSON says nothing.
    #[must_use]
    pub fn events(pieces: &[Bytes]) -> Self {
        let mut told = Self::default();
        let mut parser = SseParser::new(SseLimits::default());
        for piece in pieces {
            parser.push(piece);
            while let Ok(Some(frame)) = parser.next_frame() {
                frame.data().into_iter().for_each(|data| told.json(data));
            }
        }
        told
    }

    fn json(&mut self, data: &Bytes) {
        let Ok(document) = Document::parse(data.clone(), JsonLimits::default()) else { return };
        let root = document.root();
        // The Responses API says each text once as it comes and again when it is whole.
        match root.get("type").and_then(|kind| kind.as_str()) {
            Some(kind) if kind.starts_with("response.") => {
                let delta = root.get("delta").filter(|_| kind.ends_with(".delta"));
                delta.into_iter().for_each(|delta| self.text.push_str(&delta.as_str().unwrap_or_default()));
            }
            _ => self.add(root),
        }
        self.count(root);
    }

    fn add(&mut self, node: Node<'_>) {
        match node.kind() {
            Kind::Array => node.elements().for_each(|element| self.add(element)),
            Kind::Object => node.members().for_each(|member| match member.value.kind() {
                Kind::String if WRITTEN.iter().any(|name| member.key.is_str(name)) => {
                    self.text.push_str(&member.value.as_str().unwrap_or_default());
                }
                _ => self.add(member.value),
            }),
            _ => {}
        }
    }

    /// Takes what the upstream says it counted; what it says later counts more.
    fn count(&mut self, root: Node<'_>) {
        let start = root.get("message").and_then(|message| message.get("usage"));
        if let Some(usage) = start.and_then(anthropic::usage) {
            self.input = Some(Usage { output: 0, ..usage });
        }
        let Some(node) = root.get("usage").or_else(|| root.get("response")?.get("usage")) else { return };
        let counted = openai_chat::counted(node).or_else(|| {
            let detail = |group, name| node.get(group)?.get(name)?.as_u64();
            let usage = anthropic::usage(node)?;
            Some(Usage {
                cached_read: detail("input_tokens_details", "cached_tokens").unwrap_or(usage.cached_read),
                reasoning: detail("output_tokens_details", "reasoning_tokens").unwrap_or(0),
                ..usage
            })
        });
        match counted {
            Some(usage) => {
                self.output = Some((usage.output, usage.reasoning));
                self.input = Some(Usage { output: 0, reasoning: 0, ..usage });
            }
            None => {
                let output = node.get("output_tokens").and_then(|output| output.as_u64());
                self.output = output.map(|output| (output, 0)).or(self.output);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(body: &'static str) -> (String, u64, u64) {
        let document = Document::parse(Bytes::from_static(body.as_bytes()), JsonLimits::default());
        let Asked { text, messages, media } = Asked::read(document.expect("JSON").root());
        (text, messages, media)
    }

    #[test]
    fn of_a_request_what_a_model_reads_counts_and_a_picture_is_no_text() {
        let openai = r#"{"model":"m","user":"nobody","messages":[{"role":"s","content":"ab"},
            {"role":"u","content":[{"type":"text","text":"cd"},
            {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}"#;
        assert_eq!(asked(openai), ("sabucd".into(), 2, 1));
        let anthropic = r#"{"system":"be","messages":[{"role":"u","content":[{"type":"image",
            "source":{"type":"base64","data":"AAAA"}},{"type":"tool_result","tool_use_id":"x","content":"ok"}]}]}"#;
        assert_eq!(asked(anthropic), ("uokbe".into(), 1, 1));
        assert_eq!(asked(r#"{"input":["a","b"],"model":"m"}"#), ("ab".into(), 1, 0));
    }

    fn events(frames: &[&str]) -> Told {
        let frame = |data: &&str| Bytes::from(format!("data: {}\n\n", data.replace('\n', "")));
        let frames: Vec<_> = frames.iter().map(frame).collect();
        Told::events(&frames)
    }

    #[test]
    fn of_an_answer_what_a_model_wrote_counts_and_what_the_upstream_says_of_it() {
        let whole = Told::whole(&Bytes::from_static(
            br#"{"id":"x","model":"m","choices":[{"message":{"role":"assistant","content":"Hello","tool_calls":
            [{"id":"call","type":"function","function":{"name":"f","arguments":"{}"}}]}}]}"#,
        ));
        assert_eq!((whole.text.as_str(), whole.input, whole.output), ("Hellof{}", None, None));
        let chunks = events(&[
            r#"{"choices":[{"delta":{"role":"assistant","content":"Hel"}}]}"#,
            r#"{"choices":[{"delta":{"content":"lo"}}]}"#,
            "[DONE]",
        ]);
        assert_eq!((chunks.text.as_str(), chunks.output), ("Hello", None));
    }

    #[test]
    fn a_message_that_breaks_off_has_said_what_it_read() {
        let started = r#"{"type":"message_start","message":{"usage":{"input_tokens":9,"cache_read_input_tokens":3,"output_tokens":1}}}"#;
        let said = r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"Hel"}}"#;
        let broken = events(&[started, said]);
        let read = Usage { input: 12, cached_read: 3, ..Usage::default() };
        assert_eq!((broken.text.as_str(), broken.input, broken.output), ("Hel", Some(read), None));
        let ended = events(&[started, said, r#"{"type":"message_delta","usage":{"output_tokens":7}}"#]);
        assert_eq!((ended.input, ended.output), (Some(read), Some((7, 0))));
    }

    #[test]
    fn what_the_responses_api_says_twice_counts_once() {
        let told = events(&[
            r#"{"type":"response.output_text.delta","delta":"Hel"}"#,
            r#"{"type":"response.output_text.delta","delta":"lo"}"#,
            r#"{"type":"response.output_text.done","text":"Hello"}"#,
        ]);
        assert_eq!((told.text.as_str(), told.output), ("Hello", None));
        let completed = r#"{"type":"response.completed","response":{"usage":{"input_tokens":5,
            "input_tokens_details":{"cached_tokens":2},"output_tokens":4,"output_tokens_details":{"reasoning_tokens":1}}}}"#;
        let told = events(&[completed]);
        let read = Usage { input: 5, cached_read: 2, ..Usage::default() };
        assert_eq!((told.input, told.output), (Some(read), Some((4, 1))));
    }
}
