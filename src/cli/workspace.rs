//! Owns `tidegate workspace`: the grammar, and how workspaces are printed. Must not know where they are stored.

use clap::Subcommand;

use super::flags::DataArgs;
use super::office;
use super::run::say;
use super::table::Table;
use super::{Parts, program::complain};
use crate::telemetry::when::written;

pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate workspace create team-a        its id is printed; its name does as well everywhere
  tidegate workspace list

Workspaces share nothing: no answer, no key, no row of the books. The one called default is always there.";

#[derive(Debug, Subcommand)]
pub(super) enum WorkspaceCommand {
    /// Make a workspace
    Create {
        /// What people call it; no two have the same
        name: String,
    },
    /// List all workspaces
    List,
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
            WorkspaceCommand::List => {
                let mut table = Table::new(&["id", "name", "made"]);
                for workspace in &books.office.roster().contents().workspaces {
                    let made = if workspace.created_us == 0 {
                        "-".to_owned()
                    } else {
                        written(workspace.created_us)
                    };
                    table.row([workspace.id.to_string(), workspace.name.clone(), made]);
                }
                say(table.to_string().trim_end());
            }
        }
        Ok(())
    })
}
