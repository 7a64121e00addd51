//! What has no number yet: it may still be replaced, expire, be overtaken or dropped. [SEND-1]

use std::collections::{BTreeMap, VecDeque};

use super::message::Outgoing;
use crate::gather::put_at;
use crate::outbox::Ticket;
use crate::time::Instant;

/// The messages without a number: a lane for each priority, first in, first out in each.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    /// By rising priority. Empty ones are kept: there are 256 at most, and the next message needs no allocation.
    lanes: Vec<(u8, VecDeque<Outgoing>)>,
    len: usize,
    bytes: u64,
    keyed: usize,
    requests: usize,
    /// Nothing is late before; perhaps nothing is then either.
    late_at: Option<Instant>,
}

impl Waiting {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Their octets.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many of them are requests.
    pub fn requests(&self) -> usize {
        self.requests
    }

    /// In the order in which they are written.
    pub fn iter(&self) -> impl Iterator<Item = &Outgoing> {
        self.lanes.iter().rev().flat_map(|(_, lane)| lane)
    }

    /// The first of these, in that order. Not by [`Self::iter`]: each kind of search in it is half a kilobyte of
    /// WebAssembly.
    pub(crate) fn first(&self, which: &mut dyn FnMut(&Outgoing) -> bool) -> Option<Outgoing> {
        for (_, lane) in self.lanes.iter().rev() {
            for at in 0..lane.len() {
                let Some(message) = lane.get(at) else { break };
                if which(message) {
                    return Some(*message);
                }
            }
        }
        None
    }

    /// The next to be written.
    pub fn front(&self) -> Option<&Outgoing> {
        for (_, lane) in self.lanes.iter().rev() {
            if let Some(front) = lane.front() {
                return Some(front);
            }
        }
        None
    }

    /// Takes that one.
    pub fn pop_front(&mut self) -> Option<Outgoing> {
        for (_, lane) in self.lanes.iter_mut().rev() {
            if let Some(message) = lane.pop_front() {
                self.uncount(&message);
                return Some(message);
            }
        }
        None
    }

    /// Takes the one that can best be spared, other than this: the oldest of the lowest priority.
    pub(super) fn pop_spare_but(&mut self, kept: Option<Ticket>) -> Option<Outgoing> {
        for (_, lane) in &mut self.lanes {
            let Some(front) = lane.pop_front() else { continue };
            let spare = if Some(front.ticket) == kept {
                let second = lane.pop_front();
                lane.push_front(front);
                second
            } else {
                Some(front)
            };
            if let Some(spare) = spare {
                self.uncount(&spare);
                return Some(spare);
            }
        }
        None
    }

    /// Puts one in: behind the one whose place it takes, which is still there, or behind all of its priority.
    pub fn insert(&mut self, message: Outgoing) {
        let twin = if self.keyed > 0 { self.place_of_key(&message) } else { None };
        let lane = self.lane(message.priority);
        if let Some(at) = twin {
            // Once around, behind it; the search for it went as far.
            for place in 0..lane.len() {
                let Some(other) = lane.pop_front() else { break };
                lane.push_back(other);
                if place == at {
                    lane.push_back(message);
                }
            }
        } else {
            lane.push_back(message);
        }
        self.count(&message);
    }

    fn count(&mut self, message: &Outgoing) {
        self.len += 1;
        self.bytes += u64::from(message.bytes);
        self.keyed += usize::from(message.key.is_some());
        self.requests += usize::from(message.answer_by.is_some());
        self.late_at = sooner(self.late_at, message.late_at());
    }

    /// Puts one back that was the first of its priority when it was taken out.
    pub(crate) fn put_back(&mut self, message: Outgoing) {
        self.lane(message.priority).push_front(message);
        self.count(&message);
    }

    fn lane(&mut self, priority: u8) -> &mut VecDeque<Outgoing> {
        let at = self.lanes.partition_point(|(other, _)| *other < priority);
        if self.lanes.get(at).is_none_or(|(other, _)| *other != priority) {
            put_at(&mut self.lanes, at, (priority, VecDeque::new()));
        }
        let Some((_, lane)) = self.lanes.get_mut(at) else { unreachable!("it is there now") };
        lane
    }

    fn place_of_key(&mut self, message: &Outgoing) -> Option<usize> {
        let key = message.key?;
        // There is one at the most, but for what a record had when its instance stopped.
        let mut place = None;
        let lane = self.lane(message.priority);
        for at in 0..lane.len() {
            if lane.get(at).is_some_and(|other| other.key == Some(key)) {
                place = Some(at);
            }
        }
        place
    }

    /// The one that this one replaces.
    pub fn twin_of(&self, message: &Outgoing) -> Option<Outgoing> {
        let key = message.key.filter(|_| self.keyed > 0)?;
        self.first(&mut |other| other.key == Some(key) && other.ticket != message.ticket)
    }

    /// Those that another of their key should have replaced: the host had recorded the newer one when it stopped.
    pub(super) fn take_replaced(&mut self) -> Vec<Outgoing> {
        let mut newest = BTreeMap::new();
        if self.keyed > 0 {
            newest.extend(self.iter().filter_map(|message| Some((message.key?, message.ticket))));
        }
        let replaced = |message: &&Outgoing| {
            message.key.is_some_and(|key| newest.get(&key).is_some_and(|ticket| *ticket != message.ticket))
        };
        let replaced: Vec<_> = self.iter().filter(replaced).map(|message| message.ticket).collect();
        replaced.into_iter().filter_map(|ticket| self.remove(ticket)).collect()
    }

    /// Takes one out of its place.
    pub fn remove(&mut self, ticket: Ticket) -> Option<Outgoing> {
        self.first(&mut |message| message.ticket == ticket)?;
        self.take(&|message: &Outgoing| message.ticket == ticket).pop()
    }

    /// Takes all that are longer than this.
    pub(super) fn take_longer(&mut self, bytes_max: u32) -> Vec<Outgoing> {
        self.take(&|message: &Outgoing| message.bytes > bytes_max)
    }

    /// When something may be late.
    pub fn late_at(&self) -> Option<Instant> {
        self.late_at
    }

    /// Takes all that are late.
    pub(crate) fn take_late(&mut self, now: Instant) -> Vec<Outgoing> {
        if self.late_at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        let late = self.take(&|message: &Outgoing| message.late_at().is_some_and(|at| at <= now));
        let mut next = None;
        self.first(&mut |message| {
            next = sooner(next, message.late_at());
            false
        });
        self.late_at = next;
        late
    }

    fn take(&mut self, which: &dyn Fn(&Outgoing) -> bool) -> Vec<Outgoing> {
        let mut taken = Vec::new();
        for (_, lane) in self.lanes.iter_mut().rev() {
            for _ in 0..lane.len() {
                let Some(message) = lane.pop_front() else { break };
                if which(&message) {
                    taken.push(message);
                } else {
                    lane.push_back(message);
                }
            }
        }
        taken.iter().for_each(|message| self.uncount(message));
        taken
    }

    fn uncount(&mut self, message: &Outgoing) {
        self.len -= 1;
        self.bytes -= u64::from(message.bytes);
        self.keyed -= usize::from(message.key.is_some());
        self.requests -= usize::from(message.answer_by.is_some());
    }
}

fn sooner(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// What waits, and in which order; not what is remembered to be quick.
impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Waiting {}

impl FromIterator<Outgoing> for Waiting {
    fn from_iter<T: IntoIterator<Item = Outgoing>>(messages: T) -> Self {
        let mut waiting = Self::default();
        messages.into_iter().for_each(|message| waiting.insert(message));
        waiting
    }
}
