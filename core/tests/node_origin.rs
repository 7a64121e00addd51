//! What a process answers under its own producer, whatever becomes of links, of the engine's answers, and of the log.
mod node_common;

use std::collections::VecDeque;

use everwire_core::engine::*;
use everwire_core::session::node::*;
use everwire_core::{Duration, Instant};
use node_common::{Body, body, ms, producer, secs};

struct Process {
    now: Instant,
    engine: Memory<Body>,
    origin: Origin<Body>,
    waits: bool,
    waiting: VecDeque<(CallId, Call<Body>)>,
    calls: Vec<Call<Body>>,
    ended: Vec<(Producer, u64, u64)>,
    composed: Vec<&'static str>,
    draws: u8,
}

impl Process {
    fn new() -> Self {
        Self::with(OriginConfig::default(), MemoryConfig::default())
    }

    fn with(config: OriginConfig, memory: MemoryConfig) -> Self {
        let now = Instant::default() + secs(1000);
        let mut engine = Memory::new(memory, "e0".into());
        for id in 1..=2 {
            claim(&mut engine, id, now);
        }
        let origin = Origin::new(config);
        Self {
            now,
            engine,
            origin,
            waits: false,
            waiting: VecDeque::new(),
            calls: Vec::new(),
            ended: Vec::new(),
            composed: Vec::new(),
            draws: 100,
        }
    }

    fn run(&mut self, id: u8, link: u64, n: u64) -> RunId {
        let request = Request {
            producer: producer(id),
            link,
            n,
            identity: "user_1".into(),
            inbox: inbox(id),
            epoch: self.engine.epoch().clone(),
            limit: 1000,
            payload: body(0),
        };
        let id = self.origin.handle_run(&request, self.now);
        self.drain();
        id
    }

    fn ran(&mut self, id: RunId, answer: u32) {
        self.origin.handle_ran(id, body(answer), self.now);
        self.drain();
    }

    fn drain(&mut self) {
        for _ in 0..10_000 {
            let Some(action) = self.origin.poll() else { return };
            match action {
                OriginAction::Draw => {
                    self.draws += 1;
                    let drawn = producer(self.draws);
                    self.origin.handle_drawn(drawn, inbox(self.draws), self.now);
                }
                OriginAction::Call { id, call } => {
                    self.calls.push(call.clone());
                    self.waiting.push_back((id, call));
                    if !self.waits {
                        self.release();
                    }
                }
                OriginAction::Compose { id, code } => {
                    self.composed.push(code);
                    self.origin.handle_composed(id, body(666), self.now);
                }
                OriginAction::Ended { producer, link, n } => self.ended.push((producer, link, n)),
            }
        }
        panic!("it never comes to rest");
    }

    fn release(&mut self) {
        let (id, call) = self.waiting.pop_front().expect("no call waits");
        let answer = call.carry_out(&mut self.engine, self.now);
        self.origin.handle_answer(id, answer, self.now);
        self.drain();
    }

    fn fail(&mut self, carried_out: bool) {
        let (id, call) = self.waiting.pop_front().expect("no call waits");
        if carried_out {
            let _ = call.carry_out(&mut self.engine, self.now);
        }
        self.origin.handle_answer(id, call.unanswered(), self.now);
        self.drain();
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        for _ in 0..10_000 {
            let Some(due) = self.origin.next_deadline().filter(|due| *due <= end) else {
                return self.now = end;
            };
            self.now = self.now.max(due);
            self.origin.handle_timeout(self.now);
            self.drain();
        }
        panic!("its deadlines never end");
    }

    fn answers(&mut self, id: u8) -> Vec<(Option<u64>, u32)> {
        let epoch = self.engine.epoch().clone();
        let filter = Filter::new().with(inbox(id), 0);
        let (span, limit) = (Span { after: 0, before: u64::MAX }, Limit { messages: 999, octets: u64::MAX });
        match self.engine.read(&epoch, &filter, span, limit, Direction::Downwards, self.now).unwrap() {
            Read::Interval(found) => {
                found.messages.iter().map(|found| (found.tag, found.payload.id)).collect()
            }
            other => panic!("{other:?}"),
        }
    }
}

fn inbox(id: u8) -> Subject {
    node_common::inbox(producer(id))
}

fn claim(engine: &mut Memory<Body>, id: u8, now: Instant) {
    let (producer, identity) = (producer(id), Identity::named("user_1"));
    let claim = Claim { producer, identity, inbox: inbox(id), link: 1, oldest: 1, written: 0, born: None };
    engine.claim(&claim, now).unwrap();
}

/// [REQ-4] [NODE-7] Tagged, in the producer's inbox, and only then told to the link.
#[test]
fn an_answer_goes_into_the_inbox() {
    let mut process = Process::new();
    process.waits = true;
    let (first, second) = (process.run(1, 1, 7), process.run(2, 1, 9));
    process.ran(second, 90);
    process.ran(first, 70);
    process.release();
    assert_eq!((process.ended.len(), process.origin.is_idle()), (0, false));
    process.waits = false;
    process.release();
    assert_eq!((process.answers(1), process.answers(2)), (vec![(Some(7), 70)], vec![(Some(9), 90)]));
    assert_eq!(process.ended, [(producer(2), 1, 9), (producer(1), 1, 7)]);
    assert!(process.origin.is_idle());
    let Call::Claim(claim) = &process.calls[0] else { panic!() };
    assert!(claim.identity.name.starts_with('_'), "[ROOM-11] nobody else can be that");
    // Nobody answers twice.
    process.ran(first, 71);
    assert_eq!(process.answers(1).len(), 1);
}

/// [SEND-22] [NODE-7] Until the outcome is known, and stored once.
#[test]
fn an_append_in_doubt_is_repeated() {
    let mut process = Process::new();
    let id = process.run(1, 1, 1);
    process.waits = true;
    process.ran(id, 1);
    process.release();
    for nth in 0..300 {
        process.fail(nth % 2 == 0);
        assert!(process.waiting.is_empty(), "not in a tight loop");
        process.pass(ms(250));
    }
    process.release();
    assert_eq!((process.answers(1), process.ended.len()), (vec![(Some(1), 1)], 1));
    // No answer at all.
    let id = process.run(1, 1, 2);
    process.ran(id, 2);
    process.waiting.clear();
    process.pass(secs(10));
    process.release();
    assert_eq!(process.answers(1).len(), 2);
}

/// [NODE-7] [ENG-5] A claim is not repeated; where the record has gone another is made.
#[test]
fn another_producer_is_made() {
    let mut process = Process::new();
    process.waits = true;
    let id = process.run(1, 1, 1);
    process.ran(id, 1);
    process.fail(true);
    process.pass(ms(250));
    process.release();
    process.release();
    assert_eq!((process.draws, process.answers(1).len()), (102, 1));
    process.engine.forget(&producer(102), process.now).unwrap();
    process.waits = false;
    let id = process.run(1, 1, 2);
    process.ran(id, 2);
    assert_eq!((process.draws, process.answers(1).len(), process.ended.len()), (103, 2, 2));
}

/// [KEEP-4] [EPOCH-5] An inbox goes with its log, and so does what was for it.
#[test]
fn answers_do_not_cross_a_log_epoch() {
    let mut process = Process::new();
    let first = process.run(1, 1, 1);
    process.ran(first, 1);
    let (old, other) = (process.run(1, 1, 2), process.run(1, 1, 3));
    process.engine.restart("e1".into());
    claim(&mut process.engine, 1, process.now);
    process.ran(old, 2);
    let new = process.run(1, 1, 4);
    process.ran(new, 4);
    process.ran(other, 3);
    assert_eq!(process.answers(1), [(Some(4), 4)]);
    assert_eq!(process.ended.len(), 4);
    assert!(process.origin.is_idle());
}

/// [SEND-22] A full store is waited for.
#[test]
fn a_full_engine_is_asked_again() {
    let memory = MemoryConfig { messages_max: 1, age_min: secs(1), ..MemoryConfig::default() };
    let mut process = Process::with(OriginConfig::default(), memory);
    process.origin.handle_post("room_a".into(), body(1), process.now);
    process.origin.handle_post("room_a".into(), body(2), process.now);
    process.drain();
    assert!(!process.origin.is_idle());
    process.pass(secs(2));
    assert!(process.origin.is_idle());
}

/// [REQ-16] [REQ-12] Bounded in time; what the handler says afterwards is nothing.
#[test]
fn a_handler_is_bounded_in_time() {
    for (timeout, least) in [(secs(30), ms(29_999)), (secs(99_999), ms(3_599_999)), (ms(0), ms(0))] {
        let mut process = Process::with(OriginConfig { handler_timeout: timeout }, MemoryConfig::default());
        let id = process.run(1, 1, 1);
        process.pass(least);
        assert!(process.composed.is_empty());
        process.pass(ms(1));
        assert_eq!((process.composed.clone(), process.answers(1)), (vec!["timeout"], vec![(Some(1), 666)]));
        process.ran(id, 1);
        assert_eq!((process.answers(1).len(), process.ended.len()), (1, 1));
    }
}

/// [REQ-16]
#[test]
fn an_answer_that_is_too_long() {
    let mut process = Process::new();
    let (fits, id) = (process.run(1, 1, 1), process.run(1, 1, 2));
    process.origin.handle_ran(fits, Body { octets: 1000, ..body(1) }, process.now);
    process.origin.handle_ran(id, Body { octets: 1001, ..body(2) }, process.now);
    process.drain();
    assert_eq!(process.composed, ["too-large"]);
    assert_eq!(process.answers(1), [(Some(1), 1), (Some(2), 666)]);
}

/// [REQ-15]
#[test]
fn a_process_that_drains_answers_everybody() {
    let mut process = Process::new();
    let id = process.run(1, 1, 1);
    process.run(2, 1, 1);
    process.origin.handle_drain(secs(5), process.now);
    process.pass(secs(4));
    process.ran(id, 1);
    assert!(process.composed.is_empty() && !process.origin.is_idle());
    process.pass(secs(1));
    assert_eq!((process.composed.clone(), process.origin.is_idle()), (vec!["in-doubt"], true));
    assert_eq!(process.answers(2), [(Some(1), 666)]);
}

/// [REQ-16]
#[test]
fn what_runs_for_other_links_is_known() {
    let mut process = Process::new();
    let id = process.run(1, 1, 1);
    process.run(1, 2, 2);
    process.run(2, 1, 1);
    let elsewhere = |process: &Process, link| process.origin.running_elsewhere(&producer(1), link);
    assert_eq!((elsewhere(&process, 1), elsewhere(&process, 2), elsewhere(&process, 3)), (1, 1, 2));
    process.ran(id, 1);
    assert_eq!((elsewhere(&process, 1), elsewhere(&process, 3)), (1, 1));
}
