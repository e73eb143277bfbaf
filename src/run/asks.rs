//! Owns the asks of one run over all attempts at it: each question is put once, and an attempt that asks what an earlier
//! one asked gets the answer the earlier one was given. Must not know when a run is begun again.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::{AbortHandle, Abortable, LocalBoxFuture};
use futures_util::stream::FuturesUnordered;

use super::ask::{Asker, Told};
use super::news::{Tell, Tokens};
use super::payer::For;
use crate::lang::machine::{Ask, AskFault};

/// What a machine is told.
pub(super) type Answer = Result<Arc<str>, AskFault>;

/// The asks of a run.
pub(super) struct Asks<'a> {
    asker: &'a Asker,
    open: FuturesUnordered<Abortable<LocalBoxFuture<'a, (usize, Answer, Told)>>>,
    /// In the order of their beginnings.
    known: Vec<Known>,
    /// Of the known ones, how many this attempt has not asked yet.
    unasked: usize,
    /// Who hears tokens.
    tell: Option<Tell>,
    /// Who pays.
    payer: For,
    /// Asks whose tokens are told, so far.
    streamed: u64,
}

struct Known {
    ask: Ask,
    /// Its number in this attempt, once it was asked there.
    number: Option<u64>,
    way: Way,
}

enum Way {
    Open(AbortHandle),
    Answered(Answer, Box<Told>),
    /// Nobody wants the answer any more.
    GivenUp,
}

impl<'a> Asks<'a> {
    pub(super) fn new(asker: &'a Asker, tell: Option<Tell>, payer: For) -> Self {
        Self { asker, open: FuturesUnordered::new(), known: Vec::new(), unasked: 0, tell, payer, streamed: 0 }
    }

    /// From here on another attempt asks.
    pub(super) fn begin_again(&mut self) {
        self.unasked = 0;
        for known in &mut self.known {
            known.number = None;
            self.unasked += usize::from(!matches!(known.way, Way::GivenUp));
        }
    }

    /// Takes an ask: one that was asked before is not put again. The answer, if it is there already.
    pub(super) fn put(&mut self, ask: Ask) -> Option<(u64, Answer)> {
        let number = ask.id;
        let unasked = |known: &&mut Known| known.number.is_none() && !matches!(known.way, Way::GivenUp);
        let again = match self.unasked {
            0 => None,
            _ => self.known.iter_mut().filter(unasked).find(|known| same(&known.ask, &ask)),
        };
        if let Some(known) = again {
            known.number = Some(number);
            self.unasked -= 1;
            return match &known.way {
                Way::Answered(answer, _) => Some((number, answer.clone())),
                _ => None,
            };
        }
        let (handle, registration) = AbortHandle::new_pair();
        let (at, asker, question) = (self.known.len(), self.asker, ask.clone());
        let (tokens, payer) = (self.tokens(&ask), self.payer.clone());
        let asking = async move {
            let (answer, told) = asker.ask(question, tokens, &payer).await;
            (at, answer, told)
        };
        self.open.push(Abortable::new(Box::pin(asking), registration));
        self.known.push(Known { ask, number: Some(number), way: Way::Open(handle) });
        None
    }

    /// Who tells the tokens of an ask, if they are wanted.
    fn tokens(&mut self, ask: &Ask) -> Option<Tokens> {
        let tell = self.tell.clone().filter(|_| ask.stream)?;
        self.streamed += 1;
        Some(Tokens::of(ask, self.streamed, tell))
    }

    /// Waits for an answer; nothing to tell the machine if this attempt has not asked for it. Dropping the future loses
    /// nothing. Nothing at all if no ask is open.
    pub(super) async fn next(&mut self) -> Option<Option<(u64, Answer)>> {
        loop {
            let Ok((at, answer, told)) = self.open.next().await? else { continue };
            let known = &mut self.known[at];
            known.way = Way::Answered(answer.clone(), Box::new(told));
            return Some(known.number.map(|number| (number, answer)));
        }
    }

    /// Waits until every open ask is answered.
    pub(super) async fn all(&mut self) {
        while self.next().await.is_some() {}
    }

    /// Gives up asks of this attempt that nobody waits for any more.
    pub(super) fn give_up(&mut self, numbers: &[u64]) {
        let gone = |known: &&mut Known| known.number.is_some_and(|number| numbers.contains(&number));
        self.known.iter_mut().filter(gone).for_each(Known::give_up);
    }

    /// Whether an earlier attempt asked what this one does not, now that this one can do nothing but wait: it has gone
    /// another way. What only the earlier one wanted is given up.
    pub(super) fn went_another_way(&mut self) -> bool {
        if self.unasked == 0 {
            return false;
        }
        self.known.iter_mut().filter(|known| known.number.is_none()).for_each(Known::give_up);
        self.unasked = 0;
        true
    }

    /// Everything that was answered.
    pub(super) fn told(self) -> Vec<Told> {
        let answered = self.known.into_iter().filter_map(|known| match known.way {
            Way::Answered(_, told) => Some(*told),
            _ => None,
        });
        answered.collect()
    }
}

impl Known {
    fn give_up(&mut self) {
        if let Way::Open(handle) = &self.way {
            handle.abort();
            self.way = Way::GivenUp;
        }
    }
}

/// Whether the same is asked, of the same model at the same place of the program.
fn same(one: &Ask, other: &Ask) -> bool {
    let Ask {
        id: _,
        profile,
        agent,
        provider,
        model,
        system_prompt,
        tools,
        input,
        recalled,
        stream,
        flow,
        span,
    } = one;
    let who =
        (profile, agent, provider, model) == (&other.profile, &other.agent, &other.provider, &other.model);
    let what = (system_prompt, tools, input, recalled, stream)
        == (&other.system_prompt, &other.tools, &other.input, &other.recalled, &other.stream);
    who && what && (flow, span) == (&other.flow, &other.span)
}
