//! A hand-written client, one node, and an engine in memory; time is virtual. Every frame that the node writes is read
//! as a client would read it, and hooks and engine answer at once unless a test keeps them waiting.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use everwire_core::engine::*;
use everwire_core::frame::{Form, FromClient, FromServer, Room, Shape};
use everwire_core::session::down::{Amount, Content, Standing};
use everwire_core::session::node::*;
use everwire_core::session::up::Ack;
use everwire_core::session::{Hello, Secret, Welcome, Wished};
use everwire_core::{Duration, Instant};

/// A message: its octets say how long it is, its id what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    pub id: u32,
    pub octets: u64,
    pub binary: bool,
}

impl Payload for Body {
    fn octets(&self) -> u64 {
        self.octets
    }
}

impl Content for Body {
    fn is_binary(&self) -> bool {
        self.binary
    }
}

pub const OWN: &str = "user_1";
/// More rounds than this without an end are a loop.
const ROUNDS_MAX: usize = 100_000;

pub fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub fn subject(name: &str) -> Subject {
    name.into()
}

pub fn producer(id: u8) -> Producer {
    Producer([id; 16])
}

pub fn inbox(producer: Producer) -> Subject {
    format!("_inbox{}", producer.0[0]).as_str().into()
}

pub fn body(id: u32) -> Body {
    Body { id, octets: 10, binary: false }
}

pub fn kind(receiver: Option<&str>, request: bool, id: u32) -> ElementKind<Body> {
    ElementKind::Message { receiver: receiver.map(subject), request, payload: body(id) }
}

/// A message of 10 octets.
pub fn message(to: &str, id: u32) -> Element<Body> {
    Element { bytes: 10, kind: kind(Some(to), false, id) }
}

pub fn request(id: u32) -> Element<Body> {
    Element { bytes: 10, kind: kind(None, true, id) }
}

/// The first `hello` of a client.
pub fn hello() -> Hello {
    Hello {
        token: Some("tk-1".into()),
        producer: producer(1),
        successor: None,
        link: 1,
        oldest: 1,
        written: 0,
        born: None,
        epoch: None,
        position: None,
        rooms: Vec::new(),
        pending: Vec::new(),
        held: Amount::default(),
        visible: true,
        features: Vec::new(),
    }
}

/// The `hello` of a later link, with what earlier ones have brought.
pub fn again(link: u64, oldest: u64, written: u64, position: u64) -> Hello {
    Hello {
        successor: (written > 0).then(|| producer(2)),
        link,
        oldest,
        written,
        born: (written > 0).then_some(1),
        epoch: Some("e0".into()),
        position: Some(position),
        ..hello()
    }
}

pub fn wished(room: &str, from: Option<u64>) -> Wished {
    Wished { room: room.into(), from, grant: from.map(|_| "g".into()) }
}

pub fn persona(identity: &str, producer: Producer) -> Persona {
    Persona { identity: Identity::named(identity), inbox: inbox(producer) }
}

/// What the node says, in the order in which it says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Frame(NodeFrame<Body>),
    Close(u16, String),
}

/// n, credit and what was refused.
pub type AckRead = (u64, u64, Vec<(u64, String)>);

/// Who answers the node, and how.
pub struct Hooks {
    /// Held back: a test answers by itself.
    pub waits_authentication: bool,
    pub waits_authorisation: bool,
    pub waits_examination: bool,
    pub waits_calls: bool,
    /// Of calls, only `append` and `refuse`.
    pub waits_writes: bool,
    pub refused: Option<NotAuthenticated>,
    pub identity: String,
    pub successor_identity: String,
    pub anonymous: bool,
    pub expires: Option<Duration>,
    pub denied: BTreeSet<String>,
    pub without_grant: BTreeSet<String>,
    pub since: BTreeMap<String, u64>,
    /// What the hook says of messages by their id.
    pub verdicts: BTreeMap<u32, Examined<Body>>,
}

pub struct Rig {
    pub now: Instant,
    pub engine: Memory<Body>,
    pub node: Node<Body>,
    pub hooks: Hooks,
    pub said: Vec<Said>,
    pub lingers: Option<bool>,
    /// Questions and calls that were held back.
    pub waiting: VecDeque<NodeAction<Body>>,
    /// Every question that was asked.
    pub asked: Vec<NodeAction<Body>>,
    pub calls: Vec<Call<Body>>,
    pub runs: Vec<Request<Body>>,
    pub reading: Vec<bool>,
    pub visible: Vec<bool>,
    posts: u64,
    wakes: bool,
}

impl Rig {
    pub fn new() -> Self {
        Self::with(NodeConfig::default(), MemoryConfig::default())
    }

    pub fn with(config: NodeConfig, memory: MemoryConfig) -> Self {
        let now = Instant::default() + secs(1000);
        Self {
            now,
            engine: Memory::new(memory, "e0".into()),
            node: Node::new(config, now),
            hooks: Hooks {
                waits_authentication: false,
                waits_authorisation: false,
                waits_examination: false,
                waits_calls: false,
                waits_writes: false,
                refused: None,
                identity: OWN.into(),
                successor_identity: OWN.into(),
                anonymous: false,
                expires: None,
                denied: BTreeSet::new(),
                without_grant: BTreeSet::new(),
                since: BTreeMap::new(),
                verdicts: BTreeMap::new(),
            },
            said: Vec::new(),
            lingers: None,
            waiting: VecDeque::new(),
            asked: Vec::new(),
            calls: Vec::new(),
            runs: Vec::new(),
            reading: Vec::new(),
            visible: Vec::new(),
            posts: 0,
            wakes: true,
        }
    }

    /// A link that is welcome, in these rooms from now on.
    pub fn open(rooms: &[&str]) -> Self {
        let mut rig = Self::new();
        let rooms = rooms.iter().map(|room| wished(room, None)).collect();
        rig.hello(Hello { rooms, ..hello() });
        rig.welcome();
        rig
    }

    /// Another link, at a node of its own.
    pub fn relink(&mut self, hello: Hello) {
        self.relink_with(NodeConfig::default(), hello);
    }

    pub fn relink_with(&mut self, config: NodeConfig, hello: Hello) {
        self.node = Node::new(config, self.now);
        self.said.clear();
        self.waiting.clear();
        self.runs.clear();
        self.calls.clear();
        self.lingers = None;
        self.hello(hello);
    }

    // ---- what the client writes ----

    pub fn frame(&mut self, head: &str, body: NodeBody<Body>, octets: Option<u64>) {
        self.shaped(head, Shape { form: Form::Text, body_bytes: octets, envelope_bytes: None }, body);
    }

    pub fn shaped(&mut self, head: &str, shape: Shape, body: NodeBody<Body>) {
        self.node.handle_frame(head.as_bytes(), shape, body, self.now);
        self.drain();
    }

    /// A frame without a body.
    pub fn line(&mut self, head: &str) {
        self.frame(head, NodeBody::None, None);
    }

    pub fn hello(&mut self, hello: Hello) {
        self.frame("hello", NodeBody::Hello(Box::new(hello)), Some(300));
    }

    pub fn send(&mut self, n: u64, oldest: u64, elements: Vec<Element<Body>>) {
        let octets = elements.iter().map(|element| element.bytes + 1).sum::<u64>() + 1;
        let head = format!("send {n} {} {oldest}", elements.len());
        self.frame(&head, NodeBody::Elements(elements), Some(octets.max(2)));
    }

    /// Messages n … to this room, with the numbers as ids.
    pub fn texts(&mut self, n: u64, count: u64, oldest: u64) {
        let elements = (n..n + count).map(|n| message("room_a", n as u32)).collect();
        self.send(n, oldest, elements);
    }

    pub fn cast(&mut self, elements: Vec<Element<Body>>) {
        let octets = elements.iter().map(|element| element.bytes + 1).sum::<u64>() + 1;
        self.frame("cast", NodeBody::Elements(elements), Some(octets.max(2)));
    }

    pub fn auth(&mut self, token: &str) {
        self.frame("auth", NodeBody::Token(Secret::from(token)), Some(20));
    }

    // ---- the rest of the world ----

    pub fn drain(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let Some(action) = self.node.poll() else { return };
            self.carry_out(action);
        }
        panic!("the node never comes to rest");
    }

    fn carry_out(&mut self, action: NodeAction<Body>) {
        assert!(
            self.lingers.is_none() || matches!(action, NodeAction::Run(_)),
            "after the close: {action:?}"
        );
        let waits = match &action {
            NodeAction::Authenticate { .. } => self.hooks.waits_authentication,
            NodeAction::Authorise { .. } => self.hooks.waits_authorisation,
            NodeAction::Examine { .. } => self.hooks.waits_examination,
            NodeAction::Call { call: Call::Append { .. } | Call::Refuse { .. }, .. } => {
                self.hooks.waits_calls || self.hooks.waits_writes
            }
            NodeAction::Call { .. } => self.hooks.waits_calls,
            _ => false,
        };
        match &action {
            NodeAction::Call { call, .. } => self.calls.push(call.clone()),
            NodeAction::Authenticate { .. } | NodeAction::Authorise { .. } | NodeAction::Examine { .. } => {
                self.asked.push(action.clone());
            }
            _ => {}
        }
        if waits {
            self.waiting.push_back(action);
        } else {
            self.answer(action);
        }
    }

    /// Answers as the hooks are set, or carries out.
    pub fn answer(&mut self, action: NodeAction<Body>) {
        match action {
            NodeAction::Authenticate { id, producer, successor, .. } => {
                let answer = match self.hooks.refused {
                    Some(refused) => Err(refused),
                    None => Ok(self.authenticated(producer, successor)),
                };
                self.node.handle_authenticated(id, answer, self.now);
            }
            NodeAction::Authorise { id, rooms, .. } => {
                let answers = rooms.iter().map(|asking| self.standing(asking.room.as_str())).collect();
                self.node.handle_authorised(id, Ok(answers), self.now);
            }
            NodeAction::Examine { id, subject, payload, .. } => {
                let pass = Examined::Pass { subject, payload: payload.clone() };
                let answer = self.hooks.verdicts.get(&payload.id).cloned().unwrap_or(pass);
                self.node.handle_examined(id, answer, self.now);
            }
            NodeAction::Call { id, call } => {
                let before = self.engine.changes();
                let answer = call.carry_out(&mut self.engine, self.now);
                self.node.handle_answer(id, answer, self.now);
                if self.engine.changes() != before && self.wakes {
                    self.node.wake(self.now);
                }
            }
            NodeAction::Run(request) => self.runs.push(request),
            NodeAction::Write(frame) => {
                read_as_a_client(&frame);
                self.said.push(Said::Frame(frame));
            }
            NodeAction::Reading(reading) => self.reading.push(reading),
            NodeAction::Visible(visible) => self.visible.push(visible),
            NodeAction::Close { code, reason, lingers } => {
                self.lingers = Some(lingers);
                self.said.push(Said::Close(code, reason.into_owned()));
            }
        }
    }

    pub fn authenticated(&self, producer: Producer, successor: Option<Producer>) -> Authenticated {
        let persona = |identity: &str, producer| {
            let mut persona = persona(identity, producer);
            persona.identity.anonymous = self.hooks.anonymous;
            persona
        };
        Authenticated {
            as_producer: persona(&self.hooks.identity, producer),
            as_successor: successor.map(|successor| persona(&self.hooks.successor_identity, successor)),
            expires: self.hooks.expires,
        }
    }

    fn standing(&self, room: &str) -> Standing {
        if self.hooks.denied.contains(room) {
            return Standing::Denied("forbidden".into());
        }
        let since = self.hooks.since.get(room).copied().unwrap_or(0);
        Standing::Allowed { from_holds: !self.hooks.without_grant.contains(room), since }
    }

    /// Answers the oldest question or call that was held back.
    pub fn release(&mut self) {
        let action = self.waiting.pop_front().expect("nothing was held back");
        self.answer(action);
        self.drain();
    }

    pub fn release_all(&mut self) {
        while !self.waiting.is_empty() {
            self.release();
        }
    }

    /// The engine does not answer the oldest call that was held back; it has carried it out or not.
    pub fn fail(&mut self, carried_out: bool) {
        let Some(NodeAction::Call { id, call }) = self.waiting.pop_front() else { panic!("no call") };
        if carried_out {
            let _ = call.carry_out(&mut self.engine, self.now);
        }
        self.node.handle_answer(id, call.unanswered(), self.now);
        self.drain();
    }

    pub fn wake(&mut self) {
        self.node.wake(self.now);
        self.drain();
    }

    /// Somebody else's message.
    pub fn post(&mut self, to: &str) -> u64 {
        self.post_body(to, body(0))
    }

    pub fn post_body(&mut self, to: &str, payload: Body) -> u64 {
        self.post_as(Post::new(to.into(), payload))
    }

    /// The answer to request n is put into the inbox of a producer.
    pub fn reply(&mut self, to: Producer, n: u64, payload: Body) -> u64 {
        self.post_as(Post { subject: inbox(to), payload, tag: Some(n) })
    }

    fn post_as(&mut self, post: Post<Body>) -> u64 {
        self.posts += 1;
        let producer = Producer((u128::from(self.posts) << 64).to_be_bytes());
        let epoch = self.engine.epoch().clone();
        let inbox = format!("_fill{}", self.posts).as_str().into();
        let identity = Identity::named("_fill");
        let claim = Claim { producer, identity, inbox, link: 1, oldest: 1, written: 0, born: None };
        self.engine.claim(&claim, self.now).unwrap();
        let fence = Fence { epoch, producer, link: 1, oldest: 1 };
        let Appended::Stored { numbers, .. } = self.engine.append(&fence, 1, &[post], self.now).unwrap()
        else {
            panic!("not stored")
        };
        self.engine.forget(&producer, self.now).unwrap();
        if self.wakes {
            self.wake();
        }
        numbers[0]
    }

    /// Time passes, and every deadline on the way is met.
    pub fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        for _ in 0..ROUNDS_MAX {
            match self.node.next_deadline().filter(|due| *due <= end) {
                Some(due) => self.now = self.now.max(due),
                None => {
                    self.now = end;
                    return;
                }
            }
            self.node.handle_timeout(self.now);
            self.drain();
        }
        panic!("its deadlines never end");
    }

    /// Time passes and nobody looks.
    pub fn sleep(&mut self, span: Duration) {
        self.now = self.now + span;
    }

    pub fn timeout(&mut self) {
        self.node.handle_timeout(self.now);
        self.drain();
    }

    // ---- what the node has said ----

    pub fn take(&mut self) -> Vec<Said> {
        core::mem::take(&mut self.said)
    }

    pub fn frames(&mut self) -> Vec<NodeFrame<Body>> {
        let frame = |said| match said {
            Said::Frame(frame) => Some(frame),
            Said::Close(..) => None,
        };
        self.take().into_iter().filter_map(frame).collect()
    }

    pub fn closed(&self) -> Option<(u16, &str)> {
        self.said.iter().find_map(|said| match said {
            Said::Close(code, reason) => Some((*code, reason.as_str())),
            Said::Frame(_) => None,
        })
    }

    pub fn welcome(&mut self) -> Welcome {
        let mut frames = self.frames();
        assert!(!frames.is_empty(), "nothing was written");
        match frames.remove(0) {
            NodeFrame::Welcome(welcome) => {
                self.said = frames.into_iter().map(Said::Frame).collect();
                *welcome
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn acks(&mut self) -> Vec<AckRead> {
        let ack = |frame| match frame {
            NodeFrame::Ack(Ack { n, credit, refused }) => {
                Some((n, credit, refused.iter().map(|(n, code)| (*n, code.to_string())).collect()))
            }
            _ => None,
        };
        self.frames().into_iter().filter_map(ack).collect()
    }

    /// after, upto and ids of what was pushed; an `advance` has none.
    pub fn pushes(&mut self) -> Vec<(u64, u64, Vec<u64>)> {
        let push = |frame| match frame {
            NodeFrame::Push { after, upto, messages } => {
                Some((after, upto, messages.iter().map(|message| message.s).collect()))
            }
            NodeFrame::Advance { after, upto } => Some((after, upto, vec![])),
            _ => None,
        };
        self.frames().into_iter().filter_map(push).collect()
    }

    /// The ids in the log under a subject.
    pub fn log(&mut self, subject: &str) -> Vec<u32> {
        let epoch = self.engine.epoch().clone();
        let filter = Filter::new().with(subject.into(), 0);
        let (span, limit) =
            (Span { after: 0, before: u64::MAX }, Limit { messages: usize::MAX, octets: u64::MAX });
        match self.engine.read(&epoch, &filter, span, limit, Direction::Upwards, self.now).unwrap() {
            Read::Interval(interval) => interval.messages.iter().map(|message| message.payload.id).collect(),
            other => panic!("{other:?}"),
        }
    }
}

/// Every frame that a node writes is one.
pub fn read_as_a_client(frame: &NodeFrame<Body>) {
    let mut head = Vec::new();
    frame.head(Some(&"g".into()), &mut head);
    let body = head.last() == Some(&b'\n');
    if body {
        head.pop();
    }
    let binary = frame.is_binary();
    let octets = if frame.has_messages() { frame.message_octets() } else { 100 };
    let shape = Shape {
        form: if binary { Form::Binary } else { Form::Text },
        body_bytes: body.then_some(octets),
        envelope_bytes: binary.then_some(2),
    };
    let line = String::from_utf8(head.clone()).unwrap();
    FromServer::parse(&head, shape, 1 << 30).unwrap_or_else(|error| panic!("{line}: {error:?}"));
}

/// A room as it stands in a header line.
pub fn encoded(room: &str) -> String {
    Room::encode(room).unwrap()
}

/// For those who write frames by their parts.
pub fn head_of(frame: FromClient<'_>) -> String {
    let mut head = Vec::new();
    frame.write(&mut head);
    String::from_utf8(head).unwrap().trim_end().into()
}
