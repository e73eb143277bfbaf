//! Blocks and simple statements.
//!
//! A statement begins with its keyword; words that are no keywords elsewhere (`log`, `keep`, ...) are told apart here.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::ast::{Block, Expr, ExprKind, LogLevel, Name, Stmt, StmtKind, Target};
use super::super::fault::Fault;
use super::super::span::Span;
use super::super::token::TokenKind;
use super::{Parsed, Parser, guided, plain};

/// Statements of the reference that belong to one demonstration and are left out.
const LEFT_OUT: [&str; 6] = ["plan", "review", "timeline", "compute", "increment", "start"];

impl Parser<'_, '_> {
    /// Refuses what is no indented block: the line must end, and the next one be deeper.
    pub(super) fn block_follows(&self, line_end: &str, block: &str) -> Parsed<()> {
        if !self.cursor.at_newline() {
            return plain(format!("Expected {line_end}"), self.cursor.span());
        }
        if !self.cursor.at_block() {
            return plain(format!("Expected {block}"), self.cursor.block_span());
        }
        Ok(())
    }

    /// `:`, then an indented block of statements; `after` says what the colon follows.
    pub(super) fn colon_block(&mut self, after: &str) -> Parsed<Block> {
        let span = self.cursor.span();
        if !self.cursor.eat_sign(":") {
            return guided(
                format!("Expected ':' after {after}"),
                [
                    "A colon opens the block of lines that belong to it.",
                    "End the line with a colon and indent the block. There is no 'else if': nest an 'if' instead.",
                    "if n is 1:\n  return \"one\"\nelse:\n  return \"many\"",
                ],
                span,
            );
        }
        let (line_end, block) = match after {
            "condition" => ("newline after condition", "an indented block after 'if'.".to_owned()),
            "else" => ("newline after else", "an indented block after 'else'.".to_owned()),
            other => ("newline before block", format!("indented block after {other}")),
        };
        self.block_follows(line_end, &block)?;
        self.block()
    }

    /// The indented block that follows, if one does.
    pub(super) fn block(&mut self) -> Parsed<Block> {
        let mut block = Block::new();
        if self.cursor.enter_block() {
            self.nested(|parser| parser.statements(&mut block))?;
            self.cursor.leave_block("in statement")?;
        }
        Ok(block)
    }

    /// Statements up to the end of the block. A fault costs one statement with its blocks.
    pub(super) fn statements(&mut self, block: &mut Block) -> Parsed<()> {
        let level = self.cursor.level();
        while !self.cursor.at_dedent() && !self.cursor.at_end() {
            let before = self.cursor.position();
            if let Err(fault) = self.statement(block) {
                self.report(*fault);
                self.cursor.skip_line(level);
                if self.cursor.position() == before {
                    self.cursor.next();
                }
            }
            self.cursor.skip_newlines();
        }
        Ok(())
    }

    /// One statement; a sugar block adds one per line.
    pub(super) fn statement(&mut self, block: &mut Block) -> Parsed<()> {
        let span = self.cursor.span();
        let kind = match self.cursor.word() {
            Some("let") => return self.let_statement(block, span),
            Some("set") => return self.set_statement(block, span),
            Some("calc") if self.cursor.sign_at(1, ":") => return self.calc_block(block),
            Some(word) => match self.keyword_statement(word) {
                Some(read) => read?,
                None => return Err(self.unknown_statement(word)),
            },
            None => return Err(self.unexpected("statement")),
        };
        block.push(Stmt { kind, span });
        Ok(())
    }

    /// Reads the statement that `word` begins, if it begins one.
    fn keyword_statement(&mut self, word: &str) -> Option<Parsed<StmtKind>> {
        Some(match word {
            "return" => self.with_value(StmtKind::Return),
            "yield" => self.with_value(StmtKind::Yield),
            "tick" => self.with_value(StmtKind::Tick),
            "if" => self.if_statement(),
            "repeat" => self.repeat_statement(),
            "for" => self.for_each(),
            "match" => self.match_statement(),
            "try" => self.try_statement(),
            "attempt" => self.attempt_statement(),
            "order" => self.order_statement(),
            "keep" => self.keep_statement(),
            "parallel" => self.parallel_statement(),
            "orchestration" => self.orchestration_statement(),
            "await" => self.await_statement(),
            "ask" => self.ask_statement(),
            "run" => self.run_statement(),
            "in" => self.in_parallel_statement(),
            "save" => self.save_statement(),
            "create" => self.create_statement(),
            "find" => self.find_statement(),
            "update" => self.update_statement(),
            "delete" => self.delete_statement(),
            "clear" => self.clear_statement(),
            "require" => self.require_statement(),
            "notice" => self.notice_statement(),
            "enqueue" => self.enqueue_statement(),
            "log" => self.log_statement(),
            "metric" => self.metric_statement(),
            _ if self.at_agent_verb() => self.agent_verb_statement(),
            _ => return None,
        })
    }

    fn unknown_statement(&self, word: &str) -> Box<Fault> {
        if !LEFT_OUT.contains(&word) {
            return self.unexpected("statement");
        }
        let text = format!("Statement '{word}' is not supported by this runtime.");
        Box::new(Fault::load(text, Some(self.cursor.span())))
    }

    fn with_value(&mut self, wrap: impl FnOnce(Expr) -> StmtKind) -> Parsed<StmtKind> {
        self.cursor.next();
        self.expression().map(wrap)
    }

    fn let_statement(&mut self, block: &mut Block, span: Span) -> Parsed<()> {
        self.cursor.next();
        if self.cursor.at_sign(":") {
            return self.let_block(block);
        }
        let kind = self.binding()?;
        block.push(Stmt { kind, span });
        Ok(())
    }

    /// `x is E [constant]`
    fn binding(&mut self) -> Parsed<StmtKind> {
        let name = self.cursor.new_name("identifier after 'let'")?;
        let span = self.cursor.span();
        if !self.cursor.eat_word("is") {
            return guided(
                "Expected 'is' in declaration",
                [
                    "A value is given with the word 'is'; '=' works only inside a calc block.",
                    "Write 'is' behind the name.",
                    "let x is 5",
                ],
                span,
            );
        }
        let value = self.value()?;
        let constant = self.cursor.eat_word("constant");
        Ok(StmtKind::Let { name, value, constant })
    }

    fn let_block(&mut self, block: &mut Block) -> Parsed<()> {
        self.cursor.next();
        self.block_follows("newline after let:", "an indented block after 'let:'.")?;
        let mut names = HashSet::new();
        let lines = self.lines("let block", |parser| {
            let mut line = Vec::new();
            loop {
                let span = parser.cursor.span();
                let kind = parser.binding()?;
                if let StmtKind::Let { name, .. } = &kind
                    && !names.insert(name.text.clone())
                {
                    return plain(format!("Duplicate let name '{}'.", name.text), name.span);
                }
                line.push(Stmt { kind, span });
                if !parser.cursor.eat_sign(",") || parser.cursor.at_line_end() {
                    return Ok(line);
                }
            }
        })?;
        block.extend(lines.into_iter().flatten());
        Ok(())
    }

    fn calc_block(&mut self, block: &mut Block) -> Parsed<()> {
        self.cursor.next();
        self.cursor.next();
        self.block_follows("newline after calc:", "an indented block after 'calc:'.")?;
        let mut names = HashSet::new();
        let lines = self.lines("calc block", |parser| {
            let span = parser.cursor.span();
            let target = parser.calc_target(&mut names)?;
            parser.cursor.expect_sign("=", "in calc assignment")?;
            if let Some(comma) = parser.cursor.line_sign(",") {
                return plain("Calc lines cannot contain commas.", comma);
            }
            let value = parser.value()?;
            parser.one_assignment()?;
            let kind = match target {
                Target::Local(name) => StmtKind::Let { name, value, constant: false },
                target => StmtKind::Set { target, value },
            };
            Ok(Stmt { kind, span })
        })?;
        block.extend(lines);
        Ok(())
    }

    /// What a line of `calc:` gives a value to; a local only once.
    fn calc_target(&mut self, names: &mut HashSet<Arc<str>>) -> Parsed<Target> {
        if self.cursor.at_word("state") {
            return Ok(Target::State(self.path_behind_state()?.0));
        }
        let span = self.cursor.span();
        if self.cursor.at_word("input") || self.cursor.sign_at(1, ".") {
            return plain("Calc assignments may only target local names or state paths.", span);
        }
        let name = self.cursor.new_name("identifier in calc assignment")?;
        if !names.insert(name.text.clone()) {
            return plain(format!("Duplicate calc name '{}'.", name.text), span);
        }
        Ok(Target::Local(name))
    }

    /// Refuses a second assignment on the line of one.
    fn one_assignment(&mut self) -> Parsed<()> {
        let same_line = !self.cursor.behind_block();
        if same_line && self.cursor.word().is_some() && self.cursor.sign_at(1, "=") {
            return plain("Calc line contains multiple assignments.", self.cursor.span());
        }
        Ok(())
    }

    fn set_statement(&mut self, block: &mut Block, span: Span) -> Parsed<()> {
        self.cursor.next();
        let target = self.target()?;
        if self.cursor.at_word("with") {
            return match &target {
                Target::State(path) => self.set_with(block, path),
                Target::Local(_) => plain("Set block target must be a state path.", span),
            };
        }
        self.cursor.expect_word("is", "in assignment")?;
        let value = self.value()?;
        block.push(Stmt { kind: StmtKind::Set { target, value }, span });
        Ok(())
    }

    /// A local or a state path.
    pub(super) fn target(&mut self) -> Parsed<Target> {
        if self.cursor.at_word("state") {
            return Ok(Target::State(self.path_behind_state()?.0));
        }
        self.cursor.new_name("assignment target").map(Target::Local)
    }

    fn set_with(&mut self, block: &mut Block, path: &[Name]) -> Parsed<()> {
        self.cursor.next();
        for field in self.distinct_fields("set", "Set block has no assignments.")? {
            let span = field.path[0].span;
            let target = Target::State(path.iter().cloned().chain(field.path).collect());
            block.push(Stmt { kind: StmtKind::Set { target, value: field.value }, span });
        }
        Ok(())
    }

    fn order_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        let target = self.target()?;
        self.cursor.expect_word("by", "in order statement")?;
        let field = self.cursor.any_word("a field name")?;
        self.cursor.expect_word("from", "in order statement")?;
        let descending = self.cursor.at_word("highest");
        let words: &[&str] =
            if descending { &["highest", "to", "lowest"] } else { &["lowest", "to", "highest"] };
        let wrong = words.iter().enumerate().find(|(ahead, word)| self.cursor.word_at(*ahead) != Some(word));
        if let Some((ahead, _)) = wrong {
            return plain(
                "Order direction must be highest to lowest or lowest to highest.",
                self.cursor.peek_at(ahead).span,
            );
        }
        words.iter().for_each(|_| {
            self.cursor.next();
        });
        Ok(StmtKind::Order { target, field, descending })
    }

    fn keep_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        self.cursor.expect_word("first", "after keep")?;
        let count = self.expression()?;
        self.cursor.expect_word("items", "in keep statement")?;
        Ok(StmtKind::Keep(count))
    }

    fn await_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        self.cursor.new_name("async variable name after await").map(StmtKind::Await)
    }

    fn notice_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        if !matches!(self.cursor.peek().kind, TokenKind::Text(_)) {
            return plain("Expected message after 'notice'", self.cursor.span());
        }
        self.cursor.text("notice").map(|message| StmtKind::Notice(message.text))
    }

    fn log_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        if self.cursor.word().is_none() {
            return plain("Log statement is missing a level.", self.cursor.span());
        }
        let word = self.cursor.any_word("a log level")?;
        let level = match word.text.to_lowercase().as_str() {
            "debug" => LogLevel::Debug,
            "info" => LogLevel::Info,
            "warn" => LogLevel::Warn,
            "error" => LogLevel::Error,
            _ => return plain(format!("Unknown log level '{}'.", word.text), word.span),
        };
        if self.cursor.at_line_end() {
            return plain("Log statement is missing a message.", self.cursor.span());
        }
        let message = self.expression()?;
        let fields = self.with_fields("Log fields are missing.")?;
        Ok(StmtKind::Log { level, message, fields })
    }

    /// `with MAP`, if it follows; `missing` says what a bare `with` lacks.
    pub(super) fn with_fields(&mut self, missing: &str) -> Parsed<Option<Expr>> {
        if !self.cursor.eat_word("with") {
            return Ok(None);
        }
        if self.cursor.at_line_end() {
            return plain(missing, self.cursor.span());
        }
        self.expression().map(Some)
    }

    /// A literal, a name or a state path, as `match` takes it.
    pub(super) fn pattern(&mut self) -> Parsed<Expr> {
        let span = self.cursor.span();
        let negative = matches!(
            (&self.cursor.peek().kind, &self.cursor.peek_at(1).kind),
            (TokenKind::Sign("-"), TokenKind::Number(_))
        );
        let pattern = if negative { self.sum()?.expr } else { self.expression()? };
        let simple = match &pattern.kind {
            ExprKind::Unary(_, operand) => negative && matches!(operand.kind, ExprKind::Number(_)),
            ExprKind::Name { attrs, .. } => attrs.is_empty(),
            ExprKind::Null
            | ExprKind::Bool(_)
            | ExprKind::Number(_)
            | ExprKind::Text(_)
            | ExprKind::State(_) => true,
            _ => false,
        };
        if simple {
            return Ok(pattern);
        }
        guided(
            "Match patterns must be literal or identifier",
            [
                "A case is compared with one value, not computed.",
                "Compute the value before the match and name it.",
                "when 3:",
            ],
            span,
        )
    }
}
