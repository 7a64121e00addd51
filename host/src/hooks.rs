//! What the application of a server is asked, and what it says.

use everwire_core::Duration;
use everwire_core::engine::Subject;
use everwire_core::session::node::NotAuthenticated;

/// Whom the application takes a client for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Somebody who has shown a credential.
    Named {
        /// The name, which has the form of an identity ([`everwire_core::session::node::NodeConfig::identities`]).
        identity: String,
        /// When the credential must have been renewed, from now.
        expires: Option<Duration>,
    },
    /// Nobody in particular: the identity is derived from the producer.
    Anonymous,
}

/// The answer to [`crate::Order::Authenticate`].
pub type Authenticated = Result<Who, NotAuthenticated>;

/// What somebody would do with a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Be pushed what is stored from now on.
    Join,
    /// Read what was stored before.
    Page,
}

/// What the application says to that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permit {
    /// It may.
    Allowed {
        /// Nothing up to this position; 0: everything. [ROOM-19]
        since: u64,
    },
    /// It may not, for this reason: `forbidden`, or a code of the application's.
    Denied(Box<str>),
}

impl Permit {
    /// Without a bound.
    pub const ALLOWED: Self = Self::Allowed { since: 0 };

    /// For no reason of the application's own.
    pub fn forbidden() -> Self {
        Self::Denied("forbidden".into())
    }
}

/// What kind of message the hook is to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One that will be stored.
    Message,
    /// One that a handler will answer.
    Request,
    /// One that is passed on and not stored.
    Cast,
}

/// What the hook says of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes as it is.
    Pass,
    /// It passes, and goes there; the subject is written into it as `receiver`. Of a request it is ignored. [SEND-20]
    To(Subject),
    /// It is refused with this code. A cast is dropped. [REF-8]
    Refuse(Box<str>),
    /// The hook has failed; it is asked again, and the third time closes the link. [SEND-18]
    Failed,
}

/// What a handler says to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The content of the answer, as JSON.
    Content {
        /// The type of the answer.
        kind: String,
        /// One JSON value.
        json: String,
    },
    /// It has failed. [REQ-12]
    Failed {
        /// In the grammar of codes; what is not becomes `failed`.
        code: String,
        /// For people.
        message: String,
    },
}
