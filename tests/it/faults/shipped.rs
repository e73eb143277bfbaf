//! The shipped binary has no fault sites and no scripted ports.
//!
//! `Sites` is of no size without the `testkit` feature (checked where it is defined, by the compiler), and the
//! feature is on for tests only (checked here).

use std::process::Command;

/// The features of the engine crate when these kinds of dependencies are followed from the root package.
fn engine_features(edges: &str) -> Vec<String> {
    let arguments = ["tree", "--locked", "--prefix", "none", "-p", "tidegate", "-f", "{p}|{f}", "-e", edges];
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo is what runs this test");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let engine = text.lines().filter(|line| line.starts_with("tidegate-actors "));
    engine.filter_map(|line| Some(line.split_once('|')?.1.trim_end_matches(" (*)").to_owned())).collect()
}

#[test]
fn the_testkit_is_not_linked_into_the_binary() {
    let shipped = engine_features("normal,build");
    assert!(
        !shipped.is_empty() && shipped.iter().all(|features| !features.contains("testkit")),
        "{shipped:?}"
    );
    let tested = engine_features("normal,build,dev");
    assert!(
        tested.iter().any(|features| features.contains("testkit")),
        "this test sees the feature: {tested:?}"
    );
}
