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
                format!("The condition evaluated to {kind}, but if/else requires a boolean."),
                "Use a comparison so the condition is boolean.",
                "if total is greater than 10:\n  return true",
            );
        }
        Truth::Filter => {
            return guided(
                "Filter predicate must return a boolean.",
                "Filter expressions include an item only when the predicate evaluates to true or false.",
                "Return a boolean condition from the predicate block.",
                "let big is filter numbers with item as n:\n  n is greater than 10",
            );
        }
    };
    guided(
        format!("Operator '{operator}' requires a boolean."),
        format!("The operand is {kind}, but boolean logic only works with true/false."),
        "Use a boolean expression. Comparisons return true or false.",
        "if total is greater than 10: return true",
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
        "The app referenced identity data that was not provided.",
        "Provide the field via N3_IDENTITY_* or N3_IDENTITY_JSON.",
        "N3_IDENTITY_EMAIL=dev@example.com",
    )
}

/// A rule is no boolean.
pub(super) fn rule_not_boolean(subject: &str, got: &Value) -> Fault {
    guided(
        format!("{subject} requires a boolean condition."),
        format!("The requires expression evaluated to {}, not true or false.", got.type_name()),
        "Use a comparison so the requires clause evaluates to true or false.",
        "requires identity.role is \"admin\"",
    )
}

/// A rule said no.
pub(super) fn not_permitted(subject: &str) -> Fault {
    guided(
        format!("{subject} access is not permitted."),
        "The requires condition evaluated to false.",
        "Provide an identity that satisfies the requirement or update the requires clause.",
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
        "Mutating flows and forms must declare a requires rule.",
        "Add a requires clause to the page or flow header.",
        "flow \"update_order\": requires identity.role is \"admin\"",
    )
}

/// A capability is not declared.
pub(super) fn no_capability(title: &str, name: &str) -> Fault {
    guided(
        format!("{title} capability is not enabled."),
        format!("{title} is deny-by-default and must be explicitly allowed."),
        format!("Add '{name}' to the capabilities block in app.ai."),
        format!("capabilities:\n  {name}"),
    )
}

/// A time of the logical clock is something else.
pub(super) fn time_is_no_number() -> Fault {
    guided(
        "Logical time must be a number.",
        "Scheduling uses a deterministic logical clock.",
        "Use a whole number duration.",
        "tick 5",
    )
}

/// A time of the logical clock is a fraction.
pub(super) fn time_is_no_whole_number() -> Fault {
    guided(
        "Logical time must be a whole number.",
        "Fractional time is not supported.",
        "Round to a whole number.",
        "tick 1",
    )
}

/// A time of the logical clock is negative.
pub(super) fn time_runs_backward() -> Fault {
    guided(
        "Logical time cannot move backward.",
        "Scheduling requires non-negative time advances.",
        "Use zero or a positive value.",
        "tick 3",
    )
}

/// A role or permission that is asked for is no text.
pub(super) fn name_is_no_text(kind: &str) -> Fault {
    let title = if kind == "role" { "Role" } else { "Permission" };
    guided(
        format!("{title} must be text."),
        "Role and permission checks require a text value.",
        "Pass a text value.",
        format!("has_{kind}(\"{kind}\")"),
    )
}

/// A transform of what is no list.
pub(super) fn not_a_list(form: &str) -> Fault {
    guided(
        format!("{form} expects a list."),
        "List transforms can only iterate list values.",
        "Pass a list value to the transform.",
        format!("let result is {form} numbers with item as n:\n  n"),
    )
}
