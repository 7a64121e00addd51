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
