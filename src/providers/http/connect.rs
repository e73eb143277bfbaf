//! Opening a connection: TCP, an optional CONNECT proxy, TLS, and a limit on the three together.
//!
//! Owns the connector handed to the HTTP client; it sends no request and keeps no connection.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use hyper::header::HeaderValue;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, ClientConfig, RootCertStore};
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

/// TLS as every provider uses it: aws-lc-rs, the web's roots and `more`, sessions resumed across connections.
///
/// # Errors
/// When the library refuses its own default protocol versions, or a root.
pub(super) fn tls(more: Vec<CertificateDer<'static>>) -> Result<ClientConfig, rustls::Error> {
    let library = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(library).with_safe_default_protocol_versions()?;
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for root in more {
        roots.add(root)?;
    }
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

/// Why a server is not trusted and what to do about it, if that is what `cause` says.
pub(super) fn distrust(cause: &(dyn Error + 'static)) -> Option<String> {
    let fault = tls_fault(cause)?;
    let text = match fault {
        // The second where an issuer has made itself a new key and kept its name.
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => {
            "nobody who is trusted here issued its certificate; set ca_file of this provider to a PEM file with the \
             certificate of its issuer"
                .to_owned()
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => format!("its certificate is for another name; base_url must name one of its own ({fault})"),
        rustls::Error::InvalidCertificate(_) if fault.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is an issuer's (CA:TRUE), which no server may show; give it one of its own".to_owned()
        }
        rustls::Error::InvalidCertificate(_) => format!("its certificate cannot be accepted ({fault})"),
        rustls::Error::InvalidMessage(_) => {
            format!("it does not speak TLS; a plain server has a base_url that begins with http:// ({fault})")
        }
        _ => return None,
    };
    Some(text)
}

fn tls_fault<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut wrapped = cause.downcast_ref::<io::Error>();
    while let Some(inner) = wrapped.and_then(io::Error::get_ref) {
        if let Some(fault) = inner.downcast_ref() {
            return Some(fault);
        }
        wrapped = inner.downcast_ref();
    }
    None
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
