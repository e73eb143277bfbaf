//! Owns the runtime on which everything lives that waits for storage: one thread beside those of the server, so that no
//! arbiter blocks. Must not know what is stored.

use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The runtime of the stores. Clones are one; it starts when it is first needed and ends with the last clone.
#[derive(Clone, Default)]
pub struct Io(Arc<Mutex<Option<Running>>>);

struct Running {
    handle: Handle,
    /// Dropped, it ends the thread.
    _stop: oneshot::Sender<()>,
}

impl Io {
    /// Where tasks of stores are spawned.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn handle(&self) -> std::io::Result<Handle> {
        let mut running = self.0.lock();
        if let Some(running) = &*running {
            return Ok(running.handle.clone());
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        // Its end is the end of the sender: there is nothing to hear.
        thread::Builder::new().name("tidegate-io".into()).spawn(move || drop(runtime.block_on(stopped)))?;
        *running = Some(Running { handle: handle.clone(), _stop: stop });
        Ok(handle)
    }

    /// Does `work` there and blocks the thread until it is done: for commands, and for the start of a server. Nothing
    /// if the work was broken off.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> std::io::Result<Option<T>> {
        let (told, heard) = std::sync::mpsc::sync_channel(1);
        drop(self.handle()?.spawn(async move { told.send(work.await) }));
        Ok(heard.recv().ok())
    }
}
