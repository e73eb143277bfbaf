//! The `.ai` language: source text to a checked program, and a machine that runs its flows.
//!
//! A pure interpreter: no I/O, no clock, no async, no threads. What a program wants from outside (an answer of a model,
//! the identity of the caller, the time of day) is handed in or asked for by the machine and resolved by its driver.

pub mod app;
pub mod ast;
pub mod cache_key;
pub mod check;
mod compile;
#[cfg(test)]
mod conformance;
pub mod embed;
pub mod fault;
pub mod format;
pub mod lexer;
pub mod machine;
pub mod memory;
pub mod mock;
pub mod parse;
pub mod records;
pub mod report;
pub mod span;
pub mod token;
pub mod trial;
pub mod value;

pub use self::app::App;
pub use self::machine::Machine;

/// Reads and checks a program.
///
/// # Errors
/// Every independent load fault, in the order of their places. Static checks run only on a program that could be read.
pub fn read(source: &str) -> Result<ast::Program, Vec<fault::Fault>> {
    let program = parse::parse(source)?;
    let faults = check::check(&program);
    if faults.is_empty() { Ok(program) } else { Err(faults) }
}

/// Reads, checks and compiles a program, ready for [`Machine::start`].
///
/// # Errors
/// As [`read`], and records whose numbers or patterns cannot be used.
pub fn load(source: &str) -> Result<App, Vec<fault::Fault>> {
    App::new(read(source)?)
}

#[cfg(test)]
mod guide_tests;
#[cfg(test)]
mod reading_tests;
