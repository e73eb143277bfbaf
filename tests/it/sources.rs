//! Guards the shape of source files: size, module docs, plain text, and tests that really run.
//!
//! Owns the walk over the tree that the layer guard uses too. Must not judge imports; that is `layers`.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines a file may have before it holds more than one concept.
const MAX_FILE_LINES: usize = 400;
/// Lines of the longest function among the shortest 95 of a hundred.
const MAX_P95_FUNCTION_LINES: usize = 35;
/// Text that people read and edit, by file name or extension.
const TEXT: &[&str] = &[
    "rs",
    "toml",
    "md",
    "sh",
    "py",
    "js",
    "mjs",
    "ts",
    "tsx",
    "yml",
    "svg",
    "Makefile",
    "Dockerfile",
    "run",
];
/// Folders that hold what was built or fetched.
const NOT_OURS: &[&str] = &["target", "node_modules", "dist", ".git", ".venv", "__pycache__", "data"];

/// One source file, with its path from the root of the repository.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every text file below the repository's folder `under`; the root itself is `""`.
pub(crate) fn below(under: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    walk(&root.join(under), &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read(&path).expect("a file that was just listed can be read");
        let path = path.strip_prefix(root).expect("the walk started at the root");
        Source { path: path.display().to_string(), text: String::from_utf8_lossy(&text).into_owned() }
    };
    paths.into_iter().map(read).collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            if !NOT_OURS.contains(&name.as_str()) {
                walk(&path, found);
            }
        } else if TEXT.contains(&name.rsplit('.').next().unwrap_or(&name)) {
            found.push(path);
        }
    }
}

fn rust() -> Vec<Source> {
    below("").into_iter().filter(|source| source.path.ends_with(".rs")).collect()
}

/// Fails with every line of `faults` under the rule they break.
pub(crate) fn assert_none(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}\n  {}\n", faults.join("\n  "));
}

/// `path:line` of every line for which `is_fault` holds.
fn lines_where(sources: &[Source], is_fault: impl Fn(&str) -> bool) -> Vec<String> {
    let mut faults = Vec::new();
    for Source { path, text } in sources {
        let hits = text.lines().enumerate().filter(|(_, line)| is_fault(line));
        faults.extend(hits.map(|(index, line)| format!("{path}:{}: {}", index + 1, line.trim())));
    }
    faults
}

/// Lengths of the functions in rustfmt's layout, where a body closes at the indentation it was opened at.
fn function_lengths(text: &str) -> Vec<(usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut lengths = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let head = code.trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
        let head = head.split('(').next().unwrap_or_default();
        if code.starts_with("//") || !head.split(' ').any(|word| word == "fn") {
            continue;
        }
        let closing = format!("{}}}", &line[..line.len() - code.len()]);
        let opens = lines[start..].iter().find(|line| line.ends_with(['{', '}', ';']));
        let length = match opens {
            Some(opens) if opens.ends_with('{') => {
                lines[start..].iter().take_while(|line| **line != closing).count() + 1
            }
            _ => 1,
        };
        lengths.push((length, head.to_owned()));
    }
    lengths
}

#[test]
fn every_rust_file_is_short_enough_to_hold_one_concept() {
    let long = rust().into_iter().map(|source| (source.text.lines().count(), source.path));
    let faults: Vec<_> =
        long.filter(|(lines, _)| *lines > MAX_FILE_LINES).map(|found| format!("{found:?}")).collect();
    assert_none(&format!("a file has at most {MAX_FILE_LINES} lines"), &faults);
}

#[test]
fn nineteen_of_twenty_functions_fit_on_a_screen() {
    let shipped = |source: &Source| source.path.starts_with("src/") || source.path.starts_with("actors/src/");
    let mut lengths: Vec<_> = rust()
        .iter()
        .filter(|source| shipped(source))
        .flat_map(|source| function_lengths(&source.text))
        .collect();
    lengths.sort();
    let cut = lengths.len() * 95 / 100;
    let p95 = lengths.get(cut).map_or(0, |(lines, _)| *lines);
    let longest: Vec<_> = lengths[cut..].iter().rev().map(|found| format!("{found:?}")).collect();
    assert!(
        p95 <= MAX_P95_FUNCTION_LINES,
        "95 of 100 functions have at most {MAX_P95_FUNCTION_LINES} lines, here {p95}; the longest:\n  {}\n",
        longest.join("\n  ")
    );
}

#[test]
fn every_rust_file_says_first_what_it_owns() {
    let silent = rust().into_iter().filter(|source| !source.text.starts_with("//! "));
    let faults: Vec<_> = silent.map(|source| source.path).collect();
    assert_none("a file begins with `//!`: what it owns and what it must not do", &faults);
}

#[test]
fn text_is_plain_ascii() {
    assert_none(
        "text is ASCII (write `\\u{..}` where a test needs more)",
        &lines_where(&below(""), |l| !l.is_ascii()),
    );
}

#[test]
fn no_test_is_switched_off_and_none_waits_for_the_clock() {
    // Spelled in two parts, so that this file does not find itself.
    let banned = [["#[ign", "ore"], ["thread::sl", "eep("], ["time::sl", "eep("]].map(|parts| parts.concat());
    let tests: Vec<_> = rust().into_iter().filter(|source| source.path.contains("tests/")).collect();
    let faults = lines_where(&tests, |line| banned.iter().any(|word| line.contains(word.as_str())));
    assert_none("tests run always, and wait for a condition instead of a time", &faults);
}

#[test]
fn the_function_ruler_measures_bodies_and_skips_declarations() {
    let text = "fn one() {}\n    fn declared(&self);\npub(crate) fn three(\n    a: u8,\n) {\n    a();\n}\n// fn no() {\n";
    let lengths: Vec<_> = function_lengths(text).into_iter().map(|(lines, _)| lines).collect();
    assert_eq!(lengths, [1, 1, 5]);
}
