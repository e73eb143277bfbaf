//! Owns how plain statements become instructions: locals, state, control flow, effects without records. Must not
//! write record statements, asks or forks; their files do.

use super::body::{Body, push, state_path};
use super::form::{EnqueueForm, LogForm, MetricForm, OrderForm, Target as OrderTarget, TopStatement};
use super::op::{Op, Store};
use super::visit::Met;
use crate::lang::ast::{Block, CollectionOp, Expr, ExprKind, Name, Stmt, StmtKind, Target};
use crate::lang::span::Span;
use crate::lang::value::Value;

impl Body<'_> {
    /// Writes the statements of a whole body.
    pub(super) fn whole(&mut self, block: &Block) {
        let mut constants = std::mem::take(&mut self.constants);
        super::visit::block(block, &mut |met| {
            if let Met::Stmt(Stmt { kind: StmtKind::Let { name, constant: true, .. }, .. }) = met {
                constants.insert(name.text.clone());
            }
        });
        self.constants = constants;
        self.block(block);
    }

    /// Writes statements one after the other.
    pub(super) fn block(&mut self, block: &Block) {
        self.level += 1;
        let mut rest = block.as_slice();
        while let Some((stmt, after)) = rest.split_first() {
            if matches!(&stmt.kind, StmtKind::Let { value, .. } if matches!(value.kind, ExprKind::Async(_))) {
                let (group, after) = rest.split_at(self.async_group(rest).max(1));
                self.async_lets(group);
                rest = after;
                continue;
            }
            self.count(stmt.kind_name(), stmt.span);
            self.stmt(stmt);
            rest = after;
        }
        self.level -= 1;
    }

    /// Counts a statement at the top of the body, for the error id.
    pub(super) fn count(&mut self, kind: &'static str, span: Span) {
        if self.level == 1 {
            let at = push(&mut self.code.statements, TopStatement { kind, span });
            self.emit(Op::Statement(at), span);
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        let span = stmt.span;
        match &stmt.kind {
            StmtKind::Let { name, value, constant } => self.let_(name, value, *constant, span),
            StmtKind::Set { target, value } => self.set(target, value, span),
            StmtKind::Return(value) => {
                self.expr(value);
                self.emit(Op::Return, span);
            }
            StmtKind::If { condition, then, otherwise } => self.if_(condition, then, otherwise, span),
            StmtKind::RepeatTimes { count, body } => self.repeat(count, body, span),
            StmtKind::RepeatWhile { condition, limit, limit_span, body } => {
                self.repeat_while(condition, (*limit, *limit_span), body, span);
            }
            StmtKind::ForEach { item, list, body } => self.for_each(item, list, body, span),
            StmtKind::Match { subject, cases, otherwise } => {
                self.match_(subject, cases, otherwise.as_ref(), span);
            }
            StmtKind::Try { body, catch, handler } => self.try_(body, catch.as_ref(), handler, span),
            StmtKind::Order { target, field, descending } => self.order(target, field, *descending, span),
            StmtKind::Keep(count) => self.with(count, Op::KeepFirst, span),
            StmtKind::Await(name) => {
                let slot = self.slot(&name.text);
                self.emit(Op::Await(slot), span);
            }
            StmtKind::Tick(amount) => self.with(amount, Op::Tick, span),
            StmtKind::Yield(value) => self.with(value, Op::Yield, span),
            StmtKind::Notice(text) => {
                self.constant(Value::Text(text.clone()), span);
                self.emit(Op::Notice, span);
            }
            StmtKind::Enqueue { .. } | StmtKind::Log { .. } | StmtKind::Metric { .. } => self.effect(stmt),
            StmtKind::Parallel { .. } | StmtKind::Orchestration { .. } | StmtKind::RunAgents { .. } => {
                self.fork(stmt);
            }
            StmtKind::AskAi { .. } | StmtKind::RunAgent { .. } => self.ask(stmt),
            _ => self.record(stmt),
        }
    }

    fn with(&mut self, operand: &Expr, op: Op, span: Span) {
        self.expr(operand);
        self.emit(op, span);
    }

    fn let_(&mut self, name: &Name, value: &Expr, constant: bool, span: Span) {
        if !constant && self.moved(&Target::Local(name.clone()), Store::Let, value) {
            return;
        }
        let slot = self.slot(&name.text);
        if constant || !self.arithmetic_to(value, slot, Store::Let) {
            self.expr(value);
            self.emit(if constant { Op::LetConstant(slot) } else { Op::Let(slot) }, span);
        }
        self.assign(slot);
    }

    fn set(&mut self, target: &Target, value: &Expr, span: Span) {
        if self.moved(target, Store::Set, value) {
            return;
        }
        let op = match target {
            Target::Local(name) => {
                let slot = self.slot(&name.text);
                let surely = self.is_assigned(slot) && !self.constants.contains(&name.text);
                if surely && self.arithmetic_to(value, slot, Store::Let) {
                    return;
                }
                if surely { Op::Let(slot) } else { Op::Set(slot) }
            }
            Target::State(words) => Op::SetState(self.state(words)),
        };
        self.expr(value);
        self.emit(op, span);
    }

    /// Writes `x is list append x with e` and `x is map set x key k value v` so that the collection is moved, not
    /// copied: what makes a list built in a loop cost linear time.
    fn moved(&mut self, target: &Target, mode: Store, value: &Expr) -> bool {
        let ExprKind::Collection(op, operands) = &value.kind else { return false };
        let Some((source, rest)) = operands.split_first() else { return false };
        if !matches!(op, CollectionOp::ListAppend | CollectionOp::MapSet) || !same_place(target, source) {
            return false;
        }
        let append = *op == CollectionOp::ListAppend;
        match target {
            Target::Local(name) => {
                let slot = self.slot(&name.text);
                // What surely has a value need not be looked at before the operands are computed.
                if !self.is_assigned(slot) {
                    self.emit(Op::Need(slot), source.span);
                }
                rest.iter().for_each(|operand| self.expr(operand));
                let op = if append { Op::AppendLocal { slot, mode } } else { Op::PutLocal { slot, mode } };
                self.emit(op, value.span);
            }
            Target::State(words) => {
                let at = self.state(words);
                self.emit(Op::NeedState(at), source.span);
                rest.iter().for_each(|operand| self.expr(operand));
                self.emit(if append { Op::AppendState(at) } else { Op::PutState(at) }, value.span);
            }
        }
        true
    }

    /// Writes the body of a `reduce` and puts its value into the accumulator.
    pub(super) fn gather(&mut self, into: super::op::Slot, acc: &Name, body: &Expr) {
        let moved = self.moved(&Target::Local(acc.clone()), Store::Gather, body);
        if moved || self.arithmetic_to(body, into, Store::Gather) {
            return;
        }
        self.expr(body);
        self.emit(Op::Reduced(into), body.span);
    }

    fn if_(&mut self, condition: &Expr, then: &Block, otherwise: &Block, span: Span) {
        let unless = self.condition(condition, span);
        let one = self.maybe(|this| this.block(then));
        if otherwise.is_empty() {
            self.land(unless);
            return;
        }
        let over = self.emit(Op::Jump(0), span);
        self.land(unless);
        let other = self.maybe(|this| this.block(otherwise));
        self.sure_in_both(one, other);
        self.land(over);
    }

    fn repeat(&mut self, count: &Expr, body: &Block, span: Span) {
        self.with(count, Op::RepeatOpen, span);
        let next = self.emit(Op::RepeatNext(0), span);
        let top = self.here();
        self.maybe(|this| this.block(body));
        self.emit(Op::RepeatAgain(top), span);
        self.land(next);
        self.emit(Op::LoopClose, span);
    }

    fn repeat_while(&mut self, condition: &Expr, limit: (u64, Span), body: &Block, span: Span) {
        self.emit(Op::WhileOpen, span);
        // A run has fewer steps than 2^32 rounds need.
        let rounds = u32::try_from(limit.0).unwrap_or(u32::MAX);
        self.emit(Op::WhileCheck(rounds), limit.1);
        let top = self.here();
        let unless = self.condition(condition, span);
        self.maybe(|this| this.block(body));
        self.emit(Op::WhileAgain { limit: rounds, top }, limit.1);
        self.land(unless);
        self.emit(Op::LoopClose, span);
    }

    fn for_each(&mut self, item: &Name, list: &Expr, body: &Block, span: Span) {
        self.with(list, Op::WalkOpen(super::op::Walk::ForEach), span);
        let slot = self.slot(&item.text);
        let next = self.emit(Op::WalkNext { slot, out: 0 }, span);
        let top = self.here();
        self.maybe(|this| {
            this.assign(slot);
            this.block(body);
        });
        self.emit(Op::WalkAgain { slot, top }, span);
        self.land(next);
        self.emit(Op::LoopClose, span);
    }

    fn match_(&mut self, subject: &Expr, cases: &[(Expr, Block)], otherwise: Option<&Block>, span: Span) {
        self.expr(subject);
        let mut done = Vec::new();
        for (pattern, block) in cases {
            self.emit(Op::Dup, span);
            self.expr(pattern);
            let next = self.emit(Op::UnlessEqual(0), span);
            self.emit(Op::Drop, span);
            self.maybe(|this| this.block(block));
            done.push(self.emit(Op::Jump(0), span));
            self.land(next);
        }
        self.emit(Op::Drop, span);
        if let Some(block) = otherwise {
            self.maybe(|this| this.block(block));
        }
        done.into_iter().for_each(|at| self.land(at));
    }

    fn try_(&mut self, body: &Block, catch: Option<&Name>, handler: &Block, span: Span) {
        let open = self.emit(Op::TryOpen(0), span);
        self.maybe(|this| this.block(body));
        self.emit(Op::TryClose, span);
        let over = self.emit(Op::Jump(0), span);
        self.land(open);
        // The caught fault stands on the stack.
        match catch {
            Some(name) => {
                let slot = self.slot(&name.text);
                self.emit(Op::Caught(slot), span)
            }
            None => self.emit(Op::Drop, span),
        };
        self.maybe(|this| this.block(handler));
        self.land(over);
    }

    fn order(&mut self, target: &Target, field: &Name, descending: bool, span: Span) {
        let target = match target {
            Target::Local(name) => {
                self.slot(&name.text);
                OrderTarget::Local(name.text.clone())
            }
            Target::State(words) => OrderTarget::State(state_path(words)),
        };
        let form = OrderForm { target, field: field.text.clone(), descending };
        let at = push(&mut self.code.orders, form);
        self.emit(Op::Order(at), span);
    }

    fn effect(&mut self, stmt: &Stmt) {
        let mut span = stmt.span;
        let op = match &stmt.kind {
            StmtKind::Enqueue { job, due, input } => {
                span = job.span;
                let Some(unit) = self.index.job(&job.text) else { return self.unknown("job", job, job.span) };
                input.iter().for_each(|input| self.expr(input));
                due.iter().for_each(|(_, when)| self.expr(when));
                let form = EnqueueForm {
                    job: unit,
                    input: input.is_some(),
                    due: due.as_ref().map(|(kind, _)| *kind),
                };
                Op::Enqueue(push(&mut self.code.enqueues, form))
            }
            StmtKind::Log { level, message, fields } => {
                self.expr(message);
                fields.iter().for_each(|fields| self.expr(fields));
                let form = LogForm { level: *level, fields: fields.is_some() };
                Op::Log(push(&mut self.code.logs, form))
            }
            StmtKind::Metric { name, op, value, labels } => {
                value.iter().for_each(|value| self.expr(value));
                labels.iter().for_each(|labels| self.expr(labels));
                let form = MetricForm {
                    name: name.text.clone(),
                    op: *op,
                    value: value.is_some(),
                    labels: labels.is_some(),
                };
                Op::Metric(push(&mut self.code.metrics, form))
            }
            _ => return,
        };
        self.emit(op, span);
    }
}

/// Whether the expression reads exactly what the target writes.
fn same_place(target: &Target, source: &Expr) -> bool {
    match (target, &source.kind) {
        (Target::Local(name), ExprKind::Name { root, attrs }) => {
            attrs.is_empty() && *root == name.text && &**root != "identity"
        }
        (Target::State(path), ExprKind::State(words)) => {
            path.iter().map(|word| &word.text).eq(words.iter().map(|word| &word.text))
        }
        _ => false,
    }
}
