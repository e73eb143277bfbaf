//! Owns one action of a page: what it runs with which input, and how what came of it is answered.

use std::sync::Arc;

use crate::lang::fault::{Fault, FaultText, Guide};
use crate::lang::machine::Outcome;
use crate::lang::records::{Schema, Violation};
use crate::lang::value::{Map, Value};
use crate::run::payload;
use crate::run::routing::{Reply, status};

/// An action.
#[derive(Debug)]
pub struct Action {
    /// `page.<page>.button.<label>` or `page.<page>.form.<record>`
    pub id: String,
    /// The page it stands on.
    pub page: Arc<str>,
    /// What it does.
    pub deed: Deed,
}

/// What an action does.
#[derive(Debug)]
pub enum Deed {
    /// Runs a flow; the payload is its input.
    CallFlow {
        /// The flow.
        flow: Arc<str>,
        /// The flow that must end well before, where the page has a rule.
        guard: Option<Arc<str>>,
    },
    /// Stores a record of the values in the payload.
    SubmitForm {
        /// How.
        form: Box<Form>,
    },
}

/// A form of a page.
#[derive(Debug)]
pub struct Form {
    flow: Arc<str>,
    schema: Schema,
}

impl Deed {
    /// The flow that is run.
    #[must_use]
    pub fn flow(&self) -> &Arc<str> {
        match self {
            Self::CallFlow { flow, .. } => flow,
            Self::SubmitForm { form } => &form.flow,
        }
    }

    /// The flow that must end well before, if there is one.
    #[must_use]
    pub fn guard(&self) -> Option<&Arc<str>> {
        match self {
            Self::CallFlow { guard, .. } => guard.as_ref(),
            Self::SubmitForm { .. } => None, // the rule is the form's own flow's
        }
    }
}

impl Action {
    /// `{id, type, flow|record}`
    pub(super) fn told(&self) -> Value {
        let (kind, name, what) = match &self.deed {
            Deed::CallFlow { flow, .. } => ("call_flow", "flow", flow),
            Deed::SubmitForm { form } => ("submit_form", "record", form.record()),
        };
        Value::fields([
            ("id", Value::text(self.id.as_str())),
            (name, Value::Text(Arc::clone(what))),
            ("type", kind.into()),
        ])
    }

    /// The input of the flow: the payload, or what was filled in, which may stand under `values`.
    #[must_use]
    pub fn input(&self, payload: Map) -> Value {
        match (&self.deed, payload.get("values")) {
            (Deed::SubmitForm { .. }, Some(values @ Value::Map(_))) => values.clone(),
            _ => Value::Map(payload),
        }
    }

    /// What the action answers after its guard or its flow came to `outcome` from `input`. The manifest is told again
    /// because pages may show something else now.
    #[must_use]
    pub fn reply(&self, mut outcome: Outcome, input: &Value, manifest: Value) -> Reply {
        if let Err(fault) = &mut outcome.result {
            self.in_words_of_the_page(fault, &outcome.flow);
        }
        let mut told = match payload::payload(&outcome) {
            Value::Map(told) => told,
            _ => Map::default(),
        };
        let mut put = |name: &str, value| drop(told.insert(name.into(), value));
        put("ui", manifest);
        let status = match (&outcome.result, &self.deed) {
            (Ok(_), Deed::CallFlow { .. }) => 200,
            (Ok(saved), Deed::SubmitForm { form }) => {
                put("result", form.result(saved));
                put("flow_name", Value::Null);
                put("errors", Value::list(Vec::new()));
                told.remove("contract"); // a form has none: its flow is nobody's
                200
            }
            (Err(fault), deed) => {
                put("result", Value::Null);
                put("state", outcome.shown_state.clone());
                if let Deed::SubmitForm { form } = deed
                    && let Some(wrong) = form.wrong(fault, input)
                {
                    put("errors", Value::list(wrong.iter().map(violation).collect()));
                }
                status(fault)
            }
        };
        Reply::new(status, Value::Map(told))
    }

    /// Rules of pages run as flows nobody wrote; what they refuse is said of the page.
    fn in_words_of_the_page(&self, fault: &mut Fault, flow: &str) {
        let ours = match &self.deed {
            Deed::CallFlow { guard, .. } => guard.as_deref() == Some(flow),
            Deed::SubmitForm { form } => &*form.flow == flow,
        };
        let (from, to) = (format!("flow \"{flow}\""), format!("page \"{}\"", self.page));
        match &mut fault.text {
            _ if !ours => {}
            FaultText::Plain(text) => *text = text.replace(&from, &to),
            FaultText::Guided(guide) => {
                let Guide { what, why, fix, example } = &mut **guide;
                for part in [what, why, fix, example] {
                    *part = part.replace(&from, &to);
                }
            }
        }
    }
}

impl Form {
    pub(super) fn new(flow: Arc<str>, schema: Schema) -> Self {
        Self { flow, schema }
    }

    /// The record it stores.
    #[must_use]
    pub fn record(&self) -> &Arc<str> {
        &self.schema.name
    }

    fn result(&self, saved: &Value) -> Value {
        let id = saved.as_map().and_then(|saved| saved.get(&self.schema.id_field));
        Value::fields([
            ("id", id.cloned().unwrap_or_default()),
            ("record", Value::Text(Arc::clone(self.record()))),
        ])
    }

    /// All that is wrong with the values, if that is why the run failed.
    fn wrong(&self, fault: &Fault, input: &Value) -> Option<Vec<Violation>> {
        let said = fault.message();
        let wrong = input.as_map().map(|values| self.schema.violations(values)).unwrap_or_default();
        if wrong.first().is_some_and(|first| first.message == said) {
            return Some(wrong);
        }
        let mut clash = self.schema.unique_fields().map(|field| self.schema.not_unique(field));
        clash.find(|violation| violation.message == said).map(|violation| vec![violation])
    }
}

fn violation(violation: &Violation) -> Value {
    Value::fields([
        ("code", violation.code.into()),
        ("field", Value::Text(Arc::clone(&violation.field))),
        ("message", Value::text(violation.message.as_str())),
    ])
}
