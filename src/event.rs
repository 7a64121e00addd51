//! What is told about the life of a wire.

use std::time::Duration;

use everwire_core::{Cause, Reason, State};

use crate::{Envelope, Error};

/// What a handler of [`crate::Wire::on_event`] gets.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The state has changed.
    State(State),
    /// A link is in use.
    Open {
        /// Its number.
        link: u32,
        /// How many dials it took since the last stable link.
        attempts: u32,
    },
    /// A link that was in use has ended, or the wire has closed for good.
    Close {
        /// Why.
        cause: Cause,
        /// The close code; 1006 if the connection broke, 0 if there was none.
        code: u16,
        /// The server's reason.
        reason: String,
        /// Whether the closing handshake was completed.
        clean: bool,
        /// After which delay the next dial is due; `None`: never.
        retry_in: Option<Duration>,
    },
    /// A dial is scheduled.
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
    /// A message has arrived as far as can be known.
    Settled {
        /// Its id.
        id: String,
    },
    /// A message was not delivered, or nobody knows. It is told of every message that is not settled, refused ones
    /// too, whether or not anybody waits for its [`crate::Sending`].
    ///
    /// A handler that sends it again at once hears of it again at once if that is refused as well: keep it for later.
    /// When the wire has closed or was dropped, the handlers are gone: then only the future tells.
    Undelivered {
        /// Its id.
        id: String,
        /// Its type.
        kind: String,
        /// Why. Of a message that was refused, only the nearest word: [`Reason::Closed`], or [`Reason::Overflow`]
        /// for what the outbox did not take; `refused` is exact.
        reason: Reason,
        /// For what [`crate::Wire::send`] refused it: [`Error::Closed`], [`Error::OutboxFull`], [`Error::TooLarge`]
        /// or [`Error::Content`]. `None`: it had been taken.
        refused: Option<Error>,
        /// The message; `None` if its content could not be written as JSON.
        message: Option<Box<Envelope>>,
    },
    /// Something went wrong that no call can report.
    Error(Error),
}
