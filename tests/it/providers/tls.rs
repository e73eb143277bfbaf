//! Upstreams over TLS: whose certificates are trusted, and what is spoken once they are.
//!
//! Owns a TLS end in front of a scripted upstream. HTTP/1.1 is passed on to that; h2 is
//! answered here.

use std::sync::Arc;

use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::*;
use crate::issuer::Issuer;
use crate::upstream::Script;
use tidegate_actors::ports::provider::FaultKind;

const H1: &str = "http/1.1";
const H2: &str = "h2";

/// A TLS end before a plain upstream.
struct TlsEnd {
    port: u16,
    /// What each connection agreed on, in the order they came.
    spoken: Arc<Mutex<Vec<String>>>,
    /// h2 requests whose client reset them.
    reset: watch::Sender<usize>,
    task: JoinHandle<()>,
}

impl TlsEnd {
    /// Offers `protocols`, the one it likes best first.
    async fn before(
        upstream: &Upstream,
        (certificate, key): (CertificateDer<'static>, PrivateKeyDer<'static>),
        protocols: &[&str],
    ) -> Self {
        let library = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(library).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_no_client_auth();
        let mut config = config.with_single_cert(vec![certificate], key).expect("they belong together");
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (spoken, reset) = (Arc::<Mutex<Vec<String>>>::default(), watch::Sender::new(0));
        let (told, behind, resets) = (Arc::clone(&spoken), upstream.port(), reset.clone());
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, told, resets) = (acceptor.clone(), Arc::clone(&told), resets.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(socket).await else { return };
                    let name = stream.get_ref().1.alpn_protocol().unwrap_or_default().to_vec();
                    told.lock().push(String::from_utf8(name.clone()).expect("a name"));
                    if name == H2.as_bytes() {
                        speak_h2(stream, resets).await
                    } else {
                        pass_on(stream, behind).await
                    }
                });
            }
        });
        Self { port, spoken, reset, task }
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}/v1", self.port)
    }

    fn spoken(&self) -> Vec<String> {
        self.spoken.lock().clone()
    }
}

impl Drop for TlsEnd {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass_on(mut stream: TlsStream<TcpStream>, port: u16) {
    let mut behind = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    // Either side may leave as it likes.
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut behind).await;
}

async fn speak_h2(stream: TlsStream<TcpStream>, resets: watch::Sender<usize>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(answer_h2(request, respond, resets.clone()));
    }
}

async fn answer_h2(
    request: hyper::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    resets: watch::Sender<usize>,
) {
    let mut body = request.into_body();
    let mut asked = Vec::new();
    while let Some(Ok(piece)) = body.data().await {
        asked.extend_from_slice(&piece);
        body.flow_control().release_capacity(piece.len()).expect("it was received");
    }
    let asked = String::from_utf8(asked).expect("text");
    if asked.contains("hang") {
        if std::future::poll_fn(|cx| respond.poll_reset(cx)).await.is_ok() {
            resets.send_modify(|count| *count += 1);
        }
        return;
    }
    let streams = asked.contains("\"stream\":true");
    let kind = if streams { "text/event-stream" } else { "application/json" };
    let head = hyper::Response::builder().header("content-type", kind).body(()).expect("a head");
    let mut to = respond.send_response(head, false).expect("the client waits");
    let said = if streams {
        vec![chunk(r#"{"content":"hi"}"#, "null"), chunk("{}", "\"stop\""), USAGE.to_owned(), DONE.to_owned()]
    } else {
        vec![COMPLETION.to_owned()]
    };
    for piece in said {
        to.send_data(piece.into(), false).expect("the client waits");
    }
    to.send_data(Bytes::new(), true).expect("the client waits");
}

/// A provider at `url` that trusts `roots` too.
fn trusting(url: &str, roots: &[&Issuer]) -> Arc<dyn Provider> {
    let mut config = config(ProviderKind::Openai, url);
    config.credentials.roots = roots.iter().map(|issuer| issuer.root.clone()).collect();
    build(&config, system_clock())
}

async fn plain() -> Upstream {
    Upstream::always(Script::json(200, COMPLETION)).await
}

#[tokio::test]
async fn http_1_is_spoken_over_tls_where_nothing_else_is_offered_and_the_connection_is_kept() {
    let (upstream, issuer) = (plain().await, Issuer::new());
    for offered in [&[H1][..], &[]] {
        let end = TlsEnd::before(&upstream, issuer.certify("127.0.0.1"), offered).await;
        let provider = trusting(&end.url(), &[&issuer]);
        for _ in 0..5 {
            assert_eq!(whole(&provider, hello(Form::Whole)).await.0, COMPLETION);
        }
        assert_eq!(end.spoken(), [offered.first().copied().unwrap_or_default()], "one connection for all");
    }
    assert_eq!(upstream.seen().len(), 10);
    assert!(upstream.seen().iter().all(|seen| seen.field("authorization") == Some("Bearer our-key")));
}

#[tokio::test]
async fn h2_is_spoken_where_it_is_offered_and_calls_share_one_connection() {
    let (upstream, issuer) = (plain().await, Issuer::new());
    let end = TlsEnd::before(&upstream, issuer.certify("127.0.0.1"), &[H2, H1]).await;
    let provider = trusting(&end.url(), &[&issuer]);
    whole(&provider, hello(Form::Whole)).await;

    let calls = (0..20).map(|_| whole(&provider, hello(Form::Whole)));
    let answers = futures_util::future::join_all(calls).await;

    assert!(answers.iter().all(|(body, _)| body == COMPLETION));
    let (events, last) = told(events(&provider, hello(Form::Stream)).await).await;
    assert_eq!((events.len(), last.expect("an end").complete), (3, true), "streams come over h2 too");
    assert_eq!(end.spoken(), [H2]);
    assert!(upstream.seen().is_empty(), "nobody fell back to http/1.1");
}

#[tokio::test]
async fn a_call_that_is_dropped_resets_its_h2_stream_and_not_its_neighbours() {
    let (upstream, issuer) = (plain().await, Issuer::new());
    let end = TlsEnd::before(&upstream, issuer.certify("127.0.0.1"), &[H2]).await;
    let provider = trusting(&end.url(), &[&issuer]);
    whole(&provider, hello(Form::Whole)).await;
    let waiting = Arc::clone(&provider);
    let waiting =
        tokio::spawn(async move { waiting.ask(chat(r#"{"messages":["hang"]}"#, Form::Whole)).await });
    let mut reset = end.reset.subscribe();
    whole(&provider, hello(Form::Whole)).await;

    waiting.abort();

    reset.wait_for(|count| *count == 1).await.expect("the upstream lives");
    whole(&provider, hello(Form::Whole)).await;
    assert_eq!(end.spoken(), [H2]);
}

#[tokio::test]
async fn a_server_nobody_trusted_vouches_for_is_named_and_so_is_what_to_do() {
    let (upstream, issuer, other) = (plain().await, Issuer::new(), Issuer::new());
    let end = TlsEnd::before(&upstream, issuer.certify("127.0.0.1"), &[H2, H1]).await;
    for roots in [&[][..], &[&other]] {
        let fault = fault(&trusting(&end.url(), roots), hello(Form::Whole)).await;
        assert_eq!(fault.kind, FaultKind::Broken { status: None });
        let wanted = format!("cannot connect to 127.0.0.1:{}: nobody who is trusted here issued", end.port);
        assert!(fault.what.starts_with(&wanted) && fault.what.contains("set ca_file"), "{fault}");
    }
    whole(&trusting(&end.url(), &[&other, &issuer]), hello(Form::Whole)).await;
    assert_eq!(end.spoken(), [H2], "those that did not trust it told it nothing");
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn other_certificates_no_client_may_accept_are_refused_with_a_reason() {
    let (upstream, issuer) = (plain().await, Issuer::new());
    let elsewhere = TlsEnd::before(&upstream, issuer.certify("elsewhere.example"), &[H1]).await;
    let refused = fault(&trusting(&elsewhere.url(), &[&issuer]), hello(Form::Whole)).await;
    let host = format!("127.0.0.1:{}", elsewhere.port);
    assert!(refused.what.contains(&host) && refused.what.contains("elsewhere.example"), "{refused}");
    assert!(refused.what.contains("base_url"), "{refused}");

    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let own = params.self_signed(&key).expect("a certificate").der().clone();
    let issuer =
        Issuer { root: own.clone(), issuer: rcgen::Issuer::new(params, KeyPair::generate().expect("a key")) };
    let end = TlsEnd::before(&upstream, (own, key.into()), &[H1]).await;
    let refused = fault(&trusting(&end.url(), &[&issuer]), hello(Form::Whole)).await;
    assert!(refused.what.contains("CA:TRUE"), "{refused}");
    assert!(upstream.seen().is_empty());
}

#[tokio::test]
async fn a_certificate_that_vouches_for_itself_is_trusted_when_it_is_given() {
    let upstream = plain().await;
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    let own = params.self_signed(&key).expect("a certificate").der().clone();
    let end = TlsEnd::before(&upstream, (own.clone(), key.into()), &[H1]).await;
    let mut config = config(ProviderKind::Openai, &end.url());
    config.credentials.roots = vec![own];
    whole(&build(&config, system_clock()), hello(Form::Whole)).await;
}

#[tokio::test]
async fn a_plain_server_behind_https_is_told_apart_from_a_broken_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    // What any plain server says to a handshake, which has no blank line it could wait for.
    let plain = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        let (mut socket, _) = listener.accept().await.expect("a client");
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("it reads");
        socket
    });
    let fault = fault(&trusting(&format!("https://127.0.0.1:{port}/v1"), &[]), hello(Form::Whole)).await;
    assert!(fault.what.contains("does not speak TLS") && fault.what.contains("http://"), "{fault}");
    drop(plain.await);
}

/// From the file to the answer: the issuer is read from where the configuration says.
#[tokio::test]
async fn a_gateway_reaches_a_server_of_its_own_issuer_by_ca_file() {
    let (upstream, issuer) = (plain().await, Issuer::new());
    let end = TlsEnd::before(&upstream, issuer.certify("127.0.0.1"), &[H2]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, format!("our own issuer\n{}", issuer.pem())).expect("the folder takes a file");
    let gateway = crate::server::Gateway::start(&format!(
        "[providers.up]\nkind = \"openai\"\nbase_url = \"{}\"\napi_key = \"k\"\nca_file = {file:?}\n",
        end.url()
    ));
    let ask = r#"{"model":"m","messages":[{"role":"user","content":"hello"}]}"#;
    let answer = gateway.post("/v1/chat/completions", ask).await;
    assert_eq!((answer.status, answer.text()), (200, COMPLETION), "{answer:?}");
    assert_eq!(end.spoken(), [H2]);
}

#[test]
fn a_ca_file_that_cannot_be_used_is_refused_with_its_name_and_line() {
    let (one, two) = (Issuer::new().pem(), Issuer::new().pem());
    let broken = two.replacen('\n', "\n!", 1);
    let unended = two.replace("-----END CERTIFICATE-----\n", "");
    let strange = "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n";
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let lines = one.lines().count();
    let cases = [
        (None, "cannot read FILE: No such file".to_owned()),
        (
            Some(String::new()),
            "FILE holds no certificate; a PEM file has lines of -----BEGIN CERTIFICATE-----".into(),
        ),
        (Some("hello\n".into()), "FILE holds no certificate; a PEM".into()),
        (Some(key.into()), "FILE holds no certificate; a PEM".into()),
        (
            Some(format!("# one\n{one}{broken}")),
            format!("FILE:{}: the certificate that begins here is not valid base64", lines + 2),
        ),
        (Some(unended), "FILE:1: the certificate that begins here has no end".into()),
        (Some(format!("{one}{strange}")), format!("FILE:{}: this certificate cannot be read", lines + 1)),
    ];
    for (content, wanted) in cases {
        let text = "[providers.up]\nkind = \"openai\"\nbase_url = \"https://h/v1\"\napi_key_env = \"K\"\nca_file = \"ca.pem\"\n";
        let mut folder = crate::config::toml_folder(text).env("K", "k");
        if let Some(content) = &content {
            folder = folder.file("ca.pem", content);
        }
        let faults = folder.load().expect_err("it cannot be used").to_string();
        let file = folder.args.folder.join("ca.pem");
        let wanted = format!(
            "tidegate.toml:5: providers.up.ca_file: {}",
            wanted.replace("FILE", &file.display().to_string())
        );
        assert!(faults.starts_with(&wanted) && faults.lines().count() == 1, "{wanted:?} in {faults:?}");
    }
}

#[test]
fn a_ca_file_means_nothing_where_nothing_is_certified() {
    let refusal = |text: &str| {
        let folder = crate::config::toml_folder(text).file("ca.pem", &Issuer::new().pem());
        folder.load().expect_err("it means nothing").to_string()
    };
    let plain = refusal(
        "[providers.up]\nkind = \"openai\"\nbase_url = \"http://127.0.0.1:1/v1\"\nca_file = \"ca.pem\"\n",
    );
    assert!(
        plain.starts_with("tidegate.toml:4: providers.up.ca_file: has no meaning for a base_url"),
        "{plain}"
    );
    let mock = refusal("[providers.mock]\nkind = \"mock\"\nca_file = \"ca.pem\"\n");
    assert!(mock.contains("providers.mock.ca_file: has no meaning for kind = \"mock\""), "{mock}");
}
