//! What of a [`super::Memory`] must be kept elsewhere, so that it can be made again after a crash.

use std::collections::{BTreeMap, BTreeSet};

use super::{Identity, Message, Producer, Refused, Subject};
use crate::time::Instant;

/// A stored message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedMessage<P> {
    /// When it was stored.
    pub at: Instant,
    /// It.
    pub message: Message<P>,
}

/// A producer's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedRecord {
    /// Whom it is bound to.
    pub identity: Identity,
    /// The name of its inbox.
    pub inbox: Subject,
    /// The link that may write.
    pub link: u64,
    /// The link whose claim made the record.
    pub born: u64,
    /// The highest number that is settled.
    pub mark: u64,
    /// The lowest number that has not been let go.
    pub floor: u64,
    /// What was refused from `floor` on.
    pub refusals: Vec<Refused>,
    /// When it was used last.
    pub used_at: Instant,
    /// Which use of any record that was.
    pub used: u64,
}

/// What the whole log counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The highest number that was given.
    pub head: u64,
    /// The highest number discarded of any subject that is no longer remembered.
    pub forgotten: u64,
    /// The highest number that was in an inbox that has gone, or was stored for nobody.
    pub unread: u64,
    /// How often a record has been used.
    pub uses: u64,
    /// `limits.message`.
    pub message_octets_max: u32,
    /// The latest time that any call has brought.
    pub now: Instant,
}

/// What has changed since the last time: to be written as a whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes<P> {
    /// Messages that were stored. Some may be among the discarded, too.
    pub stored: Vec<SavedMessage<P>>,
    /// Numbers of messages that are no longer kept.
    pub discarded: Vec<u64>,
    /// Records as they are now; `None`: gone.
    pub records: BTreeMap<Producer, Option<SavedRecord>>,
    /// What has been discarded of a subject, by its highest number; `None`: that is no longer remembered of it alone.
    pub trimmed: BTreeMap<Subject, Option<u64>>,
    /// What is counted.
    pub marks: Marks,
}

impl<P> Changes<P> {
    /// Whether nothing of it need outlive a crash: only counts have moved, if anything.
    pub fn is_empty(&self) -> bool {
        self.stored.is_empty()
            && self.discarded.is_empty()
            && self.records.is_empty()
            && self.trimmed.is_empty()
    }
}

/// All changes together, as they were read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved<P> {
    /// Messages that are kept, ascending.
    pub messages: Vec<SavedMessage<P>>,
    /// Records.
    pub records: Vec<(Producer, SavedRecord)>,
    /// What has been discarded, by subject.
    pub trimmed: Vec<(Subject, u64)>,
    /// What is counted.
    pub marks: Marks,
}

/// What has changed in one part of the log, if anybody wants to know.
#[derive(Clone, Debug)]
pub(super) struct Notes<P> {
    pub(super) on: bool,
    pub(super) stored: Vec<SavedMessage<P>>,
    pub(super) discarded: Vec<u64>,
    pub(super) trimmed: BTreeSet<Subject>,
}

impl<P: Clone> Notes<P> {
    pub(super) fn new() -> Self {
        Self { on: false, stored: Vec::new(), discarded: Vec::new(), trimmed: BTreeSet::new() }
    }

    pub(super) fn store(&mut self, at: Instant, message: &Message<P>) {
        if self.on {
            self.stored.push(SavedMessage { at, message: message.clone() });
        }
    }

    pub(super) fn discard(&mut self, s: u64, subject: &Subject) {
        if self.on {
            self.discarded.push(s);
            self.trim(subject);
        }
    }

    /// What is known of a subject's past has changed.
    pub(super) fn trim(&mut self, subject: &Subject) {
        if self.on && !self.trimmed.contains(subject) {
            self.trimmed.insert(subject.clone());
        }
    }
}
