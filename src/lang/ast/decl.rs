//! Declarations: what stands at the left margin of a program.

use std::sync::Arc;

use super::{Block, Expr, FieldValue, Name};
use crate::lang::span::Span;

/// The types a field may have. `list<T>`, `map<K, V>` and `T | null` keep what was written in `written`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeRef {
    /// What the type comes down to.
    pub kind: TypeKind,
    /// The type as written, without spaces; function contracts compare it (a generic never matches).
    pub written: Arc<str>,
    /// Its first token.
    pub span: Span,
}

/// What a type comes down to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeKind {
    /// `text`, `string`, `str`
    Text,
    /// `number`
    Number,
    /// `integer`, `int`: a number, kept apart only as written.
    Integer,
    /// `boolean`, `bool`
    Boolean,
    /// `json`
    Json,
    /// `list`, and `list<T>` with its items' type
    List(Option<Box<TypeKind>>),
    /// `map`, `map<K, V>`
    Map,
    /// Another word: a record, where records are allowed.
    Record(Arc<str>),
}

/// One line `name is [optional] type` of a contract, function, tool or route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDecl {
    /// The field; may have several words in tools and functions.
    pub name: Name,
    /// Its type.
    pub ty: TypeRef,
    /// Whether it may be missing.
    pub optional: bool,
}

/// `record "R":`
#[derive(Debug, Clone, PartialEq)]
pub struct RecordDecl {
    /// The record.
    pub name: Name,
    /// Fields in written order; their names differ.
    pub fields: Vec<RecordField>,
    /// `tenant_key is identity.a.b`: the words behind `identity`.
    pub tenant_key: Option<Vec<Name>>,
    /// `ttl_hours is N`, as written.
    pub ttl_hours: Option<Arc<str>>,
    /// `version "x"`
    pub version: Option<Name>,
    /// `shared`
    pub shared: bool,
    /// The `record` token.
    pub span: Span,
}

/// One field of a record or identity.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordField {
    /// The field.
    pub name: Name,
    /// Its type.
    pub ty: TypeRef,
    /// `must ...`
    pub constraint: Option<Constraint>,
}

/// What a field's value must satisfy. Numbers are literals as written, with a sign if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constraint {
    /// `must be present`
    Present,
    /// `must be unique`
    Unique,
    /// `must be greater than N`
    GreaterThan(Arc<str>),
    /// `must be less than N`
    LessThan(Arc<str>),
    /// `must be at least N`
    AtLeast(Arc<str>),
    /// `must be at most N`
    AtMost(Arc<str>),
    /// `must be between N and M`
    Between(Arc<str>, Arc<str>),
    /// `must be an integer`
    Integer,
    /// `must have length at least N`
    LengthAtLeast(Arc<str>),
    /// `must have length at most N`
    LengthAtMost(Arc<str>),
    /// `must match pattern "regex"`
    Pattern(Arc<str>),
}

/// `identity "user":`
#[derive(Debug, Clone, PartialEq)]
pub struct IdentityDecl {
    /// The quoted name.
    pub name: Name,
    /// Fields in written order.
    pub fields: Vec<RecordField>,
    /// `trust_level is one of "a", "b"`
    pub trust_levels: Option<Vec<Name>>,
    /// The `identity` token.
    pub span: Span,
}

/// `ai "name":`
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileDecl {
    /// The profile.
    pub name: Name,
    /// `provider is "x"`; `mock` when not written.
    pub provider: Name,
    /// `model is "x"`
    pub model: Name,
    /// `system_prompt is "x"`
    pub system_prompt: Option<Arc<str>>,
    /// Tools of the `tools:` block.
    pub tools: Vec<Name>,
    /// The `memory:` block.
    pub memory: MemoryDecl,
    /// The `ai` token.
    pub span: Span,
}

/// What a profile remembers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryDecl {
    /// `short_term is N`: items recalled at most, before a summary.
    pub short_term: u64,
    /// `semantic is true`; has no visible effect.
    pub semantic: bool,
    /// `profile is true`; has no visible effect.
    pub profile: bool,
}

/// `agent "name":`
#[derive(Debug, Clone, PartialEq)]
pub struct AgentDecl {
    /// The agent.
    pub name: Name,
    /// `ai is "profile"`; only an agent named by a team may lack it.
    pub profile: Option<Name>,
    /// `system_prompt is "x"`: replaces the profile's.
    pub system_prompt: Option<Arc<str>>,
    /// `role is "x"`: metadata.
    pub role: Option<Arc<str>>,
    /// The `agent` token.
    pub span: Span,
}

/// `team of agents`: metadata, checked for being true.
#[derive(Debug, Clone, PartialEq)]
pub struct TeamDecl {
    /// The agents it names.
    pub members: Vec<Name>,
    /// The `team` token.
    pub span: Span,
}

/// `tool "multi word name":`
#[derive(Debug, Clone, PartialEq)]
pub struct ToolDecl {
    /// The tool.
    pub name: Name,
    /// `implemented using X`
    pub runner: Name,
    /// Input fields.
    pub inputs: Vec<FieldDecl>,
    /// Output fields.
    pub outputs: Vec<FieldDecl>,
    /// `purity is "pure"`
    pub pure: bool,
    /// `timeout_seconds is N`
    pub timeout_seconds: Option<u64>,
    /// The `tool` token.
    pub span: Span,
}

/// `define function "name":`
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionDecl {
    /// The function.
    pub name: Name,
    /// Input fields.
    pub inputs: Vec<FieldDecl>,
    /// Output fields; `None` lets it return anything.
    pub outputs: Option<Vec<FieldDecl>>,
    /// What it does.
    pub body: Block,
    /// The `define` token.
    pub span: Span,
}

/// `contract flow "name":`
#[derive(Debug, Clone, PartialEq)]
pub struct ContractDecl {
    /// The flow.
    pub flow: Name,
    /// Input fields.
    pub inputs: Vec<FieldDecl>,
    /// Output fields.
    pub outputs: Vec<FieldDecl>,
    /// The `contract` token.
    pub span: Span,
}

/// `flow "name":`
#[derive(Debug, Clone, PartialEq)]
pub struct FlowDecl {
    /// The flow.
    pub name: Name,
    /// `requires E`
    pub requires: Option<Expr>,
    /// `audited`; accepted and ignored.
    pub audited: bool,
    /// `purity is "pure"`
    pub pure: bool,
    /// Statements, or the steps of the form without a colon.
    pub body: FlowBody,
    /// The `flow` token.
    pub span: Span,
}

/// The two forms of a flow.
#[derive(Debug, Clone, PartialEq)]
pub enum FlowBody {
    /// `flow "name":` and statements.
    Statements(Block),
    /// `flow "name"` without a colon: `input` lines, then steps.
    Steps {
        /// `input` lines; all are required.
        inputs: Vec<FieldDecl>,
        /// What is done, in order.
        steps: Vec<Step>,
    },
}

/// One step of a declarative flow.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What it is.
    pub kind: StepKind,
    /// Its first token.
    pub span: Span,
}

/// The forms of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum StepKind {
    /// `require "state.path"`
    Require(Name),
    /// `create "R"` with its lines
    Create {
        /// The record.
        record: Name,
        /// Lines `f is E`.
        fields: Vec<FieldValue>,
    },
    /// `update "R"` with `where "selector"` and its lines
    Update {
        /// The record.
        record: Name,
        /// The selector, read as an expression.
        selector: Expr,
        /// Lines `f is E`.
        fields: Vec<FieldValue>,
    },
    /// `delete "R"` with `where "selector"`
    Delete {
        /// The record.
        record: Name,
        /// The selector, read as an expression.
        selector: Expr,
    },
}

/// `llm_call "name":`
#[derive(Debug, Clone, PartialEq)]
pub struct LlmCallDecl {
    /// The flow it declares.
    pub name: Name,
    /// `model is "x"`
    pub model: Arc<str>,
    /// `prompt is "x"`
    pub prompt: Arc<str>,
    /// `output is type`
    pub output: Option<TypeRef>,
    /// The `llm_call` token.
    pub span: Span,
}

/// `prompt "name":`; metadata.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptDecl {
    /// The prompt.
    pub name: Name,
    /// `version is "x"`
    pub version: Arc<str>,
    /// `text is "x"`
    pub text: Arc<str>,
    /// `description is "x"`
    pub description: Option<Arc<str>>,
    /// The `prompt` token.
    pub span: Span,
}

/// `route "name":`
#[derive(Debug, Clone, PartialEq)]
pub struct RouteDecl {
    /// The route.
    pub name: Name,
    /// `path is "/a/{id}"`
    pub path: Name,
    /// `method is "GET"`, upper case.
    pub method: Name,
    /// Path and query parameters, converted before the flow runs.
    pub parameters: Vec<FieldDecl>,
    /// Fields of the request body.
    pub request: Vec<FieldDecl>,
    /// Fields of the reply.
    pub response: Vec<FieldDecl>,
    /// The flow that answers.
    pub flow: Name,
    /// The `route` token.
    pub span: Span,
}

/// `job "name":`
#[derive(Debug, Clone, PartialEq)]
pub struct JobDecl {
    /// The job.
    pub name: Name,
    /// `when E`
    pub when: Option<Expr>,
    /// What it does.
    pub body: Block,
    /// The `job` token.
    pub span: Span,
}
