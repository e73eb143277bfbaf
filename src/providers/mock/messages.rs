//! The mock's messages, in Anthropic's form.
//!
//! Owns reading the request as far as the mock heeds it and writing the answer, whole or in frames.

use tidegate_actors::Form;
use tidegate_actors::json::{Document, Kind, Node, quote};
use tidegate_actors::key::{BodyDigest, Deny};
use tidegate_actors::ports::provider::{Finish, Usage};

use super::chat::{estimate, said, stops};
use super::made::{Frame, Made, Refused, frame};
use super::schema;
use super::text::{End, Question, Words, tokens};

struct Message<'a> {
    digest: String,
    model: &'a str,
    words: Words,
    /// Name of the tool that is called; the words are its input then.
    tool: Option<String>,
    usage: Usage,
}

/// The answer to a message.
///
/// # Errors
/// What the vendor would refuse with 400.
pub(super) fn answer(document: &Document, model: &str, form: Form) -> Result<Made, Refused> {
    let root = document.root();
    let messages = messages_of(root)?;
    let limit = root.get("max_tokens").and_then(|limit| limit.as_u64()).filter(|limit| *limit > 0);
    let Some(limit) = limit else {
        return Err(Refused::field("max_tokens", "max_tokens: a number of at least 1 is required"));
    };
    let message = read(root, messages, limit, model);
    let cut = message.words.end == End::Length;
    let finish = Finish { complete: !cut, cut, usage: Some(message.usage) };
    Ok(match form {
        Form::Whole => Made::Whole { body: message.whole().into(), finish },
        Form::Stream => Made::Frames { frames: message.frames(), finish },
    })
}

/// The answer to a question for a message's tokens.
///
/// # Errors
/// What the vendor would refuse with 400.
pub(super) fn count(document: &Document) -> Result<String, Refused> {
    let root = document.root();
    Ok(format!(r#"{{"input_tokens":{}}}"#, input_tokens(root, messages_of(root)?)))
}

fn messages_of(root: Node<'_>) -> Result<Node<'_>, Refused> {
    let messages =
        root.get("messages").filter(|messages| messages.kind() == Kind::Array && !messages.is_empty());
    messages.ok_or(Refused::field("messages", "messages: at least one message is required"))
}

fn read<'a>(root: Node<'_>, messages: Node<'_>, limit: u64, model: &'a str) -> Message<'a> {
    let is_user = |message: &Node<'_>| message.get("role").is_some_and(|role| role.is_str("user"));
    let asked = messages.elements().filter(is_user).last().and_then(|message| message.get("content"));
    let system = root.get("system").map(|system| system.raw()).unwrap_or_default();
    let question = Question {
        asked: asked.map(said).unwrap_or_default(),
        seed: super::made::seed(messages, &[model.as_bytes(), system]),
        max_tokens: Some(limit),
        stops: root.get("stop_sequences").map(stops).unwrap_or_default(),
    };
    let (words, tool) = match forced_tool(root, &question.asked) {
        Some((name, input)) => (Words { tokens: tokens(&input), end: End::Tool }, Some(name)),
        None => (Words::answer(&question, 0), None),
    };
    let input = input_tokens(root, messages);
    let usage = Usage { input, output: words.tokens.len() as u64, ..Usage::default() };
    Message { digest: BodyDigest::of(root, Deny::ANTHROPIC).hex(), model, words, tool, usage }
}

fn input_tokens(root: Node<'_>, messages: Node<'_>) -> u64 {
    let system = root.get("system").map_or(0, |system| system.raw().len().div_ceil(4) as u64);
    system + messages.elements().map(|message| 4 + estimate(message)).sum::<u64>()
}

/// The tool the request insists on, and input that fits it.
fn forced_tool(root: Node<'_>, asked: &str) -> Option<(String, String)> {
    let wanted = root.get("tool_choice")?;
    let mut tools = root.get("tools")?.elements();
    let kind = wanted.get("type")?.as_str()?;
    let tool = match kind.as_ref() {
        "any" => tools.next(),
        "tool" => {
            let name = wanted.get("name")?.as_str()?;
            tools.find(|tool| tool.get("name").is_some_and(|field| field.is_str(&name)))
        }
        _ => None,
    }?;
    let input =
        tool.get("input_schema").map_or_else(|| "{}".to_owned(), |schema| schema::instance(schema, asked));
    Some((tool.get("name")?.as_str()?.into_owned(), input))
}

impl Message<'_> {
    fn stop_reason(&self) -> (&'static str, String) {
        match &self.words.end {
            End::Said => ("end_turn", "null".to_owned()),
            End::Length => ("max_tokens", "null".to_owned()),
            End::Stop(text) => ("stop_sequence", quote(text)),
            End::Tool => ("tool_use", "null".to_owned()),
        }
    }

    fn head(&self, content: &str, reason: &str, sequence: &str, output: u64) -> String {
        let (id, model, input) = (&self.digest[..24], quote(self.model), self.usage.input);
        format!(
            r#"{{"id":"msg_{id}","type":"message","role":"assistant","model":{model},"content":[{content}],"stop_reason":{reason},"stop_sequence":{sequence},"usage":{{"input_tokens":{input},"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":{output}}}}}"#
        )
    }

    fn block(&self, text: Option<&str>) -> String {
        match &self.tool {
            None => format!(r#"{{"type":"text","text":{}}}"#, quote(text.unwrap_or_default())),
            Some(name) => {
                let (id, name) = (&self.digest[24..48], quote(name));
                format!(
                    r#"{{"type":"tool_use","id":"toolu_{id}","name":{name},"input":{}}}"#,
                    text.unwrap_or("{}")
                )
            }
        }
    }

    fn whole(&self) -> String {
        let (reason, sequence) = self.stop_reason();
        self.head(&self.block(Some(&self.words.text())), &quote(reason), &sequence, self.usage.output)
    }

    fn frames(&self) -> Vec<Frame> {
        let (reason, sequence) = self.stop_reason();
        let event = |name: &'static str, rest: &str, tokens: u32| {
            frame(Some(name), &format!(r#"{{"type":"{name}"{rest}}}"#), tokens)
        };
        let start = format!(r#","message":{}"#, self.head("", "null", "null", 1));
        let block = format!(r#","index":0,"content_block":{}"#, self.block(None));
        let mut frames = vec![event("message_start", &start, 0), event("content_block_start", &block, 0)];
        let (kind, field) =
            if self.tool.is_some() { ("input_json_delta", "partial_json") } else { ("text_delta", "text") };
        for token in &self.words.tokens {
            let delta = format!(r#","index":0,"delta":{{"type":"{kind}","{field}":{}}}"#, quote(token));
            frames.push(event("content_block_delta", &delta, 1));
        }
        let end = format!(
            r#","delta":{{"stop_reason":"{reason}","stop_sequence":{sequence}}},"usage":{{"output_tokens":{}}}"#,
            self.usage.output
        );
        frames.push(event("content_block_stop", r#","index":0"#, 0));
        frames.push(event("message_delta", &end, 0));
        frames.push(event("message_stop", "", 0));
        frames
    }
}
