//! The scenarios: what is compared with what, and which ratio must hold.
//!
//! Knows servers, loads and gates; must not know sockets or processes.

mod curves;
mod embeddings;
mod flows;
mod hit;
mod joining;
mod latency;
mod miss;
mod peers;
mod restart;
mod streams;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::generator::{Ask, Closed, Keys, Open, Proof, Source};
use crate::measure::{Contestant, Load, Seen, Series, interleave};
use crate::report::{Bound, Gate, Report};
use crate::servers::{
    Child, Outcome, Tidegate, TidegateOptions, start_bare, start_lookup, start_nginx, start_proxy,
    start_upstream,
};
use crate::settings::Settings;

/// Connections of a closed loop, where a scenario does not say otherwise.
const CONNECTIONS: usize = 64;

/// Keys that are asked where answers come from memory.
const KEYS: u16 = 10_000;

/// The servers, all running; an idle one costs the others nothing.
struct Servers {
    upstream: Child,
    bare: Child,
    lookup: Child,
    nginx: Child,
    proxy: Child,
    /// Not there when only the floors are proven.
    tidegate: Option<Tidegate>,
}

/// Everything a scenario needs: the servers and the report it writes to.
pub(crate) struct Bench {
    settings: Settings,
    servers: Rc<Servers>,
    pub(crate) report: Report,
    /// First key nobody has used yet.
    fresh: Cell<u64>,
}

/// A ratio before it is a gate: who over whom, in what.
struct Ratio<'a> {
    what: &'a str,
    ours: f64,
    theirs: f64,
    unit: &'a str,
}

impl Bench {
    /// Starts every server.
    ///
    /// # Errors
    /// Names the server that could not be started.
    pub(crate) async fn start(settings: Settings) -> Outcome<Self> {
        let upstream = start_upstream().await?;
        let nginx = start_nginx(upstream.addr, &settings.folder).await?;
        let proxy = start_proxy(upstream.addr).await?;
        let tidegate = if settings.floors_only {
            None
        } else {
            Some(Tidegate::start(upstream.addr, &settings.folder, &TidegateOptions::default()).await?)
        };
        let report = Report { machine: crate::report::machine(), ..Report::default() };
        let (bare, lookup) = (start_bare().await?, start_lookup().await?);
        let servers = Rc::new(Servers { upstream, bare, lookup, nginx, proxy, tidegate });
        Ok(Self { settings, servers, report, fresh: Cell::new(1 << 32) })
    }

    /// Runs what the settings ask for; a scenario that cannot be run is noted as a failed check and the rest
    /// goes on.
    pub(crate) async fn run(&mut self) {
        if self.settings.curves {
            let outcome = curves::run(self).await;
            return self.note("curves", outcome);
        }
        for name in ["hit", "miss", "latency", "streams", "joining", "embeddings", "flows", "restart"] {
            if self.settings.wants(name) {
                println!("{name} ...");
                let outcome = self.scenario(name).await;
                self.note(name, outcome);
            }
        }
        if self.settings.peers {
            let outcome = peers::run(self).await;
            self.note("peers", outcome);
        }
    }

    async fn scenario(&mut self, name: &str) -> Outcome<()> {
        match name {
            "hit" => hit::run(self).await,
            "miss" => miss::run(self).await,
            "latency" => latency::run(self).await,
            "streams" => streams::run(self).await,
            "joining" => joining::run(self).await,
            "embeddings" => embeddings::run(self).await,
            "flows" => flows::run(self).await,
            _ => restart::run(self).await,
        }
    }

    fn note(&mut self, name: &str, outcome: Outcome<()>) {
        if let Err(error) = outcome {
            self.report.check(false, format!("{name}: {error}"));
        }
    }

    /// Keys nobody has used in this process; each call starts far above the last.
    fn unique_keys(&self) -> Keys {
        Keys::unique(self.fresh.replace(self.fresh.get() + (1 << 32)))
    }

    /// The usual closed loop.
    fn closed(&self, connections: usize) -> Load {
        Load::Closed(Closed {
            connections,
            warm_up: Duration::from_millis(300),
            window: self.settings.window,
        })
    }

    /// Asks every key once, so that its answer is kept.
    async fn warm(&mut self, scenario: &str, child: &Child, ask: &Ask, proof: Proof) -> Outcome<()> {
        let count = u64::from(KEYS);
        let aim = Contestant::new(child, ask, &Keys::cycle(count), proof).aim;
        let fault = Closed::count(CONNECTIONS, count, &aim).await?.fault();
        let told = fault.as_deref().unwrap_or("all well");
        let what = format!("{scenario}: warming {} with {count} keys: {told}", child.name());
        self.report.check(fault.is_none(), what);
        Ok(())
    }

    /// The usual open loop.
    fn open(&self, per_second: u32) -> Load {
        Load::Open(Open { per_second, warm_up: Duration::from_millis(300), window: self.settings.window })
    }

    /// Interleaves, writes the rows, checks statuses and proofs.
    async fn duel(
        &mut self,
        scenario: &str,
        load: Load,
        contestants: &[Contestant<'_>],
    ) -> Outcome<Vec<Series>> {
        let all = interleave(contestants, load, self.settings.rounds, self.servers.upstream.addr).await?;
        for series in &all {
            self.report.rows.push(series.row(scenario, scenario.starts_with("stream")));
            let fault = series.fault();
            let what = format!("{scenario}, {}: every answer a 200 of its own question", series.server);
            let text = fault.as_ref().map_or_else(|| what.clone(), |fault| format!("{what}: {fault}"));
            self.report.check(fault.is_none(), text);
        }
        Ok(all)
    }

    fn gate(&mut self, ratio: &Ratio<'_>, bound: Bound, target: f64) {
        let measured = ratio.ours / ratio.theirs;
        let from = format!("{:.3} / {:.3} {}", ratio.ours, ratio.theirs, ratio.unit);
        let gate = Gate { what: ratio.what.to_owned(), measured, bound, target, from };
        let verdict = if gate.holds() { "holds" } else { "MISSED" };
        println!("  {}: {measured:.2} (target {target:.2}) {verdict}", gate.what);
        self.report.gates.push(gate);
    }

    /// Says what a server gains that leaves something out; nothing is judged.
    fn beside(&self, what: &str, less: &Series, whole: &Series) {
        println!("  {what}: {:.2} of those with", less.per_second() / whole.per_second());
    }

    /// Every chat answer came from somewhere, and the upstream saw the misses and nothing else.
    fn check_chat_counts(&mut self, scenario: &str, series: &Series) {
        let from = |source| series.total(|sample| sample.tally.from(source));
        let (hits, misses, joined, bypass) =
            (from(Source::Hit), from(Source::Miss), from(Source::Joined), from(Source::Bypass));
        let answers = series.total(|sample| sample.tally.answers);
        self.report.check(
            hits + misses + joined + bypass == answers,
            format!("{scenario}: hit {hits} + miss {misses} + joined {joined} + bypass {bypass} = {answers}"),
        );
        let upstream = series.total(|sample| sample.upstream.chats);
        self.report.check(
            upstream == misses + bypass,
            format!(
                "{scenario}: the upstream saw {upstream} calls; {misses} misses, {bypass} bypasses were told"
            ),
        );
    }

    /// What the upstream has seen so far.
    async fn seen(&self) -> Outcome<Seen> {
        Seen::now(self.servers.upstream.addr).await
    }
}
