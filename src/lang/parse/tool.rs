//! Tools, prompts and one-shot model calls.

use super::super::ast::{LlmCallDecl, Program, PromptDecl, ToolDecl};
use super::super::token::is_reserved;
use super::{Parsed, Parser, plain};

impl Parser<'_, '_> {
    /// `tool "name":`
    pub(super) fn tool_decl(&mut self, program: &mut Program) -> Parsed<()> {
        let span = self.cursor.next().span;
        let name = self.cursor.text("tool name")?;
        self.cursor.expect_sign(":", "after tool name")?;
        let mut runner = None;
        let (mut inputs, mut outputs, mut pure, mut timeout_seconds) = (None, None, false, None);
        let whole = self.settings("tool declaration", |parser| {
            let setting = parser.cursor.any_word("a tool setting")?;
            match setting.text.as_ref() {
                "implemented" => {
                    parser.cursor.expect_word("using", "after implemented")?;
                    runner = Some(parser.cursor.any_word("a tool runner")?);
                }
                "input" => inputs = Some(parser.field_block("tool input")?),
                "output" => outputs = Some(parser.field_block("tool output")?),
                "purity" => pure = parser.purity()?,
                "timeout_seconds" => {
                    parser.cursor.expect_word("is", "after timeout_seconds")?;
                    timeout_seconds = Some(parser.timeout()?);
                }
                "kind" | "entry" | "input_schema" | "output_schema" => {
                    return plain("Old tool syntax is no longer supported.", setting.span);
                }
                _ => return plain("Unknown field in tool declaration", setting.span),
            }
            Ok(())
        })?;
        if !whole {
            return Ok(());
        }
        let missing = |part: &str| format!("Tool \"{}\" is missing {part}.", name.text);
        let Some(runner) = runner else { return plain(missing("implementation"), span) };
        let Some(inputs) = inputs else { return plain(missing("an input section"), span) };
        let Some(outputs) = outputs else { return plain(missing("an output section"), span) };
        program.tools.push(ToolDecl { name, runner, inputs, outputs, pure, timeout_seconds, span });
        Ok(())
    }

    fn timeout(&mut self) -> Parsed<u64> {
        match self.cursor.whole_number("timeout_seconds")? {
            (0, span) => plain("timeout_seconds must be a positive integer", span),
            (seconds, _) => Ok(seconds),
        }
    }

    /// `prompt "name":`
    pub(super) fn prompt_decl(&mut self, program: &mut Program) -> Parsed<()> {
        let span = self.cursor.next().span;
        let name = self.cursor.text("prompt name")?;
        self.cursor.expect_sign(":", "after prompt name")?;
        let (mut version, mut text, mut description) = (None, None, None);
        let whole = self.settings("prompt declaration", |parser| {
            let setting = parser.cursor.any_word("a prompt setting")?;
            match setting.text.as_ref() {
                "version" => version = Some(parser.cursor.is_text("version")?.text),
                "text" => text = Some(parser.cursor.is_text("prompt text")?.text),
                "description" => description = Some(parser.cursor.is_text("description")?.text),
                other => return plain(format!("Unknown prompt field '{other}'."), setting.span),
            }
            Ok(())
        })?;
        if !whole {
            return Ok(());
        }
        let Some(version) = version else { return plain("Prompt is missing a version", span) };
        let Some(text) = text else { return plain("Prompt is missing text", span) };
        program.prompts.push(PromptDecl { name, version, text, description, span });
        Ok(())
    }

    /// `llm_call "name":` and its kin, which ask once too: `summarise`, `translate`, `classification`.
    pub(super) fn llm_call_decl(&mut self, kind: &str, program: &mut Program) -> Parsed<()> {
        let span = self.cursor.next().span;
        let name = self.cursor.text("AI flow name")?;
        self.cursor.expect_sign(":", &format!("after {kind} name"))?;
        if is_reserved(&name.text) {
            return plain(format!("Flow name '{}' is reserved.", name.text), span);
        }
        let (mut model, mut prompt, mut output) = (None, None, None);
        let mut languages = 0;
        let mut labels = Vec::new();
        let whole = self.settings(&format!("{kind} declaration"), |parser| {
            let setting = parser.cursor.any_word(&format!("a setting of {kind}"))?;
            match setting.text.as_ref() {
                "source_language" | "target_language" if kind == "translate" => {
                    parser.cursor.is_text(&setting.text)?;
                    languages += 1;
                }
                "labels" if kind.starts_with("classif") => {
                    parser.cursor.expect_sign(":", "after labels")?;
                    labels = parser.lines("labels", |parser| {
                        let label = parser.cursor.text("label")?;
                        parser.cursor.eat_sign(",");
                        Ok(label)
                    })?;
                }
                "model" => model = Some(parser.cursor.is_text("model")?.text),
                "prompt" => prompt = Some(parser.cursor.is_text("prompt")?.text),
                "output" => {
                    parser.cursor.expect_word("is", "after output")?;
                    output = Some(parser.type_ref()?);
                }
                other => return plain(format!("Unknown {kind} field '{other}'."), setting.span),
            }
            Ok(())
        })?;
        if !whole {
            return Ok(());
        }
        let Some(model) = model else { return plain("AI flow is missing a model", span) };
        let Some(prompt) = prompt else { return plain("AI flow is missing a prompt", span) };
        if kind == "translate" && languages < 2 {
            return plain("Translate flow is missing source_language or target_language", span);
        }
        if kind.starts_with("classif") && labels.is_empty() {
            return plain("Classification flow is missing labels", span);
        }
        program.llm_calls.push(LlmCallDecl { name, model, prompt, output, span });
        Ok(())
    }
}
