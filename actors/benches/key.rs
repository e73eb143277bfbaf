//! What a request costs before the cache can be asked: parse, canonical bytes, digest, key.
//!
//! The peer is `serde_json::Value`, which parses into a tree and does no more.

#![expect(missing_docs, reason = "criterion_group expands to an undocumented function")]

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidegate_actors::json::{Document, JsonLimits, quote};
use tidegate_actors::key::{BodyDigest, Deny, Fields, Prefix};

/// A chat request of about 1.2 KB, as the SDKs write it.
fn chat_body() -> Bytes {
    let system = "You are a careful assistant. Answer in the language of the question, cite what \
                  you were given, and say so when you do not know. Keep to the point. Numbers keep their \
                  units, times are UTC, names of systems stay as the report has them. Never \
                  invent a cause: if the report does not name one, write that it is open.";
    let user = "Summarise the attached incident report for an engineer who was not there:\n\n\
                At 09:14 the queue of the \"import\" lane reached its limit of 4,096 jobs. \
                The supervisor refused 212 calls with a retry hint, none of them was lost. \
                At 09:16 the upstream answered again and the queue was empty by 09:19.\n\n";
    Bytes::from(format!(
        r#"{{"model":"test-model","messages":[{{"role":"system","content":{}}},{{"role":"user","content":{}}},{{"role":"assistant","content":{}}},{{"role":"user","content":"And in one sentence?"}}],"temperature":0,"max_tokens":512,"top_p":1.0,"n":1,"stream":false,"stop":["\n\n","END"],"seed":42,"user":"team-7"}}"#,
        quote(system),
        quote(user),
        quote(&user[..250])
    ))
}

fn bench(c: &mut Criterion) {
    let body = chat_body();
    let limits = JsonLimits::default();
    let doc = Document::parse(body.clone(), limits).expect("the body is JSON");
    let digest = BodyDigest::of(doc.root(), Deny::OPENAI_CHAT);
    let headers = [("anthropic-version", "2023-06-01")];
    let prefix = Prefix {
        workspace: "ws_0198f2c0",
        kind: "openai.chat",
        provider: "up",
        model: "upstream-name",
        headers: &headers,
        policy_version: 1,
        redaction_version: 1,
    };

    let mut group = c.benchmark_group(format!("key/{}B", body.len()));
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("parse", |b| b.iter(|| Document::parse(black_box(body.clone()), limits)));
    group.bench_function("serde_json_value_parse", |b| {
        b.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(&body)));
    });
    group.bench_function("canonical_sha256", |b| {
        b.iter(|| BodyDigest::of(black_box(doc.root()), Deny::OPENAI_CHAT));
    });
    group.bench_function("key_of_digest", |b| b.iter(|| black_box(&prefix).keyer().key(&digest)));
    group.bench_function("parse_to_key", |b| {
        b.iter(|| {
            let doc = Document::parse(black_box(body.clone()), limits).expect("the body is JSON");
            prefix.keyer().key(&BodyDigest::of(doc.root(), Deny::OPENAI_CHAT))
        });
    });
    group.bench_function("fields_for_explain", |b| {
        b.iter(|| Fields::of(black_box(doc.root()), Deny::OPENAI_CHAT, 7));
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
