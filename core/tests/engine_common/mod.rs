//! A log in memory, its producers and its readers, in virtual time.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use everwire_core::engine::*;
use everwire_core::{Duration, Instant};

/// A payload that can be told from every other one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    pub id: u32,
    pub octets: u64,
}

impl Payload for Body {
    fn octets(&self) -> u64 {
        self.octets
    }
}

pub const ALL: Span = Span { after: 0, before: u64::MAX };
pub const UNLIMITED: Limit = Limit { messages: usize::MAX, octets: u64::MAX };

pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub fn producer(id: u8) -> Producer {
    Producer([id; 16])
}

pub fn inbox(id: u8) -> Subject {
    format!("_inbox.{id}").as_str().into()
}

pub fn code(code: &str) -> RefusalCode {
    code.into()
}

pub fn post(subject: &str, id: u32) -> Post<Body> {
    Post::new(subject.into(), Body { id, octets: 100 })
}

pub fn posts(subject: &str, ids: core::ops::RangeInclusive<u32>) -> Vec<Post<Body>> {
    ids.map(|id| post(subject, id)).collect()
}

pub fn filter(of: &[(&str, u64)]) -> Filter {
    of.iter().fold(Filter::new(), |filter, (subject, from)| filter.with((*subject).into(), *from))
}

pub fn ids(messages: &[Message<Body>]) -> Vec<u32> {
    messages.iter().map(|message| message.payload.id).collect()
}

pub fn numbers(messages: &[Message<Body>]) -> Vec<u64> {
    messages.iter().map(|message| message.s).collect()
}

/// The messages are everything in (after, upto]: what the test says they are.
pub fn interval(read: Read<Body>) -> (u64, u64, Vec<u64>, bool) {
    match read {
        Read::Interval(it) => (it.after, it.upto, numbers(&it.messages), it.more),
        other => panic!("no interval: {other:?}"),
    }
}

pub struct Bench {
    pub engine: Memory<Body>,
    pub epoch: LogEpoch,
    pub now: Instant,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(MemoryConfig::default())
    }

    pub fn with(config: MemoryConfig) -> Self {
        let epoch = LogEpoch::from("e1");
        Self { engine: Memory::new(config, epoch.clone()), epoch, now: Instant::default() + secs(1000) }
    }

    pub fn pass(&mut self, span: Duration) {
        self.now = self.now + span;
    }

    pub fn claim_as(&mut self, identity: Identity, id: u8, link: u64, oldest: u64, written: u64) -> Claimed {
        self.claim_born(identity, id, link, oldest, written, None)
    }

    /// A claim of one life of the record.
    pub fn claim_born(
        &mut self,
        identity: Identity,
        id: u8,
        link: u64,
        oldest: u64,
        written: u64,
        born: Option<u64>,
    ) -> Claimed {
        let (producer, inbox) = (producer(id), inbox(id));
        let claim = Claim { producer, identity, inbox, link, oldest, written, born };
        self.engine.claim(&claim, self.now).unwrap()
    }

    pub fn claim(&mut self, id: u8, link: u64, oldest: u64, written: u64) -> Claimed {
        self.claim_as(Identity::named("ann"), id, link, oldest, written)
    }

    /// A claim that is answered with this mark and these refusals.
    pub fn claimed(&mut self, id: u8, link: u64, oldest: u64, written: u64) -> (u64, Vec<u64>) {
        mark_of(self.claim(id, link, oldest, written))
    }

    pub fn fence(&self, id: u8, link: u64, oldest: u64) -> Fence {
        Fence { epoch: self.epoch.clone(), producer: producer(id), link, oldest }
    }

    pub fn append(&mut self, id: u8, link: u64, oldest: u64, n: u64, batch: &[Post<Body>]) -> Appended {
        let fence = self.fence(id, link, oldest);
        self.engine.append(&fence, n, batch, self.now).unwrap()
    }

    pub fn refuse(&mut self, id: u8, link: u64, oldest: u64, n: u64) -> RefusalAnswer {
        let fence = self.fence(id, link, oldest);
        self.engine.refuse(&fence, n, &code("forbidden"), self.now).unwrap()
    }

    /// Stores one message after another under a producer of the log's own, one a subject.
    pub fn fill(&mut self, subjects: &[&str]) -> Vec<u64> {
        let owner = Identity::named("_fill");
        if !matches!(self.claim_as(owner.clone(), 255, 1, 1, 0), Claimed::Claimed { .. }) {
            assert_eq!(self.claim_as(owner, 255, 1, 1, 0), Claimed::Fenced);
        }
        let Appended::Duplicate { mark, .. } = self.append(255, 1, 1, 0, &[]) else { panic!("fenced") };
        let batch: Vec<_> = subjects.iter().zip(mark as u32 + 1..).map(|(to, id)| post(to, id)).collect();
        match self.append(255, 1, 1, mark + 1, &batch) {
            Appended::Stored { numbers, .. } => numbers,
            other => panic!("not stored: {other:?}"),
        }
    }

    pub fn read(&mut self, filter: &Filter, span: Span, messages: usize, direction: Direction) -> Read<Body> {
        let limit = Limit { messages, octets: u64::MAX };
        self.engine.read(&self.epoch, filter, span, limit, direction, self.now).unwrap()
    }

    pub fn read_all(&mut self, filter: &Filter, after: u64) -> Read<Body> {
        self.read(filter, Span { after, before: u64::MAX }, usize::MAX, Direction::Upwards)
    }

    pub fn tail(&mut self, filter: &Filter, cursor: &mut Cursor) -> Tailed<Body> {
        self.engine.tail(&self.epoch, filter, cursor, UNLIMITED, self.now).unwrap()
    }

    /// One look: the interval, its messages, and the casts.
    pub fn look(&mut self, filter: &Filter, cursor: &mut Cursor) -> (u64, u64, Vec<u64>, Vec<u32>) {
        match self.tail(filter, cursor) {
            Tailed::Step { interval, casts } => {
                let casts = casts.iter().map(|cast| cast.payload.id).collect();
                (interval.after, interval.upto, numbers(&interval.messages), casts)
            }
            other => panic!("no step: {other:?}"),
        }
    }

    pub fn trimmed(&mut self, subject: &str) -> u64 {
        let answer = self.engine.trimmed(&self.epoch, &filter(&[(subject, 0)]), self.now).unwrap();
        assert_eq!(answer.len(), 1);
        answer[0].1
    }

    pub fn head(&mut self) -> u64 {
        interval(self.read_all(&Filter::new(), 0)).1
    }

    pub fn publish(&mut self, subject: &str, id: u32) {
        self.engine.publish(&self.epoch, post(subject, id), self.now).unwrap();
    }
}

pub fn mark_of(claimed: Claimed) -> (u64, Vec<u64>) {
    match claimed {
        Claimed::Claimed { mark, refusals, .. } => (mark, refusals.into_iter().map(|(n, _)| n).collect()),
        other => panic!("not claimed: {other:?}"),
    }
}

pub fn stored(appended: &Appended) -> bool {
    matches!(appended, Appended::Stored { .. })
}
