//! Declared names: given once per kind, and what a name that means nothing may have meant.

use std::collections::HashSet;

use super::super::ast::{Name, Program};
use super::super::fault::{Fault, Guide};
use super::super::span::Span;
use super::Faults;

/// Names compared when a similar one is looked for.
const MAX_COMPARED: usize = 1_000;

/// Refuses names declared twice. Of two records with one name the last counts; that is no fault.
pub(super) fn check(program: &Program, faults: &mut Faults) {
    let flows = program
        .flows
        .iter()
        .map(|flow| (&flow.name, flow.span))
        .chain(program.llm_calls.iter().map(|call| (&call.name, call.span)));
    let mut once = |kind: &str, names: Vec<(&Name, Span)>, says: fn(&str, &str) -> String| {
        let mut seen = HashSet::new();
        for (name, span) in names {
            if !seen.insert(name.text.clone()) {
                faults.push(Fault::load_guided(again(kind, &name.text, says), Some(span)));
            }
        }
    };
    once("flow", flows.collect(), |kind, name| format!("Duplicate {kind} name '{name}'."));
    let declared = |kind: &str, name: &str| format!("Duplicate {kind} declaration '{name}'");
    once("AI", program.profiles.iter().map(|it| (&it.name, it.span)).collect(), declared);
    once("agent", program.agents.iter().map(|it| (&it.name, it.span)).collect(), declared);
    once("tool", program.tools.iter().map(|it| (&it.name, it.span)).collect(), declared);
    once("function", program.functions.iter().map(|it| (&it.name, it.span)).collect(), declared);
    once("contract", program.contracts.iter().map(|it| (&it.flow, it.span)).collect(), declared);
    let more = |kind: &str, name: &str| format!("{kind} '{name}' is declared more than once.");
    once("Prompt", program.prompts.iter().map(|it| (&it.name, it.span)).collect(), more);
    once("Route", program.routes.iter().map(|it| (&it.name, it.span)).collect(), more);
    once("Job", program.jobs.iter().map(|it| (&it.name, it.span)).collect(), more);
    once("Page", program.pages.iter().map(|it| (&it.name, it.span)).collect(), more);
}

fn again(kind: &str, name: &str, says: fn(&str, &str) -> String) -> Guide {
    let kind_word = kind.to_lowercase();
    Guide {
        what: says(kind, name),
        why: format!("Another {kind_word} of this program has the same name."),
        fix: "Rename one of them.".into(),
        example: format!("{kind_word} \"{name}_2\":"),
    }
}

/// The names of one kind that a program may use.
pub(super) struct Known<'a> {
    kind: &'static str,
    /// What stands around a name in messages.
    quote: char,
    names: HashSet<&'a str>,
}

impl<'a> Known<'a> {
    /// Names of `kind`, as messages call it.
    pub(super) fn new(kind: &'static str, names: impl Iterator<Item = &'a Name>) -> Self {
        Self { kind, quote: '\'', names: names.map(|name| name.text.as_ref()).collect() }
    }

    /// The same names, in double quotes where messages say them.
    pub(super) fn as_written(&self) -> Self {
        Self { kind: self.kind, quote: '"', names: self.names.clone() }
    }

    /// Whether `name` is known.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Reports `name` at `span` unless it is known.
    pub(super) fn expect(&self, name: &str, span: Span, faults: &mut Faults) -> bool {
        let known = self.names.contains(name);
        if !known && !faults.is_full() {
            faults.push(self.unknown(name, span));
        }
        known
    }

    fn unknown(&self, name: &str, span: Span) -> Fault {
        let (kind, quote) = (self.kind, self.quote);
        let fix = match self.closest(name) {
            Some(close) => format!("Did you mean '{close}'?"),
            None => format!("Declare the {kind} or correct the name."),
        };
        let guide = Guide {
            what: format!("Unknown {kind} {quote}{name}{quote}."),
            why: format!("No {kind} of this program has that name."),
            fix,
            example: declared(kind, name),
        };
        Fault::load_guided(guide, Some(span))
    }

    fn closest(&self, name: &str) -> Option<&'a str> {
        // Names are short; longer ones, and more than a hostile program needs, are not worth the comparison.
        let near = |other: &&&str| other.len() <= 64 && name.len() <= 64;
        self.names
            .iter()
            .take(MAX_COMPARED)
            .filter(near)
            .map(|other| (strsim::damerau_levenshtein(name, other), *other))
            .filter(|(distance, other)| *distance <= 1 + other.chars().count() / 4)
            .min()
            .map(|(_, other)| other)
    }
}

fn declared(kind: &str, name: &str) -> String {
    match kind {
        "AI profile" => format!("ai \"{name}\":\n  model is \"small\""),
        "agent" => format!("agent \"{name}\":\n  ai is \"helper\""),
        "function" => format!("define function \"{name}\":\n  input:\n    n is number\n  return n"),
        "record" => format!("record \"{name}\":\n  name is text"),
        "tool" => format!("tool \"{name}\":\n  implemented using python"),
        kind => format!("{kind} \"{name}\":\n  return 1"),
    }
}
