//! Owns the operators between two values: arithmetic, joining of texts, and the comparisons that need numbers.

use std::cmp::Ordering;
use std::sync::Arc;

use super::guided;
use crate::lang::fault::Fault;
use crate::lang::value::{Number, Quick, Value};

/// A binary operator that makes a number (or a text, for `+`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `**`
    Power,
}

impl Arithmetic {
    /// The operator as written.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Power => "**",
        }
    }
}

/// A sign in front of an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// `+`
    Plus,
    /// `-`
    Minus,
}

/// A comparison that needs numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `is greater than`
    Greater,
    /// `is less than`
    Less,
    /// `is at least`
    AtLeast,
    /// `is at most`
    AtMost,
}

impl Comparison {
    /// Whether two numbers in this order satisfy it.
    #[inline(always)]
    pub(crate) fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Greater => order.is_gt(),
            Self::Less => order.is_lt(),
            Self::AtLeast => order.is_ge(),
            Self::AtMost => order.is_le(),
        }
    }
}

impl Arithmetic {
    /// What short numbers can do quickly.
    #[inline(always)]
    pub(crate) fn quick(self) -> Option<Quick> {
        match self {
            Self::Add => Some(Quick::Add),
            Self::Subtract => Some(Quick::Subtract),
            Self::Multiply => Some(Quick::Multiply),
            Self::Divide => Some(Quick::Divide),
            Self::Remainder => Some(Quick::Remainder),
            Self::Power => None,
        }
    }
}

/// `left operator right`. Cost of joining texts: their length. The fault is boxed, so that a result is not larger
/// than a value.
pub fn arithmetic(operator: Arithmetic, left: &Value, right: &Value) -> Result<Value, Box<Fault>> {
    if let (Value::Number(a), Value::Number(b)) = (left, right) {
        return compute(operator, a, b);
    }
    if let (Arithmetic::Add, Value::Text(a), Value::Text(b)) = (operator, left, right) {
        return Ok(Value::Text(join(a, b)));
    }
    match (left.as_number(), right.as_number()) {
        (Some(a), Some(b)) => compute(operator, &a, &b),
        _ => Err(Box::new(mismatch(operator, left, right))),
    }
}

fn join(a: &Arc<str>, b: &Arc<str>) -> Arc<str> {
    if a.is_empty() {
        return Arc::clone(b);
    }
    let mut joined = String::with_capacity(a.len() + b.len());
    joined.push_str(a);
    joined.push_str(b);
    Arc::from(joined)
}

#[inline]
fn compute(operator: Arithmetic, a: &Number, b: &Number) -> Result<Value, Box<Fault>> {
    let result = match operator {
        Arithmetic::Add => a.add(b),
        Arithmetic::Subtract => a.subtract(b),
        Arithmetic::Multiply => a.multiply(b),
        Arithmetic::Divide => a.divide(b),
        Arithmetic::Remainder => a.remainder(b),
        Arithmetic::Power => a.power(b),
    };
    match result {
        Ok(number) => Ok(Value::Number(number)),
        Err(fault) => Err(Box::new(fault.into())),
    }
}

#[cold]
fn mismatch(operator: Arithmetic, left: &Value, right: &Value) -> Fault {
    let symbol = operator.symbol();
    let (left, right) = (left.type_name(), right.type_name());
    guided(
        format!("Cannot apply '{symbol}' to {left} and {right}."),
        "Arithmetic operators only work on numbers.",
        "Convert both values to numbers or remove the operator.",
        "let total is 10.5 + 2.25",
    )
}

/// A signed operand: a minus rounds like any operator, a plus changes nothing.
pub fn sign(sign: Sign, operand: &Value) -> Result<Value, Fault> {
    let symbol = if sign == Sign::Minus { '-' } else { '+' };
    let Some(number) = operand.as_number() else {
        return Err(guided(
            format!("Unary '{symbol}' requires a number."),
            format!("The operand is {}, but arithmetic only works on numbers.", operand.type_name()),
            "Use a numeric value or remove the operator.",
            "let total is -10.5",
        ));
    };
    Ok(Value::Number(if sign == Sign::Minus { number.negate()? } else { number }))
}

/// `left is greater than right` and its kin.
pub fn compare(comparison: Comparison, left: &Value, right: &Value) -> Result<bool, Fault> {
    if let (Value::Number(a), Value::Number(b)) = (left, right) {
        return Ok(comparison.holds(a.compare(b)));
    }
    let (a, b) = (comparable(left)?, comparable(right)?);
    Ok(comparison.holds(a.compare(&b)))
}

/// `subject is [strictly] between low and high`; bounds out of order are simply never met.
pub fn between(subject: &Value, low: &Value, high: &Value, strictly: bool) -> Result<bool, Fault> {
    let number = comparable(subject)?;
    let (low, high) = (comparable(low)?, comparable(high)?);
    let (from, to) = (number.compare(&low), number.compare(&high));
    Ok(if strictly { from.is_gt() && to.is_lt() } else { from.is_ge() && to.is_le() })
}

fn comparable(operand: &Value) -> Result<Number, Fault> {
    operand.as_number().ok_or_else(|| {
        guided(
            "Comparison requires numbers.",
            "Comparisons like `is greater than`, `is at least`, or `is less than` only work on numbers.",
            "Ensure both sides evaluate to numbers.",
            "if total is greater than 10.5:",
        )
    })
}
