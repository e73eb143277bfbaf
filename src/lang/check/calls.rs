//! Calls of flows: they need a contract, fit it, and never come back to their caller.

use std::collections::{HashMap, HashSet};

use super::super::ast::{ContractDecl, Expr, ExprKind, FieldDecl, FlowDecl, Name, Program, StmtKind, Target};
use super::super::fault::{Fault, Guide};
use super::super::span::Span;
use super::Faults;
use super::graph::{self, Calls};
use super::walk::{self, Node};

/// Fields named in one fault.
const MAX_NAMED: usize = 20;

pub(super) fn check(program: &Program, faults: &mut Faults) {
    let contracts: HashMap<&str, Shape<'_>> =
        program.contracts.iter().map(|contract| (contract.flow.text.as_ref(), Shape::of(contract))).collect();
    let flows: HashSet<&str> = program
        .flows
        .iter()
        .map(|flow| flow.name.text.as_ref())
        .chain(program.llm_calls.iter().map(|call| call.name.text.as_ref()))
        .collect();
    walk::program(program, &mut |node| {
        if let Node::Expr(Expr { kind: ExprKind::CallFlow { flow, inputs, outputs }, span }) = node {
            match contracts.get(flow.text.as_ref()) {
                Some(shape) => shape.fits(inputs, outputs, *span, faults),
                // An unknown flow is reported once, as unknown.
                None if !flows.contains(flow.text.as_ref()) => {}
                None => faults.push(Fault::load_guided(no_contract(&flow.text), Some(*span))),
            }
        }
    });
    cycles(program, faults);
    for flow in program.flows.iter().filter(|flow| flow.pure) {
        pure(flow, &contracts, faults);
    }
}

fn no_contract(flow: &str) -> Guide {
    Guide {
        what: format!("Flow \"{flow}\" is missing a contract."),
        why: "A flow that others call says what it takes and what it gives.".into(),
        fix: "Declare its contract.".into(),
        example: format!(
            "contract flow \"{flow}\":\n  input:\n    name is text\n  output:\n    line is text"
        ),
    }
}

/// One side of a contract, ready to be asked once per call.
struct Side<'a> {
    section: &'static str,
    fields: &'a [FieldDecl],
    order: HashMap<&'a str, usize>,
    required: usize,
}

impl<'a> Side<'a> {
    fn of(section: &'static str, fields: &'a [FieldDecl]) -> Self {
        let order = fields.iter().enumerate().map(|(at, field)| (field.name.text.as_ref(), at)).collect();
        let required = fields.iter().filter(|field| !field.optional).count();
        Self { section, fields, order, required }
    }

    /// What is wrong with the names a call gives, in the order they are given; the first fault only.
    fn misfit(&self, names: &[&str]) -> Option<String> {
        let section = self.section;
        if self.fields.is_empty() && !names.is_empty() {
            return Some(format!("Flow call lists {section}s that are not declared."));
        }
        if names.is_empty() && !self.fields.is_empty() {
            return Some(format!("Flow call is missing {section}s."));
        }
        let mut places = Vec::with_capacity(names.len());
        for name in names {
            match self.order.get(name) {
                Some(place) => places.push(*place),
                None => return Some(format!("Unknown {section} \"{name}\".")),
            }
        }
        if !places.is_sorted() {
            return Some(format!("Flow {section}s are out of order."));
        }
        self.missing(&places)
    }

    /// The required fields a call leaves out.
    fn missing(&self, places: &[usize]) -> Option<String> {
        if places.iter().filter(|place| !self.fields[**place].optional).count() == self.required {
            return None;
        }
        let given: HashSet<usize> = places.iter().copied().collect();
        let missing =
            self.fields.iter().enumerate().filter(|(at, field)| !field.optional && !given.contains(at));
        let names: Vec<&str> = missing.map(|(_, field)| field.name.text.as_ref()).take(MAX_NAMED).collect();
        Some(format!("Missing required {}s: {}.", self.section, names.join(", ")))
    }
}

/// What a contract says.
struct Shape<'a> {
    takes: Side<'a>,
    gives: Side<'a>,
}

impl<'a> Shape<'a> {
    fn of(contract: &'a ContractDecl) -> Self {
        Self { takes: Side::of("input", &contract.inputs), gives: Side::of("output", &contract.outputs) }
    }

    fn fits(&self, inputs: &[(Name, Expr)], outputs: &[Name], span: Span, faults: &mut Faults) {
        let inputs: Vec<&str> = inputs.iter().map(|(name, _)| name.text.as_ref()).collect();
        let outputs: Vec<&str> = outputs.iter().map(|name| name.text.as_ref()).collect();
        for text in [self.takes.misfit(&inputs), self.gives.misfit(&outputs)].into_iter().flatten() {
            faults.push(Fault::load_guided(misfit(text), Some(span)));
        }
    }
}

fn misfit(what: String) -> Guide {
    Guide {
        what,
        why: "A call names what the contract declares, all that is required, in the contract's order.".into(),
        fix: "Compare the call with the contract of the flow.".into(),
        example: "let a is call flow \"greet\":\n  input:\n    name is \"Ada\"\n  output:\n    line".into(),
    }
}

fn cycles(program: &Program, faults: &mut Faults) {
    let index: HashMap<&str, usize> =
        program.flows.iter().enumerate().map(|(at, flow)| (flow.name.text.as_ref(), at)).collect();
    let calls: Calls = program
        .flows
        .iter()
        .map(|flow| {
            let mut edges = Vec::new();
            walk::flow_body(&flow.body, &mut |node| {
                if let Node::Expr(Expr { kind: ExprKind::CallFlow { flow, .. }, span }) = node
                    && let Some(callee) = index.get(flow.text.as_ref())
                {
                    edges.push((*callee, *span));
                }
            });
            edges
        })
        .collect();
    for cycle in graph::cycles(&calls) {
        let path: Vec<&str> = cycle.path.iter().map(|at| program.flows[*at].name.text.as_ref()).collect();
        let guide = Guide {
            what: format!("Flow call cycle detected: {}.", path.join(" -> ")),
            why: "A flow that comes back to itself would never end.".into(),
            fix: "Remove one of the calls, or repeat with a loop.".into(),
            example: "repeat up to 3 times:".into(),
        };
        faults.push(Fault::load_guided(guide, Some(cycle.span)));
    }
}

/// A pure flow has a contract and only computes.
fn pure(flow: &FlowDecl, contracts: &HashMap<&str, Shape<'_>>, faults: &mut Faults) {
    let name = &flow.name.text;
    if !contracts.contains_key(name.as_ref()) {
        faults.push(Fault::load(format!("Pure flow \"{name}\" is missing a contract."), Some(flow.span)));
    }
    walk::flow_body(&flow.body, &mut |node| {
        let Node::Stmt(stmt) = node else { return };
        if let Some(effect) = effect(&stmt.kind) {
            let text = format!("Pure flow \"{name}\" cannot {effect}.");
            faults.push(Fault::load(text, Some(stmt.span)));
        }
    });
}

/// What a statement does besides computing.
fn effect(stmt: &StmtKind) -> Option<&'static str> {
    Some(match stmt {
        StmtKind::AskAi { .. } | StmtKind::RunAgent { .. } | StmtKind::RunAgents { .. } => {
            "call ai or agents"
        }
        StmtKind::Set { target: Target::State(_), .. } | StmtKind::Notice(_) => "write state",
        StmtKind::Save { .. }
        | StmtKind::Create { .. }
        | StmtKind::Update { .. }
        | StmtKind::Delete { .. }
        | StmtKind::Clear(_) => "write records",
        StmtKind::Enqueue { .. } => "enqueue jobs",
        _ => return None,
    })
}
