//! One link, with what its node leaves to the driver.

use std::collections::{BTreeMap, VecDeque};

use everwire_core::Instant;
use everwire_core::engine::{Filter, LogEpoch, Producer, Subject};
use everwire_core::session::node::{AskId, Asking, Node, Purpose, Transport};

use crate::pace::Pace;
use crate::payload::Payload;

/// A question to the application that is open.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// Who somebody is, under these producers.
    Who { producer: Producer, successor: Option<Producer> },
    /// What he may.
    May { purpose: Purpose, rooms: Vec<Asking> },
    /// What is to become of a message.
    What { subject: Option<Subject>, message: Payload },
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) node: Node<Payload>,
    pub(crate) pace: Pace,
    pub(crate) questions: BTreeMap<AskId, Question>,
    /// Of `welcome`.
    pub(crate) identity: Option<Subject>,
    /// Of `welcome`.
    pub(crate) epoch: Option<LogEpoch>,
    /// Of `hello`: its grants were made under this one.
    pub(crate) hello_epoch: Option<LogEpoch>,
    /// What the books list it for.
    pub(crate) listed: Listed,
    /// The timer that is set, if any.
    pub(crate) armed: Option<Instant>,
    pub(crate) outbox: Outbox,
    pub(crate) is_closed: bool,
}

/// Under which subjects a link is found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listed {
    pub(crate) filter: Filter,
    pub(crate) inbox: Option<Subject>,
    pub(crate) producer: Option<Producer>,
    pub(crate) identity: Option<Subject>,
}

impl Listed {
    /// Whether the books need no change.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.filter.is_same(&other.filter)
            && (&self.producer, &self.identity) == (&other.producer, &other.identity)
    }
}

/// What has been handed to the transport, as far as it has not said that it has taken it.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    written: u64,
    taken: u64,
    /// Where each frame ends, and how many of its octets are no push's.
    frames: VecDeque<(u64, u64)>,
    waiting_other: u64,
}

impl Outbox {
    pub(crate) fn write(&mut self, octets: u64, is_push: bool) {
        let other = if is_push { 0 } else { octets };
        self.written += octets;
        self.waiting_other += other;
        self.frames.push_back((self.written, other));
    }

    /// So many octets in all have been taken.
    pub(crate) fn take(&mut self, taken: u64) {
        self.taken = self.taken.max(taken.min(self.written));
        while let Some((_, other)) = self.frames.front().copied().filter(|(end, _)| *end <= self.taken) {
            self.waiting_other -= other;
            self.frames.pop_front();
        }
    }

    pub(crate) fn transport(&self) -> Transport {
        Transport { written: self.written, taken: self.taken, waiting_other: self.waiting_other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_waits_until_its_last_octet_is_taken() {
        let mut outbox = Outbox::default();
        outbox.write(10, false);
        outbox.write(100, true);
        outbox.write(5, false);
        let transport = |outbox: &Outbox| {
            let Transport { written, taken, waiting_other } = outbox.transport();
            (written, taken, waiting_other)
        };
        assert_eq!(transport(&outbox), (115, 0, 15));
        outbox.take(9);
        assert_eq!(transport(&outbox), (115, 9, 15));
        outbox.take(10);
        assert_eq!(transport(&outbox), (115, 10, 5));
        outbox.take(1_000);
        assert_eq!(transport(&outbox), (115, 115, 0));
    }
}
