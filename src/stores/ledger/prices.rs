//! What tokens cost: the table of prices, and the money for a usage.
//!
//! Owns the arithmetic, in whole nano-USD. Must not guess: a model without a price costs nothing that is known. What is made up
//! here costs nothing, whatever its model is called.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use tidegate_actors::ports::books::Money;
use tidegate_actors::ports::provider::Usage;

use crate::config::{Config, ProviderKind};
use crate::identity::{PriceRow, Tariff};

/// The table that is built in.
const BUILT_IN: &str = include_str!("../../../config/prices.toml");

/// The name under which every program may have answers made up.
const MOCK: &str = "mock";

/// A price for each model, by the provider's name of the model.
#[derive(Debug, Default)]
pub struct Prices {
    models: HashMap<String, Price>,
    /// The lines as they stand in the file.
    lines: Vec<Line>,
    /// Providers that ask nobody.
    free: HashSet<String>,
}

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
    date: String,
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
    /// The table that is built in, for the providers of a configuration.
    ///
    /// # Errors
    /// What is wrong with it; the tests know before anybody else.
    pub fn of(config: &Config) -> std::io::Result<Self> {
        let table: Result<Table, _> = toml::from_str(BUILT_IN);
        let Table { price } =
            table.map_err(|error| std::io::Error::other(format!("config/prices.toml: {error}")))?;
        let models = price.iter().map(|line| (line.model.clone(), Price::of(line))).collect();
        let made_up = config.providers.iter().filter(|(_, provider)| provider.kind == ProviderKind::Mock);
        let mut free: HashSet<_> = made_up.map(|(name, _)| name.clone()).collect();
        if !config.providers.contains_key(MOCK) {
            free.insert(MOCK.to_owned());
        }
        Ok(Self { models, lines: price, free })
    }

    fn find(&self, model: &str) -> Option<&Price> {
        self.models.get(model).or_else(|| self.models.get(undated(model)?))
    }
}

impl Tariff for Prices {
    fn rows(&self) -> Vec<PriceRow> {
        let row = |line: &Line| {
            let Price { input, cached_read, cached_write, output } = Price::of(line);
            // A thousandth of nano-USD for one is a nano-USD for a thousand: a thousand times that is a million's.
            let million = |nano: i128| i64::try_from(nano.saturating_mul(1_000)).unwrap_or(i64::MAX);
            PriceRow {
                model: line.model.clone(),
                million: [input, cached_read, cached_write, output].map(million),
                date: line.date.clone(),
                source: line.source.clone(),
            }
        };
        self.lines.iter().map(row).collect()
    }

    /// Models that name a date behind a known one cost what that one does.
    fn cost(&self, target: &str, usage: Usage) -> Money {
        let (provider, model) = target.split_once('/')?;
        match self.free.contains(provider) {
            true => Some(0),
            false => self.find(model).map(|price| price.cost(usage)),
        }
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
    use crate::config::Provider;

    fn prices() -> Prices {
        Prices::of(&Config::default()).expect("the table can be read")
    }

    #[test]
    fn a_usage_costs_what_the_table_says_to_the_nano_dollar() {
        let prices = prices();
        let usage = Usage { input: 1_000, cached_read: 400, cached_write: 0, output: 10, reasoning: 4 };
        // 600 at 2.50, 400 at 1.25 and 10 at 10.00 USD a million.
        assert_eq!(prices.cost("openai/gpt-4o", usage), Some(1_500_000 + 500_000 + 100_000));
        assert_eq!(
            prices.cost("azure/gpt-4o-2024-08-06", usage),
            Some(2_100_000),
            "a dated name is the same model"
        );
        let one = Usage { input: 1, ..Usage::default() };
        assert_eq!(prices.cost("openai/text-embedding-3-small", one), Some(20));
        assert_eq!(prices.cost("openai/gpt-4.1-nano", Usage { cached_read: 1, ..one }), Some(25));
    }

    #[test]
    fn a_model_without_a_price_has_none_and_no_guess() {
        let (prices, usage) = (prices(), Usage { input: 9, ..Usage::default() });
        for target in ["openai/mock-chat", "openai/gpt-4o-audio", "openai/gpt", "none", ""] {
            assert_eq!(prices.cost(target, usage), None, "{target}");
        }
    }

    #[test]
    fn every_price_is_shown_as_it_is_charged() {
        let prices = prices();
        let row = prices.rows().into_iter().find(|row| row.model == "gpt-4o").expect("it is listed");
        let million = Usage { input: 1_000_000, ..Usage::default() };
        assert_eq!(prices.cost("openai/gpt-4o", million), Some(row.million[0]));
        assert_eq!(row.million, [2_500_000_000, 1_250_000_000, 2_500_000_000, 10_000_000_000]);
        assert!(row.date.starts_with("20") && row.source.starts_with("https://"), "{row:?}");
    }

    /// Answers were made up for a model called gpt-4o, and its price was charged.
    #[test]
    fn what_is_made_up_costs_nothing_whatever_its_model_is_called() {
        let usage = Usage { input: 9, output: 9, ..Usage::default() };
        assert_eq!(prices().cost("mock/gpt-4o", usage), Some(0));
        let kinds = [("rehearsal", ProviderKind::Mock), ("mock", ProviderKind::Openai)];
        let providers =
            kinds.map(|(name, kind)| (name.to_owned(), Provider { kind, ..Provider::default() })).into();
        let config = Config { providers, ..Config::default() };
        let prices = Prices::of(&config).expect("the table can be read");
        assert_eq!(prices.cost("rehearsal/gpt-4o", usage), Some(0));
        assert!(prices.cost("mock/gpt-4o", usage) > Some(0), "a name is not a kind");
    }
}
