//! Owns the instructions of a compiled body and the tables they point into. Must not know the syntax tree nor
//! how an instruction is carried out.

use std::sync::Arc;

use crate::lang::ast::{AgentMerge, AskMode, BranchMerge, DueKind, LocalMerge, LogLevel, MetricOp};
use crate::lang::span::Span;
use crate::lang::value::ops::{Aggregate, Arithmetic, Comparison, Sign};

/// Index of a local of the running body.
pub(crate) type Slot = u32;
/// Index of an instruction.
pub(crate) type Pc = u32;

/// What walks over a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Walk {
    ForEach,
    Map,
    Filter,
    Reduce,
}

/// Which word a boolean is missing for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    And,
    Or,
    Not,
    Condition,
    Filter,
}

/// What a write does to a record, as `mutation.action` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    Create,
    Save,
    Update,
    Delete,
}

impl Mutation {
    /// The word a `requires` sees.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Save => "save",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// How a value gets into a local.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// `let`: declares.
    Let,
    /// `set`: the local exists and is no constant.
    Set,
    /// The accumulator of a `reduce`: no statement, so no last value.
    Gather,
}

/// Which statement walks over records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scanned {
    Find,
    Update,
    Delete,
}

/// One instruction. Operands are indices into the tables of [`super::code::Code`]; values travel on the
/// operand stack of the strand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Op {
    // Values.
    Const(u32),
    Load(Slot),
    LoadPath(u32),
    LoadState(u32),
    Index,
    Dot(u32),
    MakeList(u32),
    MapOpen,
    /// Fails when the map being built has the key already.
    MapKey(u32),
    MapPut(u32),
    ListLength,
    ListAppend,
    ListGet,
    MapGet,
    MapSet,
    MapKeys,
    Aggregate(Aggregate),
    Latest(u32),
    HasRole,
    HasPermission,

    // Operators.
    Arith(Arithmetic),
    Compare(Comparison),
    Equal,
    NotEqual,
    Sign(Sign),
    Not,
    /// Left and low bound in; leaves the left, or `false` and jumps.
    Between {
        strict: bool,
        out: Pc,
    },
    OneOf(u32),
    /// Checks the left side; jumps with it when it decides.
    ShortCircuit {
        word: Truth,
        out: Pc,
    },
    NeedTruth(Truth),

    // Locals and state.
    Let(Slot),
    LetConstant(Slot),
    Set(Slot),
    SetState(u32),
    /// Appends the value on the stack to the list in the local, in place where nobody else holds it.
    AppendLocal {
        slot: Slot,
        mode: Store,
    },
    AppendState(u32),
    /// As `AppendLocal` for a map, with key and value on the stack.
    PutLocal {
        slot: Slot,
        mode: Store,
    },
    PutState(u32),
    /// Fails unless the local has a value.
    Need(Slot),
    NeedState(u32),
    Drop,
    Dup,

    // Control.
    Statement(u32),
    Jump(Pc),
    /// Pops the condition of `if` or `repeat while`.
    Unless(Pc),
    /// Pops two values; jumps when they differ.
    UnlessEqual(Pc),
    Return,
    End,
    RepeatOpen,
    RepeatNext(Pc),
    WhileOpen,
    WhileCheck(u32),
    WhileTick,
    WalkOpen(Walk),
    WalkNext {
        slot: Slot,
        out: Pc,
    },
    /// Binders of a transform, whose outer values come back when it ends.
    Bind {
        slot: Slot,
    },
    Gathered,
    Kept,
    Reduced(Slot),
    WalkClose(Walk),
    LoopClose,
    TryOpen(Pc),
    TryClose,
    Caught(Slot),

    // What needs more than one body.
    CallFunction(u32),
    CallFlow(u32),
    CallTool(u32),
    Await(Slot),
    Fork(u32),
    /// Ends a task with its last value.
    TaskEnd,
    /// Ends an agent, branch or async call with the value on the stack.
    PartEnd,

    // Effects.
    Ask(u32),
    /// As `Ask`, without memory.
    AskOnce(u32),
    CountAgent,
    RunAgent(u32),
    Guard(u32),
    Create(u32),
    SaveState(u32),
    SaveFields(u32),
    Scan(u32),
    ScanNext(Pc),
    ScanKeep(Scanned),
    FindClose(u32),
    UpdateOpen,
    UpdateNext(Pc),
    UpdateRow(u32),
    UpdateClose,
    DeleteClose(u32),
    Clear(u32),
    RequireLatest(u32),
    Notice,
    Order(u32),
    KeepFirst,
    Enqueue(u32),
    Tick,
    Log(u32),
    Metric(u32),
    Yield,
    FlowInput(u32),
}

/// Where a dotted name starts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Base {
    /// A local.
    Slot(Slot),
    /// A field of the record a predicate looks at, else the local.
    Field { name: Arc<str>, slot: Slot },
    /// The caller.
    Identity,
}

/// `base.a.b`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path {
    pub(crate) base: Base,
    pub(crate) attrs: Vec<Arc<str>>,
}

/// `state.a.b`, with the text messages print.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StatePath {
    pub(crate) keys: Vec<Arc<str>>,
    pub(crate) shown: Arc<str>,
}

/// Where the last `order` put its list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Target {
    Local(Arc<str>),
    State(StatePath),
}

/// A statement at the top of a body, for the error id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TopStatement {
    pub(crate) kind: &'static str,
    pub(crate) span: Span,
}

/// `call function`, `call flow`: what stands on the stack and what is asked back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CallForm {
    /// Index into the functions or flows of the program.
    pub(crate) callee: u32,
    /// Names of the values on the stack, in the order they were written.
    pub(crate) arguments: Vec<(Arc<str>, Span)>,
    /// Outputs a flow call lists.
    pub(crate) outputs: Vec<Arc<str>>,
}

/// A call of a declared tool.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ToolForm {
    pub(crate) tool: Arc<str>,
    pub(crate) arguments: Vec<(Arc<str>, Span)>,
}

/// `ask ai` and `run agent`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AskForm {
    /// Index into the profiles (or agents) of the program.
    pub(crate) target: u32,
    pub(crate) mode: AskMode,
    pub(crate) stream: bool,
    /// Where the answer goes; none inside `run agents in parallel`.
    pub(crate) into: Option<Slot>,
}

/// What the parts of a fork are and how they are joined.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Join {
    Tasks(LocalMerge),
    Agents {
        merge: Option<AgentMerge>,
        into: Slot,
    },
    Branches {
        merge: BranchMerge,
        into: Slot,
    },
    /// One part on copies of locals and state; its failure waits for the `await`.
    Async {
        into: Slot,
        constant: bool,
    },
}

/// One task, agent or branch: instructions of the same body, run on a copy of its locals.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) name: Arc<str>,
    pub(crate) span: Span,
    pub(crate) start: Pc,
    /// A statement that may not stand in a task, found when the task is about to run.
    pub(crate) refused: Option<(&'static str, Span)>,
}

/// Parts that run in order, or together where nobody can tell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ForkForm {
    pub(crate) parts: Vec<Part>,
    pub(crate) join: Join,
    /// Whether no part can change what another one sees, except through memory and counts.
    pub(crate) apart: bool,
    /// Where the run goes on.
    pub(crate) end: Pc,
}

/// A write that asks the flow's `requires`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GuardForm {
    pub(crate) action: Mutation,
    pub(crate) record: Arc<str>,
}

/// A field that is written; dots nest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FieldPath {
    pub(crate) words: Vec<Arc<str>>,
    pub(crate) span: Span,
}

/// `create`, `save`, `find`, `update`, `delete`, `require latest`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RecordForm {
    /// Index into the schemas of the program.
    pub(crate) schema: u32,
    pub(crate) into: Option<Slot>,
    /// Fields of `save with` and of `update`, in order.
    pub(crate) fields: Vec<FieldPath>,
    /// Where `save` reads, what `require latest` says.
    pub(crate) path: Option<StatePath>,
    pub(crate) message: Option<Arc<str>>,
}

/// `order T by f`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OrderForm {
    pub(crate) target: Target,
    pub(crate) field: Arc<str>,
    pub(crate) descending: bool,
}

/// `enqueue job`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EnqueueForm {
    pub(crate) job: u32,
    pub(crate) input: bool,
    pub(crate) due: Option<DueKind>,
}

/// `log`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LogForm {
    pub(crate) level: LogLevel,
    pub(crate) fields: bool,
}

/// `metric`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MetricForm {
    pub(crate) name: Arc<str>,
    pub(crate) op: MetricOp,
    pub(crate) value: bool,
    pub(crate) labels: bool,
}
