//! Pages: the plain items; everything else of a user interface is refused by name.

use super::super::ast::{ContainerKind, PageDecl, PageItem, PageItemKind, Program};
use super::super::token::TokenKind;
use super::{Parsed, Parser, guided, plain};

impl Parser<'_, '_> {
    /// `page "name" [: requires E]:`
    pub(super) fn page_decl(&mut self, program: &mut Program) -> Parsed<()> {
        let span = self.cursor.next().span;
        let name = self.cursor.text("page name")?;
        let mut requires = None;
        if self.cursor.eat_word("requires") {
            requires = Some(self.expression()?);
        }
        self.cursor.expect_sign(":", "after page name")?;
        if self.cursor.eat_word("requires") {
            requires = Some(self.expression()?);
            self.cursor.eat_sign(":");
        }
        self.cursor.expect_line_end("in page header")?;
        let items = self.lines("page", |parser| parser.nested(Self::page_item))?;
        program.pages.push(PageDecl { name, requires, items, span });
        Ok(())
    }

    fn page_item(&mut self) -> Parsed<PageItem> {
        let word = self.cursor.any_word("a page item")?;
        let span = word.span;
        let kind = match word.text.as_ref() {
            "title" => PageItemKind::Title(self.cursor.is_text("title")?.text),
            "text" => PageItemKind::Text(self.cursor.is_text("text")?.text),
            "image" => PageItemKind::Image(self.cursor.is_text("image")?.text),
            "divider" => PageItemKind::Divider,
            "form" => PageItemKind::Form(self.cursor.is_text("record name")?),
            "table" => PageItemKind::Table(self.cursor.is_text("record name")?),
            "button" => self.button()?,
            "section" => self.container(ContainerKind::Section)?,
            "card" => self.container(ContainerKind::Card)?,
            "row" => self.container(ContainerKind::Row)?,
            "column" => self.container(ContainerKind::Column)?,
            other => {
                return guided(
                    format!("Page item '{other}' is not supported by this runtime."),
                    [
                        "Pages have title, text, image, divider, button, form, table, section, card, row and column.",
                        "Remove the item or use one of these.",
                        "page \"home\":\n  title is \"Home\"",
                    ],
                    span,
                );
            }
        };
        Ok(PageItem { kind, span })
    }

    fn button(&mut self) -> Parsed<PageItemKind> {
        let label = self.cursor.text("button label")?;
        self.cursor.expect_sign(":", "after button label")?;
        let inside = self.cursor.enter_block();
        self.cursor.expect_word("calls", "in button")?;
        self.cursor.expect_word("flow", "after calls")?;
        let flow = self.cursor.reference("flow name")?;
        if inside {
            self.cursor.leave_block("in button")?;
        }
        Ok(PageItemKind::Button { label, flow })
    }

    fn container(&mut self, kind: ContainerKind) -> Parsed<PageItemKind> {
        let labelled = matches!(kind, ContainerKind::Section | ContainerKind::Card);
        let label = match self.cursor.peek().kind {
            TokenKind::Text(_) if labelled => Some(self.cursor.text("label")?.text),
            _ => None,
        };
        self.cursor.expect_sign(":", "after the container")?;
        if !self.cursor.at_block() {
            return plain("Expected indented page items", self.cursor.block_span());
        }
        let items = self.lines("page", |parser| parser.nested(Self::page_item))?;
        Ok(PageItemKind::Container { kind, label, items })
    }
}
