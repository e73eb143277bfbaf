//! Owns a server process: started pinned to its core, found by the URL it prints, watched through /proc,
//! killed with us.
//!
//! Must not know what the server does.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::Instant;

use super::{Outcome, ROLE};

/// Which core a server runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Core 0: the server under test and its floors, one at a time.
    Tested,
    /// The last core: whatever stands beside, as the generator does on core 1.
    Beside,
    /// Anywhere: peers that cannot be held to one core.
    Free,
}

impl Place {
    fn cores(self) -> String {
        let last = cores() - 1;
        match self {
            Self::Tested => "0".to_owned(),
            Self::Beside => last.min(2).to_string(),
            Self::Free => format!("0-{last}"),
        }
    }
}

/// A running server. Dropping it kills its whole process group.
pub(crate) struct Child {
    name: &'static str,
    pub(crate) addr: SocketAddr,
    place: Place,
    pid: u32,
    process: tokio::process::Child,
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Probe {
    cpu: Duration,
    at: Instant,
}

/// What a process used between two probes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    /// CPU time over wall time; 1.0 is one core busy all the time.
    pub(crate) busy: f64,
}

impl Child {
    /// Starts this binary as one of its own servers.
    pub(super) async fn own_role(role: &'static str, place: Place, more: &[(&str, &str)]) -> Outcome<Self> {
        let program = std::env::current_exe()?;
        Self::printing(role, place, &program, &[], &[&[(ROLE, role)], more].concat()).await
    }

    /// Starts a server that prints its URL on stdout.
    pub(super) async fn printing(
        name: &'static str,
        place: Place,
        program: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Outcome<Self> {
        let mut command = pinned(place, program, arguments);
        command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(log_file(name)?);
        let mut process =
            command.spawn().map_err(|error| format!("{name}: {}: {error}", program.display()))?;
        let stdout = process.stdout.take().ok_or("stdout was asked to be a pipe")?;
        let mut lines = BufReader::new(stdout).lines();
        let search = async {
            while let Some(line) = lines.next_line().await? {
                if let Some(addr) = url_in(&line) {
                    return Ok(addr);
                }
            }
            Err(io::Error::other("ended before it printed a http://127.0.0.1:PORT"))
        };
        let addr = tokio::time::timeout(Duration::from_secs(30), search)
            .await
            .map_err(|_| format!("{name}: printed no URL within 30 s"))?
            .map_err(|error| format!("{name}: {error}"))?;
        // Whatever it prints later must not fill the pipe and block it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let pid = process.id().ok_or("the server ended at once")?;
        Ok(Self { name, addr, place, pid, process })
    }

    /// Starts a server that was told `port` and waits until it accepts connections.
    pub(super) async fn on_port(
        name: &'static str,
        place: Place,
        port: u16,
        command: (&Path, &[&str]),
        variables: &[(&str, &str)],
    ) -> Outcome<Self> {
        let (program, arguments) = command;
        let mut pinned = pinned(place, program, arguments);
        pinned.envs(variables.iter().copied()).stdout(Stdio::null()).stderr(log_file(name)?);
        let process = pinned.spawn().map_err(|error| format!("{name}: {}: {error}", program.display()))?;
        let pid = process.id().ok_or("the server ended at once")?;
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut child = Self { name, addr, place, pid, process };
        let begin = Instant::now();
        while tokio::net::TcpStream::connect(addr).await.is_err() {
            if let Some(status) = child.process.try_wait()? {
                return Err(format!("{name}: ended with {status} before it listened on {addr}").into());
            }
            if begin.elapsed() > Duration::from_secs(90) {
                return Err(format!("{name}: did not listen on {addr} within 90 s").into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(child)
    }

    /// What the server is called in tables.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Errors
    /// It does not within 30 s.
    pub(crate) async fn stop(mut self) -> Outcome<()> {
        if let Some(group) = group_of(self.pid) {
            rustix::process::kill_process_group(group, rustix::process::Signal::TERM)?;
        }
        let ended = tokio::time::timeout(Duration::from_secs(30), self.process.wait()).await;
        ended.map_err(|_| format!("{} does not end", self.name))??;
        Ok(())
    }

    /// Stops it until what this gives is dropped, if it would use the core of the servers under test: what it does behind its
    /// answers must not be counted against others.
    pub(crate) fn halted(&self) -> Option<Halted> {
        let group = (self.place == Place::Tested).then(|| group_of(self.pid))??;
        rustix::process::kill_process_group(group, rustix::process::Signal::STOP).ok()?;
        Some(Halted(group))
    }

    /// CPU time used so far by all threads of the whole process group.
    ///
    /// # Errors
    /// When the process has ended.
    pub(crate) fn probe(&self) -> io::Result<Probe> {
        let mut nanoseconds = 0;
        for pid in group(self.pid)? {
            nanoseconds += thread_time_ns(pid).unwrap_or(0);
        }
        if nanoseconds == 0 {
            return Err(io::Error::other(format!("{} has ended", self.name)));
        }
        Ok(Probe { cpu: Duration::from_nanos(nanoseconds), at: Instant::now() })
    }

    /// What was used since `before`.
    ///
    /// # Errors
    /// As [`Child::probe`].
    pub(crate) fn used_since(&self, before: Probe) -> io::Result<Usage> {
        let now = self.probe()?;
        let cpu = now.cpu.saturating_sub(before.cpu);
        let wall = (now.at - before.at).as_secs_f64().max(1e-9);
        Ok(Usage { cpu, busy: cpu.as_secs_f64() / wall })
    }

    /// Resident memory of the process group in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        group(self.pid).unwrap_or_default().into_iter().filter_map(resident_kib).sum()
    }
}

/// A process group that stands still.
pub(crate) struct Halted(rustix::process::Pid);

impl Drop for Halted {
    fn drop(&mut self) {
        // It may have ended meanwhile.
        let _ = rustix::process::kill_process_group(self.0, rustix::process::Signal::CONT);
    }
}

fn group_of(pid: u32) -> Option<rustix::process::Pid> {
    i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw)
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(group) = group_of(self.pid) {
            // It may have ended by itself; nothing else can be done with a failure here.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            let _ = rustix::process::waitpid(Some(group), rustix::process::WaitOptions::empty());
        }
    }
}

/// `program` in a process group of its own, on its core, killed by the kernel if we die without cleaning up.
fn pinned(place: Place, program: &Path, arguments: &[&str]) -> Command {
    let mut command = std::process::Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "taskset", "-c", &place.cores()]).arg(program).args(arguments);
    command.process_group(0).stdin(Stdio::null());
    let mut command = Command::from(command);
    command.kill_on_drop(true);
    command
}

/// Cores of this machine, at least 2; counted by hand because we pin ourselves to one of them.
pub(crate) fn cores() -> usize {
    let listed = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    listed.lines().filter(|line| line.starts_with("processor")).count().max(2)
}

/// Where a server's complaints go: `target/bench/NAME.log`, begun anew with each start.
fn log_file(name: &str) -> io::Result<std::fs::File> {
    let plain = name.replace([' ', ','], "-");
    std::fs::File::create(format!("target/bench/{plain}.log"))
}

/// A port nobody uses now; for servers that cannot choose one themselves.
pub(super) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn url_in(line: &str) -> Option<SocketAddr> {
    let rest = line.split_once("http://127.0.0.1:")?.1;
    let digits = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    let port = rest[..digits].parse().ok()?;
    Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// Every process whose group is `leader`.
fn group(leader: u32) -> io::Result<Vec<u32>> {
    let mut members = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        // Fields after the command, which is in brackets and may hold spaces: state, parent, group.
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        if fields.split_ascii_whitespace().nth(2).and_then(|field| field.parse().ok()) == Some(leader) {
            members.push(pid);
        }
    }
    Ok(members)
}

/// The scheduler's own account, which is exact where /proc/PID/stat counts in ticks of 10 ms.
fn thread_time_ns(pid: u32) -> Option<u64> {
    let mut total = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let account = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).unwrap_or_default();
        total +=
            account.split_ascii_whitespace().next().and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    }
    Some(total)
}

fn resident_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}
