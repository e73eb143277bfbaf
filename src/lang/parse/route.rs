//! Routes: which flow answers which request.

use super::super::ast::{FieldDecl, Name, Program, RouteDecl};
use super::super::span::Span;
use super::{Parsed, Parser, guided, plain};

/// Lines of a route as they are read.
#[derive(Default)]
struct Draft {
    path: Option<Name>,
    method: Option<Name>,
    parameters: Vec<FieldDecl>,
    request: Option<Vec<FieldDecl>>,
    response: Option<Vec<FieldDecl>>,
    flow: Option<Name>,
}

impl Parser<'_, '_> {
    /// `route "name":`
    pub(super) fn route_decl(&mut self, program: &mut Program) -> Parsed<()> {
        let span = self.cursor.next().span;
        let name = self.cursor.text("route name")?;
        self.cursor.expect_sign(":", "after route name")?;
        let mut draft = Draft::default();
        if !self.settings("route", |parser| draft.read(parser))? {
            return Ok(());
        }
        let Draft { path, method, parameters, request, response, flow } = draft;
        let path = path.ok_or_else(|| missing("a path", span))?;
        let method = method.ok_or_else(|| missing("a method", span))?;
        let request = request.ok_or_else(|| missing("a request block", span))?;
        let response = response.ok_or_else(|| missing("a response block", span))?;
        let flow = flow.ok_or_else(|| missing("a flow", span))?;
        program.routes.push(RouteDecl { name, path, method, parameters, request, response, flow, span });
        Ok(())
    }
}

fn missing(part: &str, span: Span) -> Box<super::super::fault::Fault> {
    let refused: Parsed<()> = guided(
        format!("Route is missing {part}"),
        [
            "A route says path, method, request, response and flow, even where the request carries nothing.",
            "Add it.",
            "route \"show\":\n  path is \"/api/items\"\n  method is \"GET\"\n  request:\n    unused is text\n  response:\n    id is number\n  flow is \"show\"",
        ],
        span,
    );
    refused.expect_err("a guided fault is always a refusal")
}

impl Draft {
    fn read(&mut self, parser: &mut Parser<'_, '_>) -> Parsed<()> {
        let setting = parser.cursor.any_word("a route setting")?;
        match setting.text.as_ref() {
            "path" => self.path = Some(parser.cursor.is_text("route path")?),
            "method" => self.method = Some(Self::method(parser)?),
            "flow" => self.flow = Some(parser.cursor.is_text("flow name")?),
            "parameters" => self.parameters = Self::fields(parser, "parameters")?,
            "request" => self.request = Some(Self::fields(parser, "request")?),
            "response" => self.response = Some(Self::fields(parser, "response")?),
            _ => return plain("Unknown field in route declaration", setting.span),
        }
        Ok(())
    }

    fn fields(parser: &mut Parser<'_, '_>, block: &str) -> Parsed<Vec<FieldDecl>> {
        let span = parser.cursor.span();
        let fields = parser.field_block(&format!("route {block}"))?;
        if fields.is_empty() { plain(format!("Route {block} block has no fields"), span) } else { Ok(fields) }
    }

    fn method(parser: &mut Parser<'_, '_>) -> Parsed<Name> {
        let method = parser.cursor.is_text("route method")?;
        let upper = method.text.to_uppercase();
        if matches!(upper.as_str(), "GET" | "POST" | "PUT" | "PATCH" | "DELETE") {
            return Ok(Name::new(upper, method.span));
        }
        plain(format!("Unknown route method '{}'.", method.text), method.span)
    }
}
