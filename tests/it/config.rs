//! How the configuration is put together: what is built in, which layer wins, what a file says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};
use tidegate::config::{self, Auth, Config, Faults, Flag, LoadArgs, Loaded, ProviderKind, Source};

/// A working directory with the given files, and what is loaded in it.
pub(crate) struct Folder {
    dir: tempfile::TempDir,
    pub(crate) args: LoadArgs,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let args = LoadArgs { folder: dir.path().to_path_buf(), ..LoadArgs::default() };
        Self { dir, args }
    }

    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.dir.path().join(name), text).expect("a temporary folder can be written");
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.args.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn flag(mut self, path: &'static str, name: &'static str, text: &str) -> Self {
        self.args.flags.push(Flag { path, name, text: text.to_owned() });
        self
    }

    pub(crate) fn load(&self) -> Result<Loaded, Faults> {
        config::load(&self.args)
    }

    /// The value and source of one setting.
    pub(crate) fn setting(&self, path: &str) -> (Json, String) {
        let loaded = self.load().expect("the configuration is valid");
        let found = loaded.values.iter().find(|value| value.path == path);
        let found = found.expect("the setting is listed");
        (found.value.clone(), found.source.to_string())
    }
}

pub(crate) fn toml_folder(text: &str) -> Folder {
    Folder::new().file("tidegate.toml", text)
}

fn shipped() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/tidegate.toml"))
        .expect("the file is shipped")
}

/// 2,048 texts of 3,072 numbers, the largest request vendors take, came back in 88 MB of digits, were over the limit of
/// 64 MiB, and were asked for three times in vain.
#[test]
fn one_answer_may_hold_the_largest_embeddings_request() {
    let config = Folder::new().load().expect("nothing configured is valid").config;
    let longest_number = "-0.0069292834,".len();
    let digits = config.limits.embed_items.max(config.batch.max_items) * 3_072 * longest_number;
    for (name, provider) in &config.providers {
        assert!(provider.bounds.max_answer_bytes > digits, "{name}: {digits} bytes of digits");
    }
    assert!(!config.providers.is_empty());
}

#[test]
fn the_shipped_file_says_exactly_what_is_built_in() {
    let loaded = toml_folder(&shipped()).load().unwrap();

    assert_eq!(loaded.config, Config::default());
}

#[test]
fn the_shipped_file_names_every_key() {
    let loaded = toml_folder(&shipped()).load().unwrap();
    let text = shipped();

    let of_app = |path: &str| path.starts_with("performance.") || path.starts_with("persistence.");
    let ours = loaded.values.iter().filter(|value| !of_app(&value.path));
    // The three small mock models repeat the keys of "*".
    for value in ours.filter(|value| !value.path.starts_with("models.mock-")) {
        let key = value.path.rsplit('.').next().unwrap();
        let inline = value.path.contains('[');
        let named = matches!(value.source, Source::File { .. })
            || text.lines().any(|line| line.starts_with(&format!("# {key} = ")));
        assert!(named || inline, "config/tidegate.toml does not say {}", value.path);
    }
}

#[test]
fn with_nothing_at_all_any_model_name_is_answered_by_the_mock() {
    let config = Folder::new().load().unwrap().config;

    assert!(config.is_mock_only());
    let model = config.model("gpt-4o-mini").unwrap();
    assert_eq!(model.targets[0].provider, "mock");
    assert_eq!(model.targets[0].model, None, "the mock is told the name the client asked for");
}

#[test]
fn the_sample_of_the_issue_is_read_as_it_stands() {
    let sample = r#"
        [providers.up]
        kind = "openai"
        base_url = "http://127.0.0.1:9999/v1"
        api_key_env = "UP_KEY"
        [models."test-model"]
        targets = [{ provider = "up", model = "upstream-name", weight = 1 }]
        [lanes]
        max_concurrency = 1024
        queue_jobs = 4096
        [gateway]
        cache = "declared"
    "#;

    let config = toml_folder(sample).env("UP_KEY", "sk-1").load().unwrap().config;

    assert_eq!(config.providers.keys().collect::<Vec<_>>(), ["up"], "a given provider replaces the mock");
    assert_eq!(config.models.keys().collect::<Vec<_>>(), ["test-model"], "given models replace the mock's");
    let up = &config.providers["up"];
    assert_eq!((up.api_root().as_str(), up.auth()), ("http://127.0.0.1:9999/v1", Auth::Bearer));
    assert_eq!(up.credentials.keys[0].reveal(), "sk-1");
    assert_eq!(config.models["test-model"].targets[0].model.as_deref(), Some("upstream-name"));
    assert_eq!((config.lanes.interactive(), config.lanes.heavy()), (512, 512));
    assert!(config.model("other").is_none());
}

#[test]
fn one_provider_without_models_takes_every_name_and_says_why() {
    let folder = toml_folder("[providers.up]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:1/v1\"");

    assert_eq!(folder.load().unwrap().config.model("x").unwrap().targets[0].provider, "up");
    let (value, source) = folder.setting("models.\"*\".targets[0].provider");
    assert_eq!((value, source.as_str()), (json!("up"), "implied by the only provider"));
}

#[test]
fn models_without_providers_keep_the_mock() {
    let config = toml_folder("[models.a]\ntargets = [{ provider = \"mock\" }]").load().unwrap().config;

    assert_eq!(config.providers["mock"].kind, ProviderKind::Mock);
    assert_eq!(config.models.keys().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn an_anthropic_root_has_v1_once_however_it_is_written() {
    for written in
        ["http://127.0.0.1:1", "http://127.0.0.1:1/", "http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1/"]
    {
        let text = format!("[providers.a]\nkind = \"anthropic\"\nbase_url = {written:?}\napi_key = \"k\"");
        let config = toml_folder(&text).load().unwrap().config;
        assert_eq!(config.providers["a"].api_root(), "http://127.0.0.1:1/v1", "{written}");
        assert_eq!(config.providers["a"].auth(), Auth::XApiKey);
    }
}

#[test]
fn one_slot_still_gives_both_lanes_one() {
    for (slots, interactive, heavy) in [(1, 1, 1), (2, 1, 1), (3, 1, 2), (8, 4, 4)] {
        let lanes = toml_folder(&format!("[lanes]\nmax_concurrency = {slots}")).load().unwrap().config.lanes;
        assert_eq!((lanes.interactive(), lanes.heavy()), (interactive, heavy), "of {slots}");
    }
}

#[test]
fn a_file_is_read_only_from_the_working_directory_or_by_name() {
    let folder = Folder::new();
    fs::create_dir(folder.args.folder.join("config")).unwrap();
    fs::write(folder.args.folder.join("config/tidegate.toml"), "[listen]\nport = 1").unwrap();
    assert_eq!(folder.load().unwrap().file, None);

    let mut named = folder;
    named.args.file = Some("config/tidegate.toml".into());
    let (value, source) = named.setting("listen.port");
    assert_eq!((value, source.as_str()), (json!(1), "file config/tidegate.toml:2"));
}

#[test]
fn keys_come_from_variables_and_from_files_beside_the_configuration() {
    let text = "[providers.a]\nkind = \"openai\"\napi_keys = [{ env = \"K\" }, { file = \"key.txt\" }]";
    let folder = toml_folder(text).file("key.txt", "from-file\n").env("K", "from-env");

    let keys = folder.load().unwrap().config.providers["a"].credentials.keys.clone();

    assert_eq!(keys.iter().map(config::Secret::reveal).collect::<Vec<_>>(), ["from-env", "from-file"]);
}

#[test]
fn nothing_secret_is_ever_shown() {
    let text = "[providers.a]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:1\"\napi_key = \"s3cret\"\n\
        headers = { x-a = \"s3cret\" }\nquery = { key = \"s3cret\" }\nproxy = \"http://u:s3cret@127.0.0.1:1\"";
    let loaded = toml_folder(text).load().unwrap();

    let listed = serde_json::to_string(&loaded.values).unwrap();
    assert!(!listed.contains("s3cret"), "{listed}");
    assert!(!format!("{loaded:?}").contains("s3cret"));
    assert_eq!(toml_folder(text).setting("providers.a.api_key").0, json!("set"));
    assert_eq!(toml_folder(text).setting("providers.a.headers").0, json!({ "x-a": "set" }));
}

/// A valid value other than the default, as TOML.
fn other_value(path: &str, default: &Json) -> Option<String> {
    let word = match path {
        "listen.host" => "\"::1\"",
        "listen.workers" => "3",
        "listen.compat" => "[9091]",
        "data.dir" => "\"elsewhere\"",
        "database.pool" => "\"overflow\"",
        "database.pool_size" => "3",
        "lanes.run_on" => "\"lane\"",
        "gateway.cache" => "\"off\"",
        "gateway.passthrough" => "\"mock\"",
        "kinds.chat.lane" | "kinds.forward.lane" => "\"heavy\"",
        "kinds.embed.lane" => "\"interactive\"",
        "providers.mock.tokens_per_s" => "2.5",
        "observability.metrics_endpoint" => "\"/numbers\"",
        "log.level" => "\"debug\"",
        "log.format" => "\"json\"",
        _ => return other_plain(default),
    };
    Some(word.to_owned())
}

fn other_plain(default: &Json) -> Option<String> {
    match default {
        Json::Bool(on) => Some((!on).to_string()),
        Json::Number(number) if number.is_u64() => Some((number.as_u64()? + 1).to_string()),
        Json::Number(number) => Some((number.as_f64()? / 2.0).to_string()),
        _ => None,
    }
}

/// The file that sets one key, with what the key's table needs besides.
fn file_with(path: &str, value: &str) -> String {
    let (table, key) = path.rsplit_once('.').expect("every key has a section");
    let kind = if table == "providers.mock" { "kind = \"mock\"\n" } else { "" };
    let models = "[models.m]\ntargets = [{ provider = \"mock\" }]\n";
    format!("[{table}]\n{kind}{key} = {value}\n{models}")
}

#[test]
fn for_every_key_environment_beats_file_beats_default() {
    let defaults = Folder::new().load().unwrap().values;
    let mut tried = BTreeSet::new();
    let elsewhere = |path: &str| path.starts_with("performance.") || path.starts_with("models.");
    for value in defaults.iter().filter(|value| !elsewhere(&value.path)) {
        let path = value.path.as_str();
        let Some(other) = other_value(path, &value.value) else { continue };
        let text = file_with(path, &other);
        let variable = format!("TIDEGATE_{}", path.to_uppercase().replace('.', "_"));
        let as_env = value.value.to_string().trim_matches('"').to_owned();

        let (in_file, file_source) = toml_folder(&text).setting(path);
        assert_ne!(in_file, value.value, "{path}: the file changes it");
        assert!(file_source.starts_with("file tidegate.toml:"), "{path}: {file_source}");
        let by_env = Folder::new().env(&variable, other.trim_matches('"')).setting(path);
        assert_eq!(by_env, (in_file, format!("env {variable}")), "{path}: the variable alone sets it");
        if !value.value.is_null() {
            let both = toml_folder(&text).env(&variable, &as_env).setting(path);
            assert_eq!(both, (value.value.clone(), format!("env {variable}")), "{path}: the variable wins");
        }
        tried.insert(path.split('.').next().unwrap());
    }
    let sections = [
        "batch", "cache", "data", "database", "flight", "gateway", "kinds", "lanes", "limits", "listen",
        "log",
    ];
    assert!(tried.is_superset(&BTreeSet::from(sections)), "{tried:?}");
    assert!(tried.contains("providers") && tried.contains("observability"));
}

#[test]
fn a_flag_beats_all_other_layers() {
    let text = "[listen]\nport = 1\nhost = \"::1\"\n[data]\ndir = \"file\"";
    let layered = || {
        let folder = toml_folder(text).env("TIDEGATE_LISTEN_PORT", "2").env("TIDEGATE_DATA_DIR", "env");
        folder.env("TIDEGATE_LISTEN_HOST", "127.0.0.2")
    };
    for (path, flag, given, value) in [
        ("listen.port", "--port", "3", json!(3)),
        ("listen.host", "--host", "localhost", json!("localhost")),
        ("data.dir", "--data", "flag", json!("flag")),
    ] {
        assert!(layered().setting(path).1.starts_with("env TIDEGATE_"), "{path} before the flag");
        assert_eq!(layered().flag(path, flag, given).setting(path), (value, format!("flag {flag}")));
    }
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let folder = toml_folder("[listen]\nport = 7").env("TIDEGATE_LISTEN_PORT", "");

    assert_eq!(folder.setting("listen.port").0, json!(7));
}

#[test]
fn a_variable_reaches_names_chosen_in_the_file() {
    let text = "[models.\"gpt-4o\"]\ntargets = [{ provider = \"mock\" }]";
    let folder = toml_folder(text).env("TIDEGATE_MODELS_GPT_4O_EMBED_MAX_ITEMS", "7");

    assert_eq!(folder.load().unwrap().config.models["gpt-4o"].quirks.embed_max_items, Some(7));
}

#[test]
fn a_key_given_by_its_own_variable_is_accepted_for_any_host() {
    let folder = toml_folder("[providers.a]\nkind = \"openai\"").env("TIDEGATE_PROVIDERS_A_API_KEY", "k");

    assert_eq!(folder.load().unwrap().config.providers["a"].credentials.keys.len(), 1);
}

#[test]
fn variables_that_kubernetes_adds_for_a_service_of_our_name_are_left_alone() {
    let folder =
        Folder::new().env("TIDEGATE_PORT", "tcp://10.0.0.1:80").env("TIDEGATE_SERVICE_HOST", "10.0.0.1");

    assert_eq!(folder.load().unwrap().config, Config::default());
}

#[test]
fn quirks_and_scripts_are_read_in_full() {
    let text = r#"
        [providers.m]
        kind = "mock"
        tokens_per_s = 20
        error_script = [{ after = 2, status = 503, times = 3, retry_after_ms = 50 }, { after = 9, cut_after_events = 3 }]
        [models.e]
        targets = [{ provider = "m" }]
        kinds = ["embed"]
        embed_tokens = "decode"
        drop_params = ["seed"]
        rename_params = { max_tokens = "limit" }
        max_tokens_field = "max_completion_tokens"
    "#;
    let config = toml_folder(text).load().unwrap().config;

    let mock = &config.providers["m"].mock;
    assert_eq!(mock.tokens_per_s, Some(20.0));
    let [first, second] = mock.error_script.as_slice() else { panic!("two failures are planned") };
    assert_eq!((first.after, first.times, first.status, first.retry_after_ms), (2, 3, Some(503), Some(50)));
    assert_eq!((second.after, second.times, second.cut_after_events), (9, 1, Some(3)));
    let quirks = &config.models["e"].quirks;
    assert_eq!(quirks.rename_params, BTreeMap::from([("max_tokens".to_owned(), "limit".to_owned())]));
    assert_eq!(quirks.drop_params, ["seed"]);
}
