//! What a wire is told to be, and what it wants done.

use crate::backoff::BackoffConfig;
use crate::close::Closed;
use crate::codes::{Cause, Notice, Reason, State};
use crate::limiter::Rate;
use crate::liveness::LivenessConfig;
use crate::outbox::{OutboxConfig, Ticket};
use crate::time::Duration;

/// How a wire behaves. Every number is checked by whoever builds it; the machine clamps what would break it.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How reconnection is paced.
    pub backoff: BackoffConfig,
    /// How the link is watched.
    pub liveness: LivenessConfig,
    /// The bounds of the outbox.
    pub outbox: OutboxConfig,
    /// The longest message that is sent, in bytes.
    pub message_bytes_max: u32,
    /// How long the providers, and then the socket, may take.
    pub connect_timeout: Duration,
    /// Whether there is a token that could be asked for again.
    pub has_token: bool,
    /// Whether a wait lasts for as long as the page is hidden, as it should on a phone.
    pub rests_hidden: bool,
    /// Above so many octets in the transport's buffer no message is written.
    pub high_water: u64,
    /// How many messages may be written; `None`: as many as there are.
    pub rate: Option<Rate>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            backoff: BackoffConfig::default(),
            liveness: LivenessConfig::default(),
            outbox: OutboxConfig::default(),
            message_bytes_max: 1 << 20,
            connect_timeout: Duration::from_secs(20),
            has_token: false,
            rests_hidden: false,
            high_water: 1 << 20,
            rate: None,
        }
    }
}

/// What the host found an inbound frame to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Anything but a heartbeat, understood or not: it proves life.
    Message,
    /// A heartbeat: the answer to ours, as far as a best-effort server can answer.
    Heartbeat,
}

/// What the machine wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask for url, token and protocols and make a socket; then `handle_dialled` or `handle_dial_failed`.
    Dial {
        /// The number of the link to be.
        link: u32,
    },
    /// Write this message. If the socket does not take it: `handle_write_failed`, before the next `poll`.
    Write {
        /// Which one.
        ticket: Ticket,
    },
    /// Write a heartbeat.
    Beat,
    /// Start the closing handshake and keep listening.
    CloseLink,
    /// Forget this link: no event of it matters any more. Close it if it is open; a socket that is still connecting
    /// is only closed if it ever opens, for some browsers break all sockets otherwise.
    DropLink {
        /// Which one.
        link: u32,
    },
    /// The message has left: it arrived as far as can be known.
    Settled {
        /// Which one.
        ticket: Ticket,
    },
    /// The message has left without being settled.
    Dropped {
        /// Which one.
        ticket: Ticket,
        /// Why.
        reason: Reason,
    },
    /// What the user is told of the state has changed.
    StateChanged(State),
    /// A link is in use.
    Opened {
        /// Its number.
        link: u32,
        /// How many dials it took since the last stable link.
        attempts: u32,
    },
    /// A link that was in use has ended, or the wire has closed for good.
    Ended {
        /// The link, or 0 if there was none.
        link: u32,
        /// Why.
        cause: Cause,
        /// What the `close` event told, if there was one.
        closed: Closed,
        /// When the next dial is due; `None`: never.
        retry: Option<Duration>,
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
    /// Something the user should hear of.
    Notice(Notice),
}
