//! Guards the layers: imports point down only, and only `actors/src/mail.rs` sends to an `Addr`.
//!
//! Owns the table of who may import whom (docs: `CONTRIBUTING.md`). Must not judge anything else about a file.

use crate::sources::{Source, assert_none, below};

/// A module of `src/` and what it may import of the others.
struct Layer {
    name: &'static str,
    may_import: &'static [&'static str],
    rule: &'static str,
}

const ADAPTER: &str =
    "an adapter imports the engine, the settings and the wire formats, never another adapter or a door";

/// From the top down. `app` is missing because it composes everything and may import everything.
const LAYERS: &[Layer] = &[
    Layer {
        name: "main",
        may_import: &["app", "cli", "config", "telemetry"],
        rule: "main reads the command line and hands over to app",
    },
    Layer {
        name: "cli",
        may_import: &["config", "telemetry", "http", "run", "agents", "sessions", "identity", "lang"],
        rule: "a command is called by main and app; it never calls them, and names no adapter",
    },
    Layer {
        name: "http",
        may_import: &["config", "telemetry", "dialect", "run", "agents", "sessions", "identity", "lang"],
        rule: "a door translates into calls; it never imports providers or any other adapter",
    },
    Layer {
        name: "run",
        may_import: &["config", "dialect", "lang"],
        rule: "a run knows programs, their settings, the words of providers and the engine, no door and no adapter",
    },
    Layer {
        name: "agents",
        may_import: &["lang", "run"],
        rule: "agents know runs and the engine, no door and no adapter",
    },
    Layer {
        name: "sessions",
        may_import: &["lang", "run"],
        rule: "sessions know runs and the engine, no door and no adapter",
    },
    Layer { name: "providers", may_import: &["config", "dialect"], rule: ADAPTER },
    Layer {
        name: "stores",
        may_import: &["config", "identity", "lang"],
        rule: "a store keeps values of the language, of identity and the engine; it knows no run, no door and no other adapter",
    },
    Layer { name: "policy", may_import: &["config"], rule: ADAPTER },
    Layer { name: "egress", may_import: &["config"], rule: ADAPTER },
    Layer { name: "evidence", may_import: &["config"], rule: ADAPTER },
    Layer { name: "telemetry", may_import: &["config"], rule: "telemetry is told by others and asks nobody" },
    Layer {
        name: "identity",
        may_import: &[],
        rule: "identity judges from memory: it knows no door, no store and no settings",
    },
    Layer { name: "dialect", may_import: &[], rule: "a wire format is pure: bytes in, values out" },
    Layer { name: "config", may_import: &[], rule: "settings are values: they know nobody who uses them" },
    Layer {
        name: "lang",
        may_import: &[],
        rule: "the language is pure: it knows no engine, no door, no clock",
    },
];

/// The module a file below `src/` belongs to: `src/http/error.rs` and `src/http.rs` are both `http`.
fn module_of(path: &str) -> &str {
    let inside = path.trim_start_matches("src/");
    inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
}

/// The modules of the root that `text` names, each with its line. `depth` is how many `super` lead to the root.
fn imports(text: &str, depth: usize) -> Vec<(usize, String)> {
    let up = "super::".repeat(depth);
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for root in ["crate::", "tidegate::", up.as_str()] {
            for (at, _) in code.match_indices(root) {
                let whole_path =
                    !code[..at].ends_with(|before: char| before.is_alphanumeric() || "_:".contains(before));
                if whole_path {
                    let rest = text
                        .lines()
                        .skip(index + 1)
                        .fold(code[at + root.len()..].to_owned(), |all, next| all + next);
                    found.extend(heads(&rest).into_iter().map(|head| (index + 1, head)));
                }
            }
        }
    }
    found
}

/// First segments of a path or of a `{..}` group of paths.
fn heads(path: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = path.strip_prefix('{') else { return vec![word(path)] };
    let (mut level, mut start, mut heads) = (0_usize, true, Vec::new());
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => level += 1,
            '}' if level == 0 => break,
            '}' => level -= 1,
            ',' if level == 0 => start = true,
            letter if start && !letter.is_whitespace() => {
                heads.push(word(&group[at..]));
                start = false;
            }
            _ => {}
        }
    }
    heads
}

/// Every import of `source` that its layer does not allow, with the rule it breaks.
fn broken_rules(source: &Source) -> Vec<String> {
    let name = module_of(&source.path);
    let Some(layer) = LAYERS.iter().find(|layer| layer.name == name) else { return Vec::new() };
    let folders = source.path.matches('/').count();
    let depth = if source.path.ends_with("/mod.rs") { folders - 1 } else { folders };
    let is_module = |head: &str| head == "app" || LAYERS.iter().any(|layer| layer.name == head);
    let refused = |head: &str| is_module(head) && head != name && !layer.may_import.contains(&head);
    imports(&source.text, depth)
        .into_iter()
        .filter(|(_, head)| refused(head))
        .map(|(line, head)| format!("{}:{line} imports {head}, but {}", source.path, layer.rule))
        .collect()
}

#[test]
fn imports_point_down_only() {
    let faults: Vec<_> = below("src").iter().flat_map(broken_rules).collect();
    assert_none(
        "main -> app -> {cli, http} -> {run, agents, sessions} -> lang; adapters stand alone",
        &faults,
    );
}

#[test]
fn every_module_of_the_binary_has_its_place_in_the_layers() {
    let placed = |name: &str| matches!(name, "app" | "lib") || LAYERS.iter().any(|layer| layer.name == name);
    let sources = below("src");
    let faults: Vec<_> =
        sources.iter().map(|s| &s.path).filter(|path| !placed(module_of(path))).cloned().collect();
    assert_none("a new module of src/ gets a line in LAYERS", &faults);
}

/// clippy bans the sends everywhere; this keeps the ban from being lifted anywhere else.
#[test]
fn only_the_mail_room_sends_to_addresses() {
    let lifted = |source: &Source| source.text.contains("clippy::disallowed_methods");
    let shipped = below("src").into_iter().chain(below("actors/src"));
    let faults: Vec<_> =
        shipped.filter(|s| lifted(s) && s.path != "actors/src/mail.rs").map(|source| source.path).collect();
    assert_none("`Addr` sends live in actors/src/mail.rs alone", &faults);
}

#[test]
fn the_engine_touches_neither_files_nor_sockets() {
    let outside = ["std::fs", "std::net", "std::env", "tokio::net", "tokio::fs"];
    let names = |source: &Source| outside.into_iter().find(|path| source.text.contains(path));
    let sources = below("actors/src");
    let faults: Vec<_> =
        sources.iter().filter_map(|s| names(s).map(|path| format!("{} uses {path}", s.path))).collect();
    assert_none("the engine reaches the world through its ports", &faults);
}

#[test]
fn the_guard_sees_through_groups_super_paths_and_comments() {
    let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
    let refused = |path: &str, text: &str| broken_rules(&source(path, text)).len();

    assert_eq!(refused("src/http/routes/chat.rs", "use crate::providers::openai;\n"), 1);
    assert_eq!(refused("src/http/mod.rs", "use super::providers;\n"), 1);
    assert_eq!(refused("src/http/error.rs", "use super::super::providers::X;\n"), 1);
    assert_eq!(refused("src/http/error.rs", "use super::providers::X;\n"), 0, "http's own submodule");
    assert_eq!(refused("src/http/error.rs", "use crate::{\n    config::{app, X},\n    stores,\n};\n"), 1);
    assert_eq!(refused("src/cli/serve.rs", "    crate::app::start();\n"), 1);
    assert_eq!(refused("src/main.rs", "use tidegate::{app, cli};\n"), 0);
    assert_eq!(refused("src/providers/mock.rs", "// not crate::stores\nuse crate::dialect::openai;\n"), 0);
    assert_eq!(refused("src/app.rs", "use crate::providers::openai;\n"), 0);
    assert_eq!(refused("src/stores/records/mod.rs", "use crate::run::wait;\n"), 1);
    assert_eq!(refused("src/run/host.rs", "use crate::stores::Io;\n"), 1);
}
