//! Owns `tidegate health`, the probe of a container: one small blocking GET without a runtime, so that it costs next to
//! nothing. Must not judge more than the status.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use hyper::Uri;

use super::flags::{self, AddressArgs};

/// Patience for connecting and for each read and write; containers probe with a longer one.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn run(url: Option<&str>, settings: &AddressArgs) -> Result<(), String> {
    let url = match url {
        Some(url) => url.to_owned(),
        None => configured_url(settings)?,
    };
    let status = status_of(&url).map_err(|error| format!("{url}: {error}"))?;
    if status == 200 { Ok(()) } else { Err(format!("{url}: answered {status}")) }
}

fn configured_url(settings: &AddressArgs) -> Result<String, String> {
    let listen = flags::load(&settings.load_args())?.config.listen;
    if listen.port == 0 {
        return Err("listen.port = 0 took a port that is not known here; give it with --url".to_owned());
    }
    let ip = listen.ip().ok_or_else(|| format!("listen.host {:?} is no address", listen.host))?;
    Ok(format!("http://{}/health", std::net::SocketAddr::new(ip, listen.port)))
}

fn status_of(url: &str) -> Result<u16, String> {
    let uri: Uri = url.parse().map_err(|error| format!("not a URL: {error}"))?;
    if uri.scheme_str() != Some("http") {
        return Err("must start with http://".to_owned());
    }
    let host = uri.host().ok_or("has no host")?;
    let stream = connect(host.trim_matches(['[', ']']), uri.port_u16().unwrap_or(80))?;
    ask(stream, &uri).map_err(|error| error.to_string())
}

fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let addresses = (host, port).to_socket_addrs().map_err(|error| error.to_string())?;
    let mut last = "resolves to no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}

fn ask(mut stream: TcpStream, uri: &Uri) -> std::io::Result<u16> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let path = uri.path_and_query().map(|path| path.as_str()).filter(|path| *path != "/");
    let path = path.unwrap_or("/health");
    let host = uri.authority().map_or("", |authority| authority.as_str());
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")?;
    let mut head = [0_u8; 12]; // "HTTP/1.1 200"
    stream.read_exact(&mut head)?;
    let text = std::str::from_utf8(&head).ok().filter(|text| text.starts_with("HTTP/1."));
    let status = text.and_then(|text| text.get(9..)).and_then(|digits| digits.parse().ok());
    status.ok_or_else(|| std::io::Error::other("did not answer in HTTP"))
}
