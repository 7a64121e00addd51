//! Whether the `url` of a `goaway` may be followed. [AWAY-8]

use crate::session::address::Address;

/// Whether a client that is at `present` may dial this `url` of a `goaway`, which will see the token: an absolute `ws:` or
/// `wss:` URL, no less secure, whose host and port are those of `present` or stand in `redirects`, as `host` (with the
/// usual port of the url's scheme), `host:port` or `[v6]:port`. [AWAY-8] [SEC-10]
///
/// `present` is the socket's own `url`, in which names are in ASCII already. What two readers of URLs could understand
/// differently is not followed: userinfo, a fragment, a backslash, white space, escapes in the host, slashes too many or
/// too few.
pub fn may_follow<T: AsRef<str>>(url: &str, present: &str, redirects: &[T]) -> bool {
    let (Some(there), Some(here)) = (Place::read(url), Place::read(present)) else { return false };
    let listed = |entry: &T| {
        Address::read(entry.as_ref().as_bytes())
            .is_some_and(|entry| entry.or_port(Some(port(there.secure))) == there.address)
    };
    (there.secure || !here.secure) && (there.address == here.address || redirects.iter().any(listed))
}

struct Place {
    secure: bool,
    address: Address,
}

impl Place {
    fn read(url: &str) -> Option<Self> {
        let plain = |octet: u8| octet.is_ascii_graphic() && !matches!(octet, b'\\' | b'#');
        // As octets: what searches and cuts text brings 5 KB of WebAssembly along.
        let url = Some(url.as_bytes()).filter(|url| url.iter().copied().all(plain))?;
        let (scheme, rest) =
            url.split_at_checked(url.windows(3).position(|part| part == b"://").unwrap_or(url.len()))?;
        let secure = scheme.eq_ignore_ascii_case(b"wss");
        if !secure && !scheme.eq_ignore_ascii_case(b"ws") {
            return None;
        }
        let rest = rest.get(3..)?;
        let address = Address::read(rest.split(|octet| matches!(octet, b'/' | b'?')).next()?)?;
        Some(Self { secure, address: address.or_port(Some(port(secure))) })
    }
}

fn port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "wss://good.example/live?x=1";
    const NONE: [&str; 0] = [];

    /// [AWAY-8] [SEC-10]
    #[test]
    fn the_same_host_and_port_is_followed() {
        for url in [
            "wss://good.example",
            "wss://good.example/",
            "wss://good.example?room=1",
            "wss://good.example:443/elsewhere",
            "wss://good.example:/",
            "WSS://GOOD.Example/live",
            "wss://good.example/@evil.example",
            "wss://good.example/a://b",
        ] {
            assert!(may_follow(url, HERE, &NONE), "{url}");
        }
        assert!(may_follow("wss://[::1]:8443/", "wss://[0:0::1]:8443", &NONE));
        assert!(may_follow("ws://127.0.0.1:80/b", "ws://127.0.0.1/a", &NONE));
    }

    /// [AWAY-8] [SEC-10]
    #[test]
    fn any_other_place_is_not() {
        for url in [
            "wss://evil.example/",
            "wss://good.example@evil.example/",
            "wss://good.example:443@evil.example/",
            "wss://user@good.example/",
            "wss://user:pw@good.example/",
            "wss://@good.example/",
            "wss://good.example.evil.example/",
            "wss://evil-good.example/",
            "wss://good.exampl/",
            "wss://good.example./",
            "wss://good.example:444/",
            "wss://good.example:80/",
            "wss://good.example:0443x/",
            "wss://good.example\\.evil.example/",
            "wss://evil.example\\@good.example/",
            "wss://good.example/\\evil.example",
            "wss:\\\\good.example/",
            "wss://good.example#@evil.example/",
            "wss://good.example/#top",
            "wss://good%2eexample/",
            "wss://good.example%00.evil.example/",
            "wss://good.example /",
            " wss://good.example/",
            "wss://good.\texample/",
            "wss://good.example/\n",
            "wss://göod.example/",
            "wss://ｇood.example/",
            "wss:///good.example/",
            "wss:/good.example/",
            "wss:good.example/",
            "//good.example/",
            "/live",
            "good.example",
            "",
            "://good.example",
            "wss://",
            "wss://:443/",
            "wss://[::1]/",
            "https://good.example/",
            "http://good.example/",
            "javascript://good.example/%0aalert(1)",
            "data:text/html,wss://good.example/",
            "x wss://good.example/",
        ] {
            assert!(!may_follow(url, HERE, &NONE), "{url}");
        }
    }

    /// [AWAY-8] [SEC-10]
    #[test]
    fn a_scheme_is_never_less_secure() {
        let listed = ["good.example:80", "good.example:443", "other.example"];
        assert!(!may_follow("ws://good.example/", HERE, &listed));
        assert!(!may_follow("ws://good.example:443/", HERE, &listed));
        assert!(!may_follow("ws://other.example/", HERE, &listed));
        // The other way round it is more secure, and another port.
        assert!(may_follow("wss://good.example/", "ws://good.example/", &listed));
        assert!(!may_follow("wss://good.example/", "ws://good.example/", &NONE));
        assert!(may_follow("wss://good.example:8080/", "ws://good.example:8080/", &NONE));
        assert!(may_follow("ws://other.example/", "ws://good.example/", &listed));
    }

    /// [AWAY-8] [SEC-10]
    #[test]
    fn redirects_list_hosts_and_ports() {
        let listed = ["b.example", "C.example:8443", "[2001:db8::1]:8443"];
        for url in [
            "wss://b.example/x",
            "wss://B.EXAMPLE:443/",
            "wss://c.example:8443",
            "wss://[2001:DB8:0::1]:8443/",
        ] {
            assert!(may_follow(url, HERE, &listed), "{url}");
        }
        for url in [
            "wss://b.example:8443/",
            "wss://c.example/",
            "wss://a.b.example/",
            "wss://b.example@evil.example/",
            "wss://[2001:db8::1]/",
            "wss://[2001:db8::2]:8443/",
        ] {
            assert!(!may_follow(url, HERE, &listed), "{url}");
        }
        // An entry that is no address allows nothing.
        for entry in ["*", "", "wss://b.example", "b.example/", "*.example", "x@b.example"] {
            assert!(!may_follow("wss://b.example/", HERE, &[entry]), "{entry}");
        }
        // Where it does not know where it is, it stays.
        assert!(!may_follow("wss://b.example/", "", &["b.example"]));
    }
}
