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
    pub(super) backlog_messages_max: usize,
    pub(super) backlog_octets_max: u64,
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

/// A message of a subject.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) s: u64,
    /// The octets of all that the subject had before it.
    begins: u64,
}

/// The messages of one subject.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) places: VecDeque<Place>,
    /// The octets of all that it ever had.
    octets: u64,
    trimmed: u64,
}

impl Lane {
    fn new(trimmed: u64) -> Self {
        Self { places: VecDeque::new(), octets: 0, trimmed }
    }

    fn push(&mut self, s: u64, octets: u64) {
        self.places.push_back(Place { s, begins: self.octets });
        self.octets += octets;
    }

    /// How many messages come after this number, and their octets.
    fn after(&self, from: u64) -> (usize, u64) {
        let begin = self.places.partition_point(|place| place.s <= from);
        let octets = self.places.get(begin).map_or(0, |place| self.octets - place.begins);
        (self.places.len() - begin, octets)
    }
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
        let entry = Entry { at: now, message: post.clone().stored(s) };
        let octets = entry.octets();
        if let Some(lane) = self.lanes.get_mut(&post.subject) {
            if lane.places.is_empty() {
                self.idle.remove(&(lane.trimmed, post.subject.clone()));
            }
            lane.push(s, octets);
        } else {
            let mut lane = Lane::new(self.forgotten);
            lane.push(s, octets);
            self.lanes.insert(post.subject.clone(), lane);
            self.notes.trim(&post.subject);
        }
        self.octets += octets;
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
        lane.places.pop_front();
        lane.trimmed = entry.message.s;
        if lane.places.is_empty() {
            self.rest(entry.message);
        }
    }

    /// Discards all messages of a subject.
    pub(super) fn trim(&mut self, subject: &Subject) {
        let Some(lane) = self.lanes.get_mut(subject) else { return };
        let Some(last) = lane.places.back().copied() else { return };
        lane.places.clear();
        lane.trimmed = last.s;
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
        self.lanes.insert(subject.clone(), Lane::new(trimmed));
        self.idle.insert((trimmed, subject.clone()));
    }

    /// See [`Log::restore`].
    pub(super) fn restore_message(&mut self, saved: SavedMessage<P>) {
        let SavedMessage { at, message } = saved;
        let (s, forgotten) = (message.s, self.forgotten);
        let entry = Entry { at, message };
        let octets = entry.octets();
        let subject = &entry.message.subject;
        let lane = self.lanes.entry(subject.clone()).or_insert_with(|| Lane::new(forgotten));
        if lane.places.is_empty() {
            self.idle.remove(&(lane.trimmed, subject.clone()));
        }
        lane.push(s, octets);
        self.octets += octets;
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

    /// What is gone for a reader who begins behind `from`: all of a room of which there is more than it may be. [LOST-2]
    pub(super) fn trimmed_for(&self, subject: &Subject, from: u64) -> u64 {
        let LogBounds { backlog_messages_max, backlog_octets_max, .. } = self.bounds;
        let trimmed = self.trimmed(subject);
        let Some(lane) = self.lanes.get(subject) else { return trimmed };
        let (messages, octets) = lane.after(from);
        let fits = messages <= backlog_messages_max && octets <= backlog_octets_max;
        lane.places.back().filter(|_| !fits).map_or(trimmed, |last| last.s)
    }

    /// The highest number stored under a subject, as far as it is remembered.
    pub(super) fn latest(&self, subject: &Subject) -> u64 {
        let answer = self.inboxes.entries(subject).and_then(|answers| answers.back());
        let message = self.lanes.get(subject).and_then(|lane| lane.places.back());
        let last = message.map(|place| place.s).or(answer.map(|entry| entry.message.s));
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
