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
        let path = path.filter(|path| !path.text.is_empty()).ok_or_else(|| missing("a path", span))?;
        let method = method.ok_or_else(|| missing("a method", span))?;
        if !matches!(method.text.as_ref(), "GET" | "POST" | "PUT" | "PATCH" | "DELETE") {
            return plain(format!("Unsupported HTTP method '{}'.", method.text), span);
        }
        let response = response.ok_or_else(|| missing("a response block", span))?;
        let flow = flow.ok_or_else(|| missing("a flow", span))?;
        let request = request.ok_or_else(|| missing("a request block", span))?;
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
            "parameters" => self.parameters = Self::fields(parser, "Parameters")?,
            "request" => self.request = Some(Self::fields(parser, "Request")?),
            "response" => self.response = Some(Self::fields(parser, "Response")?),
            "upload" => return plain("Route field 'upload' is not supported by this runtime.", setting.span),
            other => return plain(format!("Unknown route field '{other}'."), setting.span),
        }
        Ok(())
    }

    fn fields(parser: &mut Parser<'_, '_>, block: &str) -> Parsed<Vec<FieldDecl>> {
        parser.cursor.expect_sign(":", &format!("after {}", block.to_lowercase()))?;
        let (before, span) = (parser.faults.len(), parser.cursor.block_span());
        let fields = parser.field_lines(&format!("route {}", block.to_lowercase()))?;
        if fields.is_empty() && parser.faults.len() == before {
            return plain(format!("{block} block has no fields."), span);
        }
        Ok(fields)
    }

    fn method(parser: &mut Parser<'_, '_>) -> Parsed<Name> {
        let method = parser.cursor.is_text("route method")?;
        Ok(Name::new(method.text.to_uppercase(), method.span))
    }
}
