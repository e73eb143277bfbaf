//! Owns reading JSON into values: integers keep all their digits, fractions stay binary as they came. Refuses
//! what is nested deeper than values may be, so hostile input cannot exhaust the stack.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{MAX_DEPTH, Number, Value};

/// Where and why a text is not JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct JsonFault {
    /// What was found or missing.
    pub what: &'static str,
    /// Offset in bytes from the start of the text.
    pub at: usize,
}

/// The value of a JSON text. Of a key given twice the last counts.
///
/// # Errors
/// The first place that is not JSON, nests more than 256 deep, or holds a fraction that is not
/// finite or an integer of over 1,000 digits.
pub fn parse_json(text: &str) -> Result<Value, JsonFault> {
    parse(text, false)
}

/// As [`parse_json`] for a text of [`JsonStyle::Stored`](super::JsonStyle::Stored): a number is a decimal unless it
/// has a small `e`.
pub(super) fn parse_stored(text: &str) -> Result<Value, JsonFault> {
    parse(text, true)
}

fn parse(text: &str, stored: bool) -> Result<Value, JsonFault> {
    let mut reader = Reader { text, at: 0, stored };
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.at < text.len() {
        return Err(reader.fault("unexpected text after the value"));
    }
    Ok(value)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    stored: bool,
}

impl Reader<'_> {
    fn fault(&self, what: &'static str) -> JsonFault {
        JsonFault { what, at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Skips space, then takes `byte` if it stands there.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn value(&mut self, depth: u32) -> Result<Value, JsonFault> {
        self.skip_space();
        match self.peek() {
            Some(b'{' | b'[') if depth >= MAX_DEPTH => Err(self.fault("nested too deep")),
            Some(b'{') => self.map(depth + 1),
            Some(b'[') => self.list(depth + 1),
            Some(b'"') => Ok(Value::text(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => self.word(),
            None => Err(self.fault("the text ends where a value should stand")),
        }
    }

    fn word(&mut self) -> Result<Value, JsonFault> {
        for (word, value) in [("null", Value::Null), ("true", true.into()), ("false", false.into())] {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.fault("no value starts like this"))
    }

    fn list(&mut self, depth: u32) -> Result<Value, JsonFault> {
        self.at += 1;
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(Value::list(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.take(b']') {
                return Ok(Value::list(items));
            }
            if !self.take(b',') {
                return Err(self.fault("expected `,` or `]`"));
            }
        }
    }

    fn map(&mut self, depth: u32) -> Result<Value, JsonFault> {
        self.at += 1;
        let mut entries = BTreeMap::new();
        if self.take(b'}') {
            return Ok(Value::map(entries));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.fault("expected a key in quotes"));
            }
            let key: Arc<str> = self.string()?.into();
            if !self.take(b':') {
                return Err(self.fault("expected `:`"));
            }
            entries.insert(key, self.value(depth)?);
            if self.take(b'}') {
                return Ok(Value::map(entries));
            }
            if !self.take(b',') {
                return Err(self.fault("expected `,` or `}`"));
            }
        }
    }

    fn number(&mut self) -> Result<Value, JsonFault> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let digits = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        let first = start + usize::from(bytes[start] == b'-');
        let mut end = digits(first);
        let mut whole = true;
        let zero_led = end > first + 1 && bytes[first] == b'0';
        if end == first || zero_led {
            return Err(self.fault("not a JSON number"));
        }
        if bytes.get(end) == Some(&b'.') {
            whole = false;
            let fraction = digits(end + 1);
            if fraction == end + 1 {
                return Err(self.fault("not a JSON number"));
            }
            end = fraction;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            whole = false;
            let signed = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(signed);
            if exponent == signed {
                return Err(self.fault("not a JSON number"));
            }
            end = exponent;
        }
        let text = &self.text[start..end];
        let value = match self.stored {
            true if !text.contains('e') => Number::parse(text).map(Value::Number),
            // A whole number of the input has no negative zero.
            false if text == "-0" => Some(Value::Number(Number::ZERO)),
            false if whole => Number::parse(text).map(Value::Number),
            _ => text.parse().ok().filter(|float: &f64| float.is_finite()).map(Value::Float),
        };
        let value = value.ok_or(self.fault("a number out of range"))?;
        self.at = end;
        Ok(value)
    }

    fn string(&mut self) -> Result<String, JsonFault> {
        self.at += 1;
        let mut string = String::new();
        loop {
            let rest = &self.text[self.at..];
            let special = |byte| matches!(byte, b'"' | b'\\' | 0..0x20);
            let plain = rest.bytes().position(special).unwrap_or(rest.len());
            string.push_str(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                Some(0..0x20) => return Err(self.fault("a control character in a string")),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(_) => self.escape(&mut string)?,
                None => return Err(self.fault("a string that does not end")),
            }
        }
    }

    fn escape(&mut self, string: &mut String) -> Result<(), JsonFault> {
        self.at += 1;
        let escaped = match self.peek() {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(plain @ (b'"' | b'\\' | b'/')) => char::from(plain),
            Some(b'u') => return self.unicode(string),
            _ => return Err(self.fault("unknown escape")),
        };
        self.at += 1;
        string.push(escaped);
        Ok(())
    }

    /// `\u` and four hexadecimal digits, or two of these for a character beyond the first plane. Half a pair becomes U+FFFD.
    fn unicode(&mut self, string: &mut String) -> Result<(), JsonFault> {
        let first = self.unit()?;
        if !(0xd800..0xdc00).contains(&first) || !self.text[self.at..].starts_with("\\u") {
            string.push(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
            return Ok(());
        }
        let back = self.at;
        self.at += 1;
        let second = self.unit()?;
        if (0xdc00..0xe000).contains(&second) {
            let joined = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            string.push(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER));
        } else {
            string.push(char::REPLACEMENT_CHARACTER);
            self.at = back;
        }
        Ok(())
    }

    /// The four digits after `u`.
    fn unit(&mut self) -> Result<u32, JsonFault> {
        let digits = self.text.get(self.at + 1..self.at + 5);
        let unit = digits
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or(self.fault("expected four hexadecimal digits"))?;
        self.at += 5;
        Ok(unit)
    }
}
