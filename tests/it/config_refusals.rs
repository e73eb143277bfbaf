//! What a configuration is refused for: each sentence, its place, and all of them at once.

use crate::config::{Folder, toml_folder};

fn refusals(folder: &Folder) -> Vec<String> {
    let faults = folder.load().expect_err("must be refused");
    faults.list().iter().map(ToString::to_string).collect()
}

/// The only refusal of `text`.
fn refusal(text: &str) -> String {
    let all = refusals(&toml_folder(text));
    assert_eq!(all.len(), 1, "exactly one fault of {text:?}: {all:#?}");
    all.concat()
}

/// A provider on loopback and what a case adds to it.
fn provider(kind: &str, more: &str) -> String {
    format!("[providers.up]\nkind = \"{kind}\"\nbase_url = \"http://127.0.0.1:1/v1\"\n{more}")
}

#[test]
fn all_faults_are_reported_at_once_each_with_its_line() {
    let folder = toml_folder("[listen]\nport = 70000\nprot = 1\n[lanes]\nqueue_jobs = 0\n[gatewey]\n")
        .env("TIDEGATE_CACHE_MAX_BYTES", "lots")
        .flag("listen.host", "--host", "nowhere");

    let all = refusals(&folder);

    for wanted in [
        "tidegate.toml:2: listen.port: must be an integer from 0 to 65535, got 70000",
        "tidegate.toml:3: listen.prot: is not a setting; did you mean port?",
        "tidegate.toml:5: lanes.queue_jobs: must be between 1 and 10000000, got 0",
        "tidegate.toml:6: gatewey: is not a setting; did you mean gateway?",
        "env TIDEGATE_CACHE_MAX_BYTES: cache.max_bytes: must be an integer that is not negative, got \"lots\"",
    ] {
        assert!(all.contains(&wanted.to_owned()), "{wanted:?} in {all:#?}");
    }
    assert!(all.iter().any(|fault| fault.starts_with("flag --host: listen.host: must be an IP")));
    assert_eq!(all.len(), 6, "{all:#?}");
}

#[test]
fn invalid_toml_says_every_line_that_is_wrong() {
    let all = refusals(&toml_folder("[listen]\nport = \n[lanes\nqueue_jobs = 1\n"));

    assert!(all.iter().any(|fault| fault.starts_with("tidegate.toml:2: not valid TOML: ")), "{all:#?}");
    assert!(all.iter().any(|fault| fault.starts_with("tidegate.toml:3: not valid TOML: ")), "{all:#?}");
}

#[test]
fn a_key_given_twice_is_refused() {
    assert!(refusal("[listen]\nport = 1\nport = 2").starts_with("tidegate.toml:3: not valid TOML: "));
}

#[test]
fn a_named_file_must_exist() {
    let mut folder = Folder::new();
    folder.args.file = Some("nowhere.toml".into());

    assert_eq!(refusals(&folder), ["nowhere.toml: there is no such file"]);
}

#[test]
fn a_wrong_type_says_what_is_wanted_and_what_is_there() {
    for (text, wanted) in [
        ("[gateway]\njoin = 1", "gateway.join: must be true or false, got 1"),
        (
            "[gateway]\ncache = \"sometimes\"",
            "gateway.cache: must be \"declared\" or \"always\" or \"off\", got \"sometimes\"",
        ),
        ("[listen]\nport = \"8080\"", "listen.port: must be an integer from 0 to 65535, got \"8080\""),
        ("[listen]\nport = -1", "listen.port: must be an integer from 0 to 65535, got -1"),
        ("[listen]\nworkers = 0", "listen.workers: must be \"auto\" or an integer from 1 to 1024, got 0"),
        (
            "[listen]\ncompat = [3000, \"x\"]",
            "listen.compat: must be a list where each element is an integer from 0 to 65535, got a value of type array",
        ),
        ("[listen]\nhost = [1]", "listen.host: must be text, got a value of type array"),
    ] {
        assert_eq!(refusal(text), format!("tidegate.toml:2: {wanted}"));
    }
    assert_eq!(
        refusal("listen = 3"),
        "tidegate.toml:1: listen: must be a table, got a value of type integer"
    );
}

#[test]
fn zero_is_refused_wherever_it_could_be_taken_for_unlimited() {
    let defaults = Folder::new().load().unwrap().values;
    let harmless = [
        "listen.port",
        "gateway.orphan_grace_ms",
        "batch.max_linger_ms",
        "providers.mock.retries",
        "providers.mock.retry_budget",
        "providers.mock.retry_budget_min_per_s",
        "providers.mock.delay_ms",
    ];
    let counts = defaults.iter().filter(|value| value.value.is_number() && !value.path.contains('['));
    for value in counts.filter(|value| !value.path.starts_with("performance.")) {
        let variable = format!("TIDEGATE_{}", value.path.to_uppercase().replace('.', "_"));
        let loaded = Folder::new().env(&variable, "0").load();
        assert_eq!(loaded.is_ok(), harmless.contains(&value.path.as_str()), "{} = 0", value.path);
    }
}

#[test]
fn only_loopback_can_be_bound_where_nothing_is_kept_and_so_no_key() {
    for host in ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"] {
        assert!(toml_folder(&format!("[listen]\nhost = {host:?}")).load().is_ok(), "{host}");
    }
    for host in ["0.0.0.0", "::", "192.168.0.7"] {
        assert!(
            toml_folder(&format!("[listen]\nhost = {host:?}")).load().is_ok(),
            "a server looks for a key"
        );
        let text = refusal(&format!("[listen]\nhost = {host:?}\n[data]\nkeep = false"));
        assert!(text.contains("can be reached from outside, and without data.keep"), "{text}");
    }
    let text = refusal("[listen]\nhost = \"example.org\"");
    assert_eq!(
        text,
        "tidegate.toml:2: listen.host: must be an IP address or \"localhost\", got \"example.org\""
    );
}

#[test]
fn limits_that_contradict_each_other_are_refused() {
    for (text, wanted) in [
        (
            "[cache]\nmax_bytes = 2048",
            "cache.max_entry_bytes: must not exceed cache.max_bytes = 2048, got 8388608",
        ),
        ("[limits]\nbuffered_bytes = 2048", "limits.buffered_bytes: must hold one body"),
        ("[limits]\nembed_request_tokens = 1", "limits.embed_request_tokens: must be at least"),
        (
            "[gateway]\nmax_operations = 10",
            "gateway.max_operations: must be at least lanes.max_concurrency = 1024, got 10",
        ),
        ("[listen]\ncompat = [9, 9]", "listen.compat: port 9 is 0 or bound twice"),
        ("[listen]\ncompat = [8080]", "listen.compat: port 8080 is 0 or bound twice"),
        ("[gateway]\npassthrough = \"mok\"", "gateway.passthrough: no [providers.mok]; did you mean mock?"),
        ("[observability]\nmetrics_endpoint = \"/v1/x\"", "\"/v1/x\" belongs to another part of the server"),
        ("[observability]\nmetrics_endpoint = \"x\"", "must be a path like \"/api/metrics\", got \"x\""),
        ("[data]\ndir = \"\"", "data.dir: must name a folder"),
    ] {
        let found = refusal(text);
        assert!(found.contains(wanted), "{wanted:?} in {found:?}");
    }
}

#[test]
fn a_provider_is_refused_for_each_of_its_contradictions() {
    for (kind, more, wanted) in [
        (
            "openai",
            "api_key_env = \"UNSET\"",
            "providers.up.api_key_env: environment variable UNSET is not set",
        ),
        ("openai", "api_key_file = \"none\"", "providers.up.api_key_file: cannot read "),
        ("openai", "api_key = \"a b\"", "providers.up.api_key: the key holds a character that no key has"),
        ("openai", "api_keys = [{}]", "providers.up.api_keys[0]: must have either env or file"),
        (
            "openai",
            "api_key = \"a\"\napi_key_env = \"B\"",
            "providers.up: give one of api_key_env, api_key_file",
        ),
        ("openai", "auth = \"bearer\"", "providers.up.auth: needs a key"),
        ("openai", "delay_ms = 1", "providers.up.delay_ms: has no meaning for kind = \"openai\""),
        ("mock", "", "providers.up.base_url: has no meaning for kind = \"mock\""),
        ("openai", "proxy = \"ftp://x\"", "providers.up.proxy: must be a URL like http://proxy:3128"),
        (
            "openai",
            "headers = { \"a b\" = \"c\" }",
            "providers.up.headers: \"a b\" or its value is not a valid",
        ),
        ("openai", "headers = { Host = \"c\" }", "providers.up.headers: \"Host\" is set by the HTTP client"),
        (
            "openai",
            "api_key = \"k\"\nheaders = { Authorization = \"c\" }",
            "\"Authorization\" already carries the key",
        ),
        ("opnai", "", "providers.up.kind: must be \"openai\" or \"anthropic\" or \"mock\", got \"opnai\""),
        ("openai", "organization = \"\"", "providers.up.organization: must be text that a header can carry"),
        ("openai", "retry_budget = 1.5", "providers.up.retry_budget: must be between 0 and 1, got 1.5"),
        (
            "openai",
            "retry_max_ms = 1",
            "providers.up.retry_base_ms: must not exceed retry_max_ms = 1, got 200",
        ),
        (
            "openai",
            "max_line_bytes = 999999999",
            "providers.up.max_line_bytes: must not exceed max_answer_bytes",
        ),
        (
            "openai",
            "idle_timeout_ms = 900000",
            "providers.up.idle_timeout_ms: must not exceed total_timeout_ms",
        ),
        ("openai", "base = 1", "providers.up.base: is not a setting; did you mean base_url?"),
    ] {
        let found = refusal(&provider(kind, more));
        assert!(found.contains(wanted), "{wanted:?} in {found:?}");
    }
}

#[test]
fn a_provider_must_say_its_kind_and_have_a_key_where_one_is_needed() {
    let kind = refusal("[providers.up]\nbase_url = \"http://127.0.0.1:1\"");
    assert!(kind.starts_with("tidegate.toml:1: providers.up: must say its kind"), "{kind}");
    let key = refusal("[providers.up]\nkind = \"anthropic\"");
    assert_eq!(
        key,
        "tidegate.toml:1: providers.up: https://api.anthropic.com/v1 needs a key: set api_key_env or api_key_file"
    );
}

#[test]
fn a_base_url_is_refused_unless_it_is_a_plain_root() {
    for (url, wanted) in [
        ("nonsense", "must be a URL like http://127.0.0.1:9999/v1"),
        ("ftp://127.0.0.1/", "must be a URL like"),
        ("http://u:p4ss@127.0.0.1/", "must not hold a password"),
        ("http://127.0.0.1/?a=b", "must not have a query"),
    ] {
        let found = refusal(&format!("[providers.up]\nkind = \"openai\"\nbase_url = {url:?}"));
        assert!(found.contains(wanted), "{wanted:?} in {found:?}");
        assert!(!found.contains("p4ss"));
    }
}

#[test]
fn a_key_in_the_file_is_only_for_loopback() {
    let far = "[providers.up]\nkind = \"openai\"\nbase_url = \"https://example.org/v1\"\napi_key = \"k3y\"";
    let found = refusal(far);
    assert!(
        found.starts_with("tidegate.toml:4: providers.up.api_key: a key in the file is only for loopback"),
        "{found}"
    );
    assert!(!found.contains("k3y"));
    let lookalike = refusal(&far.replace("example.org", "localhost.example.org"));
    assert!(lookalike.contains("only for loopback"), "{lookalike}");
    assert!(toml_folder(&far.replace("https://example.org", "http://localhost:1")).load().is_ok());
}

#[test]
fn a_key_in_a_file_or_variable_must_be_usable() {
    let text = "[providers.up]\nkind = \"openai\"\napi_key_env = \"K\"";
    assert!(refusals(&toml_folder(text).env("K", " "))[0].contains("environment variable K is empty"));
    let text = "[providers.up]\nkind = \"openai\"\napi_key_file = \"k\"";
    let found = refusals(&toml_folder(text).file("k", "a\nb\n"));
    assert!(found[0].contains("holds a character that no key has"), "{found:?}");
    assert_eq!(found.len(), 1, "what follows from a missing key is not said again: {found:?}");
}

#[test]
fn a_model_is_refused_for_each_of_its_contradictions() {
    let target = "targets = [{ provider = \"mock\" }]\n";
    for (text, wanted) in [
        ("kinds = [\"chat\"]".to_owned(), "models.m: must name at least one target"),
        ("targets = []".to_owned(), "models.m.targets: must name at least one target"),
        ("targets = 3".to_owned(), "models.m.targets: must be a list of tables"),
        ("targets = [3]".to_owned(), "models.m.targets[0]: must be a table { .. }"),
        ("targets = [{ model = \"x\" }]".to_owned(), "models.m.targets[0]: must name its provider"),
        (
            "targets = [{ provider = \"mok\" }]".to_owned(),
            "models.m.targets[0].provider: no [providers.mok]; did you mean mock?",
        ),
        ("targets = [{ provider = \"zzz\" }]".to_owned(), "no [providers.zzz]; there is mock"),
        (
            "targets = [{ provider = \"mock\", weight = 0 }]".to_owned(),
            "targets[0].weight: must be between 1 and",
        ),
        (
            "targets = [{ provider = \"mock\", wieght = 1 }]".to_owned(),
            "targets[0].wieght: is not a setting; did you mean weight?",
        ),
        (
            "targets = [{ provider = \"mock\", model = \"\" }]".to_owned(),
            "targets[0].model: must not be empty",
        ),
        (format!("{target}kinds = []"), "models.m.kinds: must hold \"chat\" or \"embed\""),
        (format!("{target}drop_params = [\"model\"]"), "\"model\" carries the request and cannot be changed"),
        (format!("{target}rename_params = {{ input = \"x\" }}"), "\"input\" carries the request"),
        (
            format!("{target}drop_params = [\"a\"]\nrename_params = {{ a = \"b\" }}"),
            "\"a\" is also in drop_params",
        ),
        (format!("{target}embed_max_items = 0"), "models.m.embed_max_items: must be between 1 and"),
    ] {
        let found = refusal(&format!("[models.m]\n{text}"));
        assert!(found.contains(wanted), "{wanted:?} in {found:?}");
    }
}

#[test]
fn names_must_be_fit_for_a_header() {
    for (text, wanted) in [
        ("[providers.\"a b\"]\nkind = \"mock\"", "providers.\"a b\": a provider's name is 1 to 64 letters"),
        ("[providers.\"\"]\nkind = \"mock\"", "a provider's name is 1 to 64 letters"),
        (
            "[models.\"a\\u0007\"]\ntargets = [{ provider = \"mock\" }]",
            "a model's name is 1 to 256 visible ASCII",
        ),
        ("[models.\"gpt-*\"]\ntargets = [{ provider = \"mock\" }]", "only the name \"*\" stands for others"),
    ] {
        let found = refusal(text);
        assert!(found.contains(wanted), "{wanted:?} in {found:?}");
    }
}

#[test]
fn a_fault_never_repeats_what_may_be_secret() {
    let found = refusal(&provider("openai", "api_key = 4711"));
    assert_eq!(found, "tidegate.toml:4: providers.up.api_key: must be text, got something else");
    let folder = toml_folder(&provider("openai", "")).env("TIDEGATE_PROVIDERS_UP_HEADERS", "{ x = 4711");
    let found = refusals(&folder).concat();
    assert!(found.contains("providers.up.headers: must be a table") && !found.contains("4711"), "{found}");
}

#[test]
fn several_providers_without_models_are_refused() {
    let text = "[providers.a]\nkind = \"mock\"\n[providers.b]\nkind = \"mock\"";

    assert!(refusal(text).starts_with("models: several providers and no [models]"));
}

#[test]
fn a_planned_failure_must_be_one_thing() {
    for (step, wanted) in [
        ("{ after = 1 }", "error_script[0]: must have either status or cut_after_events"),
        ("{ status = 500, cut_after_events = 1 }", "must have either status or cut_after_events"),
        ("{ cut_after_events = 1, retry_after_ms = 5 }", "error_script[0].retry_after_ms: needs a status"),
        ("{ status = 200 }", "error_script[0].status: must be between 400 and 599, got 200"),
    ] {
        let found = refusal(&format!("[providers.m]\nkind = \"mock\"\nerror_script = [{step}]"));
        assert!(found.contains(wanted), "{wanted:?} in {found:?}");
    }
}

#[test]
fn a_misspelt_variable_is_refused_and_not_ignored() {
    let all = refusals(&Folder::new().env("TIDEGATE_LISTEN_PROT", "1"));

    assert_eq!(all.len(), 1);
    assert!(all[0].starts_with(
        "TIDEGATE_LISTEN_PROT: this environment variable is not a setting; did you mean TIDEGATE_LISTEN_PORT"
    ));
}
