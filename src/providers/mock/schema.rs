//! A value that fits a JSON schema: the arguments of a forced tool call, a structured answer.
//!
//! Owns the smallest sensible instance of the keywords vendors accept; it is not a validator.

use tidegate_actors::json::{Kind, Node, quote, quote_into};

/// Deeper schemas get an empty value: they may refer to themselves.
const DEEPEST: usize = 12;

/// JSON text of a value that fits `schema`; `hint` fills free text.
pub(super) fn instance(schema: Node<'_>, hint: &str) -> String {
    let mut out = String::new();
    Writer { root: schema, hint }.write(schema, DEEPEST, &mut out);
    out
}

struct Writer<'a> {
    root: Node<'a>,
    hint: &'a str,
}

impl<'a> Writer<'a> {
    fn write(&self, schema: Node<'a>, depth: usize, out: &mut String) {
        let fixed = schema.get("const").or_else(|| schema.get("default"));
        let fixed = fixed.or_else(|| schema.get("enum").and_then(|values| values.elements().next()));
        if let Some(value) = fixed {
            return out.push_str(&String::from_utf8_lossy(value.raw()));
        }
        if depth > 0
            && let Some(other) = self.elsewhere(schema)
        {
            return self.write(other, depth - 1, out);
        }
        match kind_of(schema).as_str() {
            "object" => self.object(schema, depth, out),
            "array" => self.array(schema, depth, out),
            "string" => quote_into(self.string(schema), out),
            "integer" | "number" => out.push_str(bound(schema)),
            "boolean" => out.push_str("true"),
            _ => out.push_str("null"),
        }
    }

    /// The schema that stands for this one: a reference, or the first alternative.
    fn elsewhere(&self, schema: Node<'a>) -> Option<Node<'a>> {
        if let Some(reference) = schema.get("$ref").and_then(|to| to.as_str()) {
            let mut steps = reference.strip_prefix('#')?.split('/').skip(1);
            return steps.try_fold(self.root, |at, step| at.get(&step.replace("~1", "/").replace("~0", "~")));
        }
        ["anyOf", "oneOf", "allOf"].iter().find_map(|name| schema.get(name)?.elements().next())
    }

    fn object(&self, schema: Node<'a>, depth: usize, out: &mut String) {
        out.push('{');
        let members = schema.get("properties").filter(|_| depth > 0);
        for (n, member) in members.iter().flat_map(|properties| properties.members()).enumerate() {
            if n > 0 {
                out.push(',');
            }
            out.push_str(&String::from_utf8_lossy(member.key.raw()));
            out.push(':');
            self.write(member.value, depth - 1, out);
        }
        out.push('}');
    }

    fn array(&self, schema: Node<'a>, depth: usize, out: &mut String) {
        out.push('[');
        if let Some(items) = schema.get("items").filter(|_| depth > 0) {
            let least = schema.get("minItems").and_then(|least| least.as_u64()).unwrap_or(1).clamp(1, 16);
            for n in 0..least {
                if n > 0 {
                    out.push(',');
                }
                self.write(items, depth - 1, out);
            }
        }
        out.push(']');
    }

    fn string(&self, schema: Node<'a>) -> &'a str {
        match schema.get("format").and_then(|format| format.as_str()).as_deref() {
            Some("date") => "2024-01-01",
            Some("date-time") => "2024-01-01T00:00:00Z",
            Some("time") => "00:00:00Z",
            Some("email") => "mock@example.com",
            Some("uri") => "https://example.com/",
            Some("uuid") => "00000000-0000-4000-8000-000000000000",
            _ => self.hint,
        }
    }
}

fn kind_of(schema: Node<'_>) -> String {
    let named = schema.get("type");
    let first =
        named.and_then(|kind| if kind.kind() == Kind::Array { kind.elements().next() } else { Some(kind) });
    match first.and_then(|kind| kind.as_str()) {
        Some(kind) => kind.into_owned(),
        None if schema.get("properties").is_some() || schema.members().len() == 0 => "object".to_owned(),
        None => "string".to_owned(),
    }
}

/// The smallest number the schema names, or 1.
fn bound(schema: Node<'_>) -> &str {
    ["minimum", "maximum"].iter().find_map(|name| schema.get(name)?.number_text()).unwrap_or("1")
}

/// The structured answer when no schema is given.
pub(super) fn plain_object(text: &str) -> String {
    format!("{{\"answer\":{}}}", quote(text))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tidegate_actors::json::{Document, JsonLimits};

    use super::*;

    fn made(schema: &'static str) -> String {
        let document = Document::parse(Bytes::from_static(schema.as_bytes()), JsonLimits::default());
        instance(document.expect("the test's schema").root(), "hint")
    }

    #[test]
    fn an_object_gets_every_property_in_order() {
        let schema = r#"{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":3},
            "unit":{"enum":["c","f"]},"tags":{"type":"array","items":{"type":"boolean"},"minItems":2},
            "note":{"type":["string","null"]},"when":{"type":"string","format":"date"}}}"#;
        let wanted =
            r#"{"city":"hint","days":3,"unit":"c","tags":[true,true],"note":"hint","when":"2024-01-01"}"#;
        assert_eq!(made(schema), wanted);
    }

    #[test]
    fn references_are_followed_and_a_schema_within_itself_ends() {
        let schema = r##"{"type":"object","properties":{"next":{"$ref":"#"}}}"##;
        assert!(made(schema).starts_with(r#"{"next":{"next":"#));
        let schema = r##"{"$defs":{"a":{"type":"number"}},"properties":{"x":{"$ref":"#/$defs/a"}}}"##;
        assert_eq!(made(schema), r#"{"x":1}"#);
    }

    #[test]
    fn an_empty_schema_is_an_empty_object() {
        assert_eq!(made("{}"), "{}");
    }
}
