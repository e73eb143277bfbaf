//! Owns the instructions of a compiled body and the tables they point into. Must not know the syntax tree nor
//! how an instruction is carried out.

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

/// Where an operator finds an operand: the stack, a local or a constant, packed into one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operand(u32);

/// An [`Operand`], unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Stack,
    Slot(Slot),
    Const(u32),
}

impl Operand {
    /// The value on the stack.
    pub(crate) const STACK: Self = Self(0);

    /// A local; none where the index does not fit.
    pub(crate) fn slot(slot: Slot) -> Option<Self> {
        (slot < 1 << 30).then_some(Self(slot << 2 | 1))
    }

    /// A constant; none where the index does not fit.
    pub(crate) fn constant(at: u32) -> Option<Self> {
        (at < 1 << 30).then_some(Self(at << 2 | 2))
    }

    /// What it means.
    #[inline(always)]
    pub(crate) fn source(self) -> Source {
        match self.0 & 3 {
            1 => Source::Slot(self.0 >> 2),
            2 => Source::Const(self.0 >> 2),
            _ => Source::Stack,
        }
    }
}

/// A comparison, equality included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    Is,
    IsNot,
    Ordered(Comparison),
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
    Arith {
        operator: Arithmetic,
        left: Operand,
        right: Operand,
    },
    /// As `Arith`, straight into a local that `set` may write.
    ArithTo {
        operator: Arithmetic,
        left: Operand,
        right: Operand,
        slot: Slot,
        mode: Store,
    },
    /// As `Arith` and `Gathered`.
    ArithGathered {
        operator: Arithmetic,
        left: Operand,
        right: Operand,
    },
    /// As `Compare` and `Kept`.
    CompareKept {
        relation: Relation,
        left: Operand,
        right: Operand,
    },
    Compare {
        relation: Relation,
        left: Operand,
        right: Operand,
    },
    /// As `Compare` and `Unless`.
    CompareUnless {
        relation: Relation,
        left: Operand,
        right: Operand,
        out: Pc,
    },
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
    /// As `RepeatNext` at the end of a round, back to its beginning.
    RepeatAgain(Pc),
    WhileOpen,
    /// Counts a round; fails at the limit.
    WhileCheck(u32),
    WhileAgain {
        limit: u32,
        top: Pc,
    },
    WalkOpen(Walk),
    WalkNext {
        slot: Slot,
        out: Pc,
    },
    /// As `WalkNext` at the end of a round, back to its beginning.
    WalkAgain {
        slot: Slot,
        top: Pc,
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
    UpdateOpen(u32),
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
    /// Jumps over steps when the state path is there and holds nothing: false, null, 0, or something empty.
    Gate {
        path: u32,
        out: Pc,
    },
}
