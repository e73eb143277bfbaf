//! How a fault is shown: the sections of a run report, the error id, the source line with a caret, the JSON of a failure.
//!
//! Turns faults into text and JSON and nothing else: it does not print, choose a stream, or read a file. What is shown
//! never carries control characters of a program to a terminal.

mod snippet;

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::fault::{Fault, FaultKind, FaultText, Guide, Place, Stage};
use super::span::Span;
pub use snippet::snippet;

/// Characters of one text in a report; more are cut.
const MAX_TEXT_CHARS: usize = 200;

/// The id of a run fault that knows its statement: `E-ENGINE-ENGINE_ERROR-MAIN-LET-2`.
#[must_use]
pub fn error_id(fault: &Fault) -> Option<String> {
    let Place { flow, statement, index } = fault.place.as_deref()?;
    let (boundary, kind) = fault.kind.id_parts();
    let flow: String =
        flow.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    let statement = statement.to_uppercase();
    Some(format!("E-{boundary}-{kind}-{flow}-{statement}-{index}"))
}

/// One sentence that says what happened: the headline of a report.
#[must_use]
pub fn headline(fault: &Fault) -> String {
    match &fault.text {
        FaultText::Guided(guide) => first_line(&guide.what),
        FaultText::Plain(text) if fault.stage != Stage::Run => first_line(text),
        FaultText::Plain(_) => match fault.kind {
            FaultKind::AiFailed => "AI call failed.".into(),
            FaultKind::AiProvider => "AI provider error.".into(),
            FaultKind::AiLimited => "AI call refused by a limit.".into(),
            FaultKind::ToolFailed | FaultKind::ToolBlocked => "Tool call failed.".into(),
            FaultKind::Engine | FaultKind::Store | FaultKind::Limit => "Runtime error.".into(),
        },
    }
}

/// The whole report of a fault as plain text, without the source line.
///
/// A run fault has the sections `What happened`, `Why`, `How to fix`, `Where` and `Error id`; a load or config fault is
/// its raw text behind its place.
#[must_use]
pub fn text(fault: &Fault) -> String {
    if fault.stage != Stage::Run {
        return clean(&fault.located());
    }
    let what = headline(fault);
    let mut out = match fault.span {
        Some(Span { line, column, .. }) => format!("[line {line}, col {column}] error: {what}\n"),
        None => format!("error: {what}\n"),
    };
    let (why, fix) = causes(fault);
    section(&mut out, "What happened", &[what]);
    section(&mut out, "Why", &why);
    section(&mut out, "How to fix", &fix);
    section(&mut out, "Where", &whereabouts(fault));
    section(&mut out, "Error id", &error_id(fault).into_iter().collect::<Vec<_>>());
    clean(out.trim_end())
}

/// The report with the source line and a caret below it: what a command prints when its output is piped.
#[must_use]
pub fn text_with_source(fault: &Fault, source: &str) -> String {
    let mut out = text(fault);
    if let Some(lines) = fault.span.and_then(|span| snippet(source, span)) {
        out.push('\n');
        out.push_str(&lines);
    }
    out
}

/// The report for a reader at a terminal: headline, place, source line with caret, then why, fix and example.
#[must_use]
pub fn pretty(fault: &Fault, source: &str, file: &str, colour: bool) -> String {
    let paint = |code: &str, text: &str| {
        if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    };
    let what = match &fault.text {
        FaultText::Plain(text) => text.clone(),
        FaultText::Guided(guide) => guide.what.clone(),
    };
    let mut out = paint("1;31", &format!("{} error", fault.stage.name()));
    let _ = write!(out, ": {}", clean(what.trim_end()));
    if let Some(span) = fault.span {
        let place = format!("{file}:{}:{}", span.line, span.column);
        let _ = write!(out, "\n  {} {}", paint("34", "-->"), clean(&place));
        if let Some(lines) = snippet(source, span) {
            let _ = write!(out, "\n{lines}");
        }
    }
    if let FaultText::Guided(guide) = &fault.text {
        let Guide { why, fix, example, .. } = guide.as_ref();
        for (label, part) in [("why", why), ("fix", fix), ("example", example)] {
            let part = clean(part).replace('\n', "\n           ");
            let _ = write!(out, "\n  {} {part}", paint("36", &format!("{label:>7}:")));
        }
    }
    if let Some(id) = error_id(fault) {
        let _ = write!(out, "\n  {} {id}", paint("36", "     id:"));
    }
    out
}

/// The JSON payload of a failure: the first fault in full, all of them under `errors`.
#[must_use]
pub fn failure(faults: &[Fault]) -> Json {
    let errors: Vec<Json> = faults.iter().map(entry).collect();
    let Some(first) = faults.first() else {
        return json!({ "ok": false, "errors": errors });
    };
    json!({
        "ok": false,
        "error": text(first),
        "message": first.message(),
        "kind": first.kind.name(),
        "location": location(first),
        "errors": errors,
    })
}

fn entry(fault: &Fault) -> Json {
    let (why, fix) = causes(fault);
    json!({
        "category": fault.stage.name(),
        "code": error_id(fault).unwrap_or_else(|| format!("{}_error", fault.stage.name())),
        "message": fault.message(),
        "location": location(fault),
        "hint": why.join(" "),
        "remediation": fix.join(" "),
    })
}

fn location(fault: &Fault) -> Json {
    fault.span.map_or(Json::Null, |Span { line, column, .. }| json!({ "line": line, "column": column }))
}

/// Why it happened, and what to do about it.
fn causes(fault: &Fault) -> (Vec<String>, Vec<String>) {
    match &fault.text {
        FaultText::Plain(text) => (
            vec![format!("Error message: {text}")],
            vec!["Check the statement and the values it uses.".into()],
        ),
        FaultText::Guided(guide) => {
            let Guide { why, fix, example, .. } = guide.as_ref();
            (vec![why.clone()], vec![fix.clone(), format!("Example: {}", example.replace('\n', " / "))])
        }
    }
}

fn whereabouts(fault: &Fault) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(Place { flow, statement, index }) = fault.place.as_deref() {
        lines.push(format!("flow \"{flow}\""));
        lines.push(format!("statement {statement}"));
        lines.push(format!("statement index {index}"));
    }
    if let Some(Span { line, column, .. }) = fault.span {
        lines.push(format!("line {line}"));
        lines.push(format!("column {column}"));
    }
    lines
}

fn section(out: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = write!(out, "\n{title}\n");
    for line in lines {
        let line = line.replace('\n', " ");
        let _ = writeln!(out, "- {}", cut(&line, MAX_TEXT_CHARS));
    }
}

/// The first `chars` characters of `text`.
#[must_use]
pub fn cut(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(at, _)| &text[..at])
}

fn first_line(text: &str) -> String {
    cut(text.lines().next().unwrap_or_default(), MAX_TEXT_CHARS).to_owned()
}

/// `text` without characters that could steer a terminal.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(fault: Fault) -> Fault {
        let place = Place { flow: "check out-now".into(), statement: "for_each", index: 3 };
        Fault { place: Some(Box::new(place)), ..fault }
    }

    fn span() -> Option<Span> {
        Some(Span::new(2, 14, 1))
    }

    #[test]
    fn an_error_id_is_upper_case_and_has_no_other_characters() {
        let fault = placed(Fault::run("Division by zero.", span()));
        assert_eq!(error_id(&fault).as_deref(), Some("E-ENGINE-ENGINE_ERROR-CHECK_OUT_NOW-FOR_EACH-3"));
        let fault = fault.of_kind(FaultKind::AiProvider);
        assert_eq!(error_id(&fault).as_deref(), Some("E-AI-AI_PROVIDER_ERROR-CHECK_OUT_NOW-FOR_EACH-3"));
    }

    #[test]
    fn a_plain_run_fault_puts_its_sentence_under_why() {
        let fault = placed(Fault::run("Division by zero.", span()));
        let expected = "[line 2, col 14] error: Runtime error.\n\nWhat happened\n- Runtime error.\n\nWhy\n\
            - Error message: Division by zero.\n\nHow to fix\n- Check the statement and the values it uses.\n\n\
            Where\n- flow \"check out-now\"\n- statement for_each\n- statement index 3\n- line 2\n- column 14\n\n\
            Error id\n- E-ENGINE-ENGINE_ERROR-CHECK_OUT_NOW-FOR_EACH-3";
        assert_eq!(text(&fault), expected);
    }

    #[test]
    fn a_guided_run_fault_is_headed_by_what_happened() {
        let guide = Guide {
            what: "Division by zero.".into(),
            why: "The right side is 0.".into(),
            fix: "Check it first.".into(),
            example: "if n is not 0:".into(),
        };
        let shown = text(&Fault::run_guided(guide, span()));
        assert!(shown.starts_with("[line 2, col 14] error: Division by zero.\n"), "{shown}");
        assert!(shown.contains("Why\n- The right side is 0.\n"), "{shown}");
        assert!(shown.contains("How to fix\n- Check it first.\n- Example: if n is not 0:\n"), "{shown}");
    }

    #[test]
    fn texts_are_cut_at_two_hundred_characters() {
        let fault = Fault::run("\u{e9}".repeat(500), None);
        assert!(text(&fault).lines().all(|line| line.chars().count() <= 202));
    }

    #[test]
    fn a_program_cannot_steer_the_terminal() {
        let fault = Fault::load("bad \u{1b}[31m", Some(Span::new(1, 1, 1)));
        for shown in [text_with_source(&fault, "\u{1b}[2J"), pretty(&fault, "\u{1b}[2J", "\u{1b}", false)] {
            assert!(!shown.contains('\u{1b}'), "{shown:?}");
        }
    }

    #[test]
    fn json_of_a_failure_lists_every_fault() {
        let faults = [Fault::load("One.", span()), Fault::load("Two.", None)];
        let payload = failure(&faults);
        assert_eq!(payload["message"], "One.");
        assert_eq!(payload["location"], json!({ "line": 2, "column": 14 }));
        assert_eq!(payload["errors"][1]["message"], "Two.");
        assert_eq!(payload["errors"][1]["code"], "load_error");
    }
}
