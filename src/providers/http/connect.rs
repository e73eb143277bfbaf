//! Opening a connection: TCP, an optional CONNECT proxy, TLS, and a limit on the three together.
//!
//! Owns the connector handed to the HTTP client; it sends no request and keeps no connection.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use hyper::header::HeaderValue;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tidegate_actors::ports::clock::ClockRef;
use tokio::net::TcpStream;
use tower_service::Service;

type BoxError = Box<dyn Error + Send + Sync>;
pub(super) type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// A proxy that opens tunnels for us; taken from configuration alone, never from the environment.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    /// Where it listens.
    pub(super) address: Uri,
    /// `proxy-authorization`, if it wants one.
    pub(super) authorization: Option<HeaderValue>,
}

impl Proxy {
    /// Reads `http://[user:password@]host:port`.
    ///
    /// # Errors
    /// One line for people when it is not such an address.
    pub(super) fn from_uri(uri: Uri) -> Result<Self, String> {
        let plain = uri.scheme_str() == Some("http") && uri.path() == "/" && uri.query().is_none();
        let Some(authority) = uri.authority().filter(|_| plain) else {
            return Err(
                "a proxy is written http://[user:password@]host:port; no other kind is supported".to_owned()
            );
        };
        let (secret, host) = match authority.as_str().rsplit_once('@') {
            Some((secret, host)) => (Some(secret), host),
            None => (None, authority.as_str()),
        };
        let address = Uri::builder().scheme("http").authority(host).path_and_query("/").build();
        let authorization = secret.map(|secret| format!("Basic {}", STANDARD.encode(secret)));
        Ok(Self {
            address: address.map_err(|fault| format!("the proxy's address is not usable: {fault}"))?,
            authorization: authorization.and_then(|value| HeaderValue::try_from(value).ok()),
        })
    }
}

/// The connection was not usable in time.
#[derive(Debug)]
pub(super) struct ConnectTimedOut;

impl fmt::Display for ConnectTimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no connection in time")
    }
}

impl Error for ConnectTimedOut {}

/// TLS as every provider uses it: aws-lc-rs, the web's roots, sessions resumed across connections.
///
/// # Errors
/// When the library refuses its own default protocol versions.
pub(super) fn tls() -> Result<ClientConfig, rustls::Error> {
    let library = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(library).with_safe_default_protocol_versions()?;
    Ok(versions.with_webpki_roots().with_no_client_auth())
}

/// Opens connections for one client.
#[derive(Clone)]
pub(super) struct Connector {
    way: Way,
    clock: ClockRef,
    patience: Duration,
}

#[derive(Clone)]
enum Way {
    Direct(HttpsConnector<HttpConnector>),
    Proxied(HttpsConnector<Tunnel<HttpConnector>>),
}

impl Connector {
    pub(super) fn new(
        tls: &ClientConfig,
        proxy: Option<&Proxy>,
        clock: ClockRef,
        patience: Duration,
    ) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(30)));
        let https =
            HttpsConnectorBuilder::new().with_tls_config(tls.clone()).https_or_http().enable_all_versions();
        let way = match proxy {
            None => Way::Direct(https.wrap_connector(tcp)),
            Some(proxy) => {
                let mut tunnel = Tunnel::new(proxy.address.clone(), tcp);
                if let Some(authorization) = &proxy.authorization {
                    tunnel = tunnel.with_auth(authorization.clone());
                }
                Way::Proxied(https.wrap_connector(tunnel))
            }
        };
        Self { way, clock, patience }
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match &mut self.way {
            Way::Direct(connector) => connector.poll_ready(cx),
            Way::Proxied(connector) => connector.poll_ready(cx),
        }
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let opening = match &mut self.way {
            Way::Direct(connector) => connector.call(to),
            Way::Proxied(connector) => connector.call(to),
        };
        let limit = self.clock.sleep_until(self.clock.now().plus(self.patience));
        Box::pin(async move {
            tokio::select! {
                biased;
                opened = opening => opened,
                () = limit => Err(ConnectTimedOut.into()),
            }
        })
    }
}
