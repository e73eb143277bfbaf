//! The conformance programs that talk HTTP: ordered requests to one fresh server each.

use std::path::{Path, PathBuf};

use super::*;

/// A step that is waived: Tidegate serves the configured endpoint too.
const WAIVED: (&str, &str) = ("http_metrics_cache", "/api/elsewhere");

fn programs() -> Vec<(PathBuf, Json)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let entries = std::fs::read_dir(&folder).expect("the folder of programs is there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry can be read").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("the promise can be read");
        let promise: Json = serde_json::from_str(&text).expect("the promise is JSON");
        promise.get("http").is_some().then_some((path, promise))
    };
    paths.into_iter().filter_map(read).collect()
}

/// Numbers by value, everything else exactly.
fn same(expected: &Json, actual: &Json) -> bool {
    match (expected, actual) {
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => expected == actual,
    }
}

/// A recursive subset: items of lists in order, more of them and more fields allowed.
fn contains(expected: &Json, actual: &Json) -> bool {
    match (expected, actual) {
        (Json::Array(a), Json::Array(b)) => {
            let mut left = b.iter();
            a.iter().all(|a| left.any(|b| contains(a, b)))
        }
        (Json::Object(a), Json::Object(b)) => {
            a.iter().all(|(key, a)| b.get(key).is_some_and(|b| contains(a, b)))
        }
        _ => same(expected, actual),
    }
}

async fn faults(name: &str, promise: &Json, site: &Site) -> Vec<String> {
    let mut faults = Vec::new();
    for (at, step) in promise["http"].as_array().expect("steps").iter().enumerate() {
        let path = step["path"].as_str().expect("a path");
        if (name, path) == WAIVED {
            continue;
        }
        let method = step["method"].as_str().expect("a method").parse().expect("a known one");
        let body = step.get("body").map(|body| body.as_str().map_or_else(|| body.to_string(), str::to_owned));
        let answer = site.ask(method, path, body).await;
        let told = || answer.json();
        let fits = answer.status == step["status"]
            && step.get("json").is_none_or(|expected| same(expected, &told()))
            && step.get("json_contains").is_none_or(|expected| contains(expected, &told()));
        if !fits {
            faults.push(format!("{name} {at} {path}: {} {}", answer.status, answer.text()));
        }
    }
    faults
}

#[actix_rt::test]
async fn every_program_that_talks_http_answers_as_it_promises_wherever_its_records_lie() {
    let programs = programs();
    assert!(programs.len() >= 4, "only {} programs", programs.len());
    let mut wrong = Vec::new();
    let targets = ["memory", "sqlite"];
    for ((path, promise), target) in
        programs.iter().flat_map(|program| targets.map(|target| (program, target)))
    {
        let source = std::fs::read_to_string(path.with_extension("ai")).expect("the program can be read");
        let env = promise["env"].as_object().cloned().unwrap_or_default();
        let mut env: Vec<_> =
            env.iter().map(|(key, value)| (key.as_str(), value.as_str().expect("text"))).collect();
        env.push(("N3_PERSIST_TARGET", target));
        let site = Site::with(&source, promise["toml"].as_str(), &env);
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let found = faults(&name, promise, &site).await;
        wrong.extend(found.into_iter().map(|fault| format!("{target}: {fault}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
