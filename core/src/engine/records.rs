//! The producers' records: who may write, under which link, and how far each has come.

use std::collections::{BTreeMap, BTreeSet};

use super::saved::SavedRecord;
use super::{Claim, Fence, Identity, Producer, RefusalAnswer, RefusalCode, Refused, Subject};
use crate::mutant::mutant;
use crate::time::{Duration, Instant};

/// How long a record lives unused. Long enough for a holiday; what comes back later is told that it is unknown.
pub const RECORD_AGE_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// A record that was used so recently goes for nobody else's sake: nodes refresh that of a living link three times as
/// often, so it would be a living link that is fenced.
pub const RECORD_IN_USE: Duration = Duration::from_secs(60 * 60);
/// How many records one identity has by default: more open pages than anybody keeps, few enough that one identity
/// cannot fill the server.
pub const RECORDS_PER_IDENTITY_MAX: usize = 1000;
/// How many refusals of a producer are kept until its client has let them go.
pub const REFUSALS_MAX: usize = 256;

/// The caps over all records.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordCaps {
    pub(super) records_max: usize,
    pub(super) anonymous_max: usize,
    pub(super) per_identity_max: usize,
    pub(super) refusals_max: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Record {
    identity: Identity,
    inbox: Subject,
    link: u64,
    born: u64,
    pub(super) mark: u64,
    floor: u64,
    refusals: BTreeMap<u64, RefusalCode>,
    used_at: Instant,
    /// Which use of any record the last one was, for the clock is too coarse to order them.
    used: u64,
    /// The use and its time under which the books list it: the last one, or an earlier one.
    listed: u64,
    listed_at: Instant,
}

impl Record {
    pub(super) fn refusals(&self) -> Vec<Refused> {
        self.refusals.iter().map(|(n, code)| (*n, code.clone())).collect()
    }

    /// Raises the floor and answers how many refusals that has freed.
    fn release(&mut self, oldest: u64) -> usize {
        let kept = self.refusals.len();
        self.floor = self.floor.max(oldest);
        while self.refusals.first_key_value().is_some_and(|(n, _)| *n < self.floor) {
            self.refusals.pop_first();
        }
        kept - self.refusals.len()
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum ClaimVerdict {
    Claimed { mark: u64, born: u64, refusals: Vec<Refused>, created: bool },
    Unknown,
    Fenced,
    Full,
}

/// Records by their use, the least recent first.
type Queue = BTreeMap<u64, Producer>;

/// All records, and the books by which it is found which of them goes.
///
/// A use changes no book: a record is moved when it has come to the front of a queue by a use that was not its last.
/// So appending, which happens all the time, pays nothing for evicting, which hardly ever does.
#[derive(Clone, Debug)]
pub(super) struct Records {
    caps: RecordCaps,
    all: BTreeMap<Producer, Record>,
    anonymous: Queue,
    named: Queue,
    of: BTreeMap<Identity, Queue>,
    /// Those that have refusals, or had some until their last use: when there are too many, innocent records must not go
    /// for them.
    refusing: Queue,
    refusals: usize,
    uses: u64,
    /// The inboxes of records that have gone, until the log has been told.
    orphans: Vec<Subject>,
    /// The records that have changed, if anybody wants to know.
    pub(super) changed: Option<BTreeSet<Producer>>,
}

impl Records {
    pub(super) fn new(caps: RecordCaps) -> Self {
        let records_max = caps.records_max.max(1);
        let caps = RecordCaps {
            records_max,
            // Below the whole, so that anonymous clients, all of them in use, leave others a place.
            anonymous_max: caps.anonymous_max.min(records_max - 1).max(1),
            per_identity_max: caps.per_identity_max.max(1),
            // A single record may fill up, or its refusals could be refused for ever.
            refusals_max: caps.refusals_max.max(REFUSALS_MAX),
        };
        Self {
            caps,
            all: BTreeMap::new(),
            anonymous: Queue::new(),
            named: Queue::new(),
            of: BTreeMap::new(),
            refusing: Queue::new(),
            refusals: 0,
            uses: 0,
            orphans: Vec::new(),
            changed: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn identities(&self) -> usize {
        self.of.len()
    }

    pub(super) fn refusals(&self) -> usize {
        self.refusals
    }

    /// Which use of any record this producer's last one was.
    pub(super) fn used(&self, producer: &Producer) -> u64 {
        self.all.get(producer).map_or(0, |record| record.used)
    }

    pub(super) fn take_orphans(&mut self) -> Vec<Subject> {
        core::mem::take(&mut self.orphans)
    }

    /// [ENG-7] to [ENG-12], in that order [ENG-13].
    pub(super) fn claim(&mut self, claim: &Claim, now: Instant) -> ClaimVerdict {
        let Some(record) = self.all.get_mut(&claim.producer) else { return self.create(claim, now) };
        if claim.born.is_some_and(|born| born != record.born) {
            return ClaimVerdict::Unknown;
        }
        let foreign = record.identity != claim.identity;
        if foreign && (record.mark > 0 || claim.written > 0) {
            return ClaimVerdict::Unknown;
        }
        if record.link >= claim.link {
            return ClaimVerdict::Fenced;
        }
        let known = claim.oldest >= record.floor
            && record.mark >= claim.oldest.saturating_sub(1)
            && record.mark <= claim.written;
        if !known {
            // The client goes on under another producer, and nothing may be stored under this one behind its back.
            record.link = claim.link;
            self.note(&claim.producer);
            return ClaimVerdict::Unknown;
        }
        if foreign && !self.bind(&claim.producer, &claim.identity, now) {
            return ClaimVerdict::Full;
        }
        let Some(record) = self.all.get_mut(&claim.producer) else { return ClaimVerdict::Unknown };
        record.link = claim.link;
        let fence = (&claim.producer, claim.link, claim.oldest);
        let Some(record) = self.enter(fence, now) else { return ClaimVerdict::Unknown };
        let (mark, born, refusals) = (record.mark, record.born, record.refusals());
        ClaimVerdict::Claimed { mark, born, refusals, created: false }
    }

    /// [ENG-7] [ENG-8]
    fn create(&mut self, claim: &Claim, now: Instant) -> ClaimVerdict {
        if claim.written > 0 {
            return ClaimVerdict::Unknown;
        }
        if !self.make_room(&claim.identity, None, now) {
            return ClaimVerdict::Full;
        }
        self.uses += 1;
        let born = claim.link;
        let record = Record {
            identity: claim.identity.clone(),
            inbox: claim.inbox.clone(),
            link: claim.link,
            born,
            mark: 0,
            floor: 1,
            refusals: BTreeMap::new(),
            used_at: now,
            used: self.uses,
            listed: self.uses,
            listed_at: now,
        };
        self.all.insert(claim.producer, record);
        self.list(&claim.producer);
        self.note(&claim.producer);
        ClaimVerdict::Claimed { mark: 0, born, refusals: Vec::new(), created: true }
    }

    /// Binds a record to another identity, for which it counts from now on, if that has a place for it. [ENG-22]
    fn bind(&mut self, producer: &Producer, identity: &Identity, now: Instant) -> bool {
        let before = self.all.get(producer).map(|record| record.identity.clone());
        if !self.make_room(identity, before.as_ref(), now) {
            return false;
        }
        self.unlist(producer);
        if let Some(record) = self.all.get_mut(producer) {
            record.identity = identity.clone();
        }
        self.list(producer);
        true
    }

    /// The record under a fence, if that holds [ENG-14], used, and after the release that it carries [ENG-15].
    pub(super) fn under(&mut self, fence: &Fence, now: Instant) -> Option<&mut Record> {
        self.enter((&fence.producer, fence.link, fence.oldest), now)
    }

    fn enter(
        &mut self,
        (producer, link, oldest): (&Producer, u64, u64),
        now: Instant,
    ) -> Option<&mut Record> {
        if let Some(changed) = &mut self.changed {
            changed.insert(*producer);
        }
        let record = self.all.get_mut(producer).filter(|record| record.link == link || mutant!(NoFence))?;
        self.uses += 1;
        record.used = self.uses;
        record.used_at = now;
        self.refusals -= record.release(oldest.min(record.mark + 1));
        Some(record)
    }

    /// [ENG-19]
    pub(super) fn refuse(
        &mut self,
        fence: &Fence,
        n: u64,
        code: &RefusalCode,
        now: Instant,
    ) -> RefusalAnswer {
        let Some(record) = self.under(fence, now) else { return RefusalAnswer::Fenced };
        let mark = record.mark;
        if n > mark + 1 {
            return RefusalAnswer::Gap { mark };
        }
        if n <= mark {
            return RefusalAnswer::Duplicate { mark, refusals: record.refusals() };
        }
        if record.refusals.len() >= REFUSALS_MAX {
            return RefusalAnswer::Full { mark };
        }
        record.refusals.insert(n, code.clone());
        record.mark = n;
        let listed = record.listed;
        self.refusing.insert(listed, fence.producer);
        self.refusals += 1;
        while self.refusals > self.caps.refusals_max {
            // This one was used last, and cannot be too many by itself: it is another that goes.
            let Some(goes) = self.least_recent(|it| first(&it.refusing)) else { break };
            self.remove(&goes);
        }
        RefusalAnswer::Refused { mark: n }
    }

    pub(super) fn remove(&mut self, producer: &Producer) {
        self.unlist(producer);
        self.note(producer);
        if let Some(record) = self.all.remove(producer) {
            self.refusals -= record.refusals.len();
            self.orphans.push(record.inbox);
        }
    }

    fn note(&mut self, producer: &Producer) {
        if let Some(changed) = &mut self.changed {
            changed.insert(*producer);
        }
    }

    /// A record, to be saved.
    pub(super) fn saved(&self, producer: &Producer) -> Option<SavedRecord> {
        self.all.get(producer).map(|record| SavedRecord {
            identity: record.identity.clone(),
            inbox: record.inbox.clone(),
            link: record.link,
            born: record.born,
            mark: record.mark,
            floor: record.floor,
            refusals: record.refusals(),
            used_at: record.used_at,
            used: record.used,
        })
    }

    /// How often a record has been used.
    pub(super) fn uses(&self) -> u64 {
        self.uses
    }

    /// Takes over records that were saved.
    pub(super) fn restore(&mut self, records: Vec<(Producer, SavedRecord)>, uses: u64) {
        self.uses = uses;
        for (producer, saved) in records {
            let SavedRecord { identity, inbox, link, born, mark, floor, refusals, used_at, used } = saved;
            self.refusals += refusals.len();
            let refusals = refusals.into_iter().collect();
            let (listed, listed_at) = (used, used_at);
            let record = Record {
                identity,
                inbox,
                link,
                born,
                mark,
                floor,
                refusals,
                used_at,
                used,
                listed,
                listed_at,
            };
            self.all.insert(producer, record);
            self.list(&producer);
        }
    }

    /// Not later than when the next record is due to go; earlier, if it has been used since it was last looked at.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let fronts = [self.anonymous.values().next(), self.named.values().next()];
        let listed = fronts.into_iter().flatten().filter_map(|producer| self.all.get(producer));
        listed.map(|record| record.listed_at + RECORD_AGE_MAX).min()
    }

    pub(super) fn expire(&mut self, now: Instant) {
        for queue in [|it: &Self| first(&it.anonymous), |it: &Self| first(&it.named)] {
            while let Some(idlest) = self.unused_for(RECORD_AGE_MAX, queue, now) {
                self.remove(&idlest);
            }
        }
    }

    /// Lets the least recently used record under a cap go, if a record of this identity needs its place; false if that
    /// one is in use. [LIM-19] [ENG-22]
    fn make_room(&mut self, identity: &Identity, bound_before: Option<&Identity>, now: Instant) -> bool {
        let own = |it: &Self| it.of.get(identity).and_then(first);
        let anonymous = |it: &Self| first(&it.anonymous);
        let named = |it: &Self| first(&it.named);
        let more_anonymous = identity.anonymous && !bound_before.is_some_and(|before| before.anonymous);
        let goes = if self.of.get(identity).map_or(0, Queue::len) >= self.caps.per_identity_max {
            self.unused_for(RECORD_IN_USE, own, now)
        } else if more_anonymous && self.anonymous.len() >= self.caps.anonymous_max {
            self.unused_for(RECORD_IN_USE, anonymous, now)
        } else if bound_before.is_none() && self.all.len() >= self.caps.records_max {
            self.unused_for(RECORD_IN_USE, anonymous, now)
                .or_else(|| self.unused_for(RECORD_IN_USE, named, now))
        } else {
            return true;
        };
        if let Some(goes) = goes {
            self.remove(&goes);
        }
        goes.is_some()
    }

    /// The least recently used record of a queue, if it has been unused for so long.
    fn unused_for(
        &mut self,
        age: Duration,
        front: impl Fn(&Self) -> Option<(u64, Producer)>,
        now: Instant,
    ) -> Option<Producer> {
        let producer = self.least_recent(front)?;
        self.all.get(&producer).filter(|record| now.since(record.used_at) >= age).map(|_| producer)
    }

    /// What comes first in a queue once everything that was used since it was listed has been moved.
    fn least_recent(&mut self, front: impl Fn(&Self) -> Option<(u64, Producer)>) -> Option<Producer> {
        loop {
            let (listed, producer) = front(self)?;
            if self.used(&producer) == listed {
                return Some(producer);
            }
            self.unlist(&producer);
            let record = self.all.get_mut(&producer)?;
            (record.listed, record.listed_at) = (record.used, record.used_at);
            self.list(&producer);
        }
    }

    fn list(&mut self, producer: &Producer) {
        let Some(record) = self.all.get(producer) else { return };
        let listed = record.listed;
        if record.identity.anonymous { &mut self.anonymous } else { &mut self.named }
            .insert(listed, *producer);
        self.of.entry(record.identity.clone()).or_default().insert(listed, *producer);
        if !record.refusals.is_empty() {
            self.refusing.insert(listed, *producer);
        }
    }

    fn unlist(&mut self, producer: &Producer) {
        let Some(record) = self.all.get(producer) else { return };
        let listed = record.listed;
        if record.identity.anonymous { &mut self.anonymous } else { &mut self.named }.remove(&listed);
        self.refusing.remove(&listed);
        if let Some(queue) = self.of.get_mut(&record.identity) {
            queue.remove(&listed);
            if queue.is_empty() {
                self.of.remove(&record.identity);
            }
        }
    }
}

fn first(queue: &Queue) -> Option<(u64, Producer)> {
    queue.first_key_value().map(|(listed, producer)| (*listed, *producer))
}
