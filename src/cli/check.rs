//! Owns `tidegate check`: everything that can be said of an app before it runs.

use std::path::{Path, PathBuf};

use super::flags::AppArgs;
use super::program;
use super::program::{Program, flows};
use super::run::{refuse, say};

/// Checks an app; true if it can be run.
pub(super) fn run(path: &Path, json: bool, settings: &AppArgs) -> bool {
    match Program::open(path, settings.load_args()) {
        Ok(program) => {
            let names = flows(&program.app);
            match json {
                true => say(r#"{"errors":[],"ok":true}"#),
                false => {
                    say(&format!("ok: {} ({} flows: {})", path.display(), names.len(), names.join(", ")))
                }
            }
            true
        }
        Err(refused) => refuse(&refused, path, json),
    }
}

/// Lays out apps in the one layout there is; true if all could be read, and with `check` if nothing had to change.
pub(super) fn format(paths: &[PathBuf], check: bool) -> bool {
    paths.iter().fold(true, |well, path| format_one(path, check) & well)
}

fn format_one(path: &Path, check: bool) -> bool {
    let source = match std::fs::read_to_string(path) {
        Ok(source) => source,
        Err(error) => {
            program::complain(&format!("cannot read {}: {error}", path.display()));
            return false;
        }
    };
    let laid_out = match crate::lang::format::format(&source) {
        Ok(text) => text,
        Err(faults) => {
            program::print_faults(&faults, &source, path);
            return false;
        }
    };
    match (laid_out == source, check) {
        (true, _) => true,
        (false, true) => {
            say(&format!("{} is not laid out; run `tidegate fmt {}`", path.display(), path.display()));
            false
        }
        (false, false) => match program::replace(path, &laid_out) {
            Ok(()) => true,
            Err(error) => {
                program::complain(&format!("cannot write {}: {error}", path.display()));
                false
            }
        },
    }
}
