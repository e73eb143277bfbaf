//! Owns the one table of who may do what at which path. Must not know how a path answers.
//!
//! A row for every path that is served; a handler names its row when it admits a request. A test asks each row without a
//! credential, with one of another workspace, too low a role, expired, revoked, and the right one.

use crate::identity::{Door, Principal, Role};

use super::error::DoorError;

/// A path, and who may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The method it is asked with; `*` for any.
    pub method: &'static str,
    /// The path as it is routed.
    pub path: &'static str,
    /// What has to be in the scope of a credential.
    pub door: Door,
    /// The least role; nothing where everybody may, without a credential.
    pub role: Option<Role>,
}

const fn row(method: &'static str, path: &'static str, door: Door, role: Role) -> Access {
    Access { method, path, door, role: Some(role) }
}

const fn public(path: &'static str) -> Access {
    open("GET", path)
}

const fn open(method: &'static str, path: &'static str) -> Access {
    Access { method, path, door: Door::Api, role: None }
}

pub(crate) const CHAT: Access = row("POST", "/v1/chat/completions", Door::Chat, Role::Write);
pub(crate) const EMBED: Access = row("POST", "/v1/embeddings", Door::Embeddings, Role::Write);
pub(crate) const MESSAGES: Access = row("POST", "/v1/messages", Door::Messages, Role::Write);
pub(crate) const COUNT_TOKENS: Access = row("POST", "/v1/messages/count_tokens", Door::Messages, Role::Write);
pub(crate) const MODELS: Access = row("GET", "/v1/models", Door::Models, Role::Read);
pub(crate) const MODEL: Access = row("GET", "/v1/models/{id:.+}", Door::Models, Role::Read);
pub(crate) const FORWARD: Access = row("*", "/v1/{tail:.*}", Door::Forward, Role::Write);
pub(crate) const CALLS: Access = row("GET", "/api/v1/calls", Door::Api, Role::Read);
pub(crate) const ATTEMPTS: Access = row("GET", "/api/v1/attempts", Door::Api, Role::Read);
pub(crate) const USAGE: Access = row("GET", "/api/v1/usage", Door::Api, Role::Read);
pub(crate) const CACHE_STATS: Access =
    row("GET", "/api/v1/workspaces/{id}/cache/stats", Door::Api, Role::Read);
pub(crate) const EXPORT_JSONL: Access = row("GET", "/api/v1/calls/export.jsonl", Door::Api, Role::Read);
pub(crate) const EXPORT_CSV: Access = row("GET", "/api/v1/calls/export.csv", Door::Api, Role::Read);
pub(crate) const TAIL: Access = row("GET", "/api/v1/calls/stream", Door::Api, Role::Read);
pub(crate) const CALL: Access = row("GET", "/api/v1/calls/{id}", Door::Api, Role::Read);
pub(crate) const BODIES: Access = row("GET", "/api/v1/calls/{id}/bodies", Door::Api, Role::Write);
pub(crate) const EXPLAIN: Access = row("GET", "/api/v1/calls/{id}/explain", Door::Api, Role::Read);
pub(crate) const PURGE: Access = row("POST", "/api/v1/cache/purge", Door::Api, Role::Admin);
pub(crate) const ENGINE: Access = row("GET", "/api/v1/engine", Door::Api, Role::Operator);
pub(crate) const CONSOLE_STREAM: Access = row("GET", "/api/v1/console/stream", Door::Api, Role::Read);
pub(crate) const METRICS: Access = row("GET", "/metrics", Door::Api, Role::Operator);
pub(crate) const COUNTERS: Access = row("GET", "/api/metrics", Door::Api, Role::Operator);
pub(crate) const WORKSPACES: Access = row("GET", "/api/v1/workspaces", Door::Api, Role::Read);
pub(crate) const MAKE_WORKSPACE: Access = row("POST", "/api/v1/workspaces", Door::Api, Role::Operator);
pub(crate) const SET_WORKSPACE: Access = row("POST", "/api/v1/workspaces/{id}", Door::Api, Role::Admin);
pub(crate) const KEYS: Access = row("GET", "/api/v1/keys", Door::Api, Role::Admin);
pub(crate) const MAKE_KEY: Access = row("POST", "/api/v1/keys", Door::Api, Role::Admin);
pub(crate) const ROTATE_KEY: Access = row("POST", "/api/v1/keys/{id}/rotate", Door::Api, Role::Admin);
pub(crate) const REVOKE_KEY: Access = row("POST", "/api/v1/keys/{id}/revoke", Door::Api, Role::Admin);
pub(crate) const LIMITS: Access = row("GET", "/api/v1/limits", Door::Api, Role::Read);
pub(crate) const SET_LIMITS: Access = row("POST", "/api/v1/limits", Door::Api, Role::Admin);
pub(crate) const PRICES: Access = row("GET", "/api/v1/prices", Door::Api, Role::Read);
pub(crate) const LOGIN: Access = open("POST", "/api/v1/auth/login");
pub(crate) const REFRESH: Access = open("POST", "/api/v1/auth/refresh");
pub(crate) const LOGOUT: Access = open("POST", "/api/v1/auth/logout");
pub(crate) const ME: Access = open("GET", "/api/v1/auth/me");
pub(crate) const PASSWORD: Access = open("POST", "/api/v1/auth/password");
pub(crate) const USERS: Access = row("GET", "/api/v1/users", Door::Api, Role::Admin);
pub(crate) const MAKE_USER: Access = row("POST", "/api/v1/users", Door::Api, Role::Operator);
pub(crate) const SET_PASSWORD: Access = row("POST", "/api/v1/users/{id}/password", Door::Api, Role::Operator);
pub(crate) const GRANT: Access = row("POST", "/api/v1/users/{id}/grant", Door::Api, Role::Admin);
pub(crate) const DISABLE_USER: Access = row("POST", "/api/v1/users/{id}/disable", Door::Api, Role::Operator);
pub(crate) const ENABLE_USER: Access = row("POST", "/api/v1/users/{id}/enable", Door::Api, Role::Operator);
pub(crate) const HOME: Access = public("/");
pub(crate) const CONSOLE: Access = public("/console/{path:.*}");
pub(crate) const APP_READ: Access = row("GET", "", Door::App, Role::Read);
pub(crate) const APP_WRITE: Access = row("*", "", Door::App, Role::Write);

/// Every path of the gateway, its app's aside. `/api/metrics` is where `observability.metrics_endpoint` says.
pub const TABLE: [Access; 51] = [
    CHAT,
    EMBED,
    MESSAGES,
    COUNT_TOKENS,
    MODELS,
    MODEL,
    FORWARD,
    CALLS,
    ATTEMPTS,
    USAGE,
    CACHE_STATS,
    EXPORT_JSONL,
    EXPORT_CSV,
    TAIL,
    CALL,
    BODIES,
    EXPLAIN,
    PURGE,
    ENGINE,
    CONSOLE_STREAM,
    METRICS,
    COUNTERS,
    WORKSPACES,
    MAKE_WORKSPACE,
    SET_WORKSPACE,
    KEYS,
    MAKE_KEY,
    ROTATE_KEY,
    REVOKE_KEY,
    LIMITS,
    SET_LIMITS,
    PRICES,
    LOGIN,
    REFRESH,
    LOGOUT,
    ME,
    PASSWORD,
    USERS,
    MAKE_USER,
    SET_PASSWORD,
    GRANT,
    DISABLE_USER,
    ENABLE_USER,
    public("/health"),
    public("/ready"),
    public("/docs"),
    public("/docs/openapi.json"),
    public("/docs/{file:.*}"),
    HOME,
    public("/console"),
    CONSOLE,
];

/// Refuses a credential that is not for `model`.
pub(crate) fn permit_model(principal: &Principal, model: &str) -> Result<(), DoorError> {
    match principal.scopes.names(model) {
        true => Ok(()),
        false => Err(DoorError::out_of_scope("model", model)),
    }
}

impl Access {
    /// Refuses who may not.
    pub(crate) fn permit(&self, principal: &Principal) -> Result<(), DoorError> {
        if !principal.scopes.opens(self.door) {
            return Err(DoorError::out_of_scope("door", self.door.name()));
        }
        match self.role {
            Some(needed) if principal.role < needed => Err(DoorError::role_too_low(principal.role, needed)),
            _ => Ok(()),
        }
    }
}
