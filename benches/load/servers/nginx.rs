//! Owns nginx as a reverse proxy to the mock upstream: the floor of everything that forwards.
//!
//! Must not cache or buffer what the others would not: keep-alive both ways, no access log; the upstream's
//! own header turns buffering off for streams.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::Outcome;
use super::child::{Child, Place, free_port};

/// Starts nginx in front of `upstream` with one process; `folder` takes its configuration and temporary
/// files.
///
/// # Errors
/// When nginx is not installed (`apt-get install nginx-light`) or does not listen.
pub(crate) async fn start_nginx(upstream: SocketAddr, folder: &Path) -> Outcome<Child> {
    let folder = folder.join("nginx");
    std::fs::create_dir_all(&folder)?;
    let port = free_port()?;
    let config = folder.join("nginx.conf");
    std::fs::write(&config, config_text(upstream, port, &folder))?;
    let config = config.display().to_string();
    let prefix = folder.display().to_string();
    let arguments = ["-p", &prefix, "-c", &config, "-e", "stderr"];
    Child::on_port("nginx", Place::Tested, port, (&binary()?, &arguments), &[]).await
}

fn binary() -> Outcome<PathBuf> {
    let candidates = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"];
    let found = candidates.iter().map(PathBuf::from).find(|path| path.exists());
    found.ok_or_else(|| "nginx is not installed: run `apt-get install nginx-light`".into())
}

/// One process without a master, so that it is the one that is pinned, measured and killed.
fn config_text(upstream: SocketAddr, port: u16, folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile 65536;
error_log stderr warn;
pid {folder}/nginx.pid;
events {{ worker_connections 32768; }}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_timeout 300s;
    keepalive_requests 1000000000;
    client_max_body_size 0;
    client_body_buffer_size 2m;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream model {{
        server {upstream};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=16384;
        location / {{
            proxy_pass http://model;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_read_timeout 300s;
        }}
    }}
}}
"
    )
}
