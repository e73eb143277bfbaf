//! Pages: what an app shows. They never change the result of a flow.

use std::sync::Arc;

use super::{Expr, Name};
use crate::lang::span::Span;

/// `page "name":`
#[derive(Debug, Clone, PartialEq)]
pub struct PageDecl {
    /// The page.
    pub name: Name,
    /// `requires E`
    pub requires: Option<Expr>,
    /// What it shows, from top to bottom.
    pub items: Vec<PageItem>,
    /// The `page` token.
    pub span: Span,
}

/// One item of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct PageItem {
    /// What it is.
    pub kind: PageItemKind,
    /// Its first token.
    pub span: Span,
}

/// The forms of a page item.
#[derive(Debug, Clone, PartialEq)]
pub enum PageItemKind {
    /// `title is "T"`
    Title(Arc<str>),
    /// `text is "T"`
    Text(Arc<str>),
    /// `image is "name"`
    Image(Arc<str>),
    /// `divider`
    Divider,
    /// `button "Label":` and `calls flow "f"`
    Button {
        /// What stands on it; its slug is part of the action id.
        label: Name,
        /// The flow it runs.
        flow: Name,
    },
    /// `form is "Record"`
    Form(Name),
    /// `table is "Record"`
    Table(Name),
    /// `section "S":`, `card "C":`, `row:`, `column:`
    Container {
        /// Which of them.
        kind: ContainerKind,
        /// The label of a section or card.
        label: Option<Arc<str>>,
        /// What it holds.
        items: Vec<PageItem>,
    },
}

/// Containers of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerKind {
    /// `section "S":`
    Section,
    /// `card "C":`
    Card,
    /// `row:`
    Row,
    /// `column:`
    Column,
}
