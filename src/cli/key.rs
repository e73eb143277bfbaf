//! Owns `tidegate key`: the grammar, and how keys are printed. The text of a new key is all that goes to standard output, so
//! that a script can take it. Must not know where keys are stored.

use clap::{Args, Subcommand};
use serde_json::json;

use super::flags::DataArgs;
use super::office::{self, Books};
use super::run::say;
use super::table::Table;
use super::{Parts, program::complain};
use crate::identity::{Door, KeyOrder, KeyRow, Made, Role, Scopes};
use crate::telemetry::when::written;

pub(super) const EXAMPLES: &str = "\
Examples:
  tidegate key create --name ops --role operator            runs the instance: metrics, workspaces, all keys
  tidegate key create --workspace team-a --name app         makes calls for team-a; the key is printed once
  tidegate key create --workspace team-a --name ci --doors chat,embeddings --models 'gpt-4o*' --expires 30d
  tidegate key list
  tidegate key rotate 0a1B2c3D --overlap 1h                 a new key; the old one is taken for an hour more
  tidegate key revoke 0a1B2c3D                              taken nowhere any more when this returns

A key is named by its id or by the eight characters behind tg_. From the first key on every request needs one, as
`Authorization: Bearer KEY` or `x-api-key: KEY`, and the server may listen to other machines (listen.host).";

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key and print it, this once
    Create(CreateArgs),
    /// List all keys, without their text
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a key in the place of another
    Rotate {
        /// Its id, or the eight characters behind tg_
        key: String,
        /// How long the old one is taken beside it, such as 90s, 15m, 1h, 7d
        #[arg(long, value_name = "TIME", default_value = "1d", value_parser = seconds)]
        overlap: u64,
    },
    /// End a key at once
    Revoke {
        /// Its id, or the eight characters behind tg_
        key: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// What people call it
    #[arg(long, default_value = "key")]
    name: String,
    /// The workspace it makes calls for, by name or id
    #[arg(long, value_name = "WORKSPACE", default_value = "default")]
    workspace: String,
    /// What it may: read, write, admin, operator
    #[arg(long, value_name = "ROLE", default_value = "write", value_parser = role)]
    role: Role,
    /// Doors it is for: chat, messages, embeddings, models, forward, account, api, app [default: all but account]
    #[arg(long, value_name = "DOOR,..", value_delimiter = ',', value_parser = door)]
    doors: Option<Vec<Door>>,
    /// Models it is for; a * at the end stands for anything [default: all]
    #[arg(long, value_name = "MODEL,..", value_delimiter = ',')]
    models: Option<Vec<String>>,
    /// How long it is taken, such as 12h or 30d [default: for good]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    expires: Option<u64>,
}

pub(super) fn run(command: KeyCommand, settings: &DataArgs, parts: Parts) -> Result<(), String> {
    office::with(settings, parts, async |books| match command {
        KeyCommand::Create(args) => create(books, args).await,
        KeyCommand::List { json } => {
            list(books, json);
            Ok(())
        }
        KeyCommand::Rotate { key, overlap } => {
            let made = books.office.rotate_key(&key, overlap).await.map_err(|error| error.to_string())?;
            show(&made);
            complain(&format!("the key {key} is taken for {overlap} s more"));
            Ok(())
        }
        KeyCommand::Revoke { key } => {
            let row = books.office.revoke_key(&key).await.map_err(|error| error.to_string())?;
            complain(&format!("the key {} {:?} has ended", row.short, row.name));
            Ok(())
        }
    })
}

async fn create(books: &Books, args: CreateArgs) -> Result<(), String> {
    let CreateArgs { name, workspace, role, doors, models, expires } = args;
    let scopes = Scopes { doors, models };
    let order = KeyOrder { name, workspace, role, scopes, lifetime_s: expires };
    let made = books.office.make_key(order).await.map_err(|error| error.to_string())?;
    show(&made);
    Ok(())
}

/// The key to standard output, what is to be known of it to standard error.
fn show(made: &Made) {
    let KeyRow { id, name, workspace, role, expires_us, .. } = &made.row;
    let until = expires_us.map_or("revoked".to_owned(), written);
    complain(&format!(
        "{id} {name:?}: {role} in workspace {workspace}, until {until}. It is shown this once:"
    ));
    say(made.key.reveal());
}

fn list(books: &Books, json: bool) {
    let contents = books.office.roster().contents();
    if json {
        let keys: Vec<_> = contents.keys.iter().map(shown).collect();
        return say(&json!({ "keys": keys }).to_string());
    }
    let mut table = Table::new(&["key", "name", "workspace", "role", "for", "made", "ends"]);
    for row in &contents.keys {
        let named = contents.workspaces.iter().find(|workspace| workspace.id == row.workspace);
        let workspace = named.map_or(row.workspace.as_str(), |workspace| &workspace.name).to_owned();
        let ends = match (row.revoked_us, row.expires_us) {
            (Some(at), _) => format!("revoked {}", written(at)),
            (None, Some(at)) => written(at),
            (None, None) => "-".to_owned(),
        };
        let (name, role) = (row.name.clone(), row.role.to_string());
        table.row([
            row.short.clone(),
            name,
            workspace,
            role,
            purpose(&row.scopes),
            written(row.created_us),
            ends,
        ]);
    }
    say(table.to_string().trim_end());
}

fn shown(row: &KeyRow) -> serde_json::Value {
    let KeyRow { id, short, name, workspace, role, scopes, created_us, expires_us, revoked_us, hash: _ } =
        row;
    let doors = scopes.doors.as_ref().map(|doors| doors.iter().map(|door| door.name()).collect::<Vec<_>>());
    json!({
        "id": id, "short": short, "name": name, "workspace": workspace.as_str(), "role": role.name(),
        "doors": doors, "models": scopes.models, "created_at": written(*created_us),
        "expires_at": expires_us.map(written), "revoked_at": revoked_us.map(written),
    })
}

fn purpose(scopes: &Scopes) -> String {
    let doors =
        scopes.doors.as_ref().map(|doors| doors.iter().map(|door| door.name()).collect::<Vec<_>>().join(","));
    let models = scopes.models.as_ref().map(|models| models.join(","));
    match (doors, models) {
        (None, None) => "all".to_owned(),
        (doors, models) => [doors, models].into_iter().flatten().collect::<Vec<_>>().join("; "),
    }
}

pub(super) fn role(word: &str) -> Result<Role, String> {
    let words = Role::ALL.map(Role::name).join(", ");
    Role::of(word).ok_or_else(|| format!("must be one of {words}"))
}

fn door(word: &str) -> Result<Door, String> {
    let words = Door::ALL.map(Door::name).join(", ");
    Door::of(word).ok_or_else(|| format!("must be one of {words}"))
}

/// Seconds of a time such as `90s`, `15m`, `1h`, `7d`.
fn seconds(text: &str) -> Result<u64, String> {
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err("must end with s, m, h or d, such as 12h".to_owned()),
    };
    let number = text[..text.len() - 1].parse::<u64>().ok();
    number
        .and_then(|number| number.checked_mul(unit))
        .ok_or_else(|| "must begin with a whole number".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_a_unit() {
        for (text, wanted) in [("90s", 90), ("15m", 900), ("1h", 3_600), ("7d", 604_800), ("0s", 0)] {
            assert_eq!(seconds(text), Ok(wanted));
        }
        for text in ["", "d", "1", "-1d", "1.5h", "1w", "99999999999999999d", "\u{e9}"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
