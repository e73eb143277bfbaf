//! Owns `**`: whole exponents by squaring with a few digits to spare, fractional ones as `exp(y ln x)` with 60
//! working digits. Must give the digits of a correctly rounded result.

use dec::{Context, Decimal};

use super::wide::{self, HUGE_UNITS, Parts};
use super::{Number, NumberFault, PRECISION};

/// Units for a base of up to 38 digits and 90 working digits.
const UNITS: usize = 30;
/// Working digits of `ln` and `exp`.
const REAL_PRECISION: u32 = 60;
/// Whole exponents beyond this go through `ln` and `exp` like fractional ones.
const MAX_EXPONENT: u128 = 10u128.pow(37);

/// Exponent of the last digit of the smallest number.
const LOWEST_EXPONENT: i32 = -999_999 - 27;

type Outcome = Result<Number, NumberFault>;

impl Number {
    /// `self ** exponent`, rounded to 28 digits.
    ///
    /// # Errors
    /// `0 ** 0`, zero to a negative power, a fractional power of a negative number and overflow.
    pub fn power(&self, exponent: &Number) -> Outcome {
        let whole = exponent.is_integral();
        let odd = whole && is_odd(exponent);
        let negative = self.is_negative();
        if self.is_zero() {
            return zero_power(self.is_signed_negative() && odd, exponent);
        }
        if negative && !whole {
            return Err(NumberFault::NoResult);
        }
        let sign = negative && odd;
        if exponent.is_zero() {
            return Ok(Number::from(1));
        }
        if self.compare(&Number::from(if negative { -1 } else { 1 })).is_eq() {
            return Ok(one_power(self, exponent, whole, sign));
        }
        if let Some(power) = self.small_power(exponent) {
            return Ok(power);
        }
        match self.parts() {
            Some(parts) => raise::<UNITS>(parts.to_dec(), exponent, whole),
            None => raise::<HUGE_UNITS>(self.to_huge(), exponent, whole),
        }
    }

    /// An exact power of at most 28 digits.
    fn small_power(&self, exponent: &Number) -> Option<Number> {
        let times = exponent.to_i64().and_then(|times| u32::try_from(times).ok())?;
        let parts = self.parts()?;
        let coef = parts.coef.checked_pow(times)?;
        let exp = parts.exp.checked_mul(i32::try_from(times).ok()?)?;
        let exact = wide::digits(coef) <= PRECISION && (-400_000..=400_000).contains(&exp);
        exact.then(|| Number::from_parts(Parts { negative: parts.negative && times % 2 == 1, coef, exp }))
    }

    /// The sign as written, also of a zero.
    fn is_signed_negative(&self) -> bool {
        self.parts().map_or_else(|| self.is_negative(), |parts| parts.negative)
    }
}

fn zero_power(sign: bool, exponent: &Number) -> Outcome {
    if exponent.is_zero() || exponent.is_negative() {
        return Err(NumberFault::NoResult);
    }
    Ok(Number::from_parts(Parts { negative: sign, ..Parts::ZERO }))
}

/// One to any power is one; a written scale multiplies, up to 28 digits.
fn one_power(base: &Number, exponent: &Number, whole: bool, negative: bool) -> Number {
    let written = base.parts().map_or(0, |parts| -i64::from(parts.exp));
    let full = i64::from(PRECISION) - 1;
    let places = if !whole {
        full
    } else if exponent.is_negative() {
        0
    } else {
        let times = exponent.to_i64().unwrap_or(i64::MAX);
        written.checked_mul(times).map_or(full, |places| places.clamp(0, full))
    };
    let places = places as u32;
    Number::from_parts(Parts { negative, coef: 10u128.pow(places), exp: -(places as i32) })
}

fn is_odd(number: &Number) -> bool {
    match number.parts() {
        Some(parts) => {
            let parts = parts.reduced();
            parts.exp == 0 && parts.coef % 2 == 1
        }
        None => {
            let mut trimmed = number.to_huge();
            trimmed.trim();
            trimmed.exponent() == 0 && trimmed.coefficient_units().first().is_some_and(|unit| unit % 2 == 1)
        }
    }
}

fn raise<const N: usize>(base: Decimal<N>, exponent: &Number, whole: bool) -> Outcome {
    match whole_times(exponent).filter(|_| whole) {
        Some((times, negative)) => raise_whole(base, times, negative),
        None => raise_real(base, exponent, whole && is_odd(exponent)),
    }
}

/// The size and sign of a whole exponent that squaring can take.
fn whole_times(exponent: &Number) -> Option<(u128, bool)> {
    let parts = exponent.parts()?.reduced();
    let shift = u32::try_from(parts.exp).ok()?;
    let times = wide::scaled(parts.coef, shift).filter(|times| *times < MAX_EXPONENT)?;
    Some((times, parts.negative))
}

/// `exp(y ln |x|)`, with the sign of the base if `odd`.
fn raise_real<const N: usize>(base: Decimal<N>, exponent: &Number, odd: bool) -> Outcome {
    let mut work: Context<Decimal<N>> = wide::context(REAL_PRECISION);
    let exponent = match exponent.parts() {
        Some(parts) => parts.to_dec::<N>(),
        None => work.to_width(exponent.to_huge()),
    };
    let negative = base.is_negative();
    let mut power = base;
    work.abs(&mut power);
    work.ln(&mut power);
    work.mul(&mut power, &exponent);
    work.exp(&mut power);
    if negative && odd {
        work.neg(&mut power);
    }
    finish(&work, power)
}

fn raise_whole<const N: usize>(base: Decimal<N>, times: u128, inverse: bool) -> Outcome {
    let spare = wide::digits(times) + 2 + u32::from(inverse);
    let mut work: Context<Decimal<N>> = wide::context(PRECISION + spare);
    let mut base = base;
    if inverse {
        let mut inverse = Decimal::<N>::from(1);
        work.div(&mut inverse, &base);
        base = inverse;
    }
    let mut power = base;
    for bit in (0..times.ilog2()).rev() {
        let same = power;
        work.mul(&mut power, &same);
        if times >> bit & 1 == 1 {
            work.mul(&mut power, &base);
        }
        if power.is_zero() || !power.is_finite() {
            break;
        }
    }
    let negative = base.is_negative() && times % 2 == 1;
    if power.is_negative() != negative {
        // Squaring stops early at zero, whose sign it then has not reached. A sign changes also on a zero.
        work.neg(&mut power);
    }
    finish(&work, power)
}

/// Rounds the working digits to those of the language.
fn finish<const N: usize>(work: &Context<Decimal<N>>, mut power: Decimal<N>) -> Outcome {
    if work.status().overflow() || work.status().invalid_operation() {
        return Err(NumberFault::NoResult);
    }
    let mut context: Context<Decimal<N>> = wide::context(PRECISION);
    if power.is_zero() {
        // The base was not zero: too small for any digit, at the lowest exponent there is.
        let exp = LOWEST_EXPONENT;
        return Ok(Number::from_parts(Parts { negative: power.is_negative(), coef: 0, exp }));
    }
    context.plus(&mut power);
    wide::from_dec(&context, &power)
}
