//! What an engine must answer, written to be obviously right and nothing else: everything that ever happened stays in
//! two vectors, and every question walks through all of it.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use everwire_core::engine::*;
use everwire_core::{Duration, Instant};

use crate::engine_common::Body;

#[derive(Clone, Debug)]
pub enum Verdict {
    Stored(u64),
    Refused(RefusalCode),
}

#[derive(Clone, Debug)]
pub struct Record {
    pub producer: Producer,
    pub identity: Identity,
    pub inbox: Subject,
    pub link: u64,
    pub born: u64,
    pub floor: u64,
    /// One verdict a number, from 1 on: the mark is how many there are.
    pub verdicts: Vec<Verdict>,
    pub used_at: Instant,
    pub used: u64,
    pub life: u64,
}

impl Record {
    pub fn mark(&self) -> u64 {
        self.verdicts.len() as u64
    }

    pub fn refusals(&self) -> Vec<Refused> {
        let numbered = (1..).zip(&self.verdicts);
        let kept = numbered.filter(|(n, _)| *n >= self.floor);
        kept.filter_map(|(n, it)| match it {
            Verdict::Refused(code) => Some((n, code.clone())),
            Verdict::Stored(_) => None,
        })
        .collect()
    }
}

#[derive(Clone, Debug)]
pub struct Stored {
    pub s: u64,
    pub at: Instant,
    pub subject: Subject,
    pub body: Body,
    pub tag: Option<u64>,
    pub answer: bool,
    pub gone: bool,
}

impl Stored {
    fn octets(&self) -> u64 {
        self.body.octets + STORED_OVERHEAD_OCTETS
    }
}

pub struct Model {
    pub config: MemoryConfig,
    pub epoch: LogEpoch,
    pub now: Instant,
    pub records: Vec<Record>,
    pub log: Vec<Stored>,
    /// With the time of each.
    pub casts: Vec<(Instant, Post<Body>)>,
    uses: u64,
    lives: u64,
}

impl Model {
    pub fn new(config: MemoryConfig, epoch: LogEpoch) -> Self {
        let (records, log, casts) = (Vec::new(), Vec::new(), Vec::new());
        Self { config, epoch, now: Instant::default(), records, log, casts, uses: 0, lives: 0 }
    }

    pub fn restart(&mut self, epoch: LogEpoch) {
        self.epoch = epoch;
        self.records.clear();
        self.log.clear();
        // Cursors go on counting, but nothing of the old log reaches them.
        self.casts.iter_mut().for_each(|(at, _)| *at = Instant::default());
    }

    pub fn record(&self, producer: Producer) -> Option<&Record> {
        self.records.iter().find(|record| record.producer == producer)
    }

    pub fn head(&self) -> u64 {
        self.log.len() as u64
    }

    pub fn trimmed(&self, subject: &Subject) -> u64 {
        self.log.iter().filter(|it| it.gone && it.subject == *subject).map(|it| it.s).max().unwrap_or(0)
    }

    pub fn alive(&self) -> impl Iterator<Item = &Stored> {
        self.log.iter().filter(|it| !it.gone)
    }

    pub fn time(&mut self, now: Instant) {
        self.now = self.now.max(now);
        let now = self.now;
        for it in &mut self.log {
            let age_max = if it.answer { INBOX_AGE_MAX } else { self.config.age_max };
            it.gone |= now.since(it.at) >= age_max;
        }
        while let Some(at) = self.records.iter().position(|it| now.since(it.used_at) >= RECORD_AGE_MAX) {
            self.remove(at);
        }
    }

    pub fn forget(&mut self, producer: Producer) {
        if let Some(at) = self.records.iter().position(|it| it.producer == producer) {
            self.remove(at);
        }
    }

    fn remove(&mut self, at: usize) {
        let record = self.records.remove(at);
        self.log.iter_mut().filter(|it| it.subject == record.inbox).for_each(|it| it.gone = true);
    }

    /// The one that goes first among some: anonymous before named, unused before used, the least recently used.
    fn first_to_go(&self, among: impl Fn(&Record) -> bool) -> Option<usize> {
        let candidates = (0..self.records.len()).filter(|at| among(&self.records[*at]));
        candidates.min_by_key(|at| {
            let record = &self.records[*at];
            (!record.identity.anonymous, record.mark() > 0, record.used)
        })
    }

    fn make_room(&mut self, identity: &Identity) {
        while self.records.iter().filter(|it| it.identity == *identity).count()
            >= self.config.records_per_identity_max
        {
            self.remove(self.first_to_go(|it| it.identity == *identity).unwrap());
        }
        while self.records.len() >= self.config.records_max {
            self.remove(self.first_to_go(|_| true).unwrap());
        }
    }

    pub fn claim(&mut self, claim: &Claim) -> Claimed {
        self.uses += 1;
        let found = self.records.iter().position(|it| it.producer == claim.producer);
        let (mark, born, refusals) = match found {
            None if claim.written > 0 => return Claimed::Unknown,
            None => {
                self.make_room(&claim.identity);
                self.lives += 1;
                self.records.push(Record {
                    producer: claim.producer,
                    identity: claim.identity.clone(),
                    inbox: claim.inbox.clone(),
                    link: claim.link,
                    born: claim.link,
                    floor: 1,
                    verdicts: Vec::new(),
                    used_at: self.now,
                    used: self.uses,
                    life: self.lives,
                });
                (0, claim.link, Vec::new())
            }
            Some(at) => {
                let record = &self.records[at];
                let mark = record.mark();
                if claim.born.is_some_and(|born| born != record.born) {
                    return Claimed::Unknown;
                }
                if record.identity != claim.identity && !(mark == 0 && claim.written == 0) {
                    return Claimed::Unknown;
                }
                if record.link >= claim.link {
                    return Claimed::Fenced;
                }
                if mark + 1 < claim.oldest || mark > claim.written || claim.oldest < record.floor {
                    return Claimed::Unknown;
                }
                let mut record = self.records.remove(at);
                self.make_room(&claim.identity);
                record.identity = claim.identity.clone();
                record.link = claim.link;
                record.floor = claim.oldest;
                (record.used_at, record.used) = (self.now, self.uses);
                let (born, refusals) = (record.born, record.refusals());
                self.records.push(record);
                (mark, born, refusals)
            }
        };
        let (epoch, head, durable) = (self.epoch.clone(), self.head(), self.config.durable);
        let limit = self.config.message_octets_max;
        Claimed::Claimed { mark, born, refusals, epoch, head, durable, limit }
    }

    /// The record under a fence that holds, used and released.
    fn under(&mut self, fence: &Fence) -> Option<&mut Record> {
        self.uses += 1;
        let (now, uses) = (self.now, self.uses);
        let mut records = self.records.iter_mut();
        let record = records.find(|it| it.producer == fence.producer && it.link == fence.link)?;
        (record.used_at, record.used) = (now, uses);
        record.floor = record.floor.max(fence.oldest.min(record.mark() + 1));
        Some(record)
    }

    pub fn append(&mut self, fence: &Fence, n: u64, batch: &[Post<Body>]) -> Appended {
        let Some(record) = self.under(fence) else { return Appended::Fenced };
        let (mark, refusals) = (record.mark(), record.refusals());
        if batch.is_empty() {
            return Appended::Duplicate { mark, refusals };
        }
        if n > mark + 1 {
            return Appended::Gap { mark };
        }
        let fresh: Vec<_> = (n..).zip(batch).filter(|(n, _)| *n > mark).map(|(_, post)| post).collect();
        if fresh.is_empty() {
            return Appended::Duplicate { mark, refusals };
        }
        let mut numbers = Vec::new();
        for post in fresh {
            if !self.has_room(post) {
                let mark = self.record(fence.producer).unwrap().mark();
                return Appended::Full { mark, numbers };
            }
            let s = self.store(post);
            numbers.push(s);
            let record = self.records.iter_mut().find(|it| it.producer == fence.producer).unwrap();
            record.verdicts.push(Verdict::Stored(s));
        }
        Appended::Stored { mark: self.record(fence.producer).unwrap().mark(), numbers }
    }

    fn fits(&self, messages: &[&Stored]) -> bool {
        messages.len() <= self.config.messages_max
            && messages.iter().map(|it| it.octets()).sum::<u64>() <= self.config.octets_max
    }

    fn is_inbox(&self, subject: &Subject) -> bool {
        self.records.iter().any(|record| record.inbox == *subject)
    }

    fn fresh(&self, post: &Post<Body>) -> Stored {
        Stored {
            s: self.head() + 1,
            at: self.now,
            subject: post.subject.clone(),
            body: post.payload.clone(),
            tag: post.tag,
            answer: self.is_inbox(&post.subject),
            gone: false,
        }
    }

    /// Whether what would have to go for this message is all old enough.
    fn has_room(&self, post: &Post<Body>) -> bool {
        let fresh = self.fresh(post);
        if fresh.answer || self.config.age_min == Duration::ZERO {
            return true;
        }
        let mut kept: Vec<_> = self.alive().filter(|it| !it.answer).collect();
        kept.push(&fresh);
        while kept.len() > 1 && !self.fits(&kept) {
            if self.now.since(kept.remove(0).at) < self.config.age_min {
                return false;
            }
        }
        true
    }

    fn store(&mut self, post: &Post<Body>) -> u64 {
        let fresh = self.fresh(post);
        let (s, answer) = (fresh.s, fresh.answer);
        self.log.push(fresh);
        loop {
            let kept: Vec<_> = self.alive().filter(|it| it.answer == answer).collect();
            let lane: Vec<_> = self.alive().filter(|it| it.subject == post.subject).collect();
            let octets = |of: &[&Stored]| of.iter().map(|it| it.octets()).sum::<u64>();
            let lane_is_over =
                lane.len() > INBOX_ANSWERS_MAX || (lane.len() > 1 && octets(&lane) > INBOX_OCTETS_MAX);
            let goes = if answer && lane_is_over {
                lane[0].s
            } else if answer && kept.len() > 1 && octets(&kept) > self.config.inbox_octets_max
                || !answer && kept.len() > 1 && !self.fits(&kept)
            {
                kept[0].s
            } else {
                return s;
            };
            self.log[goes as usize - 1].gone = true;
        }
    }

    pub fn refuse(&mut self, fence: &Fence, n: u64, code: &RefusalCode) -> RefusalAnswer {
        let Some(record) = self.under(fence) else { return RefusalAnswer::Fenced };
        let (mark, refusals) = (record.mark(), record.refusals());
        if n > mark + 1 {
            return RefusalAnswer::Gap { mark };
        }
        if n <= mark {
            return RefusalAnswer::Duplicate { mark, refusals };
        }
        if refusals.len() >= REFUSALS_MAX {
            return RefusalAnswer::Full { mark };
        }
        record.verdicts.push(Verdict::Refused(code.clone()));
        while self.refusals() > self.config.refusals_max {
            let others = |it: &Record| it.producer != fence.producer && !it.refusals().is_empty();
            self.remove(self.first_to_go(others).unwrap());
        }
        RefusalAnswer::Refused { mark: mark + 1 }
    }

    pub fn refusals(&self) -> usize {
        self.records.iter().map(|it| it.refusals().len()).sum()
    }

    pub fn read(&self, filter: &Filter, span: Span, limit: usize, direction: Direction) -> Read<Body> {
        let head = self.head();
        if span.after > head {
            return Read::Behind { head };
        }
        let missing = filter.iter().filter(|(it, from)| self.trimmed(it) > span.after.max(*from));
        let missing: Vec<_> = missing.map(|(subject, _)| subject.clone()).collect();
        let upwards = direction == Direction::Upwards;
        if upwards && !missing.is_empty() {
            return Read::Trimmed(missing);
        }
        let mut upto = span.after.max(head.min(span.before.saturating_sub(1)));
        let reach = missing.iter().map(|subject| self.trimmed(subject)).max().unwrap_or(0);
        let mut after = upto.min(span.after.max(reach));
        let mut inside: Vec<_> = self
            .alive()
            .filter(|it| it.s > after && it.s <= upto)
            .filter(|it| filter.from(&it.subject).is_some_and(|from| it.s > from))
            .map(|it| Message { s: it.s, subject: it.subject.clone(), payload: it.body.clone(), tag: it.tag })
            .collect();
        let more = inside.len() > limit;
        if more && upwards {
            upto = inside[limit].s - 1;
            inside.truncate(limit);
        } else if more {
            let left_out = inside.len() - limit;
            after = inside[left_out - 1].s;
            inside.drain(..left_out);
        }
        Read::Interval(Interval { after, upto, messages: inside, more })
    }

    /// The casts from this one on that are still young.
    pub fn casts_since(&self, seen: usize, filter: &Filter) -> Vec<Post<Body>> {
        let fresh = self.casts[seen..].iter().filter(|(at, _)| self.now.since(*at) < CAST_AGE_MAX);
        fresh.filter(|(_, it)| filter.from(&it.subject).is_some()).map(|(_, it)| it.clone()).collect()
    }
}
