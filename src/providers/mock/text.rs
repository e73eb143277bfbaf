//! What the mock says: words made from the request alone, the same for the same request.
//!
//! Owns the wording, the cutting into tokens and the limits on length. It knows no vendor's form.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// As much of the question as the answer repeats.
const ECHO_CHARS: usize = 240;

/// What follows the echo; which of them and in which order is decided by the request.
const REMARKS: [&str; 20] = [
    "Ask the same thing again and you get these same words, byte for byte.",
    "Change one parameter and the answer may change with it.",
    "The tide comes in twice a day and has never missed an appointment.",
    "A harbour is a place where many ships agree to wait their turn.",
    "Every call that passes here is counted, and every count can be read at /metrics.",
    "The lock keeper opens one gate only after the other has closed.",
    "Two ships that ask for the same cargo at the same moment share one crane.",
    "What was answered once need not be asked again.",
    "The pilot knows the channel, and the channel does not move.",
    "A queue with an end is better than a harbour full of anchors.",
    "Point a provider with a key at this model name to hear a real voice.",
    "The lighthouse says one thing, but it says it every night.",
    "Ropes are checked before the storm, not during it.",
    "A full berth is said at the harbour mouth, not at the quay.",
    "The log book holds each arrival, each departure and each delay.",
    "Small boats travel together when they go the same way.",
    "The chart shows the depth; the lead line proves it.",
    "Nothing that was spoiled on the way is put into the store.",
    "The harbour master can say why any ship was kept waiting.",
    "Calm water at the quay is the work of the wall outside.",
];

/// One question, as far as the mock understands it.
pub(super) struct Question {
    /// The last thing the user said.
    pub(super) asked: String,
    /// Decides the words.
    pub(super) seed: u64,
    /// Tokens allowed in the answer.
    pub(super) max_tokens: Option<u64>,
    /// Texts that end the answer before they appear.
    pub(super) stops: Vec<String>,
}

/// Why the answer ends where it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// Everything was said.
    Said,
    /// `max_tokens` was reached.
    Length,
    /// This stop text would have come next.
    Stop(String),
    /// A tool is called.
    Tool,
}

/// An answer in tokens: joined they are the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) tokens: Vec<String>,
    pub(super) end: End,
}

impl Words {
    /// The answer number `choice` to `question`.
    pub(super) fn answer(question: &Question, choice: u64) -> Self {
        let seed = mix(question.seed, choice);
        let mut text = match echo(&question.asked) {
            Some(asked) => format!("You asked: \"{asked}\" "),
            None => String::new(),
        };
        text.push_str("This is the built-in mock provider, so no model was asked.");
        for remark in remarks(seed) {
            text.push(' ');
            text.push_str(remark);
        }
        Self::limited(text, question)
    }

    /// `text` under the limits of `question`.
    pub(super) fn limited(mut text: String, question: &Question) -> Self {
        let mut end = End::Said;
        let first = question.stops.iter().filter(|stop| !stop.is_empty());
        if let Some((at, stop)) = first.filter_map(|stop| Some((text.find(stop.as_str())?, stop))).min() {
            end = End::Stop(stop.clone());
            text.truncate(at);
        }
        let mut tokens = tokens(&text);
        if let Some(most) = question.max_tokens.and_then(|most| usize::try_from(most).ok())
            && tokens.len() > most
        {
            tokens.truncate(most);
            end = End::Length;
        }
        Self { tokens, end }
    }

    /// The whole text.
    pub(super) fn text(&self) -> String {
        self.tokens.concat()
    }
}

/// One value from two, so that neighbours differ everywhere.
pub(super) fn mix(seed: u64, more: u64) -> u64 {
    xxh3_64_with_seed(&more.to_le_bytes(), seed)
}

/// Tokens as the mock counts them: a word with the space before it, at most 12 bytes of it.
pub(super) fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut word = false;
    for c in text.chars() {
        let fits = tokens.last().is_some_and(|last| last.len() < 12);
        if let Some(last) = tokens.last_mut().filter(|_| fits && !(c.is_whitespace() && word)) {
            last.push(c);
        } else {
            tokens.push(c.to_string());
        }
        word = !c.is_whitespace();
    }
    tokens
}

/// The question on one line, quotes made single, cut at a character.
fn echo(asked: &str) -> Option<String> {
    let mut line = String::new();
    for word in asked.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.chars().count() > ECHO_CHARS {
            let cut: String = line.chars().take(ECHO_CHARS).collect();
            line = format!("{cut}...");
            break;
        }
    }
    (!line.is_empty()).then(|| line.replace('"', "'"))
}

/// Two to five different remarks.
fn remarks(seed: u64) -> impl Iterator<Item = &'static str> {
    let count = 2 + (seed % 4);
    let mut left: Vec<&'static str> = REMARKS.to_vec();
    (0..count).map(move |n| {
        let at = mix(seed, n + 1) % left.len() as u64;
        left.swap_remove(at as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(asked: &str) -> Question {
        Question { asked: asked.to_owned(), seed: 7, max_tokens: None, stops: Vec::new() }
    }

    #[test]
    fn the_answer_repeats_the_question_and_is_always_the_same() {
        let first = Words::answer(&question("What is the\n capital?"), 0);
        assert!(first.text().starts_with("You asked: \"What is the capital?\" "), "{}", first.text());
        assert_eq!(first, Words::answer(&question("What is the\n capital?"), 0));
        assert_eq!(first.end, End::Said);
    }

    #[test]
    fn choices_differ() {
        assert_ne!(Words::answer(&question("q"), 0), Words::answer(&question("q"), 1));
    }

    #[test]
    fn max_tokens_cuts_the_same_words_short() {
        let long = Words::answer(&question("q"), 0);
        let short = Words::answer(&Question { max_tokens: Some(3), ..question("q") }, 0);
        assert_eq!((short.tokens.as_slice(), short.end), (&long.tokens[..3], End::Length));
    }

    #[test]
    fn the_first_stop_text_ends_the_answer_before_it() {
        let stops = vec!["mock".to_owned(), "built".to_owned(), String::new()];
        let words = Words::answer(&Question { stops, ..question("q") }, 0);
        assert_eq!(words.text(), "You asked: \"q\" This is the ");
        assert_eq!(words.end, End::Stop("built".to_owned()));
    }

    #[test]
    fn tokens_joined_are_the_text() {
        for text in
            ["", " ", "a  b", "\u{e4}\u{f6}\u{fc}-\u{1f600}-antidisestablishmentarianism ok", "  x\n\ny "]
        {
            assert_eq!(tokens(text).concat(), text);
        }
        assert_eq!(tokens("one two"), ["one", " two"]);
    }

    #[test]
    fn a_long_question_is_repeated_in_part() {
        let words = Words::answer(&question(&"word ".repeat(1000)), 0);
        assert!(words.text().len() < 1500);
    }
}
