//! The answers that wait for their clients, one inbox a producer, outside the trimming of the log.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::log::Entry;
use super::saved::{Notes, SavedMessage};
use super::{Payload, Post, Producer, Subject};
use crate::time::{Duration, Instant};

/// How many answers an inbox keeps: twice as many as a producer may have requests unanswered, so that late answers to
/// requests that nobody waits for any more do not push out others. [REQ-5]
pub const INBOX_ANSWERS_MAX: usize = 512;
/// How many bytes of answers an inbox keeps; the newest one is, however long. Without this, 512 answers of the longest
/// kind for each of a client's producers would be the server's memory. [REQ-5]
pub const INBOX_OCTETS_MAX: u64 = 8 << 20;
/// How long an answer is kept: as long as a request may wait for it. [REQ-5]
pub const INBOX_AGE_MAX: Duration = Duration::from_secs(60 * 60);

#[derive(Clone, Debug)]
struct Inbox<P> {
    owner: Producer,
    answers: VecDeque<Entry<P>>,
    octets: u64,
    trimmed: u64,
    /// The use of its owner under which the queue lists it: the last one, or an earlier one.
    listed: u64,
}

/// All inboxes. They are bounded together; of whom the producer was used least recently loses answers first.
#[derive(Clone, Debug)]
pub(super) struct Inboxes<P> {
    octets_max: u64,
    octets: u64,
    all: BTreeMap<Subject, Inbox<P>>,
    /// Where each answer is.
    places: BTreeMap<u64, Subject>,
    /// Those that hold answers, by the use of their owners. A use does not change it: an inbox is moved when it has
    /// come to the front by a use that was not the last.
    queue: BTreeSet<(u64, Subject)>,
    /// The highest number that was in an inbox that has gone, or was stored for nobody.
    pub(super) unread: u64,
    pub(super) notes: Notes<P>,
}

impl<P: Payload> Inboxes<P> {
    pub(super) fn new(octets_max: u64) -> Self {
        let (all, places, queue) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self { octets_max, octets: 0, all, places, queue, unread: 0, notes: Notes::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn answers(&self) -> usize {
        self.places.len()
    }

    /// The bytes of all answers, overhead included.
    pub(super) fn octets(&self) -> u64 {
        self.octets
    }

    /// What was discarded of an inbox. It may be too high: of what was there before it was opened all that is known is
    /// how high it can have been.
    pub(super) fn trimmed(&self, subject: &Subject) -> u64 {
        self.all.get(subject).map_or(self.unread, |inbox| inbox.trimmed)
    }

    pub(super) fn entries(&self, subject: &Subject) -> Option<&VecDeque<Entry<P>>> {
        self.all.get(subject).map(|inbox| &inbox.answers)
    }

    /// From now on what is stored under this subject is an answer.
    pub(super) fn open(&mut self, subject: &Subject, owner: Producer) {
        let (answers, trimmed) = (VecDeque::new(), self.unread);
        let fresh = Inbox { owner, answers, octets: 0, trimmed, listed: 0 };
        self.all.entry(subject.clone()).or_insert(fresh).owner = owner;
        self.notes.trim(subject);
    }

    /// The inbox goes with its record. [ENG-22] [ENG-23]
    pub(super) fn close(&mut self, subject: &Subject) {
        while self.discard_oldest(subject) {}
        if let Some(inbox) = self.all.remove(subject) {
            self.unread = self.unread.max(inbox.trimmed);
            self.notes.trim(subject);
        }
    }

    /// Stores an answer, and discards what is too much for its inbox then. What is for no inbox is for nobody, and is
    /// not kept: a request [ENG-32], or an answer that comes after its producer has gone [ENG-22].
    pub(super) fn store(&mut self, s: u64, post: &Post<P>, at: Instant) {
        let Some(inbox) = self.all.get_mut(&post.subject) else {
            self.unread = s;
            return;
        };
        let subject = post.subject.clone();
        let entry = Entry { at, message: post.clone().stored(s) };
        if inbox.answers.is_empty() {
            self.queue.insert((inbox.listed, subject.clone()));
        }
        inbox.octets += entry.message.payload.octets();
        self.octets += entry.octets();
        self.places.insert(s, subject.clone());
        self.notes.store(at, &entry.message);
        inbox.answers.push_back(entry);
        while self.all.get(&subject).is_some_and(Inbox::is_over) {
            self.discard_oldest(&subject);
        }
    }

    /// What is remembered of an inbox.
    pub(super) fn remembered(&self, subject: &Subject) -> Option<u64> {
        self.all.get(subject).map(|inbox| inbox.trimmed)
    }

    /// Takes over an inbox that was saved, of an owner who was used so; then its answers.
    pub(super) fn restore(&mut self, subject: &Subject, owner: Producer, used: u64, trimmed: u64) {
        let inbox = Inbox { owner, answers: VecDeque::new(), octets: 0, trimmed, listed: used };
        self.all.insert(subject.clone(), inbox);
    }

    /// Takes over what was discarded of an inbox.
    pub(super) fn restore_trimmed(&mut self, subject: &Subject, trimmed: u64) {
        if let Some(inbox) = self.all.get_mut(subject) {
            inbox.trimmed = trimmed;
        }
    }

    /// Takes over an answer that was saved, in ascending order.
    pub(super) fn restore_answer(&mut self, saved: SavedMessage<P>) {
        let SavedMessage { at, message } = saved;
        let subject = message.subject.clone();
        let Some(inbox) = self.all.get_mut(&subject) else { return };
        if inbox.answers.is_empty() {
            self.queue.insert((inbox.listed, subject.clone()));
        }
        let entry = Entry { at, message };
        inbox.octets += entry.message.payload.octets();
        self.octets += entry.octets();
        self.places.insert(entry.message.s, subject);
        inbox.answers.push_back(entry);
    }

    /// Discards until all inboxes together are within their bound, but never the newest answer of all.
    /// `used` says which use of any record the last one of a producer was.
    pub(super) fn relieve(&mut self, used: impl Fn(&Producer) -> u64) {
        while self.octets > self.octets_max {
            let Some(subject) = self.least_recent(&used) else { return };
            self.discard_oldest(&subject);
        }
    }

    fn least_recent(&mut self, used: impl Fn(&Producer) -> u64) -> Option<Subject> {
        let newest = self.places.last_key_value().map(|(s, _)| *s);
        loop {
            let holds_another = |subject: &Subject| {
                let oldest = self.all.get(subject).and_then(|inbox| inbox.answers.front());
                oldest.is_some_and(|entry| Some(entry.message.s) != newest)
            };
            let (listed, subject) = self.queue.iter().find(|(_, subject)| holds_another(subject))?.clone();
            let inbox = self.all.get_mut(&subject)?;
            let used = used(&inbox.owner);
            if used == listed {
                return Some(subject);
            }
            inbox.listed = used;
            self.queue.remove(&(listed, subject.clone()));
            self.queue.insert((used, subject));
        }
    }

    /// When the next answer is due to go.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let (_, subject) = self.places.first_key_value()?;
        Some(self.all.get(subject)?.answers.front()?.at + INBOX_AGE_MAX)
    }

    pub(super) fn expire(&mut self, now: Instant) {
        while self.deadline().is_some_and(|due| due <= now) {
            let Some((_, subject)) = self.places.first_key_value() else { return };
            let subject = subject.clone();
            self.discard_oldest(&subject);
        }
    }

    /// Whether there was one.
    fn discard_oldest(&mut self, subject: &Subject) -> bool {
        let Some(inbox) = self.all.get_mut(subject) else { return false };
        let Some(entry) = inbox.answers.pop_front() else { return false };
        inbox.octets -= entry.message.payload.octets();
        inbox.trimmed = entry.message.s;
        self.octets -= entry.octets();
        self.places.remove(&entry.message.s);
        self.notes.discard(entry.message.s, subject);
        if inbox.answers.is_empty() {
            self.queue.remove(&(inbox.listed, subject.clone()));
        }
        true
    }
}

impl<P> Inbox<P> {
    fn is_over(&self) -> bool {
        let long = self.octets > INBOX_OCTETS_MAX && self.answers.len() > 1;
        long || self.answers.len() > INBOX_ANSWERS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Producers come and go without end.
    #[test]
    fn nothing_is_left_of_an_inbox_that_has_gone() {
        let mut inboxes = Inboxes::new(u64::MAX);
        let payload: Arc<[u8]> = Arc::from(&b"answer"[..]);
        let now = Instant::default();
        for id in 0..9u8 {
            let subject = Subject::from(format!("_{id}").as_str());
            inboxes.open(&subject, Producer([id; 16]));
            inboxes.store(u64::from(id) + 1, &Post::new(subject.clone(), payload.clone()), now);
            match id % 3 {
                0 => inboxes.close(&subject),
                1 => inboxes.relieve(|_| 7),
                _ => inboxes.expire(now + INBOX_AGE_MAX),
            }
            inboxes.close(&subject);
        }
        assert!(inboxes.all.is_empty() && inboxes.places.is_empty() && inboxes.queue.is_empty());
        assert_eq!((inboxes.octets, inboxes.unread), (0, 9));
    }
}
