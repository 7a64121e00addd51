//! What waits to be written, and what has been written and is not settled.

use std::collections::VecDeque;

use crate::codes::Refusal;
use crate::session::up::{Outgoing, Unwritten, Waiting};
use crate::time::{Duration, Instant};
use crate::{IN_FLIGHT_BYTES_MAX, IN_FLIGHT_MAX};

/// The host's name for one outgoing message; unique among those that have not left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u32);

/// How many messages may wait for room with [`Overflow::Wait`], beside [`OutboxConfig::messages_max`]. Each is a call of
/// the application's that has not come back; so many at once are a loop that does not await.
pub const SENDERS_MAX: u32 = 1024;

/// How soon a transport's buffer is looked at again that was too full while messages waited: a browser says nothing when it
/// empties. A mark of 1 MiB lets 50 MB/s through so.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What happens to a message for which the outbox has no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// It is refused.
    #[default]
    Reject,
    /// The oldest ones of the lowest priority leave until there is room.
    DropOldest,
    /// It leaves at once.
    DropNewest,
    /// It waits for room: [`SENDERS_MAX`] messages and once more [`OutboxConfig::bytes_max`] at the most. What comes
    /// beyond that is refused.
    ///
    /// Those that wait for room stand in the one queue with the rest: so their time to live runs out, a newer one of
    /// their key takes their place, priority lets them overtake, and abort and close find them, without a second set
    /// of rules.
    Wait,
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

impl OutboxConfig {
    /// How many messages and octets may wait in all, those that wait for room included.
    pub fn bounds(&self) -> (usize, u64) {
        match self.overflow {
            Overflow::Wait => {
                (self.messages_max.saturating_add(SENDERS_MAX) as usize, self.bytes_max.saturating_mul(2))
            }
            _ => (self.messages_max as usize, self.bytes_max),
        }
    }
}

impl Default for OutboxConfig {
    fn default() -> Self {
        Self { messages_max: 8192, bytes_max: 8 << 20, overflow: Overflow::Reject }
    }
}

#[derive(Clone, Copy, Debug)]
struct Written {
    entry: Outgoing,
    at: Instant,
}

/// What has become of a message that was not written after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unwrite {
    /// It waits.
    Waits,
    /// A newer one of its key waits: it has left.
    Replaced,
}

/// The queue, and behind it the messages in flight, in the order in which they were written.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    config: OutboxConfig,
    waiting: Waiting,
    flight: VecDeque<Written>,
    flight_bytes: u64,
    /// How many have been written in all: the newest in flight is this one.
    written: u64,
}

impl Outbox {
    pub(crate) fn new(config: OutboxConfig) -> Self {
        Self { config, waiting: Waiting::default(), flight: VecDeque::new(), flight_bytes: 0, written: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.waiting.bytes()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.flight.len()
    }

    pub(crate) fn in_flight_bytes(&self) -> u64 {
        self.flight_bytes
    }

    /// Takes a message; `left` is told of each that had to leave for it, itself perhaps.
    pub(crate) fn push(
        &mut self,
        entry: Outgoing,
        left: &mut dyn FnMut(Outgoing, Unwritten),
    ) -> Result<(), Refusal> {
        self.waiting.admits(&entry, &self.config)?;
        self.waiting.insert(entry);
        self.waiting.make_room_for(entry, &self.config, left);
        Ok(())
    }

    /// Takes the one that would be written next.
    pub(crate) fn take(&mut self) -> Option<Outgoing> {
        self.waiting.pop_front()
    }

    /// Takes one that waits out of its place.
    pub(crate) fn remove(&mut self, ticket: Ticket) -> bool {
        self.waiting.remove(ticket).is_some()
    }

    /// When something that waits may be too late.
    pub(crate) fn late_at(&self) -> Option<Instant> {
        self.waiting.late_at()
    }

    /// Takes all that wait and are too late.
    pub(crate) fn take_late(&mut self, now: Instant) -> Vec<Outgoing> {
        self.waiting.take_late(now)
    }

    /// Moves the next one that waits into flight.
    pub(crate) fn write(&mut self, now: Instant) -> Option<Outgoing> {
        let entry = self.take()?;
        self.flight.push_back(Written { entry, at: now });
        self.written += 1;
        self.flight_bytes += u64::from(entry.bytes);
        Some(entry)
    }

    /// The newest in flight was not written after all, if it is this one: it waits again, at the front of its priority,
    /// unless a newer one of its key waits already: then it is answered, and has left. It may stand beyond a bound by its
    /// own size until the next one leaves; nothing that was taken is lost for a bound.
    pub(crate) fn unwrite(&mut self, ticket: Ticket) -> Option<Unwrite> {
        self.flight.back().filter(|last| last.entry.ticket == ticket)?;
        let last = self.flight.pop_back()?;
        self.written -= 1;
        self.flight_bytes -= u64::from(last.entry.bytes);
        if self.waiting.twin_of(&last.entry).is_some() {
            return Some(Unwrite::Replaced);
        }
        self.waiting.put_back(last.entry);
        Some(Unwrite::Waits)
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
    use crate::frame::Form;
    use proptest::prelude::*;

    fn entry(ticket: u32, bytes: u32) -> Outgoing {
        Outgoing::new(Ticket(ticket), bytes, Form::Text)
    }

    #[derive(Clone, Debug)]
    enum Op {
        Push { bytes: u32, priority: u8, key: Option<u32>, ttl: Option<u64> },
        Write,
        Unwrite,
        Remove(u32),
        Settle(u64),
        Late,
    }

    fn op() -> impl Strategy<Value = Op> {
        let push =
            (0u32..60, 0u8..3, prop::option::weighted(0.3, 0u32..3), prop::option::weighted(0.3, 0u64..40));
        prop_oneof![
            5 => push.prop_map(|(bytes, priority, key, ttl)| Op::Push { bytes, priority, key, ttl }),
            2 => Just(Op::Write),
            1 => Just(Op::Unwrite),
            1 => (0u32..100).prop_map(Op::Remove),
            1 => (0u64..300).prop_map(Op::Settle),
            1 => Just(Op::Late),
        ]
    }

    #[test]
    fn the_newest_leaves_where_that_is_wished() {
        let config = OutboxConfig { messages_max: 1, bytes_max: 100, overflow: Overflow::DropNewest };
        let mut outbox = Outbox::new(config);
        let mut left = Vec::new();
        for ticket in 1..=3 {
            assert_eq!(outbox.push(entry(ticket, 10), &mut |gone, _| left.push(gone.ticket)), Ok(()));
        }
        assert_eq!(left, [Ticket(2), Ticket(3)]);
        assert_eq!(outbox.take().map(|entry| entry.ticket), Some(Ticket(1)));
    }

    #[test]
    fn so_many_senders_wait_for_room_and_no_more() {
        let config = OutboxConfig { messages_max: 2, bytes_max: 1 << 20, overflow: Overflow::Wait };
        let mut outbox = Outbox::new(config);
        for ticket in 0..2 + SENDERS_MAX {
            assert_eq!(outbox.push(entry(ticket, 1), &mut |_, _| panic!("nothing leaves")), Ok(()));
        }
        assert_eq!(outbox.push(entry(9999, 1), &mut |_, _| ()), Err(Refusal::OutboxFull));
        assert!(outbox.remove(Ticket(5)));
        assert_eq!(outbox.push(entry(9999, 1), &mut |_, _| ()), Ok(()));
    }

    #[test]
    fn senders_wait_with_once_more_the_octets() {
        let config = OutboxConfig { messages_max: 8, bytes_max: 100, overflow: Overflow::Wait };
        let mut outbox = Outbox::new(config);
        assert_eq!(outbox.push(entry(0, 101), &mut |_, _| ()), Err(Refusal::OutboxFull));
        for ticket in 0..2 {
            assert_eq!(outbox.push(entry(ticket, 100), &mut |_, _| ()), Ok(()));
        }
        assert_eq!(outbox.push(entry(2, 1), &mut |_, _| ()), Err(Refusal::OutboxFull));
    }

    /// A newer one of a key had come while the older one was on its way to the socket.
    #[test]
    fn of_a_key_only_the_newest_is_handed_back() {
        let keyed = |ticket| Outgoing { key: Some(1), ..entry(ticket, 10) };
        let mut outbox = Outbox::new(OutboxConfig::default());
        let push = |outbox: &mut Outbox, ticket| outbox.push(keyed(ticket), &mut |_, _| panic!());
        assert_eq!(push(&mut outbox, 0), Ok(()));
        outbox.write(Instant::default());
        assert_eq!(outbox.unwrite(Ticket(0)), Some(Unwrite::Waits));
        outbox.write(Instant::default());
        assert_eq!(push(&mut outbox, 1), Ok(()));
        assert_eq!(outbox.unwrite(Ticket(0)), Some(Unwrite::Replaced));
        assert_eq!((outbox.len(), outbox.bytes(), outbox.in_flight()), (1, 10, 0));
        assert_eq!(outbox.unwrite(Ticket(0)), None);
    }

    /// The queue as anybody would write it who need not be quick: the next is the first of the highest priority.
    #[derive(Default)]
    struct Plain(Vec<Outgoing>);

    impl Plain {
        fn next(&self) -> Option<Outgoing> {
            let highest = self.0.iter().map(|one| one.priority).max()?;
            self.0.iter().find(|one| one.priority == highest).copied()
        }

        fn insert(&mut self, message: Outgoing) {
            let twin = |one: &Outgoing| {
                message.key.is_some() && one.key == message.key && one.priority == message.priority
            };
            let at = self.0.iter().position(twin).map_or(self.0.len(), |at| at + 1);
            self.0.insert(at, message);
        }

        fn remove(&mut self, ticket: Ticket) -> Option<Outgoing> {
            let at = self.0.iter().position(|one| one.ticket == ticket)?;
            Some(self.0.remove(at))
        }
    }

    proptest! {
        /// A bound is never exceeded by more than what was handed back, everything is written in its order, only what has
        /// not been written leaves by a rule of the queue, each rule lets go of what it should, and every ticket leaves
        /// exactly once.
        #[test]
        fn bounds_order_and_exits(
            ops in prop::collection::vec(op(), 0..300), messages_max in 0u32..12, bytes_max in 0u64..200,
            overflow in prop::sample::select(vec![Overflow::Reject, Overflow::DropOldest, Overflow::DropNewest, Overflow::Wait]),
        ) {
            let config = OutboxConfig { messages_max, bytes_max, overflow };
            let (count_max, octets_max) = config.bounds();
            let mut outbox = Outbox::new(config);
            let mut plain = Plain::default();
            let mut flight: VecDeque<Outgoing> = VecDeque::new();
            let mut handed_back = 0u64;
            for (step, op) in ops.into_iter().enumerate() {
                let now = Instant::from_micros(step as u64);
                match op {
                    Op::Push { bytes, priority, key, ttl } => {
                        let expires = ttl.map(|ttl| now + crate::time::Duration::from_micros(ttl));
                        let message = Outgoing { priority, key, expires, ..entry(step as u32, bytes) };
                        let mut out = Vec::new();
                        let taken = outbox.push(message, &mut |gone, why| out.push((gone, why)));
                        if taken.is_err() {
                            prop_assert!(out.is_empty());
                            let never = u64::from(bytes) > bytes_max || messages_max == 0;
                            prop_assert!(never || matches!(overflow, Overflow::Reject | Overflow::Wait));
                            continue;
                        }
                        plain.insert(message);
                        for (gone, why) in out {
                            match why {
                                Unwritten::Replaced => prop_assert!(gone.key.is_some() && gone.key == key && gone.ticket < message.ticket),
                                Unwritten::Overflow if overflow == Overflow::DropNewest => prop_assert_eq!(gone.ticket, message.ticket),
                                Unwritten::Overflow => {
                                    prop_assert_eq!(overflow, Overflow::DropOldest);
                                    let others = plain.0.iter().filter(|one| one.ticket != message.ticket);
                                    prop_assert_eq!(Some(gone.priority), others.map(|one| one.priority).min());
                                }
                                _ => prop_assert!(false, "{:?}", why),
                            }
                            prop_assert!(plain.remove(gone.ticket).is_some());
                        }
                        if overflow != Overflow::DropNewest || plain.0.iter().any(|one| one.ticket == message.ticket) {
                            prop_assert!(outbox.len() <= count_max && outbox.bytes() <= octets_max);
                            handed_back = 0;
                        }
                    }
                    Op::Write => {
                        let next = plain.next();
                        prop_assert_eq!(outbox.write(now), next);
                        if let Some(next) = next {
                            plain.remove(next.ticket);
                            flight.push_back(next);
                        }
                    }
                    Op::Unwrite => if let Some(last) = flight.pop_back() {
                        let newer = last.key.is_some() && plain.0.iter().any(|one| one.key == last.key);
                        let unwritten = outbox.unwrite(last.ticket);
                        prop_assert_eq!(unwritten, Some(if newer { Unwrite::Replaced } else { Unwrite::Waits }));
                        if !newer {
                            let front = plain.0.iter().position(|one| one.priority == last.priority).unwrap_or(plain.0.len());
                            plain.0.insert(front, last);
                            handed_back += u64::from(last.bytes);
                        }
                    },
                    Op::Remove(ticket) => prop_assert_eq!(outbox.remove(Ticket(ticket)), plain.remove(Ticket(ticket)).is_some()),
                    Op::Settle(until) => if outbox.settle_by(Instant::from_micros(until)).is_some() { flight.pop_front(); },
                    Op::Late => {
                        for late in outbox.take_late(now) {
                            prop_assert!(late.expires <= Some(now));
                            prop_assert!(plain.remove(late.ticket).is_some());
                        }
                        prop_assert!(plain.0.iter().all(|one| one.expires.is_none_or(|at| at > now)));
                        // Perhaps too early, never too late.
                        let due = plain.0.iter().filter_map(|one| one.expires).min();
                        prop_assert!(due.is_none_or(|due| outbox.late_at().is_some_and(|at| now < at && at <= due)));
                    }
                }
                prop_assert!(outbox.bytes() <= octets_max + handed_back);
                let mut keys: Vec<_> = plain.0.iter().filter_map(|one| one.key).collect();
                keys.sort_unstable();
                prop_assert!(keys.windows(2).all(|pair| pair[0] != pair[1]), "two of a key wait");
                prop_assert_eq!((outbox.len(), outbox.in_flight()), (plain.0.len(), flight.len()));
            }
            while let Some(entry) = outbox.take() {
                let next = plain.next();
                prop_assert_eq!(next, plain.remove(entry.ticket));
            }
            while let Some(ticket) = outbox.settle() {
                prop_assert_eq!(flight.pop_front().map(|one| one.ticket), Some(ticket));
            }
            prop_assert!(plain.0.is_empty() && flight.is_empty());
            prop_assert_eq!((outbox.bytes(), outbox.in_flight_bytes()), (0, 0));
        }
    }
}
