//! Expressions. The span of an expression is the place a failure of it is reported at.

use std::sync::Arc;

use super::Name;
use crate::lang::span::Span;

/// One expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Operators: the operator token; comparisons: the `is`; calls: the `call`; everything else its first token.
    pub span: Span,
}

/// The forms of an expression.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// Digits, optionally a dot and digits, as written.
    Number(Arc<str>),
    /// A text without quotes, escapes resolved.
    Text(Arc<str>),
    /// `x`, `input`, `identity.role`, `a.b.c`: a local or one of the given maps, then attributes.
    Name {
        /// The first word.
        root: Arc<str>,
        /// The words behind the dots.
        attrs: Vec<Name>,
    },
    /// `state.a.b`; at least one word.
    State(Vec<Name>),
    /// `+ e`, `- e`, `not e`
    Unary(UnaryOp, Box<Expr>),
    /// Two operands; `and` and `or` do not evaluate the right one when the left one decides.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `e is between a and b`; all three must be numbers.
    Between {
        /// The value looked at.
        value: Box<Expr>,
        /// Lower bound.
        low: Box<Expr>,
        /// Upper bound.
        high: Box<Expr>,
        /// `strictly`: the bounds themselves do not count.
        strict: bool,
    },
    /// `e is one of ...`; the choices are text, number or boolean literals.
    OneOf(Box<Expr>, Vec<Expr>),
    /// `base[index]`
    Index(Box<Expr>, Box<Expr>),
    /// `.name` behind an index: like `map get`.
    Attr(Box<Expr>, Name),
    /// A list literal.
    List(Vec<Expr>),
    /// A map literal, in written order, duplicates included.
    Map(Vec<(Name, Expr)>),
    /// `list length of E` and its kin, with one to three operands in written order.
    Collection(CollectionOp, Vec<Expr>),
    /// `sum(E)` and its kin.
    Aggregate(AggregateOp, Box<Expr>),
    /// `map E with item as x:` and `filter E with item as x:`
    Each {
        /// Whether items are replaced or selected.
        op: EachOp,
        /// The list.
        list: Box<Expr>,
        /// The item's name inside the body.
        item: Name,
        /// The one expression of the body.
        body: Box<Expr>,
    },
    /// `reduce E with acc as a and item as x starting S:`
    Reduce {
        /// The list.
        list: Box<Expr>,
        /// The accumulator's name inside the body.
        acc: Name,
        /// The item's name inside the body.
        item: Name,
        /// The first value of the accumulator.
        start: Box<Expr>,
        /// The one expression of the body.
        body: Box<Expr>,
    },
    /// `has_role(E)`, `has_permission(E)`
    Builtin(Builtin, Box<Expr>),
    /// `call function "f":`
    CallFunction {
        /// The function.
        function: Name,
        /// Its arguments in written order.
        args: Vec<(Name, Expr)>,
    },
    /// `call flow "g":`
    CallFlow {
        /// The flow.
        flow: Name,
        /// Lines of its `input:` block.
        inputs: Vec<(Name, Expr)>,
        /// Names of its `output:` block.
        outputs: Vec<Name>,
    },
    /// `multi word name:` with the tool's input fields.
    CallTool {
        /// The tool.
        tool: Name,
        /// Its input in written order.
        args: Vec<(Name, Expr)>,
    },
    /// `async call ...` or `async <tool>:`; only as the value of `let`.
    Async(Box<Expr>),
    /// `latest "R"`
    Latest(Name),
}

/// Operators with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOp {
    /// `+ e`
    Plus,
    /// `- e`
    Minus,
    /// `not e`
    Not,
}

/// Operators with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOp {
    /// `or`
    Or,
    /// `and`
    And,
    /// `is`, `is equal to`
    Equal,
    /// `is not`, `is not equal to`
    NotEqual,
    /// `is greater than`
    Greater,
    /// `is less than`
    Less,
    /// `is at least`
    AtLeast,
    /// `is at most`
    AtMost,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `**`
    Power,
}

impl BinaryOp {
    /// The word or sign used in messages.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Equal => "is",
            Self::NotEqual => "is not",
            Self::Greater => "is greater than",
            Self::Less => "is less than",
            Self::AtLeast => "is at least",
            Self::AtMost => "is at most",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Power => "**",
        }
    }
}

/// Operations on lists and maps written in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CollectionOp {
    /// `list length of E`
    ListLength,
    /// `list append E with E`
    ListAppend,
    /// `list get E at E`
    ListGet,
    /// `map get E key E`
    MapGet,
    /// `map set E key E value E`
    MapSet,
    /// `map keys E`
    MapKeys,
}

/// Operations over a list of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateOp {
    /// `sum(E)`
    Sum,
    /// `min(E)`
    Min,
    /// `max(E)`
    Max,
    /// `mean(E)`
    Mean,
    /// `median(E)`
    Median,
}

impl AggregateOp {
    /// The word used in programs and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
            Self::Mean => "mean",
            Self::Median => "median",
        }
    }
}

/// What a transform does with each item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EachOp {
    /// Replaces it by the body's value.
    Map,
    /// Keeps it when the body is true.
    Filter,
}

/// Questions about the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// `has_role(E)`
    HasRole,
    /// `has_permission(E)`
    HasPermission,
}
