//! The calls of a link that are under way.

use super::input::CallId;
use crate::session::up::RETRY_DELAY;
use crate::time::{Duration, Instant};

/// How long an answer is waited for that may be asked for again. Of a claim, which may not, the outcome is unknown
/// then. [HELLO-18] A client waits for `welcome` for 20 s.
pub(super) const CALL_MAX: Duration = Duration::from_secs(10);

/// What a call is for. There is one of each at a time, casts excepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Slot {
    /// What `welcome` needs.
    Greet,
    /// `append` and `refuse`.
    Settle,
    /// What is to be pushed.
    Look,
    /// The head for joins.
    Head,
    /// The inbox.
    Inbox,
    /// A page.
    Page,
    /// A cast.
    Publish,
}

impl Slot {
    const ALL: [Self; 7] =
        [Self::Greet, Self::Settle, Self::Look, Self::Head, Self::Inbox, Self::Page, Self::Publish];
}

const SLOTS: usize = Slot::ALL.len();

#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    issued: u64,
    open: [Option<(CallId, Instant)>; SLOTS],
    /// Until then the engine is left alone with this.
    rest: [Option<Instant>; SLOTS],
}

impl Calls {
    /// Whether a call may be made.
    pub(super) fn is_free(&self, slot: Slot, now: Instant) -> bool {
        self.open[slot as usize].is_none() && self.rest[slot as usize].is_none_or(|until| until <= now)
    }

    pub(super) fn issue(&mut self, slot: Slot, now: Instant) -> CallId {
        let id = CallId(self.issued * SLOTS as u64 + slot as u64);
        self.issued += 1;
        if slot != Slot::Publish {
            self.open[slot as usize] = Some((id, now));
        }
        self.rest[slot as usize] = None;
        id
    }

    /// What a call was for whose answer has come; `None` if it is not waited for any more.
    pub(super) fn take(&mut self, id: CallId) -> Option<Slot> {
        let slot = *Slot::ALL.get((id.0 % SLOTS as u64) as usize)?;
        if slot == Slot::Publish {
            return (id.0 / SLOTS as u64 <= self.issued).then_some(slot);
        }
        let open = &mut self.open[slot as usize];
        open.take_if(|(open, _)| *open == id).map(|_| slot)
    }

    /// Leaves the engine alone with this for a while.
    pub(super) fn rest(&mut self, slot: Slot, now: Instant) {
        self.rest[slot as usize] = Some(now + RETRY_DELAY);
    }

    /// Forgets all calls but one.
    pub(super) fn forget_but(&mut self, kept: Slot) {
        let call = self.open[kept as usize].take();
        (self.open, self.rest) = Default::default();
        self.open[kept as usize] = call;
    }

    /// The next call of which no answer has come in time, or that is worth trying again.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Slot> {
        for slot in Slot::ALL {
            let at = slot as usize;
            self.rest[at].take_if(|until| *until <= now);
            // Of these the upward half keeps the time. [SEND-22]
            if slot != Slot::Settle && self.open[at].is_some_and(|(_, since)| now.since(since) >= CALL_MAX) {
                self.open[at] = None;
                return Some(slot);
            }
        }
        None
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let open = Slot::ALL.into_iter().zip(&self.open).filter(|(slot, _)| *slot != Slot::Settle);
        let open = open.filter_map(|(_, open)| open.map(|(_, since)| since + CALL_MAX));
        open.chain(self.rest.iter().flatten().copied()).min()
    }
}
