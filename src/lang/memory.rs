//! Owns the short-term history an app's AI calls share: one per session, whatever profile or agent speaks. Must not
//! know providers; it says what a call recalls and takes in what was said.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, LazyLock};

use regex::Regex;

use super::value::{Value, ops};

/// Who is remembered when the state names no user.
pub const ANONYMOUS: &str = "anonymous";

/// Characters of an item that a summary keeps, and of the summary as a whole.
const SUMMARY_ITEM_CHARS: usize = 160;
const SUMMARY_CHARS: usize = 2_000;
/// Items kept of a session in which no profile folds; older ones could be recalled only by a larger limit.
const MAX_ITEMS: usize = 10_000;

/// Who said an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The input of a call.
    User,
    /// The answer.
    Ai,
    /// Older items folded into one.
    Summary,
}

impl Speaker {
    /// The word stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Ai => "ai",
            Self::Summary => "summary",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::User, Self::Ai, Self::Summary].into_iter().find(|speaker| speaker.name() == name)
    }
}

/// One remembered text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Number within the session, from 1; also its logical time. Never given twice, so that what a call recalls
    /// differs after every remembered call.
    pub number: u64,
    /// Who said it.
    pub speaker: Speaker,
    /// What was said.
    pub text: Arc<str>,
}

impl Item {
    /// The item as a map, as it enters a cache key.
    pub fn to_value(&self) -> Value {
        Value::fields([
            ("id", Value::int(i64::try_from(self.number).unwrap_or(i64::MAX))),
            ("speaker", self.speaker.name().into()),
            ("text", Value::Text(Arc::clone(&self.text))),
        ])
    }

    fn from_value(value: &Value) -> Option<Self> {
        let map = value.as_map()?;
        Some(Self {
            number: u64::try_from(map.get("id")?.as_number()?.to_i64()?).ok()?,
            speaker: Speaker::from_name(map.get("speaker")?.as_text()?)?,
            text: Arc::clone(map.get("text")?.as_text()?),
        })
    }
}

/// The history of one session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Session {
    last_number: u64,
    summary: Option<Item>,
    items: VecDeque<Item>,
}

/// The short-term history of all sessions of an app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    sessions: BTreeMap<Arc<str>, Session>,
}

/// The session a run belongs to: `state.user.id`, or [`ANONYMOUS`].
pub fn session_key(state: &Value) -> Arc<str> {
    let user = state.as_map().and_then(|state| state.get("user"));
    match user.and_then(Value::as_map).and_then(|user| user.get("id")) {
        None | Some(Value::Null) => Arc::from(ANONYMOUS),
        Some(id) => Arc::from(id.to_display()),
    }
}

impl Memory {
    /// An empty memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a call of a profile with this `short_term` limit recalls: the summary, then the newest items, oldest
    /// first. Nothing with limit 0.
    pub fn recall(&self, session: &str, limit: usize) -> Vec<Item> {
        let Some(session) = self.sessions.get(session).filter(|_| limit > 0) else { return Vec::new() };
        let newest = session.items.len().saturating_sub(limit);
        session.summary.iter().chain(session.items.iter().skip(newest)).cloned().collect()
    }

    /// Takes in a successful call: input and answer become items unless they look sensitive, and what exceeds the
    /// calling profile's limit (if it has one) is folded into the summary.
    pub fn remember(&mut self, session: &str, limit: usize, input: &str, answer: &str) {
        let session = self.sessions.entry(Arc::from(session)).or_default();
        session.add(Speaker::User, input);
        session.add(Speaker::Ai, answer);
        if limit > 0 {
            session.fold(limit);
        }
        session.fold(MAX_ITEMS);
    }

    /// Everything as one value, to be kept between processes.
    pub fn to_value(&self) -> Value {
        let session = |(key, session): (&Arc<str>, &Session)| (Arc::clone(key), session.to_value());
        Value::map(self.sessions.iter().map(session).collect())
    }

    /// What [`Memory::to_value`] gave; none where the value is not of that form.
    pub fn from_value(value: &Value) -> Option<Self> {
        let sessions = value.as_map()?.iter();
        let sessions = sessions.map(|(key, session)| Some((Arc::clone(key), Session::from_value(session)?)));
        Some(Self { sessions: sessions.collect::<Option<_>>()? })
    }
}

impl Session {
    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn add(&mut self, speaker: Speaker, text: &str) {
        if is_sensitive(text) {
            return;
        }
        let number = self.next_number();
        self.items.push_back(Item { number, speaker, text: Arc::from(text) });
    }

    fn fold(&mut self, limit: usize) {
        if self.items.len() <= limit {
            return;
        }
        let mut text = self.summary.take().map(|old| old.text.to_string()).unwrap_or_default();
        for item in self.items.drain(..self.items.len() - limit) {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(item.speaker.name());
            text.push_str(": ");
            text.extend(item.text.chars().take(SUMMARY_ITEM_CHARS));
        }
        let surplus = text.chars().count().saturating_sub(SUMMARY_CHARS);
        let text: String = text.chars().skip(surplus).collect();
        let number = self.next_number();
        self.summary = Some(Item { number, speaker: Speaker::Summary, text: Arc::from(text) });
    }

    fn to_value(&self) -> Value {
        let items = Value::list(self.items.iter().map(Item::to_value).collect());
        Value::fields([
            ("last", Value::int(i64::try_from(self.last_number).unwrap_or(i64::MAX))),
            ("summary", self.summary.as_ref().map(Item::to_value).unwrap_or_default()),
            ("items", items),
        ])
    }

    fn from_value(value: &Value) -> Option<Self> {
        let map = value.as_map()?;
        let summary = match map.get("summary")? {
            Value::Null => None,
            summary => Some(Item::from_value(summary)?),
        };
        let items = ops::attribute(value, "items").ok()?;
        Some(Self {
            last_number: u64::try_from(map.get("last")?.as_number()?.to_i64()?).ok()?,
            summary,
            items: items.as_list()?.iter().map(Item::from_value).collect::<Option<_>>()?,
        })
    }
}

/// Whether a text must not be kept.
fn is_sensitive(text: &str) -> bool {
    static SENSITIVE: LazyLock<Regex> = LazyLock::new(|| {
        let words = "password|secret|token|api key|apikey|credit card|ssn|social security|private key";
        let mail = r"[a-z0-9._%+-]+@[a-z0-9.-]+\.[a-z]{2,}";
        let number = r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b";
        Regex::new(&format!("(?i-u:{words}|{mail}|{number})")).expect("the pattern is constant and valid")
    });
    SENSITIVE.is_match(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(limits: &[usize]) -> Vec<usize> {
        let mut memory = Memory::new();
        let call = |limit: &usize| {
            let recalled = memory.recall(ANONYMOUS, *limit).len();
            memory.remember(ANONYMOUS, *limit, "question", "answer");
            recalled
        };
        limits.iter().map(call).collect()
    }

    #[test]
    fn a_profile_recalls_up_to_its_limit_and_one_summary() {
        assert_eq!(counts(&[4; 5]), [0, 2, 4, 5, 5]);
        assert_eq!(counts(&[1; 4]), [0, 2, 2, 2]);
        assert_eq!(counts(&[3; 4]), [0, 2, 4, 4]);
        assert_eq!(counts(&[0; 3]), [0, 0, 0]);
    }

    #[test]
    fn profiles_share_one_history_whatever_their_limits() {
        assert_eq!(counts(&[6, 0, 6, 6]), [0, 0, 4, 6]);
    }

    #[test]
    fn what_looks_sensitive_is_not_stored() {
        let mut memory = Memory::new();
        let sensitive = ["my PassWord", "Api Key 1", "a@b.co", "123-45-6789", "SSN", "tokens", "private key"];
        for text in sensitive {
            memory.remember(ANONYMOUS, 50, text, text);
        }
        assert_eq!(memory.recall(ANONYMOUS, 50).len(), 0);
        memory.remember(ANONYMOUS, 50, "a secret", "at home 1123-45-6789");
        assert_eq!(memory.recall(ANONYMOUS, 50).len(), 1);
    }

    #[test]
    fn sessions_are_apart_and_named_by_the_user_of_the_state() {
        let user = |id: Value| Value::fields([("user", Value::fields([("id", id)]))]);
        assert_eq!(&*session_key(&user("ann".into())), "ann");
        assert_eq!(&*session_key(&user(Value::int(7))), "7");
        assert_eq!(&*session_key(&Value::fields([])), ANONYMOUS);
        let mut memory = Memory::new();
        memory.remember("ann", 4, "q", "a");
        assert_eq!((memory.recall("ann", 4).len(), memory.recall("bob", 4).len()), (2, 0));
    }

    #[test]
    fn what_is_recalled_differs_after_every_remembered_call() {
        let mut memory = Memory::new();
        let mut seen = Vec::new();
        for _ in 0..6 {
            memory.remember(ANONYMOUS, 2, "q", "a");
            let recalled = memory.recall(ANONYMOUS, 2);
            assert!(!seen.contains(&recalled));
            seen.push(recalled);
        }
    }

    #[test]
    fn a_memory_survives_being_written_down() {
        let mut memory = Memory::new();
        for text in ["one", "two", "three"] {
            memory.remember("ann", 3, text, &text.repeat(1000));
        }
        assert_eq!(Memory::from_value(&memory.to_value()), Some(memory));
        assert_eq!(Memory::from_value(&Value::fields([("x", Value::Null)])), None);
    }
}
