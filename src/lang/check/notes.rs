//! What is allowed and yet probably not meant, or written in an old way. Notes never stop a program.

use std::collections::HashMap;

use super::super::ast::Program;
use super::super::span::Span;

/// A remark on one place of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// One sentence.
    pub text: String,
    /// What it is about.
    pub span: Span,
}

/// Notes on `program`, in the order of their places.
#[must_use]
pub fn notes(program: &Program) -> Vec<Note> {
    let mut found = Vec::new();
    for name in &program.capabilities {
        if *name.text == *"performance_scalability" {
            let text = "Capability 'performance_scalability' is the old name of 'performance'.".into();
            found.push(Note { text, span: name.span });
        }
    }
    let mut first = HashMap::new();
    for record in &program.records {
        if let Some(line) = first.insert(&record.name.text, record.span.line) {
            let text = format!("Record '{}' replaces the one of line {line}.", record.name.text);
            found.push(Note { text, span: record.span });
        }
    }
    found.sort_by_key(|note| note.span);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::read;

    #[test]
    fn old_names_and_replaced_records_are_noted_and_load_all_the_same() {
        let source = "spec is \"1.0\"\ncapabilities:\n  performance_scalability\nrecord \"R\":\n  a is text\nrecord \"R\":\n  b is text\n";
        let notes = notes(&read(source).expect("it loads"));
        assert_eq!(notes.len(), 2);
        assert_eq!((notes[0].span.line, notes[1].span.line), (3, 6));
        assert!(notes[1].text.contains("line 4"));
    }
}
