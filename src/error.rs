//! What can go wrong, and who is to blame.

use std::fmt;

/// Why a wire could not be built, or a message not be sent or read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The wire is closing or closed. The application used it too late.
    Closed,
    /// The content does not fit what was asked of it: JSON cannot hold it, or it is of another type.
    Content {
        /// What was found.
        message: String,
    },
    /// The message is longer than `max_message_bytes`.
    TooLarge,
    /// There was no room in the outbox, or, with `Overflow::DropOldest`, newer messages took it.
    OutboxFull,
    /// The application aborted the message before it was written.
    Aborted,
    /// A frame came in that is no envelope. The connection is kept.
    MalformedFrame,
    /// The token provider failed, or its answer cannot be offered; the attempt counts as a failed dial.
    Provider {
        /// What it said, or what is wrong with its answer, which is not repeated.
        message: String,
    },
    /// More messages than can be followed are written and unsettled: the fate of the oldest stays in doubt.
    InDoubtOverflow,
    /// The server had answered heartbeats and stopped doing so: answers are no longer expected.
    ReplyUnlearned,
    /// The server refused two different tokens.
    AuthRefused,
    /// The limit of attempts in a row was reached.
    MaxAttempts,
    /// No socket can be made of this url or these protocols, now or later.
    Connect {
        /// What is wrong with them.
        message: String,
    },
    /// An option is out of its range.
    Option {
        /// Which one.
        name: &'static str,
        /// What it may be.
        range: &'static str,
    },
    /// Exactly once: it was not written within its `ttl`; of a request also: not answered in time before it was written.
    Expired,
    /// Exactly once: a newer message of its `key` took its place.
    Replaced,
    /// Exactly once: the server refused the message. It is not in the log and never will be.
    Refused {
        /// The code of the server.
        code: String,
    },
    /// Exactly once: the wire closed, or a request's time was over, before the outcome was known.
    InDoubt,
    /// Exactly once: the server no longer knows this client (its log is gone, or it was away for 30 days). The message may be in the log or not.
    Unknown,
    /// Exactly once: not let into a room, or put out of it.
    Denied {
        /// The code of the server.
        code: String,
    },
    /// Exactly once: of a page of history, the connection ended before it came; it may be asked for again.
    LinkLost,
    /// Exactly once: of a page of history, the log of its position is gone.
    Lost,
    /// Exactly once: the server, or this client, has broken the protocol; three times in a row end the wire.
    Protocol {
        /// Which clause of docs/PROTOCOL.md, if it is known.
        clause: String,
    },
    /// Exactly once: three connections in a row opened and brought no `welcome`. The wire goes on.
    NotSpoken,
    /// Exactly once: the server says that its log cannot be reached. The wire goes on.
    Unavailable,
    /// Exactly once: messages stay unsettled although the server answers. The wire goes on.
    StoreStalled,
    /// Exactly once: three links in a row were too slow for one long frame. The wire goes on.
    TooSlow,
    /// Exactly once: a message has been in a stream's or handler's hands for 60 s.
    HandlerUnsettled,
    /// Exactly once: nothing has been processed for 60 s, and the server may send no more until something is.
    WindowShut,
}

impl Error {
    /// The published code, the same as in the npm package.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Content { .. } => "content",
            Self::TooLarge => "too-large",
            Self::OutboxFull => "outbox-full",
            Self::Aborted => "aborted",
            Self::MalformedFrame => "malformed-frame",
            Self::Provider { .. } => "provider",
            Self::InDoubtOverflow => "in-doubt-overflow",
            Self::ReplyUnlearned => "reply-unlearned",
            Self::AuthRefused => "auth-refused",
            Self::MaxAttempts => "max-attempts",
            Self::Connect { .. } => "connect",
            Self::Option { .. } => "option",
            Self::Expired => "expired",
            Self::Replaced => "replaced",
            Self::Refused { .. } => "refused",
            Self::InDoubt => "in-doubt",
            Self::Unknown => "unknown",
            Self::Denied { .. } => "denied",
            Self::LinkLost => "link-lost",
            Self::Lost => "lost",
            Self::Protocol { .. } => "protocol-error",
            Self::NotSpoken => "not-spoken",
            Self::Unavailable => "unavailable",
            Self::StoreStalled => "store-stalled",
            Self::TooSlow => "too-slow",
            Self::HandlerUnsettled => "handler-unsettled",
            Self::WindowShut => "window-shut",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the wire is closing or closed"),
            Self::Content { message } => write!(f, "the content does not fit: {message}"),
            Self::TooLarge => f.write_str("the message is longer than max_message_bytes"),
            Self::OutboxFull => f.write_str("the outbox is full"),
            Self::Aborted => f.write_str("the message was aborted before it was written"),
            Self::MalformedFrame => f.write_str("a frame came in that is no envelope"),
            Self::Provider { message } => write!(f, "the token provider failed: {message}"),
            Self::InDoubtOverflow => {
                f.write_str("too many written messages are unsettled; the oldest are no longer followed")
            }
            Self::ReplyUnlearned => f.write_str("the server no longer answers heartbeats"),
            Self::AuthRefused => f.write_str("the server refused two different tokens"),
            Self::MaxAttempts => f.write_str("the limit of attempts in a row was reached"),
            Self::Connect { message } => write!(f, "no socket can be made: {message}"),
            Self::Option { name, range } => write!(f, "option {name} must be {range}"),
            Self::Expired => {
                f.write_str("the message was not written within its ttl, or not answered in time")
            }
            Self::Replaced => f.write_str("a newer message of the same key took its place"),
            Self::Refused { code } => write!(f, "the server refused it: {code}"),
            Self::InDoubt => {
                f.write_str("the outcome is not known: the wire closed, or the time of a request was over")
            }
            Self::Unknown => {
                f.write_str("the server no longer knows this client: the message may have arrived")
            }
            Self::Denied { code } => write!(f, "not let into the room: {code}"),
            Self::LinkLost => f.write_str("the connection ended before the page came"),
            Self::Lost => f.write_str("the log of the position is gone"),
            Self::Protocol { clause } => write!(f, "the protocol was broken: {clause}"),
            Self::NotSpoken => f.write_str("three connections in a row opened and brought no welcome"),
            Self::Unavailable => f.write_str("the server says that it is not available"),
            Self::StoreStalled => f.write_str("the server answers, and stores nothing"),
            Self::TooSlow => f.write_str("the link is too slow for the message that it carries"),
            Self::HandlerUnsettled => f.write_str("a message has not been processed for 60 s"),
            Self::WindowShut => {
                f.write_str("nothing has been processed for 60 s, and the server may push no more")
            }
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn every_variant_prints_and_has_a_code_of_its_own() {
        let message = || String::from("because");
        let all = [
            Error::Closed,
            Error::Content { message: message() },
            Error::TooLarge,
            Error::OutboxFull,
            Error::Aborted,
            Error::MalformedFrame,
            Error::Provider { message: message() },
            Error::InDoubtOverflow,
            Error::ReplyUnlearned,
            Error::AuthRefused,
            Error::MaxAttempts,
            Error::Connect { message: message() },
            Error::Option { name: "factor", range: "1 to 10" },
            Error::Expired,
            Error::Replaced,
            Error::Refused { code: message() },
            Error::InDoubt,
            Error::Unknown,
            Error::Denied { code: message() },
            Error::LinkLost,
            Error::Lost,
            Error::Protocol { clause: message() },
            Error::NotSpoken,
            Error::Unavailable,
            Error::StoreStalled,
            Error::TooSlow,
            Error::HandlerUnsettled,
            Error::WindowShut,
        ];
        let mut codes: Vec<_> = all.iter().map(Error::code).collect();
        for error in &all {
            let text = error.to_string();
            assert!(text.len() > 10 && text.is_ascii(), "{text}");
            println!("{}: {text}", error.code());
        }
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all.len());
    }
}
