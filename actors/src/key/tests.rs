//! What makes two requests the same, and what does not.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::json::tests::{json_value, spell};
use crate::json::{Document, JsonLimits};

fn parse(text: &str) -> Document {
    Document::parse(Bytes::copy_from_slice(text.as_bytes()), JsonLimits::default())
        .unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

fn canonical(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write(parse(text).root(), Deny::NONE, &mut out);
    out
}

fn digest(text: &str) -> BodyDigest {
    BodyDigest::of(parse(text).root(), Deny::OPENAI_CHAT)
}

fn prefix<'a>() -> Prefix<'a> {
    Prefix {
        workspace: "ws_a",
        kind: "openai.chat",
        provider: "up",
        model: "m",
        headers: &[("a", "1"), ("b", "2")],
        policy_version: 1,
        redaction_version: 2,
    }
}

#[test]
fn the_canonical_form_is_what_the_module_says() {
    assert_eq!(
        canonical(r#" {"b" : [1.0, null, true,false], "\u0061":"\n"} "#).escape_ascii().to_string(),
        r#"{\x02\x00\x00\x00\x01\x00\x00\x00a\"\x01\x00\x00\x00\n\x01\x00\x00\x00b[\x04\x00\x00\x00#\x03\x00\x00\x001.0ntf"#
    );
}

#[test]
fn values_that_could_be_confused_differ() {
    let texts = [
        "1",
        "1.0",
        "1e0",
        "-0",
        "0",
        "\"1\"",
        "[1]",
        "[[1]]",
        "[]",
        "{}",
        "null",
        "\"null\"",
        "true",
        "\"\"",
        "[\"\"]",
        "[\"\",\"\"]",
        "[1,2]",
        "[12]",
        "[\"a\",\"b\"]",
        "[\"ab\"]",
        "{\"a\":1}",
        "[\"a\",1]",
        "{\"a\":{}}",
        "{\"a\":[]}",
        "{\"a\":null}",
        "\"\\ud800\"",
        "\"\\ud801\"",
        "\"\\ufffd\"",
    ];
    let forms: std::collections::BTreeSet<_> = texts.iter().map(|text| canonical(text)).collect();
    assert_eq!(forms.len(), texts.len());
}

#[test]
fn fields_that_cannot_change_the_answer_are_not_in_the_digest() {
    let plain = digest(r#"{"model":"m","messages":[]}"#);
    assert_eq!(
        plain,
        digest(r#"{"stream":true,"model":"m","user":"u","messages":[],"stream\u005foptions":{}}"#)
    );
    for other in [
        r#"{"model":"n","messages":[]}"#,
        r#"{"model":"m","messages":[],"invented_tomorrow":1}"#,
        r#"{"model":"m","messages":[{"stream":true}]}"#,
        r#"{"model":"m","messages":[],"x":{"user":"u"}}"#,
        r#"{"model":"m","messages":[],"service_tier":"flex"}"#,
    ] {
        assert_ne!(plain, digest(other), "{other}");
    }
}

#[test]
fn an_item_is_keyed_by_its_kind_and_by_everything_around_it() {
    let doc = parse(r#"["5", [5], "5", 5]"#);
    let items: Vec<_> = doc.root().elements().collect();
    let others = digest(r#"{"model":"m"}"#);
    let text = others.item(ItemKind::Text, items[0]);
    assert_eq!(text, others.item(ItemKind::Text, items[2]));
    assert_ne!(text, others.item(ItemKind::Tokens, items[1]));
    assert_ne!(others.item(ItemKind::Tokens, items[0]), text);
    assert_ne!(text, digest(r#"{"model":"m","dimensions":8}"#).item(ItemKind::Text, items[0]));
}

#[test]
fn every_part_of_the_prefix_changes_the_key() {
    let body = digest("{}");
    let base = prefix();
    let others = [
        Prefix { workspace: "ws_b", ..base },
        Prefix { workspace: "", ..base },
        Prefix { kind: "openai.embed", ..base },
        Prefix { provider: "u", model: "pm", ..base },
        Prefix { model: "m2", ..base },
        Prefix { headers: &[("a", "1")], ..base },
        Prefix { headers: &[("a", "1"), ("b", "3")], ..base },
        Prefix { headers: &[("a", "2"), ("b", "1")], ..base },
        Prefix { headers: &[("a", "1"), ("a", "2")], ..base },
        Prefix { headers: &[("a", "2"), ("a", "1")], ..base },
        Prefix { policy_version: 2, ..base },
        Prefix { redaction_version: 1, ..base },
    ];
    let mut keys: Vec<_> = others.iter().map(|other| Key::new(other, &body)).collect();
    keys.push(Key::new(&base, &body));
    keys.push(Key::new(&base, &digest("[]")));
    let shas: std::collections::BTreeSet<_> = keys.iter().map(|key| key.sha).collect();
    let hashes: std::collections::BTreeSet<_> = keys.iter().map(|key| key.hash).collect();
    assert_eq!((shas.len(), hashes.len()), (keys.len(), keys.len()));
    let turned = Prefix { headers: &[("b", "2"), ("a", "1")], ..base };
    assert_eq!(Key::new(&turned, &body), Key::new(&base, &body), "header order is not identity");
}

#[test]
fn a_key_is_read_back_from_its_hex() {
    let key = Key::new(&prefix(), &digest("{}"));
    assert_eq!(Key::parse_sha(&key.hex()), Some(key.sha));
    assert_eq!(Key::parse_sha(&key.hex().to_uppercase()), Some(key.sha));
    for bad in ["", "00", &key.hex()[1..], &format!("{}g", &key.hex()[1..]), &"\u{e9}".repeat(32)] {
        assert_eq!(Key::parse_sha(bad), None, "{bad}");
    }
}

#[test]
fn targets_are_chosen_in_proportion_to_their_weight_and_a_leaver_moves_only_its_own() {
    let targets = [("a", 1), ("b", 2), ("c", 1), ("off", 0)];
    let winner = |body: &BodyDigest, targets: &[(&'static str, u32)]| {
        let best = targets.iter().max_by_key(|(name, weight)| (rendezvous(body, name, *weight), *name));
        best.expect("targets").0
    };
    let mut wins = std::collections::BTreeMap::new();
    for n in 0..4000u32 {
        let body = digest(&format!("[{n}]"));
        let first = winner(&body, &targets);
        *wins.entry(first).or_insert(0) += 1;
        if first != "c" {
            assert_eq!(winner(&body, &targets[..2]), first);
        }
    }
    assert!(!wins.contains_key("off"));
    let near = |name: &str, expected: i32| (wins[name] - expected).abs() < 150;
    assert!(near("a", 1000) && near("b", 2000) && near("c", 1000), "{wins:?}");
}

#[test]
fn explain_names_the_path_that_differs_and_nothing_else() {
    let fields = |text: &str| Fields::of(parse(text).root(), Deny::OPENAI_CHAT, 9);
    let base =
        fields(r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,"temperature":0}"#);
    let named = |text: &str| base.diff(&fields(text));
    assert_eq!(
        named(r#"{"temperature":0,"messages":[{"content":"h\u0069","role":"user"}],"model":"m"}"#),
        [""; 0]
    );
    assert_eq!(
        named(r#"{"model":"m","messages":[{"role":"user","content":"ho"}],"temperature":0.0}"#),
        ["messages[0].content", "temperature"]
    );
    assert_eq!(
        named(
            r#"{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"user"}],"temperature":0,"odd name":1}"#
        ),
        ["[\"odd name\"]", "messages[1].role"]
    );
    let paths: Vec<_> = base.iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["messages[0].content", "messages[0].role", "model", "temperature"]);
}

#[test]
fn a_change_is_named_in_the_longest_conversation() {
    let talk = |changed: usize| {
        let turns: Vec<_> = (0..200)
            .map(|n| format!(r#"{{"role":"user","content":"{}"}}"#, if n == changed { 1_000 } else { n }))
            .collect();
        let text = format!(r#"{{"model":"m","messages":[{}]}}"#, turns.join(","));
        Fields::of(parse(&text).root(), Deny::NONE, 9)
    };
    let base = talk(usize::MAX);
    assert!(base.len() <= MAX_FIELDS);
    assert_eq!(base.diff(&talk(199)), ["messages[199].content"]);
    assert_eq!(base.diff(&talk(3)), ["messages[0..192]"]);
}

/// Every leaf of `value`, changed one at a time.
fn mutants(value: &Value) -> Vec<Value> {
    let wrapped =
        |inner: Vec<Value>, put: &dyn Fn(Value) -> Value| inner.into_iter().map(put).collect::<Vec<_>>();
    match value {
        Value::Array(list) => (0..list.len())
            .flat_map(|at| {
                wrapped(mutants(&list[at]), &|new| {
                    let mut list = list.clone();
                    list[at] = new;
                    Value::from(list)
                })
            })
            .chain([Value::from([list.clone(), vec![Value::Null]].concat())])
            .collect(),
        Value::Object(map) => map
            .keys()
            .flat_map(|key| {
                wrapped(mutants(&map[key]), &|new| {
                    let mut map = map.clone();
                    map.insert(key.clone(), new);
                    Value::Object(map)
                })
            })
            .chain(map.keys().map(|key| {
                let mut map = map.clone();
                let moved = map.remove(key).unwrap_or_default();
                map.insert(format!("{key}+"), moved);
                Value::Object(map)
            }))
            .filter(|new| new != value)
            .collect(),
        Value::String(text) => vec![Value::from(format!("{text}x")), Value::Null],
        Value::Number(number) => vec![Value::from(number.to_string()), Value::from(!number.is_f64())],
        other => vec![Value::from(other.to_string()), Value::from(1)],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn spelling_never_changes_a_digest_and_any_leaf_does(value in json_value(), a in any::<u64>(), b in any::<u64>()) {
        let first = canonical(&spell(&value, a));
        prop_assert_eq!(&first, &canonical(&spell(&value, b)));
        for mutant in mutants(&value) {
            prop_assert_ne!(&first, &canonical(&spell(&mutant, a)), "{} {}", value, mutant);
        }
    }

    #[test]
    fn a_sketch_covers_every_leaf(value in json_value(), a in any::<u64>(), b in any::<u64>()) {
        let sketch = |text: &str| Fields::of(parse(text).root(), Deny::NONE, 3);
        let first = sketch(&spell(&value, a));
        prop_assert!(first.len() <= MAX_FIELDS);
        prop_assert_eq!(&first, &sketch(&spell(&value, b)));
        for mutant in mutants(&value) {
            prop_assert!(!first.diff(&sketch(&spell(&mutant, b))).is_empty(), "{} {}", value, mutant);
        }
    }

    #[test]
    fn the_buffered_hash_is_the_hash_of_the_written_bytes(value in json_value(), long in 0usize..2000) {
        let text = format!("[{},\"{}\"]", value, "x".repeat(long));
        let expected: [u8; 32] = Sha256::digest(canonical(&text)).into();
        prop_assert_eq!(digest(&text), BodyDigest(expected));
    }
}
