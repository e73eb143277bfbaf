//! Apps as they are served: a whole server with an app in a folder of its own, on a real socket.
//!
//! Owns the folder and the words of small apps; each part is a subject.

mod conformance;
mod examples;
mod limits;
mod paths;
mod races;
mod rules;
mod shown;
mod start;
mod streams;
mod tokens;

use reqwest::Method;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::server::{Answer, Gateway, send};

/// A served app and the folder it lies in.
struct Site {
    gateway: Gateway,
    folder: TempDir,
}

impl Site {
    /// Serves an app with what stands beside it.
    fn with(source: &str, toml: Option<&str>, env: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("the folder takes a file");
        };
        write("app.ai", source);
        if let Some(toml) = toml {
            write("namel3ss.toml", toml);
        }
        let gateway = Gateway::serving(folder.path(), env);
        Self { gateway, folder }
    }

    /// Serves an app, its header left out, with nothing beside it.
    fn of(source: &str) -> Self {
        Self::with(&format!("spec is \"1.0\"\n\n{source}"), None, &[])
    }

    async fn ask(&self, method: Method, path: &str, body: Option<String>) -> Answer {
        let request = self.gateway.request(method, path);
        send(match body {
            Some(body) => request.header("content-type", "application/json").body(body),
            None => request,
        })
        .await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: &Json) -> Answer {
        self.ask(Method::POST, path, Some(body.to_string())).await
    }
}

/// A route to a flow of its own name.
fn route(flow: &str, method: &str, path: &str) -> String {
    format!(
        "\nroute \"{flow}\":\n  path is \"{path}\"\n  method is \"{method}\"\n  request:\n    unused is text\n  \
         response:\n    value is json\n  flow is \"{flow}\"\n"
    )
}
