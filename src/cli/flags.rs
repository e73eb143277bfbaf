//! Owns the flags that set something, in the groups in which commands take them: a command has those it uses and no
//! other. Taken as text, so that a bad value is reported with all other faults.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::config::{self, Flag, LoadArgs, Loaded, PerformanceFlags};

/// Where settings are read from.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct FileArgs {
    /// Configuration file [default: ./tidegate.toml if it exists]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

/// Where a server listens.
#[derive(Debug, Default, Args)]
struct ListenArgs {
    /// Port to listen on; 0 takes a free one [default: 8080]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    port: Option<String>,
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDR")]
    host: Option<String>,
}

/// The `[performance]` flags of an application. A missing value is refused by the configuration, in its own words.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Performance of the application (also in namel3ss.toml, and N3_* variables)")]
pub(super) struct PerformanceArgs {
    /// Run AI calls through lanes: true or false
    #[arg(long, value_name = "BOOL", num_args = 0..=1, allow_negative_numbers = true)]
    async_runtime: Option<Option<String>>,
    /// Slots of the application's lanes, at least 1
    #[arg(long, value_name = "N", num_args = 0..=1, allow_negative_numbers = true)]
    max_concurrency: Option<Option<String>>,
    /// Answers to keep; 0 keeps none
    #[arg(long, value_name = "N", num_args = 0..=1, allow_negative_numbers = true)]
    cache_size: Option<Option<String>>,
    /// Embed in groups: true or false
    #[arg(long, value_name = "BOOL", num_args = 0..=1, allow_negative_numbers = true)]
    enable_batching: Option<Option<String>>,
}

/// What a program runs with.
#[derive(Debug, Default, Args)]
pub(super) struct AppArgs {
    #[command(flatten)]
    pub(super) file: FileArgs,
    #[command(flatten)]
    pub(super) performance: PerformanceArgs,
}

/// Where a server is.
#[derive(Debug, Default, Args)]
pub(super) struct AddressArgs {
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    listen: ListenArgs,
}

/// Everything a flag can set.
#[derive(Debug, Default, Args)]
pub(super) struct ServerArgs {
    #[command(flatten)]
    listen: ListenArgs,
    #[command(flatten)]
    pub(super) data: DataArgs,
    /// Let test_user sign in with test_password, on this machine alone
    #[arg(long)]
    demo: bool,
    #[command(flatten)]
    performance: PerformanceArgs,
}

/// Where what outlives a process lies.
#[derive(Debug, Default, Args)]
pub(super) struct DataArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Data directory [default: ./data]
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<String>,
}

impl FileArgs {
    /// What the configuration is loaded from: this file, this process's environment and working directory.
    pub(super) fn load_args(&self) -> LoadArgs {
        let text = |text: OsString| text.to_string_lossy().into_owned();
        LoadArgs {
            file: self.config.clone(),
            env: std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect(),
            ..LoadArgs::default()
        }
    }
}

impl AppArgs {
    /// As [`FileArgs::load_args`], with these flags.
    pub(super) fn load_args(&self) -> LoadArgs {
        LoadArgs { performance: self.performance.flags(), ..self.file.load_args() }
    }
}

impl ListenArgs {
    fn flags(&self) -> impl Iterator<Item = Flag> {
        let Self { port, host } = self;
        [flag("listen.port", "--port", port), flag("listen.host", "--host", host)].into_iter().flatten()
    }
}

impl AddressArgs {
    /// As [`FileArgs::load_args`], with these flags.
    pub(super) fn load_args(&self) -> LoadArgs {
        LoadArgs { flags: self.listen.flags().collect(), ..self.file.load_args() }
    }
}

impl DataArgs {
    /// As [`FileArgs::load_args`], with this flag.
    pub(super) fn load_args(&self) -> LoadArgs {
        let flags = flag("data.dir", "--data", &self.data).into_iter().collect();
        LoadArgs { flags, ..self.file.load_args() }
    }
}

impl ServerArgs {
    /// As [`FileArgs::load_args`], with these flags.
    pub(super) fn load_args(&self) -> LoadArgs {
        let mut args = self.data.load_args();
        args.flags.extend(self.listen.flags());
        let demo = self.demo.then(|| Flag { path: "access.demo", name: "--demo", text: "true".to_owned() });
        args.flags.extend(demo);
        LoadArgs { performance: self.performance.flags(), ..args }
    }
}

impl PerformanceArgs {
    fn flags(&self) -> PerformanceFlags {
        PerformanceFlags {
            async_runtime: self.async_runtime.clone(),
            max_concurrency: self.max_concurrency.clone(),
            cache_size: self.cache_size.clone(),
            enable_batching: self.enable_batching.clone(),
        }
    }
}

fn flag(path: &'static str, name: &'static str, text: &Option<String>) -> Option<Flag> {
    text.clone().map(|text| Flag { path, name, text })
}

/// The configuration, or every fault as text.
pub(super) fn load(args: &LoadArgs) -> Result<Loaded, String> {
    config::load(args).map_err(|faults| match faults.list() {
        [one] => one.to_string(),
        several => format!("{} faults in the configuration\n{faults}", several.len()),
    })
}
