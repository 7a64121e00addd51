//! Messages and the ways in which they leave.

use crate::engine::RefusalCode;
use crate::frame::Form;
use crate::outbox::Ticket;
use crate::time::{Duration, Instant};

/// No request is waited for any longer. [REQ-10]
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(3600);
/// How long one is waited for if the application says nothing. [REQ-10]
pub const REQUEST_TIME: Duration = Duration::from_secs(30);

/// One outgoing message, as far as the protocol must know it. What stands behind `form` acts only as long as the
/// message has no number. [SEND-1] [SEND-5]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The host's name for it.
    pub ticket: Ticket,
    /// Its length as chapter 1 defines it.
    pub bytes: u32,
    /// Whether it travels in a text frame, perhaps with others, or alone in a binary one.
    pub form: Form,
    /// Higher ones go first; within one, what came first.
    pub priority: u8,
    /// The newest of a key takes the place of the one that waits.
    pub key: Option<u32>,
    /// It is not written later than this.
    pub expires: Option<Instant>,
    /// It is a request, and not waited for any longer than this. [REQ-10]
    pub answer_by: Option<Instant>,
}

impl Outgoing {
    /// A message that waits its turn for as long as it takes.
    pub const fn new(ticket: Ticket, bytes: u32, form: Form) -> Self {
        Self { ticket, bytes, form, priority: 0, key: None, expires: None, answer_by: None }
    }

    /// The same as a request, whose answer is waited for so long, an hour at most. [REQ-10]
    #[must_use]
    pub fn answered_within(self, timeout: Duration, now: Instant) -> Self {
        Self { answer_by: Some(now + timeout.min(REQUEST_TIME_MAX)), ..self }
    }

    /// When it leaves unwritten.
    pub(super) fn late_at(&self) -> Option<Instant> {
        match (self.expires, self.answer_by) {
            (Some(expires), Some(by)) => Some(expires.min(by)),
            (expires, by) => expires.or(by),
        }
    }
}

/// How a message has left, once and for good. [SEND-6]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It is in the log.
    Settled,
    /// It is not in the log and never will be.
    Refused(RefusalCode),
    /// The client has let go of it.
    Dropped(Dropped),
}

/// Why a client lets go of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// The server no longer knows the producer: it may be in the log or not.
    Unknown,
    /// The wire has closed before the verdict came: it may be in the log or not.
    InDoubt,
    /// It was not written, and is in no log.
    NeverWritten(Unwritten),
}

/// Why a message was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwritten {
    /// There was no room for it, or others took it.
    Overflow,
    /// Its time was over, or that of the request that it is.
    Expired,
    /// A newer one of its key has taken its place.
    Replaced,
    /// The application no longer wanted it.
    Aborted,
    /// It is longer than this server takes. [LIM-2]
    TooLarge,
    /// The wire has closed.
    Closed,
}

/// A message that has left. The host records it and tells the application in one step. [KEEP-6]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exited {
    /// Which one.
    pub ticket: Ticket,
    /// Its number, if it had one.
    pub n: Option<u64>,
    /// How.
    pub exit: Exit,
}
