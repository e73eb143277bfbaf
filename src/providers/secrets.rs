//! What must never be seen of a provider's configuration, and the mask in its place.
//!
//! Owns finding secrets in what an upstream says, errors first of all: some quote the key they refuse, whatever
//! status they send. It shows no secret and changes nothing else.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderValue};
use memchr::memmem::Finder;
use memchr::{memchr_iter, memmem};
use percent_encoding::utf8_percent_encode;

use super::remote::PLAIN;
use crate::config;

/// Stands where a secret stood.
const MASK: &[u8] = b"***";
/// A shorter key is a placeholder such as `none` or `ollama`, which an answer may well hold: it is masked in errors alone.
const LONG: usize = 12;
/// What is in every error that has a good status, of any vendor.
const ERROR: &[u8] = b"\"error\"";
/// Headers and query parameters with such a word in their name carry a secret; others do not, `api-version` say.
const CARRIERS: [&str; 8] = ["key", "token", "secret", "auth", "pass", "credential", "cookie", "signature"];

/// The secrets of one provider.
pub(super) struct Secrets {
    /// The longest first, so that none is masked in part by another it holds.
    all: Vec<Finder<'static>>,
    /// So many of them are long.
    long: usize,
}

impl Secrets {
    /// The keys of `config`, and the values of its headers and query parameters that carry one.
    pub(super) fn of(config: &config::Provider) -> Self {
        let keys = config.credentials.keys.iter().map(config::Secret::reveal);
        let address = &config.address;
        let carried = address.headers.iter().chain(&address.query).filter(|(name, _)| is_carrier(name));
        // `Bearer KEY`: the scheme is none.
        let carried = carried.filter_map(|(_, value)| value.reveal().split_whitespace().last());
        Self::new(keys.chain(carried))
    }

    fn new<'a>(secrets: impl Iterator<Item = &'a str>) -> Self {
        let mut forms: Vec<Vec<u8>> = secrets.filter(|secret| !secret.is_empty()).flat_map(forms).collect();
        forms.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        forms.dedup();
        let long = forms.iter().filter(|form| form.len() >= LONG).count();
        let all = forms.iter().map(|form| Finder::new(form).into_owned()).collect();
        Self { all, long }
    }

    /// Masks what an answer says; `is_error` if its status says that it is one.
    pub(super) fn veil(self: &Arc<Self>, is_error: bool) -> Veil {
        Veil { secrets: Arc::clone(self), is_error, held: Bytes::new() }
    }

    /// Masks the values of fields.
    pub(super) fn hide_in(&self, fields: &mut HeaderMap) {
        for value in fields.values_mut() {
            if self.all.iter().any(|secret| secret.find(value.as_bytes()).is_some()) {
                let masked = masked(Bytes::copy_from_slice(value.as_bytes()), &self.all);
                *value = HeaderValue::from_maybe_shared(masked).unwrap_or(HeaderValue::from_static("***"));
            }
        }
    }
}

fn is_carrier(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    CARRIERS.iter().any(|word| name.contains(word))
}

/// How a secret may stand in what an upstream says: as it is, in a URL, in JSON that escapes slashes.
fn forms(secret: &str) -> [Vec<u8>; 3] {
    let encoded = utf8_percent_encode(secret, &PLAIN).to_string();
    [secret.to_owned(), encoded, secret.replace('/', "\\/")].map(String::into_bytes)
}

/// Looks through an answer that comes in pieces.
pub(super) struct Veil {
    secrets: Arc<Secrets>,
    is_error: bool,
    /// The end of what came, while it may be the beginning of a secret.
    held: Bytes,
}

impl Veil {
    /// What may be seen of `piece`, and of what was held back before it.
    pub(super) fn pass(&mut self, piece: Bytes) -> Bytes {
        let Secrets { all, long } = &*self.secrets;
        if all.is_empty() {
            return piece;
        }
        let piece = if self.held.is_empty() { piece } else { [&*self.held, &*piece].concat().into() };
        let every = self.is_error || (*long < all.len() && memmem::find(&piece, ERROR).is_some());
        let sought = if every { all } else { &all[..*long] };
        let mut seen = masked(piece, sought);
        let open = sought.iter().map(|secret| begun(&seen, secret.needle())).max().unwrap_or(0);
        self.held = seen.split_off(seen.len() - open);
        seen
    }

    /// What was held back of an answer that has ended.
    pub(super) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.held)
    }
}

fn masked(text: Bytes, sought: &[Finder<'_>]) -> Bytes {
    sought.iter().fold(text, |text, secret| match secret.find(&text) {
        None => text,
        Some(_) => without(&text, secret),
    })
}

fn without(text: &[u8], secret: &Finder<'_>) -> Bytes {
    let mut out = Vec::with_capacity(text.len());
    let mut done = 0;
    for at in secret.find_iter(text) {
        out.extend_from_slice(&text[done..at]);
        out.extend_from_slice(MASK);
        done = at + secret.needle().len();
    }
    out.extend_from_slice(&text[done..]);
    out.into()
}

/// Bytes at the end of `text` with which `secret` begins.
fn begun(text: &[u8], secret: &[u8]) -> usize {
    let last = &text[text.len().saturating_sub(secret.len() - 1)..];
    let starts = memchr_iter(secret[0], last);
    starts.map(|at| &last[at..]).find(|end| secret.starts_with(end)).map_or(0, <[u8]>::len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    const KEY: &str = "sesame-open-sesame";

    fn secrets(keys: &[&str]) -> Arc<Secrets> {
        Arc::new(Secrets::new(keys.iter().copied()))
    }

    /// What is seen of an answer in these pieces.
    fn seen(secrets: &Arc<Secrets>, is_error: bool, pieces: &[&str]) -> String {
        let mut veil = secrets.veil(is_error);
        let mut seen: Vec<u8> =
            pieces.iter().flat_map(|piece| veil.pass(Bytes::copy_from_slice(piece.as_bytes()))).collect();
        seen.extend(veil.rest());
        String::from_utf8(seen).expect("text")
    }

    #[test]
    fn a_key_is_masked_wherever_it_breaks_between_pieces() {
        let text = format!("no {KEY}, no sesame-open-sesam, no {KEY}");
        for cut in 0..text.len() {
            let (left, right) = text.split_at(cut);
            assert_eq!(seen(&secrets(&[KEY]), false, &[left, right]), "no ***, no sesame-open-sesam, no ***");
        }
        let letters: Vec<String> = text.chars().map(String::from).collect();
        let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
        assert_eq!(seen(&secrets(&[KEY]), false, &letters), "no ***, no sesame-open-sesam, no ***");
    }

    #[test]
    fn only_what_may_become_a_key_waits_for_more() {
        let mut veil = secrets(&[KEY]).veil(false);
        assert_eq!(veil.pass("data: sesame\n\n".into()), "data: sesame\n\n");
        assert_eq!(veil.pass("data: sesame".into()), "data: ");
        assert_eq!(veil.pass("\n\n".into()), "sesame\n\n");
        assert_eq!(veil.pass("sesame-open".into()), "");
        assert_eq!(veil.rest(), "sesame-open");
    }

    #[test]
    fn a_short_key_is_masked_in_errors_alone() {
        let secrets = secrets(&["none", KEY]);
        assert_eq!(seen(&secrets, false, &["none of it"]), "none of it");
        assert_eq!(seen(&secrets, true, &["none of it"]), "*** of it");
        let error = r#"{"error":{"message":"key none"}}"#;
        assert_eq!(seen(&secrets, false, &[error]), r#"{"error":{"message":"key ***"}}"#);
    }

    #[test]
    fn a_key_within_another_leaves_nothing_of_it() {
        assert_eq!(seen(&secrets(&["sesame-open-", KEY]), false, &["no ", KEY]), "no ***");
    }

    #[test]
    fn a_key_is_found_in_a_url_and_in_json_too() {
        let secrets = secrets(&["abc/def+ghi=jkl"]);
        for form in ["abc/def+ghi=jkl", "abc%2Fdef%2Bghi%3Djkl", "abc\\/def+ghi=jkl"] {
            assert_eq!(seen(&secrets, false, &[form]), "***", "{form}");
        }
    }

    #[test]
    fn values_that_carry_a_key_are_secret_and_others_are_not() {
        let mut config = config::Provider::default();
        config.credentials.keys = vec![Secret::new(KEY)];
        let field = |name: &str, value: &str| (name.to_owned(), Secret::new(value));
        config.address.headers =
            [field("X-Auth", "Bearer header-secret"), field("x-team", "search-team-1")].into();
        config.address.query =
            [field("subscription-key", "query-secret"), field("api-version", "2024-12-01-preview")].into();
        let secrets = Arc::new(Secrets::of(&config));
        let said = format!("Bearer header-secret search-team-1 query-secret 2024-12-01-preview {KEY}");
        assert_eq!(seen(&secrets, false, &[&said]), "Bearer *** search-team-1 *** 2024-12-01-preview ***");

        let mut fields = HeaderMap::new();
        let said = format!("https://else.where/?subscription-key=query-secret&{KEY}");
        fields.insert("location", HeaderValue::try_from(said).expect("a value"));
        secrets.hide_in(&mut fields);
        assert_eq!(fields["location"], "https://else.where/?subscription-key=***&***");
    }
}
