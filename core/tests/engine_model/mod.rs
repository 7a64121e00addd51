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
    /// What its inbox may have lost before it was opened.
    pub before: u64,
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
    /// In an inbox.
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
    /// The highest number that was stored for nobody, or in an inbox that has gone.
    unread: u64,
    uses: u64,
    lives: u64,
}

impl Model {
    pub fn new(config: MemoryConfig, epoch: LogEpoch) -> Self {
        let (records, log, casts) = (Vec::new(), Vec::new(), Vec::new());
        Self { config, epoch, now: Instant::default(), records, log, casts, unread: 0, uses: 0, lives: 0 }
    }

    pub fn restart(&mut self, epoch: LogEpoch) {
        self.epoch = epoch;
        self.records.clear();
        self.log.clear();
        self.unread = 0;
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
        let gone = self.log.iter().filter(|it| it.gone && it.subject == *subject).map(|it| it.s).max();
        let inbox = self.records.iter().find(|record| record.inbox == *subject);
        match inbox {
            Some(record) => gone.unwrap_or(0).max(record.before),
            None if subject.as_str().starts_with('_') => self.unread,
            None => gone.unwrap_or(0),
        }
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
        for it in self.log.iter_mut().filter(|it| it.subject == record.inbox) {
            it.gone = true;
            self.unread = self.unread.max(it.s);
        }
    }

    /// The least recently used of some.
    fn least_recent(&self, among: impl Fn(&Record) -> bool) -> Option<usize> {
        let candidates = (0..self.records.len()).filter(|at| among(&self.records[*at]));
        candidates.min_by_key(|at| self.records[*at].used)
    }

    /// Lets a record go if one more of this identity is too many; false if all that could go are in use.
    fn make_room(&mut self, identity: &Identity, before: Option<&Identity>) -> bool {
        let idle = |it: &Record| self.now.since(it.used_at) >= RECORD_IN_USE;
        let count = |among: &dyn Fn(&Record) -> bool| self.records.iter().filter(|it| among(it)).count();
        let (own, anonymous) = (|it: &Record| it.identity == *identity, |it: &Record| it.identity.anonymous);
        let more_anonymous = identity.anonymous && before.is_none_or(|before| !before.anonymous);
        let anonymous_max = self.config.records_anonymous_max.min(self.config.records_max - 1).max(1);
        let goes = if count(&own) >= self.config.records_per_identity_max {
            self.least_recent(|it| own(it) && idle(it))
        } else if more_anonymous && count(&anonymous) >= anonymous_max {
            self.least_recent(|it| anonymous(it) && idle(it))
        } else if before.is_none() && self.records.len() >= self.config.records_max {
            self.least_recent(|it| anonymous(it) && idle(it)).or(self.least_recent(idle))
        } else {
            return true;
        };
        goes.map(|at| self.remove(at)).is_some()
    }

    pub fn claim(&mut self, claim: &Claim) -> Claimed {
        self.uses += 1;
        let Some(at) = self.records.iter().position(|it| it.producer == claim.producer) else {
            if claim.written > 0 {
                return Claimed::Unknown;
            }
            if !self.make_room(&claim.identity, None) {
                return Claimed::Full;
            }
            self.lives += 1;
            self.records.push(Record {
                producer: claim.producer,
                identity: claim.identity.clone(),
                inbox: claim.inbox.clone(),
                before: self.unread,
                link: claim.link,
                born: claim.link,
                floor: 1,
                verdicts: Vec::new(),
                used_at: self.now,
                used: self.uses,
                life: self.lives,
            });
            return self.claimed(claim.producer);
        };
        let record = &self.records[at];
        let (mark, before) = (record.mark(), record.identity.clone());
        if claim.born.is_some_and(|born| born != record.born) {
            return Claimed::Unknown;
        }
        if before != claim.identity && !(mark == 0 && claim.written == 0) {
            return Claimed::Unknown;
        }
        if record.link >= claim.link {
            return Claimed::Fenced;
        }
        if mark + 1 < claim.oldest || mark > claim.written || claim.oldest < record.floor {
            self.records[at].link = claim.link;
            return Claimed::Unknown;
        }
        if before != claim.identity && !self.make_room(&claim.identity, Some(&before)) {
            return Claimed::Full;
        }
        let record = self.records.iter_mut().find(|it| it.producer == claim.producer).unwrap();
        record.identity = claim.identity.clone();
        record.link = claim.link;
        record.floor = claim.oldest;
        (record.used_at, record.used) = (self.now, self.uses);
        self.claimed(claim.producer)
    }

    fn claimed(&self, producer: Producer) -> Claimed {
        let record = self.record(producer).unwrap();
        Claimed::Claimed {
            mark: record.mark(),
            born: record.born,
            refusals: record.refusals(),
            epoch: self.epoch.clone(),
            head: self.head(),
            durable: self.config.durable,
            limit: self.config.message_octets_max,
        }
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
        for post in &fresh {
            if !self.has_room(post) {
                break;
            }
            let s = self.store(post);
            numbers.push(s);
            let record = self.records.iter_mut().find(|it| it.producer == fence.producer).unwrap();
            record.verdicts.push(Verdict::Stored(s));
        }
        if !numbers.is_empty() {
            self.relieve_inboxes();
        }
        let mark = self.record(fence.producer).unwrap().mark();
        if numbers.len() == fresh.len() {
            Appended::Stored { mark, numbers }
        } else {
            Appended::Full { mark, numbers }
        }
    }

    fn fits(&self, messages: &[&Stored]) -> bool {
        messages.len() <= self.config.messages_max
            && messages.iter().map(|it| it.octets()).sum::<u64>() <= self.config.octets_max
    }

    fn is_inbox(&self, subject: &Subject) -> bool {
        self.records.iter().any(|record| record.inbox == *subject)
    }

    fn fresh(&self, post: &Post<Body>) -> Stored {
        let answer = self.is_inbox(&post.subject);
        Stored {
            s: self.head() + 1,
            at: self.now,
            subject: post.subject.clone(),
            body: post.payload.clone(),
            tag: post.tag,
            answer,
            // Nobody can read it. [ENG-32]
            gone: post.subject.as_str().starts_with('_') && !answer,
        }
    }

    /// Whether what would have to go for this message is all old enough.
    fn has_room(&self, post: &Post<Body>) -> bool {
        let fresh = self.fresh(post);
        if fresh.answer || fresh.gone || self.config.age_min == Duration::ZERO {
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
        if fresh.gone {
            self.unread = s;
        }
        self.log.push(fresh);
        loop {
            let kept: Vec<_> = self.alive().filter(|it| !it.answer).collect();
            let lane: Vec<_> = self.alive().filter(|it| it.subject == post.subject).collect();
            let octets = lane.iter().map(|it| it.body.octets).sum::<u64>();
            let over = lane.len() > INBOX_ANSWERS_MAX || octets > INBOX_OCTETS_MAX && lane.len() > 1;
            let goes = if answer && over {
                lane[0].s
            } else if kept.len() > 1 && !self.fits(&kept) {
                kept[0].s
            } else {
                return s;
            };
            self.log[goes as usize - 1].gone = true;
        }
    }

    fn relieve_inboxes(&mut self) {
        loop {
            let answers: Vec<_> = self.alive().filter(|it| it.answer).collect();
            let octets = answers.iter().map(|it| it.octets()).sum::<u64>();
            if answers.len() < 2 || octets <= self.config.inbox_octets_max {
                return;
            }
            let may_go = &answers[..answers.len() - 1];
            let holds = |record: &Record| may_go.iter().any(|it| it.subject == record.inbox);
            let inbox = &self.records[self.least_recent(holds).unwrap()].inbox;
            let goes = may_go.iter().find(|it| it.subject == *inbox).unwrap().s;
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
            self.remove(self.least_recent(others).unwrap());
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
