//! Owns `ca_file`: certificates of issuers a provider is trusted by, beside the web's. Read once, at load. Must not
//! connect to anybody.

use std::fmt::Display;
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{Error as PemError, PemObject};

use super::reader::Reader;

/// What a certificate in a PEM file begins with.
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// The certificates of the file that `ca_file` names, none if it names none or cannot be used.
pub(super) fn read(reader: &mut Reader<'_, '_>) -> Vec<CertificateDer<'static>> {
    let Some(name) = reader.leaf::<Option<String>>("ca_file", None) else { return Vec::new() };
    let file = reader.walk.layers.folder.join(Path::new(&name));
    let roots = match std::fs::read(&file) {
        Ok(bytes) => roots(&bytes).map_err(|fault| format!("{}{fault}", file.display())),
        Err(error) => Err(format!("cannot read {}: {error}", file.display())),
    };
    roots.unwrap_or_else(|message| {
        reader.walk.faults.add(&reader.path.key("ca_file"), message);
        Vec::new()
    })
}

/// Every certificate of a PEM file; what else stands in it is passed over.
///
/// # Errors
/// What is wrong and on which line, to be read behind the name of the file.
fn roots(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut roots: Vec<CertificateDer<'static>> = Vec::new();
    let mut store = RootCertStore::empty();
    for item in CertificateDer::pem_slice_iter(bytes) {
        let at = |fault: &dyn Display| format!(":{}: {fault}", line_of(bytes, roots.len()));
        let root = item.map_err(|fault| at(&broken(&fault)))?;
        store
            .add(root.clone())
            .map_err(|_| at(&"this certificate cannot be read; it must be X.509, version 3"))?;
        roots.push(root);
    }
    if roots.is_empty() {
        return Err(match bytes {
            [0x30, 0x81..=0x84, ..] => {
                " holds no certificate in PEM; if it is DER, openssl x509 -inform der turns it into PEM"
                    .to_owned()
            }
            _ => format!(" holds no certificate; a PEM file has lines of {BEGIN}"),
        });
    }
    Ok(roots)
}

fn broken(fault: &PemError) -> String {
    match fault {
        PemError::MissingSectionEnd { .. } => "the certificate that begins here has no end".to_owned(),
        PemError::Base64Decode(_) => "the certificate that begins here is not valid base64".to_owned(),
        other => format!("this is not a certificate in PEM: {other}"),
    }
}

/// The line, from 1, on which certificate number `index`, from 0, begins; the last line if none does.
fn line_of(bytes: &[u8], index: usize) -> usize {
    let text = String::from_utf8_lossy(bytes);
    let begins =
        text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("-----BEGIN CERT"));
    begins.map(|(at, _)| at + 1).nth(index).unwrap_or_else(|| text.lines().count().max(1))
}
