//! Which subjects are whose.

use super::input::NodeConfig;
use crate::frame::SUBJECT_BYTES_MAX;

/// What a subject is to a client. [ROOM-11]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Its own.
    Own,
    /// A room, of which the hook decides.
    Open,
    /// The server's, or another identity's: whatever the hook says, it is denied.
    Closed,
    /// None at all. [FRM-11]
    Malformed,
}

impl NodeConfig {
    pub(super) fn kind(&self, subject: &str, own: &str) -> Room {
        if !is_subject(subject) {
            Room::Malformed
        } else if subject == own {
            Room::Own
        } else if is_of_server(subject) || self.has_form_of_identity(subject) {
            Room::Closed
        } else {
            Room::Open
        }
    }

    /// Whether this may be the name of a client. [HELLO-13] [ROOM-12]
    pub(super) fn is_identity(&self, name: &str) -> bool {
        is_subject(name) && !is_of_server(name) && self.has_form_of_identity(name)
    }

    fn has_form_of_identity(&self, subject: &str) -> bool {
        self.identities.iter().any(|prefix| subject.starts_with(&**prefix))
    }

    pub(super) fn rooms_max(&self) -> usize {
        usize::from(self.rooms_max).clamp(1, crate::session::down::ROOMS_MAX)
    }
}

/// [FRM-11]
pub(super) fn is_subject(subject: &str) -> bool {
    let plain = |octet: u8| (b' '..0x7f).contains(&octet);
    (1..=SUBJECT_BYTES_MAX).contains(&subject.len())
        && (subject.bytes().all(plain) || !subject.chars().any(char::is_control))
}

/// Subjects that begin so are the server's. [ROOM-11] [SEND-27]
pub(super) fn is_of_server(subject: &str) -> bool {
    subject.starts_with('_')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [FRM-11]
    #[test]
    fn a_subject_is_short_and_has_no_control_characters() {
        for (subject, right) in [
            ("a", true),
            ("caf\u{e9}/1", true),
            (" ", true),
            ("", false),
            ("a\u{7f}", false),
            ("a\u{85}", false),
            ("a\n", false),
        ] {
            assert_eq!(is_subject(subject), right, "{subject:?}");
        }
        assert!(is_subject(&"a".repeat(128)) && !is_subject(&"a".repeat(129)));
    }
}
