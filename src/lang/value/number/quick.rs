//! Owns what two numbers of one machine word can do within one word: no call, no allocation, and no answer where
//! the result needs more care. Must agree with `arith` to the last digit, scale and sign.

use std::cmp::Ordering;

use super::{Number, Repr, easy};

/// Powers of ten in one word.
static POWERS: [i64; 19] = {
    let mut powers = [1; 19];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// Two coefficients and the exponent they share.
type Aligned = (i64, i64, i32);

#[inline(always)]
fn aligned(a: &Number, b: &Number) -> Option<Aligned> {
    let (&Repr::Small { coef: a, exp: ea }, &Repr::Small { coef: b, exp: eb }) = (&a.0, &b.0) else {
        return None;
    };
    if ea == eb {
        return Some((a, b, ea));
    }
    if ea > eb {
        let a = a.checked_mul(*POWERS.get(ea.abs_diff(eb) as usize)?)?;
        return Some((a, b, eb));
    }
    let b = b.checked_mul(*POWERS.get(eb.abs_diff(ea) as usize)?)?;
    Some((a, b, ea))
}

impl Number {
    /// The sum, if all of it fits one word.
    #[inline(always)]
    pub fn quick_add(&self, other: &Number) -> Option<Number> {
        let (a, b, exp) = aligned(self, other)?;
        Some(Number::small(a.checked_add(b)?, exp))
    }

    /// The difference, if all of it fits one word.
    #[inline(always)]
    pub fn quick_subtract(&self, other: &Number) -> Option<Number> {
        let (a, b, exp) = aligned(self, other)?;
        Some(Number::small(a.checked_sub(b)?, exp))
    }

    /// The product, if it fits one word and is no negative zero.
    #[inline(always)]
    pub fn quick_multiply(&self, other: &Number) -> Option<Number> {
        let (&Repr::Small { coef: a, exp: ea }, &Repr::Small { coef: b, exp: eb }) = (&self.0, &other.0)
        else {
            return None;
        };
        let (product, exp) = (a.checked_mul(b)?, ea + eb);
        let plain = (product != 0 || a | b >= 0) && easy(exp);
        plain.then(|| Number::small(product, exp))
    }

    /// The remainder, if everything fits one word and it is no negative zero.
    #[inline(always)]
    pub fn quick_remainder(&self, other: &Number) -> Option<Number> {
        let (a, b, exp) = aligned(self, other)?;
        let rest = a.checked_rem(b)?;
        (rest != 0 || a >= 0).then(|| Number::small(rest, exp))
    }

    /// The quotient, if it is whole at the scale of the operands and no negative zero.
    #[inline(always)]
    pub fn quick_divide(&self, other: &Number) -> Option<Number> {
        let (&Repr::Small { coef: a, exp: ea }, &Repr::Small { coef: b, exp: eb }) = (&self.0, &other.0)
        else {
            return None;
        };
        let quotient = a.checked_div(b)?;
        let whole = quotient * b == a && (quotient != 0 || b > 0) && easy(ea - eb);
        whole.then(|| Number::small(quotient, ea - eb))
    }

    /// The order, if both sides fit one word at one scale.
    #[inline(always)]
    pub fn quick_compare(&self, other: &Number) -> Option<Ordering> {
        let (a, b, _) = aligned(self, other)?;
        Some(a.cmp(&b))
    }
}
