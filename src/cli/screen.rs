//! Owns how answers are shown while a run goes on: one at a time, as they come, each ended by a line end. Must not know
//! what is told in the end.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::rc::Rc;

use crate::run::{News, Tell, Token};

/// A place where answers appear.
pub(super) struct Screen<W> {
    out: W,
    /// The ask whose answer is coming up.
    shown: Option<u64>,
    /// What was shown last, whole or not.
    text: String,
    /// Answers that came up meanwhile.
    others: BTreeMap<u64, Answer>,
}

#[derive(Default)]
struct Answer {
    text: String,
    ended: bool,
}

impl<W: Write + 'static> Screen<W> {
    /// An empty one, and who is told what to show.
    pub(super) fn new(out: W) -> (Tell, Rc<RefCell<Self>>) {
        let screen = Self { out, shown: None, text: String::new(), others: BTreeMap::new() };
        let screen = Rc::new(RefCell::new(screen));
        let told = Rc::clone(&screen);
        (Rc::new(move |news| told.borrow_mut().hear(news)), screen)
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Token(Token { ask, output, .. }) if self.shown.is_none() => self.begin(ask, &output),
            News::Token(Token { ask, output, .. }) if self.shown == Some(ask) => self.show(&output),
            News::Token(Token { ask, output, .. }) => {
                self.others.entry(ask).or_default().text.push_str(&output);
            }
            News::Answered { ask } if self.shown == Some(ask) => self.next(),
            News::Answered { ask } => {
                self.others.entry(ask).and_modify(|answer| answer.ended = true);
            }
            News::Yielded(_) => {}
        }
    }

    /// Shows what is left. Whether `result` stands there last, so that it need not be told again.
    pub(super) fn end(&mut self, result: Option<&str>) -> bool {
        while self.shown.is_some() {
            self.next();
        }
        result.is_some_and(|result| !result.is_empty() && result == self.text)
    }

    fn begin(&mut self, ask: u64, text: &str) {
        self.shown = Some(ask);
        self.text.clear();
        self.show(text);
    }

    fn show(&mut self, text: &str) {
        // Nobody is left to see it when the output is closed.
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        self.text.push_str(text);
    }

    /// Ends the answer on show and goes on with the next that has begun, as far as it came.
    fn next(&mut self) {
        loop {
            let _ = self.out.write_all(b"\n").and_then(|()| self.out.flush());
            self.shown = None;
            let Some((ask, Answer { text, ended })) = self.others.pop_first() else { return };
            self.begin(ask, &text);
            if !ended {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(ask: u64, text: &str) -> News {
        let (flow, profile) = ("f".into(), "p".into());
        News::Token(Token { ask, flow, profile, output: text.to_owned(), sequence: 1 })
    }

    fn shown(news: impl IntoIterator<Item = News>, result: Option<&str>) -> (String, bool) {
        let (tell, screen) = Screen::new(Vec::new());
        news.into_iter().for_each(|news| tell(news));
        let stands_there = screen.borrow_mut().end(result);
        let text = String::from_utf8(screen.borrow().out.clone()).expect("texts");
        (text, stands_there)
    }

    #[test]
    fn an_answer_that_is_the_result_stands_there_once() {
        let news = || [token(1, "Hel"), token(1, "lo"), News::Answered { ask: 1 }];
        assert_eq!(shown(news(), Some("Hello")), ("Hello\n".to_owned(), true));
        assert_eq!(shown(news(), Some("Hello!")), ("Hello\n".to_owned(), false));
        assert_eq!(shown(news(), None), ("Hello\n".to_owned(), false));
        assert_eq!(shown([], Some("")), (String::new(), false), "nothing was shown");
    }

    #[test]
    fn answers_that_come_at_the_same_time_are_shown_one_after_the_other() {
        let news = [
            token(2, "b"),
            token(1, "a"),
            token(3, "c"),
            News::Answered { ask: 3 },
            token(2, "B"),
            News::Answered { ask: 2 },
            token(1, "A"),
            News::Answered { ask: 1 },
        ];
        assert_eq!(shown(news, Some("c")), ("bB\naA\nc\n".to_owned(), true));
    }

    #[test]
    fn an_answer_that_broke_off_is_ended_before_the_next_begins() {
        let news = [token(1, "half"), News::Answered { ask: 1 }, token(2, "whole")];
        assert_eq!(shown(news, Some("other")), ("half\nwhole\n".to_owned(), false));
    }
}
