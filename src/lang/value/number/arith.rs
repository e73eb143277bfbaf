//! Owns the four operations, the remainder and the signs. Each tries one machine word, then 128 bits, and hands
//! what fits neither to `dec`; all three give the same digits and the same scale.

use std::sync::Arc;

use dec::{Context, Decimal, Rounding};

use super::wide::{self, HUGE_UNITS, Parts, digits, scaled};
use super::{Number, NumberFault, PRECISION, Repr};

/// Beyond this exponent the result may leave the range, which `dec` knows how to judge.
const EASY_EXPONENT: i32 = 400_000;
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
        if let (Repr::Small { coef: a, exp: ea }, Repr::Small { coef: b, exp: eb }) = (&self.0, &other.0)
            && ea == eb
            && easy(*ea)
            && let Some(sum) = a.checked_add(*b)
            && sum != i64::MIN
        {
            return Ok(Number::small(sum, *ea));
        }
        self.sum(other, false)
    }

    /// The difference, rounded to 28 digits.
    pub fn subtract(&self, other: &Number) -> Outcome {
        if let (Repr::Small { coef: a, exp: ea }, Repr::Small { coef: b, exp: eb }) = (&self.0, &other.0)
            && ea == eb
            && easy(*ea)
            && let Some(difference) = a.checked_sub(*b)
            && difference != i64::MIN
        {
            return Ok(Number::small(difference, *ea));
        }
        self.sum(other, true)
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
        if let (Repr::Small { coef: a, exp: ea }, Repr::Small { coef: b, exp: eb }) = (&self.0, &other.0)
            && let Some(product) = a.checked_mul(*b)
            && product != 0
            && product != i64::MIN
            && easy(ea + eb)
        {
            return Ok(Number::small(product, ea + eb));
        }
        let fast = self.parts().zip(other.parts()).and_then(|(a, b)| {
            let (negative, exp) = (a.negative != b.negative, a.exp + b.exp);
            let coef = a.coef.checked_mul(b.coef)?;
            easy(exp).then(|| Parts { negative, coef, exp }.rounded())
        });
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
            Repr::Wide(parts) => parts.exp,
            Repr::Huge(huge) => huge.exponent(),
        };
        Number::small(0, exp)
    }
}

fn easy(exp: i32) -> bool {
    (-EASY_EXPONENT..=EASY_EXPONENT).contains(&exp)
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
    let (left, right, exp) = aligned(a, b)?;
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

fn divide_parts(a: Parts, b: Parts) -> Option<Parts> {
    if !easy(a.exp) || !easy(b.exp) {
        return None;
    }
    let (negative, ideal) = (a.negative != b.negative, a.exp - b.exp);
    if a.coef.is_multiple_of(b.coef) {
        return Some(Parts { negative, coef: a.coef / b.coef, exp: ideal }.rounded());
    }
    let shift = (PRECISION + 1 + digits(b.coef)).saturating_sub(digits(a.coef));
    let numerator = scaled(a.coef, shift)?;
    let (mut coef, rest) = (numerator / b.coef, numerator % b.coef);
    let mut exp = ideal - shift as i32;
    if rest != 0 {
        // At least 29 digits stand: a last digit of 0 or 5 would look like an exact end or half.
        coef += u128::from(coef.is_multiple_of(5));
    } else {
        while exp < ideal && coef.is_multiple_of(10) {
            coef /= 10;
            exp += 1;
        }
    }
    Some(Parts { negative, coef, exp }.rounded())
}

fn remainder_parts(a: Parts, b: Parts) -> Option<Parts> {
    let (left, right, exp) = aligned(a, b)?;
    if digits(left / right) > PRECISION {
        return None;
    }
    Some(Parts { negative: a.negative, coef: left % right, exp }.rounded())
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

// A number is cloned on every load of a local: it must stay two words.
const _: () = assert!(size_of::<Number>() == 16 && size_of::<Arc<Parts>>() == 8);
