//! Owns what proves who is who to a provider: where its keys come from, fetched once, at load, and whose certificates
//! it may show. Must not print a key, nor say what is in a file or variable, only that it cannot be used.

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;

use super::faults::KeyPath;
use super::reader::{Reader, Section, settings};
use super::roots;
use super::secret::Secret;

settings! {
    /// One of several keys.
    pub struct KeyFrom {
        /// Name of an environment variable.
        env: Option<String> = None;
        /// Path of a file, relative to the configuration file.
        file: Option<String> = None;
    }
}

/// The keys of one provider, ready to be sent, and the issuers it is trusted by. In the file: `api_key_env`,
/// `api_key_file`, `api_key` or `api_keys`; `ca_file`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    /// In the order of the file; empty when the provider takes none.
    pub keys: Vec<Secret>,
    /// Issuers of certificates that are trusted beside the web's.
    pub roots: Vec<CertificateDer<'static>>,
}

impl Section for Credentials {
    fn read(reader: &mut Reader<'_, '_>, default: Self) -> Self {
        let roots = roots::read(reader);
        Self { keys: keys(reader).unwrap_or(default.keys), roots }
    }

    fn ranges(&self, _at: &KeyPath, _faults: &mut super::Faults) {}
}

/// A secret that is given in one of three ways: the name of a variable, the path of a file, or as it is.
pub(super) fn one(reader: &mut Reader<'_, '_>, [env, file, inline]: [&'static str; 3]) -> Option<Secret> {
    let in_env = reader.leaf::<Option<String>>(env, None);
    let in_file = reader.leaf::<Option<String>>(file, None);
    let here = reader.leaf::<Option<Secret>>(inline, None);
    match (in_env, in_file, here) {
        (Some(name), None, None) => from_env(reader, &reader.path.key(env), &name),
        (None, Some(name), None) => from_file(reader, &reader.path.key(file), &name),
        (None, None, Some(secret)) => usable(reader, &reader.path.key(inline), "it", secret.reveal()),
        (None, None, None) => None,
        _ => {
            let path = reader.path.clone();
            reader.walk.faults.add(&path, format!("give one of {env}, {file} and {inline}, not several"));
            None
        }
    }
}

/// The keys, `None` if they are given in several ways.
fn keys(reader: &mut Reader<'_, '_>) -> Option<Vec<Secret>> {
    let env = reader.leaf::<Option<String>>("api_key_env", None);
    let file = reader.leaf::<Option<String>>("api_key_file", None);
    let inline = reader.leaf::<Option<Secret>>("api_key", None);
    let several = reader.list::<KeyFrom>("api_keys", Vec::new());
    let ways = [env.is_some(), file.is_some(), inline.is_some(), !several.is_empty()];
    if ways.iter().filter(|way| **way).count() > 1 {
        let path = reader.path.clone();
        reader
            .walk
            .faults
            .add(&path, "give one of api_key_env, api_key_file, api_key and api_keys, not several");
        return None;
    }
    let mut keys = Vec::new();
    keys.extend(env.and_then(|name| from_env(reader, &reader.path.key("api_key_env"), &name)));
    keys.extend(file.and_then(|name| from_file(reader, &reader.path.key("api_key_file"), &name)));
    keys.extend(
        inline.and_then(|secret| usable(reader, &reader.path.key("api_key"), "the key", secret.reveal())),
    );
    for (n, from) in several.into_iter().enumerate() {
        let path = reader.path.key("api_keys").item(n);
        keys.extend(match (from.env, from.file) {
            (Some(name), None) => from_env(reader, &path, &name),
            (None, Some(name)) => from_file(reader, &path, &name),
            _ => {
                reader.walk.faults.add(&path, "must have either env or file");
                None
            }
        });
    }
    Some(keys)
}

fn from_env(reader: &mut Reader<'_, '_>, path: &KeyPath, name: &str) -> Option<Secret> {
    reader.walk.variables.insert(name.to_owned());
    let Some(text) = reader.walk.layers.env.get(name) else {
        reader.walk.faults.add(path, format!("environment variable {name} is not set"));
        return None;
    };
    usable(reader, path, &format!("environment variable {name}"), text)
}

fn from_file(reader: &mut Reader<'_, '_>, path: &KeyPath, name: &str) -> Option<Secret> {
    let file: PathBuf = reader.walk.layers.folder.join(Path::new(name));
    match std::fs::read_to_string(&file) {
        Ok(text) => usable(reader, path, &format!("file {}", file.display()), &text),
        Err(error) => {
            reader.walk.faults.add(path, format!("cannot read {}: {error}", file.display()));
            None
        }
    }
}

fn usable(reader: &mut Reader<'_, '_>, path: &KeyPath, what: &str, text: &str) -> Option<Secret> {
    let key = text.trim();
    let fault = if key.is_empty() {
        format!("{what} is empty")
    } else if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        format!("{what} holds a character that no key has: a space, a line break or one outside ASCII")
    } else {
        return Some(Secret::new(key));
    };
    reader.walk.faults.add(path, fault);
    None
}
