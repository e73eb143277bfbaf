//! Server-sent events of this server, read one by one. Must not know what they say.

#![expect(clippy::panic, reason = "helpers of tests fail the way tests do")]

use reqwest::Response;
use serde_json::Value as Json;

/// A stream of events that is read one by one.
pub(crate) struct Events {
    response: Response,
    text: String,
}

impl Events {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.expect("the server answers");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next event or comment; nothing at the end.
    pub(crate) async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                return Some(block);
            }
            let chunk = self.response.chunk().await.expect("the stream ends well")?;
            self.text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
    }

    /// The next event's name and data.
    pub(crate) async fn next(&mut self) -> Option<(String, Json)> {
        loop {
            let block = self.block().await?;
            if block.starts_with(':') {
                continue;
            }
            let (name, data) = block.split_once('\n').unwrap_or_else(|| panic!("{block:?}"));
            let name = name.strip_prefix("event: ").expect("a name").to_owned();
            let data = serde_json::from_str(data.strip_prefix("data: ").expect("data")).expect("JSON");
            return Some((name, data));
        }
    }

    pub(crate) async fn call(&mut self) -> Json {
        let (name, data) = self.next().await.expect("a call");
        assert_eq!(name, "call", "{data}");
        data
    }
}
