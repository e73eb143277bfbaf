//! A disk that is full, or can only be read, under a whole server: who calls is told so, nothing is half written, and nothing that
//! was answered is missing when there is room again.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;

/// Bytes of the disk.
const DISK: &str = "size=48m";

/// How a disk is made that can be filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A file system in memory, in a namespace of the server's own.
    Tmpfs,
    /// Where that is not allowed: a limit on the length of files, which is met like a full disk.
    FileSize,
}

impl Way {
    fn here() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut mount = Command::new("unshare");
        mount.args(["-Urm", "mount", "-t", "tmpfs", "tmpfs"]).arg(folder.path());
        let done = mount.stderr(Stdio::null()).status();
        if done.is_ok_and(|status| status.success()) { Self::Tmpfs } else { Self::FileSize }
    }

    /// The command of a server whose data directory is such a disk, mounted with these options.
    fn command(self, home: &Path, options: &str) -> Command {
        std::fs::create_dir_all(home.join("data")).expect("a folder");
        let mount = format!("mount -t tmpfs -o {options} tmpfs data && exec \"$0\" serve --port 0");
        let (program, arguments, script) = match self {
            Self::Tmpfs => ("unshare", ["-Urm", "sh", "-c"].as_slice(), mount),
            Self::FileSize => {
                ("sh", ["-c"].as_slice(), "trap '' XFSZ; exec \"$0\" serve --port 0".to_owned())
            }
        };
        let mut command = Command::new(program);
        command.args(arguments).arg(script).arg(env!("CARGO_BIN_EXE_tidegate")).current_dir(home).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("TIDEGATE_LOG_LEVEL", "off");
        command
    }
}

/// A server and its disk.
struct Disk {
    way: Way,
    server: Process,
}

impl Disk {
    fn start(home: &Path, upstream: &Upstream) -> Self {
        std::fs::write(home.join("tidegate.toml"), any_model_at(upstream)).expect("it can be written");
        let way = Way::here();
        Self { way, server: Process::of(&mut way.command(home, DISK)) }
    }

    /// A file that takes all there is; it lies in the server's namespace.
    fn filler(&self) -> PathBuf {
        let process = format!("/proc/{}", self.server.child.id());
        let data = std::fs::read_link(format!("{process}/cwd")).expect("the folder it runs in").join("data");
        PathBuf::from(format!("{process}/root{}", data.display())).join("filler")
    }

    fn limit(&self, soft: &str) {
        let process = self.server.child.id().to_string();
        let status = Command::new("prlimit").args(["--pid", &process, &format!("--fsize={soft}:")]).status();
        assert!(status.expect("prlimit is there").success());
    }

    fn fill(&self) {
        match self.way {
            Way::Tmpfs => {
                let piece = vec![7; 1 << 16];
                let mut filler = std::fs::File::create(self.filler()).expect("it can be made");
                // The last piece fits in part or not at all.
                while std::io::Write::write_all(&mut filler, &piece).is_ok() {}
            }
            Way::FileSize => self.limit("4096"),
        }
    }

    fn empty(&self) {
        match self.way {
            Way::Tmpfs => std::fs::remove_file(self.filler()).expect("it can be removed"),
            Way::FileSize => self.limit("unlimited"),
        }
    }

    async fn ask(&self, content: &str) -> Answer {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let request = client.post(format!("{}{CHAT}", self.server.url));
        send(request.header("content-type", "application/json").body(ask("m", content))).await
    }

    async fn get(&self, path: &str) -> Answer {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        send(client.get(format!("{}{path}", self.server.url))).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_calls_until_there_is_room_and_loses_none_that_was_answered() {
    let home = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::answering(|seen| completion(&model(seen))).await;
    let disk = Disk::start(home.path(), &upstream);
    println!("disk full by {:?}", disk.way);
    let id = |answer: &Answer| answer.field("x-request-id").expect("an id").to_owned();
    let mut told = BTreeSet::from([id(&disk.ask("before").await)]);
    disk.fill();
    let refused = loop {
        let answer = disk.ask(&format!("question {}", told.len())).await;
        if answer.status != 200 {
            break answer;
        }
        told.insert(id(&answer));
    };
    let error = refused.json()["error"].clone();
    assert_eq!((refused.status, &error["code"]), (503, &json!("ledger_failing")), "{error}");
    assert_eq!(refused.field("x-tidegate-blame"), Some("us"), "{refused:?}");
    let ready = disk.get("/ready").await;
    assert_eq!(ready.status, 503, "{ready:?}");
    let asked = upstream.seen().len();
    assert_eq!(disk.ask("once more").await.status, 503);
    assert_eq!(upstream.seen().len(), asked, "what cannot be written down is not asked");

    disk.empty();
    while disk.get("/ready").await.status != 200 {}
    let after = disk.ask("after").await;
    assert_eq!(after.status, 200, "{after:?}");
    told.insert(id(&after));
    let calls = disk.get("/api/v1/calls?limit=1000&status=ok").await.json();
    let booked = calls["calls"].as_array().expect("a list").iter();
    let booked: BTreeSet<String> = booked.map(|row| row["id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(booked, told, "each call that was answered, once and no other");
    let attempts = disk.get("/api/v1/attempts?limit=1000").await.json();
    assert_eq!(attempts["attempts"].as_array().map(Vec::len), Some(upstream.seen().len()));
    let usage = disk.get("/api/v1/usage").await.json();
    assert_eq!(usage["usage"][0]["calls"].as_u64(), calls_in(&disk).await, "{usage}");
}

/// Every call in the books, whatever came of it.
async fn calls_in(disk: &Disk) -> Option<u64> {
    let calls = disk.get("/api/v1/calls?limit=1000").await.json();
    Some(calls["calls"].as_array()?.len() as u64)
}

#[test]
fn a_disk_that_can_only_be_read_stops_the_start_with_its_name() {
    let home = tempfile::tempdir().expect("a folder");
    let mut command = match Way::here() {
        Way::Tmpfs => Way::Tmpfs.command(home.path(), "ro"),
        // No file system of ours: one that nobody can write to.
        Way::FileSize => {
            let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
            command.args(["serve", "--port", "0", "--data", "/proc/data"]).current_dir(home.path());
            command
        }
    };
    let ended = command.output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && said.contains("data directory"), "{said}");
    assert!(said.contains("may not be written") || said.contains("cannot be used"), "{said}");
}

#[test]
fn files_that_are_damaged_stop_the_start_with_their_name_and_are_left_as_they_are() {
    let home = tempfile::tempdir().expect("a folder");
    let data = home.path().join("data");
    std::fs::create_dir_all(&data).expect("a folder");
    let damaged = [0x5a; 4_096];
    std::fs::write(data.join("tidegate.db"), damaged).expect("it can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    let ended = command.args(["serve", "--port", "0"]).current_dir(home.path()).output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && said.contains("not a file that SQLite wrote"), "{said}");
    assert_eq!(std::fs::read(data.join("tidegate.db")).expect("it is there"), damaged);
}
