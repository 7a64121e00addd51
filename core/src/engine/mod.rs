//! The engine: the server's one log and the records of its producers, shared by all nodes.
//!
//! [`Engine`] is the whole of what nodes use; [`Memory`] is the engine that comes with the core. Chapter 21 of
//! `docs/PROTOCOL.md` specifies both, and the clauses are cited where they are carried out.

mod answers;
mod call;
mod casts;
mod inboxes;
mod log;
mod memory;
mod names;
mod reading;
mod records;
mod saved;
mod wrong;

#[cfg(feature = "mutants")]
pub(crate) use wrong::forget;

pub use answers::{
    Appended, Claimed, Cursor, Direction, Failure, Interval, Limit, Message, Payload, Post, Read,
    RefusalAnswer, Refused, Span, Tailed,
};
pub use call::{Answer, Call};
pub use casts::{CAST_AGE_MAX, CAST_OCTETS_MAX, CASTS_MAX};
pub use inboxes::{INBOX_AGE_MAX, INBOX_ANSWERS_MAX, INBOX_OCTETS_MAX};
pub use log::STORED_OVERHEAD_OCTETS;
pub use memory::{Memory, MemoryConfig, MemoryUse};
pub use names::{Claim, Fence, Filter, Identity, LogEpoch, Producer, RefusalCode, Subject};
pub use records::{RECORD_AGE_MAX, RECORD_IN_USE, RECORDS_PER_IDENTITY_MAX, REFUSALS_MAX};
pub use saved::{Changes, Marks, Saved, SavedMessage, SavedRecord};

use crate::time::Instant;

/// The server's log, as nodes see it. Each call is atomic: as if at one instant with respect to every other call of
/// any node.
///
/// **An engine is driven, and calls nobody.** A node issues a [`Call`], and whoever drives the node carries it out: at
/// once on a [`Memory`], over a network elsewhere, and in the simulator when the schedule says so, or twice, or after
/// the node has died. Nothing in an [`Answer`] depends on when it arrives.
///
/// **A tail is pulled.** [`Engine::tail`] answers the interval that lies next to the last one, and a node looks again
/// when it has been woken: by its driver, which watches [`Memory::changes`] or what a remote engine has for it. A wake-up
/// may be early, late, lost or merged with others without harm, because the next look begins where the last one ended;
/// and an engine that keeps nothing for a tail cannot be filled by tails that nobody looks at.
///
/// **Calls that belong to a link carry the log epoch of its claim** and fail when it has changed [ENG-30].
///
/// **What is addressed to the server itself is not kept**: a subject that begins with `_` and is no producer's inbox
/// gives its messages numbers, and nobody can read them [ENG-32].
pub trait Engine<P: Payload> {
    /// Takes a producer over for a link and fences every older one.
    fn claim(&mut self, claim: &Claim, now: Instant) -> Result<Claimed, Failure>;

    /// Stores the messages with the numbers `n`, `n` + 1 … unless they have been settled, and moves the mark with
    /// them. An empty batch carries a release.
    fn append(&mut self, fence: &Fence, n: u64, batch: &[Post<P>], now: Instant)
    -> Result<Appended, Failure>;

    /// Records that the message with the number `n` will never be stored, and moves the mark over it.
    fn refuse(
        &mut self,
        fence: &Fence,
        n: u64,
        code: &RefusalCode,
        now: Instant,
    ) -> Result<RefusalAnswer, Failure>;

    /// Reads an interval. With an empty filter, upwards, it ends at the head.
    fn read(
        &mut self,
        epoch: &LogEpoch,
        filter: &Filter,
        span: Span,
        limit: Limit,
        direction: Direction,
        now: Instant,
    ) -> Result<Read<P>, Failure>;

    /// Reads the interval at the cursor, and the casts since the last look, and moves the cursor behind them. The
    /// filter may be another one at every look.
    fn tail(
        &mut self,
        epoch: &LogEpoch,
        filter: &Filter,
        cursor: &mut Cursor,
        limit: Limit,
        now: Instant,
    ) -> Result<Tailed<P>, Failure>;

    /// For each subject the highest number that has been discarded, 0 if none. It may be too high, never too low: of a
    /// subject that would be read from `from` on and has more than a reader may have missed, it is the last. [LOST-2]
    fn trimmed(
        &mut self,
        epoch: &LogEpoch,
        filter: &Filter,
        now: Instant,
    ) -> Result<Vec<(Subject, u64)>, Failure>;

    /// Hands a cast to the tails that are open.
    fn publish(&mut self, epoch: &LogEpoch, cast: Post<P>, now: Instant) -> Result<(), Failure>;

    /// Removes the record of a producer and its inbox. For the operator; a lost link is no reason.
    fn forget(&mut self, producer: &Producer, now: Instant) -> Result<(), Failure>;
}
