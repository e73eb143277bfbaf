//! The servers a run needs, each a child process that dies with the bench.
//!
//! Knows how to start, pin and watch them; must not know scenarios or what a good figure is.

mod child;
mod floors;
mod nginx;
mod peers;
mod tidegate;
mod upstream;

use std::error::Error;
use std::net::SocketAddr;

use child::Place;
pub(crate) use child::{Child, Usage, cores};
pub(crate) use tidegate::{Counters, Tidegate, TidegateOptions, app_hits, get_json};

/// What can go wrong when a server is started or asked; the text says all there is to know.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// The environment variable that turns this binary into one of its own servers.
pub(crate) const ROLE: &str = "TIDEGATE_BENCH_ROLE";

/// Where the role `proxy` hands everything to.
const UPSTREAM: &str = "TIDEGATE_BENCH_UPSTREAM";

/// Runs as the server named by [`ROLE`] until killed.
///
/// # Errors
/// When the role is unknown or the server cannot listen.
pub(crate) fn run_role(role: &str) -> Outcome<()> {
    match role {
        "upstream" => upstream::run(),
        "bare" => floors::run_bare(),
        "lookup" => floors::run_lookup(),
        "proxy" => floors::run_proxy(&std::env::var(UPSTREAM)?),
        other => Err(format!("unknown {ROLE} {other}: use upstream, bare, lookup or proxy").into()),
    }
}

/// The answers of a mock model.
pub(crate) async fn start_upstream() -> Outcome<Child> {
    Child::own_role("upstream", Place::Beside, &[]).await
}

/// The floor that only frames HTTP: fixed bytes for every request.
pub(crate) async fn start_bare() -> Outcome<Child> {
    Child::own_role("bare", Place::Tested, &[]).await
}

/// The floor that parses the body, hashes it and looks the answer up.
pub(crate) async fn start_lookup() -> Outcome<Child> {
    Child::own_role("lookup", Place::Tested, &[]).await
}

/// The floor that forwards with the libraries at hand and does nothing else: what separates it from nginx is theirs.
pub(crate) async fn start_proxy(upstream: SocketAddr) -> Outcome<Child> {
    Child::own_role("proxy", Place::Tested, &[(UPSTREAM, &upstream.to_string())]).await
}

pub(crate) use nginx::start_nginx;
pub(crate) use peers::{Peer, start_litellm, start_portkey};
