//! Owns which paths belong to the server whatever an app says, and the fault of an app that claims one.

use crate::lang::ast::Program;
use crate::lang::fault::{Fault, Guide};

/// Paths no app may answer, each with everything below it.
const RESERVED: [&str; 5] = ["/v1", "/mcp", "/ws", "/metrics", "/api/v1"];
/// What of them is an app's all the same.
const GIVEN_BACK: [&str; 2] = ["/api/v1/ui", "/api/v1/actions"];

/// Whether the server answers this path itself.
#[must_use]
pub fn is_reserved(path: &str) -> bool {
    RESERVED.iter().any(|kept| is_below(path, kept)) && !GIVEN_BACK.iter().any(|kept| is_below(path, kept))
}

fn is_below(path: &str, kept: &str) -> bool {
    path.strip_prefix(kept).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// One load fault for each route that claims a path of the server.
#[must_use]
pub fn reserved_claims(tree: &Program) -> Vec<Fault> {
    let claims = tree.routes.iter().filter(|route| is_reserved(&route.path.text));
    let fault = |route: &crate::lang::ast::RouteDecl| {
        let (name, path) = (&route.name.text, &route.path.text);
        let guide = Guide {
            what: format!("Route '{name}' claims the reserved path '{path}'."),
            why: format!(
                "The server answers {} itself, so requests for this path would never reach the app.",
                RESERVED.join(", ")
            ),
            fix: "Give the route another path.".to_owned(),
            example: format!("path is \"/api/{}\"", name.to_lowercase().replace(' ', "_")),
        };
        Fault::load_guided(guide, Some(route.path.span))
    };
    claims.map(fault).collect()
}
