//! Owns `**`: whole exponents by squaring with a few digits to spare, fractional ones as `exp(y ln x)` with 60
//! working digits. Must give the digits of a correctly rounded result.

use dec::{Context, Decimal};

use super::wide::{self, HUGE_UNITS, Parts};
use super::{Number, NumberFault, PRECISION};

/// Units for a base of up to 38 digits and 90 working digits.
const UNITS: usize = 30;
/// Working digits of `ln` and `exp`.
const REAL_PRECISION: u32 = 60;
/// Longer whole exponents have no result unless the base is one: only a base within 10^-50 of one could.
const MAX_EXPONENT: u128 = 10u128.pow(37);

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
        match self.parts() {
            Some(parts) => raise::<UNITS>(parts.to_dec(), exponent, whole),
            None => raise::<HUGE_UNITS>(self.to_huge(), exponent, whole),
        }
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
    if whole {
        return raise_whole(base, exponent);
    }
    let mut work: Context<Decimal<N>> = wide::context(REAL_PRECISION);
    let exponent = match exponent.parts() {
        Some(parts) => parts.to_dec::<N>(),
        None => work.to_width(exponent.to_huge()),
    };
    let mut power = base;
    work.ln(&mut power);
    work.mul(&mut power, &exponent);
    work.exp(&mut power);
    finish(&work, power)
}

fn raise_whole<const N: usize>(base: Decimal<N>, exponent: &Number) -> Outcome {
    let parts = exponent.parts().map(Parts::reduced).ok_or(NumberFault::NoResult)?;
    let times = u32::try_from(parts.exp)
        .ok()
        .and_then(|shift| wide::scaled(parts.coef, shift))
        .filter(|times| *times < MAX_EXPONENT)
        .ok_or(NumberFault::NoResult)?;
    let spare = wide::digits(times) + 2 + u32::from(parts.negative);
    let mut work: Context<Decimal<N>> = wide::context(PRECISION + spare);
    let mut base = base;
    if parts.negative {
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
    finish(&work, power)
}

/// Rounds the working digits to those of the language.
fn finish<const N: usize>(work: &Context<Decimal<N>>, mut power: Decimal<N>) -> Outcome {
    if work.status().overflow() || work.status().invalid_operation() {
        return Err(NumberFault::NoResult);
    }
    let mut context: Context<Decimal<N>> = wide::context(PRECISION);
    context.plus(&mut power);
    wide::from_dec(&context, &power)
}
