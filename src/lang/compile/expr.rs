//! Owns how expressions become instructions: every expression leaves exactly one value on the stack. Must not
//! write statements.

use std::collections::HashSet;
use std::sync::Arc;

use super::body::{Body, push};
use super::form::{CallForm, ToolForm};
use super::op::{Op, Operand, Pc, Relation, Slot, Store, Truth, Walk};
use crate::lang::ast::{AggregateOp, BinaryOp, Builtin, CollectionOp, EachOp, Expr, ExprKind, Name, UnaryOp};
use crate::lang::fault::Fault;
use crate::lang::span::Span;
use crate::lang::value::ops::{Aggregate, Arithmetic, Comparison, Sign};
use crate::lang::value::{Number, Value};

impl Body<'_> {
    /// Writes an expression.
    pub(super) fn expr(&mut self, expr: &Expr) {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Null | ExprKind::Bool(_) | ExprKind::Number(_) | ExprKind::Text(_) => {
                let value = literal(expr).unwrap_or_default();
                self.constant(value, span);
            }
            ExprKind::Name { root, attrs } => self.load(root, attrs, span),
            ExprKind::State(words) => {
                let at = self.state(words);
                self.emit(Op::LoadState(at), span);
            }
            ExprKind::Unary(op, operand) => self.unary(*op, operand, span),
            ExprKind::Binary(op, left, right) => self.binary(*op, left, right, span),
            ExprKind::Between { value, low, high, strict } => {
                self.between([value, low, high], *strict, span);
            }
            ExprKind::OneOf(value, choices) => {
                self.expr(value);
                let choices = choices.iter().filter_map(literal).collect();
                let at = push(&mut self.code.choices, choices);
                self.emit(Op::OneOf(at), span);
            }
            // What is wrong with an item is wrong with the index that names it.
            ExprKind::Index(base, index) => self.operands(&[base, index], Op::Index, index.span),
            ExprKind::Attr(base, name) => {
                self.expr(base);
                let at = self.word(&name.text);
                self.emit(Op::Dot(at), span);
            }
            ExprKind::List(items) => {
                items.iter().for_each(|item| self.expr(item));
                self.emit(Op::MakeList(super::body::index_of(items.len())), span);
            }
            ExprKind::Map(entries) => self.map(entries, span),
            ExprKind::Collection(op, operands) => {
                operands.iter().for_each(|operand| self.expr(operand));
                self.emit(collection(*op), span);
            }
            ExprKind::Aggregate(op, list) => self.operands(&[list], Op::Aggregate(aggregate(*op)), span),
            ExprKind::Each { .. } => self.each(expr),
            ExprKind::Reduce { .. } => self.reduce(expr),
            ExprKind::Builtin(builtin, argument) => {
                let op = match builtin {
                    Builtin::HasRole => Op::HasRole,
                    Builtin::HasPermission => Op::HasPermission,
                };
                self.operands(&[argument], op, span);
            }
            _ => self.call(expr),
        }
    }

    /// Writes what asks somebody else: a function, a flow, a tool, the store.
    fn call(&mut self, expr: &Expr) {
        let span = expr.span;
        match &expr.kind {
            ExprKind::CallFunction { function, args } => self.call_function(function, args, span),
            ExprKind::CallFlow { flow, inputs, outputs } => self.call_flow(flow, inputs, outputs, span),
            ExprKind::CallTool { tool, args } => {
                let arguments = self.arguments(args);
                let form = ToolForm { tool: tool.text.clone(), arguments };
                let at = push(&mut self.code.tools, form);
                self.emit(Op::CallTool(at), span);
            }
            // Only `let` may hold one, and takes it apart itself.
            ExprKind::Async(call) => self.expr(call),
            ExprKind::Latest(record) => {
                let schema = self.schema(record);
                self.emit(Op::Latest(schema), span);
            }
            _ => {}
        }
    }

    fn operands(&mut self, operands: &[&Expr], op: Op, span: Span) {
        operands.iter().for_each(|operand| self.expr(operand));
        self.emit(op, span);
    }

    fn unary(&mut self, op: UnaryOp, operand: &Expr, span: Span) {
        let op = match op {
            UnaryOp::Plus => Op::Sign(Sign::Plus),
            UnaryOp::Minus => Op::Sign(Sign::Minus),
            UnaryOp::Not => Op::Not,
        };
        self.operands(&[operand], op, span);
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr, span: Span) {
        let (out, word) = match operator(op) {
            Operator::Arithmetic(operator) => {
                let ([left, right], reads) = self.two_operands(left, right);
                self.emit_reading(Op::Arith { operator, left, right }, span, reads);
                return;
            }
            Operator::Relation(relation) => {
                let ([left, right], reads) = self.two_operands(left, right);
                self.emit_reading(Op::Compare { relation, left, right }, span, reads);
                return;
            }
            Operator::Logic(word) => {
                self.expr(left);
                (self.emit(Op::ShortCircuit { word, out: 0 }, span), word)
            }
        };
        self.expr(right);
        self.emit(Op::NeedTruth(word), span);
        self.land(out);
    }

    /// Writes a condition; gives the jump that is taken when it is false.
    pub(super) fn condition(&mut self, condition: &Expr, span: Span) -> Pc {
        if let ExprKind::Binary(op, left, right) = &condition.kind
            && let Operator::Relation(relation) = operator(*op)
        {
            let ([left, right], reads) = self.two_operands(left, right);
            let op = Op::CompareUnless { relation, left, right, out: 0 };
            return self.emit_reading(op, condition.span, reads);
        }
        self.expr(condition);
        self.emit(Op::Unless(0), span)
    }

    /// Writes arithmetic straight into a local; false when the value is something else.
    pub(super) fn arithmetic_to(&mut self, value: &Expr, slot: Slot, mode: Store) -> bool {
        let ExprKind::Binary(op, left, right) = &value.kind else { return false };
        let Operator::Arithmetic(operator) = operator(*op) else { return false };
        let ([left, right], reads) = self.two_operands(left, right);
        self.emit_reading(Op::ArithTo { operator, left, right, slot, mode }, value.span, reads);
        true
    }

    fn between(&mut self, [value, low, high]: [&Expr; 3], strict: bool, span: Span) {
        self.expr(value);
        self.expr(low);
        let out = self.emit(Op::Between { strict, out: 0 }, span);
        self.expr(high);
        let upper = if strict { Comparison::Less } else { Comparison::AtMost };
        let (left, right) = (Operand::STACK, Operand::STACK);
        self.emit(Op::Compare { relation: Relation::Ordered(upper), left, right }, span);
        self.land(out);
    }

    fn map(&mut self, entries: &[(Name, Expr)], span: Span) {
        self.emit(Op::MapOpen, span);
        let mut seen = HashSet::new();
        for (key, value) in entries {
            let at = self.word(&key.text);
            if !seen.insert(&key.text) {
                self.emit(Op::MapKey(at), key.span);
            }
            self.expr(value);
            self.emit(Op::MapPut(at), key.span);
        }
    }

    fn each(&mut self, expr: &Expr) {
        let ExprKind::Each { op, list, item, body } = &expr.kind else { return };
        let span = expr.span;
        let (walk, take) = match op {
            EachOp::Map => (Walk::Map, Op::Gathered),
            EachOp::Filter => (Walk::Filter, Op::Kept),
        };
        self.expr(list);
        self.emit(Op::WalkOpen(walk), span);
        let slot = self.slot(&item.text);
        self.emit(Op::Bind { slot }, span);
        let next = self.emit(Op::WalkNext { slot, out: 0 }, span);
        let top = self.here();
        self.bound(&item.text, |this| {
            if !this.taken_at_once(*op, body) {
                this.expr(body);
                this.emit(take, body.span);
            }
        });
        self.emit(Op::WalkAgain { slot, top }, span);
        self.land(next);
        self.emit(Op::WalkClose(walk), span);
    }

    /// Writes a body that is one operator so that its value never stands on the stack; false when it is something else.
    fn taken_at_once(&mut self, each: EachOp, body: &Expr) -> bool {
        let ExprKind::Binary(op, left, right) = &body.kind else { return false };
        let fused: fn([Operand; 2], Operator) -> Option<Op> = |[left, right], operator| match operator {
            Operator::Arithmetic(operator) => Some(Op::ArithGathered { operator, left, right }),
            Operator::Relation(relation) => Some(Op::CompareKept { relation, left, right }),
            Operator::Logic(_) => None,
        };
        match (each, operator(*op)) {
            (EachOp::Map, Operator::Arithmetic(_)) | (EachOp::Filter, Operator::Relation(_)) => {
                let (operands, reads) = self.two_operands(left, right);
                let Some(op) = fused(operands, operator(*op)) else { return false };
                self.emit_reading(op, body.span, reads);
                true
            }
            _ => false,
        }
    }

    fn reduce(&mut self, expr: &Expr) {
        let ExprKind::Reduce { list, acc, item, start, body } = &expr.kind else { return };
        let span = expr.span;
        self.expr(list);
        self.emit(Op::WalkOpen(Walk::Reduce), span);
        self.expr(start);
        let (into, slot) = (self.slot(&acc.text), self.slot(&item.text));
        self.emit(Op::Bind { slot: into }, span);
        self.emit(Op::Reduced(into), span);
        self.emit(Op::Bind { slot }, span);
        let next = self.emit(Op::WalkNext { slot, out: 0 }, span);
        let top = self.here();
        self.bound(&acc.text, |this| this.bound(&item.text, |this| this.gather(into, acc, body)));
        self.emit(Op::WalkAgain { slot, top }, span);
        self.land(next);
        self.emit(Op::Load(into), span);
        self.emit(Op::WalkClose(Walk::Reduce), span);
    }

    /// Writes arguments in order and gives their names.
    fn arguments(&mut self, args: &[(Name, Expr)]) -> Vec<(Arc<str>, Span)> {
        args.iter()
            .map(|(name, value)| {
                self.expr(value);
                (name.text.clone(), name.span)
            })
            .collect()
    }

    fn call_function(&mut self, function: &Name, args: &[(Name, Expr)], span: Span) {
        let Some(callee) = self.index.function(&function.text) else {
            return self.unknown("function", function, span);
        };
        let arguments = self.arguments(args);
        let at = push(&mut self.code.calls, CallForm { callee, arguments, outputs: Vec::new() });
        self.emit(Op::CallFunction(at), span);
    }

    fn call_flow(&mut self, flow: &Name, inputs: &[(Name, Expr)], outputs: &[Name], span: Span) {
        let Some(callee) = self.index.flow(&flow.text) else {
            return self.unknown("flow", flow, span);
        };
        let arguments = self.arguments(inputs);
        let outputs = outputs.iter().map(|output| output.text.clone()).collect();
        let at = push(&mut self.code.calls, CallForm { callee, arguments, outputs });
        self.emit(Op::CallFlow(at), span);
    }

    /// A name the checks should have refused; refused here too, so that no caller can skip them.
    pub(super) fn unknown(&mut self, kind: &str, name: &Name, span: Span) {
        self.faults.push(Fault::load(format!("Unknown {kind} '{}'.", name.text), Some(span)));
    }
}

/// The value of a literal.
pub(super) fn literal(expr: &Expr) -> Option<Value> {
    match &expr.kind {
        ExprKind::Null => Some(Value::Null),
        ExprKind::Bool(truth) => Some(Value::Bool(*truth)),
        ExprKind::Number(written) => Number::parse(written).map(Value::Number),
        ExprKind::Text(text) => Some(Value::Text(text.clone())),
        ExprKind::Unary(UnaryOp::Minus, operand) => match literal(operand)? {
            Value::Number(number) => number.negate().ok().map(Value::Number),
            _ => None,
        },
        _ => None,
    }
}

fn collection(op: CollectionOp) -> Op {
    match op {
        CollectionOp::ListLength => Op::ListLength,
        CollectionOp::ListAppend => Op::ListAppend,
        CollectionOp::ListGet => Op::ListGet,
        CollectionOp::MapGet => Op::MapGet,
        CollectionOp::MapSet => Op::MapSet,
        CollectionOp::MapKeys => Op::MapKeys,
    }
}

fn aggregate(op: AggregateOp) -> Aggregate {
    match op {
        AggregateOp::Sum => Aggregate::Sum,
        AggregateOp::Min => Aggregate::Min,
        AggregateOp::Max => Aggregate::Max,
        AggregateOp::Mean => Aggregate::Mean,
        AggregateOp::Median => Aggregate::Median,
    }
}

/// What an operator does.
enum Operator {
    Logic(Truth),
    Arithmetic(Arithmetic),
    Relation(Relation),
}

fn operator(op: BinaryOp) -> Operator {
    use Operator::{Arithmetic as Number, Logic, Relation as Truthy};
    let ordered = |comparison| Truthy(Relation::Ordered(comparison));
    match op {
        BinaryOp::And => Logic(Truth::And),
        BinaryOp::Or => Logic(Truth::Or),
        BinaryOp::Equal => Truthy(Relation::Is),
        BinaryOp::NotEqual => Truthy(Relation::IsNot),
        BinaryOp::Greater => ordered(Comparison::Greater),
        BinaryOp::Less => ordered(Comparison::Less),
        BinaryOp::AtLeast => ordered(Comparison::AtLeast),
        BinaryOp::AtMost => ordered(Comparison::AtMost),
        BinaryOp::Add => Number(Arithmetic::Add),
        BinaryOp::Subtract => Number(Arithmetic::Subtract),
        BinaryOp::Multiply => Number(Arithmetic::Multiply),
        BinaryOp::Divide => Number(Arithmetic::Divide),
        BinaryOp::Remainder => Number(Arithmetic::Remainder),
        BinaryOp::Power => Number(Arithmetic::Power),
    }
}
