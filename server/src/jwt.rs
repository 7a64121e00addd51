//! Tokens that another service has signed: JSON Web Tokens (RFC 7519), HS256.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use everwire_core::Duration;
use everwire_core::session::node::NotAuthenticated;
use everwire_host::Who;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;

use crate::app::Credential;

/// A shorter secret can be guessed from one token. RFC 7518 §3.2: as long as the hash.
const SECRET_BYTES_LEAST: usize = 32;

/// The secret is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret of JSON Web Tokens must have 32 octets or more")]
pub struct JwtError;

/// Takes whoever shows a token that was signed with a secret for the `sub` in it, for as long as its `exp` says. Both
/// claims are required.
#[derive(Clone)]
pub struct Jwt {
    key: DecodingKey,
    validation: Validation,
    prefix: String,
}

/// A key may appear in no log line. [SEC-4]
impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
}

impl Jwt {
    /// With the secret that the tokens are signed with. The identity is `prefix` and their `sub`.
    ///
    /// # Errors
    /// If the secret is too short.
    pub fn new(secret: &[u8], prefix: &str) -> Result<Self, JwtError> {
        if secret.len() < SECRET_BYTES_LEAST {
            return Err(JwtError);
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "sub"]);
        validation.validate_nbf = true;
        validation.validate_aud = false;
        // The grace of [AUTH-5] is the protocol's; a second one on top of it would be nobody's.
        validation.leeway = 0;
        Ok(Self { key: DecodingKey::from_secret(secret), validation, prefix: prefix.to_owned() })
    }

    /// Who this is.
    ///
    /// # Errors
    /// `Refused`, without a token or with one that does not hold.
    pub fn authenticate(&self, credential: &Credential) -> Result<Who, NotAuthenticated> {
        let token = credential.token.as_ref().ok_or(NotAuthenticated::Refused)?;
        let data = decode::<Claims>(token.reveal().as_bytes(), &self.key, &self.validation);
        let Claims { sub, exp } = data.map_err(|_| NotAuthenticated::Refused)?.claims;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // An `exp` beyond what JavaScript can count is as good as none.
        let expires = exp.saturating_sub(now.as_secs()).min(1 << 32);
        if sub.is_empty() {
            return Err(NotAuthenticated::Refused);
        }
        let identity = format!("{}{sub}", self.prefix);
        Ok(Who::Named { identity, expires: Some(Duration::from_secs(expires)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use everwire_core::session::Secret;
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::{Value, json};

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn signed(claims: &Value, secret: &[u8], algorithm: Algorithm) -> Credential {
        let token = encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret)).unwrap();
        credential(Some(&token))
    }

    fn credential(token: Option<&str>) -> Credential {
        Credential { token: token.map(Secret::from), address: None, renewal: false }
    }

    fn in_seconds(seconds: i64) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        i64::try_from(now).unwrap() + seconds
    }

    #[test]
    fn whoever_is_signed_for_gets_in_until_it_expires() {
        let jwt = Jwt::new(SECRET, "user_").unwrap();
        let credential = signed(&json!({ "sub": "ann", "exp": in_seconds(60) }), SECRET, Algorithm::HS256);
        let Ok(Who::Named { identity, expires: Some(expires) }) = jwt.authenticate(&credential) else {
            panic!("not let in")
        };
        assert_eq!(identity, "user_ann");
        assert!((58_000_000..=60_000_000).contains(&expires.as_micros()));
    }

    #[test]
    fn nobody_else_does() {
        let jwt = Jwt::new(SECRET, "user_").unwrap();
        let good = json!({ "sub": "ann", "exp": in_seconds(60) });
        let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4iLCJleHAiOjk5OTk5OTk5OTl9.";
        for (why, credential) in [
            ("expired", signed(&json!({ "sub": "ann", "exp": in_seconds(-1) }), SECRET, Algorithm::HS256)),
            ("for ever", signed(&json!({ "sub": "ann" }), SECRET, Algorithm::HS256)),
            ("for nobody", signed(&json!({ "exp": in_seconds(60) }), SECRET, Algorithm::HS256)),
            (
                "for an empty name",
                signed(&json!({ "sub": "", "exp": in_seconds(60) }), SECRET, Algorithm::HS256),
            ),
            (
                "too early",
                signed(
                    &json!({ "sub": "ann", "exp": in_seconds(60), "nbf": in_seconds(30) }),
                    SECRET,
                    Algorithm::HS256,
                ),
            ),
            ("of another", signed(&good, b"another secret of thirty-two octets", Algorithm::HS256)),
            ("by another rule", signed(&good, SECRET, Algorithm::HS512)),
            ("unsigned", credential(Some(unsigned))),
            ("none at all", credential(Some("token"))),
            ("absent", credential(None)),
        ] {
            assert_eq!(jwt.authenticate(&credential), Err(NotAuthenticated::Refused), "{why}");
        }
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_none() {
        assert_eq!(Jwt::new(&SECRET[1..], "user_").unwrap_err(), JwtError);
    }

    /// [SEC-4]
    #[test]
    fn the_secret_is_never_printed() {
        assert_eq!(format!("{:?}", Jwt::new(SECRET, "user_").unwrap()), "[redacted]");
    }
}
