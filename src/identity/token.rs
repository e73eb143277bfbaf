//! Owns the tokens of people who signed in: signed, so that a request is judged from memory alone. What they may is not in
//! them, so it can change while they are valid. Must not know whether a session is in force.
//!
//! JSON Web Tokens (RFC 7519), HMAC-SHA256 and nothing else: a token does not say by what it is verified.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tidegate_actors::WorkspaceId;

use super::person::SessionRow;

const ISSUER: &str = "tidegate";
const ACCESS: &str = "access";
const RENEW: &str = "renew";
/// Longest token that is looked at, bytes.
const LONGEST: usize = 2_048;

/// What tokens are signed with. Made at first use and kept with people.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// A new one.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn fresh() -> std::io::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        Ok(Self(bytes))
    }

    /// As it is stored.
    #[must_use]
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// As it was stored.
    #[must_use]
    pub fn parse(hex: &str) -> Option<Self> {
        super::key::unhex(hex).map(Self)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

/// What a token says that comes with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AccessToken {
    iss: String,
    #[serde(rename = "use")]
    purpose: String,
    /// The person.
    pub(super) sub: String,
    /// The session.
    pub(super) sid: String,
    /// The person's generation when the session began.
    #[serde(rename = "gen")]
    pub(super) generation: u64,
    /// The workspace it is for, unless a request names another.
    pub(super) ws: String,
    /// Seconds since 1970 UTC.
    iat: i64,
    /// From then on it is not taken any more.
    pub(super) exp: i64,
}

/// What a token says that renews a session, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RenewToken {
    iss: String,
    #[serde(rename = "use")]
    purpose: String,
    /// The session.
    pub(super) sid: String,
    /// Times the session had been renewed when it was given.
    pub(super) renewals: u64,
    exp: i64,
}

/// Signs and verifies.
pub(super) struct Tokens {
    signing: EncodingKey,
    verifying: DecodingKey,
    rules: Validation,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(..)")
    }
}

impl Tokens {
    pub(super) fn with(key: &TokenKey) -> Self {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[ISSUER]);
        rules.set_required_spec_claims(&["iss", "exp"]);
        // Time is the clock's that is handed in, at the place of judgement.
        rules.validate_exp = false;
        Self { signing: EncodingKey::from_secret(&key.0), verifying: DecodingKey::from_secret(&key.0), rules }
    }

    /// A token that comes with requests until `until_us`; nothing if it cannot be written.
    pub(super) fn access(&self, session: &SessionRow, now_us: i64, until_us: i64) -> Option<String> {
        let SessionRow { id, person, workspace, generation, .. } = session;
        self.signed(&AccessToken {
            iss: ISSUER.to_owned(),
            purpose: ACCESS.to_owned(),
            sub: person.clone(),
            sid: id.clone(),
            generation: *generation,
            ws: workspace.as_str().to_owned(),
            iat: seconds(now_us),
            exp: seconds(until_us),
        })
    }

    /// A token that renews the session for the next time.
    pub(super) fn renew(&self, session: &SessionRow, renewals: u64) -> Option<String> {
        let (sid, exp) = (session.id.clone(), seconds(session.expires_us));
        self.signed(&RenewToken { iss: ISSUER.to_owned(), purpose: RENEW.to_owned(), sid, renewals, exp })
    }

    /// What a token of ours says, whenever it was valid.
    pub(super) fn read_access(&self, text: &[u8]) -> Option<AccessToken> {
        self.read(text).filter(|token: &AccessToken| token.purpose == ACCESS)
    }

    /// As [`Tokens::read_access`].
    pub(super) fn read_renew(&self, text: &[u8]) -> Option<RenewToken> {
        self.read(text).filter(|token: &RenewToken| token.purpose == RENEW)
    }

    fn signed(&self, claims: &impl Serialize) -> Option<String> {
        // Texts and numbers have a JSON form, and HMAC takes any key.
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.signing).ok()
    }

    fn read<T: DeserializeOwned + Clone>(&self, text: &[u8]) -> Option<T> {
        let text = looks_signed(text).then(|| std::str::from_utf8(text).ok()).flatten()?;
        jsonwebtoken::decode::<T>(text, &self.verifying, &self.rules).ok().map(|token| token.claims)
    }
}

impl AccessToken {
    /// The workspace it is for.
    pub(super) fn workspace(&self) -> WorkspaceId {
        WorkspaceId::new(self.ws.as_str())
    }

    pub(super) fn is_over(&self, now_us: i64) -> bool {
        seconds(now_us) >= self.exp
    }
}

/// Whether this could be a token: base64 of `{"`, and short.
pub(super) fn looks_signed(text: &[u8]) -> bool {
    text.starts_with(b"eyJ") && text.len() <= LONGEST
}

fn seconds(us: i64) -> i64 {
    us.div_euclid(1_000_000)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn session() -> SessionRow {
        SessionRow {
            id: "session_1".to_owned(),
            person: "person_1".to_owned(),
            workspace: WorkspaceId::new("ws_1"),
            generation: 3,
            created_us: 5_000_000,
            expires_us: 90_000_000,
        }
    }

    fn tokens() -> Tokens {
        Tokens::with(&TokenKey::fresh().expect("random numbers"))
    }

    #[test]
    fn a_token_says_what_was_signed_and_is_for_one_purpose() {
        let tokens = tokens();
        let access = tokens.access(&session(), 5_000_000, 65_999_999).expect("signed");
        let read = tokens.read_access(access.as_bytes()).expect("ours");
        assert_eq!((read.sub.as_str(), read.sid.as_str(), read.generation), ("person_1", "session_1", 3));
        assert_eq!((read.workspace(), read.exp), (WorkspaceId::new("ws_1"), 65));
        assert!(!read.is_over(64_999_999) && read.is_over(65_000_000));
        let renew = tokens.renew(&session(), 7).expect("signed");
        assert_eq!(tokens.read_renew(renew.as_bytes()).expect("ours").renewals, 7);
        assert!(tokens.read_access(renew.as_bytes()).is_none(), "what renews does not come in");
        assert!(tokens.read_renew(access.as_bytes()).is_none(), "what comes in does not renew");
    }

    #[test]
    fn a_token_of_another_key_or_with_any_bit_changed_is_nobodys() {
        let tokens = tokens();
        let access = tokens.access(&session(), 0, 60_000_000).expect("signed");
        assert!(self::tokens().read_access(access.as_bytes()).is_none());
        for at in 0..access.len() {
            let mut forged = access.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            // The last letter of a part holds bits that are not used.
            let is_same = tokens.read_access(&forged).is_none_or(|token| token.sub == "person_1");
            assert!(is_same, "at {at}");
        }
        assert!(tokens.read_access(&access.as_bytes()[..access.len() - 4]).is_none());
        assert!(tokens.read_access(format!("{access}{}", "x".repeat(3_000)).as_bytes()).is_none());
    }

    /// The oldest trick with these tokens: the token names the algorithm it wants to be verified by.
    #[test]
    fn a_token_does_not_choose_its_algorithm() {
        let key = TokenKey::fresh().expect("random numbers");
        let tokens = Tokens::with(&key);
        let access = tokens.access(&session(), 0, 60_000_000).expect("signed");
        let (_, rest) = access.split_once('.').expect("parts");
        let (claims, _) = rest.split_once('.').expect("parts");
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        for forged in [format!("{none}.{claims}."), format!("{none}.{rest}")] {
            assert!(tokens.read_access(forged.as_bytes()).is_none(), "{forged}");
        }
        let claims = tokens.read_access(access.as_bytes()).expect("ours");
        let signing = EncodingKey::from_secret(&key.0);
        let other = jsonwebtoken::encode(&Header::new(Algorithm::HS512), &claims, &signing).expect("signed");
        assert!(tokens.read_access(other.as_bytes()).is_none(), "not even with the right key");
    }

    #[test]
    fn a_key_survives_its_hex_and_is_not_shown() {
        let key = TokenKey::fresh().expect("random numbers");
        assert!(TokenKey::parse(&key.hex()) == Some(key) && TokenKey::parse("00").is_none());
        assert_eq!(format!("{key:?}"), "TokenKey(..)");
    }
}
