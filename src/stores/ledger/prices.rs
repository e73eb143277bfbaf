//! What tokens cost: the table of prices, and the money for a usage.
//!
//! Owns the arithmetic, in whole nano-USD. Must not guess: a model without a price costs nothing that is known.

use std::collections::HashMap;

use serde::Deserialize;
use tidegate_actors::ports::books::Money;
use tidegate_actors::ports::provider::Usage;

/// The table that is built in.
const BUILT_IN: &str = include_str!("../../../config/prices.toml");

/// A price for each model, by the provider's name of the model.
#[derive(Debug, Default)]
pub(super) struct Prices(HashMap<String, Price>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    price: Vec<Line>,
}

/// Prices of one model, USD for a million tokens, which is thousandths of nano-USD for one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    model: String,
    input: f64,
    /// Tokens the provider had remembered; as `input` if it says nothing.
    cached_read: Option<f64>,
    /// Tokens the provider is to remember; likewise.
    cached_write: Option<f64>,
    output: f64,
    /// When it was looked up, and where.
    #[expect(
        dead_code,
        reason = "for people who read the file; required so that no price stands there unproven"
    )]
    date: String,
    #[expect(dead_code, reason = "as above")]
    source: String,
}

/// Nano-USD for a thousand tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Price {
    input: i128,
    cached_read: i128,
    cached_write: i128,
    output: i128,
}

impl Prices {
    /// The table that is built in.
    ///
    /// # Errors
    /// What is wrong with it; the tests know before anybody else.
    pub(super) fn built_in() -> Result<Self, toml::de::Error> {
        let Table { price } = toml::from_str(BUILT_IN)?;
        Ok(Self(price.into_iter().map(|line| (line.model.clone(), Price::of(&line))).collect()))
    }

    /// What a usage of `provider/model` costs. Models that name a date behind a known one cost what that one does.
    pub(super) fn of(&self, target: &str, usage: Usage) -> Money {
        let (_, model) = target.split_once('/')?;
        self.find(model).map(|price| price.cost(usage))
    }

    fn find(&self, model: &str) -> Option<&Price> {
        self.0.get(model).or_else(|| self.0.get(undated(model)?))
    }
}

/// The name before `-20250131`, `-2025-01-31` or `-latest`.
fn undated(model: &str) -> Option<&str> {
    let dated = |form: &str| {
        let (name, date) = model.split_at_checked(model.len().checked_sub(form.len())?)?;
        let fits =
            |(letter, form): (u8, u8)| if form == b'0' { letter.is_ascii_digit() } else { letter == form };
        date.bytes().zip(form.bytes()).all(fits).then_some(name)
    };
    dated("-00000000").or_else(|| dated("-0000-00-00")).or_else(|| model.strip_suffix("-latest"))
}

impl Price {
    fn of(line: &Line) -> Self {
        // USD a million tokens are 10^9 nano-USD a million tokens, so 10^6 a thousand.
        let nano = |usd: f64| (usd * 1e6).round() as i128;
        let input = nano(line.input);
        Self {
            input,
            cached_read: line.cached_read.map_or(input, nano),
            cached_write: line.cached_write.map_or(input, nano),
            output: nano(line.output),
        }
    }

    /// Rounded up: what costs anything never counts as free.
    fn cost(&self, usage: Usage) -> i64 {
        // What was read from or written to the provider's memory is part of the input; reasoning is part of the output.
        let Usage { input, cached_read, cached_write, output, reasoning: _ } = usage;
        let plain = input.saturating_sub(cached_read).saturating_sub(cached_write);
        let sum = i128::from(plain) * self.input
            + i128::from(cached_read) * self.cached_read
            + i128::from(cached_write) * self.cached_write
            + i128::from(output) * self.output;
        i64::try_from((sum + 999).div_euclid(1_000)).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usage_costs_what_the_table_says_to_the_nano_dollar() {
        let prices = Prices::built_in().expect("the table can be read");
        let usage = Usage { input: 1_000, cached_read: 400, cached_write: 0, output: 10, reasoning: 4 };
        // 600 at 2.50, 400 at 1.25 and 10 at 10.00 USD a million.
        assert_eq!(prices.of("openai/gpt-4o", usage), Some(1_500_000 + 500_000 + 100_000));
        assert_eq!(
            prices.of("azure/gpt-4o-2024-08-06", usage),
            Some(2_100_000),
            "a dated name is the same model"
        );
        let one = Usage { input: 1, ..Usage::default() };
        assert_eq!(prices.of("openai/text-embedding-3-small", one), Some(20));
        assert_eq!(prices.of("openai/gpt-4.1-nano", Usage { cached_read: 1, ..one }), Some(25));
    }

    #[test]
    fn a_model_without_a_price_has_none_and_no_guess() {
        let prices = Prices::built_in().expect("the table can be read");
        let usage = Usage { input: 9, ..Usage::default() };
        for target in ["mock/mock-chat", "openai/gpt-4o-audio", "openai/gpt", "none", ""] {
            assert_eq!(prices.of(target, usage), None, "{target}");
        }
    }
}
