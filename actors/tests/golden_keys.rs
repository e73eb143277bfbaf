//! Pins keys across versions of the program: `golden/keys.txt` is one request a line with the
//! digest and key it has always had.
//!
//! A difference here means that every stored entry is lost. If that is meant, raise `KEY_VERSION`
//! and write the new file from the failure message.

use bytes::Bytes;
use tidegate_actors::json::{Document, JsonLimits};
use tidegate_actors::key::{BodyDigest, Deny, ItemKind, Key, Prefix};

/// One line per vector: name, body digest, xxh3-128, SHA-256.
fn vector(name: &str, body: BodyDigest) -> String {
    let prefix = Prefix {
        workspace: "default",
        kind: "golden",
        provider: "up",
        model: "upstream-name",
        headers: &[("anthropic-version", "2023-06-01"), ("anthropic-beta", "a"), ("anthropic-beta", "b")],
        policy_version: 1,
        redaction_version: 2,
    };
    let key = Key::new(&prefix, &body);
    format!("{name} {} {:032x} {}", body.hex(), key.hash, key.hex())
}

fn body(name: &str, deny: Deny, text: &str) -> String {
    let doc = Document::parse(Bytes::copy_from_slice(text.as_bytes()), JsonLimits::default())
        .expect("a golden body is JSON");
    vector(name, BodyDigest::of(doc.root(), deny))
}

fn item(name: &str, kind: ItemKind, text: &str) -> String {
    let read = |text: &str| Document::parse(Bytes::copy_from_slice(text.as_bytes()), JsonLimits::default());
    let others = read(r#"{"model":"e","input":["x"],"encoding_format":"base64"}"#).expect("JSON");
    let item = read(text).expect("JSON");
    let digest = BodyDigest::of(others.root(), Deny::EMBED).item(kind, item.root());
    vector(name, digest)
}

#[test]
fn keys_are_what_they_have_always_been() {
    let chat = r#"{"model":"m","messages":[{"role":"user","content":"Gr\u00fc\u00dfe \ud83d\ude00\n\"x\""}],"temperature":0,"stream":true}"#;
    let respelled = "{\"stream\":false, \"temperature\":0,\"messages\":[{\"content\":\"Gr\u{fc}\u{df}e \u{1f600}\\u000a\\\"x\\u0022\",\"role\":\"user\"}],\"m\\u006fdel\":\"m\"}";
    let lines = [
        body("empty", Deny::NONE, "{}"),
        body("scalars", Deny::NONE, r#"[null,true,false,0,-0,1.0,1e+3,"","\ud800"]"#),
        body("chat", Deny::OPENAI_CHAT, chat),
        body("chat_respelled", Deny::OPENAI_CHAT, respelled),
        body(
            "messages",
            Deny::ANTHROPIC,
            r#"{"model":"c","max_tokens":1,"messages":[],"metadata":{"user_id":"u"}}"#,
        ),
        item("text", ItemKind::Text, r#""hello""#),
        item("tokens", ItemKind::Tokens, "[1, 2,3]"),
    ];
    let ours = lines.join("\n") + "\n";
    assert_eq!(ours, include_str!("golden/keys.txt"), "the keys now are:\n{ours}");
}
