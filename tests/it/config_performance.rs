//! The `[performance]` settings of an application: three sources, their spellings and the exact words of refusal.

use serde_json::{Value as Json, json};
use tidegate::config::Performance;

use crate::config::Folder;

/// The table of the reference's documentation, word for word.
const DOCUMENTED: &str = "[performance]\nasync_runtime = true\nmax_concurrency = 8\ncache_size = 128\n\
    enable_batching = true\nmetrics_endpoint = \"/api/metrics\"\n";

fn app(text: &str) -> Folder {
    Folder::new().file("namel3ss.toml", text)
}

/// `key` of `[performance]` alone in its file.
fn app_with(key: &str, value: &str) -> Folder {
    app(&format!("[performance]\n{key} = {value}\n"))
}

fn with_flag(mut folder: Folder, key: &str, text: Option<&str>) -> Folder {
    let flags = &mut folder.args.performance;
    let flag = match key {
        "async_runtime" => &mut flags.async_runtime,
        "max_concurrency" => &mut flags.max_concurrency,
        "cache_size" => &mut flags.cache_size,
        _ => &mut flags.enable_batching,
    };
    *flag = Some(text.map(str::to_owned));
    folder
}

fn variable(key: &str) -> String {
    match key {
        "metrics_endpoint" => "N3_PERFORMANCE_METRICS_ENDPOINT".to_owned(),
        other => format!("N3_{}", other.to_uppercase()),
    }
}

fn refusals(folder: &Folder) -> String {
    folder.load().expect_err("must be refused").to_string()
}

#[test]
fn the_documented_table_is_read_as_it_stands() {
    let read = app(DOCUMENTED).load().unwrap().config.performance;

    assert!(read.async_runtime && read.enable_batching && read.enabled());
    assert_eq!((read.max_concurrency, read.cache_size), (8, 128));
}

#[test]
fn nothing_is_enabled_by_defaults_even_when_written_out() {
    assert_eq!(Folder::new().load().unwrap().config.performance, Performance::default());
    let written = "[performance]\nasync_runtime = false\nmax_concurrency = 8\ncache_size = 128\n";
    assert!(!app(written).load().unwrap().config.performance.enabled());
}

#[test]
fn each_setting_alone_enables_and_a_flag_is_remembered_as_such() {
    for (key, value) in
        [("async_runtime", "true"), ("max_concurrency", "9"), ("cache_size", "0"), ("enable_batching", "1")]
    {
        let read = with_flag(Folder::new(), key, Some(value)).load().unwrap().config.performance;
        assert!(read.enabled() && read.by_flag, "{key}");
    }
    let repeated = with_flag(Folder::new(), "cache_size", Some("128")).load().unwrap().config.performance;
    assert!(
        repeated.by_flag && !repeated.enabled(),
        "a flag that repeats the default still demands the capability"
    );
}

#[test]
fn flag_beats_environment_beats_file_beats_default_for_every_key() {
    let keys = [
        ("async_runtime", json!(false), ["true", "false", "true"]),
        ("enable_batching", json!(false), ["true", "false", "true"]),
        ("max_concurrency", json!(8), ["2", "3", "4"]),
        ("cache_size", json!(128), ["0", "3", "4"]),
    ];
    for (key, default, [file, env, flag]) in keys {
        let path = format!("performance.{key}");
        let value = |text: &str| serde_json::from_str::<Json>(text).unwrap();
        let in_file = || app_with(key, file);
        let in_env = || in_file().env(&variable(key), env);
        let name = format!("flag --{}", key.replace('_', "-"));

        assert_eq!(Folder::new().setting(&path), (default, "default".to_owned()));
        assert_eq!(in_file().setting(&path), (value(file), "file namel3ss.toml:2".to_owned()));
        assert_eq!(in_env().setting(&path), (value(env), format!("env {}", variable(key))));
        assert_eq!(with_flag(in_env(), key, Some(flag)).setting(&path), (value(flag), name));
    }
}

#[test]
fn the_metrics_path_can_be_given_by_either_file_and_by_its_variable() {
    let path = "performance.metrics_endpoint";
    assert_eq!(Folder::new().setting(path), (json!("/api/metrics"), "default".to_owned()));
    let by_file = || app_with("metrics_endpoint", "\"/numbers\"");
    assert_eq!(by_file().setting(path), (json!("/numbers"), "file namel3ss.toml:2".to_owned()));
    assert_eq!(by_file().load().unwrap().config.observability.metrics_endpoint, "/numbers");
    let by_env = by_file().env("N3_PERFORMANCE_METRICS_ENDPOINT", "/other");
    assert_eq!(by_env.setting(path), (json!("/other"), "env N3_PERFORMANCE_METRICS_ENDPOINT".to_owned()));

    let gateway = "[observability]\nmetrics_endpoint = \"/mine\"";
    let ours = Folder::new().file("tidegate.toml", gateway);
    assert_eq!(ours.setting(path), (json!("/mine"), "file tidegate.toml:2".to_owned()));
    let both = refusals(&by_file().file("tidegate.toml", gateway));
    assert!(
        both.contains("observability.metrics_endpoint: differs from performance.metrics_endpoint"),
        "{both}"
    );
}

#[test]
fn booleans_of_text_have_eight_spellings_in_any_case() {
    for (text, value) in [
        ("1", true),
        ("true", true),
        ("YES", true),
        (" on ", true),
        ("0", false),
        ("False", false),
        ("no", false),
        ("OFF", false),
    ] {
        for key in ["async_runtime", "enable_batching"] {
            let path = format!("performance.{key}");
            assert_eq!(Folder::new().env(&variable(key), text).setting(&path).0, json!(value), "{text:?}");
            assert_eq!(with_flag(Folder::new(), key, Some(text)).setting(&path).0, json!(value), "{text:?}");
        }
    }
}

#[test]
fn invalid_booleans_are_refused_from_each_source_in_its_words() {
    for key in ["async_runtime", "enable_batching"] {
        for value in ["\"true\"", "1", "\"maybe\""] {
            let wanted = format!("namel3ss.toml:2: performance.{key} must be true or false");
            assert_eq!(refusals(&app_with(key, value)), wanted);
        }
        for text in ["maybe", "", "2"] {
            let name = variable(key);
            assert_eq!(refusals(&Folder::new().env(&name, text)), format!("{name} must be true or false"));
            let flag = format!("--{}", key.replace('_', "-"));
            let refused = refusals(&with_flag(Folder::new(), key, Some(text)));
            assert_eq!(refused, format!("{flag} must be true or false"));
        }
    }
}

#[test]
fn integers_of_the_file_are_whatever_int_takes() {
    for (text, value) in
        [("8", 8), ("\"8\"", 8), ("8.9", 8), ("true", 1), ("\" 1_0 \"", 10), ("\"+5\"", 5), ("0x10", 16)]
    {
        for key in ["max_concurrency", "cache_size"] {
            assert_eq!(app_with(key, text).setting(&format!("performance.{key}")).0, json!(value), "{text}");
        }
    }
    for text in ["\"8.9\"", "\"\"", "\"1__0\"", "\"_1\"", "[1]", "nan", "inf", "1979-05-27"] {
        for key in ["max_concurrency", "cache_size"] {
            let wanted = format!("namel3ss.toml:2: performance.{key} must be an integer");
            assert_eq!(refusals(&app_with(key, text)), wanted, "{text}");
        }
    }
}

#[test]
fn negative_cache_size_and_zero_concurrency_are_refused_from_each_source() {
    for (key, bad, words) in [("cache_size", "-1", "must be >= 0"), ("max_concurrency", "0", "must be >= 1")]
    {
        assert_eq!(refusals(&app_with(key, bad)), format!("namel3ss.toml:2: performance.{key} {words}"));
        let name = variable(key);
        assert_eq!(refusals(&Folder::new().env(&name, bad)), format!("{name} {words}"));
        let flag = format!("--{}", key.replace('_', "-"));
        assert_eq!(refusals(&with_flag(Folder::new(), key, Some(bad))), format!("{flag} {words}"));
    }
}

#[test]
fn integers_of_text_are_refused_in_the_words_of_their_source() {
    for key in ["cache_size", "max_concurrency"] {
        let (name, flag) = (variable(key), format!("--{}", key.replace('_', "-")));
        for text in ["many", "8.9", "true"] {
            assert_eq!(refusals(&Folder::new().env(&name, text)), format!("{name} must be an integer"));
            let refused = refusals(&with_flag(Folder::new(), key, Some(text)));
            assert_eq!(refused, format!("{flag} must be an integer."));
        }
        assert!(Folder::new().env(&name, "").load().is_ok(), "an empty variable is not set");
        assert_eq!(refusals(&with_flag(Folder::new(), key, Some(""))), format!("{flag} must be an integer."));
    }
}

#[test]
fn a_number_no_machine_holds_is_refused_and_not_cut() {
    assert_eq!(
        refusals(&Folder::new().env("N3_CACHE_SIZE", "4294967296")),
        "N3_CACHE_SIZE must be <= 4294967295"
    );
    assert!(
        refusals(&app_with("cache_size", "1e300")).ends_with("performance.cache_size must be <= 4294967295")
    );
}

#[test]
fn a_flag_without_a_value_says_so() {
    for key in ["async_runtime", "max_concurrency", "cache_size", "enable_batching"] {
        let wanted = format!("--{} flag is missing a value.", key.replace('_', "-"));
        assert_eq!(refusals(&with_flag(Folder::new(), key, None)), wanted);
    }
}

#[test]
fn a_misspelt_key_is_an_error_that_names_it() {
    let refused = refusals(&app(&format!("{DOCUMENTED}cach_size = 1\n")));

    let wanted = "namel3ss.toml:7: performance.cach_size is not a setting; did you mean cache_size?";
    assert!(refused.starts_with(wanted), "{refused}");
}

#[test]
fn other_tables_of_the_application_are_its_own_business() {
    assert!(app("[ai]\nprovider = \"x\"\n[performance]\ncache_size = 1\n").load().is_ok());
}

#[test]
fn an_application_file_that_is_not_toml_is_refused() {
    assert_eq!(refusals(&app("[performance\n")), "namel3ss.toml:1: namel3ss.toml is not valid TOML.");
    assert_eq!(refusals(&app("performance = 1\n")), "namel3ss.toml:1: performance must be a table");
}

#[test]
fn a_weaker_source_is_checked_even_when_a_stronger_one_answers() {
    let folder = with_flag(app_with("cache_size", "-1").env("N3_CACHE_SIZE", "x"), "cache_size", Some("5"));

    let refused = refusals(&folder);
    assert!(refused.contains("performance.cache_size must be >= 0"), "{refused}");
    assert!(refused.contains("N3_CACHE_SIZE must be an integer"), "{refused}");
}

#[test]
fn faults_of_both_files_are_reported_together() {
    let folder = app_with("cache_size", "-1").file("tidegate.toml", "[listen]\nport = \n");

    let refused = refusals(&folder);
    assert!(refused.contains("tidegate.toml:2: not valid TOML"), "{refused}");
    assert!(refused.contains("performance.cache_size must be >= 0"), "{refused}");
}

#[test]
fn the_references_switch_for_counters_is_honoured_below_our_own_variable() {
    let path = "observability.enabled";
    let off = || Folder::new().env("N3_OBSERVABILITY", "off");
    assert_eq!(off().setting(path), (json!(false), "env N3_OBSERVABILITY".to_owned()));
    let both = off().env("TIDEGATE_OBSERVABILITY_ENABLED", "true");
    assert_eq!(both.setting(path), (json!(true), "env TIDEGATE_OBSERVABILITY_ENABLED".to_owned()));
    let bad = refusals(&Folder::new().env("N3_OBSERVABILITY", "maybe"));
    assert_eq!(bad, "N3_OBSERVABILITY must be true or false");
}
