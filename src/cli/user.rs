//! Owns `tidegate user`: the grammar, how a password is asked for, and how people are printed. A password is never an argument,
//! which others on the machine could read. Must not know where people are stored.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde_json::json;

use super::flags::DataArgs;
use super::key::role;
use super::office::{self, Books};
use super::run::say;
use super::table::Table;
use super::{Parts, program::complain};
use crate::identity::{Contents, Password, PersonRow, Role, UserOrder};
use crate::telemetry::when::written;

pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate user create anna --role operator                 runs the instance; the password is asked for
  tidegate user create bert --email bert@example.org --workspace team-a --password-file bert.txt
  tidegate user grant bert --workspace team-b --role read   in force when this returns
  tidegate user grant bert --workspace team-b --role none   a member no more
  tidegate user passwd bert                                 all bert signed in to has ended when this returns
  tidegate user disable bert                                so it has here, and bert cannot come in again
  tidegate user list

People sign in at /api/v1/auth/login with their name or e-mail address. From the first person on every request needs a
credential. Roles are read < write < admin in a workspace; operators may everything everywhere.";

/// Longest file with a password that is read.
const LONGEST_FILE: u64 = 4_096;

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a person
    Create(CreateArgs),
    /// List all people
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Keep a person out, at once
    Disable {
        /// Their name, e-mail address or id
        name: String,
    },
    /// Let a person in again who was kept out
    Enable {
        /// Their name, e-mail address or id
        name: String,
    },
    /// Give a person another password
    Passwd {
        /// Their name, e-mail address or id
        name: String,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Say what a person may, in a workspace or in all
    Grant(GrantArgs),
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// What they sign in with
    name: String,
    /// What they may sign in with as well
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// The workspace they are a member of, by name or id
    #[arg(long, value_name = "WORKSPACE", default_value = "default")]
    workspace: String,
    /// What they may: read, write, admin, or operator for the whole instance
    #[arg(long, value_name = "ROLE", default_value = "write", value_parser = role)]
    role: Role,
    #[command(flatten)]
    password: PasswordArgs,
}

#[derive(Debug, Args)]
pub(super) struct PasswordArgs {
    /// File whose first line is the password; - is standard input [default: it is asked for]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct GrantArgs {
    /// Their name, e-mail address or id
    name: String,
    /// The workspace, by name or id
    #[arg(long, value_name = "WORKSPACE", default_value = "default")]
    workspace: String,
    /// What they may there: read, write, admin, or none
    #[arg(long, value_name = "ROLE", value_parser = membership, required_unless_present = "operator")]
    role: Option<Granted>,
    /// Whether they run the instance: true or false
    #[arg(long, value_name = "BOOL", conflicts_with_all = ["role", "workspace"])]
    operator: Option<bool>,
}

/// A role in a workspace, or none any more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Granted(Option<Role>);

pub(super) fn run(command: UserCommand, settings: &DataArgs, parts: Parts) -> Result<(), String> {
    // Before anything is opened: while somebody types, nobody else has to wait.
    let typed = match &command {
        UserCommand::Create(CreateArgs { name, password, .. }) | UserCommand::Passwd { name, password } => {
            Some(password.read(name)?)
        }
        _ => None,
    };
    office::with(settings, parts, async |books| carry_out(books, command, typed).await)
}

async fn carry_out(books: &Books, command: UserCommand, typed: Option<Password>) -> Result<(), String> {
    let office = &books.office;
    let typed = || typed.ok_or_else(|| "no password was given".to_owned());
    let done = match command {
        UserCommand::List { json } => {
            list(&office.roster().contents(), json);
            return Ok(());
        }
        UserCommand::Create(CreateArgs { name, email, workspace, role, password: _ }) => {
            let order = UserOrder { name, email, password: typed()?, workspace, role };
            office.make_user(order).await.map(|row| (row, "may sign in"))
        }
        UserCommand::Disable { name } => {
            office.disable_user(&name).await.map(|row| (row, "may not come in any more"))
        }
        UserCommand::Enable { name } => office.enable_user(&name).await.map(|row| (row, "may sign in again")),
        UserCommand::Passwd { name, password: _ } => {
            let done = office.set_password(&name, typed()?).await;
            done.map(|row| (row, "has another password; what was signed in to has ended"))
        }
        UserCommand::Grant(GrantArgs { name, operator: Some(is_operator), .. }) => {
            let done = office.set_operator(&name, is_operator).await;
            done.map(|row| (row, if is_operator { "runs the instance" } else { "does not run the instance" }))
        }
        UserCommand::Grant(GrantArgs { name, workspace, role, operator: None }) => {
            let role = role.and_then(|Granted(role)| role);
            let done = office.grant(&name, &workspace, role).await;
            done.map(|row| {
                (row, if role.is_some() { "is a member there" } else { "is no member there any more" })
            })
        }
    };
    let (row, what) = done.map_err(|error| error.to_string())?;
    complain(&format!("{} {what}", row.name));
    say(&row.id);
    Ok(())
}

fn list(contents: &Contents, json: bool) {
    if json {
        let people: Vec<_> = contents.people.iter().map(|row| shown(contents, row)).collect();
        return say(&json!({ "users": people }).to_string());
    }
    let mut table = Table::new(&["name", "email", "role", "made", "kept out"]);
    for row in &contents.people {
        let roles = places(contents, row).map(|(workspace, role)| format!("{role} in {workspace}"));
        let roles: Vec<_> = row.is_operator.then(|| "operator".to_owned()).into_iter().chain(roles).collect();
        table.row([
            row.name.clone(),
            row.email.clone().unwrap_or_else(|| "-".to_owned()),
            if roles.is_empty() { "-".to_owned() } else { roles.join(", ") },
            written(row.created_us),
            row.disabled_us.map_or_else(|| "-".to_owned(), written),
        ]);
    }
    say(table.to_string().trim_end());
}

fn shown(contents: &Contents, row: &PersonRow) -> serde_json::Value {
    let PersonRow { id, name, email, is_operator, created_us, disabled_us, password: _, generation: _ } = row;
    let places =
        places(contents, row).map(|(workspace, role)| json!({ "workspace": workspace, "role": role.name() }));
    json!({
        "id": id, "username": name, "email": email, "operator": is_operator,
        "workspaces": places.collect::<Vec<_>>(),
        "created_at": written(*created_us), "disabled_at": disabled_us.map(written),
    })
}

/// Where a person is a member, by name.
fn places<'c>(contents: &'c Contents, row: &'c PersonRow) -> impl Iterator<Item = (&'c str, Role)> {
    let own = contents.members.iter().filter(|member| member.person == row.id);
    own.map(|member| {
        let id = member.workspace.as_str();
        (contents.workspace(id).map_or(id, |known| known.name.as_str()), member.role)
    })
}

fn membership(word: &str) -> Result<Granted, String> {
    match (word, Role::of(word)) {
        ("none", _) => Ok(Granted(None)),
        (_, Some(Role::Operator)) => {
            Err("of a workspace it is read, write or admin; see --operator true".to_owned())
        }
        (_, Some(role)) => Ok(Granted(Some(role))),
        (_, None) => Err("must be one of read, write, admin, none".to_owned()),
    }
}

impl PasswordArgs {
    /// The password for `name`: of a file, typed twice on a terminal, else the first line of standard input.
    fn read(&self, name: &str) -> Result<Password, String> {
        let stdin = std::io::stdin();
        let text = match &self.password_file {
            Some(file) if file != Path::new("-") => {
                let unusable = |error| format!("cannot read the password in {}: {error}", file.display());
                let opened = std::fs::File::open(file).map_err(unusable)?;
                let mut text = String::new();
                opened.take(LONGEST_FILE).read_to_string(&mut text).map_err(unusable)?;
                text
            }
            None if stdin.is_terminal() => {
                let first = typed(&format!("Password for {name}: "))?;
                if first != typed("Once more: ")? {
                    return Err("the two passwords are not the same".to_owned());
                }
                first
            }
            _ => {
                let mut text = String::new();
                let read = stdin.lock().take(LONGEST_FILE).read_line(&mut text);
                read.map_err(|error| format!("cannot read the password: {error}"))?;
                text
            }
        };
        Password::new(text.lines().next().unwrap_or_default()).map_err(|bad| bad.to_string())
    }
}

/// A line typed on the terminal, which does not show it.
fn typed(prompt: &str) -> Result<String, String> {
    let unusable = |error: &dyn std::fmt::Display| format!("the terminal cannot be used: {error}");
    let before = tcgetattr(std::io::stdin()).map_err(|error| unusable(&error))?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(std::io::stdin(), OptionalActions::Flush, &silent).map_err(|error| unusable(&error))?;
    let _loud = Loud(before);
    let mut out = std::io::stderr();
    let _ = write!(out, "{prompt}").and_then(|()| out.flush());
    let mut line = String::new();
    let read = std::io::stdin().lock().take(LONGEST_FILE).read_line(&mut line);
    let _ = writeln!(out); // the line end was not shown either
    read.map_err(|error| unusable(&error))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Puts the terminal back as it was.
struct Loud(Termios);

impl Drop for Loud {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
    }
}
