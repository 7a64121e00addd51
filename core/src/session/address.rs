//! Host and port, as they stand in a URL or an origin: so strictly that no two readers can take one text for two places.

/// A host, in the one spelling in which it is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Host {
    /// A name or an IPv4 address: ASCII, in lower case.
    Name(Vec<u8>),
    /// The 16 octets.
    V6(Vec<u8>),
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
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let place = |of: u8| text.iter().position(|octet| *octet == of);
        let (host, rest) = if let Some(inner) = text.strip_prefix(b"[") {
            let (address, rest) = inner.split_at_checked(place(b']')?.checked_sub(1)?)?;
            (Host::V6(v6(address)?), rest.get(1..)?)
        } else {
            let (name, rest) = text.split_at_checked(place(b':').unwrap_or(text.len()))?;
            let plain = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_');
            if name.is_empty() || !name.iter().all(plain) {
                return None;
            }
            (Host::Name(name.to_ascii_lowercase()), rest)
        };
        let port = match rest {
            // A colon alone is as none: RFC 3986, 6.2.3.
            [] | [b':'] => None,
            [b':', digits @ ..] => Some(number(digits, 10).and_then(|port| u16::try_from(port).ok())?),
            _ => return None,
        };
        (port != Some(0)).then_some(Self { host, port })
    }

    /// The same place with its port named, if it had none.
    pub(super) fn or_port(self, default: Option<u16>) -> Self {
        Self { port: self.port.or(default), ..self }
    }
}

/// A number of any length: one that is too big stays so.
fn number(digits: &[u8], base: u32) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u32, |number, octet| {
        let digit = match octet {
            b'0'..=b'9' => octet - b'0',
            _ => (octet | 32).checked_sub(b'a')?.checked_add(10)?,
        };
        let digit = u32::from(digit);
        (digit < base).then(|| number.saturating_mul(base).saturating_add(digit))
    })
}

/// As [`core::net::Ipv6Addr`] reads it, which would bring 5 KB of WebAssembly along.
fn v6(text: &[u8]) -> Option<Vec<u8>> {
    let Some(gap) = text.windows(2).position(|pair| pair == b"::") else {
        return groups(text, true).filter(|octets| octets.len() == 16);
    };
    let (head, tail) = text.split_at_checked(gap)?;
    let (mut octets, tail) = (groups(head, false)?, groups(tail.get(2..)?, true)?);
    // The gap stands for at least one group.
    if octets.len() + tail.len() > 14 {
        return None;
    }
    octets.resize(16 - tail.len(), 0);
    octets.extend(tail);
    Some(octets)
}

/// Groups of up to four hexadecimal digits; the last two may be an IPv4 address.
fn groups(text: &[u8], v4_may_end: bool) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    if text.is_empty() {
        return Some(octets);
    }
    let mut groups = text.split(|octet| *octet == b':').peekable();
    while let Some(group) = groups.next() {
        if v4_may_end && groups.peek().is_none() && group.contains(&b'.') {
            let from = octets.len();
            for part in group.split(|octet| *octet == b'.') {
                let padded = part.len() > 1 && part.starts_with(b"0");
                octets.push(number(part, 10).filter(|_| !padded).and_then(|part| u8::try_from(part).ok())?);
            }
            if octets.len() - from != 4 {
                return None;
            }
        } else {
            let group = number(group, 16).filter(|_| group.len() <= 4)?;
            octets.extend([(group >> 8) as u8, group as u8]);
        }
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use core::net::Ipv6Addr;

    use proptest::prelude::*;

    use super::*;

    fn same(one: &str, other: &str) -> bool {
        let read = |text: &str| Address::read(text.as_bytes()).unwrap().or_port(Some(443));
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
            assert_eq!(Address::read(text.as_bytes()), None, "{text}");
        }
        assert!(Address::read(b"a:65535").is_some() && Address::read(b"a:00001").is_some());
    }

    fn as_the_standard_library(text: &str) {
        let octets = text.parse::<Ipv6Addr>().ok().map(|address| address.octets().to_vec());
        assert_eq!(v6(text.as_bytes()), octets, "{text}");
    }

    #[test]
    fn addresses_as_the_standard_library_reads_them() {
        for text in [
            "::",
            "::1",
            "1::",
            ":",
            ":::",
            "1:::2",
            "1::2::3",
            "1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7::",
            "::2:3:4:5:6:7:8",
            "::1:2:3:4:5:6:7:8",
            "1:2:3:4::5:6:7:8",
            "1:2:3:4:5:6:7:8:9",
            "::ffff:1.2.3.4",
            "1:2:3:4:5:6:1.2.3.4",
            "1:2:3:4:5:6:7:1.2.3.4",
            "::2:3:4:5:6:7:1.2.3.4",
            "1.2.3.4::",
            "1.2.3.4",
            "::1.2.3.4:5",
            "::1.2.3",
            "::1.2.3.4.5",
            "::1.2.3.",
            "::01.2.3.4",
            "::0.0.0.0",
            "::00.0.0.0",
            "::256.0.0.1",
            "::1.2.3.a",
            "::12345",
            "::00001",
            "::g",
            "::FfFf",
            "::+1",
            "::-1",
            "::@",
            "::`",
            "::{",
            " ::",
        ] {
            as_the_standard_library(text);
        }
    }

    proptest! {
        #[test]
        fn whatever_stands_in_brackets(text in "[0-9a-gA-F:.]{0,40}") {
            as_the_standard_library(&text);
        }

        #[test]
        fn groups_with_or_without_a_gap(text in "([0-9a-fA-F]{1,5}:){0,8}:?([0-9a-fA-F]{1,4}:){0,8}([0-9a-f]{0,4}|[0-9]{1,3}(\\.[0-9]{1,3}){3})") {
            as_the_standard_library(&text);
        }
    }
}
