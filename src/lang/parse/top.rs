//! The left margin: which declaration begins where, the spec line and the capabilities.

use super::super::ast::{Name, Program};
use super::super::fault::{Fault, Guide};
use super::super::token::TokenKind;
use super::{Parsed, Parser, guided, plain};

/// Declarations of the reference that are left out; each is refused by name.
const LEFT_OUT: [&str; 50] = [
    "app",
    "app_permissions",
    "call_pipeline",
    "capsule",
    "chain",
    "cluster",
    "cot",
    "crud",
    "dataset",
    "extension",
    "federation",
    "foreign",
    "function",
    "include",
    "ingestion",
    "layout",
    "llm_pattern",
    "metrics",
    "migration",
    "mlops",
    "model",
    "module",
    "pack",
    "package",
    "pattern",
    "permissions",
    "plugin",
    "policies",
    "policy",
    "preset",
    "qa",
    "quality",
    "rag",
    "rag_pipeline",
    "responsive",
    "retrieval",
    "service",
    "tenant",
    "theme",
    "theme_tokens",
    "tokens",
    "training",
    "version",
    "ui",
    "ui_layout",
    "ui_pack",
    "ui_pattern",
    "ui_state",
    "use",
    "wasm",
];

impl Parser<'_, '_> {
    /// The whole program.
    pub(super) fn program(&mut self) -> Program {
        let mut program = Program::default();
        self.cursor.skip_newlines();
        while !self.cursor.at_end() {
            let before = self.cursor.position();
            let read =
                self.declaration(&mut program).and_then(|()| self.cursor.expect_line_end("at top level"));
            if let Err(fault) = read {
                self.report(*fault);
                self.cursor.skip_line(0);
            }
            self.cursor.skip_newlines();
            if self.cursor.position() == before {
                self.cursor.next();
            }
        }
        if program.spec.is_none() {
            self.report(missing_spec());
        }
        program
    }

    fn declaration(&mut self, program: &mut Program) -> Parsed<()> {
        match self.cursor.word() {
            Some("spec") => self.spec_decl(program),
            Some("capabilities") => self.capabilities_decl(program),
            Some("identity") => self.identity_decl(program),
            Some("record") => self.record_decl(program),
            Some("ai") => self.profile_decl(program),
            Some("agent") => self.agent_decl(program),
            Some("team") => self.team_decl(program),
            Some("tool") => self.tool_decl(program),
            Some("define") => self.function_decl(program),
            Some("contract") => self.contract_decl(program),
            Some("flow") => self.flow_decl(program),
            Some(kind @ ("llm_call" | "summarise" | "translate" | "classification" | "classify")) => {
                self.llm_call_decl(kind, program)
            }
            Some("prompt") => self.prompt_decl(program),
            Some("route") => self.route_decl(program),
            Some("job") => self.job_decl(program),
            Some("page") => self.page_decl(program),
            _ => self.unexpected_declaration(),
        }
    }

    fn unexpected_declaration(&mut self) -> Parsed<()> {
        let token = self.cursor.peek();
        if let Some(word) = self.cursor.word().filter(|word| LEFT_OUT.contains(word)) {
            return plain(
                format!("Unexpected top-level token: '{word}' is not supported by this runtime."),
                token.span,
            );
        }
        guided(
            format!("Unexpected top-level token '{}'", token.kind.label()),
            [
                "At the left margin only declarations stand.",
                "Indent the line into a flow, or correct its first word.",
                "flow \"main\":\n  return 1",
            ],
            token.span,
        )
    }

    fn spec_decl(&mut self, program: &mut Program) -> Parsed<()> {
        let span = self.cursor.next().span;
        let version = self.cursor.is_text("spec version")?;
        if program.spec.is_some() {
            return plain("Spec is declared more than once.", span);
        }
        program.spec = Some(version);
        Ok(())
    }

    /// `capabilities:` with a name per line, or `[a, b]`.
    fn capabilities_decl(&mut self, program: &mut Program) -> Parsed<()> {
        let span = self.cursor.next().span;
        if !self.cursor.eat_sign(":") {
            self.cursor.eat_word("is");
        }
        if !program.capabilities.is_empty() {
            return plain("Capabilities are already declared.", span);
        }
        let mut names = Vec::new();
        if self.cursor.eat_sign("[") {
            while !self.cursor.at_sign("]") {
                names.push(self.capability()?);
                if !self.cursor.eat_sign(",") {
                    break;
                }
            }
            self.cursor.expect_sign("]", "after the capabilities")?;
        } else {
            self.lines("capabilities", |parser| {
                loop {
                    names.push(parser.capability()?);
                    if !parser.cursor.eat_sign(",") || parser.cursor.at_line_end() {
                        return Ok(());
                    }
                }
            })?;
        }
        program.capabilities = names;
        Ok(())
    }

    /// A word, or words between dots.
    fn capability(&mut self) -> Parsed<Name> {
        if let TokenKind::Text(_) = self.cursor.peek().kind {
            return self.cursor.text("capability");
        }
        let first = self.cursor.any_word("a capability")?;
        let rest = self.cursor.attributes()?;
        let text = rest.iter().fold(first.text.to_string(), |text, word| text + "." + &word.text);
        Ok(Name::new(text.to_lowercase(), first.span))
    }
}

fn missing_spec() -> Fault {
    let guide = Guide {
        what: "Spec declaration is missing.".into(),
        why: "A program says which version of the language it is written in.".into(),
        fix: "Add the line, usually as the first one.".into(),
        example: "spec is \"1.0\"".into(),
    };
    Fault::load_guided(guide, None)
}
