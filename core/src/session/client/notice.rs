//! What the user is told that changes nothing.

use crate::outbox::Ticket;
use crate::session::down::Delivery;

/// Why a link ended, why a dial is scheduled, or why the wire closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The connection broke.
    Lost,
    /// The server closed the link, with the code that stands beside.
    ClosedByServer,
    /// No answer came in time: a verdict of this end. [LIVE-8]
    NoReply,
    /// No `welcome` came in time. [WELC-3]
    NoWelcome,
    /// The server has broken a rule. [CLOSE-2]
    Broken {
        /// Which clause.
        clause: &'static str,
    },
    /// The server has not selected the subprotocol. [TRN-1]
    NotSelected,
    /// The socket did not open in time.
    ConnectTimeout,
    /// The socket was never open.
    DialFailed,
    /// A provider failed, or did not answer in time.
    ProviderFailed,
    /// The token function gave the token that had been refused. [CLOSE-4]
    SameToken,
    /// The server has asked to be left. [AWAY-2]
    Goaway,
    /// The socket took no more although it had not said that it was closed.
    WriteFailed,
    /// The browser came back online.
    Online,
    /// The machine woke.
    Wake,
    /// The page became visible, or came back from the cache.
    Visible,
    /// A fresh instance has taken over.
    Restored,
    /// The application wished it.
    Wish,
    /// The page was put away.
    Suspended,
    /// Every number has been used. [NUM-6]
    Exhausted,
    /// The application closed the wire.
    Closed,
    /// The server refused two different tokens. [CLOSE-4]
    Refused,
    /// So many dials have failed as were allowed.
    Attempts,
    /// Messages of this server may be longer than the host can take. [LIM-21]
    TooLong {
        /// `limits.message`.
        message_bytes_max: u32,
    },
}

/// Something the user should hear of although the wire goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A token was refused: [`handle_dialled`](super::Client::handle_dialled) says whether the next one is another.
    TokenRefused,
    /// A link ended with 4002 by either end, so many times without progress. At three the wire closes. [CLOSE-6]
    ProtocolError {
        /// How often.
        count: u8,
        /// The clause that the server broke; `None` if it was the server that closed.
        clause: Option<&'static str>,
    },
    /// Three links in a row have opened and ended without `welcome`: the server does not speak the protocol. [WELC-2]
    NotSpoken,
    /// 4004 three times in a row without `welcome`. [CODE-4004]
    Unavailable,
    /// Messages stay unsettled: for 30 s while pings are answered [LIVE-12], or over five links [CLOSE-10].
    StoreStalled {
        /// The lowest unsettled number.
        n: u64,
        /// The last close code; `None` if the link lives.
        code: Option<u16>,
    },
    /// Three verdicts in a row during one long frame. [LIVE-17]
    TooSlow,
    /// A handler has been running for 60 s. [POS-14]
    Unsettled(Delivery),
    /// Nothing has been processed for 60 s, and the server may push no more; the oldest that is pending. [CRED-17]
    WindowShut(Delivery),
}

/// Numbers of one producer whose receipts are no longer backed. Which producer is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first that was settled.
    pub first: u64,
    /// The last.
    pub last: u64,
}

/// Receipts that were given under a log that is gone. [EPOCH-4]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unbacked {
    /// One for each producer.
    pub ranges: Vec<Range>,
    /// The last messages, oldest first. The host keeps the ids of as many settled ones.
    pub tickets: Vec<Ticket>,
}
