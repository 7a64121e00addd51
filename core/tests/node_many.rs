//! Several links of one node over one engine: what one of them goes through is its own affair.
mod node_common;

use std::collections::{BTreeMap, VecDeque};

use everwire_core::engine::*;
use everwire_core::frame::{Form, Shape};
use everwire_core::session::Hello;
use everwire_core::session::down::{Amount, Standing};
use everwire_core::session::node::*;
use everwire_core::{Duration, Instant};
use node_common::*;

/// What a link is kept waiting for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stalls {
    calls: bool,
    hooks: bool,
}

struct Link {
    node: Node<Body>,
    identity: String,
    stalls: Stalls,
    waiting: VecDeque<NodeAction<Body>>,
    /// Frames, and when they were written.
    wrote: Vec<(Instant, NodeFrame<Body>)>,
}

/// One process: its links share the engine, and are woken together when it has grown.
struct Process {
    now: Instant,
    engine: Memory<Body>,
    links: Vec<Link>,
}

impl Process {
    fn new() -> Self {
        let now = Instant::default() + secs(1000);
        Self { now, engine: Memory::new(MemoryConfig::default(), "e0".into()), links: Vec::new() }
    }

    fn open(&mut self, config: NodeConfig, rooms: &[&str]) -> usize {
        self.greet(config, Hello { rooms: rooms.iter().map(|room| wished(room, None)).collect(), ..hello() })
    }

    /// A link of a client of its own.
    fn greet(&mut self, config: NodeConfig, hello: Hello) -> usize {
        let at = self.links.len();
        self.links.push(Link {
            node: Node::new(config, self.now),
            identity: format!("user_{at}"),
            stalls: Stalls::default(),
            waiting: VecDeque::new(),
            wrote: Vec::new(),
        });
        let hello = Hello { producer: producer(at as u8 + 1), ..hello };
        self.frame(at, "hello", NodeBody::Hello(Box::new(hello)), Some(300));
        assert!(matches!(self.links[at].wrote[..], [(_, NodeFrame::Welcome(_))]), "{at}");
        at
    }

    fn frame(&mut self, at: usize, head: &str, body: NodeBody<Body>, octets: Option<u64>) {
        let shape = Shape { form: Form::Text, body_bytes: octets, envelope_bytes: None };
        self.links[at].node.handle_frame(head.as_bytes(), shape, body, self.now);
        self.settle();
    }

    fn send(&mut self, at: usize, n: u64, to: &str) {
        let body = NodeBody::Elements(vec![message(to, n as u32)]);
        self.frame(at, &format!("send {n} 1 1"), body, Some(12));
    }

    /// Carries out what every link wants done, and wakes all when the log has grown.
    fn settle(&mut self) {
        loop {
            let before = self.engine.changes();
            for at in 0..self.links.len() {
                while let Some(action) = self.links[at].node.poll() {
                    self.carry_out(at, action);
                }
            }
            if self.engine.changes() == before {
                return;
            }
            for link in &mut self.links {
                link.node.wake(self.now);
            }
        }
    }

    fn carry_out(&mut self, at: usize, action: NodeAction<Body>) {
        let link = &mut self.links[at];
        let stalls = match &action {
            NodeAction::Call { .. } => link.stalls.calls,
            NodeAction::Authorise { .. } | NodeAction::Examine { .. } => link.stalls.hooks,
            _ => false,
        };
        if stalls {
            return link.waiting.push_back(action);
        }
        match action {
            NodeAction::Authenticate { id, producer, .. } => {
                let as_producer = persona(&link.identity, producer);
                let answer = Authenticated { as_producer, as_successor: None, expires: None };
                link.node.handle_authenticated(id, Ok(answer), self.now);
            }
            NodeAction::Authorise { id, rooms, .. } => {
                let allowed = Standing::Allowed { from_holds: true, since: 0 };
                link.node.handle_authorised(id, Ok(vec![allowed; rooms.len()]), self.now);
            }
            NodeAction::Examine { id, subject, payload, .. } => {
                link.node.handle_examined(id, Examined::Pass { subject, payload }, self.now);
            }
            NodeAction::Call { id, call } => {
                let answer = call.carry_out(&mut self.engine, self.now);
                link.node.handle_answer(id, answer, self.now);
            }
            NodeAction::Write(frame) => {
                read_as_a_client(&frame);
                link.wrote.push((self.now, frame));
            }
            NodeAction::Close { code, reason, .. } => panic!("link {at}: {code} {reason}"),
            NodeAction::Run(_) | NodeAction::Reading(_) | NodeAction::Visible(_) => {}
        }
    }

    /// What this link was kept waiting for comes at last, in its order.
    fn release(&mut self, at: usize) {
        self.links[at].stalls = Stalls::default();
        while let Some(action) = self.links[at].waiting.pop_front() {
            self.carry_out(at, action);
            self.settle();
        }
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(due) =
            self.links.iter().filter_map(|link| link.node.next_deadline()).filter(|due| *due <= end).min()
        {
            self.now = self.now.max(due);
            for link in &mut self.links {
                link.node.handle_timeout(self.now);
            }
            self.settle();
        }
        self.now = end;
    }

    fn take(&mut self, at: usize) -> Vec<(Instant, NodeFrame<Body>)> {
        core::mem::take(&mut self.links[at].wrote)
    }

    /// What the log holds in (after, upto] for these subjects.
    fn log(&mut self, rooms: &[&str], after: u64, upto: u64) -> Vec<u64> {
        let filter = rooms.iter().fold(Filter::new(), |filter, room| filter.with(subject(room), 0));
        let span = Span { after, before: upto + 1 };
        let limit = Limit { messages: usize::MAX, octets: u64::MAX };
        let epoch = self.engine.epoch().clone();
        match self.engine.read(&epoch, &filter, span, limit, Direction::Upwards, self.now).unwrap() {
            Read::Interval(interval) => interval.messages.iter().map(|message| message.s).collect(),
            other => panic!("{other:?}"),
        }
    }
}

/// The intervals of a link's frames and what is in them, each held against the log under the link's own filter.
fn exact(process: &mut Process, at: usize, rooms: &[&str], from: u64) -> u64 {
    let mut position = from;
    for (_, frame) in process.take(at) {
        let (after, upto, numbers) = match frame {
            NodeFrame::Push { after, upto, messages } => {
                (after, upto, messages.iter().map(|message| message.s).collect())
            }
            NodeFrame::Advance { after, upto } => (after, upto, vec![]),
            _ => continue,
        };
        assert_eq!(after, position, "link {at} is not adjacent");
        assert!(upto > after, "link {at}: {after} {upto}");
        assert_eq!(numbers, process.log(rooms, after, upto), "link {at} in ({after}, {upto}]");
        position = upto;
    }
    position
}

/// [NODE-3] One growth wakes all; each link's frames are exact for its own filter and adjacent in its own order.
#[test]
fn links_with_other_filters_share_one_log() {
    let filters: [&[&str]; 5] = [
        &["room_a", "user_0"],
        &["room_a", "room_b", "user_1"],
        &["room_b", "user_2"],
        &["user_3"],
        &["room_c", "user_4"],
    ];
    let mut process = Process::new();
    for rooms in filters {
        process.open(NodeConfig::default(), &rooms[..rooms.len() - 1]);
    }
    for at in 0..filters.len() {
        process.take(at);
    }
    // Every link writes to every subject, in an order that has no period of the filters.
    let subjects = ["room_a", "room_b", "room_c", "room_d", "user_0", "user_3"];
    let mut n = [0; 5];
    let mut dice = 1u64;
    for step in 0..400 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (at, to) = ((dice >> 33) as usize % 5, (dice >> 40) as usize % subjects.len());
        n[at] += 1;
        process.send(at, n[at], subjects[to]);
        if step % 7 == 0 {
            process.pass(ms(300));
        }
        // Links that lag and catch up read other stretches than those that kept pace.
        if step % 50 == 10 {
            process.links[1].stalls.calls = true;
        }
        if step % 50 == 40 {
            process.release(1);
        }
    }
    process.release(1);
    for _ in 0..6 {
        process.pass(secs(10));
        (0..filters.len()).for_each(|at| process.frame(at, "vis 1", NodeBody::None, None));
    }
    let head = process.engine.head();
    assert_eq!(head, 400);
    for (at, rooms) in filters.into_iter().enumerate() {
        let upto = exact(&mut process, at, rooms, 0);
        let last = process.log(rooms, 0, head).last().copied().unwrap_or(0);
        assert!(upto >= last, "link {at} stands at {upto}, and {last} is for it");
    }
}

/// When link `at` was written an `ack` up to n, and a push with s, counted from when each was sent.
fn delays(process: &mut Process, at: usize, sent: &BTreeMap<u64, Instant>) -> Vec<Duration> {
    let mut delays = Vec::new();
    for (when, frame) in process.take(at) {
        let of = match frame {
            NodeFrame::Ack(ack) => ack.n,
            NodeFrame::Push { upto, .. } => upto,
            _ => continue,
        };
        if let Some(sent) = sent.get(&of) {
            delays.push(when.since(*sent));
        }
    }
    delays
}

/// [NODE-10] Stalled calls, a slow hook and a full window are each one link's own.
#[test]
fn no_link_waits_for_another() {
    let mut process = Process::new();
    let examines = NodeConfig { examines: true, ..NodeConfig::default() };
    let stalled = process.open(NodeConfig::default(), &["room_a"]);
    let slow = process.open(examines, &["room_a"]);
    let held = Amount { messages: 8_192, octets: 0 };
    let rooms = vec![wished("room_a", None)];
    let full = process.greet(NodeConfig::default(), Hello { held, rooms, ..hello() });
    let writer = process.open(NodeConfig::default(), &[]);
    let reader = process.open(NodeConfig::default(), &["room_a"]);
    process.links[stalled].stalls.calls = true;
    process.links[slow].stalls.hooks = true;
    process.send(stalled, 1, "room_a");
    process.send(slow, 1, "room_a");
    process.frame(slow, "join room_z", NodeBody::None, None);
    for at in 0..5 {
        process.take(at);
    }

    // Well below what a stalled call may take before its link is given up. [TIME-15]
    let mut sent = BTreeMap::new();
    for n in 1..=20 {
        sent.insert(n, process.now);
        process.send(writer, n, "room_a");
        process.pass(ms(100));
    }
    for at in [writer, reader] {
        let delays = delays(&mut process, at, &sent);
        assert_eq!(delays.len(), 20, "link {at}");
        assert!(delays.iter().all(|delay| *delay <= ms(50)), "link {at}: {delays:?}");
    }
    // The others were kept waiting indeed, each in its own way.
    let acked = |process: &Process, at: usize| {
        process.links[at].wrote.iter().any(|(_, frame)| matches!(frame, NodeFrame::Ack(ack) if ack.n > 0))
    };
    let pushed = |process: &Process, at: usize| {
        process.links[at].wrote.iter().filter(|(_, frame)| matches!(frame, NodeFrame::Push { .. })).count()
    };
    assert!(!acked(&process, stalled) && !acked(&process, slow));
    assert_eq!((pushed(&process, stalled), pushed(&process, slow), pushed(&process, full)), (0, 20, 0));
    // And go on as soon as they may.
    process.release(stalled);
    process.release(slow);
    process.frame(full, "seen 0 8192 0", NodeBody::None, None);
    process.pass(ms(50));
    assert!(acked(&process, stalled) && acked(&process, slow));
    assert!(pushed(&process, stalled) > 0 && pushed(&process, full) > 0);
}
