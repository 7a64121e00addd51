//! Who carries out the calls: the log in memory, at once; a log on disk in a thread of its own, many calls to a commit.

use std::collections::BTreeSet;

use everwire_core::Instant;
use everwire_core::engine::{Answer, Call, Memory, Subject};
use everwire_core::session::node::CallId;
use everwire_host::{Asker, Payload, carry_out};

/// A call that has been answered.
pub(crate) type Answered = (Asker, CallId, Answer<Payload>);

/// The log, as the hub has it.
#[derive(Debug)]
pub(crate) enum Engine {
    Memory(Box<Memory<Payload>>),
}

impl Engine {
    /// Carries a call out; `None` if the answer comes later.
    pub(crate) fn call(
        &mut self,
        asker: Asker,
        id: CallId,
        call: Call<Payload>,
        now: Instant,
        grown: &mut BTreeSet<Subject>,
    ) -> Option<Answered> {
        match self {
            Self::Memory(memory) => Some((asker, id, carry_out(&call, &mut **memory, now, grown))),
        }
    }

    /// Discards what is stored of a subject so far.
    pub(crate) fn trim(&mut self, subject: &Subject, now: Instant) {
        match self {
            Self::Memory(memory) => memory.trim(subject, now),
        }
    }

    /// When something is due to be discarded.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        match self {
            Self::Memory(memory) => memory.next_deadline(),
        }
    }

    pub(crate) fn timeout(&mut self, now: Instant) {
        match self {
            Self::Memory(memory) => memory.handle_timeout(now),
        }
    }
}
