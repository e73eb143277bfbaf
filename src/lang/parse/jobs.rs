//! Jobs and measurements: `enqueue`, `metric`, and the declaration of a job.

use super::super::ast::{DueKind, JobDecl, MetricOp, Program, StmtKind};
use super::{Parsed, Parser, plain};

impl Parser<'_, '_> {
    pub(super) fn enqueue_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        self.cursor.expect_word("job", "after enqueue")?;
        let job = self.cursor.reference("job name")?;
        let kind = match self.cursor.word() {
            Some("after") => Some(DueKind::After),
            Some("at") => Some(DueKind::At),
            _ => None,
        };
        let due = match kind {
            Some(kind) => {
                self.cursor.next();
                Some((kind, self.expression()?))
            }
            None => None,
        };
        let input = if self.cursor.eat_word("with") {
            self.cursor.expect_word("input", "after with")?;
            self.cursor.eat_sign(":");
            Some(self.expression()?)
        } else {
            None
        };
        Ok(StmtKind::Enqueue { job, due, input })
    }

    pub(super) fn metric_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        if self.cursor.word().is_none() {
            return plain("Metric statement is missing a kind.", self.cursor.span());
        }
        let kind = self.cursor.any_word("'counter' or 'timing'")?;
        let counter = match kind.text.as_ref() {
            "counter" => true,
            "timing" => false,
            other => return plain(format!("Unknown metric kind '{other}'."), kind.span),
        };
        let name = self.cursor.reference("metric name")?;
        if self.cursor.word().is_none() {
            return plain("Metric statement is missing an operation.", self.cursor.span());
        }
        let word = self.cursor.any_word("a metric operation")?;
        let op = match (counter, word.text.as_ref()) {
            (true, "increment") => MetricOp::Increment,
            (true, "add") => MetricOp::Add,
            (true, "set") => MetricOp::Set,
            (false, "record") => MetricOp::Record,
            (_, other) => return plain(format!("Unsupported metric operation '{other}'."), word.span),
        };
        let bare = self.cursor.at_line_end() || self.cursor.at_word("with");
        if bare && op != MetricOp::Increment {
            let text = format!("Metric operation '{}' is missing a value.", word.text);
            return plain(text, self.cursor.span());
        }
        let value = if bare { None } else { Some(self.expression()?) };
        let labels = self.with_fields("Metric labels are missing.")?;
        Ok(StmtKind::Metric { name, op, value, labels })
    }

    /// `job "j" [when E]:`
    pub(super) fn job_decl(&mut self, program: &mut Program) -> Parsed<()> {
        let span = self.cursor.next().span;
        let name = self.cursor.text("job name")?;
        let when = if self.cursor.eat_word("when") { Some(self.expression()?) } else { None };
        if !self.cursor.eat_sign(":") {
            return plain("Job header is missing ':'.", name.span);
        }
        let body = self.block()?;
        program.jobs.push(JobDecl { name, when, body, span });
        Ok(())
    }
}
