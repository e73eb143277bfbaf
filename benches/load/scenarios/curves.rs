//! Curves: what one request costs as connections, entries, bodies or open streams grow.
//!
//! Must not judge; a cost that grows faster than its work is seen by eye in the plot.

use std::rc::Rc;
use std::time::Duration;

use super::{Bench, CONNECTIONS};
use crate::generator::{Ask, Closed, Keys, Proof, hold_streams};
use crate::measure::{Contestant, Load, sample};
use crate::report::{Curve, Line};
use crate::servers::{Child, Outcome, Tidegate, TidegateOptions};

/// Limits far above what a curve reaches, where the shipped ones would end it.
const WIDE_GATEWAY: &str = "max_operations = 32768\n";
const WIDE_PROVIDER: &str = "max_in_flight = 32768\nidle_timeout_ms = 600000\n";
const WIDE_LANES: &str = "\n[lanes]\nmax_concurrency = 32768\nqueue_jobs = 32768\n";

/// Every curve that is asked for by `ONLY`.
pub(super) async fn run(bench: &mut Bench) -> Outcome<()> {
    if bench.settings.wants("connections") {
        connections(bench).await?;
    }
    if bench.settings.wants("bodies") {
        bodies(bench).await?;
    }
    if bench.settings.wants("entries") {
        entries(bench).await?;
    }
    if bench.settings.wants("open_streams") {
        open_streams(bench).await?;
    }
    Ok(())
}

fn new_line(label: &str) -> Line {
    Line { label: label.to_owned(), points: Vec::new() }
}

/// One window of `connections` asking; the CPU microseconds of a request, and its row in the report.
async fn cost(bench: &mut Bench, scenario: &str, asked: &Contestant<'_>, connections: usize) -> Outcome<f64> {
    let warm_up = Duration::from_millis(300);
    let load = Load::Closed(Closed { connections, warm_up, window: bench.settings.window });
    let taken = sample(asked, load, bench.servers.upstream.addr).await?;
    let cpu_us = taken.cpu_us;
    let fault = taken.tally.fault();
    let told = fault.as_deref().unwrap_or("all well");
    bench.report.check(fault.is_none(), format!("{scenario}, {}: {told}", asked.child.name()));
    let resident_mb = asked.child.resident_kib() as f64 / 1024.0;
    let series =
        crate::measure::Series { server: asked.child.name().to_owned(), samples: vec![taken], resident_mb };
    bench.report.rows.push(series.row(scenario, false));
    println!("  {scenario}, {}: {cpu_us:.1} us", asked.child.name());
    Ok(cpu_us)
}

/// Tidegate, when it takes part, after the children that always do.
fn with_tidegate<'a>(always: &[&'a Child], tidegate: Option<&'a Tidegate>) -> Vec<&'a Child> {
    always.iter().copied().chain(tidegate.map(|tidegate| &tidegate.child)).collect()
}

/// 10 to 10,000 connections on the hit path.
async fn connections(bench: &mut Bench) -> Outcome<()> {
    let servers = Rc::clone(&bench.servers);
    let keys = Keys::cycle(1000);
    let mut lines = Vec::new();
    for child in with_tidegate(&[&servers.bare, &servers.lookup], servers.tidegate.as_ref()) {
        let asked = Contestant::new(child, &Ask::chat(), &keys, Proof::None);
        Closed::count(CONNECTIONS, 1000, &asked.aim).await?;
        let mut line = new_line(child.name());
        for count in [10, 100, 1000, 10_000_u16] {
            let cost = cost(bench, &format!("{count} connections"), &asked, usize::from(count)).await?;
            line.points.push((f64::from(count), cost));
        }
        lines.push(line);
    }
    bench.report.curves.push(Curve {
        name: "connections".to_owned(),
        x: "connections".to_owned(),
        y: "CPU us per request, hit path".to_owned(),
        lines,
    });
    Ok(())
}

/// Request bodies of 1 KB to 1 MB, from memory and through to the upstream.
async fn bodies(bench: &mut Bench) -> Outcome<()> {
    let servers = Rc::clone(&bench.servers);
    let mut lines = Vec::new();
    let hits = with_tidegate(&[&servers.lookup], servers.tidegate.as_ref());
    let misses = with_tidegate(&[&servers.nginx], servers.tidegate.as_ref());
    let (kept, fresh) = (Keys::cycle(16), bench.unique_keys());
    for (path, children, keys) in [("hit", hits, kept), ("miss", misses, fresh)] {
        for child in children {
            let mut line = new_line(&format!("{}, {path}", child.name()));
            for bytes in [1000, 10_000, 100_000, 1_000_000_u32] {
                let ask = Ask::Chat { model: "bench".to_owned(), bytes: usize::try_from(bytes)? };
                let asked = Contestant::new(child, &ask, &keys, Proof::None);
                let cost = cost(bench, &format!("{path}, body {bytes}"), &asked, 16).await?;
                line.points.push((f64::from(bytes), cost));
            }
            lines.push(line);
        }
    }
    bench.report.curves.push(Curve {
        name: "bodies".to_owned(),
        x: "bytes of the request body".to_owned(),
        y: "CPU us per request".to_owned(),
        lines,
    });
    Ok(())
}

/// 1 to 1,000,000 kept answers, each asked as often as the others.
async fn entries(bench: &mut Bench) -> Outcome<()> {
    let servers = Rc::clone(&bench.servers);
    let options = TidegateOptions {
        name: "tidegate, large memory",
        tables: "\n[cache]\nmax_bytes = 8589934592\n",
        ..TidegateOptions::default()
    };
    let own = match servers.tidegate {
        Some(_) => Some(Tidegate::start(servers.upstream.addr, &bench.settings.folder, &options).await?),
        None => None,
    };
    let (mut lines, mut memory) = (Vec::new(), Vec::new());
    for child in with_tidegate(&[&servers.lookup], own.as_ref()) {
        let (mut line, mut resident, mut filled) = (new_line(child.name()), new_line(child.name()), 0);
        for count in [1, 100, 10_000, 100_000, 1_000_000_u32] {
            let total = u64::from(count);
            let fill = Contestant::new(child, &Ask::chat(), &Keys::unique(filled), Proof::ChatId);
            Closed::count(CONNECTIONS, total - filled, &fill.aim).await?;
            filled = total;
            let asked = Contestant::new(child, &Ask::chat(), &Keys::cycle(total), Proof::ChatId);
            let cost = cost(bench, &format!("{count} entries"), &asked, CONNECTIONS).await?;
            line.points.push((f64::from(count), cost));
            resident.points.push((f64::from(count), child.resident_kib() as f64 / 1024.0));
        }
        lines.push(line);
        memory.push(resident);
    }
    for (name, y, lines) in
        [("entries", "CPU us per request, hit path", lines), ("entries, memory", "resident MB", memory)]
    {
        let (name, x, y) = (name.to_owned(), "cached entries".to_owned(), y.to_owned());
        bench.report.curves.push(Curve { name, x, y, lines });
    }
    Ok(())
}

/// 10,000, or fewer where the limit of open files leaves a proxy no two for each stream.
fn most_streams() -> u16 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    let room = limit.saturating_sub(2000) / 2;
    u16::try_from(room).unwrap_or(u16::MAX).min(10_000)
}

/// 1 to 10,000 streams that stay open: memory of each beyond the idle server.
async fn open_streams(bench: &mut Bench) -> Outcome<()> {
    let servers = Rc::clone(&bench.servers);
    let options = TidegateOptions {
        gateway: WIDE_GATEWAY,
        provider: WIDE_PROVIDER,
        tables: WIDE_LANES,
        ..TidegateOptions::default()
    };
    let own = match servers.tidegate {
        Some(_) => Some(Tidegate::start(servers.upstream.addr, &bench.settings.folder, &options).await?),
        None => None,
    };
    let ask = Ask::Stream { model: "bench-t1000-g60000".to_owned(), bytes: 1200 };
    let keys = bench.unique_keys();
    let mut lines = Vec::new();
    for child in with_tidegate(&[&servers.upstream, &servers.nginx], own.as_ref()) {
        let mut line = new_line(child.name());
        let idle = child.resident_kib();
        for count in [1, 10, 100, 1000, most_streams()] {
            let asked = Contestant::new(child, &ask, &keys, Proof::None);
            let held = hold_streams(usize::from(count), &asked.aim).await?;
            let grown = child.resident_kib().saturating_sub(idle) as f64;
            println!("  {count} streams, {}: {grown:.0} KiB more", child.name());
            line.points.push((f64::from(count), child.resident_kib() as f64 / 1024.0));
            drop(held);
        }
        lines.push(line);
    }
    bench.report.curves.push(Curve {
        name: "open streams".to_owned(),
        x: "open streams".to_owned(),
        y: "resident MB".to_owned(),
        lines,
    });
    Ok(())
}
