//! Counts tokens that an upstream did not, or that it had no time to say.
//!
//! Owns what our own count is: by the tokenizer of the model where that is known, else four bytes a token. Texts are counted off
//! the thread that serves calls.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tidegate_actors::Shape;
use tidegate_actors::json::{Document, JsonLimits};
use tidegate_actors::ports::counting::{Counter, Exchange, Spent};
use tidegate_actors::ports::provider::{Task, Usage};
use tiktoken_rs::bpe_for_tokenizer;
use tiktoken_rs::tokenizer::{Tokenizer, get_tokenizer};

use crate::dialect::tally::{Asked, BYTES_PER_TOKEN, Told};

/// Tokens around each message, and before the answer (OpenAI's cookbook, "How to count tokens with tiktoken").
const AROUND_A_MESSAGE: u64 = 3;
/// Tokens of a picture of 1024 by 1024 in OpenAI's models; what other media have is not known better.
const OF_A_PICTURE: u64 = 765;
/// Bytes that a tokenizer is given at once: its time grows with the square of a word.
const AT_ONCE: usize = 512;
/// What is asked in order to count, and costs nothing.
const COUNTS: &str = "/messages/count_tokens";

/// Counts by the text of requests and answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct TextCounter;

impl Counter for TextCounter {
    fn count(&self, exchange: Exchange) -> Pin<Box<dyn Future<Output = Option<Spent>> + Send>> {
        Box::pin(async move {
            let counted = tokio::task::spawn_blocking(move || spent(&exchange));
            counted.await.unwrap_or_default()
        })
    }
}

fn spent(exchange: &Exchange) -> Option<Spent> {
    let asked = asked(&exchange.task)?;
    let told = match &exchange.shape {
        None => Told::default(),
        Some(Shape::Whole) => Told::whole(&exchange.told.concat().into()),
        Some(Shape::Events) => Told::events(&exchange.told),
        Some(Shape::Passed { status, .. }) if *status >= 400 => return None,
        Some(Shape::Passed { fields, .. }) => passed(fields, &exchange.told),
    };
    let model = exchange.target.split_once('/').map_or(&*exchange.target, |(_, model)| model);
    let tokenizer = get_tokenizer(model);
    let read = || {
        tokens(tokenizer, &asked.text)
            .saturating_add((asked.messages + 1).saturating_mul(AROUND_A_MESSAGE))
            .saturating_add(asked.media.saturating_mul(OF_A_PICTURE))
    };
    let written = || whole(tokens(tokenizer, &told.text), exchange);
    let input = told.input.map_or_else(|| Usage { input: read(), ..Usage::default() }, super::reply::usage);
    let (output, reasoning) = told.output.unwrap_or_else(|| (written(), 0));
    let estimated = told.input.is_none() || told.output.is_none();
    Some(Spent { usage: Usage { output, reasoning, ..input }, estimated })
}

/// What a model was asked; nothing where no model was.
fn asked(task: &Task) -> Option<Asked> {
    let body = match task {
        Task::Generate { document, .. } => return Some(Asked::read(document.root())),
        Task::Embed { .. } => return None,
        Task::Forward(work) if work.path.starts_with(COUNTS) => return None,
        Task::Forward(work) => work.body.clone(),
    };
    let document = Document::parse(body, JsonLimits::default()).ok()?;
    document.root().get("model").is_some_and(|model| !model.is_null()).then(|| Asked::read(document.root()))
}

/// What is passed on is counted where it is JSON or events of it; a sound has no tokens that we could count.
fn passed(fields: &[(Arc<str>, Arc<str>)], told: &[Bytes]) -> Told {
    let kind = fields.iter().find(|(name, _)| **name == *"content-type").map_or("", |(_, value)| value);
    match kind {
        kind if kind.starts_with("text/event-stream") => Told::events(told),
        kind if kind.starts_with("application/json") => Told::whole(&told.concat().into()),
        _ => Told::default(),
    }
}

/// Tokens of all that was told, of which those of the end are known.
fn whole(tokens: u64, exchange: &Exchange) -> u64 {
    let held: usize = exchange.told.iter().map(Bytes::len).sum();
    let all = held.saturating_add(exchange.forgotten_bytes) as u128;
    let scaled = u128::from(tokens) * all / (held.max(1) as u128);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

fn tokens(tokenizer: Option<Tokenizer>, text: &str) -> u64 {
    let Some(table) = tokenizer.and_then(|tokenizer| bpe_for_tokenizer(tokenizer).ok()) else {
        return text.len().div_ceil(BYTES_PER_TOKEN) as u64;
    };
    let mut rest = text;
    let mut tokens = 0;
    while !rest.is_empty() {
        let (part, behind) = rest.split_at(cut(rest));
        tokens += table.encode_ordinary(part).len() as u64;
        rest = behind;
    }
    tokens
}

/// Where to cut a long text: before a space if there is one, else anywhere between two characters.
fn cut(text: &str) -> usize {
    if text.len() <= AT_ONCE {
        return text.len();
    }
    let end = text.floor_char_boundary(AT_ONCE);
    text[..end].rfind(' ').filter(|at| *at > 0).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_actors::Form;
    use tidegate_actors::call::ForwardWork;

    const HELLO: &str = r#"{"choices":[{"message":{"content":"Hello there"}}]}"#;

    fn generated(target: &str, content: &str, told: &[&str]) -> Exchange {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{content}"}}]}}"#);
        let document = Document::parse(body.into(), JsonLimits::default()).expect("JSON");
        let task = Task::Generate { door: "openai.chat", document: Arc::new(document), form: Form::Whole };
        let told: Vec<_> = told.iter().map(|piece| Bytes::copy_from_slice(piece.as_bytes())).collect();
        let shape = (!told.is_empty()).then_some(Shape::Whole);
        Exchange { target: target.into(), task, shape, told, forgotten_bytes: 0 }
    }

    fn counted(exchange: &Exchange) -> (u64, u64, bool) {
        let Spent { usage, estimated } = spent(exchange).expect("tokens");
        (usage.input, usage.output, estimated)
    }

    #[test]
    fn a_known_model_is_counted_by_its_tokenizer_and_any_other_by_bytes() {
        let text = "internationalization is a long word";
        let known = counted(&generated("up/gpt-4o", text, &[HELLO]));
        assert_eq!(known.1, 2, "Hello there");
        assert!(known.0 < text.len() as u64 / 4 + 7, "{known:?}");
        let other = counted(&generated("up/llama", text, &[HELLO]));
        assert_eq!(other, (("user".len() + text.len()).div_ceil(4) as u64 + 6, 3, true));
        assert_eq!(counted(&generated("up/llama", "abcd", &[])).1, 0, "no answer began");
    }

    #[test]
    fn a_text_without_an_end_is_cut_before_it_is_counted() {
        let long = "a".repeat(100_000);
        let (input, ..) = counted(&generated("up/gpt-4o", &long, &[]));
        assert!(input > 5_000, "{input}");
        let words = " tide".repeat(10_000);
        assert_eq!(tokens(get_tokenizer("gpt-4o"), &words), 10_000, "no word is cut in two");
        assert_eq!(cut(&"\u{20ac}".repeat(1_000)) % 3, 0, "no character is cut in two");
    }

    #[test]
    fn an_answer_whose_beginning_is_not_held_any_more_is_counted_by_its_end() {
        let mut exchange = generated("up/llama", "x", &[HELLO]);
        exchange.forgotten_bytes = HELLO.len() * 9;
        assert_eq!(counted(&exchange).1, 30);
    }

    fn forwarded(path: &str, body: &'static str, status: u16, kind: &str, told: &'static str) -> Exchange {
        let work = ForwardWork {
            method: "POST".into(),
            path: path.into(),
            fields: Vec::new(),
            body: Bytes::from_static(body.as_bytes()),
        };
        let fields: Arc<[(Arc<str>, Arc<str>)]> = Arc::from([("content-type".into(), kind.into())]);
        Exchange {
            target: "up/m".into(),
            task: Task::Forward(work),
            shape: Some(Shape::Passed { status, fields }),
            told: vec![Bytes::from_static(told.as_bytes())],
            forgotten_bytes: 0,
        }
    }

    #[test]
    fn of_what_is_passed_on_only_questions_to_models_that_were_answered_have_tokens() {
        let json = "application/json";
        let said = r#"{"output":[],"usage":{"input_tokens":5,"output_tokens":4}}"#;
        let ask = r#"{"model":"m","input":"eight ch"}"#;
        assert_eq!(counted(&forwarded("/responses", ask, 200, json, said)), (5, 4, false));
        assert_eq!(counted(&forwarded("/audio/speech", ask, 200, "audio/mpeg", "\u{0}")), (8, 0, true));
        assert_eq!(spent(&forwarded("/responses", ask, 400, json, "{}")), None);
        assert_eq!(spent(&forwarded("/files", "--form", 200, json, "{}")), None);
        assert_eq!(spent(&forwarded("/messages/count_tokens", ask, 200, json, "{}")), None);
    }
}
