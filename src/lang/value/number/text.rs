//! Owns how a number is read and written: literals, the text with its scale, and the JSON digits.

use std::fmt;

use dec::Decimal;

use super::wide::{self, HUGE_UNITS, Huge, Parts};
use super::{MAX_DIGITS, Number, Repr};

impl Number {
    /// Reads `[+-]digits[.digits][e[+-]digits]` and keeps every digit and the scale. None for any other text
    /// and for more than [`MAX_DIGITS`] digits.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], rest[at + 1..].parse::<i32>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || exponent.abs() > 999_999 {
            return None;
        }
        let exp = exponent - i32::try_from(fraction.len()).ok()?;
        let significant = format!("{whole}{fraction}");
        let significant = significant.trim_start_matches('0');
        if significant.len() > MAX_DIGITS || exp < -1_500_000 {
            return None;
        }
        if significant.len() <= 38 {
            let coef = if significant.is_empty() { 0 } else { significant.parse().ok()? };
            return Some(Self::from_parts(Parts { negative, coef, exp }));
        }
        Some(parse_huge(negative, significant, exp))
    }

    /// The digits of the coefficient, the exponent and the sign.
    fn spelled(&self) -> (bool, String, i32) {
        match &self.0 {
            Repr::Huge(huge) => {
                let digits = huge.coefficient_digits();
                let digits = digits.iter().map(|digit| char::from(b'0' + digit)).collect();
                (huge.is_negative(), digits, huge.exponent())
            }
            _ => {
                let parts = self.parts().unwrap_or(Parts::ZERO);
                (parts.negative, parts.coef.to_string(), parts.exp)
            }
        }
    }

    /// The digits JSON shows: a whole number with all its digits, otherwise rounded to 28, without exponent
    /// and without trailing zeros. Negative zero is 0.
    pub fn to_plain(&self) -> String {
        if let Repr::Small { coef, exp: 0 } = self.0 {
            return coef.to_string();
        }
        if self.is_zero() {
            return "0".to_owned();
        }
        let integral = self.is_integral();
        let rounded = if integral { None } else { self.plus().ok() };
        let (negative, digits, exp) = rounded.as_ref().unwrap_or(self).spelled();
        let kept = digits.trim_end_matches('0');
        let exp = exp + (digits.len() - kept.len()) as i32;
        let mut plain = String::from(if negative { "-" } else { "" });
        plain.push_str(&positional(kept, exp));
        plain
    }
}

/// Digits with the point where the exponent puts it.
fn positional(digits: &str, exp: i32) -> String {
    if exp >= 0 {
        return format!("{digits}{}", "0".repeat(exp as usize));
    }
    let places = exp.unsigned_abs() as usize;
    if places < digits.len() {
        let (whole, fraction) = digits.split_at(digits.len() - places);
        return format!("{whole}.{fraction}");
    }
    format!("0.{}{digits}", "0".repeat(places - digits.len()))
}

fn parse_huge(negative: bool, digits: &str, exp: i32) -> Number {
    let mut units = [0u16; HUGE_UNITS];
    for (unit, group) in units.iter_mut().zip(digits.as_bytes().rchunks(3)) {
        *unit = group.iter().fold(0, |unit, digit| unit * 10 + u16::from(digit - b'0'));
    }
    let sign = if negative { 0x80 } else { 0 };
    let huge: Huge = Decimal::from_raw_parts(digits.len() as u32, exp, sign, units);
    wide::stored(&huge)
}

/// Scientific notation where the exponent asks for it, otherwise digits with the written scale.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (negative, digits, exp) = self.spelled();
        if negative {
            f.write_str("-")?;
        }
        let adjusted = i64::from(exp) + digits.len() as i64 - 1;
        if exp <= 0 && adjusted >= -6 {
            return f.write_str(&positional(&digits, exp));
        }
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        write!(f, "{first}{point}{rest}E{adjusted:+}")
    }
}
