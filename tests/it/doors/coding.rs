//! Compression: large whole bodies, made once for a kept answer, never a stream.

use std::io::Read;

use super::*;

fn large() -> String {
    "tide ".repeat(4_000)
}

fn decoded(coding: &str, body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match coding {
        "gzip" => flate2::read::GzDecoder::new(body).read_to_end(&mut plain).expect("gzip"),
        "zstd" => zstd::Decoder::new(body).expect("zstd").read_to_end(&mut plain).expect("zstd"),
        "br" => brotli::Decompressor::new(body, 4_096).read_to_end(&mut plain).expect("br"),
        other => panic!("no coding {other}"),
    };
    plain
}

async fn coded(gateway: &Gateway, body: String, accepted: &str) -> Answer {
    send(gateway.posting(CHAT, body).header("accept-encoding", accepted)).await
}

#[tokio::test]
async fn a_large_answer_decodes_to_the_same_bytes_in_every_coding() {
    let (upstream, gateway) = talking().await;
    for coding in ["gzip", "br", "zstd"] {
        for _ in 0..2 {
            let answer = coded(&gateway, ask(&large()), coding).await;
            assert_eq!(
                (answer.field("content-encoding"), answer.field("vary")),
                (Some(coding), Some("accept-encoding"))
            );
            assert_eq!(decoded(coding, &answer.body), completion(&large()).as_bytes(), "{coding}");
            assert!(answer.body.len() < 2_000, "{} bytes of {coding}", answer.body.len());
        }
    }
    let plain = gateway.post(CHAT, ask(&large())).await;
    assert_eq!((plain.field("content-encoding"), &plain.body[..]), (None, completion(&large()).as_bytes()));
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_coded_form_is_kept_with_its_entry_and_counted() {
    let (_upstream, gateway) = talking().await;
    let bytes =
        async || gateway.get("/api/v1/engine").await.json()["cache"]["bytes"].as_u64().expect("a number");
    coded(&gateway, ask(&large()), "identity").await;
    let before = bytes().await;
    let first = coded(&gateway, ask(&large()), "gzip").await;
    // The cache actor counts it when it gets the message.
    gateway.until("/api/v1/engine", |engine| engine["cache"]["bytes"].as_u64() > Some(before)).await;
    assert!(bytes().await - before >= first.body.len() as u64);
    let after = bytes().await;
    let second = coded(&gateway, ask(&large()), "gzip").await;
    assert_eq!((second.body, bytes().await), (first.body, after));
}

#[tokio::test]
async fn a_small_answer_and_a_stream_are_never_coded() {
    let (_upstream, gateway) = talking().await;
    assert_eq!(coded(&gateway, ask("small"), "gzip, br, zstd").await.field("content-encoding"), None);
    for _ in 0..2 {
        let stream = coded(&gateway, ask_stream(&large()), "gzip, br, zstd").await;
        assert_eq!(stream.field("content-encoding"), None);
        assert!(stream.text().starts_with("data: "));
    }
}
