//! Tools, prompts and one-shot model calls.

use super::super::ast::{LlmCallDecl, Program, PromptDecl, ToolDecl};
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

    /// `llm_call "name":`
    pub(super) fn llm_call_decl(&mut self, program: &mut Program) -> Parsed<()> {
        let span = self.cursor.next().span;
        let name = self.cursor.text("llm_call name")?;
        self.cursor.expect_sign(":", "after llm_call name")?;
        let (mut model, mut prompt, mut output) = (None, None, None);
        let whole = self.settings("llm_call declaration", |parser| {
            let setting = parser.cursor.any_word("an llm_call setting")?;
            match setting.text.as_ref() {
                "model" => model = Some(parser.cursor.is_text("model")?.text),
                "prompt" => prompt = Some(parser.cursor.is_text("prompt")?.text),
                "output" => {
                    parser.cursor.expect_word("is", "after output")?;
                    output = Some(parser.type_ref()?);
                }
                other => return plain(format!("Unknown llm_call field '{other}'."), setting.span),
            }
            Ok(())
        })?;
        if !whole {
            return Ok(());
        }
        let Some(model) = model else { return plain("AI flow is missing a model", span) };
        let Some(prompt) = prompt else { return plain("AI flow is missing a prompt", span) };
        program.llm_calls.push(LlmCallDecl { name, model, prompt, output, span });
        Ok(())
    }
}
