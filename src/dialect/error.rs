//! The error bodies of each door, and what may be passed on of an upstream's.
//!
//! Owns shapes and sanitising. Which status an error has and whether it is retried is decided by
//! the callers.

use tidegate_actors::json::{Document, JsonLimits, Kind, Node};

use super::write::Obj;

/// Characters of an upstream's message that are passed on.
const MAX_MESSAGE: usize = 1_000;

/// A request that its door refuses with status 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadRequest {
    /// What is wrong, the offending value, the limit, what to do.
    pub message: String,
    /// Path of the field, such as `input[3]`.
    pub param: Option<String>,
    /// A stable word for programs.
    pub code: &'static str,
}

impl BadRequest {
    /// A field with a value we cannot take.
    pub fn field(param: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self { message: message.into(), param: Some(param.into()), code }
    }

    /// A field of the wrong type.
    pub fn wrong_type(param: &str, wanted: &str, found: Node<'_>) -> Self {
        let message = format!("{param} must be {wanted}, not {}", found.kind().name());
        Self::field(param, "invalid_type", message)
    }

    /// A field that has to be there.
    pub fn missing(param: &str) -> Self {
        Self::field(param, "missing_required_parameter", format!("missing required parameter {param}"))
    }

    /// The body is not the JSON we accept.
    pub fn json(fault: &tidegate_actors::json::JsonFault) -> Self {
        Self { message: format!("the body is not valid JSON: {fault}"), param: None, code: "invalid_json" }
    }

    /// The body in the OpenAI shape.
    pub fn openai(&self) -> Vec<u8> {
        openai(&self.message, "invalid_request_error", self.param.as_deref(), Some(self.code))
    }

    /// The body in the Anthropic shape.
    pub fn anthropic(&self, request_id: Option<&str>) -> Vec<u8> {
        anthropic("invalid_request_error", &self.message, request_id)
    }
}

/// `{"error":{message,type,param,code}}`. `code` is a word or null, never a number: SDKs compare
/// it with words.
pub fn openai(message: &str, kind: &str, param: Option<&str>, code: Option<&str>) -> Vec<u8> {
    openai_limited(message, kind, param, code, None)
}

/// The same, with the limit that was used up as one more member of the error.
pub fn openai_limited(
    message: &str,
    kind: &str,
    param: Option<&str>,
    code: Option<&str>,
    limit: Option<&Limit<'_>>,
) -> Vec<u8> {
    let error = Obj::new().str("message", message).str("type", kind);
    let error = told(error.opt_str("param", param).opt_str("code", code), limit);
    Obj::new().raw("error", error.finish()).finish()
}

/// A limit that was used up, as every shape tells it.
#[derive(Debug, Clone, Copy)]
pub struct Limit<'a> {
    /// Which.
    pub name: &'a str,
    /// Whose.
    pub subject: &'a str,
    /// How much of it is used, as JSON.
    pub used: &'a str,
    /// How much there is, as JSON.
    pub limit: &'a str,
    /// When it may be asked again, RFC 3339; nothing where that never helps.
    pub reset_at: Option<&'a str>,
}

fn told(error: Obj, limit: Option<&Limit<'_>>) -> Obj {
    let Some(Limit { name, subject, used, limit, reset_at }) = limit else { return error };
    let told = Obj::new().str("name", name).str("subject", subject);
    let told = told.raw("used", used).raw("limit", limit).opt_str("reset_at", *reset_at);
    error.raw("limit", told.finish())
}

/// `{"type":"error","error":{type,message},"request_id"}`.
pub fn anthropic(kind: &str, message: &str, request_id: Option<&str>) -> Vec<u8> {
    anthropic_limited(kind, message, request_id, None)
}

/// The same, with the limit that was used up as one more member of the error.
pub fn anthropic_limited(
    kind: &str,
    message: &str,
    request_id: Option<&str>,
    limit: Option<&Limit<'_>>,
) -> Vec<u8> {
    let error = told(Obj::new().str("type", kind).str("message", message), limit).finish();
    let body = Obj::new().str("type", "error").raw("error", error);
    match request_id {
        Some(id) => body.str("request_id", id).finish(),
        None => body.finish(),
    }
}

/// An error of `/api/v1`, where the caller is a program of ours.
#[derive(Debug, Clone, Copy)]
pub struct ApiError<'a> {
    /// For people.
    pub message: &'a str,
    /// Class, such as `invalid_request`.
    pub kind: &'a str,
    /// Path of the field at fault.
    pub param: Option<&'a str>,
    /// A stable word for programs.
    pub code: Option<&'a str>,
    /// Stage of the path that refused.
    pub stage: &'a str,
    /// `caller`, `us` or `upstream`.
    pub blame: &'a str,
    /// `never`, `safe` or `after`.
    pub retry: &'a str,
    /// The call, if one was opened.
    pub call_id: Option<&'a str>,
    /// The limit that was used up, if that is why.
    pub limit: Option<&'a Limit<'a>>,
}

/// `{"error":{message,type,param,code,stage,blame,retry,call_id}}`.
pub fn api_v1(error: &ApiError<'_>) -> Vec<u8> {
    let ApiError { message, kind, param, code, stage, blame, retry, call_id, limit } = *error;
    let body = Obj::new().str("message", message).str("type", kind);
    let body = body.opt_str("param", param).opt_str("code", code).str("stage", stage);
    let body = body.str("blame", blame).str("retry", retry).opt_str("call_id", call_id);
    Obj::new().raw("error", told(body, limit).finish()).finish()
}

/// The `type` OpenAI uses for a status.
pub fn openai_type(status: u16) -> &'static str {
    match status {
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        // 401 too, as OpenAI has it.
        400..500 => "invalid_request_error",
        _ => "server_error",
    }
}

/// The `type` Anthropic uses for a status.
pub fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        503 | 529 => "overloaded_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    }
}

/// What may be passed on of an upstream's error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamError {
    /// Shortened, without control characters and without anything that looks like a key.
    pub message: String,
    /// The upstream's `type`, if it gave a word.
    pub kind: Option<String>,
    /// The upstream's `param`.
    pub param: Option<String>,
    /// The upstream's `code`; a number is written as a word.
    pub code: Option<String>,
}

impl UpstreamError {
    /// Reads an error body of any vendor, or of a proxy in between. Never fails: what cannot be
    /// read becomes a message that says so.
    pub fn read(status: u16, body: &bytes::Bytes) -> Self {
        let doc = Document::parse(body.clone(), JsonLimits { max_depth: 32, max_nodes: 4096 });
        let Ok(doc) = doc else { return Self::opaque(status, body) };
        Self::in_json(doc.root()).unwrap_or_else(|| Self::opaque(status, body))
    }

    /// The error inside a JSON body or a stream chunk: `{"error":{..}}`, `{"error":"text"}`,
    /// `{"message":..}` or `{"detail":..}`; `None` if there is no message in it.
    pub fn in_json(root: Node<'_>) -> Option<Self> {
        let holder = root.get("error").filter(|error| !error.is_null()).unwrap_or(root);
        if let Some(message) = holder.as_str() {
            return Some(Self { message: clean(&message), kind: None, param: None, code: None });
        }
        let message = holder.get("message").or_else(|| holder.get("detail"))?;
        let message = match message.as_str() {
            Some(text) => clean(&text),
            None => clean(&String::from_utf8_lossy(message.raw())),
        };
        let word = |name| holder.get(name).and_then(word);
        Some(Self { message, kind: word("type"), param: word("param"), code: word("code") })
    }

    /// An error that says nothing.
    pub fn silent() -> Self {
        let message = "the upstream sent an error without a message".to_owned();
        Self { message, kind: None, param: None, code: None }
    }

    fn opaque(status: u16, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&body[..body.len().min(4 * MAX_MESSAGE)]);
        let text = text.trim();
        let message = match text {
            "" => format!("the upstream answered {status} with an empty body"),
            _ if text.starts_with('<') => format!("the upstream answered {status} with an HTML page"),
            _ if text.starts_with(['{', '[']) => {
                format!("the upstream answered {status} with JSON that holds no message")
            }
            text => format!("the upstream answered {status}: {}", clean(text)),
        };
        Self { message, kind: None, param: None, code: None }
    }

    /// The body in the OpenAI shape, `status` standing in for a missing type.
    pub fn openai(&self, status: u16) -> Vec<u8> {
        let kind = self.kind.as_deref().unwrap_or(openai_type(status));
        openai(&self.message, kind, self.param.as_deref(), self.code.as_deref())
    }

    /// The body in the Anthropic shape, `status` standing in for a missing type.
    pub fn anthropic(&self, status: u16, request_id: Option<&str>) -> Vec<u8> {
        let kind = self.kind.as_deref().unwrap_or(anthropic_type(status));
        anthropic(kind, &self.message, request_id)
    }
}

fn word(node: Node<'_>) -> Option<String> {
    match node.kind() {
        Kind::String => node.as_str().map(|text| clean(&text)).filter(|text| !text.is_empty()),
        Kind::Number => node.number_text().map(str::to_owned),
        _ => None,
    }
}

/// One line, of bounded length, keys masked.
fn clean(text: &str) -> String {
    let mut out = String::new();
    for word in text.split(|letter: char| letter.is_whitespace() || letter.is_control()) {
        if word.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        push_masked(word, &mut out);
        if let Some((cut, _)) = out.char_indices().nth(MAX_MESSAGE) {
            out.truncate(cut);
            return out;
        }
    }
    out
}

/// Upstreams quote the key they refuse, and it is ours: `sk-..`, `sk_..`, `Bearer`-like runs.
fn push_masked(word: &str, out: &mut String) {
    const MARKS: [&str; 4] = ["sk-", "sk_", "gsk_", "tg_"];
    let part = |letter: char| letter.is_ascii_alphanumeric() || "-_*".contains(letter);
    let mut rest = word;
    while let Some(start) = rest.find(part) {
        out.push_str(&rest[..start]);
        let run = &rest[start..];
        let (run, tail) = run.split_at(run.find(|letter| !part(letter)).unwrap_or(run.len()));
        match MARKS.iter().find(|mark| run.starts_with(**mark) && run.len() >= mark.len() + 4) {
            Some(mark) => {
                out.push_str(mark);
                out.push_str("***");
            }
            None => out.push_str(run),
        }
        rest = tail;
    }
    out.push_str(rest);
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
