//! Everything at once: random calls, leavers, short patience, broken providers and dying actors.
//!
//! Owns no case of its own; it looks for the ones nobody thought of. Retry pauses follow from fresh call ids, so a seed
//! narrows a failure down and does not repeat it to the millisecond.

use std::collections::HashMap;

use tidegate_actors::ports::provider::{FaultKind, Phase};
use tidegate_actors::sim::{Ask, Fault, Play, Script, SimSystem, World};
use tidegate_actors::{RetryRules, Site, SuperviseLimits, UpstreamLimits};

/// A sequence that looks random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.below(sides) == 0
    }
}

fn play(dice: &mut Dice) -> Play {
    let play = match dice.below(12) {
        0 => Play::fail(Script::BROKEN),
        1 => Play::fail(Script::BUSY),
        2 => Play::fail(Script::REJECTED),
        3 => Play::fail(FaultKind::Timeout { phase: Phase::Idle }),
        4 => Play::panic(),
        5 => Play::answer().cut_after(dice.below(3) as usize),
        6 => Play::answer().fail_after(dice.below(3) as usize, Script::BROKEN),
        7 => Play::answer().stopped_short(),
        _ => Play::answer(),
    };
    play.after_ms(dice.below(30)).every_ms(dice.below(5))
}

fn ask(dice: &mut Dice) -> Ask {
    let text = format!("question {}", dice.below(12));
    let workspace = format!("ws-{}", dice.below(3));
    let ask = Ask::new(&text).workspace(&workspace).credential(dice.below(2));
    let ask = if dice.one_in(2) { ask.stream() } else { ask };
    let ask = if dice.one_in(3) { ask.undeclared() } else { ask };
    let ask = if dice.one_in(3) { ask.attempt(dice.below(2) as u32) } else { ask };
    if dice.one_in(4) { ask.patience_ms(dice.below(60)) } else { ask }
}

fn trouble(world: &World, dice: &mut Dice) {
    let sites =
        [Site::LaneBeforeStart, Site::LaneDoorbell, Site::CacheJoin, Site::CacheKeep, Site::FlightBeforeAct];
    let site = sites[dice.below(sites.len() as u64) as usize];
    world.fault(site, Fault::PanicOn(1 + dice.below(3)));
}

async fn storm(seed: u64) {
    let mut dice = Dice(seed);
    let retry = RetryRules { base_ms: 5, ..RetryRules::default() };
    let world = World::new()
        .lane(3, 12)
        .model("test-model", &["a", "b"])
        .limits(UpstreamLimits { max_in_flight: 2, retry, ..UpstreamLimits::default() })
        .config(|config| {
            config.supervise = SuperviseLimits { restarts: 1_000, ..SuperviseLimits::default() };
            config.flight_max_bytes = if seed.is_multiple_of(2) { 100 } else { 1 << 20 };
            config.orphan_grace_ms = 40;
        })
        .start();
    let mut callers = Vec::new();
    for _ in 0..150 {
        for provider in ["a", "b"] {
            world.script_of(provider).next(play(&mut dice));
        }
        if dice.one_in(10) {
            trouble(&world, &mut dice);
        }
        callers.push(world.caller(ask(&mut dice)));
        if dice.one_in(3) {
            let leaver = dice.below(callers.len() as u64) as usize;
            callers[leaver].abort();
        }
        world.pass_ms(dice.below(8)).await;
    }
    let mut bodies = HashMap::new();
    for caller in callers {
        let Ok(Ok(heard)) = caller.await else { continue };
        let text = heard.text();
        let id = text.split(['"', ':']).find(|word| word.contains("upstream-name-")).map(str::to_owned);
        let known = bodies.entry((id, heard.pieces.len())).or_insert_with(|| text.clone());
        assert_eq!(*known, text, "seed {seed}: one question, two answers");
    }
    world.assert_quiet().await;
}

#[test]
fn after_any_storm_everything_has_come_home() {
    for seed in 0..60 {
        SimSystem::new().block_on(storm(seed));
    }
}
