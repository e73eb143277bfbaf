//! Owns the four operations, the remainder and the signs. Each tries one machine word, then 128 bits, and hands
//! what fits neither to `dec`; all three give the same digits and the same scale.

use dec::{Context, Decimal, Rounding};

use super::limbs;
use super::quick::Quick;
use super::wide::{self, HUGE_UNITS, Parts, digits, power_of_ten, scaled, split};
use super::{Number, NumberFault, PRECISION, Repr, easy};

/// Units for operands of up to 38 digits.
const UNITS: usize = 14;

type Outcome = Result<Number, NumberFault>;

/// What `dec` does when the fast paths cannot.
#[derive(Clone, Copy)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Number {
    /// The sum, rounded to 28 digits.
    pub fn add(&self, other: &Number) -> Outcome {
        match self.quick(Quick::Add, other) {
            Some(sum) => Ok(Number::from_quick(sum)),
            None => self.sum(other, false),
        }
    }

    /// The difference, rounded to 28 digits.
    pub fn subtract(&self, other: &Number) -> Outcome {
        match self.quick(Quick::Subtract, other) {
            Some(difference) => Ok(Number::from_quick(difference)),
            None => self.sum(other, true),
        }
    }

    fn sum(&self, other: &Number, subtract: bool) -> Outcome {
        let fast = self.parts().zip(other.parts()).and_then(|(a, mut b)| {
            b.negative ^= subtract;
            add_parts(a, b)
        });
        match fast {
            Some(parts) => Ok(Number::from_parts(parts)),
            None => slow(if subtract { Operation::Subtract } else { Operation::Add }, self, other),
        }
    }

    /// The product, rounded to 28 digits.
    pub fn multiply(&self, other: &Number) -> Outcome {
        if let Some(product) = self.quick(Quick::Multiply, other) {
            return Ok(Number::from_quick(product));
        }
        let fast = self.parts().zip(other.parts()).and_then(|(a, b)| multiply_parts(a, b));
        match fast {
            Some(parts) => Ok(Number::from_parts(parts)),
            None => slow(Operation::Multiply, self, other),
        }
    }

    /// The quotient, correctly rounded to 28 digits.
    ///
    /// # Errors
    /// A divisor of zero is [`NumberFault::DividedByZero`].
    pub fn divide(&self, other: &Number) -> Outcome {
        if let Some(quotient) = self.quick(Quick::Divide, other) {
            return Ok(Number::from_quick(quotient));
        }
        if other.is_zero() {
            return Err(NumberFault::DividedByZero);
        }
        match self.parts().zip(other.parts()).and_then(|(a, b)| divide_parts(a, b)) {
            Some(parts) => Ok(Number::from_parts(parts)),
            None => slow(Operation::Divide, self, other),
        }
    }

    /// What the truncated quotient leaves, with the sign of the left side.
    ///
    /// # Errors
    /// A right side of zero is [`NumberFault::ModuloByZero`]; a quotient of more than 28 digits has no result.
    pub fn remainder(&self, other: &Number) -> Outcome {
        if let Some(rest) = self.quick(Quick::Remainder, other) {
            return Ok(Number::from_quick(rest));
        }
        if other.is_zero() {
            return Err(NumberFault::ModuloByZero);
        }
        match self.parts().zip(other.parts()).and_then(|(a, b)| remainder_parts(a, b)) {
            Some(parts) => Ok(Number::from_parts(parts)),
            None => slow(Operation::Remainder, self, other),
        }
    }

    /// The number with the other sign, rounded to 28 digits; zero stays positive.
    pub fn negate(&self) -> Outcome {
        Number::ZERO.with_scale_of(self).subtract(self)
    }

    /// The number itself, rounded to 28 digits; a negative zero becomes positive.
    pub fn plus(&self) -> Outcome {
        Number::ZERO.with_scale_of(self).add(self)
    }

    /// Zero with the exponent of `other`, so that adding `other` keeps its scale.
    fn with_scale_of(&self, other: &Number) -> Number {
        let exp = match &other.0 {
            Repr::Small { exp, .. } => *exp,
            Repr::Wide { exp, .. } => *exp,
            Repr::Long(parts) => parts.exp,
            Repr::Huge(huge) => huge.exponent(),
        };
        Number::from_parts(Parts { exp, ..Parts::ZERO })
    }
}

/// Both coefficients at the smaller exponent, if they fit.
fn aligned(a: Parts, b: Parts) -> Option<(u128, u128, i32)> {
    let exp = a.exp.min(b.exp);
    if !easy(exp) || !easy(a.exp.max(b.exp)) {
        return None;
    }
    let left = scaled(a.coef, a.exp.abs_diff(exp))?;
    let right = scaled(b.coef, b.exp.abs_diff(exp))?;
    Some((left, right, exp))
}

fn add_parts(a: Parts, b: Parts) -> Option<Parts> {
    let Some((left, right, exp)) = aligned(a, b) else { return add_far(a, b) };
    let (negative, coef) = if a.negative == b.negative {
        (a.negative, left + right)
    } else if left == right {
        (false, 0)
    } else if left > right {
        (a.negative, left - right)
    } else {
        (b.negative, right - left)
    };
    Some(Parts { negative, coef, exp }.rounded())
}

/// Adds two numbers of at most 28 digits that no common scale holds: the one with the higher exponent is then so
/// much larger that the other cannot cancel any of its leading digits.
fn add_far(a: Parts, b: Parts) -> Option<Parts> {
    let (large, small) = if a.exp > b.exp { (a, b) } else { (b, a) };
    let apart = large.exp.abs_diff(small.exp);
    let out_of_reach = !easy(large.exp) || !easy(small.exp) || digits(small.coef) > PRECISION;
    if out_of_reach || large.coef == 0 || small.coef == 0 {
        return None;
    }
    let room = 37u32.checked_sub(digits(large.coef))?;
    let behind = apart.checked_sub(room)?;
    let (near, rest) = if behind > 37 { (0, 1) } else { split(small.coef, behind) };
    let (coef, more) = (large.coef * power_of_ten(room), rest != 0);
    let coef = if a.negative == b.negative { coef + near } else { coef - near - u128::from(more) };
    Some(Parts { negative: large.negative, coef, exp: large.exp - room as i32 }.rounded_with(more))
}

fn multiply_parts(a: Parts, b: Parts) -> Option<Parts> {
    let (negative, exp) = (a.negative != b.negative, a.exp + b.exp);
    if !easy(a.exp) || !easy(b.exp) {
        return None;
    }
    if let Some(coef) = a.coef.checked_mul(b.coef) {
        return Some(Parts { negative, coef, exp }.rounded());
    }
    // 29 digits or more stay, so what is dropped here only matters as "a little more".
    let drop = (digits(a.coef) + digits(b.coef)).checked_sub(PRECISION + 2).filter(|drop| *drop <= 38)?;
    let (coef, more) = limbs::divide(limbs::multiply(a.coef, b.coef), power_of_ten(drop));
    Some(Parts { negative, coef, exp: exp + drop as i32 }.rounded_with(more))
}

fn divide_parts(a: Parts, b: Parts) -> Option<Parts> {
    if !easy(a.exp) || !easy(b.exp) {
        return None;
    }
    let (negative, ideal) = (a.negative != b.negative, a.exp - b.exp);
    if let Some(coef) = whole_quotient(a.coef, b.coef) {
        return Some(Parts { negative, coef, exp: ideal }.rounded());
    }
    // At least 29 digits, so that what is left only matters as "a little more".
    let shift = (PRECISION + 1 + digits(b.coef)).saturating_sub(digits(a.coef));
    if shift > 38 {
        return None;
    }
    let (mut coef, more) = match scaled(a.coef, shift) {
        Some(numerator) => {
            let quotient = numerator / b.coef;
            (quotient, quotient * b.coef != numerator)
        }
        None => limbs::divide(limbs::multiply(a.coef, power_of_ten(shift)), b.coef),
    };
    let mut exp = ideal - shift as i32;
    while !more && exp < ideal && coef.is_multiple_of(10) {
        coef /= 10;
        exp += 1;
    }
    Some(Parts { negative, coef, exp }.rounded_with(more))
}

/// The quotient of long numbers if nothing is left. Two numbers of one word have been tried before, and zero has no
/// digits to look for.
fn whole_quotient(a: u128, b: u128) -> Option<u128> {
    if a == 0 {
        return Some(0);
    }
    if (a | b) >> 64 == 0 {
        return None;
    }
    let quotient = a / b;
    (quotient * b == a).then_some(quotient)
}

fn remainder_parts(a: Parts, b: Parts) -> Option<Parts> {
    let (left, right, exp) = aligned(a, b)?;
    if let (Ok(left), Ok(right)) = (u64::try_from(left), u64::try_from(right)) {
        return Some(Parts { negative: a.negative, coef: u128::from(left % right), exp });
    }
    let quotient = left / right;
    if digits(quotient) > PRECISION {
        return None;
    }
    Some(Parts { negative: a.negative, coef: left - quotient * right, exp }.rounded())
}

fn slow(operation: Operation, a: &Number, b: &Number) -> Outcome {
    match (a.parts(), b.parts()) {
        (Some(a), Some(b)) => by_dec::<UNITS>(operation, a.to_dec(), &b.to_dec()),
        _ => by_dec::<HUGE_UNITS>(operation, a.to_huge(), &b.to_huge()),
    }
}

fn by_dec<const N: usize>(operation: Operation, mut a: Decimal<N>, b: &Decimal<N>) -> Outcome {
    let mut context: Context<Decimal<N>> = wide::context(PRECISION);
    match operation {
        Operation::Add | Operation::Subtract => {
            // `dec` rounds a sum wrongly when an operand is longer than the precision. So the sum is made with
            // room for both operands, rounded such that rounding once more is as good as rounding once.
            let mut roomy: Context<Decimal<N>> = wide::context(N as u32 * 3);
            roomy.set_rounding(Rounding::ZeroFiveUp);
            if matches!(operation, Operation::Add) {
                roomy.add(&mut a, b);
            } else {
                roomy.sub(&mut a, b);
            }
            // A product with one rounds and, unlike `plus`, leaves the sign of a zero.
            context.mul(&mut a, &Decimal::<N>::from(1));
        }
        Operation::Multiply => context.mul(&mut a, b),
        Operation::Divide => context.div(&mut a, b),
        Operation::Remainder => context.rem(&mut a, b),
    }
    wide::from_dec(&context, &a)
}

/// The same result through `dec` alone, for tests of the fast paths.
#[cfg(test)]
pub(super) fn reference(operator: char, a: &Number, b: &Number) -> Outcome {
    let operation = match operator {
        '+' => Operation::Add,
        '-' => Operation::Subtract,
        '*' => Operation::Multiply,
        '/' => Operation::Divide,
        _ => Operation::Remainder,
    };
    slow(operation, a, b)
}

// A number is cloned on every load of a local: it must stay three words, and so must a value that holds one.
const _: () = assert!(size_of::<Number>() == 24);
