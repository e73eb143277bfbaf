//! Owns the peers: other gateways people run, installed by `make bench-peers` at pinned versions under
//! `target/peers`.
//!
//! Must start them as their own documentation says, with retries and telemetry off and nothing else changed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::Outcome;
use super::child::{Child, Place, free_port};
use crate::generator::{Ask, Connection, Template};

/// A key of the kind LiteLLM demands; it guards nothing.
const LITELLM_KEY: &str = "sk-bench-only";

/// Another gateway, running.
pub(crate) struct Peer {
    pub(crate) child: Child,
    /// Header lines its clients send besides the SDK's.
    pub(crate) headers: String,
    /// From the start of the process to its first 200.
    pub(crate) ready_after: Duration,
}

/// Starts LiteLLM with `workers` processes; `cache` switches its in-memory cache on.
///
/// # Errors
/// When it is not installed or gives no 200 within two minutes.
pub(crate) async fn start_litellm(
    upstream: SocketAddr,
    folder: &Path,
    workers: u8,
    cache: bool,
) -> Outcome<Peer> {
    let program = std::env::current_dir()?.join("target/peers/litellm/bin/litellm");
    let name = match (workers, cache) {
        (1, false) => "LiteLLM 1.109.1, 1 worker",
        (1, true) => "LiteLLM 1.109.1, 1 worker, its cache",
        (_, false) => "LiteLLM 1.109.1, 2 workers",
        (_, true) => "LiteLLM 1.109.1, 2 workers, its cache",
    };
    let config = folder.join("litellm.yaml");
    std::fs::write(&config, litellm_config(upstream, cache))?;
    let (config, workers, port) = (config.display().to_string(), workers.to_string(), free_port()?);
    let port_text = port.to_string();
    let arguments =
        ["--config", &config, "--host", "127.0.0.1", "--port", &port_text, "--num_workers", &workers];
    let begin = Instant::now();
    let variables =
        [("LITELLM_TELEMETRY", "False"), ("LITELLM_LOG", "ERROR"), ("LITELLM_LOCAL_MODEL_COST_MAP", "True")];
    let child = Child::on_port(name, Place::Free, port, (&program, &arguments), &variables).await?;
    let headers = format!("Authorization: Bearer {LITELLM_KEY}\r\n");
    ready(Peer { child, headers, ready_after: Duration::ZERO }, begin).await
}

/// Starts Portkey's gateway.
///
/// # Errors
/// As [`start_litellm`].
pub(crate) async fn start_portkey(upstream: SocketAddr) -> Outcome<Peer> {
    let script = std::env::current_dir()?
        .join("target/peers/portkey/node_modules/@portkey-ai/gateway/build/start-server.js");
    let port = free_port()?;
    let (script, port_flag) = (script.display().to_string(), format!("--port={port}"));
    let begin = Instant::now();
    let arguments = [script.as_str(), &port_flag, "--headless"];
    let child =
        Child::on_port("Portkey 1.15.2", Place::Free, port, (&in_path("node")?, &arguments), &[]).await?;
    let headers = format!(
        "x-portkey-provider: openai\r\nx-portkey-custom-host: http://{upstream}/v1\r\n\
         Authorization: Bearer sk-mock\r\n"
    );
    ready(Peer { child, headers, ready_after: Duration::ZERO }, begin).await
}

/// Asks until the peer gives its first 200.
async fn ready(mut peer: Peer, begin: Instant) -> Outcome<Peer> {
    let mut template = Template::new(&Ask::chat(), peer.child.addr, &peer.headers);
    loop {
        let asked = async { Connection::open(peer.child.addr).await?.text(template.with_key(1)).await };
        let last = match asked.await {
            Ok((200, _)) => break,
            Ok((status, body)) => format!("status {status}: {body}"),
            Err(error) => error.to_string(),
        };
        if begin.elapsed() > Duration::from_secs(120) {
            return Err(format!("{}: no 200 within 120 s, last {last}", peer.child.name()).into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    peer.ready_after = begin.elapsed();
    Ok(peer)
}

fn litellm_config(upstream: SocketAddr, cache: bool) -> String {
    let cached = if cache { ", cache: true, cache_params: { type: local }" } else { "" };
    format!(
        "model_list:
  - model_name: bench
    litellm_params: {{ model: openai/bench, api_base: \"http://{upstream}/v1\", api_key: sk-mock }}
general_settings: {{ master_key: {LITELLM_KEY} }}
litellm_settings: {{ telemetry: false, num_retries: 0{cached} }}
"
    )
}

fn in_path(program: &str) -> Outcome<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.exists());
    found.ok_or_else(|| format!("{program} is not in PATH").into())
}
