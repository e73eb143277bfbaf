//! Owns how records that outlast a process are asked for, handed over and handed back. Data and two traits: must not
//! know where records lie or how long it takes to reach them.

use std::pin::Pin;
use std::sync::Arc;

use super::{Row, RowKey};
use crate::lang::fault::Fault;
use crate::lang::value::{JsonStyle, Map, Value};

/// What an archive has not answered yet.
pub type Pending<T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send>>;

/// Where records outlast the process.
pub trait Archive: Send + Sync {
    /// A place for one transaction. Nothing is opened or locked before it is asked for the first time.
    fn session(&self) -> Box<dyn Session>;

    /// Lets go of what was opened; what is asked for later opens it again.
    fn close(&self) -> Pending<()>;
}

/// One transaction on an archive: begun once, asked any number of times, kept at most once. Dropping it undoes what was
/// not kept.
pub trait Session: Send {
    /// What the run wants. One want at a time; the first is [`Want::Begin`].
    fn fetch(&mut self, want: Want) -> Pending<Supply>;
}

/// What a run cannot go on without.
#[derive(Debug)]
pub enum Want {
    /// A transaction. Who writes has the archive alone from here on; who only reads sees it as it is at this moment.
    Begin {
        /// Whether the run may write.
        writes: bool,
    },
    /// The counters of a table, and an archive that can tell the holders of its unique values.
    Head(TableName),
    /// All rows of a table, and its counters.
    Rows(TableName),
    /// Who holds a unique value.
    Holder(TableName, UniqueValue),
    /// That what the run did lasts.
    Keep(Changes),
}

/// What there was.
#[derive(Debug)]
pub enum Supply {
    /// The transaction has begun. Tables known from the same epoch are as they were.
    Begun {
        /// Changes whenever anything in the archive may have.
        epoch: u64,
    },
    /// The counters of a table. An archive may always give the rows as well.
    Head(TableName, Counters),
    /// A whole table, in the order of the keys.
    Rows(TableName, Counters, Vec<Row>),
    /// Who holds a unique value of the table.
    Holder(TableName, UniqueValue, Option<RowKey>),
    /// It lasts.
    Kept {
        /// The epoch that begins with it.
        epoch: u64,
    },
}

/// A table, as far as an archive must know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    /// The record.
    pub record: Arc<str>,
    /// Its unique fields, as the app declares them now.
    pub unique: Vec<Arc<str>>,
}

/// The counters of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// The last id given.
    pub last_id: i64,
    /// The last key given.
    pub last_key: RowKey,
}

/// A value of a unique field that is not null.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UniqueValue {
    /// The field.
    pub field: Arc<str>,
    /// Equal values have equal texts: 1 and 1.0, but not 1 and "1".
    pub text: String,
    /// Whose it is, where the record has a tenant key.
    pub tenant: Option<Arc<str>>,
}

impl UniqueValue {
    fn new(field: &Arc<str>, value: &Value, tenant: Option<&Arc<str>>) -> Self {
        let text = match value.as_number() {
            Some(number) => number.to_plain(),
            None => value.to_json(JsonStyle::Compact),
        };
        Self { field: Arc::clone(field), text, tenant: tenant.cloned() }
    }

    /// The unique values among `fields` of a record.
    pub fn all_of(unique: &[Arc<str>], fields: &Map, tenant: Option<&Arc<str>>) -> Vec<Self> {
        let value = |field: &Arc<str>| match fields.get(field.as_ref()) {
            None | Some(Value::Null) => None,
            Some(value) => Some(Self::new(field, value, tenant)),
        };
        unique.iter().filter_map(value).collect()
    }
}

/// What a run did to the tables, every row once.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// In the order of their names.
    pub tables: Vec<TableChanges>,
}

/// What a run did to one table.
#[derive(Clone, Debug)]
pub struct TableChanges {
    /// The table.
    pub table: TableName,
    /// Its counters afterwards.
    pub counters: Counters,
    /// Rows there were not before.
    pub added: Vec<Row>,
    /// Rows that are different now.
    pub changed: Vec<Row>,
    /// Rows there are not any more.
    pub gone: Vec<RowKey>,
}
