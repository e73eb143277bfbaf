//! Calls of flows: they need a contract, fit it, and never come back to their caller.

use std::collections::{HashMap, HashSet};

use super::super::ast::{ContractDecl, Expr, ExprKind, FlowDecl, Name, Program, StmtKind, Target};
use super::super::fault::{Fault, Guide};
use super::super::span::Span;
use super::Faults;
use super::graph::{self, Calls};
use super::walk::{self, Node};

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

/// What a contract says, ready to be asked once per call.
struct Shape<'a> {
    contract: &'a ContractDecl,
    takes: HashMap<&'a str, bool>,
    gives: HashSet<&'a str>,
    required: usize,
}

impl<'a> Shape<'a> {
    fn of(contract: &'a ContractDecl) -> Self {
        let takes: HashMap<&str, bool> =
            contract.inputs.iter().map(|field| (field.name.text.as_ref(), field.optional)).collect();
        let gives = contract.outputs.iter().map(|field| field.name.text.as_ref()).collect();
        let required = takes.values().filter(|optional| !**optional).count();
        Self { contract, takes, gives, required }
    }

    fn fits(&self, inputs: &[(Name, Expr)], outputs: &[Name], span: Span, faults: &mut Faults) {
        let mut given = HashSet::new();
        for (name, _) in inputs {
            match self.takes.get(name.text.as_ref()) {
                Some(false) => {
                    given.insert(name.text.as_ref());
                }
                Some(true) => {}
                None => {
                    let text = format!("Unknown flow input '{}'.", name.text);
                    faults.push(Fault::load(text, Some(name.span)));
                }
            }
        }
        if given.len() < self.required {
            self.report_missing(&given, span, faults);
        }
        for name in outputs.iter().filter(|name| !self.gives.contains(name.text.as_ref())) {
            let text = format!("Unknown flow output '{}'.", name.text);
            faults.push(Fault::load(text, Some(name.span)));
        }
    }

    fn report_missing(&self, given: &HashSet<&str>, span: Span, faults: &mut Faults) {
        let missing = self.contract.inputs.iter().filter(|field| !field.optional);
        for field in missing.filter(|field| !given.contains(field.name.text.as_ref())) {
            if faults.is_full() {
                return;
            }
            let text = format!("Missing flow input '{}'.", field.name.text);
            faults.push(Fault::load(text, Some(span)));
        }
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
        let effect = matches!(
            &stmt.kind,
            StmtKind::AskAi { .. }
                | StmtKind::RunAgent { .. }
                | StmtKind::RunAgents { .. }
                | StmtKind::Set { target: Target::State(_), .. }
                | StmtKind::Save { .. }
                | StmtKind::Create { .. }
                | StmtKind::Update { .. }
                | StmtKind::Delete { .. }
                | StmtKind::Clear(_)
                | StmtKind::Enqueue { .. }
        );
        if effect {
            let text = format!("Pure flow \"{name}\" cannot have effects.");
            faults.push(Fault::load(text, Some(stmt.span)));
        }
    });
}
