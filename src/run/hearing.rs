//! Owns how the text of an answer is read from what comes in, in one body or in events, from each kind of provider: the
//! same text from both. Pure.

use bytes::Bytes;
use tidegate_actors::Shape;
use tidegate_actors::json::{Document, JsonLimits};

use super::speech::Speech;
use crate::dialect::said::Said;
use crate::dialect::sse::Frame;
use crate::dialect::{anthropic, openai_chat};

/// An answer as it comes.
pub(super) struct Hearing {
    speech: Speech,
    shape: Shape,
    said: Said,
}

impl Hearing {
    pub(super) fn of(speech: Speech, shape: Shape) -> Self {
        Self { speech, shape, said: Said::default() }
    }

    /// Takes the next piece: a body, or an event. `hear` is told each text in it.
    pub(super) fn piece(&mut self, piece: &Bytes, mut hear: impl FnMut(&str)) {
        if self.speech == Speech::Mock {
            // A body and an event alike are nothing but text.
            hear(std::str::from_utf8(piece).map_or("", |text| self.said.plain(text)));
            return;
        }
        let json = match self.shape {
            Shape::Events => Frame::of(piece).and_then(|frame| frame.data().cloned()),
            _ => Some(piece.clone()),
        };
        let limits = JsonLimits { max_depth: JsonLimits::DEEPEST, ..JsonLimits::default() };
        let Some(document) = json.and_then(|json| Document::parse(json, limits).ok()) else { return };
        let root = document.root();
        let mut say = |string| hear(self.said.string(string));
        match (self.speech, &self.shape) {
            (Speech::OpenAi, Shape::Events) => openai_chat::content_delta(root).into_iter().for_each(say),
            (Speech::OpenAi, _) => openai_chat::content(root).into_iter().for_each(say),
            (_, Shape::Events) => anthropic::text_delta(root).into_iter().for_each(say),
            (_, _) => anthropic::texts(root).for_each(&mut say),
        }
    }

    /// The whole text; `None` if there is none in the answer.
    pub(super) fn finish(self) -> Option<String> {
        self.said.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETION: &str = r#"{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,
        "message":{"role":"assistant","content":"Hi \ud83d\ude00 there"},"finish_reason":"stop"}]}"#;
    const MESSAGE: &str = r#"{"id":"m","type":"message","role":"assistant","model":"m","content":[
        {"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"One, "},
        {"type":"text","text":"two"}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}}"#;

    fn text(speech: Speech, shape: Shape, pieces: &[Bytes]) -> (Vec<String>, Option<String>) {
        let mut hearing = Hearing::of(speech, shape);
        let mut heard = Vec::new();
        for piece in pieces {
            hearing.piece(piece, |text| heard.extend((!text.is_empty()).then(|| text.to_owned())));
        }
        (heard, hearing.finish())
    }

    #[test]
    fn the_same_text_is_heard_of_a_body_and_of_its_events() {
        let answers = [
            (Speech::Mock, "[m] one two", "[m] one two"),
            (Speech::OpenAi, COMPLETION, "Hi \u{1f600} there"),
            (Speech::Anthropic, MESSAGE, "One, two"),
        ];
        for (speech, body, expected) in answers {
            let body = Bytes::from_static(body.as_bytes());
            let (_, whole) = text(speech, Shape::Whole, std::slice::from_ref(&body));
            assert_eq!(whole.as_deref(), Some(expected), "{speech:?}");
            let events = speech.events(&body).expect("it can be told in events");
            let (heard, told) = text(speech, Shape::Events, &events);
            assert_eq!((heard.concat().as_str(), told), (expected, whole), "{speech:?}");
        }
    }

    #[test]
    fn an_answer_without_a_text_is_none_in_either_shape() {
        let body = Bytes::from_static(
            br#"{"choices":[{"index":0,"message":{"role":"assistant","content":null},"finish_reason":"stop"}]}"#,
        );
        let events = Speech::OpenAi.events(&body).expect("it can be told in events");
        assert_eq!(text(Speech::OpenAi, Shape::Whole, &[body]).1, None);
        assert_eq!(text(Speech::OpenAi, Shape::Events, &events).1, None);
    }
}
