//! Owns the connection to the file and the course of a transaction on it, one at a time. Must not know what a statement
//! says; everything here runs on the runtime of the stores.

use std::sync::Arc;

use sqlx::Connection as _;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{Order, statements};
use crate::lang::fault::Fault;
use crate::lang::records::{Changes, Supply, Want};
use crate::stores::sql::Place as _;
use crate::stores::sqlite::{BEGIN_TO_READ, BEGIN_TO_WRITE, Connection, Sqlite, VERSION_OF_OTHERS};
use crate::stores::trouble::Trouble;

/// The one connection, and what is known of others' work on the file.
pub(super) struct Desk {
    sqlite: Sqlite,
    connection: Option<Connection>,
    /// Another one whenever anything in the file may have changed.
    epoch: u64,
    /// What the database said of other connections' commits when the epoch began.
    others: i64,
}

type Reply = oneshot::Sender<Result<Supply, Fault>>;

/// Serves one session: waits for its first order and for the connection, then answers until the session is dropped or
/// kept. What was not kept is rolled back.
pub(super) async fn transact(desk: Arc<Mutex<Desk>>, mut orders: mpsc::Receiver<Order>) {
    let Some(Order { want: Want::Begin { writes }, reply }) = orders.recv().await else { return };
    let mut desk = desk.lock().await;
    let mut connection = match desk.connection().await {
        Ok(connection) => connection,
        Err(trouble) => return desk.refuse(reply, trouble),
    };
    let sound = desk.course(&mut connection, writes, reply, &mut orders).await;
    if sound {
        desk.connection = Some(connection);
    }
}

impl Desk {
    pub(super) fn new(sqlite: Sqlite) -> Self {
        Self { sqlite, connection: None, epoch: 0, others: 0 }
    }

    /// Lets go of the file. Nothing is lost if this is left out; the write-ahead log stays beside the file then.
    pub(super) async fn close(&mut self) {
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, path = %self.sqlite.path.display(), "the records could not be closed");
        }
    }

    /// Does something to the connection that no run would.
    #[cfg(test)]
    pub(super) async fn tamper(&mut self, statement: &'static str) {
        let mut connection = self.connection().await.expect("it can be opened");
        sqlx::raw_sql(statement).execute(&mut connection).await.expect("it can be done");
        self.connection = Some(connection);
    }

    async fn connection(&mut self) -> Result<Connection, Trouble> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        self.epoch += 1; // a new connection cannot say what happened before it
        self.sqlite.open().await
    }

    /// Tells who asks why not. Who left does not hear it.
    fn refuse(&self, reply: Reply, trouble: Trouble) {
        let _ = reply.send(Err(trouble.fault(&self.sqlite.path)));
    }

    /// One transaction from its beginning to its end. False if the connection should not be used again.
    async fn course(
        &mut self,
        connection: &mut Connection,
        writes: bool,
        reply: Reply,
        orders: &mut mpsc::Receiver<Order>,
    ) -> bool {
        let begun = begin(connection, writes).await.map_err(|error| self.sqlite.trouble(&error));
        let (mut transaction, others) = match begun {
            Ok(begun) => begun,
            Err(trouble) => {
                let sound = matches!(trouble, Trouble::Busy { .. });
                self.refuse(reply, trouble);
                return sound;
            }
        };
        if std::mem::replace(&mut self.others, others) != others {
            self.epoch += 1;
        }
        let _ = reply.send(Ok(Supply::Begun { epoch: self.epoch }));
        while let Some(Order { want, reply }) = orders.recv().await {
            let answer = match want {
                Want::Keep(changes) => return self.keep(transaction, &changes, reply).await,
                want => statements::supply(&mut transaction, want, writes).await,
            };
            match answer.map_err(|failed| failed.trouble(&self.sqlite)) {
                Ok(supply) => drop(reply.send(Ok(supply))),
                Err(trouble) => {
                    self.refuse(reply, trouble);
                    return false;
                }
            }
        }
        transaction.rollback().await.is_ok()
    }

    async fn keep(
        &mut self,
        mut transaction: sqlx::SqliteTransaction<'_>,
        changes: &Changes,
        reply: Reply,
    ) -> bool {
        let kept = match statements::keep(&mut transaction, changes).await {
            Ok(()) => transaction.commit().await.map_err(|error| self.sqlite.trouble(&error)),
            Err(failed) => Err(failed.trouble(&self.sqlite)),
        };
        match kept {
            Ok(()) => {
                self.epoch += 1;
                let _ = reply.send(Ok(Supply::Kept { epoch: self.epoch }));
                true
            }
            Err(trouble) => {
                self.refuse(reply, trouble);
                false
            }
        }
    }
}

/// A transaction, and what the database says of other connections' commits before it.
async fn begin(
    connection: &mut Connection,
    writes: bool,
) -> Result<(sqlx::SqliteTransaction<'_>, i64), sqlx::Error> {
    let statement = if writes { BEGIN_TO_WRITE } else { BEGIN_TO_READ };
    let mut transaction = connection.begin_with(statement).await?;
    let others = sqlx::query_scalar(VERSION_OF_OTHERS).fetch_one(&mut *transaction).await?;
    Ok((transaction, others))
}
