//! The messages: one order of numbers, an index by subject, and what has been discarded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::inboxes::Inboxes;
use super::saved::{Notes, SavedMessage};
use super::{Filter, Message, Payload, Post, Subject};
use crate::mutant::mutant;
use crate::time::{Duration, Instant};

/// What a stored message takes beside its payload: its entry, its places in the indexes, its subject of up to 128
/// octets. Counted, or a flood of empty messages would be free.
pub const STORED_OVERHEAD_OCTETS: u64 = 256;

#[derive(Clone, Copy, Debug)]
pub(super) struct LogBounds {
    pub(super) messages_max: usize,
    pub(super) octets_max: u64,
    pub(super) age_max: Duration,
    pub(super) age_min: Duration,
    pub(super) inbox_octets_max: u64,
    pub(super) subjects_idle_max: usize,
}

/// A message and when it was stored.
#[derive(Clone, Debug)]
pub(super) struct Entry<P> {
    pub(super) at: Instant,
    pub(super) message: Message<P>,
}

impl<P: Payload> Entry<P> {
    pub(super) fn octets(&self) -> u64 {
        self.message.payload.octets() + STORED_OVERHEAD_OCTETS
    }
}

/// The numbers of one subject.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) numbers: VecDeque<u64>,
    trimmed: u64,
}

/// Three kinds of messages in one order: those of rooms and identities, which leave oldest first; answers, which have
/// bounds of their own, so that neither pushes out the other; and those that nobody can read, which are not kept.
#[derive(Clone, Debug)]
pub(super) struct Log<P> {
    bounds: LogBounds,
    head: u64,
    pub(super) messages: VecDeque<Entry<P>>,
    octets: u64,
    pub(super) lanes: BTreeMap<Subject, Lane>,
    pub(super) inboxes: Inboxes<P>,
    /// Subjects without a message, by what was discarded of them.
    idle: BTreeSet<(u64, Subject)>,
    /// The highest number discarded of any subject that is no longer remembered.
    pub(super) forgotten: u64,
    pub(super) notes: Notes<P>,
}

impl<P: Payload> Log<P> {
    pub(super) fn new(bounds: LogBounds) -> Self {
        Self {
            bounds,
            head: 0,
            messages: VecDeque::new(),
            octets: 0,
            lanes: BTreeMap::new(),
            inboxes: Inboxes::new(bounds.inbox_octets_max),
            idle: BTreeSet::new(),
            forgotten: 0,
            notes: Notes::new(),
        }
    }

    pub(super) fn head(&self) -> u64 {
        self.head
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len() + self.inboxes.answers()
    }

    pub(super) fn octets(&self) -> u64 {
        self.octets + self.inboxes.octets()
    }

    pub(super) fn subjects(&self) -> usize {
        self.lanes.len() + self.inboxes.len()
    }

    /// Whether a message can be stored without discarding one that is too young for it. [ENG-18]
    pub(super) fn has_room(&self, post: &Post<P>, now: Instant) -> bool {
        if self.bounds.age_min == Duration::ZERO || post.subject.is_internal() {
            return true;
        }
        let mut messages = self.messages.len() + 1;
        let mut octets = self.octets + post.payload.octets() + STORED_OVERHEAD_OCTETS;
        for entry in &self.messages {
            if messages <= self.bounds.messages_max && octets <= self.bounds.octets_max {
                break;
            }
            if now.since(entry.at) < self.bounds.age_min {
                return false;
            }
            messages -= 1;
            octets -= entry.octets();
        }
        true
    }

    /// Stores a message under the next number and discards what is too much then.
    pub(super) fn store(&mut self, post: &Post<P>, now: Instant) -> u64 {
        self.head += 1;
        let s = self.head;
        if post.subject.is_internal() {
            self.inboxes.store(s, post, now);
            return s;
        }
        if let Some(lane) = self.lanes.get_mut(&post.subject) {
            if lane.numbers.is_empty() {
                self.idle.remove(&(lane.trimmed, post.subject.clone()));
            }
            lane.numbers.push_back(s);
        } else {
            let lane = Lane { numbers: VecDeque::from([s]), trimmed: self.forgotten };
            self.lanes.insert(post.subject.clone(), lane);
            self.notes.trim(&post.subject);
        }
        let entry = Entry { at: now, message: post.clone().stored(s) };
        self.octets += entry.octets();
        self.notes.store(now, &entry.message);
        self.messages.push_back(entry);
        while self.messages.len() > self.bounds.messages_max.max(1)
            || (self.octets > self.bounds.octets_max && self.messages.len() > 1)
        {
            self.discard_oldest();
        }
        s
    }

    /// When the next message is due to go.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let message = self.messages.front().map(|entry| entry.at + self.bounds.age_max);
        [message, self.inboxes.deadline()].into_iter().flatten().min()
    }

    pub(super) fn expire(&mut self, now: Instant) {
        while self.messages.front().is_some_and(|entry| now.since(entry.at) >= self.bounds.age_max) {
            self.discard_oldest();
        }
        self.inboxes.expire(now);
    }

    fn discard_oldest(&mut self) {
        let Some(entry) = self.messages.pop_front() else { return };
        self.octets -= entry.octets();
        self.notes.discard(entry.message.s, &entry.message.subject);
        let Some(lane) = self.lanes.get_mut(&entry.message.subject) else { return };
        // Every lane is in the order of all, so what is the oldest of all is the oldest of its lane.
        lane.numbers.pop_front();
        lane.trimmed = entry.message.s;
        if lane.numbers.is_empty() {
            self.rest(entry.message);
        }
    }

    /// Discards all messages of a subject.
    pub(super) fn trim(&mut self, subject: &Subject) {
        let Some(lane) = self.lanes.get_mut(subject) else { return };
        let Some(last) = lane.numbers.back().copied() else { return };
        lane.numbers.clear();
        lane.trimmed = last;
        let mut last = None;
        let (octets, notes) = (&mut self.octets, &mut self.notes);
        self.messages.retain(|entry| {
            let stays = entry.message.subject != *subject;
            if !stays {
                *octets -= entry.octets();
                notes.discard(entry.message.s, subject);
                last = Some(entry.message.clone());
            }
            stays
        });
        if let Some(last) = last {
            self.rest(last);
        }
    }

    /// Remembers the subject of the last message that it had as long as there is room; then those go of which the oldest was
    /// discarded, since that raises the least what all the forgotten have to answer. [ENG-28]
    fn rest(&mut self, last: Message<P>) {
        self.idle.insert((last.s, last.subject));
        while self.idle.len() > self.bounds.subjects_idle_max {
            let Some((trimmed, subject)) = self.idle.pop_first() else { return };
            self.forgotten = self.forgotten.max(trimmed);
            self.lanes.remove(&subject);
            self.notes.trim(&subject);
        }
    }

    /// What is remembered of a subject alone.
    pub(super) fn remembered(&self, subject: &Subject) -> Option<u64> {
        self.lanes.get(subject).map(|lane| lane.trimmed)
    }

    /// Takes over what was saved of rooms and identities; `trimmed` before `messages`, which ascend.
    pub(super) fn restore(&mut self, head: u64, forgotten: u64) {
        (self.head, self.forgotten) = (head, forgotten);
    }

    /// See [`Log::restore`].
    pub(super) fn restore_trimmed(&mut self, subject: &Subject, trimmed: u64) {
        self.lanes.insert(subject.clone(), Lane { numbers: VecDeque::new(), trimmed });
        self.idle.insert((trimmed, subject.clone()));
    }

    /// See [`Log::restore`].
    pub(super) fn restore_message(&mut self, saved: SavedMessage<P>) {
        let SavedMessage { at, message } = saved;
        let (s, forgotten) = (message.s, self.forgotten);
        let fresh = || Lane { numbers: VecDeque::new(), trimmed: forgotten };
        let lane = self.lanes.entry(message.subject.clone()).or_insert_with(fresh);
        if lane.numbers.is_empty() {
            self.idle.remove(&(lane.trimmed, message.subject.clone()));
        }
        lane.numbers.push_back(s);
        let entry = Entry { at, message };
        self.octets += entry.octets();
        self.messages.push_back(entry);
    }

    /// The highest number discarded of a subject. [ENG-28]
    pub(super) fn trimmed(&self, subject: &Subject) -> u64 {
        if subject.is_internal() {
            return self.inboxes.trimmed(subject);
        }
        if mutant!(LostByFirst) {
            return self.messages.front().map_or(self.head, |first| first.message.s - 1);
        }
        self.lanes.get(subject).map_or(self.forgotten, |lane| lane.trimmed)
    }

    /// The highest number stored under a subject, as far as it is remembered.
    pub(super) fn latest(&self, subject: &Subject) -> u64 {
        let answer = self.inboxes.entries(subject).and_then(|answers| answers.back());
        let message = self.lanes.get(subject).and_then(|lane| lane.numbers.back().copied());
        let last = message.or(answer.map(|entry| entry.message.s));
        last.unwrap_or_else(|| self.trimmed(subject))
    }

    /// What would be missing from an interval that begins here. [ENG-26]
    pub(super) fn missing(&self, filter: &Filter, after: u64) -> Vec<Subject> {
        // Everything that was ever discarded is behind this.
        if after >= self.head {
            return Vec::new();
        }
        let missing = filter.iter().filter(|(subject, from)| self.trimmed(subject) > after.max(*from));
        missing.map(|(subject, _)| subject.clone()).collect()
    }
}
