//! Owns a loaded app: its tree, for whoever serves routes, pages and formats, and its compiled program, for the machine.
//! Must not run anything.

use std::sync::Arc;

use super::ast;
use super::compile::{self, code};
use super::fault::Fault;

/// An app that passed every check, ready to run. Share it in an `Arc`: a run only reads it.
#[derive(Debug)]
pub struct App {
    tree: ast::Program,
    program: code::Program,
    /// Flows whose runs neither see nor change what other runs leave.
    solitary: Vec<Arc<str>>,
    /// Flows whose runs write no records.
    reading: Vec<Arc<str>>,
}

impl App {
    /// Compiles a checked tree.
    ///
    /// # Errors
    /// Names that mean nothing, numbers and patterns of records that cannot be used; a checked tree has none of the
    /// first.
    pub fn new(tree: ast::Program) -> Result<Self, Vec<Fault>> {
        let program = compile::program(&tree)?;
        let solitary = compile::solitary_flows(&tree);
        let reading = compile::reading_flows(&tree);
        Ok(Self { tree, program, solitary, reading })
    }

    /// The syntax tree.
    #[must_use]
    pub fn tree(&self) -> &ast::Program {
        &self.tree
    }

    /// Whether a run of the flow neither sees nor changes state, records or memory, so that it may go on beside any
    /// other run.
    #[must_use]
    pub fn is_solitary(&self, flow: &str) -> bool {
        self.solitary.iter().any(|name| &**name == flow)
    }

    /// Whether no run of the flow can write a record; in doubt it can.
    #[must_use]
    pub fn only_reads(&self, flow: &str) -> bool {
        self.reading.iter().any(|name| &**name == flow)
    }

    /// The compiled program.
    pub(crate) fn program(&self) -> &code::Program {
        &self.program
    }
}
