//! A message as a server keeps it.

use core::fmt;
use std::sync::Arc;

use everwire_bodies::{BodyError, Element, element, envelope_line};
use everwire_core::engine;
use everwire_core::session::down::Content;

/// A message, stamped: the JSON text of its envelope, or the envelope line, the LF and the content of a binary one. A
/// clone shares the octets.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Payload {
    octets: Arc<[u8]>,
    binary: bool,
}

impl Payload {
    /// A text message.
    pub fn text(json: &str) -> Self {
        Self { octets: json.as_bytes().into(), binary: false }
    }

    /// A binary message.
    pub fn binary(envelope: &str, content: &[u8]) -> Self {
        let mut octets = Vec::with_capacity(envelope.len() + 1 + content.len());
        octets.extend_from_slice(envelope.as_bytes());
        octets.push(b'\n');
        octets.extend_from_slice(content);
        Self { octets: octets.into(), binary: true }
    }

    /// What [`Payload::octets`] and [`Payload::is_binary`] said of one that was stored elsewhere meanwhile.
    pub fn restored(octets: &[u8], binary: bool) -> Self {
        Self { octets: octets.into(), binary }
    }

    /// All of it.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Whether it needs a binary frame of its own.
    pub fn is_binary(&self) -> bool {
        self.binary
    }

    /// The JSON of the envelope.
    pub fn envelope(&self) -> &str {
        core::str::from_utf8(self.parts().0).unwrap_or_default()
    }

    /// The content of a binary message.
    pub fn content(&self) -> Option<&[u8]> {
        self.parts().1
    }

    fn parts(&self) -> (&[u8], Option<&[u8]>) {
        let end = self.octets.iter().position(|octet| *octet == b'\n').filter(|_| self.binary);
        match end {
            Some(end) => {
                let (envelope, content) = self.octets.split_at(end);
                (envelope, content.get(1..))
            }
            None => (&self.octets, None),
        }
    }

    /// Its envelope, read again.
    pub(crate) fn element(&self) -> Result<Element<'_>, BodyError> {
        match self.parts() {
            (envelope, Some(content)) => envelope_line(envelope, content.len() as u64),
            (envelope, None) => element(envelope),
        }
    }
}

/// Contents are in no log line. [SEC-4]
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload {{ octets: {}, binary: {}, text: [redacted] }}", self.octets.len(), self.binary)
    }
}

impl engine::Payload for Payload {
    fn octets(&self) -> u64 {
        self.octets.len() as u64
    }
}

impl Content for Payload {
    fn is_binary(&self) -> bool {
        self.binary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_message() {
        let text = Payload::text("{\"type\":\"a\",\n\"content\":1}");
        assert_eq!((text.envelope(), text.content()), ("{\"type\":\"a\",\n\"content\":1}", None));
        let binary = Payload::binary("{\"type\":\"a\"}", b"1\n2");
        assert_eq!((binary.envelope(), binary.content()), ("{\"type\":\"a\"}", Some(&b"1\n2"[..])));
        assert_eq!(Payload::restored(binary.octets(), true), binary);
        assert_eq!(Payload::binary("{}", b"").content(), Some(&b""[..]));
    }

    /// [SEC-4]
    #[test]
    fn a_content_is_never_printed() {
        let printed = format!("{:?}", Payload::text("{\"type\":\"a\",\"content\":\"s3cret\"}"));
        assert!(printed.contains("[redacted]") && !printed.contains("s3cret"), "{printed}");
    }
}
