//! Owns `tidegate limit`: the grammar, and how limits are printed. Must not know how anything is counted.

use clap::{Args, Subcommand};

use super::flags::DataArgs;
use super::office;
use super::run::say;
use super::table::Table;
use super::{Parts, program::complain};
use crate::identity::{LimitName, Subject};

pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate limit set --workspace team-a --requests-per-minute 600 --concurrent-calls 20
  tidegate limit set --key 0a1B2c3D --tokens-per-minute 20000
  tidegate limit set --key 0a1B2c3D       lifts what is not said: this key has no limits of its own any more
  tidegate limit list

A call must be within the limits of its key and of its workspace. What is refused says which limit, how much of it is used
and when there is room again; answers say what is left in x-ratelimit headers.";

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
}

pub(super) fn run(command: LimitCommand, settings: &DataArgs, parts: Parts) -> Result<(), String> {
    office::with(settings, parts, async |books| {
        match command {
            LimitCommand::Set(args) => {
                let SetArgs { workspace, key, requests_per_minute, tokens_per_minute, concurrent_calls } =
                    args;
                let subject = match workspace {
                    Some(named) => Subject::Workspace(named),
                    None => Subject::Key(key.unwrap_or_default()),
                };
                let limits = [
                    (LimitName::RequestsPerMinute, requests_per_minute),
                    (LimitName::TokensPerMinute, tokens_per_minute),
                    (LimitName::ConcurrentCalls, concurrent_calls),
                ];
                let id = books.office.limit(&subject, &limits).await.map_err(|error| error.to_string())?;
                complain(&format!("the limits of {id} are in force"));
            }
            LimitCommand::List => {
                let mut table = Table::new(&["workspace or key", "limit", "value"]);
                table.right(&["value"]);
                let contents = books.office.roster().contents();
                for limit in &contents.limits {
                    let key = contents.keys.iter().find(|key| key.id == limit.subject);
                    let workspace =
                        contents.workspaces.iter().find(|known| known.id.as_str() == limit.subject);
                    let named = match (key, workspace) {
                        (Some(key), _) => format!("key {} {}", key.short, key.name),
                        (None, Some(workspace)) => format!("workspace {}", workspace.name),
                        (None, None) => limit.subject.clone(),
                    };
                    table.row([named, limit.name.name().to_owned(), limit.value.to_string()]);
                }
                say(table.to_string().trim_end());
            }
        }
        Ok(())
    })
}
