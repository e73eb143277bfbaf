//! `make bench`: the whole server on loopback against its floors, in one run on one machine.
//!
//! This binary is the generator, and through an environment variable also each of the small servers it
//! measures against.
//! It owns no figure's target: those stand beside their scenario. What it prints is a ratio and a verdict,
//! never a promise.

#![expect(clippy::print_stdout, reason = "a bench is a program whose output is its table")]

mod generator;
mod measure;
mod plot;
mod report;
mod scenarios;
mod servers;
mod settings;

use std::process::ExitCode;

use servers::{Outcome, ROLE};
use settings::Settings;

/// Open files that 10,000 connections on either side need.
const OPEN_FILES: u64 = 65_536;

fn main() -> ExitCode {
    let outcome = match std::env::var(ROLE) {
        Ok(role) => servers::run_role(&role).map(|()| true),
        Err(_) => bench(),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs and reports; false when `STRICT=1` and something did not hold.
fn bench() -> Outcome<bool> {
    let settings = Settings::from_environment()?;
    raise_open_files()?;
    pin_generator()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        let mut bench = scenarios::Bench::start(settings.clone()).await?;
        bench.run().await;
        Outcome::Ok(std::mem::take(&mut bench.report))
    })?;
    print!("\n{}", report.markdown());
    let name = if settings.curves {
        "curves"
    } else if settings.peers {
        "peers"
    } else {
        "load"
    };
    report.save(&settings.folder, name)?;
    let mut files = plot::draw(&report, &settings.folder)?;
    if settings.publish {
        files.extend(plot::draw(&report, std::path::Path::new("docs/images"))?);
    }
    println!(
        "\nsaved {} and {} pictures",
        settings.folder.join(name).with_extension("json").display(),
        files.len()
    );
    Ok(report.holds() || !settings.strict)
}

/// As many open files as a proxy of 10,000 streams needs, or as many as we may have; servers inherit it.
fn raise_open_files() -> Outcome<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    if now.current.is_some_and(|soft| soft < OPEN_FILES) {
        let most = now.maximum.map_or(OPEN_FILES, |hard| hard.max(OPEN_FILES));
        let wished = Rlimit { current: Some(OPEN_FILES), maximum: Some(most) };
        // Only root may raise the hard limit.
        if setrlimit(Resource::Nofile, wished).is_err() {
            setrlimit(Resource::Nofile, Rlimit { current: now.maximum, maximum: now.maximum })?;
        }
    }
    Ok(())
}

/// The generator keeps core 1, away from the server under test on core 0.
fn pin_generator() -> Outcome<()> {
    if std::thread::available_parallelism()?.get() < 2 {
        return Err("the bench needs two cores: one for the server under test, one for the generator".into());
    }
    let mut cores = rustix::thread::CpuSet::new();
    cores.set(1);
    rustix::thread::sched_setaffinity(None, &cores)?;
    Ok(())
}
