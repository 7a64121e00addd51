//! The messages: one order of numbers, an index by subject, and what has been discarded.

use core::ops::Bound;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Direction, Filter, Interval, Limit, Message, Payload, Post, Read, Span, Subject};
use crate::time::{Duration, Instant};

/// What a stored message takes beside its payload: its entry, its places in the indexes, its subject of up to 128
/// octets. Counted, or a flood of empty messages would be free.
pub const STORED_OVERHEAD_OCTETS: u64 = 256;
/// How many answers an inbox keeps: as many as a producer may have requests unanswered.
pub const INBOX_ANSWERS_MAX: usize = 256;
/// How many bytes of answers an inbox keeps; the newest one is, however long. Without this, 256 answers of the
/// longest kind for each of a client's producers would be the server's memory.
pub const INBOX_OCTETS_MAX: u64 = 4 << 20;
/// How long an answer is kept: as long as a request may wait for it.
pub const INBOX_AGE_MAX: Duration = Duration::from_secs(60 * 60);

/// A scan of the order is preferred to looking up each subject while it passes at most so many numbers a subject: a
/// look-up costs about as much.
const SCAN_PER_SUBJECT: u64 = 8;

#[derive(Clone, Copy, Debug)]
pub(super) struct LogBounds {
    pub(super) messages_max: usize,
    pub(super) octets_max: u64,
    pub(super) age_max: Duration,
    pub(super) age_min: Duration,
    pub(super) inbox_octets_max: u64,
    pub(super) subjects_idle_max: usize,
}

#[derive(Debug)]
struct Entry<P> {
    at: Instant,
    subject: Subject,
    payload: P,
    tag: Option<u64>,
    answer: bool,
}

impl<P: Payload> Entry<P> {
    fn octets(&self) -> u64 {
        self.payload.octets() + STORED_OVERHEAD_OCTETS
    }
}

/// One subject.
#[derive(Debug, Default)]
struct Lane {
    numbers: VecDeque<u64>,
    octets: u64,
    trimmed: u64,
    inbox: bool,
}

/// Messages that leave the log oldest first.
#[derive(Debug, Default)]
struct Queue {
    numbers: BTreeSet<u64>,
    octets: u64,
}

#[derive(Debug)]
pub(super) struct Log<P> {
    bounds: LogBounds,
    head: u64,
    entries: BTreeMap<u64, Entry<P>>,
    lanes: BTreeMap<Subject, Lane>,
    /// Ordinary messages; answers have a queue of their own, so that neither pushes out the other.
    ordinary: Queue,
    answers: Queue,
    /// Subjects without a message, by what was discarded of them.
    idle: BTreeSet<(u64, Subject)>,
    /// The highest number discarded of any subject that is no longer remembered.
    forgotten: u64,
}

impl<P: Payload> Log<P> {
    pub(super) fn new(bounds: LogBounds) -> Self {
        Self {
            bounds,
            head: 0,
            entries: BTreeMap::new(),
            lanes: BTreeMap::new(),
            ordinary: Queue::default(),
            answers: Queue::default(),
            idle: BTreeSet::new(),
            forgotten: 0,
        }
    }

    pub(super) fn head(&self) -> u64 {
        self.head
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn octets(&self) -> u64 {
        self.ordinary.octets + self.answers.octets
    }

    pub(super) fn subjects(&self) -> usize {
        self.lanes.len()
    }

    /// Whether a message can be stored without discarding one that is too young for it.
    pub(super) fn has_room(&self, post: &Post<P>, now: Instant) -> bool {
        if self.bounds.age_min == Duration::ZERO
            || self.lanes.get(&post.subject).is_some_and(|lane| lane.inbox)
        {
            return true;
        }
        let mut messages = self.ordinary.numbers.len() + 1;
        let mut octets = self.ordinary.octets + post.payload.octets() + STORED_OVERHEAD_OCTETS;
        for s in &self.ordinary.numbers {
            if messages <= self.bounds.messages_max && octets <= self.bounds.octets_max {
                break;
            }
            let entry = &self.entries[s];
            if now.since(entry.at) < self.bounds.age_min {
                return false;
            }
            messages -= 1;
            octets -= entry.octets();
        }
        true
    }

    /// Stores a message under the next number and discards what is too much then.
    pub(super) fn store(&mut self, post: Post<P>, now: Instant) -> u64 {
        self.head += 1;
        let s = self.head;
        let forgotten = self.forgotten;
        let fresh = || Lane { trimmed: forgotten, ..Lane::default() };
        let lane = self.lanes.entry(post.subject.clone()).or_insert_with(fresh);
        if lane.numbers.is_empty() && !lane.inbox {
            self.idle.remove(&(lane.trimmed, post.subject.clone()));
        }
        let answer = lane.inbox;
        let entry = Entry { at: now, subject: post.subject, payload: post.payload, tag: post.tag, answer };
        lane.numbers.push_back(s);
        lane.octets += entry.octets();
        let queue = if answer { &mut self.answers } else { &mut self.ordinary };
        queue.numbers.insert(s);
        queue.octets += entry.octets();
        let subject = entry.subject.clone();
        self.entries.insert(s, entry);
        if answer {
            self.trim_inbox(&subject);
        } else {
            self.trim();
        }
        s
    }

    fn trim(&mut self) {
        while self.ordinary.numbers.len() > self.bounds.messages_max.max(1)
            || (self.ordinary.octets > self.bounds.octets_max && self.ordinary.numbers.len() > 1)
        {
            let Some(first) = self.ordinary.numbers.first().copied() else { return };
            self.discard(first);
        }
    }

    fn trim_inbox(&mut self, subject: &Subject) {
        while let Some(lane) = self.lanes.get(subject) {
            let many = lane.numbers.len() > INBOX_ANSWERS_MAX;
            let long = lane.octets > INBOX_OCTETS_MAX && lane.numbers.len() > 1;
            let Some(first) = lane.numbers.front().copied().filter(|_| many || long) else { break };
            self.discard(first);
        }
        while self.answers.octets > self.bounds.inbox_octets_max && self.answers.numbers.len() > 1 {
            let Some(first) = self.answers.numbers.first().copied() else { return };
            self.discard(first);
        }
    }

    /// When the next message is due to go.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let due = |queue: &Queue, age| Some(self.entries[queue.numbers.first()?].at + age);
        let ordinary = due(&self.ordinary, self.bounds.age_max);
        ordinary.into_iter().chain(due(&self.answers, INBOX_AGE_MAX)).min()
    }

    pub(super) fn expire(&mut self, now: Instant) {
        while let Some(first) = self.ordinary.numbers.first().copied() {
            if now.since(self.entries[&first].at) < self.bounds.age_max {
                break;
            }
            self.discard(first);
        }
        while let Some(first) = self.answers.numbers.first().copied() {
            if now.since(self.entries[&first].at) < INBOX_AGE_MAX {
                break;
            }
            self.discard(first);
        }
    }

    fn discard(&mut self, s: u64) {
        let Some(entry) = self.entries.remove(&s) else { return };
        let queue = if entry.answer { &mut self.answers } else { &mut self.ordinary };
        queue.numbers.remove(&s);
        queue.octets -= entry.octets();
        let Some(lane) = self.lanes.get_mut(&entry.subject) else { return };
        lane.octets -= entry.octets();
        lane.trimmed = lane.trimmed.max(s);
        if let Ok(at) = lane.numbers.binary_search(&s) {
            lane.numbers.remove(at);
        }
        if lane.numbers.is_empty() && !lane.inbox {
            self.rest(entry.subject);
        }
    }

    /// Remembers a subject without a message as long as there is room; then those go of which the oldest was
    /// discarded, since that raises the least what all the forgotten have to answer.
    fn rest(&mut self, subject: Subject) {
        let Some(lane) = self.lanes.get(&subject) else { return };
        if lane.trimmed <= self.forgotten {
            self.lanes.remove(&subject);
            return;
        }
        self.idle.insert((lane.trimmed, subject));
        while self.idle.len() > self.bounds.subjects_idle_max {
            let Some((trimmed, subject)) = self.idle.pop_first() else { return };
            self.forgotten = self.forgotten.max(trimmed);
            self.lanes.remove(&subject);
        }
    }

    /// From now on what is stored under this subject is an answer.
    pub(super) fn open_inbox(&mut self, subject: &Subject) {
        let forgotten = self.forgotten;
        let fresh = || Lane { trimmed: forgotten, ..Lane::default() };
        let lane = self.lanes.entry(subject.clone()).or_insert_with(fresh);
        lane.inbox = true;
        self.idle.remove(&(lane.trimmed, subject.clone()));
    }

    pub(super) fn close_inbox(&mut self, subject: &Subject) {
        let Some(lane) = self.lanes.get_mut(subject).filter(|lane| lane.inbox) else { return };
        let numbers = lane.numbers.clone();
        for s in numbers {
            self.discard(s);
        }
        if let Some(lane) = self.lanes.get_mut(subject) {
            lane.inbox = false;
            self.rest(subject.clone());
        }
    }

    /// The highest number discarded of a subject. [ENG-28]
    pub(super) fn trimmed(&self, subject: &Subject) -> u64 {
        self.lanes.get(subject).map_or(self.forgotten, |lane| lane.trimmed)
    }

    /// The highest number stored under a subject, as far as it is remembered.
    pub(super) fn latest(&self, subject: &Subject) -> u64 {
        let last = self.lanes.get(subject).and_then(|lane| lane.numbers.back().copied());
        last.unwrap_or(0).max(self.trimmed(subject))
    }

    /// What would be missing from an interval that begins here. [ENG-26]
    pub(super) fn missing(&self, filter: &Filter, after: u64) -> Vec<Subject> {
        let missing = filter.iter().filter(|(subject, from)| self.trimmed(subject) > after.max(*from));
        missing.map(|(subject, _)| subject.clone()).collect()
    }

    pub(super) fn read(&self, filter: &Filter, span: Span, limit: Limit, direction: Direction) -> Read<P> {
        let mut after = span.after;
        if after > self.head {
            return Read::Behind { head: self.head };
        }
        let missing = self.missing(filter, after);
        let mut upto = self.head.min(span.before.saturating_sub(1)).max(after);
        if direction == Direction::Upwards {
            if !missing.is_empty() {
                return Read::Trimmed(missing);
            }
        } else {
            // An interval is complete, so it cannot reach below what has been discarded.
            let trimmed = missing.iter().map(|subject| self.trimmed(subject)).max();
            after = after.max(trimmed.unwrap_or(0)).min(upto);
        }

        let mut messages = Vec::new();
        let mut octets = 0u64;
        let mut more = false;
        for s in self.matching(filter, after, upto, direction) {
            let entry = &self.entries[&s];
            octets = octets.saturating_add(entry.payload.octets());
            let fits = messages.len() < limit.messages && octets <= limit.octets;
            if !fits && !messages.is_empty() {
                more = true;
                match direction {
                    Direction::Upwards => upto = s - 1,
                    Direction::Downwards => after = s,
                }
                break;
            }
            let (subject, payload) = (entry.subject.clone(), entry.payload.clone());
            messages.push(Message { s, subject, payload, tag: entry.tag });
        }
        if direction == Direction::Downwards {
            messages.reverse();
        }
        Read::Interval(Interval { after, upto, messages, more })
    }

    /// The numbers in (after, upto] that pass the filter, in the direction of reading.
    fn matching<'a>(
        &'a self,
        filter: &'a Filter,
        after: u64,
        upto: u64,
        direction: Direction,
    ) -> Box<dyn Iterator<Item = u64> + 'a> {
        if after >= upto {
            return Box::new(core::iter::empty());
        }
        if upto - after > SCAN_PER_SUBJECT.saturating_mul(filter.len() as u64) {
            return Box::new(Merge::new(self, filter, after, upto, direction));
        }
        let range = self.entries.range((Bound::Excluded(after), Bound::Included(upto)));
        let passing = range.filter(|(s, entry)| filter.passes(&entry.subject, **s)).map(|(s, _)| *s);
        match direction {
            Direction::Upwards => Box::new(passing),
            Direction::Downwards => Box::new(passing.rev()),
        }
    }
}

/// The numbers of several subjects in one order.
struct Merge<'a> {
    direction: Direction,
    /// The next number of each subject, with those that follow it.
    next: BTreeMap<u64, std::collections::vec_deque::Iter<'a, u64>>,
}

impl<'a> Merge<'a> {
    fn new<P>(log: &'a Log<P>, filter: &Filter, after: u64, upto: u64, direction: Direction) -> Self {
        let mut merge = Self { direction, next: BTreeMap::new() };
        for (subject, from) in filter.iter() {
            let Some(lane) = log.lanes.get(subject) else { continue };
            let begin = lane.numbers.partition_point(|s| *s <= after.max(from));
            let end = lane.numbers.partition_point(|s| *s <= upto);
            if begin < end {
                merge.queue(lane.numbers.range(begin..end));
            }
        }
        merge
    }

    fn queue(&mut self, mut rest: std::collections::vec_deque::Iter<'a, u64>) {
        let next = match self.direction {
            Direction::Upwards => rest.next(),
            Direction::Downwards => rest.next_back(),
        };
        if let Some(s) = next {
            self.next.insert(*s, rest);
        }
    }
}

impl Iterator for Merge<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let (s, rest) = match self.direction {
            Direction::Upwards => self.next.pop_first(),
            Direction::Downwards => self.next.pop_last(),
        }?;
        self.queue(rest);
        Some(s)
    }
}
