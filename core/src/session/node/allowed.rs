//! Which pages may open a link: a browser says in `Origin` where a page is from, and binds WebSockets to no origin by
//! itself. [SEC-3]

use std::collections::BTreeSet;

use crate::session::address::Address;

/// The origins whose pages a node lets in. Without any it lets in none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedOrigins {
    listed: BTreeSet<Triple>,
    null: bool,
    any: bool,
    absent: bool,
}

/// Scheme, host and port, compared exactly: RFC 6454, 4 and 5.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Triple {
    scheme: Box<str>,
    address: Address,
}

/// An entry that is no origin, and can match none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAnOrigin(pub Box<str>);

impl AllowedOrigins {
    /// Each entry is an origin as browsers write it (`https://example.com`, `http://localhost:5173`), or `null` for pages
    /// without one, which any site can make of its own, or `*` for whatever is there.
    ///
    /// # Errors
    /// An entry is none of these: a path, a pattern, a name without a scheme.
    pub fn new<T: AsRef<str>>(entries: &[T]) -> Result<Self, NotAnOrigin> {
        let mut allowed = Self::default();
        for entry in entries.iter().map(AsRef::as_ref) {
            match entry {
                "*" => allowed.any = true,
                "null" => allowed.null = true,
                _ => {
                    let triple = Triple::read(entry).ok_or_else(|| NotAnOrigin(entry.into()))?;
                    allowed.listed.insert(triple);
                }
            }
        }
        Ok(allowed)
    }

    /// Also without the header: programs that are no browsers. A browser never leaves it out.
    #[must_use]
    pub fn and_absent(self) -> Self {
        Self { absent: true, ..self }
    }

    /// Whether an upgrade with this header may go on; `None`: it has none. With two such headers it may not, and nobody
    /// need ask.
    pub fn admits(&self, origin: Option<&[u8]>) -> bool {
        match origin {
            None => self.absent,
            Some(_) if self.any => true,
            Some(b"null") => self.null,
            Some(origin) => core::str::from_utf8(origin)
                .ok()
                .and_then(Triple::read)
                .is_some_and(|triple| self.listed.contains(&triple)),
        }
    }

    /// Whether a cookie may be a credential by itself: not where a page of any site gets in. [SEC-3]
    pub fn may_trust_cookies(&self) -> bool {
        !self.any && !self.null
    }
}

impl Triple {
    /// One serialised origin: no path, not even `/`, no userinfo, no second one behind it.
    fn read(origin: &str) -> Option<Self> {
        let (scheme, address) = origin.split_once("://")?;
        let inner = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'-' | b'.');
        if !scheme.starts_with(|first: char| first.is_ascii_alphabetic()) || !scheme.bytes().all(inner) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let port = match &*scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        Some(Self { scheme: scheme.into(), address: Address::read(address.as_bytes())?.or_port(port) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(allowed: &AllowedOrigins, origin: &str) -> bool {
        allowed.admits(Some(origin.as_bytes()))
    }

    /// [SEC-3]
    #[test]
    fn scheme_host_and_port_are_compared() {
        let entries =
            ["https://good.example", "http://localhost:5173", "https://[2001:db8::1]", "app-x://localhost"];
        let allowed = AllowedOrigins::new(&entries).unwrap();
        for origin in entries {
            assert!(admits(&allowed, origin), "{origin}");
        }
        for origin in ["https://good.example:443", "HTTPS://Good.Example", "https://[2001:db8:0::1]:443"] {
            assert!(admits(&allowed, origin), "{origin}");
        }
        for origin in [
            "http://good.example",
            "http://good.example:443",
            "https://good.example:80",
            "https://good.example:8443",
            "https://www.good.example",
            "https://good.example.evil.example",
            "https://evilgood.example",
            "https://good.example.",
            "https://good.exampl",
            "https://good.example@evil.example",
            "https://user@good.example",
            "https://good.example/",
            "https://good.example/path",
            "https://good.example?x",
            "https://good.example https://evil.example",
            "https://evil.example https://good.example",
            " https://good.example",
            "https://good.example,https://evil.example",
            "https:good.example",
            "//good.example",
            "good.example",
            "://good.example",
            "https://",
            "",
            "http://localhost",
            "http://localhost:5174",
            "https://localhost:5173",
            "http://127.0.0.1:5173",
            "app-x://localhost:80",
            "appx://localhost",
            "https://[2001:db8::2]",
            "null",
            "NULL",
            "*",
        ] {
            assert!(!admits(&allowed, origin), "{origin}");
        }
        assert!(!allowed.admits(Some(b"https://good.example\xff")));
        assert!(!allowed.admits(None));
        assert!(allowed.may_trust_cookies());
    }

    /// [SEC-3] What is not asked for is not let in.
    #[test]
    fn null_absent_and_any_only_if_asked_for() {
        let list = |entries: &[&str]| AllowedOrigins::new(entries).unwrap();
        let (good, evil) = ("https://good.example", "https://evil.example");
        for (allowed, expected, trusts) in [
            (list(&[]), [false, false, false, false], true),
            (list(&[good]), [true, false, false, false], true),
            (list(&[good]).and_absent(), [true, false, false, true], true),
            (list(&[good, "null"]), [true, false, true, false], false),
            (list(&["*"]), [true, true, true, false], false),
            (list(&["*", good]).and_absent(), [true, true, true, true], false),
        ] {
            let origins = [Some(good), Some(evil), Some("null"), None];
            assert_eq!(
                origins.map(|origin| allowed.admits(origin.map(str::as_bytes))),
                expected,
                "{allowed:?}"
            );
            assert_eq!(allowed.may_trust_cookies(), trusts, "{allowed:?}");
        }
        assert!(admits(&list(&["*"]), "file://"), "whatever is there");
    }

    /// [SEC-3] A list that says something else than its author thinks is no list.
    #[test]
    fn an_entry_that_can_match_nothing_is_an_error() {
        for entry in
            ["", "good.example", "https://good.example/", "https://*.example", "**", "Null", "https://"]
        {
            let error = AllowedOrigins::new(&["https://good.example", entry]).unwrap_err();
            assert_eq!(error, NotAnOrigin(entry.into()));
        }
    }
}
