//! Owns which route answers a request, with which input, and how what its flow came to is answered. Pure; must not know
//! sockets or run anything.

mod claims;
mod input;
mod reply;

use std::sync::Arc;

use crate::lang::ast::{FieldDecl, Program, RouteDecl};
use crate::lang::fault::Fault;

pub use claims::{is_reserved, reserved_claims};
pub use input::{BodyFault, body, query};
pub use reply::{Reply, problem, refused, status};

/// The routes of an app.
#[derive(Debug, Default)]
pub struct Routes {
    routes: Vec<Arc<Route>>,
}

/// One route.
#[derive(Debug)]
pub struct Route {
    /// As it is declared.
    pub name: Arc<str>,
    /// The flow that answers.
    pub flow: Arc<str>,
    method: Arc<str>,
    segments: Vec<Segment>,
    parameters: Vec<FieldDecl>,
    response: Vec<Arc<str>>,
}

/// One part of a path.
#[derive(Debug)]
enum Segment {
    Literal(Arc<str>),
    Parameter(Arc<str>),
}

/// A route and what its parameters are in a path, raw.
#[derive(Debug)]
pub struct Found<'r> {
    /// The route.
    pub route: &'r Arc<Route>,
    captures: Vec<(&'r Arc<str>, String)>,
}

impl Routes {
    /// Reads the routes of a checked program.
    ///
    /// # Errors
    /// One load fault for each route that claims a path of the server itself.
    pub fn new(tree: &Program) -> Result<Self, Vec<Fault>> {
        let faults = reserved_claims(tree);
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut routes: Vec<Arc<Route>> =
            tree.routes.iter().map(|route| Arc::new(Route::of(route))).collect();
        // Of several that match the last name answers: it is looked at first.
        routes.sort_by(|a, b| b.name.cmp(&a.name));
        Ok(Self { routes })
    }

    /// The route that answers. Paths the server keeps for itself have none.
    #[must_use]
    pub fn find(&self, method: &str, path: &str) -> Option<Found<'_>> {
        let parts = parts(path);
        if is_reserved(path) {
            return None;
        }
        self.routes.iter().filter(|route| &*route.method == method).find_map(|route| route.matched(&parts))
    }

    /// Whether there are any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.routes.len()
    }
}

impl Route {
    fn of(route: &RouteDecl) -> Self {
        Self {
            name: Arc::clone(&route.name.text),
            flow: Arc::clone(&route.flow.text),
            method: Arc::clone(&route.method.text),
            segments: parts(&route.path.text).into_iter().map(Segment::of).collect(),
            parameters: route.parameters.clone(),
            response: route.response.iter().map(|field| Arc::clone(&field.name.text)).collect(),
        }
    }

    /// Whether its path is one path only, without parameters.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.segments.iter().all(|segment| matches!(segment, Segment::Literal(_)))
    }

    fn matched<'r>(self: &'r Arc<Self>, parts: &[&str]) -> Option<Found<'r>> {
        if parts.len() != self.segments.len() {
            return None;
        }
        let mut captures = Vec::new();
        for (segment, part) in self.segments.iter().zip(parts) {
            match segment {
                Segment::Literal(text) if **text == **part => {}
                Segment::Parameter(name) if !part.is_empty() => captures.push((name, (*part).to_owned())),
                _ => return None,
            }
        }
        Some(Found { route: self, captures })
    }
}

impl Segment {
    fn of(part: &str) -> Self {
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => Self::Parameter(name.trim().into()),
            None => Self::Literal(part.into()),
        }
    }
}

/// The parts of a path; a slash at its end means nothing.
fn parts(path: &str) -> Vec<&str> {
    path.trim_end_matches('/').trim_start_matches('/').split('/').collect()
}

#[cfg(test)]
mod tests;
