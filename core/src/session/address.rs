//! Host and port, as they stand in a URL or an origin: so strictly that no two readers can take one text for two places.

use core::net::Ipv6Addr;

/// A host, in the one spelling in which it is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Host {
    /// A name or an IPv4 address: ASCII, in lower case.
    Name(Box<str>),
    V6(Ipv6Addr),
}

/// `host` or `host:port`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address {
    host: Host,
    port: Option<u16>,
}

impl Address {
    /// Without userinfo, escapes, and whatever else readers of URLs differ about. An IPv4 address is a name like any
    /// other: in another spelling it is another.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (host, rest) = match text.strip_prefix('[') {
            Some(inner) => {
                let (address, rest) = inner.split_once(']')?;
                (Host::V6(address.parse().ok()?), rest)
            }
            None => {
                let (name, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
                let plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_');
                if name.is_empty() || !name.bytes().all(plain) {
                    return None;
                }
                (Host::Name(name.to_ascii_lowercase().into()), rest)
            }
        };
        let port = match rest.strip_prefix(':') {
            // As if there were no colon: RFC 3986, 6.2.3.
            Some("") => None,
            Some(digits) if digits.bytes().all(|octet| octet.is_ascii_digit()) => {
                Some(digits.parse().ok().filter(|port| *port > 0)?)
            }
            None if rest.is_empty() => None,
            _ => return None,
        };
        Some(Self { host, port })
    }

    /// The same place with its port named, if it had none.
    pub(super) fn or_port(self, default: Option<u16>) -> Self {
        Self { port: self.port.or(default), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        let read = |text| Address::read(text).unwrap().or_port(Some(443));
        read(one) == read(other)
    }

    #[test]
    fn one_place_in_two_spellings() {
        assert!(same("Good.Example", "good.example:443"));
        assert!(same("good.example:", "good.example"));
        assert!(same("[::1]:443", "[0:0:0:0:0:0:0:1]"));
        assert!(!same("good.example", "good.example."));
        assert!(!same("good.example:444", "good.example"));
        assert!(!same("[::1]", "[::2]"));
        assert!(!same("127.0.0.1", "2130706433"));
    }

    #[test]
    fn what_is_no_address() {
        let texts = [
            "",
            ":443",
            "a@b",
            "a:b@c",
            "a:b",
            "a:0",
            "a:65536",
            "a:443:443",
            "a:+443",
            "a b",
            "a%2eb",
            "a\\b",
            "a/b",
            "bücher.example",
            "::1",
            "[::1",
            "[::1]x",
            "[::1]443",
            "[a.example]",
            "[fe80::1%25en0]",
            "[]",
        ];
        for text in texts {
            assert_eq!(Address::read(text), None, "{text}");
        }
        assert!(Address::read("a:65535").is_some() && Address::read("a:1").is_some());
    }
}
