//! Every example of `docs/language.md` and of `examples/` does what it says: it loads, its result is the one behind
//! `# =>`, and the line marked `# error:` is refused with these words.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::fault::Fault;
use super::format::format;
use super::load;
use super::machine::{Limits, Machine, Progress, World};
use super::memory::Memory;
use super::mock::{MockCall, answer};
use super::records::Store;
use super::value::{JsonStyle, Map, Value, parse_json};

/// One example of the page.
struct Example {
    /// Line of the page it begins at.
    line: usize,
    source: String,
}

fn examples() -> Vec<Example> {
    let page = include_str!("../../docs/language.md");
    let mut found = Vec::new();
    let mut open: Option<Example> = None;
    for (at, line) in page.lines().enumerate() {
        match &mut open {
            None if line == "```ai" => open = Some(Example { line: at + 2, source: String::new() }),
            None => {}
            Some(_) if line == "```" => found.extend(open.take()),
            Some(example) => example.source.extend([line, "\n"]),
        }
    }
    assert!(found.len() > 40, "only {} examples", found.len());
    found
}

/// The programs of `examples/`, by name.
fn programs() -> Vec<(String, Example)> {
    let folder =
        Path::new(file!()).ancestors().nth(3).expect("the file is three levels deep").join("examples");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the examples are here") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|extension| extension == "ai") {
            let source = fs::read_to_string(&path).expect("text");
            found.push((path.display().to_string(), Example { line: 1, source }));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(found.len() >= 7, "only {} examples", found.len());
    found
}

const DECLARATIONS: [&str; 16] = [
    "spec",
    "capabilities",
    "identity",
    "record",
    "ai",
    "agent",
    "team",
    "tool",
    "define",
    "contract",
    "flow",
    "llm_call",
    "prompt",
    "route",
    "job",
    "page",
];

impl Example {
    /// What stands behind a mark such as `# => `, first on its line or at its end.
    fn mark(&self, mark: &str) -> Option<&str> {
        self.source.lines().find_map(|line| line.split_once(mark).map(|(_, rest)| rest.trim()))
    }

    fn value(&self, mark: &str) -> Option<Value> {
        self.mark(mark)
            .map(|text| parse_json(text).unwrap_or_else(|_| panic!("line {}: {text} is no JSON", self.line)))
    }

    /// The whole program; the example's own line numbers start behind the added ones.
    fn program(&self) -> (String, usize) {
        let first = self.source.lines().find(|line| !line.starts_with('#')).unwrap_or_default();
        let word = first.split([' ', ':']).next().unwrap_or_default();
        if self.source.contains("spec is ") {
            return (self.source.clone(), 0);
        }
        if DECLARATIONS.contains(&word) {
            return (format!("spec is \"1.0\"\n\n{}", self.source), 2);
        }
        let mut body = String::new();
        let mut inside = false;
        for line in self.source.lines() {
            // A text over several lines must keep its spaces.
            body.push_str(if inside { "" } else { "  " });
            body.push_str(line);
            body.push('\n');
            inside ^= line.matches("\"\"\"").count() % 2 == 1;
        }
        (format!("spec is \"1.0\"\n\nflow \"main\":\n{body}"), 3)
    }
}

/// Runs the last flow of the program with the mock.
fn run(example: &Example, source: &str) -> Result<Value, Vec<Fault>> {
    let app = Arc::new(load(source)?);
    let tree = app.tree();
    let flows = tree.flows.iter().map(|flow| &flow.name).chain(tree.llm_calls.iter().map(|call| &call.name));
    let Some(flow) = flows.last().map(|name| Arc::clone(&name.text)) else { return Ok(Value::Null) };
    let world = World {
        identity: example.value("# identity: ").and_then(|value| value.as_map().cloned()),
        state: Map::default(),
        store: Store::new(),
        memory: Memory::new(),
        limits: Limits::default(),
        observing: true,
        now_ms: None,
    };
    let input = example.value("# input: ").unwrap_or_else(|| Value::fields([]));
    let mut run = Machine::start(app, &flow, input, world);
    loop {
        match run.advance(10_000) {
            Progress::Blocked(asks) => {
                for ask in asks {
                    let call = MockCall {
                        model: &ask.model,
                        system_prompt: ask.system_prompt.as_deref(),
                        input: &ask.input,
                        recalled: ask.mock_recalled(),
                    };
                    run.resolve(ask.id, Ok(answer(call).into()));
                }
            }
            Progress::Spent => {}
            Progress::Wants(_) => unreachable!("records in memory want nothing"),
            Progress::Done(outcome) => return outcome.result.map_err(|fault| vec![*fault]),
        }
    }
}

/// What is wrong with an example, or nothing.
fn verdict(example: &Example) -> Result<(), String> {
    let (source, added) = example.program();
    let ran = run(example, &source);
    let marked =
        example.source.lines().enumerate().find_map(|(at, line)| Some((at, line.split_once("# error: ")?.1)));
    match (ran, marked) {
        (Ok(_), Some((_, words))) => Err(format!("is not refused: {words}")),
        (Err(faults), Some((at, words))) => {
            let line = u32::try_from(at + added + 1).map_err(|err| err.to_string())?;
            let hit = |fault: &Fault| {
                fault.message().contains(words) && fault.span.is_some_and(|it| it.line == line)
            };
            if faults.iter().any(hit) { Ok(()) } else { Err(format!("line {line}: {words}: {faults:?}")) }
        }
        (Err(faults), None) => Err(format!("{faults:?}")),
        (Ok(result), None) => match example.value("# => ") {
            Some(promised)
                if promised.to_json(JsonStyle::Canonical) != result.to_json(JsonStyle::Canonical) =>
            {
                Err(format!("gives {}", result.to_json(JsonStyle::Canonical)))
            }
            _ => Ok(()),
        },
    }
}

#[test]
fn every_example_of_the_page_does_what_it_says() {
    let mut wrong = Vec::new();
    for example in examples() {
        if let Err(why) = verdict(&example) {
            wrong.push(format!("line {}: {why}", example.line));
        }
    }
    assert!(wrong.is_empty(), "{} examples:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_program_of_the_page_is_laid_out_as_the_formatter_would() {
    for example in examples() {
        let (source, added) = example.program();
        if added == 3 || load(&source).is_err() {
            continue;
        }
        assert_eq!(format(&source).expect("it loads"), source, "line {}", example.line);
    }
}

#[test]
fn every_program_of_the_examples_does_what_it_says() {
    for (name, example) in programs() {
        assert_eq!(verdict(&example), Ok(()), "{name}");
        assert!(example.mark("# => ").is_some(), "{name} promises nothing");
        assert_eq!(format(&example.source).as_ref(), Ok(&example.source), "{name}");
    }
}
