//! A node and everybody around it under any inputs: what the property test and the fuzz target `node` assert.
#![allow(dead_code, unreachable_pub, reason = "each user has its own inputs")]

use std::collections::{BTreeMap, BTreeSet};

use everwire_core::engine::*;
use everwire_core::frame::{Form, Shape};
use everwire_core::session::down::{Amount, Standing};
use everwire_core::session::node::*;
use everwire_core::session::up::WINDOW_MESSAGES_MAX;
use everwire_core::session::{Hello, Welcome, Wished};
use everwire_core::{Duration, Instant};

use crate::node_common::{Body, body, message, ms, persona, producer, read_as_a_client, request, secs};

/// What one link has seen, as far as it binds the node.
#[derive(Default)]
pub struct Seen {
    pub opened: bool,
    pub closed: bool,
    /// The engine has contradicted itself: what follows from that is its affair.
    pub lied: bool,
    /// The highest mark that a claim was answered with.
    granted: u64,
    /// The highest mark that the engine has told this node under this link.
    pub mark: u64,
    claimed: u64,
    pub acked: u64,
    credit: u64,
    pub told: u64,
    pushed: (u64, u64),
    ran: BTreeSet<u64>,
    pings: u64,
}

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Identity,
    Rooms,
    Message,
    Cast,
}

/// How long a node waits for a hook.
const HOOK_MAX: Duration = Duration::from_secs(10);
/// Messages that are at the hook at once.
const EXAMINED_MAX: usize = 64;
/// Casts that are at the hook at once.
const CASTS_MAX: usize = 64;
/// A deadline may be behind so many others.
const DEADLINES_MAX: usize = 3;
/// Questions about rooms: unanswered joins, pages, and the filter.
const ROOMS_ASKED_MAX: usize = 1024 + 4 + 1;

pub struct World {
    pub now: Instant,
    pub engine: Memory<Body>,
    pub node: Node<Body>,
    pub seen: Seen,
    config: NodeConfig,
    pub asks: Vec<NodeAction<Body>>,
    /// Questions that the node waits for, and when they were asked.
    open: BTreeMap<AskId, (Instant, Kind)>,
    pub calls: Vec<(CallId, Call<Body>)>,
    old_asks: Vec<AskId>,
    old_calls: Vec<CallId>,
    pub origin: Origin<Body>,
    origin_calls: Vec<(CallId, Call<Body>)>,
    /// By the order of their runs: which link and number asked.
    ids: BTreeMap<RunId, u64>,
    drawn: u8,
    epochs: u32,
    pub transport: Transport,
    // The client's side, as far as it is right.
    producer: u8,
    written: u64,
    link: u64,
    pub next: u64,
    born: Option<u64>,
    position: Option<u64>,
    epoch: Option<LogEpoch>,
    next_page: u64,
}

pub const ROOMS: [&str; 5] = ["room_a", "room_b", "user_1", "user_9", "_secret"];

impl World {
    pub fn new(config: NodeConfig, examines: bool) -> Self {
        let now = Instant::default() + secs(1000);
        let memory = MemoryConfig { messages_max: 30, ..MemoryConfig::default() };
        Self {
            now,
            engine: Memory::new(memory, "e0".into()),
            node: Node::new(NodeConfig { examines, sees_octets: true, ..config.clone() }, now),
            seen: Seen::default(),
            config,
            asks: Vec::new(),
            open: BTreeMap::new(),
            calls: Vec::new(),
            old_asks: Vec::new(),
            old_calls: Vec::new(),
            origin: Origin::new(OriginConfig::default()),
            origin_calls: Vec::new(),
            ids: BTreeMap::new(),
            drawn: 0,
            epochs: 0,
            transport: Transport::default(),
            producer: 1,
            written: 0,
            link: 0,
            next: 1,
            born: None,
            position: None,
            epoch: None,
            next_page: 0,
        }
    }

    /// A question is answered, if it is of one of these kinds.
    pub fn answers(&mut self, id: AskId, kinds: &[Kind]) {
        if self.open.get(&id).is_some_and(|(_, kind)| kinds.contains(kind)) {
            self.open.remove(&id);
        }
    }

    /// Carries everything out that can be at once, and looks at it.
    pub fn drain(&mut self) {
        self.carry_out();
        let (now, phase) = (self.now, self.node.phase());
        self.open.retain(|_, (since, _)| *since + HOOK_MAX > now);
        let waiting = |kind| self.open.values().filter(|(_, of)| *of == kind).count();
        if phase != NodePhase::Ended {
            assert!(waiting(Kind::Identity) <= 1, "[AUTH-2]");
            assert!(waiting(Kind::Message) <= EXAMINED_MAX && waiting(Kind::Cast) <= CASTS_MAX, "[SEC-12]");
            assert!(waiting(Kind::Rooms) <= ROOMS_ASKED_MAX, "[ROOM-23]");
        }
    }

    fn carry_out(&mut self) {
        for _ in 0..100_000 {
            let Some(action) = self.node.poll() else { return };
            let run = matches!(action, NodeAction::Run(_));
            assert!(!self.seen.closed || run, "after the close: {action:?}");
            match action {
                NodeAction::Authenticate { .. }
                | NodeAction::Authorise { .. }
                | NodeAction::Examine { .. } => {
                    let (id, kind) = match &action {
                        NodeAction::Authenticate { id, .. } => (*id, Kind::Identity),
                        NodeAction::Examine { id, n: Some(_), .. } => (*id, Kind::Message),
                        NodeAction::Examine { id, .. } => (*id, Kind::Cast),
                        NodeAction::Authorise { id, .. } => (*id, Kind::Rooms),
                        _ => unreachable!(),
                    };
                    assert!(self.open.insert(id, (self.now, kind)).is_none(), "{id:?} twice");
                    self.asks.push(action);
                }
                NodeAction::Call { id, call } => self.calls.push((id, call)),
                NodeAction::Run(request) => {
                    assert!(request.n > self.seen.claimed && request.n <= self.seen.mark, "[REQ-2] [REQ-3]");
                    assert!(self.seen.ran.insert(request.n), "[REQ-2] {} twice", request.n);
                    let id = self.origin.handle_run(&request, self.now);
                    self.ids.insert(id, request.n);
                }
                NodeAction::Write(frame) => self.wrote(frame),
                NodeAction::Close { code, .. } => {
                    self.seen.closed = true;
                    if code == 4005 {
                        self.producer = self.producer.wrapping_add(2);
                        self.written = 0;
                    }
                }
                NodeAction::Reading(_) | NodeAction::Visible(_) => {}
            }
        }
        panic!("the node never comes to rest");
    }

    fn wrote(&mut self, frame: NodeFrame<Body>) {
        if self.seen.lied {
            self.seen.opened |= matches!(frame, NodeFrame::Welcome(_));
            return;
        }
        read_as_a_client(&frame);
        let welcome = matches!(frame, NodeFrame::Welcome(_));
        assert!(welcome != self.seen.opened, "[HELLO-19] {frame:?}");
        let (many, octets) = (frame.payloads().count() as u64, frame.message_octets());
        match frame {
            NodeFrame::Welcome(welcome) => self.welcomed(&welcome),
            NodeFrame::Ack(ack) => {
                assert!(ack.n <= self.seen.mark, "[ACK-1]: {ack:?} above {}", self.seen.mark);
                assert!(ack.n >= self.seen.acked && ack.credit >= self.seen.credit, "[ACK-5] [CRED-2]");
                assert!(ack.credit <= ack.n + WINDOW_MESSAGES_MAX, "[CRED-4]");
                let listed: Vec<_> = ack.refused.iter().map(|(n, _)| *n).collect();
                assert!(listed.is_sorted() && listed.iter().all(|n| *n > self.seen.acked), "[ACK-3]");
                (self.seen.acked, self.seen.credit) = (ack.n, ack.credit);
            }
            NodeFrame::Push { after, upto, .. } | NodeFrame::Advance { after, upto } => {
                self.seen.pushed.0 += many;
                self.seen.pushed.1 += octets;
                assert_eq!(after, self.seen.told, "[POS-8]");
                assert!(upto >= after);
                self.seen.told = upto;
                self.position = Some(upto);
            }
            NodeFrame::Joined { from, .. } => assert!(from >= self.seen.told, "[ROOM-4]"),
            NodeFrame::Lost { loss, .. } => assert!(loss.first > self.seen.told, "[LOST-7]"),
            NodeFrame::Ping { x } => {
                assert!(x > self.seen.pings, "[LIVE-2]");
                self.seen.pings = x;
            }
            _ => {}
        }
    }

    fn welcomed(&mut self, welcome: &Welcome) {
        assert_eq!(welcome.check(), Ok(()), "[WELC-2]");
        if self.epoch.as_ref() == Some(&welcome.epoch) {
            assert_eq!(Some(welcome.position), self.position, "[WELC-9]");
        }
        assert!(welcome.mark <= self.seen.granted, "[WELC-6] nobody has settled {}", welcome.mark);
        self.seen.opened = true;
        self.seen.told = welcome.position;
        (self.seen.mark, self.seen.claimed, self.seen.acked) = (welcome.mark, welcome.mark, welcome.mark);
        self.seen.credit = welcome.credit;
        if welcome.producing == everwire_core::session::up::Producing::Successor {
            self.producer = self.producer.wrapping_add(1);
            self.written = 0;
        }
        self.next = welcome.mark + 1;
        self.born = Some(welcome.born);
        self.epoch = Some(welcome.epoch.clone());
        self.position = Some(welcome.position);
    }

    pub fn frame(&mut self, head: &str, body: NodeBody<Body>, octets: Option<u64>) {
        let shape = Shape { form: Form::Text, body_bytes: octets, envelope_bytes: None };
        self.node.handle_frame(head.as_bytes(), shape, body, self.now);
    }

    fn hello(&mut self, a: u16) {
        let hello = self.next_hello(a);
        self.frame("hello", NodeBody::Hello(Box::new(hello)), Some(100));
    }

    pub fn next_hello(&mut self, a: u16) -> Hello {
        self.link += 1;
        let (link, written) = (self.link, self.written);
        let rooms = ROOMS.iter().take(usize::from(a % 6)).map(|room| Wished {
            room: (*room).into(),
            from: self.position.filter(|_| a.is_multiple_of(3)),
            grant: None,
        });
        Hello {
            token: None,
            producer: producer(self.producer),
            successor: (written > 0).then(|| producer(self.producer.wrapping_add(1))),
            link,
            oldest: 1,
            written,
            born: self.born.filter(|_| written > 0),
            epoch: self.epoch.clone(),
            position: self.position,
            rooms: rooms.collect(),
            pending: (1..=written.min(3)).collect(),
            held: Amount { messages: u64::from(a % 7), octets: 0 },
            visible: a.is_multiple_of(2),
            features: vec!["x".into()],
        }
    }

    fn send(&mut self, a: u16, b: u16) {
        let kinds = |at: u64| match (a / 8 + at as u16) % 6 {
            0 => Element { bytes: 10, kind: ElementKind::Malformed },
            1 => Element { bytes: 4, kind: ElementKind::Withdrawn },
            2 => request(at as u32),
            3 if a % 64 == 40 => Element { bytes: 2 << 20, ..message("room_a", 1) },
            _ => message(ROOMS[usize::from(b) % 5], at as u32),
        };
        let count = u64::from(a % 8);
        let wrong = u64::from(b.is_multiple_of(400));
        let head =
            format!("send {} {} {}", self.next + wrong, count, 1 + self.seen.acked.min(u64::from(b / 64)));
        let elements: Vec<_> = (0..count + u64::from(b.is_multiple_of(401))).map(kinds).collect();
        self.frame(&head, NodeBody::Elements(elements), Some(200));
        if self.seen.opened && !self.seen.closed {
            self.next += count;
            self.written = self.written.max(self.next - 1);
        }
    }

    fn answer_ask(&mut self, a: u16, b: u16) {
        if self.asks.is_empty() {
            return;
        }
        let action = self.asks.remove(usize::from(a) % self.asks.len());
        if let NodeAction::Authenticate { id, .. }
        | NodeAction::Authorise { id, .. }
        | NodeAction::Examine { id, .. } = &action
        {
            self.open.remove(id);
        }
        match action {
            NodeAction::Authenticate { id, producer, successor, .. } => {
                self.old_asks.push(id);
                let answer = match b % 60 {
                    0 => Err(NotAuthenticated::Refused),
                    1 => Err(NotAuthenticated::Failed),
                    2 => Ok("user_2"),
                    3 => Ok("room_2"),
                    _ => Ok("user_1"),
                };
                let answer = answer.map(|name| Authenticated {
                    as_producer: persona(name, producer),
                    as_successor: successor.map(|successor| persona(name, successor)),
                    expires: (b.is_multiple_of(5)).then(|| secs(20)),
                });
                self.node.handle_authenticated(id, answer, self.now);
            }
            NodeAction::Authorise { id, rooms, .. } => {
                self.old_asks.push(id);
                let standing = |at: usize| match (b as usize + at) % 7 {
                    0 => Standing::Denied("no".into()),
                    1 => Standing::Denied("Not A Code".into()),
                    2 => Standing::Allowed { from_holds: false, since: 0 },
                    3 => Standing::Allowed { from_holds: true, since: u64::from(b) },
                    _ => Standing::Allowed { from_holds: true, since: 0 },
                };
                let many =
                    rooms.len() + usize::from(b.is_multiple_of(19)) - usize::from(b.is_multiple_of(123));
                let answer = if b.is_multiple_of(117) {
                    Err(HookFailed)
                } else {
                    Ok((0..many).map(standing).collect())
                };
                self.node.handle_authorised(id, answer, self.now);
            }
            NodeAction::Examine { id, subject, payload, .. } => {
                self.old_asks.push(id);
                let answer = match b % 8 {
                    0 => Examined::Failed,
                    1 => Examined::Refuse("x-everwire-mine".into()),
                    2 => Examined::Pass { subject: Some("_secret".into()), payload },
                    3 => Examined::Pass { subject: Some("room_b".into()), payload },
                    _ => Examined::Pass { subject, payload },
                };
                self.node.handle_examined(id, answer, self.now);
            }
            _ => unreachable!(),
        }
    }

    pub fn note(&mut self, answer: &Answer<Body>) {
        if let Answer::Claim(Ok(Claimed::Claimed { mark, .. })) = answer {
            self.seen.granted = self.seen.granted.max(*mark);
        }
        let mark = match answer {
            Answer::Append(Ok(
                Appended::Stored { mark, .. }
                | Appended::Duplicate { mark, .. }
                | Appended::Full { mark, .. },
            )) => *mark,
            Answer::Refuse(Ok(
                RefusalAnswer::Refused { mark }
                | RefusalAnswer::Duplicate { mark, .. }
                | RefusalAnswer::Full { mark },
            )) => *mark,
            _ => return,
        };
        self.seen.mark = self.seen.mark.max(mark);
    }

    fn answer_call(&mut self, a: u16, b: u16) {
        if self.calls.is_empty() {
            return;
        }
        let (id, call) = self.calls.remove(usize::from(a) % self.calls.len());
        self.old_calls.push(id);
        let claims = matches!(call, Call::Claim(_));
        let answer = match if claims && !b.is_multiple_of(8) { 9 } else { b % 24 } {
            0 => call.unanswered(),
            1 => {
                let _ = call.carry_out(&mut self.engine, self.now);
                call.unanswered()
            }
            // The answer to something else, or one that contradicts what was said.
            2 => Answer::Publish(Ok(())),
            3 => Answer::Read(Ok(Read::Behind { head: u64::from(b) })),
            4 => match &call {
                Call::Append { .. } if a.is_multiple_of(16) => Answer::Append(Ok(Appended::Gap { mark: 1 })),
                Call::Append { .. } => {
                    Answer::Append(Ok(Appended::Full { mark: self.seen.mark, numbers: vec![] }))
                }
                _ => Answer::Trimmed(Ok(vec![("room_a".into(), u64::from(b))])),
            },
            _ => call.carry_out(&mut self.engine, self.now),
        };
        self.note(&answer);
        self.node.handle_answer(id, answer.clone(), self.now);
        if b.is_multiple_of(5) {
            self.drain();
            self.node.handle_answer(id, answer, self.now);
        }
    }

    pub fn origin_turn(&mut self, a: u16, b: u16) {
        match b % 4 {
            0 if !self.ids.is_empty() => {
                let nth = usize::from(a) % self.ids.len();
                let (id, n) = self.ids.iter().nth(nth).map(|(id, n)| (*id, *n)).unwrap();
                self.origin.handle_ran(id, Body { octets: 1 << (b % 30), ..body(n as u32) }, self.now);
            }
            1 if !self.origin_calls.is_empty() => {
                let (id, call) = self.origin_calls.remove(usize::from(a) % self.origin_calls.len());
                let answer = if b.is_multiple_of(3) {
                    call.unanswered()
                } else {
                    call.carry_out(&mut self.engine, self.now)
                };
                self.origin.handle_answer(id, answer, self.now);
            }
            _ => self.origin.handle_timeout(self.now),
        }
        for _ in 0..10_000 {
            let Some(action) = self.origin.poll() else { return };
            match action {
                OriginAction::Draw => {
                    self.drawn = self.drawn.wrapping_add(1);
                    self.origin.handle_drawn(
                        Producer([self.drawn, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]),
                        "_origin".into(),
                        self.now,
                    );
                }
                OriginAction::Call { id, call } => self.origin_calls.push((id, call)),
                OriginAction::Compose { id, .. } => self.origin.handle_composed(id, body(0), self.now),
                OriginAction::Ended { n, link, .. } => {
                    if self.node.producer().is_some_and(|(_, own)| own == link) {
                        self.node.handle_ran(n, self.now);
                    }
                }
            }
        }
        panic!("the origin never comes to rest");
    }

    pub fn step(&mut self, op: u8, a: u16, b: u16) {
        let phase = self.node.phase();
        if matches!(op, 0..=4 | 15..=20)
            && (phase == NodePhase::Claiming || op == 0 && self.seen.opened)
            && !b.is_multiple_of(64)
        {
            // Wrong, so that it ends most of what it meets; and not to be missed either.
            return self.step(5 + (op + 4) % 10, a, b);
        }
        if phase == NodePhase::Ended && !a.is_multiple_of(4) {
            self.relink();
            self.drain();
            for _ in 0..(a / 4) % 8 {
                self.step(5, 0, 4);
                self.step(9, 0, 7);
            }
        }
        match op {
            0 => self.hello(a),
            1..=4 => self.send(a, b),
            5..=8 => self.answer_ask(a, b),
            9..=14 => self.answer_call(a, b),
            15 => {
                let room = ROOMS[usize::from(a) % 5];
                let verb = ["join", "join", "leave"][usize::from(b) % 3];
                self.frame(&format!("{verb} {room}"), NodeBody::None, None);
            }
            16 => {
                self.next_page += 1;
                let room = ROOMS[usize::from(a) % 5];
                let head = format!("page {} {room} {} {}", self.next_page, b % 60, 1 + a % 256);
                self.frame(&head, NodeBody::None, None);
            }
            17 => {
                let elements =
                    (0..a % 64 % 5).map(|id| message(ROOMS[usize::from(b) % 5], id.into())).collect();
                self.frame("cast", NodeBody::Elements(elements), Some(100));
            }
            18 => {
                // Never more than there was, and mostly right.
                let head = match b % 32 {
                    0 => format!("seen {a} {b} 1"),
                    _ => format!("seen {} {} {}", self.seen.told, self.seen.pushed.0, self.seen.pushed.1),
                };
                self.frame(&head, NodeBody::None, None);
            }
            19 => {
                let heads =
                    ["vis 0", "vis 1", "ping 7", "pong 1", "more 20000", "x-else", "bye 0", "advance 1 2"];
                self.frame(heads[usize::from(a) % 8], NodeBody::None, None);
            }
            20 => self.frame("auth", NodeBody::Token("t".into()), Some(20)),
            21 => {
                self.now = self.now + ms(u64::from(if b.is_multiple_of(8) { a } else { a % 512 }));
                self.meet_deadlines();
                self.origin_turn(a, 2);
                let due = self.origin.next_deadline();
                assert!(due.is_none_or(|due| due > self.now), "a deadline of the origin that does not end");
            }
            22 => {
                self.transport.written = self.transport.written.saturating_add(u64::from(a) * 40);
                self.transport.taken = self.transport.written.saturating_sub(u64::from(b) * u64::from(b % 2));
                self.transport.waiting_other = if b.is_multiple_of(4) { u64::from(a) * 40 } else { 0 };
                self.node.handle_transport(self.transport, self.now);
            }
            23 => self.node.handle_revoked(&ROOMS[usize::from(a) % 5].into(), self.now),
            24 => match a % 40 {
                0 => self.node.handle_closed(),
                1 => self.node.handle_end(4501, "ended", self.now),
                2 => {
                    let (leave_in, window) = (secs(b.into()), ms(b.into()));
                    let drain = Drain { leave_in, window, reason: "deploy".into(), url: None };
                    self.node.handle_drain(drain, self.now);
                }
                3 => self.node.handle_too_long(self.now),
                4 => self.node.handle_expires(Some(Duration::from_secs(b.into())), self.now),
                5 => self.node.handle_elsewhere(usize::from(b), self.now),
                6 => self.node.handle_window(b.into(), self.now),
                7 => {
                    self.epochs += 1;
                    self.engine.restart(format!("e{}", self.epochs).as_str().into());
                }
                8 => {
                    for id in self.old_asks.clone() {
                        self.node.handle_examined(id, Examined::Failed, self.now);
                        self.node.handle_authorised(id, Ok(vec![]), self.now);
                    }
                }
                9 => {
                    for id in self.old_calls.clone() {
                        let answer = Answer::Append(Ok(Appended::Stored { mark: 9, numbers: vec![] }));
                        self.node.handle_answer(id, answer, self.now);
                    }
                }
                10 => self.node.handle_octets(b.into(), self.now),
                _ => self.node.wake(self.now),
            },
            25 => self.node.wake(self.now),
            26..=29 => self.origin_turn(a, b),
            _ => self.relink(),
        }
        self.drain();
    }

    /// Time has passed. A deadline that is met may show another that has passed, but not for ever.
    pub fn meet_deadlines(&mut self) {
        for _ in 0..=DEADLINES_MAX {
            self.node.handle_timeout(self.now);
            self.drain();
            if self.node.next_deadline().is_none_or(|due| due > self.now) {
                return;
            }
        }
        panic!("a deadline that does not end: {:?}", self.node.next_deadline());
    }

    fn relink(&mut self) {
        if !self.seen.closed && self.node.phase() != NodePhase::Ended {
            return;
        }
        let config = NodeConfig { examines: self.link.is_multiple_of(2), ..self.config.clone() };
        self.node = Node::new(config, self.now);
        self.open.clear();
        self.seen = Seen::default();
        (self.asks, self.calls) = (Vec::new(), Vec::new());
        (self.old_asks, self.old_calls) = (Vec::new(), Vec::new());
        self.transport = Transport::default();
        self.hello(6);
    }
}
