//! What the mechanisms of the engine cost, each beside the least that could do its work.
//!
//! `hit`: a kept answer through the whole path, beside a bare look-up in the same map.
//! `mailbox`: a message to an actor and back, on this thread and on another, beside a function call.
//! `lane`: 64 calls at once through one lane, their flights on the caller's thread or on the lanes'.
//! `fan_out`: a stream of 64 events told to that many followers.
//! `fairness`: one polite workspace beside one that floods a provider of 50 ms, and alone; the ratio is printed.
//! `joining`: a thousand equal calls to an upstream of 50 ms, beside one call; the ratio is printed.

#![expect(missing_docs, reason = "criterion_group expands to an undocumented function")]

mod harness;

use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use criterion::async_executor::AsyncExecutor;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dashmap::DashMap;
use futures_util::future::{join, join_all};
use harness::{Bench, hear};
use tidegate_actors::engine::{Placement, RunOn};
use tidegate_actors::ports::clock::{Clock, SystemClock};

/// Runs benches inside an actix system.
struct Inside<'a>(&'a actix::SystemRunner);

impl AsyncExecutor for Inside<'_> {
    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.block_on(future)
    }
}

fn hit(criterion: &mut Criterion) {
    let system = actix::System::new();
    let bench = system.block_on(Bench::start(Placement::Current, RunOn::Caller));
    let kept = system.block_on(bench.ask("kept")).key.expect("a chat has a key");
    let map: DashMap<u128, Arc<Vec<u8>>> = DashMap::with_shard_amount(256);
    map.insert(kept.hash, Arc::new(vec![0; 1_200]));
    let mut group = criterion.benchmark_group("hit");
    group.bench_function("bare look-up", |bencher| {
        bencher.iter(|| map.get(black_box(&kept.hash)).map(|found| Arc::clone(found.value())));
    });
    group.bench_function("engine", |bencher| {
        let call = || bench.call("kept");
        let ask = |call| async { black_box(bench.engine.chat(call).await.is_ok()) };
        bencher.to_async(Inside(&system)).iter_batched(call, ask, BatchSize::SmallInput);
    });
    group.finish();
}

struct Echo;

impl Actor for Echo {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "u64")]
struct Say(u64);

impl Handler<Say> for Echo {
    type Result = u64;

    fn handle(&mut self, Say(number): Say, _: &mut Context<Self>) -> u64 {
        number.wrapping_mul(3)
    }
}

#[expect(clippy::disallowed_methods, reason = "the bench measures what a send costs")]
async fn round(echo: &Addr<Echo>, in_flight: u64) {
    for sent in join_all((0..in_flight).map(|number| echo.send(Say(number)))).await {
        black_box(sent.expect("the actor lives"));
    }
}

fn mailbox(criterion: &mut Criterion) {
    let system = actix::System::new();
    let here = system.block_on(async { Echo.start() });
    let there = system.block_on(async { Echo::start_in_arbiter(&Arbiter::new().handle(), |_| Echo) });
    let mut group = criterion.benchmark_group("mailbox");
    group.bench_function("direct", |bencher| {
        bencher.iter(|| black_box(black_box(7_u64).wrapping_mul(3)));
    });
    for in_flight in [1, 64] {
        group.throughput(Throughput::Elements(in_flight));
        for (name, echo) in [("same thread", &here), ("other thread", &there)] {
            group.bench_with_input(BenchmarkId::new(name, in_flight), &in_flight, |bencher, &in_flight| {
                bencher.to_async(Inside(&system)).iter(|| round(echo, in_flight));
            });
        }
    }
    group.finish();
}

fn lane(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lane");
    group.throughput(Throughput::Elements(64));
    for (name, run_on) in
        [("flights with the caller", RunOn::Caller), ("flights with the lanes", RunOn::Lane)]
    {
        let system = actix::System::new();
        let bench = system.block_on(Bench::start(Placement::Own, run_on));
        group.bench_function(name, |bencher| {
            bencher.to_async(Inside(&system)).iter(|| join_all((0..64).map(|_| bench.ask_alone("miss"))));
        });
    }
    group.finish();
}

fn fan_out(criterion: &mut Criterion) {
    let system = actix::System::new();
    let bench = system.block_on(Bench::start(Placement::Current, RunOn::Caller));
    let mut group = criterion.benchmark_group("fan_out");
    for followers in [1_u64, 10, 100, 1_000] {
        group.throughput(Throughput::Elements(followers));
        group.bench_with_input(BenchmarkId::from_parameter(followers), &followers, |bencher, &followers| {
            let streams = || bench.fresh_streams(followers as usize);
            let tell = |calls: Vec<_>| async {
                join_all(calls.into_iter().map(|call| hear(&bench.engine, call))).await.len()
            };
            bencher.to_async(Inside(&system)).iter_batched(streams, tell, BatchSize::PerIteration);
        });
    }
    group.finish();
}

/// Medians of 15 rounds each, taken in turns.
#[expect(clippy::print_stdout, reason = "the ratio is what the bench is for")]
fn joining(_: &mut Criterion) {
    let system = actix::System::new();
    let bench = system.block_on(Bench::start(Placement::Own, RunOn::Caller));
    let clock = SystemClock::new();
    let took = |callers: usize| {
        let calls = bench.fresh_slow(callers);
        let began = clock.now();
        let answers = system.block_on(join_all(calls.into_iter().map(|call| bench.engine.chat(call))));
        assert!(answers.iter().all(Result::is_ok), "everybody is answered");
        clock.now().since(began)
    };
    let (mut one, mut thousand): (Vec<_>, Vec<_>) = (0..15).map(|_| (took(1), took(1_000))).unzip();
    one.sort_unstable();
    thousand.sort_unstable();
    let ratio = thousand[7].as_secs_f64() / one[7].as_secs_f64();
    println!(
        "joining: 1 call {:?}, 1,000 equal calls {:?}, ratio {ratio:.2} (at most 1.2), {} requests for {} questions",
        one[7],
        thousand[7],
        bench.asks(),
        15 * 2
    );
}

/// The 60 waits of a workspace that asks one call at a time, beside `flood` callers of another that ask again at once.
async fn politely(bench: &Bench, flood: usize) -> Vec<Duration> {
    let (clock, done) = (SystemClock::new(), Cell::new(false));
    let flooding = join_all((0..flood).map(|_| async {
        while !done.get() {
            assert!(bench.ask_slowly("flood").await, "there is room for the flood");
        }
    }));
    let asking = async {
        let mut waits = Vec::new();
        for _ in 0..60 {
            let began = clock.now();
            assert!(bench.ask_slowly("polite").await, "the polite one is answered");
            waits.push(clock.now().since(began));
        }
        done.set(true);
        waits.sort_unstable();
        waits
    };
    join(flooding, asking).await.1
}

#[expect(clippy::print_stdout, reason = "the ratio is what the bench is for")]
fn fairness(_: &mut Criterion) {
    let system = actix::System::new();
    let bench = system.block_on(Bench::start(Placement::Own, RunOn::Caller));
    let (alone, beside) =
        system.block_on(async { (politely(&bench, 0).await, politely(&bench, 2_000).await) });
    let ratio = beside[58].as_secs_f64() / alone[58].as_secs_f64();
    println!(
        "fairness: alone p50 {:?}, p98 {:?}; beside 2,000 callers p50 {:?}, p98 {:?}, ratio {ratio:.2} (at most 2)",
        alone[29], alone[58], beside[29], beside[58]
    );
}

criterion_group!(benches, hit, mailbox, lane, fan_out, fairness, joining);
criterion_main!(benches);
