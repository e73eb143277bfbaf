//! Owns the decimal number of the language: General Decimal Arithmetic with 28 digits, half-even, exponents to
//! +-999999. Numbers of up to 18 digits stay in one machine word, all other results in a coefficient of 96 bits
//! beside it, longer literals in `dec`. Must not know values, messages or where a number came from.
//!
//! Source: <https://speleotrove.com/decimal/decarith.html>, checked against Python's `decimal`.

use std::cmp::Ordering;
use std::sync::Arc;

mod arith;
mod limbs;
mod power;
mod quick;
mod text;
mod wide;

pub(crate) use quick::Quick;
use wide::{Huge, Parts, WIDE_LIMIT};

/// Significant digits of every arithmetic result.
pub(super) const PRECISION: u32 = 28;
/// Digits a literal or an integer of the input may have.
pub const MAX_DIGITS: usize = wide::HUGE_UNITS * 3;

/// Why arithmetic has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberFault {
    /// Overflow, `0 ** 0`, a root of a negative number, a quotient too long for `%`.
    NoResult,
    /// `/` with a right side of zero.
    DividedByZero,
    /// `%` with a right side of zero.
    ModuloByZero,
}

/// A decimal number with the scale it was written or computed with. Equality and order are by value.
#[derive(Clone, Debug)]
pub struct Number(Repr);

#[derive(Clone, Debug)]
enum Repr {
    /// `coef * 10^exp` with an easy exponent; never a negative zero.
    Small { coef: i64, exp: i32 },
    /// Any other number of up to 28 digits, so every result: `high` holds the sign in its top bit and the upper
    /// bits of the coefficient below.
    Wide { low: u64, high: u32, exp: i32 },
    /// A number of 29 to 38 digits as written.
    Long(Arc<Parts>),
    /// More digits: only a literal or an integer of the input can be one.
    Huge(Arc<Huge>),
}

/// Within this exponent sums, products and quotients stay in range; beyond, `dec` judges.
const EASY_EXPONENT: i32 = 400_000;

#[inline(always)]
fn easy(exp: i32) -> bool {
    exp.unsigned_abs() <= EASY_EXPONENT.unsigned_abs()
}

/// The top bit of `high`.
const SIGN: u32 = 1 << 31;

impl Number {
    /// Zero.
    pub const ZERO: Self = Self(Repr::Small { coef: 0, exp: 0 });

    /// `coef * 10^exp`, the exponent easy.
    #[inline(always)]
    fn small(coef: i64, exp: i32) -> Self {
        Self(Repr::Small { coef, exp })
    }

    fn from_parts(parts: Parts) -> Self {
        let Parts { negative, coef, exp } = parts;
        debug_assert!(coef < WIDE_LIMIT);
        match i64::try_from(coef) {
            Ok(magnitude) if !negative && easy(exp) => Self::small(magnitude, exp),
            Ok(magnitude) if magnitude != 0 && easy(exp) => Self::small(-magnitude, exp),
            _ if coef >> 95 == 0 => {
                let high = (coef >> 64) as u32 | if negative { SIGN } else { 0 };
                Self(Repr::Wide { low: coef as u64, high, exp })
            }
            _ => Self(Repr::Long(Arc::new(parts))),
        }
    }

    /// Sign, coefficient and exponent; none for more than 38 digits.
    fn parts(&self) -> Option<Parts> {
        match &self.0 {
            Repr::Small { coef, exp } => {
                Some(Parts { negative: *coef < 0, coef: u128::from(coef.unsigned_abs()), exp: *exp })
            }
            Repr::Wide { low, high, exp } => {
                let coef = u128::from(high & !SIGN) << 64 | u128::from(*low);
                Some(Parts { negative: high & SIGN != 0, coef, exp: *exp })
            }
            Repr::Long(parts) => Some(**parts),
            Repr::Huge(_) => None,
        }
    }

    /// The decimal of a binary fraction's shortest text; none for what is not finite.
    pub fn from_float(float: f64) -> Option<Self> {
        if !float.is_finite() {
            return None;
        }
        Self::parse(&super::json_write::float_text(float))
    }

    /// Whether this is zero, of either sign.
    pub fn is_zero(&self) -> bool {
        match &self.0 {
            Repr::Small { coef, .. } => *coef == 0,
            Repr::Wide { low, high, .. } => *low == 0 && high & !SIGN == 0,
            Repr::Long(_) => false,
            Repr::Huge(huge) => huge.is_zero(),
        }
    }

    /// Whether this is below zero.
    pub fn is_negative(&self) -> bool {
        match &self.0 {
            Repr::Small { coef, .. } => *coef < 0,
            Repr::Wide { high, .. } => high & SIGN != 0 && !self.is_zero(),
            Repr::Long(parts) => parts.negative,
            Repr::Huge(huge) => huge.is_negative() && !huge.is_zero(),
        }
    }

    /// Whether nothing stands behind the decimal point.
    pub fn is_integral(&self) -> bool {
        match &self.0 {
            Repr::Small { exp, .. } if *exp >= 0 => true,
            Repr::Huge(huge) => wide::huge_is_integral(huge),
            _ => self.parts().is_some_and(|parts| parts.is_integral()),
        }
    }

    /// Digits beyond the usual that writing this number out takes: the zeros of its exponent, or a long literal's.
    #[inline]
    pub(super) fn spread(&self) -> u64 {
        let exp = match &self.0 {
            Repr::Small { exp, .. } | Repr::Wide { exp, .. } => *exp,
            Repr::Long(parts) => parts.exp,
            Repr::Huge(huge) => return u64::from(huge.exponent().unsigned_abs()) + MAX_DIGITS as u64,
        };
        let zeros = u64::from(exp.unsigned_abs());
        if zeros > 64 { zeros } else { 0 }
    }

    /// The whole number this is, if it is one and fits.
    pub fn to_i64(&self) -> Option<i64> {
        if let Repr::Small { coef, exp: 0 } = self.0 {
            return Some(coef);
        }
        let parts = self.parts()?.reduced();
        let scale = u32::try_from(parts.exp).ok()?;
        let whole = i128::try_from(10u128.checked_pow(scale)?.checked_mul(parts.coef)?).ok()?;
        i64::try_from(if parts.negative { -whole } else { whole }).ok()
    }

    /// Order by value.
    pub fn compare(&self, other: &Number) -> Ordering {
        if let Some(order) = self.quick_compare(other) {
            return order;
        }
        match (self.parts(), other.parts()) {
            (Some(a), Some(b)) => a.compare(&b),
            _ => wide::huge_compare(&self.to_huge(), &other.to_huge()),
        }
    }

    fn to_huge(&self) -> Huge {
        match &self.0 {
            Repr::Huge(huge) => **huge,
            _ => self.parts().unwrap_or(Parts::ZERO).to_dec(),
        }
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Self::small(number, 0)
    }
}

impl From<i32> for Number {
    fn from(number: i32) -> Self {
        Self::from(i64::from(number))
    }
}

impl From<usize> for Number {
    fn from(number: usize) -> Self {
        Self::from(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.compare(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compare(other)
    }
}

#[cfg(test)]
mod python_tests;
#[cfg(test)]
mod tests;
