//! `tidegate search`: what was ingested, nearest to a question first.

use super::*;

const SEA: &str = "Tides follow the moon.";
const LAND: &str = "Sheep eat grass.\n\nGrass grows in rain.";

fn search(folder: &Path, args: &[&str]) -> Output {
    asked(folder, &[&["search", "app.ai"][..], args].concat())
}

fn searchable() -> tempfile::TempDir {
    let folder = folder(&[("sea.txt", SEA), ("land.txt", LAND)]);
    assert!(ingest(folder.path(), &["sea.txt", "land.txt", "--chunk-chars", "20"]).status.success());
    folder
}

#[test]
fn the_chunk_that_says_what_was_asked_comes_first_with_its_score_and_source() {
    let folder = searchable();
    let found = told(&search(folder.path(), &["Grass grows in rain?", "--json", "--limit", "2"]));
    assert_eq!((&found["ok"], &found["model"]), (&true.into(), &"hash:hash:v1".into()));
    let chunks = found["found"].as_array().expect("a list");
    let places: Vec<_> = chunks.iter().map(|one| (&one["document"], &one["chunk"], &one["text"])).collect();
    assert_eq!(places[0], (&"land.txt".into(), &2.into(), &"Grass grows in rain.".into()));
    assert_eq!(places[1], (&"land.txt".into(), &1.into(), &"Sheep eat grass.".into()), "it shares a word");
    let score = |at: usize| chunks[at]["score"].as_f64().expect("a number");
    assert!((score(0) - 1.0).abs() < 1e-6 && score(1) < 0.9 && chunks.len() == 2, "{found}");

    let text = search(folder.path(), &["tides and the moon", "--limit", "1"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(
        text.starts_with("0.") && text.contains("  sea.txt, chunk 1\n        Tides follow the"),
        "{text}"
    );
}

#[test]
fn a_search_reads_and_does_not_write() {
    let folder = searchable();
    let read = || std::fs::read(folder.path().join(".namel3ss/embeddings.jsonl")).expect("there is an index");
    let before = read();
    assert!(search(folder.path(), &["moon"]).status.success());
    assert_eq!(before, read());
}

#[test]
fn a_search_that_cannot_be_made_says_what_to_do() {
    let empty = folder(&[]);
    let err = |folder: &Path, args: &[&str]| {
        let output = search(folder, args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(
        err(empty.path(), &["moon"]).contains("nothing was ingested yet; `tidegate ingest APP.AI FILE...`")
    );
    let folder = searchable();
    for (args, words) in [
        (&["moon", "--limit", "0"][..], "--limit must be at least 1, got 0"),
        (&["?!"], "hash:hash:v1 finds no word it knows in the question"),
        (&["moon", "--model", "openai/x"], "no provider 'openai' with embeddings is configured"),
    ] {
        assert!(err(folder.path(), args).contains(words), "{args:?}: {}", err(folder.path(), args));
    }
    let poor = APP.replace("  embedding\n", "");
    std::fs::write(folder.path().join("app.ai"), poor).expect("the app can be written");
    assert!(err(folder.path(), &["moon"]).contains("Missing capabilities: embedding."));
}

#[test]
fn with_vectors_of_several_models_one_must_be_named() {
    let folder = searchable();
    let path = folder.path().join(".namel3ss/embeddings.jsonl");
    let text = std::fs::read_to_string(&path).expect("there is an index");
    // As another model would have left it: the id names text and model.
    let mut other = tidegate::run::ingest::Index::read(&text).expect("written here");
    let chunk = tidegate::run::ingest::Chunk {
        id: tidegate::run::ingest::ChunkId::of("up:model", "x"),
        text: "x".into(),
        embedding: Ok(tidegate::lang::value::parse_json("[1, 0]").expect("JSON")),
    };
    other.replace(&"other.txt".into(), &"up:model".into(), vec![chunk]);
    std::fs::write(&path, other.to_text()).expect("writable");

    let refused = search(folder.path(), &["moon"]);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("choose with --model: hash, up/model"), "{text}");
    let found = told(&search(folder.path(), &["moon", "--model", "hash", "--json"]));
    assert_eq!(found["found"][0]["document"], "sea.txt");
}
