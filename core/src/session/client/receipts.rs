//! Receipts: those that were given, which a new log no longer backs [EPOCH-4], and those that are due to the senders of
//! what was received [SEND-26].

use std::collections::{BTreeMap, VecDeque};

use super::notice::{Range, Unbacked};
use crate::engine::{LogEpoch, Producer, Subject};
use crate::gather::{gather, take_at};
use crate::outbox::Ticket;

/// Producers of one log that are remembered. [EPOCH-4]
pub const RANGES_MAX: usize = 16;
/// Messages whose receipts are remembered by name. [EPOCH-4]
pub const TICKETS_MAX: usize = 1024;
/// Messages of which it is remembered that a receipt was sent: beyond, the oldest are forgotten.
pub const TOLD_MAX: usize = 16_384;

/// The receipts given under the present log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    ranges: Vec<(Producer, Range)>,
    /// From this place on the oldest, and before it the newest.
    tickets: Vec<Ticket>,
    oldest: usize,
}

impl Given {
    /// A number was settled.
    pub(super) fn settled(&mut self, producer: Producer, n: u64, ticket: Ticket) {
        match self.ranges.last_mut().filter(|(of, _)| *of == producer) {
            Some((_, range)) => range.last = n,
            None => {
                if self.ranges.len() == RANGES_MAX {
                    take_at(&mut self.ranges, 0);
                }
                self.ranges.push((producer, Range { first: n, last: n }));
            }
        }
        match self.tickets.get_mut(self.oldest) {
            Some(oldest) => *oldest = ticket,
            None => self.tickets.push(ticket),
        }
        self.oldest = (self.oldest + 1) % TICKETS_MAX;
    }

    /// What there is to report of a log that is gone.
    pub(super) fn unbacked(&self) -> Option<Unbacked> {
        if self.ranges.is_empty() {
            return None;
        }
        let ranges = gather(self.ranges.iter().map(|(_, range)| *range));
        let (newer, older) = self.tickets.split_at_checked(self.oldest).unwrap_or_default();
        let tickets = gather(older.iter().chain(newer).copied());
        Some(Unbacked { ranges, tickets })
    }

    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// What a receipt says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// Its handler has started.
    Delivered,
    /// The application says so.
    Read,
}

/// The message that a receipt would be for.
#[derive(Clone, Copy, Debug)]
pub struct Original<'a> {
    /// With `s`, its stable name.
    pub epoch: &'a LogEpoch,
    /// Its place in the log.
    pub s: u64,
    /// Where it was addressed.
    pub subject: &'a Subject,
    /// Its `type` is `receipt`.
    pub is_receipt: bool,
    /// Its `id` is a string.
    pub has_id: bool,
    /// Its `sender`, if that is a string.
    pub sender: Option<&'a str>,
}

/// The receipts that were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    states: BTreeMap<(LogEpoch, u64), u8>,
    order: VecDeque<(LogEpoch, u64)>,
}

impl Told {
    /// Whether this receipt is to be sent; then it counts as sent. [SEND-26]
    pub(super) fn is_due(
        &mut self,
        own: Option<&Subject>,
        original: &Original<'_>,
        receipt: Receipt,
    ) -> bool {
        let Some(sender) = original.sender.filter(|_| original.has_id && !original.is_receipt) else {
            return false;
        };
        let to_self = own.is_some_and(|own| own.as_str() == sender);
        let direct = own == Some(original.subject);
        if to_self || sender.starts_with('_') || (receipt == Receipt::Delivered && !direct) {
            return false;
        }
        let name = (original.epoch.clone(), original.s);
        let state = 1 << receipt as u8;
        let states = self.states.entry(name.clone()).or_insert_with(|| {
            self.order.push_back(name);
            0
        });
        let due = *states & state == 0;
        *states |= state;
        if self.order.len() > TOLD_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.states.remove(&oldest);
        }
        due
    }
}
