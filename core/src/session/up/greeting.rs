//! What both ends say of the upward half when a link begins.

use crate::engine::Producer;
use crate::frame::Code;
use crate::session::Broken;

/// What `hello` says of the upward half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The producer in use.
    pub producer: Producer,
    /// The spare; exactly if something has been numbered.
    pub successor: Option<Producer>,
    /// The lowest number that has not exited.
    pub oldest: u64,
    /// The highest number given.
    pub written: u64,
    /// Which life of the producer's record this client knows.
    pub born: Option<u64>,
}

/// Which of the two producers of `hello` is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Producing {
    /// The one in use.
    Kept,
    /// The spare: the other is unknown.
    Successor,
}

/// What `welcome` says of the upward half.
#[derive(Clone, Copy, Debug)]
pub struct Welcome<'a> {
    /// The producer in force.
    pub producing: Producing,
    /// The link whose claim made its record.
    pub born: u64,
    /// The highest number that is settled.
    pub mark: u64,
    /// Every refused number from `oldest` to `mark`.
    pub refused: &'a [(u64, Code<'a>)],
    /// The highest number that may be written.
    pub credit: u64,
    /// Octets of one message at most.
    pub message_bytes_max: u32,
    /// Whether the log epoch is another than that of `hello`.
    pub epoch_changed: bool,
}

/// A `welcome` that opens nothing. The link is closed with 4002 either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotWelcome {
    /// The server does not know the producer and has not said so: [`Sending::unknown`](super::Sending::unknown) is to be called. [WELC-5]
    Unknown,
    /// A protocol error.
    Broken(Broken),
}
