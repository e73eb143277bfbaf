//! Owns a run as its caller follows it: messages as they come, then the end. Dropping it leaves the run; one that
//! changes what the app keeps goes on without being heard.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::lang::machine::Yielded;
use crate::lang::value::Value;
use crate::run::site::Site;
use crate::run::{Ran, Refusal};

/// What is heard of a run.
pub(super) enum News {
    Message(Yielded),
    /// The run is over. Messages not heard before are in its outcome, from this number on.
    End(Result<Box<Ran>, Refusal>, usize),
}

/// A run in progress.
pub(super) struct Course {
    run: Pin<Box<dyn Future<Output = Result<Ran, Refusal>>>>,
    /// As long as a run's messages may be, which its limits bound.
    messages: UnboundedReceiver<Yielded>,
    heard: usize,
}

impl Course {
    pub(super) fn begin(site: Arc<Site>, flow: Arc<str>, input: Value) -> Self {
        let (sender, messages) = unbounded_channel();
        let tell = Box::new(move |news: Vec<Yielded>| {
            // A caller that left hears nothing; its run goes on.
            news.into_iter().for_each(|message| drop(sender.send(message)));
        });
        Self { run: Box::pin(site.run(flow, input, tell)), messages, heard: 0 }
    }

    /// What comes next; nothing after [`News::End`]. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> News {
        tokio::select! {
            biased;
            Some(message) = self.messages.recv() => {
                self.heard += 1;
                News::Message(message)
            }
            ran = &mut self.run => News::End(ran.map(Box::new), self.heard),
        }
    }
}
