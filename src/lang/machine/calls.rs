//! Owns calls of functions, flows and tools, the contracts around them, and what happens when a body ends. Must not
//! start strands.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ctx::{Ctx, code_of};
use super::effects::StepKind;
use super::frame::{Body, Cell, Role};
use super::strand::Status;
use super::words;
use crate::lang::ast::{FieldDecl, TypeRef};
use crate::lang::compile::code::Contract;
use crate::lang::compile::form::{CallForm, GuardForm, ToolForm};
use crate::lang::fault::{Fault, FaultKind};
use crate::lang::span::Span;
use crate::lang::value::{Map, Value};

type Done = Result<(), Fault>;
type Arguments = BTreeMap<Arc<str>, Value>;

impl Ctx<'_> {
    /// Ends the running body with a value.
    pub(super) fn finish(&mut self, value: Value, returned: bool) -> Done {
        let Some(role) = self.strand.frames.last().map(|frame| frame.role.clone()) else { return Ok(()) };
        if matches!(role, Role::Bottom) {
            // The locals stay for whoever joins the strand.
            self.strand.status = Status::Done(Ok(value));
            return Ok(());
        }
        let Some(frame) = self.strand.leave() else { return Ok(()) };
        match (role, frame.body) {
            (Role::Function { call, span }, Body::Function(at)) => {
                self.function_ends(value, returned, call, at).map_err(|fault| fault.at(span))
            }
            (Role::Flow { call, span }, Body::Flow(at)) => {
                self.flow_ends(value, call, at).map_err(|fault| fault.at(span))
            }
            (Role::Entry, Body::Requires(at)) => {
                let span = self.program.flows[at].span;
                self.verdict(at, &value).map_err(|fault| fault.at(span))
            }
            (Role::Write { span }, Body::Requires(at)) => {
                self.verdict(at, &value).map_err(|fault| fault.at(span))
            }
            _ => Ok(()),
        }
    }

    fn function_ends(&mut self, value: Value, returned: bool, _call: u32, at: usize) -> Done {
        let function = &self.program.functions[at];
        if !returned {
            return Err(Fault::run(format!("Function \"{}\" ended without return", function.name), None));
        }
        check_outputs(&function.contract, "function", "Function", &value)?;
        self.push(value);
        Ok(())
    }

    fn flow_ends(&mut self, value: Value, call: u32, at: usize) -> Done {
        let form = &self.code().calls[call as usize];
        let selected = match &self.program.flows[at].contract {
            Some(contract) => {
                if value.as_map().is_none() {
                    return Err(Fault::run("Flow return must be a map", None));
                }
                check_outputs(contract, "flow", "Flow", &value)?;
                select(&value, &form.outputs)?
            }
            None => value,
        };
        self.push(selected);
        Ok(())
    }

    /// What an access rule said.
    fn verdict(&mut self, flow: usize, value: &Value) -> Done {
        let unit = &self.program.flows[flow];
        let subject = format!("flow \"{}\"", unit.name);
        match value {
            Value::Bool(true) => Ok(()),
            Value::Bool(false)
                if !self.shared.known && unit.requires.as_ref().is_some_and(|rule| rule.identity) =>
            {
                Err(words::not_authenticated(&subject))
            }
            Value::Bool(false) => Err(words::not_permitted(&subject)),
            other => Err(words::rule_not_boolean(&subject, other)),
        }
    }

    /// Asks the flow's rule about a write.
    pub(super) fn guard(&mut self, form: &GuardForm, span: Span) -> Done {
        let (flow, unit) = self.flow();
        if unit.requires.is_none() {
            return Err(words::no_rule());
        }
        let mutation = Value::fields([
            ("action", Value::from(form.action.name())),
            ("record", Value::Text(Arc::clone(&form.record))),
        ]);
        self.enter_rule(flow, Role::Write { span }, Some(mutation))
    }

    /// Begins the flow's rule, if it is asked before the flow begins.
    pub(super) fn enter_entry_rule(&mut self, flow: usize) -> Done {
        match &self.program.flows[flow].requires {
            Some(rule) if !rule.per_write => self.enter_rule(flow, Role::Entry, None),
            _ => Ok(()),
        }
    }

    /// A rule sees the locals of the body it stands before.
    fn enter_rule(&mut self, flow: usize, role: Role, mutation: Option<Value>) -> Done {
        let names = &code_of(self.program, Body::Requires(flow)).names;
        let below = self.code();
        let frame = self.frame();
        let cells: Vec<Cell> = names
            .iter()
            .map(|name| match (&mutation, &**name) {
                (Some(mutation), "mutation") => Cell::Held(mutation.clone()),
                _ => below.slot(name).map(|slot| frame.cells[slot as usize].clone()).unwrap_or_default(),
            })
            .collect();
        self.enter(Body::Requires(flow), role, cells)
    }

    /// `call function`
    pub(super) fn call_function(&mut self, at: u32, span: Span) -> Done {
        let form = &self.code().calls[at as usize];
        let callee = form.callee as usize;
        let inputs = &self.program.functions[callee].contract.inputs;
        let in_order = form.arguments.len() == inputs.len()
            && form.arguments.iter().zip(inputs).all(|((name, _), input)| *name == input.name.text);
        let cells = if in_order {
            let values = self.pop_many(inputs.len());
            for (value, input) in values.iter().zip(inputs) {
                check_type(value, &input.ty)?;
            }
            values.into_iter().map(Cell::Held).collect()
        } else {
            let given = self.arguments(form, "function argument")?;
            function_cells(inputs, given)?
        };
        self.settle_last();
        self.enter(Body::Function(callee), Role::Function { call: at, span }, cells)
    }

    /// `call flow`
    pub(super) fn call_flow(&mut self, at: u32, span: Span) -> Done {
        let form = &self.code().calls[at as usize];
        let mut given = self.arguments(form, "flow input")?;
        let callee = form.callee as usize;
        let flow = &self.program.flows[callee];
        let inputs = flow.contract.as_ref().map(|contract| contract.inputs.as_slice()).unwrap_or_default();
        let mut payload = Map::default();
        for input in inputs {
            match given.remove(&input.name.text) {
                Some(value) => {
                    check_type(&value, &input.ty)?;
                    payload.insert(Arc::clone(&input.name.text), value);
                }
                None if input.optional => {}
                None => return Err(Fault::run(format!("Missing flow input '{}'", input.name.text), None)),
            }
        }
        if let Some(name) = given.keys().next() {
            return Err(Fault::run(format!("Unknown flow input '{name}'"), None));
        }
        let running = |body: Body| body == Body::Flow(callee);
        if self.strand.frames.iter().any(|frame| running(frame.body)) {
            return Err(Fault::run("Flow recursion is not allowed", Some(flow.span)));
        }
        self.settle_last();
        self.strand.effects.step(StepKind::Flow, &flow.name, span);
        self.enter(Body::Flow(callee), Role::Flow { call: at, span }, given_cells(Value::Map(payload)))?;
        self.enter_entry_rule(callee)
    }

    fn arguments(&mut self, form: &CallForm, what: &str) -> Result<Arguments, Fault> {
        let values = self.pop_many(form.arguments.len());
        let mut given = Arguments::new();
        for ((name, span), value) in form.arguments.iter().zip(values) {
            if given.insert(Arc::clone(name), value).is_some() {
                return Err(Fault::run(format!("Duplicate {what} '{name}'"), Some(*span)));
            }
        }
        Ok(given)
    }

    /// Tools are declared here and bound elsewhere; no binding is known to the machine.
    pub(super) fn call_tool(&mut self, form: &ToolForm) -> Done {
        let values = self.pop_many(form.arguments.len());
        let Some(tool) = self.program.tools.get(&form.tool) else {
            return Err(Fault::run(format!("Unknown tool '{}'.", form.tool), None));
        };
        let mut given = Arguments::new();
        for ((name, span), value) in form.arguments.iter().zip(values) {
            if given.insert(Arc::clone(name), value).is_some() {
                return Err(Fault::run(format!("Duplicate tool input '{name}'"), Some(*span)));
            }
        }
        // What runs in another language is looked for before its input is looked at.
        if !matches!(tool.runner.as_ref(), "python" | "node") {
            check_tool_input(&tool.inputs, &given).map_err(|fault| fault.of_kind(FaultKind::ToolFailed))?;
        }
        Err(words::guided(
            format!("Tool \"{}\" is not bound to a {} entry.", tool.name, tool.runner),
            "The tool is declared, but nothing carries it out.",
            "Bind the tool, or remove the call.",
            format!("tool \"{}\":\n  implemented using {}", tool.name, tool.runner),
        )
        .of_kind(FaultKind::ToolFailed))
    }

    /// The declared input of a flow without a colon.
    pub(super) fn flow_input(&mut self, fields: &[FieldDecl]) -> Done {
        let input = match self.frame().cells.first() {
            Some(Cell::Held(Value::Map(map))) => map.clone(),
            _ => Map::default(),
        };
        for field in fields {
            let Some(value) = input.get(&field.name.text) else {
                return Err(words::guided(
                    format!("Flow input is missing '{}'.", field.name.text),
                    "Every declared input of the flow is required.",
                    "Give the field in the input.",
                    format!("{{\"{}\": \"value\"}}", field.name.text),
                )
                .at(field.name.span));
            };
            check_type(value, &field.ty).map_err(|fault| fault.at(field.name.span))?;
        }
        Ok(())
    }
}

/// The first locals of a function, from arguments in any order.
fn function_cells(inputs: &[FieldDecl], mut given: Arguments) -> Result<Vec<Cell>, Fault> {
    let mut cells = Vec::with_capacity(inputs.len());
    for input in inputs {
        match given.remove(&input.name.text) {
            Some(value) => {
                check_type(&value, &input.ty)?;
                cells.push(Cell::Held(value));
            }
            None if input.optional => cells.push(Cell::Unset),
            None => return Err(Fault::run(format!("Missing function input '{}'", input.name.text), None)),
        }
    }
    match given.keys().next() {
        Some(name) => Err(Fault::run(format!("Unknown function input '{name}'"), None)),
        None => Ok(cells),
    }
}

/// The first locals of a flow or job: `input` and `secrets`.
pub(super) fn given_cells(input: Value) -> [Cell; 2] {
    [Cell::Held(input), Cell::Held(Value::Map(Map::default()))]
}

fn check_tool_input(fields: &[FieldDecl], given: &Arguments) -> Done {
    for field in fields {
        let name = &field.name.text;
        match given.get(name) {
            Some(value) if matches_type(value, &field.ty) => {}
            Some(_) => {
                let wanted = &field.ty.written;
                return Err(Fault::run(format!("Tool input field \"{name}\" must be {wanted}."), None));
            }
            None if field.optional => {}
            None => return Err(Fault::run(format!("Tool input field \"{name}\" is missing."), None)),
        }
    }
    let declared = |name: &str| fields.iter().any(|field| &*field.name.text == name);
    match given.keys().find(|name| !declared(name)) {
        Some(name) => Err(Fault::run(format!("Unknown tool input field \"{name}\"."), None)),
        None => Ok(()),
    }
}

fn check_outputs(contract: &Contract, kind: &str, title: &str, value: &Value) -> Done {
    let Some(outputs) = &contract.outputs else { return Ok(()) };
    let Some(map) = value.as_map() else {
        return Err(Fault::run(format!("{title} return must be a map"), None));
    };
    for output in outputs {
        match map.get(&output.name.text) {
            Some(value) => check_type(value, &output.ty)?,
            None if output.optional => {}
            None => return Err(Fault::run(format!("Missing {kind} output '{}'", output.name.text), None)),
        }
    }
    match map.keys().find(|key| !outputs.iter().any(|output| output.name.text == **key)) {
        Some(key) => Err(Fault::run(format!("Unknown {kind} output '{key}'"), None)),
        None => Ok(()),
    }
}

fn select(value: &Value, outputs: &[Arc<str>]) -> Result<Value, Fault> {
    let mut selected = Map::default();
    for name in outputs {
        let Some(value) = value.as_map().and_then(|map| map.get(name)) else {
            return Err(Fault::run(format!("Missing flow output '{name}'"), None));
        };
        selected.insert(Arc::clone(name), value.clone());
    }
    Ok(Value::Map(selected))
}

fn check_type(value: &Value, ty: &TypeRef) -> Done {
    if matches_type(value, ty) {
        return Ok(());
    }
    Err(Fault::run(format!("Expected {} but got {}", ty.written, value.type_name()), None))
}

/// Whether a value fits a type of a contract; a generic type fits nothing.
fn matches_type(value: &Value, ty: &TypeRef) -> bool {
    matches!(
        (&*ty.written, value),
        ("text" | "string" | "str", Value::Text(_))
            | ("number" | "int" | "integer", Value::Number(_) | Value::Float(_))
            | ("boolean" | "bool", Value::Bool(_))
            | ("list", Value::List(_))
            | ("map", Value::Map(_))
            | ("json", _)
    )
}
