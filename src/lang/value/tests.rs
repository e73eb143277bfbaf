//! Behaviour of values: equality, JSON, what is stored, and what holds for every value.

use super::*;

fn number(text: &str) -> Value {
    Value::Number(Number::parse(text).expect("a number"))
}

#[test]
fn numbers_are_equal_by_value_and_types_do_not_mix() {
    assert_eq!(number("1"), number("1.0"));
    assert_eq!(Value::Float(19.99), number("19.99"));
    assert_ne!(Value::from("5"), number("5"));
    assert_ne!(Value::Null, number("0"));
    assert_ne!(Value::Bool(false), Value::Null);
}

#[test]
fn true_is_one_and_false_is_zero_also_inside_lists() {
    assert_eq!(Value::Bool(true), number("1.0"));
    assert_eq!(number("0"), Value::Bool(false));
    assert_ne!(Value::Bool(true), number("2"));
    assert_eq!(Value::list(vec![true.into()]), Value::list(vec![number("1")]));
}

#[test]
fn json_shows_whole_decimals_as_integers_and_others_as_texts() {
    let shown = |text: &str| number(text).to_json(JsonStyle::Canonical);
    assert_eq!(shown("2.50"), "\"2.5\"");
    assert_eq!(shown("100.00"), "100");
    assert_eq!(shown("0.000001"), "\"0.000001\"");
    assert_eq!(shown("-0.0"), "0");
    assert_eq!(shown("123456789012345678901234567890"), "123456789012345678901234567890");
    assert_eq!(shown("0.12345678901234567890123456789012"), "\"0.1234567890123456789012345679\"");
}

#[test]
fn json_reads_back_what_it_wrote() {
    let text = r#"{"a":[1,2.5,-0.5,1e+16,null,true],"b":{"c":"\u00e9\ud83d\ude00\n\"\\"},"d":123456789012345678901234567890123456789012}"#;
    let value = parse_json(text).expect("valid JSON");
    assert_eq!(value.to_json(JsonStyle::Canonical), text);
    assert_eq!(parse_json(&value.to_json(JsonStyle::Pretty)), Ok(value.clone()));
    assert_eq!(parse_json(&value.to_json(JsonStyle::Compact)), Ok(value));
}

#[test]
fn json_that_is_wrong_is_refused_where_it_is_wrong() {
    for wrong in [
        "",
        "{",
        "[1,]",
        "{\"a\" 1}",
        "01",
        "1.",
        "-",
        "\"\\x\"",
        "\"a",
        "tru",
        "1 2",
        "{a:1}",
        "1e999",
        "\"\u{1}\"",
    ] {
        assert!(parse_json(wrong).is_err(), "{wrong:?} was read");
    }
    assert!(parse_json(&"[".repeat(100_000)).is_err());
}

#[test]
fn a_stored_value_is_json_that_tells_decimals_from_fractions() {
    let value = Value::list(vec![
        number("1.50"),
        Value::Float(19.99),
        number("-0"),
        Value::Float(1e16),
        "1.50".into(),
    ]);
    assert_eq!(value.to_stored(), r#"[1.50,19.99e0,-0,1e+16,"1.50"]"#);
    let json: serde_json::Value = serde_json::from_str(&value.to_stored()).expect("plain JSON");
    assert_eq!(json[1], 19.99);
}

#[test]
fn the_deepest_value_can_be_stored() {
    let deepest = (0..MAX_DEPTH).fold(number("1.50"), |inner, _| Value::fields([("map", inner)]));
    assert_eq!(deepest.depth(), MAX_DEPTH);
    assert!(Value::from_stored(&deepest.to_stored()).is_ok_and(|read| read == deepest));
}

#[test]
fn fractions_are_spelled_as_python_does() {
    for (float, text) in [
        (1.0, "1.0"),
        (19.99, "19.99"),
        (1e16, "1e+16"),
        (1e15, "1000000000000000.0"),
        (0.0001, "0.0001"),
        (1.5e-5, "1.5e-05"),
        (-0.0, "-0.0"),
        (1e300, "1e+300"),
        (123456789.125, "123456789.125"),
    ] {
        assert_eq!(json_write::float_text(float), text);
    }
}

#[test]
fn a_text_field_keeps_the_written_scale() {
    assert_eq!(number("1.50").to_display(), "1.50");
    assert_eq!(number("12").to_display(), "12");
    assert_eq!(Value::Bool(true).to_display(), "true");
    assert_eq!(Value::Float(1.5).to_display(), "1.5");
}

#[test]
fn a_value_stays_three_words() {
    assert_eq!(size_of::<Value>(), 24);
}

mod any {
    //! What holds for every input.

    use proptest::prelude::*;

    use super::super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::int),
            (any::<i64>(), 0..40usize).prop_map(|(digits, places)| {
                let digits = format!("{:040}", digits.unsigned_abs());
                let (whole, fraction) = digits.split_at(40 - places);
                let text = if places == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") };
                Number::parse(&text).map_or(Value::Null, Value::Number)
            }),
            any::<f64>()
                .prop_filter("JSON has only finite numbers", |float| float.is_finite())
                .prop_map(Value::Float),
            any::<String>().prop_map(Value::text),
        ];
        leaf.prop_recursive(5, 60, 6, |inner| {
            let key = any::<String>().prop_map(|key| -> Arc<str> { key.into() });
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::list),
                prop::collection::btree_map(key, inner, 0..6).prop_map(Value::map),
            ]
        })
    }

    /// Equality to the last digit and scale.
    fn spelled(value: &Value) -> String {
        format!("{value:?}")
    }

    proptest! {
        #[test]
        fn a_stored_value_comes_back_exactly(value in value(), exp in -400_000i32..400_000) {
            let huge = Number::parse(&format!("-120E{exp}")).map_or(Value::Null, Value::Number);
            for value in [Value::list(vec![value.clone(), huge]), value] {
                let read = Value::from_stored(&value.to_stored());
                prop_assert_eq!(spelled(&read.unwrap_or_default()), spelled(&value));
            }
        }

        #[test]
        fn a_value_written_read_and_written_again_is_the_same_text(value in value()) {
            for style in [JsonStyle::Canonical, JsonStyle::Compact, JsonStyle::Pretty] {
                let text = value.to_json(style);
                let read = parse_json(&text);
                prop_assert!(read.is_ok(), "{text} is refused: {read:?}");
                prop_assert_eq!(read.unwrap_or_default().to_json(style), text);
            }
            prop_assert!(value.equals(&value.clone()));
        }

        #[test]
        fn the_canonical_form_is_ascii_and_within_its_bulk(value in value()) {
            let text = value.to_json(JsonStyle::Canonical);
            prop_assert!(text.is_ascii());
            // Escapes take up to six times, a character of four bytes twelve.
            prop_assert!(text.len() as u64 <= 6 * value.bulk() + 64);
        }

        #[test]
        fn reading_never_fails_otherwise_than_by_saying_so(text in "[\\[\\]{}\",:0-9eE+\\-.\\\\u a-f\n]{0,40}|.{0,40}") {
            if let Ok(value) = parse_json(&text) {
                prop_assert!(parse_json(&value.to_json(JsonStyle::Compact)).is_ok());
            }
            if let Some(number) = Number::parse(&text) {
                prop_assert_eq!(Number::parse(&number.to_string()), Some(number));
            }
        }
    }
}
