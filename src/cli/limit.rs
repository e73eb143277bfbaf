//! Owns `tidegate limit`: the grammar, and how limits are printed. Must not know how anything is counted.

use std::sync::Arc;

use clap::{Args, Subcommand};
use tidegate_actors::ports::clock::{Clock as _, SystemClock, Tick};

use super::flags::DataArgs;
use super::office;
use super::run::say;
use super::table::Table;
use super::{Parts, program::complain};
use crate::identity::money::nano;
use crate::identity::{LimitName, Meter, Reading, Roster, Span, Subject};
use crate::telemetry::when::written;

pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate limit set --workspace team-a --requests-per-minute 600 --concurrent-calls 20
  tidegate limit set --workspace team-a --usd-per-month 500 --soft-usd-per-month 400
  tidegate limit set --key 0a1B2c3D --tokens-per-minute 20000 --usd-per-day 12.50
  tidegate limit set --key 0a1B2c3D       lifts what is not said: this key has no limits of its own any more
  tidegate limit list

A call must be within the limits of its key and of its workspace. What is refused says which limit, how much of it is used
and when there is room again; answers say what is left in x-ratelimit headers. Days and months are UTC; money is counted by
config/prices.toml, a model that is not listed there counts as nothing.";

#[derive(Debug, Subcommand)]
pub(super) enum LimitCommand {
    /// Say what a workspace or a key may use
    Set(SetArgs),
    /// List the limits
    List,
}

#[derive(Debug, Args)]
pub(super) struct SetArgs {
    /// The workspace, by name or id: all its keys together
    #[arg(long, value_name = "WORKSPACE", required_unless_present = "key", conflicts_with = "key")]
    workspace: Option<String>,
    /// The key, by its id or the eight characters behind tg_
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Calls that begin
    #[arg(long, value_name = "N")]
    requests_per_minute: Option<u64>,
    /// Tokens read and written by providers
    #[arg(long, value_name = "N")]
    tokens_per_minute: Option<u64>,
    /// Calls that have begun and not ended
    #[arg(long, value_name = "N")]
    concurrent_calls: Option<u64>,
    /// What calls may cost in a UTC day
    #[arg(long, value_name = "USD", value_parser = usd)]
    usd_per_day: Option<u64>,
    /// What calls may cost in a UTC month
    #[arg(long, value_name = "USD", value_parser = usd)]
    usd_per_month: Option<u64>,
    /// What calls may cost in a UTC day before it is warned
    #[arg(long, value_name = "USD", value_parser = usd)]
    soft_usd_per_day: Option<u64>,
    /// What calls may cost in a UTC month before it is warned
    #[arg(long, value_name = "USD", value_parser = usd)]
    soft_usd_per_month: Option<u64>,
}

/// Decimal USD, in nano-USD.
fn usd(text: &str) -> Result<u64, String> {
    let nano = nano(text).and_then(|nano| u64::try_from(nano).ok());
    nano.ok_or_else(|| "give USD such as 500 or 12.50, with at most nine digits behind the point".to_owned())
}

impl SetArgs {
    fn subject(&self) -> Subject {
        match (&self.workspace, &self.key) {
            (Some(named), _) => Subject::Workspace(named.clone()),
            (None, key) => Subject::Key(key.clone().unwrap_or_default()),
        }
    }

    fn limits(&self) -> [(LimitName, Option<u64>); 7] {
        [
            (LimitName::RequestsPerMinute, self.requests_per_minute),
            (LimitName::TokensPerMinute, self.tokens_per_minute),
            (LimitName::ConcurrentCalls, self.concurrent_calls),
            (LimitName::Usd(Span::Day), self.usd_per_day),
            (LimitName::Usd(Span::Month), self.usd_per_month),
            (LimitName::SoftUsd(Span::Day), self.soft_usd_per_day),
            (LimitName::SoftUsd(Span::Month), self.soft_usd_per_month),
        ]
    }
}

/// Budgets by whose they are, with what servers noted of them.
fn budgets(roster: &Roster, now_us: i64) -> Vec<(String, Reading)> {
    let of_meter = |meter: Arc<Meter>| {
        let id = meter.whose().id.clone();
        let read = meter.read(Tick(0), now_us).into_iter().filter(|read| read.name.is_money());
        read.map(move |read| (id.clone(), read)).collect::<Vec<_>>()
    };
    roster.meters().into_iter().flat_map(of_meter).collect()
}

pub(super) fn run(command: LimitCommand, settings: &DataArgs, parts: Parts) -> Result<(), String> {
    office::with(settings, parts, async |books| {
        match command {
            LimitCommand::Set(args) => {
                let limited = books.office.limit(&args.subject(), &args.limits()).await;
                let id = limited.map_err(|error| error.to_string())?;
                complain(&format!("the limits of {id} are in force"));
            }
            LimitCommand::List => {
                let mut table = Table::new(&["workspace or key", "limit", "value", "used", "begins anew"]);
                table.right(&["value", "used"]);
                let contents = books.office.roster().contents();
                let now_us = SystemClock::new().unix_us();
                let spent = budgets(books.office.roster(), now_us);
                for limit in &contents.limits {
                    let key = contents.keys.iter().find(|key| key.id == limit.subject);
                    let workspace =
                        contents.workspaces.iter().find(|known| known.id.as_str() == limit.subject);
                    let named = match (key, workspace) {
                        (Some(key), _) => format!("key {} {}", key.short, key.name),
                        (None, Some(workspace)) => format!("workspace {}", workspace.name),
                        (None, None) => limit.subject.clone(),
                    };
                    // What is used in a minute the server alone knows.
                    let spent =
                        spent.iter().find(|(id, spent)| *id == limit.subject && spent.name == limit.name);
                    let used = spent.map(|(_, spent)| limit.name.said(spent.used)).unwrap_or_default();
                    let anew = spent.and_then(|(_, spent)| spent.reset_us).map(written).unwrap_or_default();
                    let (name, value) = (limit.name.name().to_owned(), limit.name.said(limit.value));
                    table.row([named, name, value, used, anew]);
                }
                say(table.to_string().trim_end());
            }
        }
        Ok(())
    })
}
