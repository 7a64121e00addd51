//! Whatever is called in whatever order by whomever: the engine answers what a naive model answers, and what carries
//! the promise holds by what was answered alone.
mod engine_common;
mod engine_model;
use std::collections::{BTreeMap, BTreeSet};

use engine_common::*;
use engine_model::Model;
use everwire_core::engine::*;
use everwire_core::{Duration, Instant};
use proptest::prelude::*;

const PRODUCERS: u8 = 6;
const TAILS: usize = 3;

#[derive(Clone, Debug)]
enum Op {
    /// What is named after a number of the record is added to it, so that most calls are near the edge.
    Claim {
        producer: u8,
        identity: u8,
        link: i64,
        oldest: i64,
        written: i64,
        /// Names the record's life if 0, and another one if it is not.
        born: Option<u64>,
    },
    Append {
        producer: u8,
        link: i64,
        oldest: i64,
        n: i64,
        to: Vec<(u8, u64)>,
        old_epoch: bool,
    },
    Refuse {
        producer: u8,
        link: i64,
        oldest: i64,
        n: i64,
        times: u64,
    },
    Read {
        rooms: Vec<(u8, i64)>,
        after: i64,
        before: i64,
        limit: usize,
        downwards: bool,
    },
    Tail {
        tail: usize,
        limit: usize,
    },
    Join {
        tail: usize,
        room: u8,
        from: i64,
    },
    Leave {
        tail: usize,
        room: u8,
    },
    Trimmed {
        rooms: Vec<(u8, i64)>,
    },
    Publish {
        room: u8,
    },
    Forget {
        producer: u8,
    },
    Pass {
        micros: u64,
        back: bool,
    },
    Restart,
    /// What was saved is all that is left, and the log goes on from it.
    Crash,
}

fn op() -> impl Strategy<Value = Op> {
    let link = || prop_oneof![8 => Just(0i64), 1 => -2i64..3];
    let raised = || prop_oneof![6 => Just(1i64), 1 => -2i64..3];
    let oldest = || prop_oneof![3 => Just(0i64), 2 => 1i64..4, 1 => -3i64..0, 1 => 4i64..300];
    let next = || prop_oneof![6 => Just(1i64), 3 => -4i64..5];
    let octets = prop_oneof![4 => Just(100u64), 2 => 0u64..800, 1 => Just(3u64 << 20)];
    let room = || 0u8..9;
    let rooms = || prop::collection::vec((room(), -12i64..3), 0..6);
    let to = prop::collection::vec((room(), octets), 0..5);
    let born = prop_oneof![6 => Just(None), 6 => Just(Some(0)), 1 => (0u64..3).prop_map(Some)];
    let micros = prop_oneof![
        8 => 0u64..3_000_000,
        3 => 0u64..20_000_000,
        2 => 0u64..4_000_000_000,
        1 => Just(15 * 86_400_000_000u64)
    ];
    prop_oneof![
        8 => (0..PRODUCERS, prop_oneof![6 => Just(9u8), 1 => 0u8..4], raised(), oldest(), -1i64..4, born)
            .prop_map(|(producer, identity, link, oldest, written, born)| Op::Claim { producer, identity, link, oldest, written, born }),
        24 => (0..PRODUCERS, link(), oldest(), next(), to, prop::bool::weighted(0.02))
            .prop_map(|(producer, link, oldest, n, to, old_epoch)| Op::Append { producer, link, oldest, n, to, old_epoch }),
        8 => (0..PRODUCERS, link(), oldest(), next(), prop_oneof![9 => Just(1u64), 1 => 200u64..300])
            .prop_map(|(producer, link, oldest, n, times)| Op::Refuse { producer, link, oldest, n, times }),
        6 => (rooms(), -12i64..3, -12i64..4, 1usize..9, any::<bool>())
            .prop_map(|(rooms, after, before, limit, downwards)| Op::Read { rooms, after, before, limit, downwards }),
        10 => (0..TAILS, 1usize..9).prop_map(|(tail, limit)| Op::Tail { tail, limit }),
        3 => (0..TAILS, room(), -8i64..2).prop_map(|(tail, room, from)| Op::Join { tail, room, from }),
        1 => (0..TAILS, room()).prop_map(|(tail, room)| Op::Leave { tail, room }),
        1 => rooms().prop_map(|rooms| Op::Trimmed { rooms }),
        3 => room().prop_map(|room| Op::Publish { room }),
        1 => (0..PRODUCERS).prop_map(|producer| Op::Forget { producer }),
        6 => (micros, prop::bool::weighted(0.1)).prop_map(|(micros, back)| Op::Pass { micros, back }),
        2 => Just(Op::Crash),
        1 => prop::bool::weighted(0.2).prop_map(|restart| if restart { Op::Restart } else { Op::Publish { room: 0 } }),
    ]
}

fn config() -> impl Strategy<Value = MemoryConfig> {
    let secs = |secs: u64| Duration::from_secs(secs);
    let age_min = prop_oneof![2 => Just(Duration::ZERO), 1 => Just(Duration::from_secs(8))];
    let caps = (1usize..7, 1usize..4, 1usize..4);
    (2usize..14, prop_oneof![Just(2_000u64), Just(1 << 30)], age_min, caps, any::<bool>()).prop_map(
        move |(messages_max, octets_max, age_min, caps, roomy)| {
            let (records_max, records_anonymous_max, records_per_identity_max) = caps;
            MemoryConfig {
                messages_max,
                octets_max,
                age_max: secs(600),
                age_min,
                inbox_octets_max: if roomy { 19 << 20 } else { 2_000 },
                records_max,
                records_anonymous_max,
                records_per_identity_max,
                refusals_max: 300,
                ..MemoryConfig::default()
            }
        },
    )
}

/// Three rooms, then the inboxes of the producers.
fn subject(room: u8) -> Subject {
    if room < 3 { ["a", "b", "c"][usize::from(room)].into() } else { inbox(room - 3) }
}

fn identity(id: u8) -> Identity {
    match id {
        0 => Identity::named("ann"),
        1 => Identity::named("bob"),
        2 => Identity::anonymous("ann"),
        _ => Identity::anonymous("x"),
    }
}

fn near(base: u64, offset: i64) -> u64 {
    base.saturating_add_signed(offset)
}

struct Tail {
    filter: Filter,
    cursor: Cursor,
    casts_seen: Option<usize>,
}

/// What the answers alone have said, without a look into engine or model.
#[derive(Default)]
struct Said {
    owner: BTreeMap<Producer, Identity>,
    link: BTreeMap<Producer, u64>,
    born: BTreeMap<Producer, u64>,
    mark: BTreeMap<Producer, u64>,
    numbers: BTreeSet<u64>,
    last_s: u64,
}

impl Said {
    fn mark(&mut self, producer: Producer, mark: u64) {
        let before = self.mark.insert(producer, mark).unwrap_or(0);
        assert!(mark >= before, "a mark went back");
    }

    fn claimed(&mut self, claim: &Claim, mark: u64, born: u64) {
        let found = claim.born.is_none_or(|named| named == born);
        assert!(found || (born == claim.link && mark == 0), "another life");
        let known = self.born.insert(claim.producer, born);
        if mark > 0 {
            assert_eq!(known, Some(born), "a mark of another life");
            assert_eq!(self.owner.get(&claim.producer), Some(&claim.identity), "a foreign identity");
            assert!(self.link[&claim.producer] < claim.link, "an older link");
        }
        if claim.written == 0 && mark == 0 {
            // Perhaps a new record: the old one may have gone meanwhile.
            self.mark.remove(&claim.producer);
        }
        self.owner.insert(claim.producer, claim.identity.clone());
        self.link.insert(claim.producer, claim.link);
        self.mark(claim.producer, mark);
    }

    fn held(&mut self, fence: &Fence, mark: u64) {
        assert_eq!(self.link.get(&fence.producer), Some(&fence.link), "under a link that has no claim");
        self.mark(fence.producer, mark);
    }
}

/// What a store holds that was given all changes.
#[derive(Default)]
struct Disk {
    messages: BTreeMap<u64, SavedMessage<Body>>,
    records: BTreeMap<Producer, SavedRecord>,
    trimmed: BTreeMap<Subject, u64>,
    marks: Marks,
}

impl Disk {
    fn write(&mut self, changes: Changes<Body>) {
        let Changes { stored, discarded, records, trimmed, marks } = changes;
        self.messages.extend(stored.into_iter().map(|saved| (saved.message.s, saved)));
        discarded.iter().for_each(|s| drop(self.messages.remove(s)));
        for (producer, record) in records {
            match record {
                Some(record) => drop(self.records.insert(producer, record)),
                None => drop(self.records.remove(&producer)),
            }
        }
        for (subject, trimmed) in trimmed {
            match trimmed {
                Some(trimmed) => drop(self.trimmed.insert(subject, trimmed)),
                None => drop(self.trimmed.remove(&subject)),
            }
        }
        self.marks = marks;
    }

    fn read(&self) -> Saved<Body> {
        Saved {
            messages: self.messages.values().cloned().collect(),
            records: self.records.iter().map(|(producer, record)| (*producer, record.clone())).collect(),
            trimmed: self.trimmed.iter().map(|(subject, trimmed)| (subject.clone(), *trimmed)).collect(),
            marks: self.marks,
        }
    }
}

struct Run {
    engine: Memory<Body>,
    disk: Disk,
    steps: usize,
    model: Model,
    said: Said,
    tails: Vec<Tail>,
    now: Instant,
    posted: u32,
    epochs: u32,
    old_epoch: LogEpoch,
    /// By the id of a body: the life of the record and the number.
    origin: BTreeMap<u32, (u64, u64)>,
}

impl Run {
    fn new(config: MemoryConfig) -> Self {
        let epoch = LogEpoch::from("e0");
        let tail = |room| Tail {
            filter: Filter::new().with(subject(room), 0),
            cursor: Cursor::after(0),
            casts_seen: None,
        };
        let now = Instant::default() + secs(1000);
        let mut engine = Memory::new(config, epoch.clone());
        engine.record_changes();
        engine.handle_timeout(now);
        Self {
            engine,
            disk: Disk::default(),
            steps: 0,
            model: Model::new(config, epoch),
            said: Said::default(),
            tails: (0..TAILS as u8).map(tail).collect(),
            now,
            posted: 0,
            epochs: 0,
            old_epoch: "none".into(),
            origin: BTreeMap::new(),
        }
    }

    fn fence(&self, id: u8, link: i64, oldest: i64) -> (Fence, u64) {
        let record = self.model.record(producer(id));
        let (floor, mark) = record.map_or((1, 0), |it| (it.floor, it.mark()));
        let at = self.said.link.get(&producer(id)).copied().unwrap_or(1);
        let (mut link, oldest) = (near(at, link), near(floor, oldest));
        // No node uses a link whose claim was answered *unknown*, though the record has it from then on. [ENG-11]
        if link != at && record.is_some_and(|record| record.link == link) {
            link += 1;
        }
        (Fence { epoch: self.model.epoch.clone(), producer: producer(id), link, oldest }, mark)
    }

    fn filter(&self, rooms: &[(u8, i64)]) -> Filter {
        let head = self.model.head();
        rooms.iter().fold(Filter::new(), |it, (room, from)| it.with(subject(*room), near(head, *from)))
    }

    fn step(&mut self, op: Op) {
        self.model.time(self.now);
        let epoch = self.model.epoch.clone();
        let head = self.model.head();
        match op {
            Op::Claim { producer: id, identity: who, link, oldest, written, born } => {
                let (mut fence, mark) = self.fence(id, 0, oldest);
                let record = self.model.record(fence.producer);
                let identity = match record {
                    Some(record) if who == 9 => record.identity.clone(),
                    _ => identity(who % 4),
                };
                if record.is_none() {
                    fence.oldest = 1;
                }
                let written = near(mark, written);
                let life = record.map_or(2, |record| record.born);
                let born = born.map(|other| life + other);
                let link = near(record.map_or(1, |record| record.link), link);
                let Fence { producer, oldest, .. } = fence;
                let claim = Claim { producer, identity, inbox: inbox(id), link, oldest, written, born };
                let answer = self.engine.claim(&claim, self.now).unwrap();
                assert_eq!(answer, self.model.claim(&claim));
                if let Claimed::Claimed { mark, born, .. } = answer {
                    self.said.claimed(&claim, mark, born);
                }
            }
            Op::Append { producer, link, oldest, n, to, old_epoch } => {
                let (mut fence, mark) = self.fence(producer, link, oldest);
                let n = near(mark, n);
                let life = self.model.record(fence.producer).map_or(0, |record| record.life);
                let mut batch = Vec::new();
                for (number, (room, octets)) in (n..).zip(to) {
                    self.posted += 1;
                    self.origin.insert(self.posted, (life, number));
                    let payload = Body { id: self.posted, octets };
                    let tag = (room >= 3).then_some(number);
                    batch.push(Post { tag, ..Post::new(subject(room), payload) });
                }
                if old_epoch {
                    fence.epoch = self.old_epoch.clone();
                    let answer = self.engine.append(&fence, n, &batch, self.now);
                    assert_eq!(answer, Err(Failure::EpochChanged));
                    return;
                }
                let answer = self.engine.append(&fence, n, &batch, self.now).unwrap();
                assert_eq!(answer, self.model.append(&fence, n, &batch));
                match answer {
                    Appended::Stored { mark, numbers } | Appended::Full { mark, numbers } => {
                        self.said.held(&fence, mark);
                        for s in numbers {
                            assert!(s > self.said.last_s && self.said.numbers.insert(s), "no new number");
                            self.said.last_s = s;
                        }
                    }
                    Appended::Duplicate { mark, .. } | Appended::Gap { mark } => self.said.held(&fence, mark),
                    Appended::Fenced => {}
                }
            }
            Op::Refuse { producer, link, oldest, n, times } => {
                for time in 0..times {
                    let (fence, mark) = self.fence(producer, link, if time == 0 { oldest } else { 0 });
                    let (n, code) = (near(mark, n), code("forbidden"));
                    let answer = self.engine.refuse(&fence, n, &code, self.now).unwrap();
                    assert_eq!(answer, self.model.refuse(&fence, n, &code));
                    if let RefusalAnswer::Refused { mark } | RefusalAnswer::Full { mark } = answer {
                        self.said.held(&fence, mark);
                    }
                }
            }
            Op::Read { rooms, after, before, limit, downwards } => {
                let (filter, span) =
                    (self.filter(&rooms), Span { after: near(head, after), before: near(head, before) });
                let direction = if downwards { Direction::Downwards } else { Direction::Upwards };
                let most = Limit { messages: limit, octets: u64::MAX };
                let answer = self.engine.read(&epoch, &filter, span, most, direction, self.now).unwrap();
                assert_eq!(answer, self.model.read(&filter, span, limit, direction));
            }
            Op::Tail { tail, limit } => self.look(tail, limit),
            Op::Join { tail, room, from } => {
                self.tails[tail].filter.insert(subject(room), near(head, from));
            }
            Op::Leave { tail, room } => self.tails[tail].filter.remove(&subject(room)),
            Op::Trimmed { rooms } => {
                let filter = self.filter(&rooms);
                let answer = self.engine.trimmed(&epoch, &filter, self.now).unwrap();
                let expected = filter.iter().map(|(it, _)| (it.clone(), self.model.trimmed(it)));
                assert_eq!(answer, expected.collect::<Vec<_>>());
            }
            Op::Publish { room } => {
                self.posted += 1;
                let cast = Post::new(subject(room), Body { id: self.posted, octets: 10 });
                self.engine.publish(&epoch, cast.clone(), self.now).unwrap();
                self.model.casts.push((self.model.now, cast));
            }
            Op::Forget { producer: id } => {
                self.engine.forget(&producer(id), self.now).unwrap();
                self.model.forget(producer(id));
            }
            Op::Pass { micros, back: false } => self.now = self.now + Duration::from_micros(micros),
            Op::Pass { micros, back: true } => {
                self.now = self.now - Duration::from_micros(micros.min(9_000_000))
            }
            Op::Restart => {
                self.epochs += 1;
                self.old_epoch = epoch;
                let epoch = LogEpoch::from(format!("e{}", self.epochs).as_str());
                self.engine.restart(epoch.clone());
                self.engine.record_changes();
                self.disk = Disk::default();
                self.model.restart(epoch);
                self.said = Said::default();
                self.origin.clear();
                self.tails.iter_mut().for_each(|tail| tail.cursor.position = 0);
            }
            Op::Crash => {
                self.disk.write(self.engine.take_changes());
                self.engine = Memory::restore(self.model.config, epoch, self.disk.read());
                self.engine.record_changes();
                self.engine.handle_timeout(self.model.now);
                // Casts and whoever waited for them have gone with it.
                self.model.casts.iter_mut().for_each(|(at, _)| *at = Instant::default());
                for tail in &mut self.tails {
                    (tail.cursor.cast, tail.casts_seen) = (None, None);
                }
            }
        }
    }

    /// Intervals of a tail partition the order; what was trimmed is begun anew at the head, as a node does.
    fn look(&mut self, tail: usize, limit: usize) {
        let it = &mut self.tails[tail];
        let (before, epoch) = (it.cursor.position, self.model.epoch.clone());
        let most = Limit { messages: limit, octets: u64::MAX };
        let answer = self.engine.tail(&epoch, &it.filter, &mut it.cursor, most, self.now).unwrap();
        let span = Span { after: before, before: u64::MAX };
        match (answer, self.model.read(&it.filter, span, limit, Direction::Upwards)) {
            (Tailed::Step { interval, casts }, Read::Interval(expected)) => {
                assert_eq!((interval.after, it.cursor.position), (before, interval.upto), "a hole");
                assert_eq!(interval, expected);
                let seen = it.casts_seen.replace(self.model.casts.len());
                let expected = seen.map_or(Vec::new(), |seen| self.model.casts_since(seen, &it.filter));
                assert_eq!(casts, expected);
            }
            (Tailed::Trimmed(subjects), Read::Trimmed(expected)) => {
                assert_eq!((&subjects, it.cursor.position), (&expected, before));
                let head = self.model.head();
                subjects.into_iter().for_each(|subject| it.filter.insert(subject, head));
            }
            (Tailed::Behind { head }, Read::Behind { head: expected }) => assert_eq!(head, expected),
            (answer, expected) => panic!("{answer:?} where {expected:?} is right"),
        }
    }

    /// Nothing of this takes the model's word for it but which record was alive when.
    fn check(&mut self) {
        self.engine.handle_timeout(self.now);
        self.steps += 1;
        if self.steps.is_multiple_of(3) {
            self.disk.write(self.engine.take_changes());
            assert_eq!(
                self.disk.messages.len(),
                self.engine.memory_use().messages,
                "what is saved is what is kept"
            );
            assert_eq!(self.disk.records.len(), self.engine.memory_use().records);
            assert!(self.disk.trimmed.len() <= self.engine.memory_use().subjects);
        }
        self.model.time(self.now);
        let (holds, config) = (self.engine.memory_use(), self.model.config);
        let alive = self.model.alive().count();
        assert_eq!((holds.messages, holds.records), (alive, self.model.records.len()));
        assert_eq!(holds.refusals, self.model.refusals());
        assert!(holds.records <= config.records_max && holds.refusals <= config.refusals_max);
        assert!(holds.messages <= config.messages_max + usize::from(PRODUCERS) * INBOX_ANSWERS_MAX);
        let single = (3 << 20) + STORED_OVERHEAD_OCTETS;
        assert!(holds.octets <= config.octets_max + config.inbox_octets_max + 2 * single);
        assert!(holds.subjects <= 9);
        assert!(self.engine.next_deadline().is_none_or(|due| due > self.model.now), "something is overdue");

        let mut last: BTreeMap<u64, u64> = BTreeMap::new();
        for it in &self.model.log {
            let (life, n) = self.origin[&it.body.id];
            let before = last.insert(life, n);
            assert!(before < Some(n), "{n} of one producer twice or out of order");
        }
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    /// [ENG-1] [ENG-3] [ENG-6] [ENG-10] [ENG-14] [ENG-17] [ENG-21] [ENG-22] [ENG-24] [ENG-26] [ENG-27]
    #[test]
    fn the_engine_answers_what_the_model_answers(ops in prop::collection::vec(op(), 1..120), config in config()) {
        let mut run = Run::new(config);
        for op in ops {
            run.step(op);
            run.check();
        }
    }
}
