//! Start-up: the wall time of a process that runs a trivial flow to its result, over that of an empty Rust program.
//!
//! Must not measure anything but whole processes.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Gate, Outcome, clock, millis};

pub(super) const NAME: &str = "a trivial flow, start to result, over an empty Rust program";

const PAIRS: usize = 40;
const APP: &str = "spec is \"1.0\"\n\nflow \"main\":\n  return 1 + 2\n";

/// The median of the ratios of so many pairs, in turns.
pub(super) fn run() -> Outcome<Gate> {
    let folder = PathBuf::from("target/bench/start");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("app.ai"), APP)?;
    let empty = empty_program(&folder)?;
    let ours =
        std::env::var_os("TIDEGATE_BIN").map_or_else(|| env!("CARGO_BIN_EXE_tidegate").into(), PathBuf::from);
    let (empty, ours) = (empty.canonicalize()?, ours.canonicalize()?);
    let flow = || process(&ours, &["run", "app.ai"], &folder, "3\n");
    let nothing = || process(&empty, &[], &folder, "");
    nothing()?;
    flow()?; // what both need from the disk is in memory now
    let mut pairs = Vec::with_capacity(PAIRS);
    for _ in 0..PAIRS {
        pairs.push((flow()?, nothing()?));
    }
    let median = |figure: &dyn Fn(&(Duration, Duration)) -> f64| {
        let mut figures: Vec<f64> = pairs.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    let (flow, nothing) = (median(&|pair| millis(pair.0)), median(&|pair| millis(pair.1)));
    let from = format!("medians of {PAIRS} pairs {flow:.2} ms / {nothing:.2} ms");
    let measured = median(&|(flow, nothing)| flow.as_secs_f64() / nothing.as_secs_f64());
    Ok(Gate { what: NAME, measured, target: 5.0, from })
}

/// From before the process begins until it was seen to end. What it prints must be `wanted`.
fn process(program: &Path, arguments: &[&str], folder: &Path, wanted: &str) -> Outcome<Duration> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    let begin = clock();
    let output = command.output()?;
    let time = begin.elapsed();
    if !output.status.success() || output.stdout != wanted.as_bytes() {
        return Err(format!("{}: {output:?}", program.display()).into());
    }
    Ok(time)
}

/// `fn main() {}`, built as a release is.
fn empty_program(folder: &Path) -> Outcome<PathBuf> {
    let path = folder.join("empty");
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(compiler);
    command.args(["-C", "opt-level=3", "--crate-name", "empty", "-", "-o"]).arg(&path).stdin(Stdio::piped());
    let mut building = command.spawn()?;
    building.stdin.take().ok_or("stdin was asked to be a pipe")?.write_all(b"fn main() {}")?;
    match building.wait()? {
        status if status.success() => Ok(path),
        status => Err(format!("the empty program was not built: {status}").into()),
    }
}
