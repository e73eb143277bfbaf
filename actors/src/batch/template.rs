//! What the request of a batch says beside its items. Pure.
//!
//! Owns the fields in which calls of one batch may differ although their vectors cannot: such a field travels
//! only if all of them agree on it. Must not know rows.

use std::sync::Arc;

use bytes::Bytes;

use crate::json::{Document, Edit, JsonLimits};
use crate::key::Deny;

/// The first call's document, without what another call of the batch says differently.
///
/// So nobody's `user` is reported with somebody else's text.
pub(crate) fn common<'a>(
    first: &Arc<Document>,
    others: impl IntoIterator<Item = &'a Arc<Document>>,
) -> Arc<Document> {
    let own = |document: &Document, field: &str| document.root().get(field).map(|node| node.raw_bytes());
    let mut open: Vec<&str> = Deny::EMBED.fields().iter().map(|excused| excused.field).collect();
    open.retain(|field| *field != "input"); // replaced by the items of the batch
    let all = open.len();
    for other in others {
        open.retain(|field| own(first, field) == own(other, field));
    }
    if open.len() == all {
        return Arc::clone(first);
    }
    let left_out = Deny::EMBED.fields().iter().filter(|excused| excused.field != "input");
    let edit = left_out
        .filter(|excused| !open.contains(&excused.field))
        .fold(Edit::new(), |edit, excused| edit.remove(excused.field));
    let limits = JsonLimits { max_depth: JsonLimits::DEEPEST, max_nodes: usize::MAX };
    // An edited document is a document; were it not, the first call's own is still a true request of its own.
    Document::parse(Bytes::from(edit.apply(first.root())), limits)
        .map_or_else(|_| Arc::clone(first), Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Arc<Document> {
        let text = Bytes::copy_from_slice(text.as_bytes());
        Arc::new(Document::parse(text, JsonLimits::default()).expect("valid JSON"))
    }

    #[test]
    fn a_field_in_which_calls_differ_stays_at_home_and_all_others_travel() {
        let first =
            document(r#"{"model":"m","input":"a","dimensions":8,"user":"ann","encoding_format":"float"}"#);
        let same =
            document(r#"{"model":"m","input":"b","dimensions":8,"user":"ann","encoding_format":"float"}"#);
        let other = document(r#"{"model":"m","input":"b","dimensions":8,"encoding_format":"float"}"#);
        assert!(Arc::ptr_eq(&common(&first, [&first, &same]), &first));
        let said = common(&first, [&same, &other]);
        assert!(said.root().get("user").is_none(), "it would name ann for another's text");
        for field in ["model", "dimensions", "encoding_format"] {
            assert!(said.root().get(field).is_some(), "{field}");
        }
    }
}
