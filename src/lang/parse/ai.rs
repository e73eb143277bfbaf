//! Asking a model: the statement, and the declarations of profiles and agents.

use std::sync::Arc;

use super::super::ast::{AgentDecl, MemoryDecl, Name, ProfileDecl, Program, StmtKind, TeamDecl};
use super::super::span::Span;
use super::super::token::TokenKind;
use super::{Parsed, Parser, guided, plain};

impl Parser<'_, '_> {
    pub(super) fn ask_statement(&mut self) -> Parsed<StmtKind> {
        self.cursor.next();
        self.cursor.expect_word("ai", "after 'ask'")?;
        let profile = self.cursor.reference("AI profile name")?;
        self.cursor.expect_word("with", "in ask ai statement")?;
        let stream = self.cursor.at_word("stream") && self.stream_setting()?;
        let mode = self.input_clause("in ask ai statement")?;
        let input = self.expression()?;
        let target = self.result_name("to bind AI result")?;
        Ok(StmtKind::AskAi { profile, mode, input, stream, target })
    }

    /// `stream: true and`, at the word `stream`.
    fn stream_setting(&mut self) -> Parsed<bool> {
        self.cursor.next();
        self.cursor.eat_sign(":");
        self.cursor.eat_word("is");
        let stream = self.cursor.boolean("stream")?;
        self.cursor.eat_word("and");
        Ok(stream)
    }

    /// `ai "name":`
    pub(super) fn profile_decl(&mut self, program: &mut Program) -> Parsed<()> {
        let span = self.cursor.next().span;
        let name = self.cursor.text("AI name")?;
        self.cursor.expect_sign(":", "after AI name")?;
        let mut draft = Draft::default();
        if !self.settings("AI declaration", |parser| draft.read(parser))? {
            return Ok(());
        }
        let Draft { provider, model, system_prompt, tools, memory } = draft;
        let Some(model) = model else {
            return guided(
                "AI declaration requires a model",
                [
                    "Every call of a profile names the model it is for.",
                    "Add a model line.",
                    "ai \"helper\":\n  model is \"small\"",
                ],
                span,
            );
        };
        let provider = provider.unwrap_or_else(|| Name::new("mock", span));
        program.profiles.push(ProfileDecl { name, provider, model, system_prompt, tools, memory, span });
        Ok(())
    }

    /// `agent "name":`
    pub(super) fn agent_decl(&mut self, program: &mut Program) -> Parsed<()> {
        let span = self.cursor.next().span;
        let name = self.cursor.text("agent name")?;
        self.cursor.expect_sign(":", "after agent name")?;
        let (mut profile, mut system_prompt, mut role) = (None, None, None);
        let whole = self.settings("agent declaration", |parser| {
            let setting = parser.cursor.any_word("an agent setting")?;
            match setting.text.as_ref() {
                "ai" => profile = Some(parser.cursor.is_text("AI profile name")?),
                "system_prompt" => system_prompt = Some(parser.cursor.is_text("system_prompt")?.text),
                "role" => role = Some(parser.cursor.is_text("role")?.text),
                _ => return plain("Unknown field in agent declaration", setting.span),
            }
            Ok(())
        })?;
        if !whole {
            return Ok(());
        }
        if profile.is_none() {
            return plain("Agent requires an AI profile", span);
        }
        program.agents.push(AgentDecl { name, profile, system_prompt, role, span });
        Ok(())
    }

    /// `team of agents` with quoted names, or `agent "x"` blocks: metadata that changes nothing.
    pub(super) fn team_decl(&mut self, program: &mut Program) -> Parsed<()> {
        let span = self.cursor.next().span;
        self.cursor.expect_word("of", "after team")?;
        self.cursor.expect_word("agents", "after 'team of'")?;
        self.cursor.eat_sign(":");
        if !self.cursor.at_block() {
            return plain("Expected indented team body", self.cursor.block_span());
        }
        let members = self.lines("team of agents", |parser| {
            if let TokenKind::Text(_) = parser.cursor.peek().kind {
                return parser.cursor.text("agent name");
            }
            parser.cursor.expect_word("agent", "in team of agents")?;
            let name = parser.cursor.text("agent name")?;
            parser.cursor.eat_sign(":");
            parser.lines("team agent", |parser| {
                let field = parser.cursor.any_word("a field of the agent")?;
                if *field.text != *"role" {
                    let text = format!("Unknown field '{}' in agent team declaration.", field.text);
                    return plain(text, field.span);
                }
                parser.cursor.is_text("role").map(|_| ())
            })?;
            Ok(name)
        })?;
        if program.team.is_some() {
            return plain("Team of agents is declared more than once.", span);
        }
        program.team = Some(TeamDecl { members, span });
        Ok(())
    }

    fn memory_decl(&mut self) -> Parsed<MemoryDecl> {
        self.cursor.expect_sign(":", "after memory")?;
        let mut memory = MemoryDecl::default();
        self.lines("memory", |parser| {
            let setting = parser.cursor.any_word("a memory setting")?;
            parser.cursor.expect_word("is", "after memory setting")?;
            match setting.text.as_ref() {
                "short_term" => memory.short_term = parser.cursor.whole_number("short_term")?.0,
                "semantic" => memory.semantic = parser.cursor.boolean("semantic")?,
                "profile" => memory.profile = parser.cursor.boolean("profile")?,
                _ => return plain("Unknown memory field", setting.span),
            }
            Ok(())
        })?;
        Ok(memory)
    }

    fn exposed_tools(&mut self) -> Parsed<Vec<Name>> {
        self.cursor.expect_sign(":", "after tools")?;
        self.lines("tools", |parser| {
            parser.cursor.expect_word("expose", "in tools")?;
            parser.cursor.text("tool name")
        })
    }
}

/// Lines of a profile as they are read.
#[derive(Default)]
struct Draft {
    provider: Option<Name>,
    model: Option<Name>,
    system_prompt: Option<Arc<str>>,
    tools: Vec<Name>,
    memory: MemoryDecl,
}

impl Draft {
    fn read(&mut self, parser: &mut Parser<'_, '_>) -> Parsed<()> {
        let setting = parser.cursor.any_word("an AI setting")?;
        match setting.text.as_ref() {
            "provider" => self.provider = Some(parser.cursor.is_text("provider")?),
            "model" => self.model = Some(parser.cursor.is_text("model")?),
            "system_prompt" => self.system_prompt = Some(parser.cursor.is_text("system_prompt")?.text),
            "tools" => self.tools = parser.exposed_tools()?,
            "memory" => self.memory = parser.memory_decl()?,
            _ => return Self::unknown(setting.span),
        }
        Ok(())
    }

    fn unknown(span: Span) -> Parsed<()> {
        guided(
            "Unknown field in AI declaration",
            [
                "A profile has provider, model, system_prompt, tools and memory.",
                "Remove the line or correct its first word.",
                "ai \"helper\":\n  provider is \"mock\"\n  model is \"small\"",
            ],
            span,
        )
    }
}
