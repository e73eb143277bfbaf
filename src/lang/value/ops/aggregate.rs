//! Owns the functions over a list of numbers.

use super::fault;
use crate::lang::fault::Fault;
use crate::lang::value::{List, Number, Value};

/// A function from a list of numbers to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// The sum, 0 of nothing is refused like the others.
    Sum,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The sum divided by the count.
    Mean,
    /// The middle one, or the mean of the middle two.
    Median,
}

impl Aggregate {
    /// The function as written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
            Self::Mean => "mean",
            Self::Median => "median",
        }
    }
}

/// `function(list)`
pub fn aggregate(function: Aggregate, list: &Value) -> Result<Value, Fault> {
    let name = function.name();
    let Value::List(list) = list else {
        let got = list.type_name();
        return Err(fault(format!("{name} requires a list but got {got}")));
    };
    if list.is_empty() {
        return Err(fault(format!("{name} cannot operate on an empty list")));
    }
    let mut numbers = numbers(name, list)?;
    let result = match function {
        Aggregate::Sum => total(&numbers)?,
        Aggregate::Mean => total(&numbers)?.divide(&Number::from(numbers.len()))?,
        Aggregate::Min => numbers.iter().min().cloned().unwrap_or(Number::ZERO),
        // Of equal numbers with different scales the first counts, as for the smallest.
        Aggregate::Max => numbers.iter().rev().max().cloned().unwrap_or(Number::ZERO),
        Aggregate::Median => {
            numbers.sort();
            median(&numbers)?
        }
    };
    Ok(Value::Number(result))
}

fn numbers(name: &str, list: &List) -> Result<Vec<Number>, Fault> {
    let number = |(at, item): (usize, &Value)| {
        item.as_number().ok_or_else(|| {
            let got = item.type_name();
            fault(format!("{name} list item at index {at} must be a number but got {got}"))
        })
    };
    list.iter().enumerate().map(number).collect()
}

fn total(numbers: &[Number]) -> Result<Number, Fault> {
    let mut total = Number::ZERO;
    for number in numbers {
        total = total.add(number)?;
    }
    Ok(total)
}

fn median(sorted: &[Number]) -> Result<Number, Fault> {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        return Ok(sorted[middle].clone());
    }
    Ok(sorted[middle - 1].add(&sorted[middle])?.divide(&Number::from(2))?)
}
