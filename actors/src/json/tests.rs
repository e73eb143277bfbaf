//! What the reader accepts, what it refuses and where, and what an edit leaves alone.

use bytes::Bytes;
use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;

pub(crate) fn parse(text: &str) -> Document {
    parse_bytes(text.as_bytes()).unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

fn parse_bytes(bytes: &[u8]) -> Result<Document, JsonFault> {
    Document::parse(Bytes::copy_from_slice(bytes), JsonLimits::default())
}

fn refusal(text: &[u8]) -> String {
    parse_bytes(text).expect_err("must be refused").to_string()
}

#[test]
fn a_refusal_names_the_byte_and_what_was_expected() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "the text ends where a value was expected at byte 0"),
        (b"{\"a\":1,}", "'}' where a key was expected at byte 7"),
        (b"[1,]", "']' where a value was expected at byte 3"),
        (b"[1 2]", "'2' where ',' or ']' was expected at byte 3"),
        (b"{\"a\" 1}", "'1' where ':' was expected at byte 5"),
        (b"{,}", "',' where a key was expected at byte 1"),
        (b"{} x", "'x' after the end of the value at byte 3"),
        (b"nul", "'n' where a value was expected at byte 0"),
        (b"[NaN]", "'N' where a value was expected at byte 1"),
        (b"01", "invalid number at byte 1"),
        (b"[-]", "invalid number at byte 2"),
        (b"1.e3", "invalid number at byte 2"),
        (b"\"a\nb\"", "unescaped control character 0x0a in a string at byte 2"),
        (b"\"\\x\"", "invalid escape in a string at byte 1"),
        (b"\"\\u12g4\"", "invalid escape in a string at byte 1"),
        (b"\"abc", "the text ends where the end of a string was expected at byte 4"),
        (b"\"\xff\"", "invalid UTF-8 at byte 1"),
        (b"\"\xed\xa0\x80\"", "invalid UTF-8 at byte 1"),
        (b"\xef\xbb\xbf{}", "byte 0xef where a value was expected at byte 0"),
    ];
    for (text, expected) in cases {
        assert_eq!(&refusal(text), expected, "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn every_control_character_and_escape_letter_is_judged_as_serde_json_judges_it() {
    for byte in 0..=255u8 {
        agrees(&[b'"', byte, b'"']);
        agrees(&[b'"', b'\\', byte, b'"']);
        agrees(&[b'[', byte, b'1', b']']);
        agrees(&[b'1', byte]);
        agrees(&[b'1', byte, b'1']);
        agrees(&[b'0', byte, b'1']);
        agrees(&[b'"', b'\\', b'u', b'0', b'0', b'0', byte, b'"']);
    }
}

#[test]
fn duplicate_keys_are_refused_however_they_are_spelled() {
    assert_eq!(refusal(br#"{"a":1,"b":2,"a":3}"#), "duplicate key \"a\" at byte 13");
    assert_eq!(refusal(br#"{"a":1,"\u0061":3}"#), "duplicate key \"a\" at byte 7");
    assert_eq!(refusal(br#"[{"x":{"":1,"":1}}]"#), "duplicate key \"\" at byte 12");
    let many: Vec<_> = (0..100).map(|n| format!("\"k{n}\":{n}")).collect();
    parse(&format!("{{{}}}", many.join(",")));
    let again = format!("{{{},\"k7\":0}}", many.join(","));
    assert!(refusal(again.as_bytes()).starts_with("duplicate key \"k7\""));
    parse(r#"{"a":{"a":{"a":1}}}"#);
}

#[test]
fn nesting_and_size_are_limited() {
    let limits = JsonLimits { max_depth: 3, max_nodes: 8 };
    let read = |text: &str| Document::parse(Bytes::copy_from_slice(text.as_bytes()), limits);
    assert!(read("[[[1]]]").is_ok());
    assert!(read("[[[]]]").is_ok());
    for deep in ["[[[[1]]]]", "[[[[]]]]", "[[[{}]]]"] {
        let fault = read(deep).expect_err("four levels");
        assert_eq!(fault, JsonFault { offset: 3, what: Flaw::TooDeep(3) });
    }
    assert!(read("[1,2,3,4,5,6,7,8,9,10]").is_ok(), "plain numbers take no nodes");
    let fault = read(r#"["",2,3,4,5,6,7,8]"#).expect_err("nine nodes");
    assert_eq!(fault.what, Flaw::TooMany(8));
    let bottomless = "[".repeat(1_000_000);
    let limits = JsonLimits { max_depth: usize::MAX, max_nodes: usize::MAX };
    let fault = Document::parse(bottomless.into(), limits).expect_err("bottomless");
    assert_eq!(fault.what, Flaw::TooDeep(JsonLimits::DEEPEST));
}

#[test]
fn the_cursor_reads_what_the_text_says() {
    let doc = parse(r#" {"a" : [1, -2.50e+3 ,"x"], "b\n":{"c":null}, "t":true,"e":[],"n":[3 ,4]} "#);
    let root = doc.root();
    assert_eq!((root.kind(), root.len()), (Kind::Object, 5));
    let a: Vec<_> = root.get("a").expect("a").elements().map(|node| node.raw().to_vec()).collect();
    assert_eq!(a, [&b"1"[..], b"-2.50e+3", b"\"x\""]);
    let n = root.get("n").expect("n");
    assert!(n.is_all_numbers() && !root.get("e").expect("e").is_all_numbers());
    let n: Vec<_> = n.elements().filter_map(|node| node.as_u64()).collect();
    assert_eq!(n, [3, 4]);
    assert!(root.get("b\n").expect("b").get("c").expect("c").is_null());
    assert_eq!(root.get("t").and_then(|node| node.as_bool()), Some(true));
    assert!(root.get("missing").is_none() && root.get("b").is_none());
    let sorted: Vec<_> = root.sorted_members().filter_map(|member| member.key.as_str()).collect();
    assert_eq!(sorted, ["a", "b\n", "e", "n", "t"]);
    let order: Vec<_> = root.members().filter_map(|member| member.key.as_str()).collect();
    assert_eq!(order, ["a", "b\n", "t", "e", "n"]);
}

#[test]
fn strings_are_unescaped_and_lone_surrogates_survive() {
    let doc = parse(r#"["a\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00", "\ud800x", "\udc00", "\ud800\u0041"]"#);
    let nodes: Vec<_> = doc.root().elements().collect();
    assert_eq!(nodes[0].as_str().as_deref(), Some("a\"\\/\u{8}\u{c}\n\r\tA\u{e9}\u{1f600}"));
    assert_eq!(nodes[0].len(), nodes[0].as_str().expect("a string").len());
    assert_eq!(nodes[1].as_str().as_deref(), Some("\u{fffd}x"));
    let mut wtf8 = Vec::new();
    assert!(nodes[1].unescape(|run| wtf8.extend_from_slice(run)));
    assert_eq!(wtf8, b"\xed\xa0\x80x");
    assert_eq!(nodes[3].as_str().as_deref(), Some("\u{fffd}A"));
    let pairs = parse(r#"["\ud800\udc00", "\udbff\udfff", "\udbff\ue000"]"#);
    let pairs: Vec<_> = pairs.root().elements().filter_map(|node| node.as_str()).map(String::from).collect();
    assert_eq!(pairs, ["\u{10000}", "\u{10ffff}", "\u{fffd}\u{e000}"]);
    assert!(nodes[0].is_str("a\"\\/\u{8}\u{c}\n\r\tA\u{e9}\u{1f600}") && !nodes[0].is_str("a"));
}

#[test]
fn edits_leave_every_other_byte_alone() {
    let text = "{ \"a\" : 1.0 ,\n\"b\":{ \"c\":[1,2] }\t, \"d\\u0065\":null }";
    let doc = parse(text);
    let edit = |edit: Edit| String::from_utf8(edit.apply(doc.root())).expect("UTF-8");
    assert_eq!(edit(Edit::new()), text);
    assert_eq!(edit(Edit::new().set("a", "2")), text.replace("1.0", "2"));
    assert_eq!(edit(Edit::new().remove("a")), "{ \"b\":{ \"c\":[1,2] }\t, \"d\\u0065\":null }");
    assert_eq!(edit(Edit::new().remove("b")), "{ \"a\" : 1.0\t, \"d\\u0065\":null }");
    assert_eq!(edit(Edit::new().remove("de")), "{ \"a\" : 1.0 ,\n\"b\":{ \"c\":[1,2] } }");
    assert_eq!(edit(Edit::new().remove("a").remove("b").remove("de")), "{  }");
    let added = Edit::new().set_str("x\"y", "z").remove("a").remove("b").remove("de");
    assert_eq!(edit(added), "{\"x\\\"y\":\"z\"  }");
    let inside = Edit::new().inside("b", Edit::new().set("c", "0").set("n", "true"));
    assert_eq!(edit(inside), text.replace("[1,2] ", "0,\"n\":true "));
    let fresh = Edit::new().inside("o", Edit::new().set("u", "true")).inside("de", Edit::new().set("v", "1"));
    assert_eq!(edit(fresh), text.replace("null }", "{\"v\":1},\"o\":{\"u\":true} }"));
}

/// A JSON text with varied white space and escapes; keys within an object are unique.
pub(crate) fn json_text() -> impl Strategy<Value = String> {
    json_value().prop_flat_map(|value| any::<u64>().prop_map(move |seed| spell(&value, seed)))
}

pub(crate) fn json_value() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Eighths: serde_json reads other fractions one ulp off.
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
        ".{0,12}".prop_map(Value::from),
        proptest::collection::vec(any::<i32>(), 0..6).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((".{0,4}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Writes `value` as text; `seed` decides member order, white space and escapes.
pub(crate) fn spell(value: &serde_json::Value, seed: u64) -> String {
    let mut out = String::new();
    spell_into(value, &mut Dice(seed | 1), &mut out);
    out
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn space(&mut self, out: &mut String) {
        for _ in 0..self.roll(3) {
            out.push([' ', '\n', '\t', '\r'][self.roll(4) as usize]);
        }
    }
}

fn spell_into(value: &serde_json::Value, dice: &mut Dice, out: &mut String) {
    use serde_json::Value;
    dice.space(out);
    match value {
        Value::String(text) => spell_string(text, dice, out),
        Value::Array(elements) => {
            out.push('[');
            for (at, element) in elements.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                spell_into(element, dice, out);
            }
            dice.space(out);
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            for at in (1..members.len()).rev() {
                members.swap(at, dice.roll(at as u64 + 1) as usize);
            }
            out.push('{');
            for (at, (key, element)) in members.into_iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                dice.space(out);
                spell_string(key, dice, out);
                dice.space(out);
                out.push(':');
                spell_into(element, dice, out);
            }
            dice.space(out);
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
    dice.space(out);
}

fn spell_string(text: &str, dice: &mut Dice, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        if dice.roll(4) == 0 {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            let plain = quote(letter.encode_utf8(&mut [0; 4]));
            out.push_str(&plain[1..plain.len() - 1]);
        }
    }
    out.push('"');
}

/// The same value, read through our cursor.
fn to_value(node: Node<'_>) -> serde_json::Value {
    use serde_json::Value;
    match node.kind() {
        Kind::Null => Value::Null,
        Kind::True | Kind::False => Value::from(node.as_bool()),
        Kind::Number => serde_json::from_slice(node.raw()).expect("a number"),
        Kind::String | Kind::Key => Value::from(node.as_str()),
        Kind::Array => node.elements().map(to_value).collect(),
        Kind::Object => {
            let members = node.members();
            Value::Object(
                members
                    .map(|m| (m.key.as_str().unwrap_or_default().into_owned(), to_value(m.value)))
                    .collect(),
            )
        }
    }
}

/// Accepts what serde_json accepts. It skips surrogate and UTF-8 checks when a value is ignored.
fn serde_accepts(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok() && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

fn agrees(bytes: &[u8]) {
    match parse_bytes(bytes) {
        Err(JsonFault { what: Flaw::DuplicateKey(_), .. }) => {}
        ours => assert_eq!(ours.is_ok(), serde_accepts(bytes), "{ours:?} {}", bytes.escape_ascii()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_plain_start_of_a_string_ends_where_byte_by_byte_it_would(
        bytes in prop::collection::vec(prop_oneof![
            3 => Just(b'x'), 1 => any::<u8>(), 1 => prop::sample::select(b"\"\\\x1f\x20\x21\x23\x5b\x5d\x00\xa2\xff".to_vec()),
        ], 0..60)
    ) {
        let plain = |byte: &u8| !matches!(byte, b'"' | b'\\' | 0..0x20);
        let words = bytes.len().min(32) / 8 * 8; // beyond whole words it does not look
        let expected = bytes[..words].iter().take_while(|byte| plain(byte)).count();
        prop_assert_eq!(text::plain_start(&bytes), expected);
    }

    #[test]
    fn every_spelling_of_a_value_is_read_as_that_value(value in json_value(), seed in any::<u64>()) {
        let text = spell(&value, seed);
        prop_assert_eq!(to_value(parse(&text).root()), value, "{}", text);
    }

    #[test]
    fn arbitrary_bytes_are_judged_as_serde_json_judges_them(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        agrees(&bytes);
    }

    #[test]
    fn json_like_bytes_are_judged_as_serde_json_judges_them(text in r#"[\[\]{}",:0-9eE.+\- \\untrfals\n]{0,24}"#) {
        agrees(text.as_bytes());
    }

    #[test]
    fn broken_json_is_judged_as_serde_json_judges_it(
        text in json_text(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()
    ) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        agrees(&bytes);
    }

    #[test]
    fn setting_and_removing_members_reads_back(
        members in proptest::collection::btree_map(".{0,3}", json_value(), 0..6),
        seed in any::<u64>(), picks in proptest::collection::vec((".{0,3}", any::<bool>()), 0..4)
    ) {
        let mut value = serde_json::Value::Object(members.clone().into_iter().collect());
        let text = spell(&value, seed);
        let doc = parse(&text);
        let known = members.keys().cloned().zip(std::iter::repeat(seed % 2 == 0));
        let mut edit = Edit::new();
        let object = value.as_object_mut().expect("an object");
        for (name, remove) in picks.into_iter().chain(known.take(2)) {
            if remove {
                edit = edit.remove(&name);
                object.remove(&name);
            } else {
                edit = edit.set(&name, "[7]");
                object.insert(name, serde_json::json!([7]));
            }
        }
        let edited = edit.apply(doc.root());
        let again = parse_bytes(&edited).unwrap_or_else(|fault| panic!("{fault}: {}", edited.escape_ascii()));
        prop_assert_eq!(to_value(again.root()), value);
    }
}

#[test]
fn members_are_sorted_and_twins_found_whatever_the_length_of_their_keys() {
    let mut keys = ["", "a", "ab", "abcdefgh", "abcdefgh-", "abcdefghi", "b", "\u{e9}", "\u{e9}t\u{e9}"];
    for _ in 0..keys.len() {
        keys.rotate_left(1);
        let members: Vec<String> = keys.iter().map(|key| format!("{}:0", quote(key))).collect();
        let document = Document::parse(format!("{{{}}}", members.join(",")).into(), JsonLimits::default());
        let document = document.expect("no key is there twice");
        let sorted: Vec<_> =
            document.root().sorted_members().filter_map(|member| member.key.as_str()).collect();
        assert!(sorted.is_sorted() && sorted.len() == keys.len(), "{sorted:?}");
        for twin in &members {
            let text = format!("{{{},{twin}}}", members.join(","));
            let fault =
                Document::parse(text.into(), JsonLimits::default()).expect_err("a key is there twice");
            assert!(matches!(fault.what, Flaw::DuplicateKey(_)), "{fault}");
        }
    }
}
