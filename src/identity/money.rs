//! Owns how money is written and read: whole nano-USD as decimal USD. Must not know what anything costs.

const NANO: i64 = 1_000_000_000;
/// Digits behind the point.
const DIGITS: usize = 9;

/// Nano-USD as decimal USD with all nine digits.
#[must_use]
pub fn usd(nano: i64) -> String {
    format!("{}{}.{:09}", if nano < 0 { "-" } else { "" }, (nano / NANO).unsigned_abs(), (nano % NANO).abs())
}

/// Nano-USD as people write it: at least two digits behind the point, and no zeros behind those.
#[must_use]
pub fn short_usd(nano: i64) -> String {
    let whole = usd(nano);
    let least = whole.len() - DIGITS + 2;
    let end = whole.trim_end_matches('0').len().max(least);
    whole[..end].to_owned()
}

/// The nano-USD of a decimal text such as `12`, `0.5` or `3.000000001`; nothing for what is below 0, has more than nine
/// digits behind the point, or is no such text.
#[must_use]
pub fn nano(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > DIGITS {
        return None;
    }
    let part: i64 = format!("{part:0<DIGITS$}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(NANO)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_keeps_every_nano_dollar() {
        for (amount, text) in [
            (0, "0.000000000"),
            (12_500, "0.000012500"),
            (1_000_000_001, "1.000000001"),
            (i64::MAX, "9223372036.854775807"),
        ] {
            assert_eq!((usd(amount).as_str(), nano(text)), (text, Some(amount)));
        }
        assert_eq!((usd(-1).as_str(), usd(i64::MIN).as_str()), ("-0.000000001", "-9223372036.854775808"));
    }

    #[test]
    fn people_write_and_read_as_few_digits_as_say_it() {
        for (amount, text) in [(0, "0.00"), (500_000_000, "0.50"), (12_500, "0.0000125"), (2 * NANO, "2.00")]
        {
            assert_eq!((short_usd(amount).as_str(), nano(text)), (text, Some(amount)));
        }
        assert_eq!([nano("12"), nano("0.5")], [Some(12 * NANO), Some(NANO / 2)]);
        for text in ["", ".5", "1.", "-1", "+1", "1e3", "1,5", "0.0000000001", "9223372037", "\u{661}"] {
            assert_eq!(nano(text), None, "{text}");
        }
    }
}
