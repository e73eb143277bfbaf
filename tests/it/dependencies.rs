//! Guards what is linked into the binary: licences, a single TLS stack, no crate twice without a reason.
//!
//! Reads `cargo tree`, so it sees what would really be built for this machine. Must not judge our own sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use spdx::{Expression, LicenseReq, ParseMode};

use crate::sources::assert_none;

/// Licences that let the binary be given away under Apache-2.0.
const ACCEPTED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "ICU",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that are linked in two versions, and who holds the older one. Nothing else may be.
const TWICE: &[(&str, &str)] = &[
    ("base64", "actix-web is a version behind"),
    ("block-buffer", "as sha2"),
    ("cpufeatures", "sha2 is a version behind the generator uuid uses"),
    ("crypto-common", "as sha2"),
    ("digest", "as sha2"),
    ("hashbrown", "dashmap and sqlx are versions behind"),
    ("http", "actix-http is built on http 0.2, hyper on http 1"),
    ("rand_core", "password-hash is versions behind the generator uuid uses"),
    ("sha2", "sqlx-core is a version behind sqlx-postgres"),
    ("untrusted", "jsonwebtoken takes aws-lc-rs with ring's readers, a version behind rustls-webpki"),
];

/// What `cargo tree` says of the workspace with these arguments, a line per package.
fn cargo_tree(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--workspace", "--prefix", "none"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo is what runs this test");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// `name`, `version` and licence of everything linked, build scripts and macros left out.
fn linked() -> BTreeSet<(String, String, String)> {
    let text = cargo_tree(&["-e", "normal,no-proc-macro", "-f", "{p}|{l}"]);
    text.lines()
        .filter_map(|line| {
            let (package, licence) = line.trim_end_matches(" (*)").split_once('|')?;
            let mut words = package.split(' ');
            Some((words.next()?.to_owned(), words.next()?.to_owned(), licence.to_owned()))
        })
        .collect()
}

fn is_accepted(licence: &str) -> bool {
    let accepted = |req: &LicenseReq| req.license.id().is_some_and(|id| ACCEPTED.contains(&id.name));
    Expression::parse_mode(licence, ParseMode::LAX).is_ok_and(|expression| expression.evaluate(accepted))
}

#[test]
fn every_licence_allows_giving_the_binary_away() {
    let refused = linked().into_iter().filter(|(_, _, licence)| !is_accepted(licence));
    let faults: Vec<_> =
        refused.map(|(name, version, licence)| format!("{name} {version}: `{licence}`")).collect();
    assert_none("a dependency's licence is on the ACCEPTED list", &faults);
}

#[test]
fn the_licence_check_reads_expressions() {
    assert!(is_accepted("MIT/Apache-2.0") && is_accepted("GPL-3.0 OR ISC") && is_accepted("ISC AND MIT"));
    assert!(!is_accepted("GPL-3.0") && !is_accepted("MIT AND GPL-3.0") && !is_accepted(""));
}

/// Nobody builds `ring`. The lock file names it all the same: cargo locks an optional crate as soon as a feature mentions it
/// (`ring?/alloc` of rustls-webpki), and there only. Anybody else who names it could be about to use it.
#[test]
fn nobody_in_the_lock_file_needs_ring_but_rustls_webpki_which_does_not_use_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lock = fs::read_to_string(root.join("Cargo.lock")).expect("the lock file is kept");
    let lock: toml::Table = lock.parse().expect("cargo has read it already");
    let packages = lock["package"].as_array().expect("a list");
    let named = |package: &toml::Value| package["name"].as_str().expect("a name").to_owned();
    let needs_ring = |package: &&toml::Value| {
        let needed = package.get("dependencies").and_then(toml::Value::as_array);
        needed
            .into_iter()
            .flatten()
            .any(|name| name.as_str().is_some_and(|name| name.split(' ').next() == Some("ring")))
    };
    let who: Vec<String> = packages.iter().filter(needs_ring).map(named).collect();
    assert_eq!(who, ["rustls-webpki"]);
    let built = cargo_tree(&["-e", "normal,build,dev", "-f", "{p}"]);
    let built: BTreeSet<&str> = built.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(
        built.contains("aws-lc-rs") && built.contains("rcgen"),
        "this test sees what tests use: {built:?}"
    );
    assert!(!built.contains("ring"), "somebody builds it");
}

/// Two TLS back ends would mean two sets of roots and rules; `ring` is how the second one sneaks in.
#[test]
fn tls_has_one_back_end() {
    let linked = linked();
    let names: BTreeSet<_> = linked.iter().map(|(name, _, _)| name.as_str()).collect();
    assert!(names.contains("aws-lc-rs"), "rustls runs on aws-lc-rs");
    let second: Vec<_> =
        ["ring", "native-tls", "openssl"].into_iter().filter(|name| names.contains(name)).collect();
    assert!(second.is_empty(), "rustls with aws-lc-rs is the only TLS, not {second:?}");
}

#[test]
fn no_crate_is_linked_twice_without_a_reason() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, version, _) in linked() {
        versions.entry(name).or_default().insert(version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    let known = |name: &str| TWICE.iter().any(|(twice, _)| *twice == name);

    let new: Vec<_> =
        versions.iter().filter(|(name, _)| !known(name)).map(|found| format!("{found:?}")).collect();
    assert_none("a crate in two versions needs a line in TWICE", &new);
    let stale: Vec<_> =
        TWICE.iter().filter(|(name, _)| !versions.contains_key(*name)).map(|(name, _)| *name).collect();
    assert!(stale.is_empty(), "no longer linked twice, remove from TWICE: {stale:?}");
}

#[test]
fn every_dependency_has_a_reason_in_the_decisions() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let decisions =
        fs::read_to_string(root.join("docs/decisions.md")).expect("the decisions are written down");
    let mut faults = BTreeSet::new();
    for manifest in ["Cargo.toml", "actors/Cargo.toml"] {
        let text = fs::read_to_string(root.join(manifest)).expect("both packages have a manifest");
        let manifest: toml::Table = text.parse().expect("cargo has read it already");
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let names =
                manifest.get(section).and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::keys);
            let unexplained = names
                .filter(|name| *name != "tidegate-actors" && !decisions.contains(&format!("| `{name}` |")));
            faults.extend(unexplained.cloned());
        }
    }
    assert_none("a dependency has a line in docs/decisions.md", &faults.into_iter().collect::<Vec<_>>());
}
