//! What is told about the life of a wire.

use std::time::Duration;

use everwire_core::State;

use super::{Cause, Message, Position};
use crate::Error;

/// What a handler of [`super::Wire::on_event`] gets.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The state has changed.
    State(State),
    /// A link is in use.
    #[non_exhaustive]
    Open {
        /// Its number.
        link: u64,
        /// How many dials it took since the last stable link.
        attempts: u32,
        /// Who the server says this client is.
        identity: String,
        /// Whether what the server stores survives a crash of it.
        durable: bool,
        /// The longest message that the server takes, in UTF-8 bytes.
        max_message_bytes: u32,
        /// The server's clock, in milliseconds since 1970, for display only.
        server_time: u64,
    },
    /// A link that was in use has ended, or the wire has closed for good.
    #[non_exhaustive]
    Close {
        /// Why.
        cause: Cause,
        /// The close code; 1006 if the connection broke, 0 if there was none.
        code: u16,
        /// The server's reason.
        reason: String,
        /// Whether the closing handshake was completed.
        clean: bool,
        /// After which delay the next dial is due; `None`: never, or, with [`Cause::Suspended`], when the page is back.
        retry_in: Option<Duration>,
    },
    /// A dial is scheduled.
    #[non_exhaustive]
    Reconnecting {
        /// Which one since the last stable link; the first is 1.
        attempt: u32,
        /// After which delay.
        delay: Duration,
        /// Why.
        cause: Cause,
        /// The close code, or 0.
        code: u16,
    },
    /// The server has a message.
    #[non_exhaustive]
    Settled {
        /// Its id.
        id: String,
        /// Its type.
        kind: String,
        /// Whether it survives a crash of the server.
        durable: bool,
    },
    /// A message was not stored, or nobody can know whether it was. It is told of every message that is not settled,
    /// whether or not anybody waits for its [`super::Sending`]. When the wire has closed or was dropped, the handlers
    /// are gone: then only the future tells.
    #[non_exhaustive]
    Undelivered {
        /// Its id.
        id: String,
        /// Its type.
        kind: String,
        /// Whether it may be in the log.
        reason: Undelivered,
        /// Why.
        error: Error,
        /// The message; `None` if its content could not be written as JSON.
        message: Option<Message>,
    },
    /// Messages of these rooms are gone from the log before they could be read: load the rooms afresh.
    Lost {
        /// Which rooms, and this client's own identity.
        rooms: Vec<String>,
    },
    /// Receipts given by a server that has lost its log: these messages (the last 1,024 at most) may be gone.
    Unbacked {
        /// Their ids.
        ids: Vec<String>,
    },
    /// The server does not let this client into a room, or not any more.
    Denied {
        /// Which.
        room: String,
        /// The server's code.
        code: String,
    },
    /// The reader of a message of this wire says that it has arrived. A claim of `by` and no more.
    Delivered(Read),
    /// The same, that it was read.
    Read(Read),
    /// Something went wrong that no call can report.
    Error(Error),
}

/// Whether a message that was not stored for certain may be in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undelivered {
    /// It is in no log.
    NeverWritten,
    /// The wire has closed before the outcome was known.
    InDoubt,
    /// The server no longer knows this client.
    Unknown,
    /// The server refused it: it is in no log.
    Refused,
}

/// What became of a message, as its reader says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Read {
    /// The id of the message.
    pub id: String,
    /// Who says so; the server vouches for the name.
    pub by: String,
    /// Where the message stands in the log.
    pub position: Position,
}
