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

/// What [`Number::quick`] can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quick {
    /// The sum.
    Add,
    /// The difference.
    Subtract,
    /// The product, unless it is zero with a negative side.
    Multiply,
    /// The quotient, if it is whole at the scale of the operands.
    Divide,
    /// The remainder, unless it is zero of a negative left side.
    Remainder,
}

impl Number {
    /// Coefficient and exponent of a result that fits one word, where no care is needed to get it.
    ///
    /// Two numbers in registers rather than a `Number`: a value written to memory in pieces and read back as a
    /// whole costs more than the arithmetic.
    #[inline(always)]
    pub(crate) fn quick(&self, operator: Quick, other: &Number) -> Option<(i64, i32)> {
        let (&Repr::Small { coef: a, exp: ea }, &Repr::Small { coef: b, exp: eb }) = (&self.0, &other.0)
        else {
            return None;
        };
        match operator {
            Quick::Multiply => {
                let product = a.checked_mul(b)?;
                ((product != 0 || a | b >= 0) && easy(ea + eb)).then_some((product, ea + eb))
            }
            Quick::Divide => {
                let quotient = a.checked_div(b)?;
                let whole = quotient * b == a && (quotient != 0 || b > 0);
                (whole && easy(ea - eb)).then_some((quotient, ea - eb))
            }
            Quick::Add => aligned(self, other).and_then(|(a, b, exp)| Some((a.checked_add(b)?, exp))),
            Quick::Subtract => aligned(self, other).and_then(|(a, b, exp)| Some((a.checked_sub(b)?, exp))),
            Quick::Remainder => {
                let (a, b, exp) = aligned(self, other)?;
                let rest = a.checked_rem(b)?;
                (rest != 0 || a >= 0).then_some((rest, exp))
            }
        }
    }

    /// The number itself in the form of a [`Number::quick`] result, if it is short.
    #[inline(always)]
    pub(crate) fn as_quick(&self) -> Option<(i64, i32)> {
        if let Repr::Small { coef, exp } = self.0 { Some((coef, exp)) } else { None }
    }

    /// The number of a [`Number::quick`] result.
    #[inline(always)]
    pub(crate) fn from_quick((coef, exp): (i64, i32)) -> Self {
        Self::small(coef, exp)
    }

    /// Becomes the number of a [`Number::quick`] result, piece by piece for the same reason.
    #[inline(always)]
    pub(crate) fn overwrite(&mut self, (new_coef, new_exp): (i64, i32)) {
        match &mut self.0 {
            Repr::Small { coef, exp } => (*coef, *exp) = (new_coef, new_exp),
            other => *other = Repr::Small { coef: new_coef, exp: new_exp },
        }
    }

    /// The order, if both sides fit one word at one scale.
    #[inline(always)]
    pub(crate) fn quick_compare(&self, other: &Number) -> Option<Ordering> {
        let (a, b, _) = aligned(self, other)?;
        Some(a.cmp(&b))
    }
}
