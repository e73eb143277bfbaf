//! Owns how a figure is taken: rounds that alternate between the contestants, medians over the rounds, usage
//! beside latency.
//!
//! Must not know what the figures are compared with.

use std::net::SocketAddr;
use std::time::Duration;

use crate::generator::{Aim, Ask, Closed, Keys, Open, Proof, Source, Tally, Template};
use crate::report::Row;
use crate::servers::{Child, Outcome, Usage, get_json};

/// What is done to a server for one round.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Load {
    Closed(Closed),
    Open(Open),
}

/// A server and what it is asked.
pub(crate) struct Contestant<'a> {
    pub(crate) child: &'a Child,
    pub(crate) aim: Aim,
}

impl<'a> Contestant<'a> {
    /// `child` asked `ask` with an SDK's headers and a client key.
    pub(crate) fn new(child: &'a Child, ask: &Ask, keys: &Keys, proof: Proof) -> Self {
        Self::with_headers(child, ask, keys, proof, "Authorization: Bearer sk-bench\r\n")
    }

    /// `child` asked `ask` with `headers` (whole lines) besides the SDK's.
    pub(crate) fn with_headers(
        child: &'a Child,
        ask: &Ask,
        keys: &Keys,
        proof: Proof,
        headers: &str,
    ) -> Self {
        let template = Template::new(ask, child.addr, headers);
        Self { child, aim: Aim { addr: child.addr, template, keys: keys.clone(), proof } }
    }
}

/// One round of one contestant.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) tally: Tally,
    pub(crate) cpu_us: f64,
    pub(crate) busy: f64,
    /// Requests the upstream saw meanwhile.
    pub(crate) upstream: Seen,
}

/// What the mock upstream has seen.
#[derive(Debug, Clone, Copy, Default, serde::Deserialize)]
pub(crate) struct Seen {
    pub(crate) chats: u64,
    pub(crate) embeddings: u64,
    pub(crate) items: u64,
}

impl Seen {
    /// Asks the upstream at `addr`.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn now(addr: SocketAddr) -> Outcome<Self> {
        Ok(serde_json::from_value(get_json(addr, "/seen").await?)?)
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            chats: self.chats - before.chats,
            embeddings: self.embeddings - before.embeddings,
            items: self.items - before.items,
        }
    }
}

/// All rounds of one contestant.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) server: String,
    pub(crate) samples: Vec<Sample>,
    pub(crate) resident_mb: f64,
}

impl Series {
    /// The median over the rounds of what `figure` reads from each.
    pub(crate) fn median(&self, figure: impl Fn(&Sample) -> f64) -> f64 {
        let mut figures: Vec<f64> = self.samples.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// The sum over the rounds of what `count` reads from each.
    pub(crate) fn total(&self, count: impl Fn(&Sample) -> u64) -> u64 {
        self.samples.iter().map(count).sum()
    }

    /// Requests per second.
    pub(crate) fn per_second(&self) -> f64 {
        self.median(|sample| sample.tally.per_second())
    }

    /// Latency in milliseconds at `percent`.
    pub(crate) fn ms(&self, percent: f64) -> f64 {
        self.median(|sample| sample.tally.latency.ms(percent))
    }

    /// Time to the first event in milliseconds at `percent`.
    pub(crate) fn first_ms(&self, percent: f64) -> f64 {
        self.median(|sample| sample.tally.first.ms(percent))
    }

    /// The table row of this series under `scenario`; with `first`, its latencies are those of the first
    /// event.
    pub(crate) fn row(&self, scenario: &str, first: bool) -> Row {
        let ms = |percent| if first { self.first_ms(percent) } else { self.ms(percent) };
        Row {
            scenario: scenario.to_owned(),
            server: self.server.clone(),
            per_second: self.per_second(),
            p50_ms: ms(50.0),
            p99_ms: ms(99.0),
            p999_ms: ms(99.9),
            cpu_us: self.median(|sample| sample.cpu_us),
            busy: self.median(|sample| sample.busy),
            resident_mb: self.resident_mb,
            note: self.note(),
        }
    }

    /// Where the answers came from: as the server told, or as the upstream's count shows.
    fn note(&self) -> String {
        let told: Vec<String> = [(Source::Hit, "hit"), (Source::Miss, "miss"), (Source::Joined, "joined")]
            .into_iter()
            .map(|(source, name)| (self.total(|sample| sample.tally.from(source)), name))
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| format!("{name} {count}"))
            .collect();
        if !told.is_empty() {
            return told.join(", ");
        }
        let answers = self.total(|sample| sample.tally.answers);
        let upstream = self.total(|sample| sample.upstream.chats + sample.upstream.embeddings);
        format!("upstream saw {upstream} of {answers}")
    }

    /// What went wrong in any round.
    pub(crate) fn fault(&self) -> Option<String> {
        self.samples.iter().find_map(|sample| sample.tally.fault())
    }
}

/// Runs `load` once against one contestant and takes its usage; `upstream` is asked what it saw.
///
/// # Errors
/// When the server or the upstream cannot be reached.
pub(crate) async fn sample(contestant: &Contestant<'_>, load: Load, upstream: SocketAddr) -> Outcome<Sample> {
    let seen = Seen::now(upstream).await?;
    let probe = contestant.child.probe()?;
    let tally = match load {
        Load::Closed(closed) => closed.run(&contestant.aim).await?,
        Load::Open(open) => open.run(&contestant.aim).await?,
    };
    let usage = contestant.child.used_since(probe)?;
    // An answer can reach us before a cancelled or last upstream request is counted.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let upstream = Seen::now(upstream).await?.since(seen);
    Ok(sample_of(tally, usage, upstream))
}

/// What was measured, with the CPU time of an answer.
pub(crate) fn sample_of(tally: Tally, usage: Usage, upstream: Seen) -> Sample {
    let cpu_us = usage.cpu.as_secs_f64() * 1e6 / (tally.answers.max(1) as f64);
    Sample { tally, cpu_us, busy: usage.busy, upstream }
}

/// Runs `rounds` rounds, each contestant once a round (A B C, A B C, ...), so that drift of the machine hits
/// all alike. The others on its core stand still meanwhile.
///
/// # Errors
/// When a server cannot be reached.
pub(crate) async fn interleave(
    contestants: &[Contestant<'_>],
    load: Load,
    rounds: usize,
    upstream: SocketAddr,
) -> Outcome<Vec<Series>> {
    let new = |contestant: &Contestant<'_>| Series {
        server: contestant.child.name().to_owned(),
        samples: Vec::with_capacity(rounds),
        resident_mb: 0.0,
    };
    let mut all: Vec<Series> = contestants.iter().map(new).collect();
    for _ in 0..rounds {
        for (at, (contestant, series)) in contestants.iter().zip(&mut all).enumerate() {
            let others = contestants.iter().enumerate().filter(|(other, _)| *other != at);
            let _halted: Vec<_> = others.filter_map(|(_, other)| other.child.halted()).collect();
            series.samples.push(sample(contestant, load, upstream).await?);
            series.resident_mb = contestant.child.resident_kib() as f64 / 1024.0;
        }
    }
    Ok(all)
}
