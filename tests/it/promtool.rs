//! What promtool says of an exposition.
//!
//! Owns the findings that are known and accepted; must not know which server told the text.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

/// Fails if the text does not parse, or if there are other findings than `tests/it/data/promtool-lint.txt` lists.
pub(crate) fn accepts(text: &str) {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("promtool is installed (make test does)");
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("promtool reads");
    let done = child.wait_with_output().expect("promtool ends");
    let said = [done.stdout, done.stderr].concat();
    let findings: BTreeSet<_> = String::from_utf8(said).expect("text").lines().map(str::to_owned).collect();
    // 3: it parses, but there are findings.
    assert!(matches!(done.status.code(), Some(0 | 3)), "{findings:?} in {text}");
    let known: BTreeSet<_> = include_str!("data/promtool-lint.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    assert_eq!(findings, known, "tests/it/data/promtool-lint.txt lists what is accepted, and nothing more");
}
