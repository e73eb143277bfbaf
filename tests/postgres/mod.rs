//! A real PostgreSQL for tests: started once in a process that asks for it, in a temporary folder, gone with the process
//! however that ends. Must not know what is stored in it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A server that ends when this process does: its standard input is a pipe that this process holds.
pub(crate) struct Cluster {
    bin: PathBuf,
    pub(crate) folder: PathBuf,
    _serving: Child,
}

static CLUSTER: OnceLock<Cluster> = OnceLock::new();
static MADE: AtomicUsize = AtomicUsize::new(0);

/// The URL of a new and empty database.
pub(crate) fn new_database() -> String {
    new_database_of(&[])
}

/// The same, in a server that is started with `more` in its environment if it is the first of this process.
pub(crate) fn new_database_of(more: &[(&str, &str)]) -> String {
    let cluster = CLUSTER.get_or_init(|| Cluster::start(more));
    let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
    let url = |name: &str| format!("postgres://postgres@localhost/{name}?host={}", cluster.folder.display());
    ask(&url("postgres"), &format!("CREATE DATABASE {name}"));
    url(&name)
}

/// What `psql` says to a statement, a line for each row.
pub(crate) fn ask(url: &str, statement: &str) -> String {
    let cluster = CLUSTER.get_or_init(|| Cluster::start(&[]));
    let mut psql = Command::new(cluster.bin.join("psql"));
    psql.args([
        "--no-psqlrc",
        "--tuples-only",
        "--no-align",
        "--set=ON_ERROR_STOP=1",
        "--command",
        statement,
    ]);
    let done = psql.arg(url).output().unwrap_or_else(|error| panic!("psql: {error}"));
    assert!(done.status.success(), "{statement}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim_end().to_owned()
}

impl Cluster {
    /// As its script says, which finds `more` in the environment.
    pub(crate) fn start(more: &[(&str, &str)]) -> Self {
        let bin = bin();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres/serve.sh");
        // PostgreSQL refuses root.
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh", "-c"]);
            command
        } else {
            let mut command = Command::new("sh");
            command.arg("-c");
            command
        };
        // Handed over as text: the other user may not be able to read the file.
        let text = std::fs::read_to_string(script).expect("the script is kept");
        let command =
            command.arg(text).arg("serve.sh").arg(&bin).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut serving =
            command.envs(more.iter().copied()).spawn().unwrap_or_else(|error| panic!("{script}: {error}"));
        let said = serving.stdout.take().expect("it is piped");
        let mut folder = String::new();
        BufReader::new(said).read_line(&mut folder).expect("text");
        assert!(!folder.is_empty(), "PostgreSQL of {} does not start; it has said why", bin.display());
        Self { bin, folder: folder.trim().into(), _serving: serving }
    }
}

/// Where the programs of PostgreSQL are: the latest that Debian has, or those in the path.
fn bin() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut found: Vec<PathBuf> = versions.map(|entry| entry.path()).collect();
    found.sort_by_key(|path| number(path));
    let found = found.into_iter().rev().map(|path| path.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut all = found.chain(std::env::split_paths(&path));
    all.find(|bin| ["initdb", "pg_ctl", "psql"].iter().all(|program| bin.join(program).exists()))
        .unwrap_or_else(|| {
            panic!("these tests need PostgreSQL; install it with `scripts/need postgres` and run them again")
        })
}
