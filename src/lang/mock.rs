//! Owns what the mock provider answers: a pure function of the call, so that programs can be pinned to it. Must not
//! know how a call is queued, cached or counted.

use super::value::{Value, parse_json};

/// What the mock sees of a call.
#[derive(Clone, Copy, Debug)]
pub struct MockCall<'c> {
    /// Model of the profile.
    pub model: &'c str,
    /// System prompt of the agent or profile; an empty one counts as none.
    pub system_prompt: Option<&'c str>,
    /// The text sent.
    pub input: &'c str,
    /// How many items of short-term memory the call recalls; none for calls without the note (profiles that expose
    /// tools, one-shot calls).
    pub recalled: Option<usize>,
}

/// The answer of the mock.
pub fn answer(call: MockCall<'_>) -> String {
    let prompt = call.system_prompt.filter(|prompt| !prompt.is_empty());
    if prompt.is_none()
        && let Some(context) = quoted_context(call.input)
    {
        return context;
    }
    let mut answer = format!("[{}] ", call.model);
    if let Some(prompt) = prompt {
        answer.push_str(prompt);
        answer.push_str(" :: ");
    }
    answer.push_str(call.input);
    if let Some(recalled) = call.recalled {
        answer.push_str(&format!(" | mem:st={recalled}"));
    }
    answer
}

/// The context of an input that is JSON with the texts `context` and `query`: without a prompt it comes back alone.
fn quoted_context(input: &str) -> Option<String> {
    // Most inputs are no JSON; looking is cheaper than reading.
    let value = input.trim_start().starts_with('{').then(|| parse_json(input).ok())??;
    let map = value.as_map()?;
    map.get("query").and_then(Value::as_text)?;
    Some(map.get("context").and_then(Value::as_text)?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_repeats_model_prompt_input_and_memory() {
        let call = MockCall { model: "m", system_prompt: None, input: "hi", recalled: Some(2) };
        assert_eq!(answer(call), "[m] hi | mem:st=2");
        assert_eq!(answer(MockCall { system_prompt: Some("P"), ..call }), "[m] P :: hi | mem:st=2");
        assert_eq!(answer(MockCall { recalled: None, ..call }), "[m] hi");
    }

    #[test]
    fn a_question_with_context_and_without_a_prompt_answers_the_context() {
        let input = r#"{"context":"the sky","query":"what?"}"#;
        let call = MockCall { model: "m", system_prompt: None, input, recalled: Some(0) };
        assert_eq!(answer(call), "the sky");
        let prompted = answer(MockCall { system_prompt: Some("P"), ..call });
        assert_eq!(prompted, format!("[m] P :: {input} | mem:st=0"));
        let number = MockCall { input: r#"{"context":1,"query":"q"}"#, ..call };
        assert_eq!(answer(number), r#"[m] {"context":1,"query":"q"} | mem:st=0"#);
    }
}
