//! One file per door. Each reads its request, calls the engine and words the answer.

pub(crate) mod auth;
pub(crate) mod bodies;
pub(crate) mod calls;
pub(crate) mod chat;
pub(crate) mod console;
pub(crate) mod docs;
pub(crate) mod embeddings;
pub(crate) mod engine;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod forward;
pub(crate) mod health;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod metrics;
pub(crate) mod models;
pub(crate) mod prices;
pub(crate) mod purge;
pub(crate) mod tail;
pub(crate) mod usage;
pub(crate) mod users;
pub(crate) mod workspaces;
