//! Owns the unpacked form of a number, its exact comparison and rounding, and the passage to and from `dec` for
//! what 128 bits cannot hold. Must not decide which form a result takes.

use std::cmp::Ordering;

use dec::{Context, Decimal, Rounding};

use super::{Number, NumberFault, PRECISION, Repr};

/// Coefficients stay below this: 38 digits.
pub(super) const WIDE_LIMIT: u128 = 10u128.pow(38);
/// Groups of three digits in a [`Huge`].
pub(super) const HUGE_UNITS: usize = 334;

/// A number of any length the source may write.
pub(super) type Huge = Decimal<HUGE_UNITS>;

/// Sign, coefficient, exponent: `+-coef * 10^exp`, with `coef` below [`WIDE_LIMIT`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    pub(super) negative: bool,
    pub(super) coef: u128,
    pub(super) exp: i32,
}

/// Powers of ten that fit.
static POWERS: [u128; 39] = {
    let mut powers = [1; 39];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// `10^exponent`, which must be at most 38.
pub(super) fn power_of_ten(exponent: u32) -> u128 {
    POWERS[exponent as usize]
}

/// How many digits `coef` has; zero has one.
pub(super) fn digits(coef: u128) -> u32 {
    // 1233 / 4096 is log10(2) closely enough for 128 bits: the guess is right or one too small.
    let guess = ((128 - (coef | 1).leading_zeros()) * 1233) >> 12;
    guess + u32::from(guess < 39 && coef >= POWERS[guess as usize]).max(u32::from(guess == 0))
}

/// `coef * 10^shift` if it stays below the limit.
pub(super) fn scaled(coef: u128, shift: u32) -> Option<u128> {
    if coef == 0 {
        return Some(0);
    }
    if shift > 38 {
        return None;
    }
    coef.checked_mul(power_of_ten(shift)).filter(|scaled| *scaled < WIDE_LIMIT)
}

/// Quotient and remainder by `10^exponent`, with one division.
pub(super) fn split(coef: u128, exponent: u32) -> (u128, u128) {
    if exponent == 1 {
        // By far the most common: one digit too many. Dividing by a constant is a multiplication.
        return (coef / 10, coef % 10);
    }
    let unit = power_of_ten(exponent);
    let quotient = coef / unit;
    (quotient, coef - quotient * unit)
}

impl Parts {
    pub(super) const ZERO: Self = Self { negative: false, coef: 0, exp: 0 };

    /// Position of the first digit: the exponent in scientific notation.
    pub(super) fn adjusted(&self) -> i64 {
        i64::from(self.exp) + i64::from(digits(self.coef)) - 1
    }

    pub(super) fn is_integral(&self) -> bool {
        let Ok(places) = u32::try_from(-self.exp) else { return true };
        self.coef == 0 || (places < 39 && self.coef.is_multiple_of(power_of_ten(places)))
    }

    /// The same value without trailing zeros.
    pub(super) fn reduced(mut self) -> Self {
        if self.coef == 0 {
            return Self { negative: self.negative, ..Self::ZERO };
        }
        while self.coef.is_multiple_of(10) {
            self.coef /= 10;
            self.exp += 1;
        }
        self
    }

    /// Rounds to 28 digits, half to even. `coef` may be any 128-bit number here.
    pub(super) fn rounded(self) -> Self {
        self.rounded_with(false)
    }

    /// Rounds like [`Parts::rounded`] a number that is a little more than `coef` if `more`; it must then have over
    /// 28 digits.
    pub(super) fn rounded_with(mut self, more: bool) -> Self {
        const FULL: u128 = 10u128.pow(PRECISION);
        if self.coef < FULL {
            debug_assert!(!more);
            return self;
        }
        let drop = digits(self.coef) - PRECISION;
        let (quotient, rest) = split(self.coef, drop);
        let up = match rest.cmp(&(power_of_ten(drop) / 2)) {
            Ordering::Greater => true,
            Ordering::Equal => more || quotient % 2 == 1,
            Ordering::Less => false,
        };
        self.coef = quotient + u128::from(up);
        self.exp += drop as i32;
        if self.coef == FULL {
            self.coef /= 10;
            self.exp += 1;
        }
        self
    }

    /// Order by value; never rounds.
    pub(super) fn compare(&self, other: &Parts) -> Ordering {
        let sign = |parts: &Parts| match (parts.coef, parts.negative) {
            (0, _) => 0,
            (_, true) => -1,
            (_, false) => 1,
        };
        let (a, b) = (sign(self), sign(other));
        if a != b || a == 0 {
            return a.cmp(&b);
        }
        let magnitude = self.adjusted().cmp(&other.adjusted()).then_with(|| {
            // Equal first digits: the exponents differ by less than 38, and scaling the longer exponent
            // gives both the same number of digits.
            let shift = self.exp.abs_diff(other.exp);
            let power = power_of_ten(shift.min(38));
            if self.exp >= other.exp {
                (self.coef * power).cmp(&other.coef)
            } else {
                self.coef.cmp(&(other.coef * power))
            }
        });
        if a < 0 { magnitude.reverse() } else { magnitude }
    }

    /// The same number in `dec`, which must have at least 13 units.
    pub(super) fn to_dec<const N: usize>(self) -> Decimal<N> {
        let mut units = [0u16; N];
        let mut rest = self.coef;
        for unit in units.iter_mut().take(13) {
            *unit = (rest % 1000) as u16;
            rest /= 1000;
        }
        let sign = if self.negative { 0x80 } else { 0 };
        Decimal::from_raw_parts(digits(self.coef), self.exp, sign, units)
    }
}

/// A `dec` context of the language: `precision` digits, half-even, exponents to +-999999.
pub(super) fn context<const N: usize>(precision: u32) -> Context<Decimal<N>> {
    let mut context = Context::<Decimal<N>>::default();
    context.set_precision(precision as usize).expect("the precision is below the storage");
    context.set_max_exponent(999_999).expect("the exponent limit is allowed");
    context.set_min_exponent(-999_999).expect("the exponent limit is allowed");
    context.set_rounding(Rounding::HalfEven);
    context
}

/// The number `dec` computed with `context`, or the fault it signalled.
pub(super) fn from_dec<const N: usize>(
    context: &Context<Decimal<N>>,
    decimal: &Decimal<N>,
) -> Result<Number, NumberFault> {
    let status = context.status();
    if status.overflow() || status.invalid_operation() || !decimal.is_finite() {
        return Err(NumberFault::NoResult);
    }
    Ok(stored(decimal))
}

/// A finite decimal in the form that fits it.
pub(super) fn stored<const N: usize>(decimal: &Decimal<N>) -> Number {
    let units = decimal.coefficient_units();
    if decimal.digits() <= 38 {
        let coef = units.iter().rev().fold(0u128, |coef, unit| coef * 1000 + u128::from(*unit));
        let negative = decimal.is_negative();
        return Number::from_parts(Parts { negative, coef, exp: decimal.exponent() });
    }
    let mut huge = [0u16; HUGE_UNITS];
    huge[..units.len()].copy_from_slice(units);
    let (digits, exponent, bits, _) = decimal.to_raw_parts();
    Number(Repr::Huge(std::sync::Arc::new(Huge::from_raw_parts(digits, exponent, bits, huge))))
}

pub(super) fn huge_is_integral(huge: &Huge) -> bool {
    let mut trimmed = *huge;
    trimmed.trim();
    trimmed.exponent() >= 0
}

/// Exact order of two long numbers.
pub(super) fn huge_compare(a: &Huge, b: &Huge) -> Ordering {
    // The full storage as precision: a comparison is a subtraction, and must not round the operands.
    Context::<Huge>::default().partial_cmp(a, b).unwrap_or(Ordering::Equal)
}
