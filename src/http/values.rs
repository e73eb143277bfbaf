//! Values of a JSON body by the paths that `explain` names. Pure.

use tidegate_actors::json::{Document, Node};

/// Longest value that is shown whole, characters.
const LONGEST: usize = 2_000;

/// The JSON text at `path`, cut where it is long; nothing if there is none.
pub(super) fn value_at(document: &Document, path: &str) -> Option<String> {
    let mut node = document.root();
    let mut rest = path;
    while !rest.is_empty() {
        let (step, after) = step(rest)?;
        node = match step {
            Step::Name(name) => node.get(&name)?,
            Step::At(at) => node.elements().nth(at)?,
            Step::Head(count) => return Some(head(node, count)),
        };
        rest = after;
    }
    Some(cut(&String::from_utf8_lossy(node.raw())))
}

enum Step {
    Name(String),
    At(usize),
    /// The first elements of an array.
    Head(usize),
}

/// The first step of a path, and what follows.
fn step(path: &str) -> Option<(Step, &str)> {
    let path = path.strip_prefix('.').unwrap_or(path);
    let Some(inside) = path.strip_prefix('[') else {
        let end = path.find(['.', '[']).unwrap_or(path.len());
        let (name, rest) = path.split_at(end);
        return Some((Step::Name(name.to_owned()), rest));
    };
    if inside.starts_with('"') {
        let mut names = serde_json::Deserializer::from_str(inside).into_iter::<String>();
        let name = names.next()?.ok()?;
        return Some((Step::Name(name), inside[names.byte_offset()..].strip_prefix(']')?));
    }
    let (number, rest) = inside.split_once(']')?;
    let step = match number.strip_prefix("0..") {
        Some(count) => Step::Head(count.parse().ok()?),
        None => Step::At(number.parse().ok()?),
    };
    Some((step, rest))
}

fn head(node: Node<'_>, count: usize) -> String {
    let elements: Vec<_> =
        node.elements().take(count).map(|node| String::from_utf8_lossy(node.raw())).collect();
    cut(&format!("[{}]", elements.join(",")))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} ..", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tidegate_actors::json::JsonLimits;

    use super::*;

    #[test]
    fn every_form_of_a_path_finds_its_value() {
        let body = r#"{"a":1.50,"m":[{"content":"x\ny"},[2,3,4]],"odd name":{"b":null},"":7}"#;
        let document = Document::parse(Bytes::from(body), JsonLimits::default()).expect("JSON");
        for (path, value) in [
            ("a", Some("1.50")),
            ("m[0].content", Some(r#""x\ny""#)),
            ("m[1][0..2]", Some("[2,3]")),
            ("m[1][2]", Some("4")),
            (r#"["odd name"].b"#, Some("null")),
            (r#"[""]"#, Some("7")),
            ("m[9]", None),
            ("m[x]", None),
            ("nothing.there", None),
        ] {
            assert_eq!(value_at(&document, path).as_deref(), value, "{path}");
        }
        let long = Bytes::from(format!("[\"{}\"]", "y".repeat(3_000)));
        let document = Document::parse(long, JsonLimits::default()).expect("JSON");
        assert_eq!(value_at(&document, "[0]").map(|text| text.len()), Some(LONGEST + 3));
    }
}
