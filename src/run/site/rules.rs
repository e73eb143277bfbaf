//! Owns when the rules of pages are judged: once where they always say the same, else at each look at the pages, together.
//! Must not know what the pages show.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Site;
use crate::lang::value::Value;
use crate::run::pages::Page;
use crate::run::{For, Question, Refusal};

/// What was found out of rules, by the flow they run as: what one always says, or nothing if it must be judged each time.
#[derive(Debug, Default)]
pub(super) struct Rules(Mutex<BTreeMap<Arc<str>, Option<bool>>>);

impl Rules {
    fn always(&self, guard: &str) -> Option<bool> {
        self.0.lock().get(guard).copied().flatten()
    }
}

impl Site {
    /// Judges the rules that always say the same, once: those that see nothing that runs change, and ask nobody. The
    /// caller is the same for every request.
    pub(super) async fn settle_rules(&self, payer: &For) -> Result<(), Refusal> {
        let guards = self.pages.pages().iter().filter_map(|page| page.guard.as_ref());
        for guard in guards.filter(|guard| self.host.app().is_solitary(guard)) {
            if !self.rules.0.lock().contains_key(guard) {
                let ran = self.host.run(self.rule(guard, payer)).await?;
                let always = ran.told.is_empty().then_some(ran.outcome.result.is_ok());
                self.rules.0.lock().insert(Arc::clone(guard), always);
            }
        }
        Ok(())
    }

    /// What must be judged before something is done under the rule of a page.
    pub(super) fn rule_before(&self, guard: Option<&Arc<str>>, payer: &For) -> Option<Question> {
        guard.filter(|guard| self.rules.always(guard) != Some(true)).map(|guard| self.rule(guard, payer))
    }

    /// The pages whose rules must be judged each time, and these.
    pub(super) fn open_rules(&self, payer: &For) -> (Vec<&Page>, Vec<Question>) {
        let open = self.pages.pages().iter().filter_map(|page| Some((page, page.guard.as_ref()?)));
        let open = open.filter(|(_, guard)| self.rules.always(guard).is_none());
        open.map(|(page, guard)| (page, self.rule(guard, payer))).unzip()
    }

    /// The manifest, with those of the `judged` pages for which `hold` says so.
    pub(super) fn shown(&self, judged: &[&Page], hold: &[bool]) -> Value {
        self.pages.manifest(|page| {
            let here = judged.iter().zip(hold).find(|(other, _)| std::ptr::eq(**other, page));
            match (here, &page.guard) {
                (Some((_, holds)), _) => *holds,
                (None, Some(guard)) => self.rules.always(guard) == Some(true),
                (None, None) => true,
            }
        })
    }

    fn rule(&self, guard: &str, payer: &For) -> Question {
        self.question(guard, Value::fields([]), payer)
    }
}
