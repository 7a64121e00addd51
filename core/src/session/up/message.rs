//! Messages and the ways in which they leave.

use crate::engine::RefusalCode;
use crate::frame::Form;
use crate::outbox::Ticket;

/// One outgoing message, as far as the protocol must know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The host's name for it.
    pub ticket: Ticket,
    /// Its length as chapter 1 defines it.
    pub bytes: u32,
    /// Whether it travels in a text frame, perhaps with others, or alone in a binary one.
    pub form: Form,
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
    NeverWritten,
    /// It is longer than this server takes, was not written, and is in no log. [LIM-2]
    TooLarge,
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
