//! The producers' records: who may write, under which link, and how far each has come.

use std::collections::BTreeMap;

use super::{Claim, Fence, Identity, Producer, RefusalCode, Refused, Subject};
use crate::time::{Duration, Instant};

/// How long a record lives unused. Long enough for a holiday; what comes back later is told that it is unknown.
pub const RECORD_AGE_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How many records one identity has by default: more open pages than anybody keeps, few enough that one identity
/// cannot fill the server.
pub const RECORDS_PER_IDENTITY_MAX: usize = 1000;
/// How many refusals of a producer are kept until its client has let them go.
pub const REFUSALS_MAX: usize = 256;

/// The caps over all records.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordCaps {
    pub(super) records_max: usize,
    pub(super) per_identity_max: usize,
    pub(super) refusals_max: usize,
}

#[derive(Debug)]
pub(super) struct Record {
    identity: Identity,
    inbox: Subject,
    link: u64,
    born: u64,
    pub(super) mark: u64,
    floor: u64,
    refusals: BTreeMap<u64, RefusalCode>,
    used_at: Instant,
    /// Which use of any record this was, for the clock is too coarse to order them.
    used: u64,
}

/// Where a record stands among those that have to go: the lowest goes first.
type Place = (u8, u64);

impl Record {
    /// [ENG-22]
    fn place(&self) -> Place {
        let rank = 2 * u8::from(!self.identity.anonymous) + u8::from(self.mark > 0);
        (rank, self.used)
    }

    fn release(&mut self, oldest: u64) {
        self.floor = self.floor.max(oldest);
        self.refusals = self.refusals.split_off(&self.floor);
    }

    pub(super) fn refusals(&self) -> Vec<Refused> {
        self.refusals.iter().map(|(n, code)| (*n, code.clone())).collect()
    }

    /// Whether there was room. [ENG-19]
    pub(super) fn refuse(&mut self, n: u64, code: &RefusalCode) -> bool {
        if self.refusals.len() >= REFUSALS_MAX {
            return false;
        }
        self.refusals.insert(n, code.clone());
        self.mark = n;
        true
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum ClaimVerdict {
    Claimed { mark: u64, born: u64, refusals: Vec<Refused>, created: bool },
    Unknown,
    Fenced,
}

#[derive(Debug)]
pub(super) struct Records {
    caps: RecordCaps,
    all: BTreeMap<Producer, Record>,
    places: BTreeMap<Place, Producer>,
    places_of: BTreeMap<Identity, BTreeMap<Place, Producer>>,
    /// Those that have refusals: when there are too many of these, innocent records must not go for them.
    refusing: BTreeMap<Place, Producer>,
    refusals: usize,
    uses: u64,
    /// The inboxes of records that have gone, until the log has been told.
    orphans: Vec<Subject>,
}

impl Records {
    pub(super) fn new(caps: RecordCaps) -> Self {
        let caps = RecordCaps {
            records_max: caps.records_max.max(1),
            per_identity_max: caps.per_identity_max.max(1),
            // A single record may fill up, or its refusals could be refused for ever.
            refusals_max: caps.refusals_max.max(REFUSALS_MAX),
        };
        Self {
            caps,
            all: BTreeMap::new(),
            places: BTreeMap::new(),
            places_of: BTreeMap::new(),
            refusing: BTreeMap::new(),
            refusals: 0,
            uses: 0,
            orphans: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn refusals(&self) -> usize {
        self.refusals
    }

    pub(super) fn take_orphans(&mut self) -> Vec<Subject> {
        core::mem::take(&mut self.orphans)
    }

    /// [ENG-7] to [ENG-12], in that order [ENG-13].
    pub(super) fn claim(&mut self, claim: &Claim, now: Instant) -> ClaimVerdict {
        let Some(record) = self.all.get(&claim.producer) else {
            if claim.written > 0 {
                return ClaimVerdict::Unknown;
            }
            let record = Record {
                identity: claim.identity.clone(),
                inbox: claim.inbox.clone(),
                link: claim.link,
                born: claim.link,
                mark: 0,
                floor: 1,
                refusals: BTreeMap::new(),
                used_at: now,
                used: 0,
            };
            self.settle_in(claim.producer, record, now);
            return ClaimVerdict::Claimed { mark: 0, born: claim.link, refusals: Vec::new(), created: true };
        };
        if claim.born.is_some_and(|born| born != record.born) {
            return ClaimVerdict::Unknown;
        }
        if record.identity != claim.identity && (record.mark > 0 || claim.written > 0) {
            return ClaimVerdict::Unknown;
        }
        if record.link >= claim.link {
            return ClaimVerdict::Fenced;
        }
        let known = claim.oldest >= record.floor
            && record.mark >= claim.oldest.saturating_sub(1)
            && record.mark <= claim.written;
        if !known {
            return ClaimVerdict::Unknown;
        }
        let Some(mut record) = self.lift(&claim.producer) else { return ClaimVerdict::Unknown };
        record.identity = claim.identity.clone();
        record.link = claim.link;
        record.release(claim.oldest);
        let (mark, born, refusals) = (record.mark, record.born, record.refusals());
        self.settle_in(claim.producer, record, now);
        ClaimVerdict::Claimed { mark, born, refusals, created: false }
    }

    /// Works on the record under a fence, if that holds [ENG-14], after the release that it carries [ENG-15].
    pub(super) fn under<R>(
        &mut self,
        fence: &Fence,
        now: Instant,
        work: impl FnOnce(&mut Record) -> R,
    ) -> Option<R> {
        if self.all.get(&fence.producer)?.link != fence.link {
            return None;
        }
        let mut record = self.lift(&fence.producer)?;
        record.release(fence.oldest.min(record.mark + 1));
        let answer = work(&mut record);
        self.put(fence.producer, record, now);
        while self.refusals > self.caps.refusals_max {
            let others = self.refusing.values().find(|producer| **producer != fence.producer);
            let Some(other) = others.copied() else { break };
            self.remove(&other);
        }
        Some(answer)
    }

    pub(super) fn remove(&mut self, producer: &Producer) {
        if let Some(record) = self.lift(producer) {
            self.orphans.push(record.inbox);
        }
    }

    /// When the next record is due to go.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.idlest().map(|producer| self.all[&producer].used_at + RECORD_AGE_MAX)
    }

    pub(super) fn expire(&mut self, now: Instant) {
        while let Some(idlest) = self.idlest() {
            if now.since(self.all[&idlest].used_at) < RECORD_AGE_MAX {
                return;
            }
            self.remove(&idlest);
        }
    }

    /// The least recently used of all: the first of one of the four ranks.
    fn idlest(&self) -> Option<Producer> {
        let firsts = (0..4u8).filter_map(|rank| self.places.range((rank, 0)..=(rank, u64::MAX)).next());
        firsts.min_by_key(|((_, used), _)| *used).map(|(_, producer)| *producer)
    }

    /// Puts a record in, for which others may have to go [LIM-19], [ENG-22].
    fn settle_in(&mut self, producer: Producer, record: Record, now: Instant) {
        while let Some(places) = self.places_of.get(&record.identity) {
            let Some((_, first)) = places.first_key_value() else { break };
            if places.len() < self.caps.per_identity_max {
                break;
            }
            let first = *first;
            self.remove(&first);
        }
        while self.all.len() >= self.caps.records_max {
            let Some((_, first)) = self.places.first_key_value() else { break };
            let first = *first;
            self.remove(&first);
        }
        self.put(producer, record, now);
    }

    /// Takes a record out of the books, to be changed and put back.
    fn lift(&mut self, producer: &Producer) -> Option<Record> {
        let record = self.all.remove(producer)?;
        let place = record.place();
        self.places.remove(&place);
        self.refusing.remove(&place);
        self.refusals -= record.refusals.len();
        if let Some(places) = self.places_of.get_mut(&record.identity) {
            places.remove(&place);
            if places.is_empty() {
                self.places_of.remove(&record.identity);
            }
        }
        Some(record)
    }

    /// Puts a record in as the most recently used one.
    fn put(&mut self, producer: Producer, mut record: Record, now: Instant) {
        self.uses += 1;
        record.used = self.uses;
        record.used_at = now;
        let place = record.place();
        self.places.insert(place, producer);
        self.places_of.entry(record.identity.clone()).or_default().insert(place, producer);
        if !record.refusals.is_empty() {
            self.refusing.insert(place, producer);
        }
        self.refusals += record.refusals.len();
        self.all.insert(producer, record);
    }
}
