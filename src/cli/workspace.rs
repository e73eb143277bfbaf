//! Owns `tidegate workspace`: the grammar, and how workspaces are printed. Must not know where they are stored.

use clap::{Args, Subcommand};

use super::flags::DataArgs;
use super::office;
use super::run::say;
use super::table::Table;
use super::{Parts, program::complain};
use crate::identity::{LimitName, Subject};
use crate::telemetry::when::written;

pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate workspace create team-a        its id is printed; its name does as well everywhere
  tidegate workspace set team-a --keep-bodies 30   requests and answers of its calls are kept for 30 days
  tidegate workspace set team-a --no-bodies        and from here on not any more; what was kept is dropped
  tidegate workspace list

Workspaces share nothing: no answer, no key, no row of the books. The one called default is always there.";

#[derive(Debug, Subcommand)]
pub(super) enum WorkspaceCommand {
    /// Make a workspace
    Create {
        /// What people call it; no two have the same
        name: String,
    },
    /// Say what a workspace keeps
    Set(SetArgs),
    /// List all workspaces
    List,
}

#[derive(Debug, Args)]
pub(super) struct SetArgs {
    /// Its name or id
    name: String,
    /// Keep what its calls ask and are told for so many days (ledger.bodies_days at most)
    #[arg(long, value_name = "DAYS", required_unless_present = "no_bodies", conflicts_with = "no_bodies")]
    keep_bodies: Option<u64>,
    /// Keep nothing of it, and drop what was kept
    #[arg(long)]
    no_bodies: bool,
}

pub(super) fn run(command: WorkspaceCommand, settings: &DataArgs, parts: Parts) -> Result<(), String> {
    office::with(settings, parts, async |books| {
        match command {
            WorkspaceCommand::Create { name } => {
                let made = books.office.make_workspace(&name).await.map_err(|error| error.to_string())?;
                complain(&format!(
                    "workspace {:?} is there; `tidegate key create --workspace {}`",
                    made.name, made.id
                ));
                say(made.id.as_str());
            }
            WorkspaceCommand::Set(SetArgs { name, keep_bodies, no_bodies: _ }) => {
                let days = [(LimitName::BodyDays, keep_bodies)];
                let set = books.office.limit(&Subject::Workspace(name.clone()), &days).await;
                set.map_err(|error| error.to_string())?;
                complain(&match keep_bodies {
                    Some(days) => {
                        format!("what the calls of {name:?} ask and are told is kept for {days} days")
                    }
                    None => format!("nothing that the calls of {name:?} ask and are told is kept"),
                });
            }
            WorkspaceCommand::List => {
                let mut table = Table::new(&["id", "name", "made", "bodies"]);
                for workspace in &books.office.roster().contents().workspaces {
                    let made = if workspace.created_us == 0 {
                        "-".to_owned()
                    } else {
                        written(workspace.created_us)
                    };
                    let days = books.office.roster().body_days(&workspace.id);
                    let bodies = days.map_or("-".to_owned(), |days| format!("{days} days"));
                    table.row([workspace.id.to_string(), workspace.name.clone(), made, bodies]);
                }
                say(table.to_string().trim_end());
            }
        }
        Ok(())
    })
}
