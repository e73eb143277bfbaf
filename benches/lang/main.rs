//! Times programs in one run on one machine and prints ratios: the language against CPython doing the same with
//! `decimal`, the start of a program, and a thousand flows at once.
//!
//! `make bench-lang`; needs `python3`. Beside CPython the best of five rounds counts on both sides, the time to start
//! either is left out.

#![expect(clippy::print_stdout, reason = "a bench says what it measured")]

mod flows;
mod start;

use std::error::Error;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tidegate::lang::load;
use tidegate::lang::machine::{Limits, Machine, Progress, World};
use tidegate::lang::memory::Memory;
use tidegate::lang::records::Store;
use tidegate::lang::value::{JsonStyle, Map, Value};

const ROUNDS: usize = 5;

/// What can go wrong in a bench; the text says all there is to know.
type Outcome<T> = Result<T, Box<dyn Error>>;

/// A ratio and what it must be.
struct Gate {
    what: &'static str,
    measured: f64,
    /// At most.
    target: f64,
    /// The two figures behind the ratio.
    from: String,
}

impl Gate {
    fn print(&self) {
        let Self { what, measured, target, from } = self;
        let verdict = if measured <= target { "holds" } else { "MISSED" };
        println!("{what}: {measured:.2} (at most {target:.2}) {verdict}; {from}");
    }
}

/// The same work twice.
struct Pair {
    name: &'static str,
    /// Body of a flow.
    program: &'static str,
    /// Body of a function whose result is the flow's.
    python: &'static str,
}

const PAIRS: [Pair; 5] = [
    Pair {
        name: "1,000,000 sums and products of short decimals",
        program: "
  let total is 0
  let i is 0
  repeat up to 1000000 times:
    set total is total + i * 1.035
    set i is i + 1
  return total",
        python: "
    total, i, rate, one = D(0), D(0), D('1.035'), D(1)
    for _ in range(1000000):
        total = total + i * rate
        i = i + one
    return total",
    },
    Pair {
        name: "1,000,000 quotients and sums of 28 digits",
        program: "
  let total is 0
  let i is 1
  repeat up to 1000000 times:
    set total is total + 1 / i
    set i is i + 1
  return total",
        python: "
    total, i, one = D(0), D(1), D(1)
    for _ in range(1000000):
        total = total + one / i
        i = i + one
    return total",
    },
    Pair {
        name: "1,000,000 conditions and remainders",
        program: "
  let hits is 0
  let i is 0
  repeat while i is less than 1000000 limit 1000001:
    if i % 7 is 3 or i is at least 999990:
      set hits is hits + 1
    set i is i + 1
  return hits",
        python: "
    hits, i, one, seven, three, edge, end = D(0), D(0), D(1), D(7), D(3), D(999990), D(1000000)
    while i < end:
        if i % seven == three or i >= edge:
            hits = hits + one
        i = i + one
    return hits",
    },
    Pair {
        name: "a list of 100,000 built and reduced",
        program: "
  let xs is list:
  let i is 0
  repeat up to 100000 times:
    set xs is list append xs with i * 0.5
    set i is i + 1
  return reduce xs with acc as a and item as x starting 0:
    a + x",
        python: "
    xs, i, half, one = [], D(0), D('0.5'), D(1)
    for _ in range(100000):
        xs.append(i * half)
        i = i + one
    return reduce(lambda a, x: a + x, xs, D(0))",
    },
    Pair {
        name: "a list of 100,000 built, mapped, filtered and reduced",
        program: "
  let xs is list:
  let i is 0
  repeat up to 100000 times:
    set xs is list append xs with i * 0.5
    set i is i + 1
  let doubled is map xs with item as x:
    x * 2
  let big is filter doubled with item as x:
    x is greater than 1000
  return reduce big with acc as a and item as x starting 0:
    a + x",
        python: "
    xs, i, half, one, two, edge = [], D(0), D('0.5'), D(1), D(2), D(1000)
    for _ in range(100000):
        xs.append(i * half)
        i = i + one
    doubled = [x * two for x in xs]
    big = [x for x in doubled if x > edge]
    return reduce(lambda a, x: a + x, big, D(0))",
    },
];

fn main() -> Outcome<()> {
    // `cargo bench --bench lang -- list` measures what has "list" in its name; cargo adds arguments of its own.
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    for (name, gate) in [(start::NAME, start::run as fn() -> Outcome<Gate>), (flows::NAME, flows::run)] {
        if name.contains(&wanted) {
            gate()?.print();
        }
    }
    let pairs: Vec<&Pair> = PAIRS.iter().filter(|pair| pair.name.contains(&wanted)).collect();
    if pairs.is_empty() {
        return Ok(());
    }
    let mut slowest = f64::INFINITY;
    for pair in pairs {
        slowest = slowest.min(beside_python(pair)?);
    }
    println!("least ratio {slowest:.1}x");
    println!("{}", growth()?);
    Ok(())
}

/// Times both sides of a pair and prints it; the ratio.
fn beside_python(pair: &Pair) -> Outcome<f64> {
    let (mut ours, mut python) = (Duration::MAX, Duration::MAX);
    // In turns, so that what else the machine does falls on both.
    for _ in 0..ROUNDS {
        let (time, our_result) = measure(pair.program)?;
        let (python_time, python_result) = measure_python(pair.python)?;
        if our_result != python_result {
            return Err(format!("{}: {our_result} here, {python_result} in Python", pair.name).into());
        }
        (ours, python) = (ours.min(time), python.min(python_time));
    }
    let ratio = python.as_secs_f64() / ours.as_secs_f64();
    let (name, ours, python) = (pair.name, millis(ours), millis(python));
    println!("{name:<54} {ours:>8.1} ms, CPython {python:>8.1} ms: {ratio:.1}x");
    Ok(ratio)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Time of a flow with this body, and its result.
fn measure(body: &str) -> Outcome<(Duration, String)> {
    let source = format!("spec is \"1.0\"\n\nflow \"main\":{body}\n");
    let app = load(&source).map_err(|faults| format!("{faults:?}"))?;
    let world = World {
        identity: None,
        state: Map::default(),
        store: Store::new(),
        memory: Memory::new(),
        limits: Limits::default(),
        observing: false,
        now_ms: None,
    };
    let begin = clock();
    let mut machine = Machine::start(Arc::new(app), "main", Value::fields([]), world);
    let outcome = loop {
        match machine.advance(100_000) {
            Progress::Spent => {}
            Progress::Blocked(_) | Progress::Wants(_) => return Err("the flow waits for somebody".into()),
            Progress::Done(outcome) => break outcome,
        }
    };
    let time = begin.elapsed();
    let result = outcome.result.map_err(|fault| fault.to_string())?;
    Ok((time, result.to_json(JsonStyle::Canonical).replace('"', "")))
}

/// Time of a Python function with this body, and its result. The time to start Python is left out.
fn measure_python(body: &str) -> Outcome<(Duration, String)> {
    let script = format!(
        "from decimal import Decimal as D\nfrom functools import reduce\nfrom time import perf_counter_ns as now\n\
         def main():{body}\nbegin = now()\nresult = main()\n\
         print(now() - begin, format(result.normalize(), 'f'))\n"
    );
    let output = Command::new("python3").args(["-E", "-c", &script]).output()?;
    let output = String::from_utf8(output.stdout)?;
    let (time, result) = output.trim().split_once(' ').ok_or("Python said nothing")?;
    Ok((Duration::from_nanos(time.parse()?), result.to_owned()))
}

/// Time per element of lists a hundred times as long: about the same if building is linear.
fn growth() -> Outcome<String> {
    let per_element = |count: u32| -> Outcome<f64> {
        let body = format!(
            "\n  let xs is list:\n  repeat up to {count} times:\n    set xs is list append xs with 1\n  return list length of xs"
        );
        let mut best = Duration::MAX;
        for _ in 0..ROUNDS {
            best = best.min(measure(&body)?.0);
        }
        Ok(best.as_secs_f64() * 1e9 / f64::from(count))
    };
    let (short, long) = (per_element(10_000)?, per_element(1_000_000)?);
    Ok(format!("appending: {short:.0} ns each to 10,000, {long:.0} ns each to 1,000,000"))
}

/// The only place that reads a clock: the language itself must not.
#[expect(
    clippy::disallowed_types,
    reason = "a bench measures real time; the engine's clock is not part of it"
)]
fn clock() -> std::time::Instant {
    std::time::Instant::now()
}
