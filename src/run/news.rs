//! Owns what is told of a run while it goes on. Must not decide who hears it.

use std::rc::Rc;
use std::sync::Arc;

use crate::lang::machine::{Ask, Yielded};

/// Something that happened in a run.
#[derive(Debug)]
pub enum News {
    /// A message of `yield`.
    Yielded(Yielded),
    /// Part of an answer that the program asked for with `stream: true`.
    Token(Token),
    /// An ask with `stream: true` has its answer, or a fault instead: no more tokens of it come.
    Answered {
        /// Its number, see [`Token::ask`].
        ask: u64,
    },
}

/// Part of an answer as it comes. All parts of one ask are its answer, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Which ask of the run: those with `stream: true` count from 1, in the order in which they are asked.
    pub ask: u64,
    /// The flow that asks.
    pub flow: Arc<str>,
    /// The profile that answers.
    pub profile: Arc<str>,
    /// The text.
    pub output: String,
    /// Number of the part in the answer, from 1.
    pub sequence: u64,
}

/// Who is told. What it does must not take long: the run waits for it.
pub type Tell = Rc<dyn Fn(News)>;

/// Tells the tokens of one ask.
pub(super) struct Tokens {
    tell: Tell,
    next: Token,
}

impl Tokens {
    pub(super) fn of(ask: &Ask, number: u64, tell: Tell) -> Self {
        let (flow, profile) = (Arc::clone(&ask.flow), Arc::clone(&ask.profile));
        Self { tell, next: Token { ask: number, flow, profile, output: String::new(), sequence: 1 } }
    }

    /// The answer goes on with `text`.
    pub(super) fn tell(&mut self, text: &str) {
        if !text.is_empty() {
            (self.tell)(News::Token(Token { output: text.to_owned(), ..self.next.clone() }));
            self.next.sequence += 1;
        }
    }

    /// Nothing more of this ask comes.
    pub(super) fn end(self) {
        (self.tell)(News::Answered { ask: self.next.ask });
    }
}
