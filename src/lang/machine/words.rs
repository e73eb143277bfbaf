//! Owns the texts of faults the machine raises itself. Must not decide when they are raised.

use super::frame::Cell;
use crate::lang::compile::op::Truth;
use crate::lang::fault::{Fault, Guide};
use crate::lang::value::Value;

/// A guided fault without a place.
pub(super) fn guided(
    what: impl Into<String>,
    why: impl Into<String>,
    fix: impl Into<String>,
    example: impl Into<String>,
) -> Fault {
    Fault::run_guided(
        Guide { what: what.into(), why: why.into(), fix: fix.into(), example: example.into() },
        None,
    )
}

/// A boolean was needed.
pub(super) fn truth(word: Truth, got: &Value) -> Fault {
    let kind = got.type_name();
    let operator = match word {
        Truth::And => "and",
        Truth::Or => "or",
        Truth::Not => "not",
        Truth::Condition => {
            return guided(
                "If condition did not evaluate to true/false.",
                format!("The condition evaluated to {kind}, but a condition is a boolean."),
                "Use a comparison so the condition is boolean.",
                "if total is greater than 10:\n  return true",
            );
        }
        Truth::Filter => return Fault::run("Filter predicate must return a boolean.", None),
    };
    guided(
        format!("Operator '{operator}' requires a boolean."),
        format!("The operand is {kind}, but boolean logic works on true and false only."),
        "Use a boolean expression; comparisons are true or false.",
        format!("if total is greater than 10 {operator} ready:"),
    )
}

/// A local was read that has no value.
pub(super) fn unknown(name: &str, cell: &Cell) -> Fault {
    match cell {
        Cell::Pending(_) => {
            Fault::run(format!("Async variable '{name}' must be awaited before it is used"), None)
        }
        _ => Fault::run(format!("Unknown variable '{name}'"), None),
    }
}

/// The identity has no such field.
pub(super) fn identity_lacks(name: &str) -> Fault {
    guided(
        format!("Identity is missing '{name}'."),
        "The app looks at a field of the caller that was not given.",
        "Give the field with N3_IDENTITY_* or N3_IDENTITY_JSON.",
        "N3_IDENTITY_EMAIL=dev@example.com",
    )
}

/// A rule is no boolean.
pub(super) fn rule_not_boolean(subject: &str, got: &Value) -> Fault {
    guided(
        format!("{subject} requires a boolean condition."),
        format!("The requires expression evaluated to {}, not true or false.", got.type_name()),
        "Use a comparison so the requires clause is true or false.",
        "requires identity.role is \"admin\"",
    )
}

/// A rule said no.
pub(super) fn not_permitted(subject: &str) -> Fault {
    guided(
        format!("{subject} access is not permitted."),
        "The requires condition evaluated to false.",
        "Use an identity that satisfies the requirement, or change the requires clause.",
        "requires identity.role is \"admin\"",
    )
}

/// A rule said no and nobody is known.
pub(super) fn not_authenticated(subject: &str) -> Fault {
    guided(
        format!("{subject} requires authentication."),
        "Nothing is known about the caller.",
        "Give an identity with N3_IDENTITY_* or N3_IDENTITY_JSON.",
        "N3_IDENTITY_JSON='{\"role\": \"admin\"}'",
    )
}

/// A flow without a rule wrote a record.
pub(super) fn no_rule() -> Fault {
    guided(
        "Mutation blocked by access control.",
        "A flow that writes records must declare a requires rule.",
        "Add a requires clause to the flow header.",
        "flow \"update_order\": requires identity.role is \"admin\"",
    )
}

/// A capability is not declared.
pub(super) fn no_capability(title: &str, name: &str) -> Fault {
    guided(
        format!("{title} capability is not enabled."),
        "Capabilities are off until the app declares them.",
        format!("Add '{name}' to the capabilities block."),
        format!("capabilities:\n  {name}"),
    )
}
