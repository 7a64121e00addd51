//! What waits to be written, and what has been written and is not settled.

use std::collections::VecDeque;

use crate::codes::Refusal;
use crate::time::Instant;
use crate::{IN_FLIGHT_BYTES_MAX, IN_FLIGHT_MAX};

/// The host's name for one outgoing message; unique among those that have not left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u32);

/// What happens to a message for which the outbox has no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// It is refused.
    #[default]
    Reject,
    /// The oldest ones leave until there is room.
    DropOldest,
    /// It leaves at once.
    DropNewest,
}

/// The bounds of the outbox.
#[derive(Clone, Copy, Debug)]
pub struct OutboxConfig {
    /// How many messages may wait.
    pub messages_max: u32,
    /// How many bytes may wait.
    pub bytes_max: u64,
    /// What happens beyond that.
    pub overflow: Overflow,
}

impl Default for OutboxConfig {
    fn default() -> Self {
        Self { messages_max: 8192, bytes_max: 8 << 20, overflow: Overflow::Reject }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) ticket: Ticket,
    pub(crate) bytes: u32,
}

#[derive(Clone, Copy, Debug)]
struct Written {
    entry: Entry,
    at: Instant,
}

/// The queue, first in, first out, and behind it the messages in flight, in the order in which they were written.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    config: OutboxConfig,
    waiting: VecDeque<Entry>,
    waiting_bytes: u64,
    flight: VecDeque<Written>,
    flight_bytes: u64,
    /// How many have been written in all: the newest in flight is this one.
    written: u64,
}

impl Outbox {
    pub(crate) fn new(config: OutboxConfig) -> Self {
        Self {
            config,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            flight: VecDeque::new(),
            flight_bytes: 0,
            written: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.waiting_bytes
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.flight.len()
    }

    pub(crate) fn in_flight_bytes(&self) -> u64 {
        self.flight_bytes
    }

    fn has_room_for(&self, bytes: u32) -> bool {
        self.waiting.len() < self.config.messages_max as usize
            && self.waiting_bytes + u64::from(bytes) <= self.config.bytes_max
    }

    /// Takes a message; `evicted` is told of each that had to leave for it.
    pub(crate) fn push(&mut self, entry: Entry, mut evicted: impl FnMut(Ticket)) -> Result<(), Refusal> {
        if u64::from(entry.bytes) > self.config.bytes_max || self.config.messages_max == 0 {
            return Err(Refusal::OutboxFull);
        }
        while !self.has_room_for(entry.bytes) {
            match self.config.overflow {
                Overflow::Reject => return Err(Refusal::OutboxFull),
                Overflow::DropNewest => {
                    evicted(entry.ticket);
                    return Ok(());
                }
                Overflow::DropOldest => {}
            }
            match self.take() {
                Some(oldest) => evicted(oldest.ticket),
                None => return Err(Refusal::OutboxFull),
            }
        }
        self.waiting_bytes += u64::from(entry.bytes);
        self.waiting.push_back(entry);
        Ok(())
    }

    /// Takes the oldest that waits.
    pub(crate) fn take(&mut self) -> Option<Entry> {
        let entry = self.waiting.pop_front()?;
        self.waiting_bytes -= u64::from(entry.bytes);
        Some(entry)
    }

    /// Takes one that waits out of its place.
    pub(crate) fn remove(&mut self, ticket: Ticket) -> bool {
        let Some(at) = self.waiting.iter().position(|entry| entry.ticket == ticket) else { return false };
        if let Some(entry) = self.waiting.remove(at) {
            self.waiting_bytes -= u64::from(entry.bytes);
        }
        true
    }

    /// Moves the oldest that waits into flight.
    pub(crate) fn write(&mut self, now: Instant) -> Option<Entry> {
        let entry = self.take()?;
        self.flight.push_back(Written { entry, at: now });
        self.written += 1;
        self.flight_bytes += u64::from(entry.bytes);
        Some(entry)
    }

    /// The newest in flight was not written after all, if it is this one: it waits again, at the front. It may stand
    /// beyond a bound by its own size until the next one leaves; nothing that was taken is lost for a bound.
    pub(crate) fn unwrite(&mut self, ticket: Ticket) -> bool {
        if self.flight.back().is_none_or(|last| last.entry.ticket != ticket) {
            return false;
        }
        let Some(last) = self.flight.pop_back() else { return false };
        self.written -= 1;
        self.flight_bytes -= u64::from(last.entry.bytes);
        self.waiting_bytes += u64::from(last.entry.bytes);
        self.waiting.push_front(last.entry);
        true
    }

    /// Whatever is in flight counts as written only now, as far as time confirms it.
    pub(crate) fn restamp(&mut self, now: Instant) {
        for written in &mut self.flight {
            written.at = now;
        }
    }

    /// How many messages have been written in all.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// When the oldest in flight was written.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.flight.front().map(|written| written.at)
    }

    /// The how-manieth written this one is, and when, if it is in flight. Linear, and paid once: whatever stands before it is
    /// settled with it.
    pub(crate) fn position(&self, ticket: Ticket) -> Option<(u64, Instant)> {
        let mut flight = self.flight.iter().zip(self.written - self.flight.len() as u64 + 1..);
        flight
            .find(|(written, _)| written.entry.ticket == ticket)
            .map(|(written, number)| (number, written.at))
    }

    /// Takes the oldest in flight if it was written at or before `until`.
    pub(crate) fn settle_by(&mut self, until: Instant) -> Option<Ticket> {
        if self.flight.front()?.at > until { None } else { self.settle() }
    }

    /// Takes the oldest in flight if it was among the first so many written.
    pub(crate) fn settle_through(&mut self, mark: u64) -> Option<Ticket> {
        let oldest = self.written - self.flight.len() as u64 + 1;
        if oldest > mark { None } else { self.settle() }
    }

    /// Takes the oldest in flight.
    pub(crate) fn settle(&mut self) -> Option<Ticket> {
        let written = self.flight.pop_front()?;
        self.flight_bytes -= u64::from(written.entry.bytes);
        Some(written.entry.ticket)
    }

    /// Takes the oldest in flight, if there are more than can be followed.
    pub(crate) fn spill(&mut self) -> Option<Ticket> {
        let many = self.flight.len() > IN_FLIGHT_MAX;
        let long = self.flight_bytes > IN_FLIGHT_BYTES_MAX && self.flight.len() > 1;
        if many || long { self.settle() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Op {
        Push(u32),
        Take,
        Write,
        Unwrite,
        Remove(u32),
        Settle(u64),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            4 => (0u32..60).prop_map(Op::Push),
            1 => Just(Op::Take),
            2 => Just(Op::Write),
            1 => Just(Op::Unwrite),
            1 => (0u32..100).prop_map(Op::Remove),
            1 => (0u64..300).prop_map(Op::Settle),
        ]
    }

    #[test]
    fn the_newest_leaves_where_that_is_wished() {
        let config = OutboxConfig { messages_max: 1, bytes_max: 100, overflow: Overflow::DropNewest };
        let mut outbox = Outbox::new(config);
        let mut left = Vec::new();
        for ticket in 1..=3 {
            let entry = Entry { ticket: Ticket(ticket), bytes: 10 };
            assert_eq!(outbox.push(entry, |ticket| left.push(ticket)), Ok(()));
        }
        assert_eq!(left, [Ticket(2), Ticket(3)]);
        assert_eq!(outbox.take().map(|entry| entry.ticket), Some(Ticket(1)));
    }

    proptest! {
        /// A bound is never exceeded by more than the one message that was handed back, nothing is reordered, and every
        /// ticket leaves exactly once.
        #[test]
        fn bounds_order_and_exits(
            ops in prop::collection::vec(op(), 0..300), messages_max in 0u32..12, bytes_max in 0u64..200, drop_oldest: bool,
        ) {
            let overflow = if drop_oldest { Overflow::DropOldest } else { Overflow::Reject };
            let mut outbox = Outbox::new(OutboxConfig { messages_max, bytes_max, overflow });
            let mut next = 0;
            let mut live = std::collections::BTreeSet::new();
            let mut written_last = None;
            let mut handed_back = 0u64;
            for (step, op) in ops.into_iter().enumerate() {
                let now = Instant::from_micros(step as u64);
                match op {
                    Op::Push(bytes) => {
                        let entry = Entry { ticket: Ticket(next), bytes };
                        let mut out = Vec::new();
                        let taken = outbox.push(entry, |ticket| out.push(ticket));
                        prop_assert!(out.windows(2).all(|pair| pair[0] < pair[1]));
                        for ticket in out {
                            prop_assert!(drop_oldest && live.remove(&ticket));
                        }
                        if taken.is_ok() {
                            live.insert(entry.ticket);
                            prop_assert!(outbox.len() <= messages_max as usize && outbox.bytes() <= bytes_max);
                            handed_back = 0;
                        } else {
                            prop_assert!(!drop_oldest || u64::from(bytes) > bytes_max || messages_max == 0);
                        }
                        next += 1;
                    }
                    Op::Take => if let Some(entry) = outbox.take() {
                        prop_assert!(live.remove(&entry.ticket));
                        prop_assert!(Some(entry.ticket) > written_last);
                    },
                    Op::Write => if let Some(entry) = outbox.write(now) {
                        prop_assert!(Some(entry.ticket) > written_last, "reordered");
                        written_last = Some(entry.ticket);
                    },
                    Op::Unwrite => if written_last.is_some_and(|ticket| outbox.unwrite(ticket)) {
                        handed_back += 60;
                        written_last = None;
                    },
                    Op::Remove(ticket) => if outbox.remove(Ticket(ticket)) {
                        prop_assert!(live.remove(&Ticket(ticket)));
                    },
                    Op::Settle(until) => if let Some(ticket) = outbox.settle_by(Instant::from_micros(until)) {
                        prop_assert!(live.remove(&ticket));
                    },
                }
                prop_assert!(outbox.bytes() <= bytes_max + handed_back);
                prop_assert_eq!(outbox.len() + outbox.in_flight(), live.len());
            }
            while let Some(entry) = outbox.take() {
                prop_assert!(live.remove(&entry.ticket));
            }
            while let Some(ticket) = outbox.settle() {
                prop_assert!(live.remove(&ticket));
            }
            prop_assert!(live.is_empty());
            prop_assert_eq!((outbox.bytes(), outbox.in_flight_bytes()), (0, 0));
        }
    }
}
