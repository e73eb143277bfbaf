//! The `[persistence]` settings of an application: two keys, three sources, and what is refused.

use serde_json::json;
use tidegate::config::{PersistTarget, Persistence};

use crate::config::Folder;

fn app(text: &str) -> Folder {
    Folder::new().file("namel3ss.toml", text)
}

fn read(folder: &Folder) -> Persistence {
    folder.load().expect("it can be used").config.persistence
}

fn refusals(folder: &Folder) -> String {
    folder.load().expect_err("must be refused").to_string()
}

#[test]
fn records_are_kept_in_memory_unless_a_file_is_asked_for() {
    assert_eq!(read(&Folder::new()), Persistence::default());
    assert_eq!(read(&app("[persistence]\ntarget = \"memory\"\n")).target, PersistTarget::Memory);
    let asked = read(&app("[persistence]\ntarget = \" SQLite \"\n"));
    assert_eq!((asked.target, asked.db_path.to_str()), (PersistTarget::Sqlite, Some(".namel3ss/data.db")));
}

#[test]
fn environment_beats_file_beats_default_for_both_keys() {
    let file = || app("[persistence]\ntarget = \"sqlite\"\ndb_path = \"a.db\"\n");
    let env = || file().env("N3_PERSIST_TARGET", "MEMORY").env("N3_DB_PATH", "b.db");
    let by = |name: &str| format!("env {name}");
    for (key, default, in_file, in_env, variable, line) in [
        ("target", "memory", "sqlite", "memory", "N3_PERSIST_TARGET", 2),
        ("db_path", ".namel3ss/data.db", "a.db", "b.db", "N3_DB_PATH", 3),
    ] {
        let path = format!("persistence.{key}");
        assert_eq!(Folder::new().setting(&path), (json!(default), "default".to_owned()));
        assert_eq!(file().setting(&path), (json!(in_file), format!("file namel3ss.toml:{line}")));
        assert_eq!(env().setting(&path), (json!(in_env), by(variable)));
        let empty = file().env(variable, " ");
        assert_eq!(empty.setting(&path).0, json!(in_file), "an empty variable is none");
    }
}

/// Records that were thought to be kept and were not are the worst surprise.
#[test]
fn another_target_or_a_misspelt_key_is_not_served_from_memory() {
    for target in ["postgres", "mysql", "edge", "sqllite"] {
        let refused = refusals(&app(&format!("[persistence]\ntarget = \"{target}\"\n")));
        let expected =
            format!("namel3ss.toml:2: persistence.target \"{target}\" cannot be served: use \"memory\"");
        assert!(refused.contains(&expected), "{refused}");
        let refused = refusals(&Folder::new().env("N3_PERSIST_TARGET", target));
        assert!(refused.contains(&format!("N3_PERSIST_TARGET \"{target}\" cannot be served")), "{refused}");
    }
    let refused = refusals(&app("[persistence]\ntarget = 3\ntraget = \"sqlite\"\n"));
    assert!(refused.contains("namel3ss.toml:2: persistence.target must be text"), "{refused}");
    assert!(refused.contains("namel3ss.toml:3: persistence.traget is not a setting"), "{refused}");
    assert!(refused.contains("did you mean"), "{refused}");
    let refused = refusals(&app("persistence = \"sqlite\"\n"));
    assert!(refused.contains("persistence must be a table"), "{refused}");
}
