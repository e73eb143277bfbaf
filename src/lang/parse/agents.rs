//! Statements that let agents answer, one or several, and how their answers become one.

use super::super::ast::{AgentEntry, AgentMerge, AgentPolicy, AskMode, Name, StmtKind};
use super::super::span::Span;
use super::super::token::is_reserved;
use super::{Parsed, Parser, plain};

/// `planner drafts E as r` runs the agent, whatever the verb.
const VERBS: [&str; 8] =
    ["drafts", "plans", "reviews", "critiques", "researches", "enriches", "summarizes", "answers"];

impl Parser<'_, '_> {
    /// `run agent ...` or `run agents in parallel:`, at the word `run`.
    pub(super) fn run_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        if self.cursor.at_word("agent") {
            let entry = self.agent_entry()?;
            let target = self.result_name("to bind agent result")?;
            return Ok(StmtKind::RunAgent { entry, target });
        }
        if !self.cursor.eat_words(&["agents", "in", "parallel"]) {
            return plain("Expected 'agent' or 'agents' after run", self.cursor.span());
        }
        self.cursor.expect_sign(":", "after parallel")?;
        if !self.cursor.at_block() {
            return plain("Expected indented parallel block", self.cursor.block_span());
        }
        let entries = self.lines("run agents", Self::agent_entry)?;
        let merge = if self.cursor.at_word("merge") { Some(self.agent_merge()?) } else { None };
        let target = self.result_name("to bind agent results")?;
        Ok(StmtKind::RunAgents { entries, merge, target })
    }

    /// `as r`
    pub(super) fn result_name(&mut self, place: &str) -> Parsed<Name> {
        self.cursor.expect_word("as", place)?;
        self.cursor.new_name("a name")
    }

    /// `agent "a" with input: E`
    fn agent_entry(&mut self) -> Parsed<AgentEntry> {
        self.cursor.expect_word("agent", "in run agents")?;
        let agent = self.cursor.reference("agent name")?;
        let span = agent.span;
        let mode = self.input_mode("agent name")?;
        let input = self.expression()?;
        Ok(AgentEntry { agent, mode, input, span })
    }

    /// `with input:`, `with text input:`, `with structured input from`
    fn input_mode(&mut self, after: &str) -> Parsed<AskMode> {
        self.cursor.expect_word("with", &format!("after {after}"))?;
        self.input_clause("in agent statement")
    }

    /// What stands behind `with`: `input:`, `text input:`, `structured input from`.
    pub(super) fn input_clause(&mut self, place: &str) -> Parsed<AskMode> {
        if self.cursor.eat_word("structured") {
            self.cursor.expect_word("input", "after structured")?;
            self.cursor.eat_word("from");
            self.cursor.eat_sign(":");
            return Ok(AskMode::Structured);
        }
        if let Some(mode @ ("image" | "audio")) = self.cursor.word()
            && self.cursor.word_at(1) == Some("input")
        {
            return plain(format!("AI {mode} input is not supported by this runtime."), self.cursor.span());
        }
        self.cursor.eat_word("text");
        self.cursor.expect_word("input", place)?;
        self.cursor.eat_sign(":");
        Ok(AskMode::Text)
    }

    /// Whether `name verb` begins here.
    pub(super) fn at_agent_verb(&self) -> bool {
        let name = self.cursor.word().is_some_and(|word| !is_reserved(word));
        name && self.cursor.word_at(1).is_some_and(|word| VERBS.contains(&word))
    }

    pub(super) fn agent_verb_statement(&mut self) -> Parsed<StmtKind> {
        let entry = self.verb_entry()?;
        let target = self.result_name("to bind agent result")?;
        Ok(StmtKind::RunAgent { entry, target })
    }

    fn verb_entry(&mut self) -> Parsed<AgentEntry> {
        let span = self.cursor.span();
        let agent = self.cursor.new_name("an agent")?;
        if !self.cursor.word().is_some_and(|word| VERBS.contains(&word)) {
            return plain(
                format!("Expected one of {} after the agent", VERBS.join(", ")),
                self.cursor.span(),
            );
        }
        self.cursor.next();
        let input = self.expression()?;
        Ok(AgentEntry { agent, mode: AskMode::Text, input, span })
    }

    /// `in parallel:` with lines `planner drafts E`, then `merge policy is "all" as r` or `as r`.
    pub(super) fn in_parallel_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        self.cursor.expect_word("parallel", "after in")?;
        self.cursor.expect_sign(":", "after parallel")?;
        if !self.cursor.at_block() {
            return plain("Expected indented parallel block", self.cursor.block_span());
        }
        // The name a line gives its answer is for the reader: the answers are bound together, behind the merge.
        let entries = self.lines("agents in parallel", |parser| {
            let entry = parser.verb_entry()?;
            if parser.cursor.at_word("as") {
                parser.result_name("to bind agent result")?;
            }
            Ok(entry)
        })?;
        let merge = if self.cursor.at_word("merge") { Some(self.agent_merge()?) } else { None };
        let target = self.result_name("to bind agent results")?;
        Ok(StmtKind::RunAgents { entries, merge, target })
    }

    /// `merge:` with its lines, or `merge policy is "p"` on one line.
    fn agent_merge(&mut self) -> Parsed<AgentMerge> {
        let span = self.cursor.next().span;
        let mut merge = Settings::default();
        if self.cursor.eat_sign(":") {
            if !self.cursor.at_block() {
                return plain("Expected indented settings in merge", self.cursor.block_span());
            }
            if !self.settings("merge", |parser| merge.read(parser))? {
                return Ok(AgentMerge::all(span));
            }
        } else {
            merge.read(self)?;
        }
        merge.finish(span)
    }

    /// `is list: "a", "b"` behind a setting's word.
    pub(super) fn is_text_list(&mut self, setting: &str) -> Parsed<Vec<Name>> {
        self.cursor.expect_word("is", &format!("after {setting}"))?;
        if self.cursor.eat_word("list") {
            if self.cursor.eat_word("of") {
                self.type_word()?;
            }
            self.cursor.expect_sign(":", "after list")?;
        }
        if self.cursor.at_block() {
            let lines = self.lines(setting, |parser| {
                let name = parser.cursor.text(setting)?;
                parser.cursor.eat_sign(",");
                Ok(name)
            })?;
            return Ok(lines);
        }
        let bracketed = self.cursor.eat_sign("[");
        let mut names = vec![self.cursor.text(setting)?];
        while self.cursor.eat_sign(",") && !self.cursor.at_line_end() {
            names.push(self.cursor.text(setting)?);
        }
        if bracketed {
            self.cursor.expect_sign("]", "after the list")?;
        }
        Ok(names)
    }
}

/// Lines of a `merge:` block as they are read.
#[derive(Default)]
struct Settings {
    policy: Option<Name>,
    require_keys: Vec<Name>,
    require_non_empty: bool,
    score_key: Option<Name>,
    score_rule: Option<Name>,
    min_consensus: Option<u64>,
    consensus_key: Option<Name>,
}

impl Settings {
    fn read(&mut self, parser: &mut Parser<'_, '_>) -> Parsed<()> {
        let setting = parser.cursor.any_word("merge field name")?;
        match setting.text.as_ref() {
            // Faults of the whole block stand where its policy is named.
            "policy" => {
                let policy = parser.cursor.is_text("merge policy")?.text;
                self.policy = Some(Name::new(policy, setting.span));
            }
            "require_keys" => self.require_keys = parser.is_text_list("require_keys")?,
            "require_non_empty" => {
                parser.cursor.expect_word("is", "after require_non_empty")?;
                self.require_non_empty = parser.cursor.boolean("require_non_empty")?;
            }
            "score_key" => self.score_key = Some(parser.cursor.is_text("score_key")?),
            "score_rule" => self.score_rule = Some(parser.cursor.is_text("score_rule")?),
            "consensus_key" => self.consensus_key = Some(parser.cursor.is_text("consensus_key")?),
            "min_consensus" => {
                parser.cursor.expect_word("is", "after min_consensus")?;
                let (least, _) = parser.cursor.whole_number("min_consensus")?;
                if least == 0 {
                    let text = "Merge field 'min_consensus' must be a positive integer.";
                    return plain(text, setting.span);
                }
                self.min_consensus = Some(least);
            }
            other => return plain(format!("Unknown merge field '{other}'."), setting.span),
        }
        Ok(())
    }

    fn finish(self, span: Span) -> Parsed<AgentMerge> {
        let Self {
            policy,
            require_keys,
            require_non_empty,
            score_key,
            score_rule,
            min_consensus,
            consensus_key,
        } = self;
        let Some(named) = policy else { return plain("Merge field 'policy' is required.", span) };
        let policy = match named.text.as_ref() {
            "all" => AgentPolicy::All,
            "first_valid" => AgentPolicy::FirstValid,
            "ranked" => AgentPolicy::Ranked,
            "consensus" => AgentPolicy::Consensus,
            other => return plain(format!("Unknown merge policy '{other}'."), named.span),
        };
        let refused = match policy {
            AgentPolicy::Ranked if score_key.is_none() && score_rule.is_none() => {
                Some("Merge policy 'ranked' requires score_key or score_rule.")
            }
            AgentPolicy::Ranked if score_key.is_some() && score_rule.is_some() => {
                Some("Merge policy 'ranked' may not set both score_key and score_rule.")
            }
            AgentPolicy::Consensus if min_consensus.is_none() => {
                Some("Merge policy 'consensus' requires min_consensus.")
            }
            _ => None,
        };
        if let Some(text) = refused {
            return plain(text, named.span);
        }
        if let Some(rule) = score_rule.as_ref().filter(|rule| *rule.text != *"text_length") {
            let text = format!("Merge policy 'ranked' does not support score_rule '{}'.", rule.text);
            return plain(text, named.span);
        }
        Ok(AgentMerge {
            policy,
            require_keys,
            require_non_empty,
            score_key,
            score_rule,
            min_consensus,
            consensus_key,
            span,
        })
    }
}
