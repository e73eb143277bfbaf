//! `tidegate prove`: no setting and no trouble at the ports changes what a program gives. Every conformance program and
//! every example is proved over the whole grid, some on each of two threads.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use tidegate::app;
use tidegate::config::{Config, Performance};
use tidegate::lang::load;
use tidegate::lang::memory::Memory;
use tidegate::lang::value::{Value, parse_json};
use tidegate::run::ingest::HASH;
use tidegate::run::prove::{Cell, Claim, Given, Verdict, prove};

fn tidegate(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(args).current_dir(folder).env_clear();
    command.output().expect("the program can be started")
}

fn proved(claim: &Claim, seed: u64) -> Verdict {
    let config = Config::default();
    let make =
        |settings: &Performance, given: &Given| app::asker(&config, settings).map(|asker| given.fix(asker));
    prove(claim, &Cell::all(), seed, &make, &mut |_| {}).expect("the worlds can be made")
}

/// Programs below `folder`, those that promise something over HTTP left out.
fn programs(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry can be read").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "ai"));
    paths.sort();
    paths
}

/// What the program promises to be run with; nothing where it cannot be run at all.
fn conformance_claim(path: &Path) -> Option<Claim> {
    let promise = std::fs::read_to_string(path.with_extension("json")).expect("a promise stands beside it");
    let promise = parse_json(&promise).expect("the promise is JSON");
    let promise = promise.as_map().expect("the promise is a map");
    let app = load(&std::fs::read_to_string(path).expect("the program can be read")).ok()?;
    let observing =
        promise.get("env").and_then(Value::as_map).is_some_and(|env| env.contains_key("N3_OBSERVABILITY"));
    Some(Claim {
        app: Arc::new(app),
        flow: promise.get("flow")?.as_text()?.to_string(),
        input: promise.get("input").cloned().unwrap_or_else(|| Value::fields([])),
        identity: promise.get("identity").and_then(Value::as_map).cloned(),
        memory: Memory::new(),
        archive: None,
        observing,
        texts: Vec::new(),
        embedding: HASH.into(),
    })
}

/// Proves all claims, on two threads; gives how many there were and how many of them asked.
fn all_hold(claims: Vec<(String, Claim)>) -> (usize, usize) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        let mut asked = 0;
        while let Some((name, claim)) = claims.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            let verdict = proved(claim, 1);
            let wrong: Vec<_> = verdict.tried.iter().filter(|tried| !tried.differences.is_empty()).collect();
            assert!(verdict.holds(), "{name}, seed {}: {wrong:#?}", verdict.seed);
            asked += usize::from(verdict.asks > 0);
        }
        asked
    };
    let asked = std::thread::scope(|threads| {
        let other = threads.spawn(work);
        work() + other.join().expect("the other thread proved its claims")
    });
    (claims.len(), asked)
}

#[test]
fn every_conformance_program_gives_the_same_in_every_cell() {
    let claims = programs("tests/conformance").into_iter().filter_map(|path| {
        let name = path.file_stem()?.to_string_lossy().into_owned();
        Some((name, conformance_claim(&path)?))
    });
    let (programs, asked) = all_hold(claims.collect());
    assert!(programs > 150 && asked > 20, "{programs} programs could be run, {asked} of them asked");
}

#[test]
fn every_example_gives_the_same_in_every_cell_whatever_the_seed() {
    for seed in [2, 3] {
        for path in programs("examples") {
            let app =
                Arc::new(load(&std::fs::read_to_string(&path).expect("readable")).expect("it is right"));
            for flow in &app.tree().flows {
                let claim = Claim {
                    app: Arc::clone(&app),
                    flow: flow.name.text.to_string(),
                    input: Value::fields([]),
                    identity: None,
                    memory: Memory::new(),
                    archive: None,
                    observing: true,
                    texts: (0..9).map(|n| Arc::from(format!("text {n} of {}", flow.name.text))).collect(),
                    embedding: HASH.into(),
                };
                let verdict = proved(&claim, seed);
                assert!(verdict.holds(), "{}: {:#?}", path.display(), verdict.tried);
            }
        }
    }
}

#[test]
fn the_command_prints_the_grid_and_its_exit_code_is_the_verdict() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let app = "spec is \"1.0\"\nai \"p\":\n  model is \"m\"\n  memory:\n    short_term is 2\nflow \"main\":\n  \
               ask ai \"p\" with input: \"x\" as a\n  ask ai \"p\" with input: \"x\" as b\n  return b\n";
    std::fs::write(folder.path().join("app.ai"), app).expect("the app can be written");

    let table = tidegate(folder.path(), &["prove", "app.ai", "--seed", "9"]);
    let text = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.status.success(), "{text}");
    assert!(text.starts_with("The plain serial run succeeds after 2 AI calls."), "{text}");
    assert_eq!(text.lines().filter(|line| line.ends_with("  same")).count(), 48, "{text}");
    assert!(text.ends_with("PROVED: 48 of 48 cells are the same, byte for byte (seed 9).\n"), "{text}");

    let json = tidegate(folder.path(), &["prove", "app.ai", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("standard output is JSON");
    assert_eq!((&json["proved"], &json["seed"], &json["asks"]), (&true.into(), &1.into(), &2.into()));
    assert!(!folder.path().join(".namel3ss").exists(), "a proof leaves nothing behind");

    let vectors = tidegate(folder.path(), &["prove", "app.ai", "--texts", "app.ai"]);
    assert!(vectors.status.success(), "{}", String::from_utf8_lossy(&vectors.stderr));
    assert!(!folder.path().join(".namel3ss").exists(), "nor does one of texts");

    let unknown = tidegate(folder.path(), &["prove", "app.ai", "--flow", "other"]);
    assert_eq!(unknown.status.code(), Some(1));
}

/// When a breaker opens and how often a call was repeated hang on time and order; neither is the work of a setting.
#[test]
fn a_provider_that_is_down_fails_the_same_everywhere() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|bound| bound.local_addr());
    let part = |name: &str| {
        format!(
            "    run \"{name}\":\n      attempt:\n        ask ai \"p\" with input: \"{name}\" as {name}\n      \
                 otherwise:\n        let {name} is \"none\"\n"
        )
    };
    let app = format!(
        "spec is \"1.0\"\nai \"p\":\n  provider is \"openai\"\n  model is \"m\"\nflow \"main\":\n  parallel:\n{}  \
         ask ai \"p\" with input: \"again\" as last\n  return last\n",
        ["a", "b", "c", "d"].map(part).concat()
    );
    let settings = format!(
        "[providers.openai]\nkind = \"openai\"\nbase_url = \"http://{}/v1\"\napi_key_env = \"KEY\"\nretries = 0\n",
        free.expect("loopback has a free port")
    );
    std::fs::write(folder.path().join("app.ai"), app).expect("the app can be written");
    std::fs::write(folder.path().join("tidegate.toml"), settings).expect("the settings can be written");
    std::fs::write(folder.path().join(".env"), "KEY=x\n").expect("the variables can be written");

    let output = tidegate(folder.path(), &["prove", "app.ai"]);
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("The plain serial run fails after 5 AI calls."), "{text}");
    assert!(output.status.success(), "{text}");
}
