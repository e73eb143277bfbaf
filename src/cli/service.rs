//! Owns what a server is given to serve: settings, and an app where there is one, loaded or with the faults it is
//! answered with. Must not know how the server works.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Up;
use super::program::{Program, Refused, print_faults, settings};
use crate::config::{LoadArgs, Loaded};
use crate::lang::App;
use crate::lang::fault::{Fault, Stage};
use crate::lang::memory::Memory;
use crate::lang::value::Map;
use crate::run::Kept;

/// What a server serves, and how it begins.
pub struct Service {
    /// Its settings.
    pub loaded: Loaded,
    /// The app beside the gateway.
    pub app: Option<AppService>,
    /// How many ports above the configured one are tried while each is taken.
    pub spare_ports: u16,
    /// What is printed once it answers, of the settings and where it is.
    pub banner: fn(&Loaded, Up<'_>) -> String,
}

/// An app to serve.
pub struct AppService {
    /// What it is called where several things are shown side by side: the name of its file.
    pub name: String,
    /// The app, or why it did not load: every request for it is answered with that then.
    pub app: Result<Arc<App>, Vec<Fault>>,
    /// Who its callers are, as far as the environment says.
    pub identity: Option<Map>,
    /// Whether log lines and metrics are collected.
    pub observing: bool,
    /// What callers of `/api/v1/ui` and `/api/v1/actions` must show; nothing by default.
    pub token: Option<String>,
    /// The folder it lies in, and its records unless their path says otherwise.
    pub folder: PathBuf,
    /// What it begins with.
    pub kept: Kept,
    /// Keeps the short-term memory when the server has ended.
    pub remember: Remember,
}

/// Writes a memory down.
pub type Remember = Box<dyn FnOnce(&Memory) -> Result<(), String>>;

impl AppService {
    /// An app that was opened.
    ///
    /// # Errors
    /// An identity or a memory beside it that cannot be read.
    pub fn of(program: Program) -> Result<Self, String> {
        let memory = program.memory()?;
        let before = memory.to_value();
        Ok(Self {
            name: name(&program.path),
            app: Ok(Arc::clone(&program.app)),
            identity: program.identity()?,
            observing: program.observing(),
            token: None,
            folder: program.folder().to_path_buf(),
            kept: Kept { memory, ..Kept::default() },
            // An app that asked nobody leaves no file.
            remember: Box::new(move |memory| match memory.to_value() == before {
                true => Ok(()),
                false => program.remember(memory),
            }),
        })
    }

    /// An app that did not load.
    #[must_use]
    pub fn broken(path: &Path, faults: Vec<Fault>) -> Self {
        Self {
            name: name(path),
            app: Err(faults),
            identity: None,
            observing: false,
            token: None,
            folder: PathBuf::new(),
            kept: Kept::default(),
            remember: Box::new(|_| Ok(())),
        }
    }
}

/// The name of the file without its ending. It becomes a label, so nothing in it may end one.
fn name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem.replace(|letter: char| letter.is_control() || matches!(letter, '"' | '\\'), "_")
}

impl Service {
    /// A server for the app at `path`. One that does not load is served all the same: its faults are printed, and its
    /// callers are told the first.
    ///
    /// # Errors
    /// Settings or files that cannot be used, and settings the app has no capability for: nothing may listen then.
    pub fn of_app(
        path: &Path,
        args: LoadArgs,
        spare_ports: u16,
        banner: fn(&Loaded, Up<'_>) -> String,
    ) -> Result<Self, Refused> {
        let (loaded, app) = match Program::open(path, args.clone()) {
            Ok(program) => {
                let loaded = program.loaded.clone();
                (loaded, AppService::of(program).map_err(Refused::Settings)?)
            }
            Err(Refused::Program(faults, source))
                if faults.iter().all(|fault| fault.stage == Stage::Load) =>
            {
                print_faults(&faults, &source, path);
                (settings(path, args)?.loaded, AppService::broken(path, faults))
            }
            Err(refused) => return Err(refused),
        };
        Ok(Self { loaded, app: Some(app), spare_ports, banner })
    }
}
