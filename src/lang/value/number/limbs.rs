//! Owns the little 256-bit arithmetic that products and quotients of 28 digits need. Must not know decimals.

/// A 256-bit number, lowest limb first.
pub(super) type Limbs = [u64; 4];

fn low(number: u128) -> u64 {
    number as u64
}

fn high(number: u128) -> u64 {
    (number >> 64) as u64
}

fn join(high: u64, low: u64) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

/// The whole product.
pub(super) fn multiply(a: u128, b: u128) -> Limbs {
    let part = |x: u64, y: u64| u128::from(x) * u128::from(y);
    let bottom = part(low(a), low(b));
    let (cross, other) = (part(low(a), high(b)), part(high(a), low(b)));
    let middle = u128::from(high(bottom)) + u128::from(low(cross)) + u128::from(low(other));
    let top = part(high(a), high(b)) + u128::from(high(cross)) + u128::from(high(other));
    let top = top + u128::from(high(middle));
    [low(bottom), low(middle), low(top), high(top)]
}

/// Divides in place; the answer is the remainder.
pub(super) fn divide_by_word(number: &mut Limbs, divisor: u64) -> u64 {
    let mut rest = 0;
    for limb in number.iter_mut().rev() {
        if rest == 0 && *limb < divisor {
            rest = std::mem::take(limb);
            continue;
        }
        let (quotient, left) = divide_step(rest, *limb, divisor);
        *limb = quotient;
        rest = left;
    }
    rest
}

/// `(high, low) / divisor` where `high < divisor`, so that the quotient is one word.
fn divide_step(high: u64, low: u64, divisor: u64) -> (u64, u64) {
    let number = join(high, low);
    let quotient = (number / u128::from(divisor)) as u64;
    (quotient, low.wrapping_sub(quotient.wrapping_mul(divisor)))
}

/// Quotient, and whether anything is left. The quotient must fit 128 bits.
pub(super) fn divide(mut number: Limbs, divisor: u128) -> (u128, bool) {
    if high(divisor) == 0 {
        let rest = divide_by_word(&mut number, low(divisor));
        debug_assert!(number[2] == 0 && number[3] == 0);
        return (join(number[1], number[0]), rest != 0);
    }
    // Knuth, algorithm D, for a divisor of two limbs: with its top bit set, an estimate from the upper limbs is
    // at most two too large.
    let shift = divisor.leading_zeros();
    let divisor = divisor << shift;
    let [n0, n1, n2, n3] = number;
    let shifted = |upper: u64, lower: u64| if shift == 0 { upper } else { high(join(upper, lower) << shift) };
    let mut window = [shifted(0, n3), shifted(n3, n2), shifted(n2, n1), shifted(n1, n0), n0 << shift];
    let mut digits = [0u64; 3];
    for (at, digit) in digits.iter_mut().enumerate() {
        let next = [window[at], window[at + 1], window[at + 2]];
        let (quotient, rest) = divide_three_by_two(next, divisor);
        *digit = quotient;
        [window[at], window[at + 1], window[at + 2]] = [0, high(rest), low(rest)];
    }
    debug_assert!(digits[0] == 0);
    (join(digits[1], digits[2]), window[3] != 0 || window[4] != 0)
}

/// Three limbs (highest first) by a normalised divisor, when the quotient is one limb.
fn divide_three_by_two(number: [u64; 3], divisor: u128) -> (u64, u128) {
    let [upper, middle, lower] = number;
    let mut estimate = if upper >= high(divisor) {
        u64::MAX
    } else {
        (join(upper, middle) / u128::from(high(divisor))) as u64
    };
    loop {
        let bottom = u128::from(estimate) * u128::from(low(divisor));
        let top = u128::from(estimate) * u128::from(high(divisor)) + u128::from(high(bottom));
        let fits = (top, low(bottom)) <= (join(upper, middle), lower);
        if fits {
            let product_low = join(low(top), low(bottom));
            let rest = join(middle, lower).wrapping_sub(product_low);
            return (estimate, rest);
        }
        estimate -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_multiplied_and_divided_again_is_the_same() {
        let samples = [
            1,
            3,
            10u128.pow(19),
            u128::from(u64::MAX),
            1 << 64,
            (1 << 64) + 1,
            10u128.pow(28) - 1,
            10u128.pow(38) - 1,
            u128::MAX >> 1,
            u128::MAX - 1,
            u128::MAX,
            0xffff_ffff_0000_0000_ffff_ffff_ffff_ffff,
        ];
        for a in samples {
            for b in samples {
                let product = multiply(a, b);
                assert_eq!(divide(product, b), (a, false), "{a} * {b} / {b}");
                let (mut plus_one, mut carry) = (product, true);
                for limb in &mut plus_one {
                    (*limb, carry) = limb.overflowing_add(u64::from(carry));
                }
                if !carry && b > 1 {
                    assert_eq!(divide(plus_one, b), (a, true), "({a} * {b} + 1) / {b}");
                }
            }
        }
    }
}
