//! Owns what the operators, prefix forms, aggregates and `order` do to values, with the sentences the language
//! promises when they cannot. Pure: must not evaluate expressions or know where an operand came from.

use crate::lang::fault::{Fault, Guide};
use crate::lang::value::NumberFault;

mod aggregate;
mod arithmetic;
mod collection;
mod order;

pub use aggregate::{Aggregate, aggregate};
pub use arithmetic::{Arithmetic, Comparison, Sign, arithmetic, between, compare, sign};
pub use collection::{attribute, list, list_append, list_get, list_length, map, map_get, map_keys, map_set};
pub use order::{keep_first, order};

/// A plain sentence that `try` catches.
fn fault(text: impl Into<String>) -> Fault {
    Fault::run(text, None)
}

/// A guided fault that `try` catches: what, why, fix, example.
fn guided(
    what: impl Into<String>,
    why: impl Into<String>,
    fix: impl Into<String>,
    example: impl Into<String>,
) -> Fault {
    let guide = Guide { what: what.into(), why: why.into(), fix: fix.into(), example: example.into() };
    Fault::run_guided(guide, None)
}

impl From<NumberFault> for Fault {
    fn from(fault: NumberFault) -> Self {
        match fault {
            // Kept as observed: no `try` catches these, see section 14 of the reference.
            NumberFault::NoResult => Fault::run("Runtime error", None).uncatchable(),
            NumberFault::DividedByZero => guided(
                "Division by zero.",
                "The right-hand side of '/' evaluated to 0.",
                "Check for zero before dividing.",
                "if divisor is not equal to 0: set state.ratio is total / divisor",
            ),
            NumberFault::ModuloByZero => guided(
                "Modulo by zero.",
                "The right-hand side of '%' evaluated to 0.",
                "Check for zero before modulo.",
                "if divisor is not equal to 0: set state.remainder is total % divisor",
            ),
        }
    }
}

#[cfg(test)]
mod tests;
