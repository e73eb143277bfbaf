//! TLS to the database: a real PostgreSQL whose certificate was issued for one test. Whom a server trusts is said in the URL, and
//! nobody else is told anything.
//!
//! Owns that PostgreSQL.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use crate::issuer::{Issuer, pem};
use crate::postgres::Cluster;
use crate::server::Gateway;

/// A PostgreSQL that is called `localhost` and speaks TLS only.
struct Encrypted {
    cluster: Cluster,
    port: u16,
}

impl Encrypted {
    fn certified_by(issuer: &Issuer) -> Self {
        let (certificate, key) = issuer.certify("localhost");
        let (certificate, key) = (pem("CERTIFICATE", &certificate), pem("PRIVATE KEY", key.secret_der()));
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("free").port();
        let settings =
            [("TLS_PORT", &*port.to_string()), ("TLS_CERTIFICATE", &certificate), ("TLS_KEY", &key)];
        Self { cluster: Cluster::start(&settings), port }
    }

    fn url(&self, host: &str, how: &str) -> String {
        format!("postgres://postgres@{host}:{}/postgres?{how}", self.port)
    }

    /// How many of our connections are encrypted, and how many there are.
    fn connections(&self) -> String {
        let count = "SELECT count(*) FILTER (WHERE ssl), count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
            WHERE application_name = 'tidegate'";
        let folder = self.cluster.folder.display();
        crate::postgres::ask(
            &format!("postgres://postgres@localhost:{}/postgres?host={folder}", self.port),
            count,
        )
    }
}

/// What `tidegate db` says of a database.
fn db(folder: &Path, url: &str, command: &[&str]) -> Output {
    std::fs::write(folder.join("tidegate.toml"), format!("database.url = \"{url}\"")).expect("written");
    let mut tidegate = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    tidegate.arg("db").args(command).current_dir(folder).env_clear();
    tidegate.env("PATH", std::env::var_os("PATH").unwrap_or_default()).output().expect("it can be started")
}

/// Why it cannot be reached.
fn refused(folder: &Path, url: &str) -> String {
    let done = db(folder, url, &["status"]);
    let said = String::from_utf8(done.stderr).expect("text");
    assert_eq!(done.status.code(), Some(1), "{}", String::from_utf8_lossy(&done.stdout));
    assert!(said.contains("it cannot be reached"), "{said}");
    said
}

#[tokio::test]
async fn a_server_whose_issuer_and_name_are_known_is_trusted_and_everything_is_encrypted() {
    let (folder, issuer) = (tempfile::tempdir().expect("a folder"), Issuer::new());
    let server = Encrypted::certified_by(&issuer);
    let root = folder.path().join("ca.pem");
    std::fs::write(&root, issuer.pem()).expect("written");
    let url = server.url("localhost", &format!("sslmode=verify-full&sslrootcert={}", root.display()));
    let gateway = Gateway::start(&format!("database.url = \"{url}\""));
    assert_eq!(gateway.get("/api/v1/usage").await.status, 200, "the ledger is read there");
    let connections = server.connections();
    let (encrypted, all) = connections.split_once('|').expect("two counts");
    assert!(encrypted == all && all != "0", "{connections}");
    drop(gateway);
    let done = db(folder.path(), &url, &["backup", "copy"]);
    assert!(done.status.success(), "pg_dump: {}", String::from_utf8_lossy(&done.stderr));
    assert!(folder.path().join("copy").exists());
}

#[test]
fn a_server_that_may_be_another_is_refused_and_told_nothing() {
    let (folder, issuer) = (tempfile::tempdir().expect("a folder"), Issuer::new());
    let server = Encrypted::certified_by(&issuer);
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let (ours, other) = (file("ca.pem", &issuer.pem()), file("other.pem", &Issuer::new().pem()));
    let verified =
        |host: &str, mode: &str, root: &str| server.url(host, &format!("sslmode={mode}&sslrootcert={root}"));
    for (url, words) in [
        (verified("localhost", "verify-full", &other), "invalid peer certificate"),
        (verified("localhost", "verify-ca", &other), "invalid peer certificate"),
        (verified("127.0.0.1", "verify-full", &ours), "not valid for name"),
        (server.url("localhost", "sslmode=verify-full"), "invalid peer certificate"),
    ] {
        let said = refused(folder.path(), &url);
        assert!(said.contains(words) && said.contains("sslrootcert"), "{url}: {said}");
    }
    let nowhere = verified("localhost", "verify-full", "/nowhere/ca.pem");
    assert!(refused(folder.path(), &nowhere).contains("a certificate that database.url names"));
    let plain = refused(folder.path(), &server.url("localhost", "sslmode=disable"));
    assert!(plain.contains("no encryption"), "the server takes nobody without: {plain}");
    for (host, mode) in [("localhost", "require"), ("127.0.0.1", "verify-ca")] {
        let done = db(folder.path(), &verified(host, mode, &ours), &["status"]);
        assert!(done.status.success(), "{mode}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

/// A server without TLS answers the wish for it with an N.
#[test]
fn a_server_without_tls_is_refused_where_it_is_required() {
    let folder = tempfile::tempdir().expect("a folder");
    for mode in ["require", "verify-ca", "verify-full"] {
        let plain = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = plain.local_addr().expect("bound").port();
        let heard = thread::spawn(move || {
            let (mut socket, _) = plain.accept().expect("somebody comes");
            let mut wish = [0; 8];
            socket.read_exact(&mut wish).expect("the wish for TLS");
            socket.write_all(b"N").expect("told");
            let mut more = Vec::new();
            // However the connection ends.
            let _ = socket.read_to_end(&mut more);
            more
        });
        let said = refused(folder.path(), &format!("postgres://me@127.0.0.1:{port}/books?sslmode={mode}"));
        assert!(said.contains("server does not support TLS"), "{mode}: {said}");
        assert_eq!(heard.join().expect("it ends"), b"", "{mode}: not even the name is said in plain");
    }
}
