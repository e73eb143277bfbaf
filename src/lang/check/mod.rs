//! What can be known about a program before it runs: names that mean nothing, calls that cannot fit, capabilities that
//! are missing, functions that do what functions may not.
//!
//! Reads the tree, never changes it. Every check is independent of the others; all faults are reported at once, in the
//! order of their places.

mod calls;
mod capabilities;
mod functions;
mod graph;
mod names;
mod notes;
mod references;
#[cfg(test)]
mod tests;
mod walk;

pub use notes::{Note, notes};

use super::ast::Program;
use super::fault::Fault;
use super::span::Span;

/// Faults reported for one program.
const MAX_FAULTS: usize = 100;

/// Every fault that static checks find in `program`; empty means it may run.
#[must_use]
pub fn check(program: &Program) -> Vec<Fault> {
    let mut faults = Faults::default();
    capabilities::check(program, &mut faults);
    names::check(program, &mut faults);
    references::check(program, &mut faults);
    calls::check(program, &mut faults);
    functions::check(program, &mut faults);
    let mut faults = faults.found;
    faults.sort_by_key(|fault| fault.span.unwrap_or(Span::new(u32::MAX, 0, 0)));
    faults.dedup();
    faults
}

/// Faults as they are found, up to a limit: nobody reads more, and each costs work.
#[derive(Default)]
struct Faults {
    found: Vec<Fault>,
}

impl Faults {
    fn push(&mut self, fault: Fault) {
        if !self.is_full() {
            self.found.push(fault);
        }
    }

    fn is_full(&self) -> bool {
        self.found.len() >= MAX_FAULTS
    }
}
