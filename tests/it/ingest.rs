//! `tidegate ingest`: chunks in the order of the texts, vectors by the batcher, an index that is not made twice.

mod search;

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value as Json;
use tidegate::app;
use tidegate::config::{Config, Performance};
use tidegate::run::embed_group;
use tidegate::run::ingest::{Embedder, Embedding, Pace};
use tidegate_actors::ports::provider::{Answer, Fault, FaultKind, Order, Provider, ProviderFuture, Task};

const APP: &str =
    "spec is \"1.0\"\n\ncapabilities:\n  embedding\n  performance\n  uploads\n\nflow \"main\":\n  return 1\n";

fn ingest(folder: &Path, args: &[&str]) -> Output {
    asked(folder, &[&["ingest", "app.ai"][..], args].concat())
}

fn asked(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(args).current_dir(folder).env_clear();
    command.output().expect("the program can be started")
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for (name, text) in [("app.ai", APP)].iter().chain(files) {
        std::fs::write(folder.path().join(name), text).expect("the file can be written");
    }
    folder
}

fn index(folder: &Path) -> Vec<Json> {
    let text = std::fs::read_to_string(folder.join(".namel3ss/embeddings.jsonl")).expect("there is an index");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

fn told(output: &Output) -> Json {
    serde_json::from_slice(&output.stdout).expect("standard output is JSON")
}

#[test]
fn each_chunk_is_a_line_with_the_published_vector_and_a_second_run_skips_it() {
    let files =
        [("b.txt", "Hello world"), ("a.txt", "The first of them is this.\r\nThe second line is another.")];
    let folder = folder(&files);

    let first = ingest(folder.path(), &["b.txt", "a.txt", "--chunk-chars", "30", "--json"]);

    assert!(first.status.success());
    let lines = index(folder.path());
    let places: Vec<_> = lines
        .iter()
        .map(|line| (line["document"].as_str().unwrap(), line["chunk"].as_i64().unwrap()))
        .collect();
    assert_eq!(places, [("a.txt", 1), ("a.txt", 2), ("b.txt", 1)]);
    let hello = &lines[2];
    assert_eq!((&hello["model"], &hello["status"]), (&"hash:hash:v1".into(), &"ready".into()));
    let vector: Vec<f64> =
        hello["vector"].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect();
    let set: Vec<_> = vector.iter().enumerate().filter(|(_, number)| **number != 0.0).collect();
    assert_eq!((vector.len(), set), (64, vec![(34, &HALF), (58, &-HALF)]));

    let before = std::fs::read(folder.path().join(".namel3ss/embeddings.jsonl")).expect("there is an index");
    let second = told(&ingest(folder.path(), &["b.txt", "a.txt", "--chunk-chars", "30", "--json"]));
    let counts: Vec<_> = second["documents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|document| (document["embedded"].as_i64(), document["skipped"].as_i64()))
        .collect();
    assert_eq!(counts, [(Some(0), Some(1)), (Some(0), Some(2))]);
    let after = std::fs::read(folder.path().join(".namel3ss/embeddings.jsonl")).expect("there is an index");
    assert_eq!(before, after, "nothing changed, not a byte");
}

#[test]
fn a_changed_document_keeps_what_it_still_says() {
    let folder = folder(&[("a.txt", "kept line\n\nold line")]);
    let args = ["a.txt", "--chunk-chars", "20"];
    assert!(ingest(folder.path(), &["./a.txt", "--chunk-chars", "20"]).status.success());
    let long = "one more paragraph\n\nkept line\n\nold line";
    std::fs::write(folder.path().join("a.txt"), long).expect("the file can be written");

    let output = ingest(folder.path(), &args);

    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("2 chunks: 1 embedded by hash:hash:v1, 1 known, 0 unavailable."), "{text}");
    assert_eq!(index(folder.path()).len(), 2);
}

#[test]
fn settings_change_no_vector() {
    let text: String = (0..200).map(|n| format!("paragraph number {n}\n\n")).collect();
    let run = |more: &[&str]| {
        let folder = folder(&[("a.txt", &text)]);
        let output = ingest(folder.path(), &[&["a.txt", "--chunk-chars", "30"][..], more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        index(folder.path())
    };
    let plain = run(&[]);
    assert!(plain.len() >= 199, "{}", plain.len());
    let same = |settings: &[&str]| assert!(plain == run(settings), "{settings:?} changed a vector");
    same(&["--enable-batching", "true", "--max-concurrency", "32"]);
    same(&["--enable-batching", "true", "--async-runtime", "true", "--cache-size", "0"]);
}

#[test]
fn what_is_missing_or_wrong_is_said_before_anything_is_embedded() {
    let folder = folder(&[("a.txt", "x"), ("bad.txt", "x")]);
    std::fs::write(folder.path().join("bad.txt"), [b'x', 0xff]).expect("the file can be written");
    let err = |args: &[&str]| {
        let output = ingest(folder.path(), args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for (args, words) in [
        (&["gone.txt"][..], "cannot read gone.txt"),
        (&["."], ". is a folder"),
        (&["bad.txt"], "bad.txt is not UTF-8 text: byte 1"),
        (&["a.txt", "--chunk-chars", "5"], "--chunk-chars must be from 20 to 20000, got 5"),
        (&["a.txt", "--model", "openai/x"], "no provider 'openai' with embeddings is configured"),
        (&["a.txt", "--model", "other"], "the embedding model 'other' is not known"),
    ] {
        assert!(err(args).contains(words), "{args:?}: {}", err(args));
    }
    assert!(!folder.path().join(".namel3ss/embeddings.jsonl").exists());
    std::fs::write(folder.path().join(".namel3ss/embeddings.jsonl"), "{\"x\":1}\n").expect("writable");
    assert!(
        err(&["a.txt"]).contains("embeddings.jsonl: line 1: not a chunk of an index; move the file away")
    );

    let poor = APP.replace("  embedding\n", "").replace("  uploads\n", "");
    std::fs::write(folder.path().join("app.ai"), poor).expect("the app can be written");
    assert!(err(&["a.txt"]).contains("Missing capabilities: embedding, uploads."), "{}", err(&["a.txt"]));
}

/// Half a square's diagonal, to six places.
const HALF: f64 = 707_107.0 / 1e6;

/// Groups a provider was asked for.
type Groups = Arc<Mutex<Vec<usize>>>;

/// Notes the groups it is asked for, refuses what says so, and may turn its answers round.
struct Watching {
    provider: Arc<dyn Provider>,
    groups: Groups,
    turned: bool,
}

impl Provider for Watching {
    fn ask(&self, order: Order) -> ProviderFuture<Result<Answer, Fault>> {
        let Task::Embed { items, .. } = &order.task else { return self.provider.ask(order) };
        self.groups.lock().push(items.len());
        let odd = items.iter().any(|item| item.json.windows(3).any(|word| word == b"odd"));
        let (turned, asked) = (self.turned, self.provider.ask(order));
        Box::pin(async move {
            match asked.await? {
                _ if odd => Err(Fault::new(FaultKind::Rejected { status: 400 }, "too odd for me")),
                Answer::Rows(mut rows) if turned => {
                    rows.vectors.reverse();
                    Ok(Answer::Rows(rows))
                }
                rows => Ok(rows),
            }
        })
    }
}

fn embedded(settings: &Performance, texts: &[&str], turned: bool) -> (Vec<Embedding>, Vec<usize>) {
    let groups = Groups::default();
    let texts: Vec<Arc<str>> = texts.iter().map(|text| Arc::from(*text)).collect();
    let embeddings = actix_rt::System::new().block_on(async {
        let asker = app::asker(&Config::default(), settings).expect("the mock can be made");
        asker.engine().ready().await;
        let pace = Pace { group: embed_group(settings), at_once: 2, patience_ms: 10_000 };
        let watch = |provider| -> Arc<dyn Provider> {
            Arc::new(Watching { provider, groups: Arc::clone(&groups), turned })
        };
        let embedder = Embedder::new(&asker, "hash", pace).expect("hash is always there").decorated(watch);
        let mut all = Vec::new();
        embedder.embed(&texts, |group| all.extend(group)).await;
        all
    });
    let groups = groups.lock().clone();
    (embeddings, groups)
}

fn batching(max_concurrency: usize) -> Performance {
    Performance { enable_batching: true, max_concurrency, ..Performance::default() }
}

const TEXTS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

#[test]
fn a_group_is_as_large_as_the_slots_and_one_without_batching() {
    let (plain, alone) = embedded(&Performance::default(), &TEXTS, false);
    assert_eq!(alone, [1; 10]);
    let (grouped, groups) = embedded(&batching(4), &TEXTS, false);
    assert_eq!((groups.iter().sum::<usize>(), groups.iter().max()), (10, Some(&4)), "{groups:?}");
    assert_eq!(plain, grouped);
    assert_eq!(
        [embed_group(&batching(1_000)), embed_group(&batching(64)), embed_group(&batching(1))],
        [64, 64, 1]
    );
}

#[test]
fn a_chunk_that_is_refused_is_unavailable_and_the_others_are_embedded() {
    let mut texts = TEXTS;
    texts[2] = "odd one";
    texts[9] = "odd two";
    for settings in
        [batching(4), batching(64), Performance { cache_size: 0, ..batching(8) }, Performance::default()]
    {
        let (embeddings, _) = embedded(&settings, &texts, false);
        let failed: Vec<_> = (0..10).filter(|at| embeddings[*at].is_err()).collect();
        assert_eq!(failed, [2, 9], "{settings:?}");
        let reason = embeddings[9].as_ref().expect_err("it was refused");
        assert!(reason.contains("too odd for me"), "{reason}");
    }
}

/// The check that batches keep their order would be worth nothing if it could not fail.
#[test]
fn vectors_in_the_wrong_order_are_seen() {
    let (right, _) = embedded(&batching(4), &TEXTS, false);
    let (wrong, _) = embedded(&batching(4), &TEXTS, true);
    assert_ne!(right, wrong);
}
