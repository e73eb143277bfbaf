//! Owns the JSON form of a value: whole decimals as integers with all digits, other decimals as texts,
//! untouched fractions as JSON numbers, keys sorted; and the form that is kept between processes, which loses nothing.
//! Walks at most as deep as values may nest.

use std::fmt::Write;

use super::Value;

/// How JSON is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonStyle {
    /// No spaces, everything beyond ASCII escaped: what a model is sent and what keys are hashed from.
    Canonical,
    /// No spaces, text as it is.
    Compact,
    /// Two spaces per level, beyond ASCII escaped.
    Pretty,
    /// As `Compact`, but every decimal a JSON number with its written scale (`1.50`, `1E+30`), and untouched fractions
    /// told from them by a small `e` (`19.99e0`).
    Stored,
}

impl JsonStyle {
    fn escapes(self) -> bool {
        matches!(self, Self::Canonical | Self::Pretty)
    }
}

/// The JSON text of `value`.
pub(super) fn write(value: &Value, style: JsonStyle) -> String {
    let mut out = String::new();
    write_value(&mut out, value, style, 0);
    out
}

fn write_value(out: &mut String, value: &Value, style: JsonStyle, level: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) if style == JsonStyle::Stored => {
            write!(out, "{number}").expect("writing to a string does not fail");
        }
        Value::Number(number) if number.is_integral() => out.push_str(&number.to_plain()),
        Value::Number(number) => {
            out.push('"');
            out.push_str(&number.to_plain());
            out.push('"');
        }
        Value::Float(float) => {
            let text = float_text(*float);
            out.push_str(&text);
            if style == JsonStyle::Stored && !text.contains('e') {
                out.push_str("e0");
            }
        }
        Value::Text(text) => write_text(out, text, style.escapes()),
        Value::List(list) => {
            out.push('[');
            for (at, item) in list.iter().enumerate() {
                separate(out, style, level + 1, at == 0);
                write_value(out, item, style, level + 1);
            }
            close(out, style, level, list.is_empty());
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (at, (key, item)) in map.iter().enumerate() {
                separate(out, style, level + 1, at == 0);
                write_text(out, key, style.escapes());
                out.push_str(if style == JsonStyle::Pretty { ": " } else { ":" });
                write_value(out, item, style, level + 1);
            }
            close(out, style, level, map.is_empty());
            out.push('}');
        }
    }
}

fn separate(out: &mut String, style: JsonStyle, level: usize, first: bool) {
    if !first {
        out.push(',');
    }
    break_line(out, style, level);
}

fn close(out: &mut String, style: JsonStyle, level: usize, empty: bool) {
    if !empty {
        break_line(out, style, level);
    }
}

fn break_line(out: &mut String, style: JsonStyle, level: usize) {
    if style == JsonStyle::Pretty {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", level));
    }
}

/// A JSON string; with `escape`, only ASCII, in UTF-16 escapes where needed. Copies what stands as it is in runs.
pub(crate) fn write_text(out: &mut String, text: &str, escape: bool) {
    let special = |byte: u8| matches!(byte, b'"' | b'\\' | 0..0x20) || (escape && !byte.is_ascii());
    out.reserve(text.len() + 2);
    out.push('"');
    let mut rest = text;
    while let Some(plain) = rest.bytes().position(special) {
        out.push_str(&rest[..plain]);
        let mut after = rest[plain..].chars();
        if let Some(c) = after.next() {
            write_escape(out, c);
        }
        rest = after.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

fn write_escape(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        c => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}").expect("writing to a string does not fail");
            }
        }
    }
}

/// The shortest text that reads back as `float`, spelled as Python does: `1.0`, `1e+16`, `1e-05`.
pub(crate) fn float_text(float: f64) -> String {
    if !float.is_finite() {
        let sign = if float.is_sign_negative() { "-" } else { "" };
        return if float.is_nan() { "NaN".to_owned() } else { format!("{sign}Infinity") };
    }
    let scientific = format!("{float:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) || float == 0.0 {
        return format!("{float:?}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}
