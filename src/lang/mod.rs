//! The `.ai` language: source text to a checked program, and a machine that runs its flows.
//!
//! A pure interpreter: no I/O, no clock, no async, no threads. What a program wants from outside (an answer of a model,
//! the identity of the caller, the time of day) is handed in or asked for by the machine and resolved by its driver.

pub mod ast;
pub mod cache_key;
pub mod check;
pub mod embed;
pub mod fault;
pub mod format;
pub mod lexer;
pub mod memory;
pub mod mock;
pub mod parse;
pub mod records;
pub mod report;
pub mod span;
pub mod token;
pub mod value;

/// Reads and checks a program, so that a machine can be built for it.
///
/// # Errors
/// Every independent load fault, in the order of their places. Static checks run only on a program that could be read.
pub fn read(source: &str) -> Result<ast::Program, Vec<fault::Fault>> {
    let program = parse::parse(source)?;
    let faults = check::check(&program);
    if faults.is_empty() { Ok(program) } else { Err(faults) }
}

#[cfg(test)]
mod reading_tests;
