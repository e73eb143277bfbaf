//! The mock's chat completions, in OpenAI's form.
//!
//! Owns reading the request as far as the mock heeds it and writing the answer, whole or in frames.

use tidegate_actors::Form;
use tidegate_actors::json::{Document, Kind, Node, quote};
use tidegate_actors::key::{BodyDigest, Deny};
use tidegate_actors::ports::provider::{Finish, Usage};

use super::made::{Made, Refused, frame, seed_of};
use super::schema;
use super::text::{End, Question, Words, tokens};

/// Choices of one request, as the vendor limits them.
const MOST_CHOICES: u64 = 128;

struct Choice {
    words: Words,
    /// Name of the tool that is called; the words are its arguments then.
    tool: Option<String>,
}

struct Chat<'a> {
    id: String,
    created: u64,
    model: &'a str,
    choices: Vec<Choice>,
    usage: Usage,
}

/// The answer to a chat completion.
///
/// # Errors
/// What the vendor would refuse with 400.
pub(super) fn answer(document: &Document, model: &str, form: Form) -> Result<Made, Refused> {
    let root = document.root();
    let chat = read(root, model)?;
    let cut = chat.choices.iter().any(|choice| choice.words.end == End::Length);
    let finish = Finish { complete: !cut, cut, usage: Some(chat.usage) };
    Ok(match form {
        Form::Whole => Made::Whole { body: chat.whole().into(), finish },
        Form::Stream => Made::Frames { frames: chat.frames(), finish },
    })
}

fn read<'a>(root: Node<'_>, model: &'a str) -> Result<Chat<'a>, Refused> {
    let messages =
        root.get("messages").filter(|messages| messages.kind() == Kind::Array && !messages.is_empty());
    let Some(messages) = messages else {
        return Err(Refused::field("messages", "messages must be an array with at least one message"));
    };
    let count = root.get("n").filter(|n| !n.is_null()).map_or(Some(1), |n| n.as_u64());
    let Some(count) = count.filter(|count| (1..=MOST_CHOICES).contains(count)) else {
        return Err(Refused::field("n", "n must be a number from 1 to 128"));
    };
    let question = question(root, messages, model);
    let choices: Vec<Choice> = (0..count).map(|n| choice(root, &question, n)).collect();
    let digest = BodyDigest::of(root, Deny::OPENAI_CHAT);
    let usage = Usage {
        input: messages.elements().map(|message| 4 + estimate(message)).sum(),
        output: choices.iter().map(|choice| choice.words.tokens.len() as u64).sum(),
        ..Usage::default()
    };
    let created = 1_700_000_000 + seed_of(&digest) % 50_000_000;
    Ok(Chat { id: format!("chatcmpl-{}", &digest.hex()[..24]), created, model, choices, usage })
}

fn question(root: Node<'_>, messages: Node<'_>, model: &str) -> Question {
    let is_user = |message: &Node<'_>| message.get("role").is_some_and(|role| role.is_str("user"));
    let asked = messages.elements().filter(is_user).last().and_then(|message| message.get("content"));
    let limit = ["max_completion_tokens", "max_tokens"].iter().find_map(|name| root.get(name)?.as_u64());
    let seed = root.get("seed").map(|seed| seed.raw()).unwrap_or_default();
    Question {
        asked: asked.map(said).unwrap_or_default(),
        seed: super::made::seed(messages, &[model.as_bytes(), seed]),
        max_tokens: limit,
        stops: root.get("stop").map(stops).unwrap_or_default(),
    }
}

fn choice(root: Node<'_>, question: &Question, n: u64) -> Choice {
    if let Some((name, arguments)) = forced_tool(root, &question.asked) {
        return Choice { words: Words { tokens: tokens(&arguments), end: End::Tool }, tool: Some(name) };
    }
    let words = Words::answer(question, n);
    let format = root.get("response_format");
    let kind = format.and_then(|format| format.get("type")).and_then(|kind| kind.as_str());
    let words = match (kind.as_deref(), format) {
        (Some("json_object"), _) => Words::limited(schema::plain_object(&words.text()), question),
        (Some("json_schema"), Some(format)) => {
            let schema = format.get("json_schema").and_then(|format| format.get("schema"));
            let text = schema.map(|schema| schema::instance(schema, &words.text()));
            Words::limited(text.unwrap_or_else(|| schema::plain_object(&words.text())), question)
        }
        _ => words,
    };
    Choice { words, tool: None }
}

/// The tool the request insists on, and arguments that fit it.
fn forced_tool(root: Node<'_>, asked: &str) -> Option<(String, String)> {
    let wanted = root.get("tool_choice")?;
    let tools = root.get("tools")?;
    let named =
        wanted.get("function").and_then(|function| function.get("name")).and_then(|name| name.as_str());
    if named.is_none() && !wanted.is_str("required") {
        return None;
    }
    let mut functions = tools.elements().filter_map(|tool| tool.get("function"));
    let function = match &named {
        Some(name) => functions.find(|function| function.get("name").is_some_and(|field| field.is_str(name))),
        None => functions.next(),
    }?;
    let name = function.get("name").and_then(|name| name.as_str())?.into_owned();
    let parameters = function.get("parameters");
    Some((name, parameters.map_or_else(|| "{}".to_owned(), |schema| schema::instance(schema, asked))))
}

/// The text of a message's content: a string, or the text parts of a list.
pub(super) fn said(content: Node<'_>) -> String {
    if let Some(text) = content.as_str() {
        return text.into_owned();
    }
    let parts =
        content.elements().filter_map(|part| part.get("text")?.as_str().map(|text| text.into_owned()));
    parts.collect::<Vec<_>>().join("\n")
}

/// One stop text or several.
pub(super) fn stops(field: Node<'_>) -> Vec<String> {
    match field.as_str() {
        Some(one) => vec![one.into_owned()],
        None => field.elements().filter_map(|stop| stop.as_str().map(|stop| stop.into_owned())).collect(),
    }
}

/// Tokens of one message, by its bytes.
pub(super) fn estimate(message: Node<'_>) -> u64 {
    message.get("content").map_or(0, |content| content.raw().len().div_ceil(4) as u64)
}

impl Choice {
    fn finish_reason(&self) -> &'static str {
        match self.words.end {
            End::Said | End::Stop(_) => "stop",
            End::Length => "length",
            End::Tool => "tool_calls",
        }
    }

    fn message(&self, call: &str) -> String {
        let text = quote(&self.words.text());
        match &self.tool {
            None => format!(r#"{{"role":"assistant","content":{text},"refusal":null}}"#),
            Some(name) => format!(
                r#"{{"role":"assistant","content":null,"refusal":null,"tool_calls":[{{"id":"{call}","type":"function","function":{{"name":{},"arguments":{text}}}}}]}}"#,
                quote(name)
            ),
        }
    }

    fn opening(&self, call: &str) -> String {
        match &self.tool {
            None => r#"{"role":"assistant","content":"","refusal":null}"#.to_owned(),
            Some(name) => format!(
                r#"{{"role":"assistant","content":null,"tool_calls":[{{"index":0,"id":"{call}","type":"function","function":{{"name":{},"arguments":""}}}}]}}"#,
                quote(name)
            ),
        }
    }

    fn piece(&self, token: &str) -> String {
        let text = quote(token);
        match self.tool {
            None => format!(r#"{{"content":{text}}}"#),
            Some(_) => format!(r#"{{"tool_calls":[{{"index":0,"function":{{"arguments":{text}}}}}]}}"#),
        }
    }
}

impl Chat<'_> {
    fn call(&self, index: usize) -> String {
        format!("call_{}{index}", &self.id["chatcmpl-".len()..])
    }

    fn usage(&self) -> String {
        let Usage { input, output, .. } = self.usage;
        let total = input + output;
        format!(
            r#"{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{total},"prompt_tokens_details":{{"cached_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0}}}}"#
        )
    }

    fn head(&self, object: &str) -> String {
        let (id, created, model) = (&self.id, self.created, quote(self.model));
        format!(
            r#""id":"{id}","object":"{object}","created":{created},"model":{model},"system_fingerprint":"fp_mock""#
        )
    }

    fn whole(&self) -> String {
        let choices = self.choices.iter().enumerate().map(|(index, choice)| {
            let (message, reason) = (choice.message(&self.call(index)), choice.finish_reason());
            format!(r#"{{"index":{index},"message":{message},"logprobs":null,"finish_reason":"{reason}"}}"#)
        });
        let choices = choices.collect::<Vec<_>>().join(",");
        format!(r#"{{{},"choices":[{choices}],"usage":{}}}"#, self.head("chat.completion"), self.usage())
    }

    fn frames(&self) -> Vec<super::made::Frame> {
        let head = self.head("chat.completion.chunk");
        let chunk = |index: usize, delta: &str, reason: &str| {
            format!(
                r#"{{{head},"choices":[{{"index":{index},"delta":{delta},"logprobs":null,"finish_reason":{reason}}}],"usage":null}}"#
            )
        };
        let mut frames = Vec::new();
        for (index, choice) in self.choices.iter().enumerate() {
            frames.push(frame(None, &chunk(index, &choice.opening(&self.call(index)), "null"), 0));
            for token in &choice.words.tokens {
                frames.push(frame(None, &chunk(index, &choice.piece(token), "null"), 1));
            }
            frames.push(frame(None, &chunk(index, "{}", &quote(choice.finish_reason())), 0));
        }
        frames.push(frame(None, &format!(r#"{{{head},"choices":[],"usage":{}}}"#, self.usage()), 0));
        frames
    }
}
