//! What the engine answers.

use super::{LogEpoch, RefusalCode, Subject};

/// What a message's bytes are to the engine: something to keep, to hand out again, and to count.
pub trait Payload: Clone {
    /// Its length as it counts towards the bounds.
    fn octets(&self) -> u64;
}

impl Payload for std::sync::Arc<[u8]> {
    fn octets(&self) -> u64 {
        self.len() as u64
    }
}

/// A message on its way into the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Post<P> {
    /// Where it is addressed.
    pub subject: Subject,
    /// What it says.
    pub payload: P,
    /// In an answer for an inbox the number of the request, else none. [REQ-4]
    pub tag: Option<u64>,
}

impl<P> Post<P> {
    /// A message that answers no request.
    pub fn new(subject: Subject, payload: P) -> Self {
        Self { subject, payload, tag: None }
    }

    /// This message under the number that the log has given it.
    pub(super) fn stored(self, s: u64) -> Message<P> {
        Message { s, subject: self.subject, payload: self.payload, tag: self.tag }
    }
}

/// A stored message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<P> {
    /// Its number in the one total order.
    pub s: u64,
    /// Where it is addressed.
    pub subject: Subject,
    /// What it says.
    pub payload: P,
    /// In an answer the number of the request, else none. [REQ-4]
    pub tag: Option<u64>,
}

/// A refused number and why.
pub type Refused = (u64, RefusalCode);

/// A call that was not carried out, or of which that cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The log epoch is another than the caller's. Nothing was done.
    EpochChanged,
    /// The outcome is not known: the engine did not answer. Every call but `claim` may be repeated.
    Unanswered,
}

/// The answer to a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The producer belongs to this link now.
    Claimed {
        /// The highest number that is settled.
        mark: u64,
        /// The link whose claim made the record: it names one life of the producer.
        born: u64,
        /// Every refused number from `oldest` to `mark`.
        refusals: Vec<Refused>,
        /// The log's epoch.
        epoch: LogEpoch,
        /// The highest position that the engine can vouch for.
        head: u64,
        /// Whether what is stored survives a crash of the server.
        durable: bool,
        /// `limits.message`: how long a message of this log epoch may be, in octets. [LIM-23]
        limit: u32,
    },
    /// Nothing is on record that this claim could go on from.
    Unknown,
    /// A higher link has been here.
    Fenced,
    /// There is no place for a record: every one that could go is in use. Nothing was done. [ENG-22]
    Full,
}

/// The answer to an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// Whatever stood above the mark is stored.
    Stored {
        /// The highest number that is settled.
        mark: u64,
        /// The numbers s of what this call stored, in order.
        numbers: Vec<u64>,
    },
    /// Everything had been settled before; the recorded verdicts stand.
    Duplicate {
        /// The highest number that is settled.
        mark: u64,
        /// All refusals that are kept.
        refusals: Vec<Refused>,
    },
    /// Something is missing between the mark and this batch.
    Gap {
        /// The highest number that is settled.
        mark: u64,
    },
    /// A leading part is stored, perhaps none of it: wait and repeat.
    Full {
        /// The highest number that is settled.
        mark: u64,
        /// The numbers s of what this call stored, in order.
        numbers: Vec<u64>,
    },
    /// The link has been replaced, or the record is gone.
    Fenced,
}

/// The answer to a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefusalAnswer {
    /// The refusal is on record.
    Refused {
        /// The highest number that is settled.
        mark: u64,
    },
    /// The number had been settled before; the recorded verdict stands.
    Duplicate {
        /// The highest number that is settled.
        mark: u64,
        /// All refusals that are kept.
        refusals: Vec<Refused>,
    },
    /// Something is missing between the mark and this number.
    Gap {
        /// The highest number that is settled.
        mark: u64,
    },
    /// No more refusals can be kept: wait for a release and repeat.
    Full {
        /// The highest number that is settled.
        mark: u64,
    },
    /// The link has been replaced, or the record is gone.
    Fenced,
}

/// Everything that passes a filter in (after, upto].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval<P> {
    /// Where it begins.
    pub after: u64,
    /// Where it ends.
    pub upto: u64,
    /// The messages, in the order of their numbers.
    pub messages: Vec<Message<P>>,
    /// Whether the limit left out messages that were asked for, beyond the interval in the direction of reading.
    pub more: bool,
}

/// The answer to a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read<P> {
    /// What there is.
    Interval(Interval<P>),
    /// Something of these subjects would have belonged to the interval and has been discarded.
    Trimmed(Vec<Subject>),
    /// The log has not come as far as `after`: this replica lags.
    Behind {
        /// How far it has come.
        head: u64,
    },
}

/// The answer to a look at the tail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tailed<P> {
    /// The interval next to the last one, empty if nothing has come, and the casts since.
    Step {
        /// What was stored.
        interval: Interval<P>,
        /// What was cast. Between casts and stored messages there is no order.
        casts: Vec<Post<P>>,
    },
    /// Something of these subjects would have belonged to the interval and has been discarded.
    Trimmed(Vec<Subject>),
    /// The log has not come as far as the cursor: this replica lags.
    Behind {
        /// How far it has come.
        head: u64,
    },
}

/// Which way a read goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The lowest numbers first.
    Upwards,
    /// The highest numbers first; the answer is in ascending order all the same.
    Downwards,
}

/// What part of the order a read may answer: after < s < before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Below the first.
    pub after: u64,
    /// Above the last.
    pub before: u64,
}

/// How much one answer may hold. A single message always may, or one that is too long would stop its reader for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// How many messages; none is taken for one.
    pub messages: usize,
    /// How many bytes of payload.
    pub octets: u64,
}

/// Where a tail stands. It belongs to the node: the engine keeps nothing for a tail, so one that is never looked at
/// again costs nothing, and any node goes on where another left off.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// Where the next interval begins. A node may set it elsewhere without missing a cast.
    pub position: u64,
    /// The engine's own note of which casts have been handed out; none before the first look.
    pub cast: Option<u64>,
}

impl Cursor {
    /// A tail that begins after this position. Casts are handed out from the first look on.
    pub fn after(position: u64) -> Self {
        Self { position, cast: None }
    }
}
