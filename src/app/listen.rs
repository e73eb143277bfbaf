//! Owns how a server comes to its sockets and workers. Must not know what it answers.

use std::any::Any;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Extensions, Server};
use actix_web::rt::net::TcpStream;
use actix_web::{App, HttpServer, web};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use crate::cli::ServeError;
use crate::config::Config;
use crate::http::{self, Doors};
use crate::telemetry::lag::LoopLag;

/// Silence of a connection after which the kernel probes its other end.
const PROBE_AFTER: Duration = Duration::from_secs(30);

/// One server for all workers; with `listen.reuse_port` one for each, every one with sockets of its own.
pub(super) fn bind(
    config: &Config,
    doors: &web::Data<Doors>,
    lag: &LoopLag,
    spare_ports: u16,
) -> Result<(Vec<Server>, SocketAddr), ServeError> {
    let listen = &config.listen;
    let host = listen.ip().ok_or_else(|| format!("listen.host {:?} is no address", listen.host))?;
    let workers = listen.workers.count();
    let (servers, workers) = if listen.reuse_port { (workers, 1) } else { (1, workers) };
    let mut addresses: Vec<SocketAddr> = std::iter::once(&listen.port)
        .chain(&listen.compat)
        .map(|port| SocketAddr::new(host, *port))
        .collect();
    let mut made = Vec::with_capacity(servers);
    for _ in 0..servers {
        let mut sockets = Vec::with_capacity(addresses.len());
        for (at, address) in addresses.iter_mut().enumerate() {
            let spare_ports = if at == 0 { spare_ports } else { 0 };
            let socket = free_socket(*address, config, spare_ports)
                .map_err(|error| format!("cannot listen on {address}: {error}"))?;
            *address = socket.local_addr()?; // a free port, once taken, is everybody's
            sockets.push(socket);
        }
        made.push(server(config, doors, lag, workers, sockets)?);
    }
    let address = addresses.first().copied().ok_or("no address was bound")?;
    Ok((made, address))
}

/// A socket at the address, or at the next of so many ports above that is not taken.
fn free_socket(address: SocketAddr, config: &Config, spare_ports: u16) -> std::io::Result<TcpListener> {
    let mut made = socket(address, config);
    for port in (1..=spare_ports).map_while(|above| address.port().checked_add(above)) {
        match &made {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                made = socket(SocketAddr::new(address.ip(), port), config);
            }
            _ => break,
        }
    }
    made
}

fn socket(address: SocketAddr, config: &Config) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(config.listen.reuse_port)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(config.listen.backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

fn server(
    config: &Config,
    doors: &web::Data<Doors>,
    lag: &LoopLag,
    workers: usize,
    sockets: Vec<TcpListener>,
) -> Result<Server, ServeError> {
    let (shared, lag) = (doors.clone(), lag.clone());
    let listen = &config.listen;
    let mut server = HttpServer::new(move || {
        // The first worker is the actors' home.
        shared.engine.settle();
        shared.site().into_iter().for_each(|site| site.host().asker().engine().settle());
        let clock = Arc::clone(shared.engine.clock());
        drop(actix_web::rt::spawn(lag.clone().watch(clock))); // ends with its worker
        App::new().wrap(http::Metered::new(&shared)).configure(http::routes(&shared))
    })
    .workers(workers)
    .max_connections(listen.max_connections)
    .keep_alive(Duration::from_millis(listen.keep_alive_ms))
    .client_request_timeout(Duration::from_millis(listen.head_timeout_ms))
    .h1_allow_half_closed(false)
    .tcp_nodelay(true)
    .on_connect(probe_when_silent)
    .shutdown_timeout(listen.shutdown_ms.div_ceil(1_000))
    .disable_signals();
    for socket in sockets {
        server = server.listen(socket)?;
    }
    Ok(server.run())
}

/// Lets the kernel ask a silent client whether it is still there, so that a machine that vanished frees its connection.
fn probe_when_silent(connection: &dyn Any, _: &mut Extensions) {
    let Some(socket) = connection.downcast_ref::<TcpStream>() else { return };
    let probes = TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_AFTER);
    if let Err(error) = SockRef::from(socket).set_tcp_keepalive(&probes) {
        tracing::debug!(%error, "TCP keep-alive cannot be set");
    }
}
