//! Which items a request has, and which vector each of them gets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use tidegate_actors::json::{Document, JsonLimits};
use tidegate_actors::key::ItemKind;

use super::*;

fn doc(text: &str) -> Document {
    Document::parse(Bytes::copy_from_slice(text.as_bytes()), JsonLimits::default()).expect("JSON")
}

fn body(input: &str) -> String {
    format!(r#"{{"model":"m","input":{input}}}"#)
}

fn items(input: &str) -> Vec<(ItemKind, String)> {
    let doc = doc(&body(input));
    let request = EmbedRequest::read(&doc, &EmbedLimits::default()).expect("a request");
    let raw = |item: &Item<'_>| String::from_utf8(item.node.raw().to_vec()).expect("UTF-8");
    request.items.iter().map(|item| (item.kind, raw(item))).collect()
}

fn refusal(text: &str, limits: &EmbedLimits) -> (String, String) {
    let doc = doc(text);
    let fault = EmbedRequest::read(&doc, limits).expect_err("must be refused");
    (fault.message, fault.param.unwrap_or_default())
}

#[test]
fn all_four_forms_of_input_are_taken_apart() {
    use ItemKind::{Text, Tokens};
    let item = |kind, raw: &str| (kind, raw.to_owned());
    assert_eq!(items(r#""a\n""#), [item(Text, r#""a\n""#)]);
    assert_eq!(items(r#"["a", "b","a"]"#), [item(Text, "\"a\""), item(Text, "\"b\""), item(Text, "\"a\"")]);
    assert_eq!(items("[1, 2]"), [item(Tokens, "[1, 2]")]);
    assert_eq!(items("[[1,2], [3]]"), [item(Tokens, "[1,2]"), item(Tokens, "[3]")]);
    assert_eq!(items("[[1]]"), [item(Tokens, "[1]")]);
}

#[test]
fn an_item_that_cannot_be_embedded_is_named() {
    let limits = EmbedLimits { max_items: 3, max_item_tokens: 4, max_request_tokens: 6 };
    let cases = [
        (r#""""#, "input is an empty string, every item needs text", "input"),
        (r#"["a",""]"#, "input[1] is an empty string, every item needs text", "input[1]"),
        ("[]", "input is an empty array, give at least one item", "input"),
        ("[[1],[]]", "input[1] is an empty array, every item needs at least one token", "input[1]"),
        ("7", "input must be a string or an array, not a number", "input"),
        ("[\"a\",7]", "input[1] must be a string or an array of tokens, not a number", "input[1]"),
        ("[\"a\",[7]]", "input[1] must be a string as input[0] is, not an array", "input[1]"),
        ("[[7],\"a\"]", "input[1] must be an array of tokens as input[0] is, not a string", "input[1]"),
        ("[1,\"a\"]", "input[1] must be a token number, not \"a\"", "input[1]"),
        ("[1,-2]", "input[1] must be a token number, not -2", "input[1]"),
        ("[[1],[1.5]]", "input[1][0] must be a token number, not 1.5", "input[1][0]"),
        ("[[[1]]]", "input[0][0] must be a token number, not [1]", "input[0][0]"),
        ("[null]", "input[0] must be a string or an array of tokens, not null", "input[0]"),
        ("[\"a\",\"b\",\"c\",\"d\"]", "input has 4 items, the limit is 3, send it in parts", "input"),
        ("[1,2,3,4,5]", "input has 5 tokens, the limit is 4 an item, shorten it", "input"),
        ("[[1],[1,2,3,4,5]]", "input[1] has 5 tokens, the limit is 4 an item, shorten it", "input[1]"),
        ("[[1,2,3,4],[1,2,3]]", "input has 7 tokens, the limit is 6 a request, send it in parts", "input"),
    ];
    for (input, message, param) in cases {
        assert_eq!(refusal(&body(input), &limits), (message.to_owned(), param.to_owned()), "{input}");
    }
    let cases = [
        (r#"{"model":"m"}"#, "missing required parameter input"),
        (r#"{"model":"m","input":"a","dimensions":0}"#, "dimensions must be an integer of at least 1, not 0"),
        (
            r#"{"model":"m","input":"a","dimensions":1.5}"#,
            "dimensions must be an integer of at least 1, not 1.5",
        ),
        (
            r#"{"model":"m","input":"a","encoding_format":"int8"}"#,
            "encoding_format must be \"float\" or \"base64\", not \"int8\"",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(refusal(text, &limits).0, message);
    }
}

#[test]
fn an_encoding_that_is_not_said_is_float_and_is_never_sent_on() {
    for (said, encoding) in [
        ("", Encoding::Float),
        (r#","encoding_format":null"#, Encoding::Float),
        (r#","encoding_format":"""#, Encoding::Float),
        (r#","encoding_format":"float""#, Encoding::Float),
        (r#","encoding_format":"base64""#, Encoding::Base64),
    ] {
        let doc = doc(&format!(r#"{{"model":"m","input":["a","b"]{said},"dimensions":2}}"#));
        let request = EmbedRequest::read(&doc, &EmbedLimits::default()).expect("a request");
        assert_eq!((request.encoding, request.dimensions), (encoding, Some(2)));
        let sent: Value = serde_json::from_slice(&request.upstream_body("up", ["\"b\""])).expect("JSON");
        assert_eq!(sent, json!({"model": "up", "input": ["b"], "encoding_format": "float", "dimensions": 2}));
    }
}

#[test]
fn equal_items_of_different_requests_have_equal_digests() {
    let digests = |text: &str| {
        let doc = doc(text);
        let request = EmbedRequest::read(&doc, &EmbedLimits::default()).expect("a request");
        let others = request.others();
        request.items.iter().map(|item| request.digest(&others, item)).collect::<Vec<_>>()
    };
    let one = digests(r#"{"model":"m","input":"a","encoding_format":"base64","user":"u"}"#);
    let three = digests(r#"{"input":["b","\u0061","b"],"model":"m"}"#);
    assert_eq!((one[0], three[0]), (three[1], three[2]));
    assert_ne!(one[0], three[0]);
    assert_ne!(one, digests(r#"{"model":"m","input":"a","dimensions":2}"#));
    assert_ne!(one, digests(r#"{"model":"n","input":"a"}"#));
    assert_eq!(digests(&body("[1, 2]")), digests(&body("[[1,2]]")));
}

fn answer(data: &str, items: usize) -> Result<EmbedAnswer, AnswerFault> {
    let text = format!(
        r#"{{"object":"list","data":{data},"model":"up","usage":{{"prompt_tokens":3,"total_tokens":3}}}}"#
    );
    EmbedAnswer::read(&Bytes::from(text), items, None)
}

#[test]
fn rows_are_placed_by_index_and_keep_their_digits() {
    let data = r#"[{"index":1,"embedding":[ 0.10, -2e0 ]},{"embedding":[1,0.30000001192092896],"index":0}]"#;
    let answer = answer(data, 2).expect("an answer");
    assert_eq!(answer.rows[0].text(), b"[1,0.30000001192092896]");
    assert_eq!(answer.rows[1].text(), b"[0.10,-2e0]");
    assert_eq!(answer.rows[1].bits(), [0.1f32.to_le_bytes(), (-2f32).to_le_bytes()].concat());
    assert_eq!((answer.model.as_deref(), answer.usage.map(|usage| usage.input)), (Some("up"), Some(3)));
    let floats = write_answer(&answer.rows, Encoding::Float, "up", 3);
    let expected = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1,0.30000001192092896]},{"object":"embedding","index":1,"embedding":[0.10,-2e0]}],"model":"up","usage":{"prompt_tokens":3,"total_tokens":3}}"#;
    assert_eq!(String::from_utf8(floats).expect("UTF-8"), expected);
    let base64: Value =
        serde_json::from_slice(&write_answer(&answer.rows, Encoding::Base64, "up", 3)).expect("JSON");
    assert_eq!(base64["data"][1]["embedding"], json!(STANDARD.encode(answer.rows[1].bits())));
}

#[test]
fn an_answer_with_anything_wrong_in_it_is_refused() {
    let cases = [
        (r#"[{"index":0,"embedding":[1]}]"#, "the upstream answered 1 vectors for 2 items"),
        (
            r#"[{"index":0,"embedding":[1]},{"index":1,"embedding":[1]},{"index":2,"embedding":[1]}]"#,
            "the upstream answered 3 vectors for 2 items",
        ),
        (
            r#"[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]"#,
            "the upstream's answer has index 0 twice",
        ),
        (
            r#"[{"index":0,"embedding":[1]},{"index":2,"embedding":[1]}]"#,
            "row 1 of the upstream's answer has index 2, there are 2 items",
        ),
        (
            r#"[{"embedding":[1]},{"index":1,"embedding":[1]}]"#,
            "row 0 of the upstream's answer has index absent, there are 2 items",
        ),
        (
            r#"[{"index":-1,"embedding":[1]},{"index":1,"embedding":[1]}]"#,
            "row 0 of the upstream's answer has index -1, there are 2 items",
        ),
        (
            r#"[{"index":0,"embedding":[1]},{"index":1,"embedding":[1,2]}]"#,
            "the vector of index 1 has 2 elements where 1 were expected",
        ),
        (
            r#"[{"index":0,"embedding":[1]},{"index":1,"embedding":[]}]"#,
            "the vector of index 1 of the upstream's answer is unusable: it is empty",
        ),
        (
            r#"[{"index":0,"embedding":[1]},{"index":1,"embedding":[null]}]"#,
            "the vector of index 1 of the upstream's answer is unusable: element 0 is null, not a number",
        ),
        (
            r#"[{"index":0,"embedding":[1]},{"index":1,"embedding":[1e39]}]"#,
            "the vector of index 1 of the upstream's answer is unusable: element 0 is not a finite number",
        ),
        (
            r#"[{"index":0,"embedding":[1]},{"index":1}]"#,
            "the vector of index 1 of the upstream's answer is unusable: it is absent, not an array or a base64 string",
        ),
        (
            r#"[{"index":0,"embedding":[1]},{"index":1,"embedding":"AAAA"}]"#,
            "the vector of index 1 of the upstream's answer is unusable: it is not base64 of 32-bit floats",
        ),
        (
            r#"[{"index":0,"embedding":[1]},{"index":1,"embedding":"AADAfw=="}]"#,
            "the vector of index 1 of the upstream's answer is unusable: element 0 is not a finite number",
        ),
        (r#"{}"#, "the upstream's answer has no data array"),
    ];
    for (data, message) in cases {
        assert_eq!(answer(data, 2).expect_err(data).to_string(), message);
    }
    assert!(matches!(answer(r#"[{"index":0,"embedding":[NaN]}]"#, 1), Err(AnswerFault::Json(_))));
    let asked = EmbedAnswer::read(&Bytes::from(r#"{"data":[{"index":0,"embedding":[1]}]}"#), 1, Some(2));
    assert_eq!(asked, Err(AnswerFault::Dimension { index: 0, wanted: 2, got: 1 }));
}

fn finite() -> impl Strategy<Value = f32> {
    prop_oneof![any::<f32>(), -1f32..1.0].prop_filter("finite", |value| value.is_finite())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_item_gets_its_vector_whatever_order_and_form_they_come_in(
        vectors in (1usize..4).prop_flat_map(|len| proptest::collection::vec(proptest::collection::vec(finite(), len), 1..8)),
        order in any::<u64>(), base64 in any::<u8>()
    ) {
        let encode = |vector: &[f32]| STANDARD.encode(vector.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
        let mut data: Vec<Value> = vectors.iter().enumerate().map(|(index, vector)| match base64 >> (index % 8) & 1 {
            0 => json!({"index": index, "embedding": vector}),
            _ => json!({"index": index, "embedding": encode(vector)}),
        }).collect();
        let turn = order as usize % data.len();
        data.rotate_left(turn);
        if order & 1 == 1 { data.reverse(); }
        let answer = answer(&Value::from(data).to_string(), vectors.len()).expect("an answer");
        for (row, vector) in answer.rows.iter().zip(&vectors) {
            let bits: Vec<u8> = vector.iter().flat_map(|v| v.to_le_bytes()).collect();
            prop_assert_eq!(row.bits(), bits);
            let text: Vec<f32> = serde_json::from_slice::<Vec<Box<serde_json::value::RawValue>>>(row.text())
                .expect("JSON").iter().map(|digits| digits.get().parse().expect("a number")).collect();
            prop_assert_eq!(&text, vector);
            prop_assert_eq!(Row::unpack(&row.pack()), Some(row.clone()));
            for encoding in [Encoding::Float, Encoding::Base64] {
                let mut written = Vec::new();
                Written::from(row).write_into(encoding, &mut written);
                prop_assert_eq!(written.len(), Written::from(row).len(encoding));
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64), input in ".{0,16}") {
        let bytes = Bytes::from(bytes);
        let _ = (EmbedAnswer::read(&bytes, 1, None), Row::unpack(&bytes), Row::from_bits(&bytes));
        if let Ok(doc) = Document::parse(Bytes::from(body(&input)), JsonLimits::default()) {
            let _ = EmbedRequest::read(&doc, &EmbedLimits::default()).map(|_| ());
        }
    }
}
