//! One client, one engine, and a link between them that can lose what is on it; time is virtual.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use everwire_core::engine::*;
use everwire_core::frame::{Code, Form, FromClient, FromServer, Numbers, Room, split};
use everwire_core::session::down::*;
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
const ROUNDS_MAX: usize = 10_000;

pub fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub fn subject(name: &str) -> Subject {
    name.into()
}

/// What is on its way down.
#[derive(Clone, Debug)]
pub enum Down {
    Frame { bytes: Vec<u8>, messages: Vec<Message<Body>> },
    Welcome(Welcome),
    Lost(Loss),
    Cast,
}

pub struct Node {
    pub feed: Feed,
    pub epoch: LogEpoch,
    pub down: VecDeque<Down>,
    pub up: VecDeque<Vec<u8>>,
}

pub struct World {
    pub now: Instant,
    pub engine: Memory<Body>,
    pub epochs: u32,
    links: u64,
    /// Every message ever stored, by its log: what a reader may have a right to.
    pub stored: BTreeMap<String, Vec<(u64, Subject)>>,
    pub client: Reader,
    /// What the host has.
    pub record: Record,
    pub node: Option<Node>,
    pub forbidden: BTreeSet<Subject>,
    /// Handlers that run.
    pub running: Vec<Started>,
    /// Every handler that was ever started.
    pub started: Vec<Started>,
    pub reports: Vec<Report>,
    next_id: u32,
}

impl World {
    pub fn new(config: MemoryConfig) -> Self {
        Self {
            now: Instant::default() + Duration::from_secs(1000),
            engine: Memory::new(config, "e0".into()),
            epochs: 0,
            links: 0,
            stored: BTreeMap::new(),
            client: Reader::new(),
            record: Record::default(),
            node: None,
            forbidden: BTreeSet::new(),
            running: Vec::new(),
            started: Vec::new(),
            reports: Vec::new(),
            next_id: 0,
        }
    }

    /// A client that is at the end of an empty log and in these rooms.
    pub fn open(rooms: &[&str]) -> Self {
        let mut world = Self::new(MemoryConfig::default());
        for room in rooms {
            world.client.join(subject(room)).unwrap();
        }
        world.connect();
        world.settle_down();
        world
    }

    pub fn post(&mut self, to: &str, octets: u64, binary: bool) -> u64 {
        self.links += 1;
        self.next_id += 1;
        let producer = Producer(u128::from(self.links).to_be_bytes());
        let epoch = self.engine.epoch().clone();
        let inbox = format!("_inbox.{}", self.links).as_str().into();
        let identity = Identity::named("_fill");
        let claim = Claim { producer, identity, inbox, link: 1, oldest: 1, written: 0, born: None };
        self.engine.claim(&claim, self.now).unwrap();
        let fence = Fence { epoch: epoch.clone(), producer, link: 1, oldest: 1 };
        let post = Post::new(to.into(), Body { id: self.next_id, octets, binary });
        let Appended::Stored { numbers, .. } = self.engine.append(&fence, 1, &[post], self.now).unwrap()
        else {
            panic!("not stored")
        };
        self.engine.forget(&producer, self.now).unwrap();
        self.stored.entry(epoch.to_string()).or_default().push((numbers[0], to.into()));
        if let Some(node) = self.node.as_mut() {
            node.feed.wake();
        }
        numbers[0]
    }

    pub fn new_epoch(&mut self) {
        self.epochs += 1;
        self.engine.restart(format!("e{}", self.epochs).as_str().into());
        self.drop_link();
    }

    pub fn head(&mut self) -> u64 {
        let epoch = self.engine.epoch().clone();
        let (span, limit) = (Span { after: 0, before: u64::MAX }, Limit { messages: 1, octets: 1 });
        let read = self.engine.read(&epoch, &Filter::new(), span, limit, Direction::Upwards, self.now);
        let Ok(Read::Interval(read)) = read else { panic!("no head") };
        read.upto
    }

    pub fn opening(&mut self, hello: &Hello) -> Opening {
        let engine_epoch = self.engine.epoch().clone();
        let allowed = |room: &Subject| {
            let standing = Standing::Allowed { from_holds: true, since: 0 };
            if self.forbidden.contains(room) { Standing::Denied("forbidden".into()) } else { standing }
        };
        let rooms: Vec<_> = hello
            .rooms
            .iter()
            .map(|(room, seat)| Asked { subject: room.clone(), from: seat.from, standing: allowed(room) })
            .collect();
        let own = subject(OWN);
        let head = self.head();
        let (epoch, position) = (hello.epoch.clone(), hello.position);
        let trimmed = Vec::new();
        let mut opening =
            Opening { epoch, position, rooms, held: hello.held, own, engine_epoch, head, trimmed };
        let asked = self.engine.trimmed(&opening.engine_epoch, &opening.question(), self.now);
        opening.trimmed = asked.unwrap();
        opening
    }

    /// A new link to another node, whose `welcome` is on its way.
    pub fn connect(&mut self) {
        self.drop_link();
        let hello = self.client.hello();
        let opening = self.opening(&hello);
        opening.check().unwrap();
        let opened = opening.open().unwrap();
        let epoch = opening.engine_epoch.clone();
        let feed = Feed::new(epoch.clone(), opening.own.clone(), opening.held, &opened, self.now);
        let grant = Some("g".into());
        let place =
            |(room, from): (&Subject, u64)| Place { subject: room.clone(), from, grant: grant.clone() };
        let welcome = Welcome {
            epoch: epoch.clone(),
            own: opening.own,
            position: opened.position,
            rooms: opened.filter.iter().map(place).collect(),
            denied: opened.denied,
            lost: opened.lost,
        };
        let down = [Down::Welcome(welcome)].into();
        self.node = Some(Node { feed, epoch, down, up: VecDeque::new() });
    }

    pub fn drop_link(&mut self) {
        if self.node.take().is_some() {
            self.client.link_lost();
        }
    }

    /// The instance dies; a fresh one is refilled from what the host has.
    pub fn restore(&mut self) {
        self.node = None;
        self.client = Reader::restore(self.record.clone(), self.now);
    }

    /// The node writes what it can.
    pub fn node_turn(&mut self) {
        let Some(node) = self.node.as_mut() else { return };
        for _ in 0..ROUNDS_MAX {
            let mut out: Vec<Outbound<Body>> = core::iter::from_fn(|| node.feed.poll_join()).collect();
            if let Some(look) = node.feed.look() {
                let answer = node.feed.ask(&mut self.engine, look, self.now).unwrap();
                out.extend(node.feed.handle_answer(answer, self.now));
            }
            out.extend(node.feed.poll_advance(self.now));
            node.down.extend(out.iter().map(encode));
            if out.is_empty() && node.feed.look().is_none() {
                return;
            }
        }
        panic!("the node never comes to rest");
    }

    /// The node reads a frame.
    pub fn node_reads(&mut self) {
        let head = self.head();
        let Some(node) = self.node.as_mut() else { return };
        let Some(bytes) = node.up.pop_front() else { return };
        let parts = split(Form::Text, &bytes);
        match FromClient::parse(parts.head, parts.shape(), 1 << 20).unwrap().unwrap() {
            FromClient::Seen { s, count, bytes } => node.feed.handle_seen(s, count, bytes).unwrap(),
            FromClient::Leave { room } => node.feed.handle_leave(&subject(&room.subject().unwrap())),
            FromClient::Join { room } => {
                let room = subject(&room.subject().unwrap());
                if node.feed.handle_join(room.clone()).unwrap() {
                    let forbidden = self.forbidden.contains(&room);
                    let denied = Verdict::Denied("forbidden".into());
                    let verdict = if forbidden { denied } else { Verdict::Allowed { head } };
                    node.feed.handle_verdict(&room, verdict);
                }
            }
            other => panic!("{other:?}"),
        }
    }

    /// The client reads a frame; its record is put by before anything else.
    pub fn client_reads(&mut self) {
        let Some(down) = self.node.as_mut().and_then(|node| node.down.pop_front()) else { return };
        let before = self.record.clone();
        let reports = self.carry_out(down).unwrap();
        for report in &reports {
            if let Report::Lost(subjects) = report {
                self.check_lost(&before, subjects);
            }
        }
        self.reports.extend(reports);
        self.put_by();
        self.check_pending(&before);
    }

    fn carry_out(&mut self, down: Down) -> Result<Vec<Report>, Violation> {
        let epoch = self.node.as_ref().unwrap().epoch.clone();
        match down {
            Down::Cast => Ok(Vec::new()),
            Down::Welcome(welcome) => self.client.handle_welcome(welcome, self.now),
            Down::Lost(loss) => {
                self.client.handle_lost(&epoch, &loss).map(|report| report.into_iter().collect())
            }
            Down::Frame { bytes, messages } => {
                let form = if messages.iter().any(|message| message.payload.binary) {
                    Form::Binary
                } else {
                    Form::Text
                };
                let line = bytes.iter().position(|octet| *octet == b'\n').unwrap_or(bytes.len());
                let octets = (bytes.len() - line) as u64;
                let body_octets = body_octets(&messages);
                assert!(form == Form::Text || messages.len() == 1);
                assert!(messages.len() < 2 || body_octets <= 65_536);
                let shape = everwire_core::frame::Shape {
                    form,
                    body_bytes: (octets > 0).then_some(body_octets),
                    envelope_bytes: (form == Form::Binary).then_some(2),
                };
                let frame = FromServer::parse(&bytes[..line], shape, 1 << 30).unwrap().unwrap();
                let report = match frame {
                    FromServer::Push { after, upto, numbers } => {
                        let elements: Vec<_> = messages
                            .iter()
                            .map(|message| Element::Message(message.subject.clone()))
                            .collect();
                        self.client.handle_push(after, upto, numbers, &elements, body_octets, self.now)?;
                        None
                    }
                    FromServer::Advance { after, upto } => {
                        self.client.handle_advance(after, upto)?;
                        None
                    }
                    FromServer::Joined { room, from, grant } => {
                        let grant = grant.map(|grant| everwire_core::session::Secret::from(grant.as_str()));
                        self.client.handle_joined(Place {
                            subject: subject(&room.subject().unwrap()),
                            from,
                            grant,
                        })?
                    }
                    FromServer::Denied { room, code } => {
                        self.client.handle_denied(&subject(&room.subject().unwrap()), code.as_str())?
                    }
                    other => panic!("{other:?}"),
                };
                Ok(report.into_iter().collect())
            }
        }
    }

    /// What the host keeps, and what the client has to write.
    pub fn put_by(&mut self) {
        self.record = self.client.record().clone();
        let Some(node) = self.node.as_mut() else { return };
        while let Some(wish) = self.client.next_wish() {
            let (room, joins) = match &wish {
                Wish::Join(room) => (room, true),
                Wish::Leave(room) => (room, false),
            };
            let room = Room::encode(room.as_str()).unwrap();
            let room = Room::new(room.as_bytes()).unwrap();
            let frame = if joins { FromClient::Join { room } } else { FromClient::Leave { room } };
            node.up.push_back(written(|out| frame.write(out)));
        }
        if let Some(frame) = self.client.poll_seen(self.now) {
            node.up.push_back(written(|out| frame.write(out)));
        }
    }

    pub fn start_one(&mut self) -> bool {
        let Some(started) = self.client.start(self.now) else { return false };
        self.put_by();
        self.started.push(started.clone());
        self.running.push(started);
        true
    }

    pub fn settle(&mut self, index: usize) {
        if self.running.is_empty() {
            return;
        }
        let started = self.running.remove(index % self.running.len());
        self.client.settle(started.delivery, self.now);
        self.put_by();
    }

    /// Everything happens that can happen without time, faults or new wishes; handlers of which `ends` says so end.
    pub fn rest(&mut self, ends: impl Fn(&Started) -> bool) {
        for _ in 0..ROUNDS_MAX {
            self.put_by();
            self.node_turn();
            let busy = self.node.as_ref().is_some_and(|node| !node.down.is_empty() || !node.up.is_empty());
            self.node_reads();
            self.client_reads();
            let mut worked = self.start_one();
            if let Some(index) = self.running.iter().position(&ends) {
                self.settle(index);
                worked = true;
            }
            if !busy && !worked {
                let Some(due) = self.client.seen_due().filter(|_| self.node.is_some()) else { return };
                self.now = self.now.max(due);
            }
        }
        panic!("it never comes to rest");
    }

    pub fn settle_down(&mut self) {
        self.rest(|_| true);
    }

    /// The numbers of the handlers that were started in the present log.
    pub fn numbers(&self) -> Vec<u64> {
        let epoch = self.engine.epoch();
        self.started.iter().filter(|started| started.epoch == *epoch).map(|started| started.s).collect()
    }

    /// Each handler once and in order, and nothing passed over.
    pub fn check(&self) {
        let mut last: BTreeMap<&str, u64> = BTreeMap::new();
        for started in &self.started {
            let last = last.entry(started.epoch.as_str()).or_default();
            assert!(started.s > *last, "{} after {last}", started.s);
            *last = started.s;
        }
        let record = self.client.record();
        assert!(
            record.pending.entries.len() as u64 <= WINDOW_MESSAGES
                && record.pending.held().octets <= 1_310_719
        );
        assert_eq!(record.pending.frames.is_empty(), record.pending.entries.is_empty());
        let Some(epoch) = &record.epoch else { return };
        let started = self.started.iter().filter(|started| started.epoch == *epoch).map(|started| started.s);
        let waiting =
            record.pending.entries.values().filter(|entry| entry.epoch == *epoch).map(|entry| entry.s);
        let got: BTreeSet<_> = started.chain(waiting).collect();
        for (s, subject) in self.stored.get(epoch.as_str()).into_iter().flatten() {
            let from = record.seats.get(subject).and_then(|seat| seat.from);
            if from.is_some_and(|from| *s > from) && *s <= record.received {
                assert!(got.contains(s), "{subject} {s} is missing");
            }
        }
        assert!(self.client.seen() <= record.received);
    }

    /// Something of each was stored, above what the client had, and has not come.
    fn check_lost(&self, before: &Record, subjects: &[Subject]) {
        let record = self.client.record();
        if before.epoch != record.epoch {
            return;
        }
        let stored = &self.stored[record.epoch.as_ref().unwrap().as_str()];
        for lost in subjects {
            let from = before.seats.get(lost).and_then(|seat| seat.from).unwrap_or(0).max(before.received);
            let first = record.seats[lost].from.unwrap() + 1;
            let missing = stored.iter().any(|(s, subject)| subject == lost && *s > from && *s < first);
            assert!(missing, "nothing of {lost} is missing above {from}");
        }
    }

    /// Nothing at or below `from` comes in.
    fn check_pending(&self, before: &Record) {
        for (delivery, entry) in self.client.record().pending.entries.iter() {
            let from = before.seats.get(&entry.subject).and_then(|seat| seat.from);
            let fresh = delivery.0 >= before.pending.next;
            assert!(!fresh || from.is_none_or(|from| entry.s > from), "{entry:?} is not above {from:?}");
        }
    }
}

pub fn body_octets(messages: &[Message<Body>]) -> u64 {
    let octets: u64 = messages.iter().map(|message| message.payload.octets).sum();
    let binary = messages.iter().any(|message| message.payload.binary);
    if binary { octets } else { octets + messages.len() as u64 + 1 }
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

/// The frame as it stands on the link, but for the body's octets.
pub fn encode(outbound: &Outbound<Body>) -> Down {
    let header = |frame: FromServer<'_>, messages: &[Message<Body>]| {
        let bytes = written(|out| frame.write(out));
        Down::Frame { bytes, messages: messages.to_vec() }
    };
    match outbound {
        Outbound::Push { after, upto, messages } => {
            let numbers: Vec<_> = messages.iter().map(|message| message.s).collect();
            let (after, upto) = (*after, *upto);
            header(FromServer::Push { after, upto, numbers: Numbers::new(&numbers) }, messages)
        }
        Outbound::Advance { after, upto } => header(FromServer::Advance { after: *after, upto: *upto }, &[]),
        Outbound::Joined { room, from } => {
            let room = Room::encode(room.as_str()).unwrap();
            let room = Room::new(room.as_bytes()).unwrap();
            header(FromServer::Joined { room, from: *from, grant: None }, &[])
        }
        Outbound::Denied { room, code } => {
            let room = Room::encode(room.as_str()).unwrap();
            let room = Room::new(room.as_bytes()).unwrap();
            header(FromServer::Denied { room, code: Code::new(code.as_bytes()).unwrap() }, &[])
        }
        Outbound::Malformed { .. } => unreachable!("no client joins what is no subject"),
        Outbound::Lost(loss) => Down::Lost(loss.clone()),
        Outbound::Cast(_) => Down::Cast,
    }
}
