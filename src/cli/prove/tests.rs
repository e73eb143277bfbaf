//! What a proof says when something is wrong: answers that change places are planted, and must be found.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use tidegate_actors::engine::Placement;
use tidegate_actors::ports::provider::{Answer, Fault, Order, Provider, ProviderFuture};
use tidegate_actors::{Engine, Ports, Upstream, UpstreamLimits};

use super::*;
use crate::config::Performance;
use crate::lang::load;
use crate::lang::memory::Memory;
use crate::run::ingest::Hash;
use crate::run::{Asker, Mock, Speaker, Speech, engine_config};

const APP: &str = r#"spec is "1.0"

ai "writer":
  model is "m"

flow "main":
  parallel:
    run "a":
      ask ai "writer" with input: "one" as a
    run "b":
      ask ai "writer" with input: "two" as b
  return list: a, b
"#;

/// Gives whoever asks for one the answer to two, and the other way round.
struct Swapping(Arc<dyn Provider>);

impl Provider for Swapping {
    fn ask(&self, order: Order) -> ProviderFuture<Result<Answer, Fault>> {
        let asked = self.0.ask(order);
        Box::pin(async move {
            let (body, finish) = match asked.await? {
                Answer::Whole { body, finish } => (body, finish),
                other => return Ok(other),
            };
            let text = String::from_utf8_lossy(&body).into_owned();
            let text = text.replace("one", "\0").replace("two", "one").replace('\0', "two");
            Ok(Answer::Whole { body: Bytes::from(text), finish })
        })
    }
}

/// Gives the vectors of a batch in the wrong order, as a batcher would that goes by arrival.
struct Turning(Arc<dyn Provider>);

impl Provider for Turning {
    fn ask(&self, order: Order) -> ProviderFuture<Result<Answer, Fault>> {
        let asked = self.0.ask(order);
        Box::pin(async move {
            let mut answer = asked.await?;
            if let Answer::Rows(rows) = &mut answer {
                rows.vectors.reverse();
            }
            Ok(answer)
        })
    }
}

fn asker(settings: &Performance) -> Asker {
    let engine = Engine::start(
        engine_config(settings, Placement::Current),
        Ports::open(1),
        &mut prometheus_client::registry::Registry::default(),
    );
    let mock = Arc::new(Mock::new(Arc::clone(engine.clock()), 0));
    let upstream = Upstream::new("mock", mock, UpstreamLimits::default());
    let vectors = Upstream::new("vectors", Arc::new(Hash), UpstreamLimits::default());
    let speakers = BTreeMap::from([
        ("mock".to_owned(), Speaker { speech: Speech::Mock, upstream }),
        ("vectors".to_owned(), Speaker { speech: Speech::OpenAi, upstream: vectors }),
    ]);
    Asker::new(engine, speakers, settings.cache_size > 0, 10_000)
}

type Plant = fn(Arc<dyn Provider>) -> Arc<dyn Provider>;

/// A proof with `plant` before the providers of the worlds `planted` picks; those of the plain run are left alone.
fn verdict(seed: u64, planted: fn(&Performance) -> bool, plant: Plant) -> Verdict {
    let claim = Claim {
        app: Arc::new(load(APP).expect("the program is right")),
        flow: "main".into(),
        input: Value::fields([]),
        identity: None,
        memory: Memory::new(),
        archive: None,
        observing: false,
        texts: ["a", "b", "c", "d", "e"].map(Arc::from).to_vec(),
        embedding: "vectors/m".into(),
    };
    let make = |settings: &Performance, given: &Given| {
        let asker = given.fix(asker(settings));
        let here = settings.async_runtime && planted(settings);
        Ok(if here { asker.decorated(plant) } else { asker })
    };
    prove(&claim, &Cell::all(), seed, &make, &mut |_| {}).expect("the worlds can be made")
}

fn differing(tried: &Tried) -> Vec<&'static str> {
    tried.differences.iter().map(|difference| difference.what).collect()
}

#[test]
fn two_answers_that_change_places_are_found_and_the_seed_is_named() {
    let verdict =
        verdict(7, |settings| settings.max_concurrency == 8, |provider| Arc::new(Swapping(provider)));

    assert!(!verdict.holds());
    for tried in &verdict.tried {
        let wanted: &[&str] = if tried.cell.concurrency == 8 { &["result", "steps", "memory"] } else { &[] };
        assert_eq!(differing(tried), wanted, "{:?}", tried.cell);
    }
    let text = as_text(&verdict, true);
    let red = "\u{1b}[31mNOT PROVED: 12 of 48 cells differ with seed 7. See it again with --seed 7.\u{1b}[0m";
    assert!(text.ends_with(red), "{text}");
    assert!(
        text.contains("First difference: cache off, batching off, 8 slots, ports as they are\n"),
        "{text}"
    );
    assert!(text.contains("plain  [\"[m] one | mem:st=0\",\"[m] two | mem:st=0\"]"), "{text}");
    assert!(text.contains("here   [\"[m] two | mem:st=0\",\"[m] one | mem:st=0\"]"), "{text}");
    let json = as_json(&verdict).to_json(JsonStyle::Compact);
    assert!(json.ends_with(r#""proved":false,"seed":7}"#), "{json}");
}

#[test]
fn a_batch_in_the_wrong_order_is_found_wherever_there_are_batches() {
    let verdict = verdict(11, |settings| settings.enable_batching, |provider| Arc::new(Turning(provider)));

    for tried in &verdict.tried {
        let grouped = tried.cell.batching && tried.cell.concurrency > 1;
        let wanted: &[&str] = if grouped { &["vectors"] } else { &[] };
        assert_eq!(differing(tried), wanted, "{:?}", tried.cell);
    }
    assert!(
        as_text(&verdict, false)
            .ends_with("18 of 48 cells differ with seed 11. See it again with --seed 11.")
    );
}

#[test]
fn what_holds_is_said_in_green_and_only_on_a_terminal() {
    let verdict = verdict(3, |_| false, |provider| provider);
    assert!(verdict.holds());
    let sentence = "PROVED: 48 of 48 cells are the same, byte for byte (seed 3).";
    assert!(as_text(&verdict, true).ends_with(&format!("\u{1b}[32m{sentence}\u{1b}[0m")));
    assert!(as_text(&verdict, false).ends_with(sentence));
}
