//! One who issues certificates, made for one test and trusted by nobody else. Must not know who shows them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// All have one name: their keys differ.
pub(crate) struct Issuer {
    pub(crate) root: CertificateDer<'static>,
    pub(crate) issuer: rcgen::Issuer<'static, KeyPair>,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let root = params.self_signed(&key).expect("a certificate").der().clone();
        Self { root, issuer: rcgen::Issuer::new(params, key) }
    }

    /// What a server called `name` shows, and its key.
    pub(crate) fn certify(&self, name: &str) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        // Another than the issuer's: OpenSSL takes it for one that vouches for itself else.
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate.der().clone(), key.into())
    }

    pub(crate) fn pem(&self) -> String {
        pem("CERTIFICATE", &self.root)
    }
}

/// Bytes as the text of a PEM file.
pub(crate) fn pem(what: &str, bytes: &[u8]) -> String {
    let lines = STANDARD.encode(bytes);
    let lines: Vec<&str> =
        lines.as_bytes().chunks(64).map(|line| str::from_utf8(line).expect("base64")).collect();
    format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", lines.join("\n"))
}
