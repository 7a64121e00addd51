//! Requests that have a number and no answer. Chapter 12 of `docs/PROTOCOL.md`.

use crate::outbox::Ticket;
use crate::sorted::SortedMap;
use crate::time::Instant;

/// A request without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The host's name for it.
    pub ticket: Ticket,
    /// It is not waited for any longer than this.
    pub by: Instant,
}

/// The pending ones by their number. [REQ-14]
#[derive(Clone, Debug, Default)]
pub struct Requests {
    asked: SortedMap<u64, Asked>,
    /// Nothing is due before.
    due: Option<Instant>,
}

impl Requests {
    /// How many are pending.
    pub fn len(&self) -> usize {
        self.asked.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// Each by its number, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Asked)> {
        self.asked.iter().map(|(n, asked)| (*n, *asked))
    }

    pub(super) fn ask(&mut self, n: u64, asked: Asked) {
        self.asked.insert(n, asked);
        self.due = Some(self.due.map_or(asked.by, |due| due.min(asked.by)));
    }

    /// It is no longer pending; `None` if it was not.
    pub(super) fn end(&mut self, n: u64) -> Option<Asked> {
        if self.asked.is_empty() { None } else { self.asked.remove(&n) }
    }

    pub(super) fn number_of(&self, ticket: Ticket) -> Option<u64> {
        self.asked.iter().find(|(_, asked)| asked.ticket == ticket).map(|(n, _)| *n)
    }

    /// When one may be given up.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Takes one that has waited for too long.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<(u64, Asked)> {
        if self.due? > now {
            return None;
        }
        let late = self.asked.iter().find(|(_, asked)| asked.by <= now).map(|(n, asked)| (*n, *asked));
        match late {
            Some((n, _)) => drop(self.asked.remove(&n)),
            None => self.due = self.asked.values().map(|asked| asked.by).min(),
        }
        late
    }

    pub(super) fn take_first(&mut self) -> Option<(u64, Asked)> {
        self.asked.pop_first()
    }
}

/// What is pending; not what is remembered to be quick.
impl PartialEq for Requests {
    fn eq(&self, other: &Self) -> bool {
        self.asked == other.asked
    }
}

impl Eq for Requests {}
