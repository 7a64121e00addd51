//! A client's `Sending`, a host that keeps its record, and nodes with a `Settling` each, over an engine in memory.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::collections::{BTreeMap, VecDeque};

use everwire_core::engine::*;
use everwire_core::frame::{Code, Form, FromClient, FromServer, split};
use everwire_core::session::Broken;
use everwire_core::session::up::*;
use everwire_core::{Duration, Instant, OutboxConfig, Ticket};

/// What is stored: the ticket, which no two messages share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body(pub u32);

impl Payload for Body {
    fn octets(&self) -> u64 {
        100
    }
}

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub fn producer(id: u8) -> Producer {
    Producer([id; 16])
}

pub fn at(millis: u64) -> Instant {
    Instant::default() + ms(millis)
}

pub fn text(ticket: u32, bytes: u32) -> Outgoing {
    Outgoing::new(Ticket(ticket), bytes, Form::Text)
}

pub fn binary(ticket: u32, bytes: u32) -> Outgoing {
    Outgoing::new(Ticket(ticket), bytes, Form::Binary)
}

pub fn post(id: u32) -> Post<Body> {
    Post::new("room".into(), Body(id))
}

pub fn store(id: u32) -> Judgement<Body> {
    Judgement::Store(post(id))
}

pub fn refuse(code: &str) -> Judgement<Body> {
    Judgement::Refuse(code.into())
}

/// A client under producer 1 that has taken so many messages of 10 octets.
pub fn sending(messages: u32) -> Sending {
    let config = OutboxConfig { messages_max: 65_536, ..OutboxConfig::default() };
    let mut sending = Sending::new(config, producer(1));
    submit(&mut sending, 1..=messages);
    sending
}

pub fn submit(sending: &mut Sending, tickets: core::ops::RangeInclusive<u32>) {
    for ticket in tickets {
        assert_eq!(sending.submit(text(ticket, 10)), Ok(vec![]));
    }
}

pub const WELCOME: Welcome<'static> = Welcome {
    producing: Producing::Kept,
    born: 1,
    mark: 0,
    refused: &[],
    credit: 8192,
    message_bytes_max: 1 << 20,
    epoch_changed: false,
};

/// The welcome that settles up to `mark`.
pub fn welcome(mark: u64, credit: u64) -> Welcome<'static> {
    Welcome { mark, credit, ..WELCOME }
}

/// A client that is welcome on its first link.
pub fn open(messages: u32) -> Sending {
    let mut sending = sending(messages);
    assert_eq!(sending.welcome(&WELCOME, at(0)), Ok(vec![]));
    sending
}

/// The header of a written frame, which must survive the wire.
pub fn header(written: &Written) -> (u64, u64, u64) {
    let mut octets = Vec::new();
    written.frame.write(&mut octets);
    octets.extend(if written.form == Form::Binary { &b"{}\n"[..] } else { b"[]" });
    let frame = split(written.form, &octets);
    match FromClient::parse(frame.head, frame.shape(), 1 << 30).unwrap().unwrap() {
        FromClient::Send { n, count, oldest } => {
            let first = written.messages.first().map_or(n, |first| first.n);
            assert_eq!((usize::from(count), first), (written.messages.len(), n));
            (n, u64::from(count), oldest)
        }
        other => panic!("{other:?}"),
    }
}

/// The headers of all frames that may be written.
pub fn write(sending: &mut Sending, now: u64) -> Vec<(u64, u64, u64)> {
    core::iter::from_fn(|| sending.write(at(now))).map(|written| header(&written)).collect()
}

pub fn ack(
    sending: &mut Sending,
    n: u64,
    credit: u64,
    refused: &[(u64, &str)],
) -> Result<Vec<(u32, Exit)>, Broken> {
    ack_at(sending, n, credit, refused, 0)
}

pub fn ack_at(
    sending: &mut Sending,
    n: u64,
    credit: u64,
    refused: &[(u64, &str)],
    now: u64,
) -> Result<Vec<(u32, Exit)>, Broken> {
    let refused: Vec<_> = refused.iter().map(|(n, code)| (*n, Code::new(code.as_bytes()).unwrap())).collect();
    let refused = everwire_core::frame::Refusals::new(&refused);
    sending.ack(n, credit, refused, at(now)).map(exits)
}

pub fn exits(left: Vec<Exited>) -> Vec<(u32, Exit)> {
    left.into_iter().map(|exited| (exited.ticket.0, exited.exit)).collect()
}

pub fn settled(tickets: core::ops::RangeInclusive<u32>) -> Vec<(u32, Exit)> {
    tickets.map(|ticket| (ticket, Exit::Settled)).collect()
}

pub fn all(tickets: core::ops::RangeInclusive<u32>, why: Dropped) -> Vec<(u32, Exit)> {
    tickets.map(|ticket| (ticket, Exit::Dropped(why))).collect()
}

pub fn broken<T>(clause: &'static str) -> Result<T, Broken> {
    Err(Broken { clause })
}

/// An `ack` as it is read from the wire: n, credit, refused.
pub type AckRead = (u64, u64, Vec<(u64, String)>);

pub fn over_the_wire(ack: &Ack) -> AckRead {
    let mut octets = Vec::new();
    ack.write(&mut octets);
    let frame = split(Form::Text, &octets);
    match FromServer::parse(frame.head, frame.shape(), 1 << 30).unwrap().unwrap() {
        FromServer::Ack { n, credit, refused } => {
            (n, credit, refused.iter().map(|(n, code)| (n, code.as_str().into())).collect())
        }
        other => panic!("{other:?}"),
    }
}

/// A node with one link, and the engine behind it.
pub struct Node {
    pub engine: Memory<Body>,
    pub settling: Settling<Body>,
    pub now: Instant,
}

pub fn fence(link: u64, oldest: u64) -> Fence {
    Fence { epoch: "e1".into(), producer: producer(1), link, oldest }
}

pub fn claim(engine: &mut Memory<Body>, link: u64, oldest: u64, written: u64) -> (u64, Vec<Refused>) {
    let claim = Claim {
        producer: producer(1),
        identity: Identity::named("ann"),
        inbox: "_inbox".into(),
        link,
        oldest,
        written,
        born: None,
    };
    match engine.claim(&claim, at(0)).unwrap() {
        Claimed::Claimed { mark, refusals, .. } => (mark, refusals),
        other => panic!("{other:?}"),
    }
}

impl Node {
    pub fn new() -> Self {
        let mut engine = Memory::new(MemoryConfig::default(), "e1".into());
        let (mark, refused) = claim(&mut engine, 1, 1, 0);
        Self { engine, settling: Settling::new(fence(1, 1), mark, &refused, at(0)), now: at(0) }
    }

    pub fn pass(&mut self, millis: u64) {
        self.now = self.now + ms(millis);
    }

    /// Reads messages of 10 octets.
    pub fn read(&mut self, n: u64, count: usize, oldest: u64) -> Result<(), Ended> {
        self.settling.read(n, oldest, &vec![10; count])
    }

    /// Reads them and lets them be stored, all but those that are to be refused.
    pub fn take(&mut self, n: u64, count: usize, oldest: u64, refused: &[u64]) {
        assert_eq!(self.read(n, count, oldest), Ok(()));
        for n in n..n + count as u64 {
            let judgement = if refused.contains(&n) { refuse("forbidden") } else { store(n as u32) };
            self.settling.judge(n, judgement);
        }
    }

    pub fn run(&mut self) {
        self.settling.run(&mut self.engine, self.now);
    }

    pub fn ack(&mut self) -> Option<AckRead> {
        self.settling.ack(self.now).map(|ack| over_the_wire(&ack))
    }

    /// What the `ack`s say together, and how many there were.
    pub fn acks(&mut self) -> Vec<AckRead> {
        core::iter::from_fn(|| self.ack()).collect()
    }

    pub fn ended(&self) -> Option<(u16, Option<&'static str>)> {
        self.settling.ended().map(|ended| (ended.code, ended.clause))
    }
}

/// The payloads in the log, in order.
pub fn log(engine: &mut Memory<Body>, now: Instant) -> Vec<u32> {
    let filter = Filter::new().with("room".into(), 0);
    let (span, limit) =
        (Span { after: 0, before: u64::MAX }, Limit { messages: usize::MAX, octets: u64::MAX });
    match engine.read(&"e1".into(), &filter, span, limit, Direction::Upwards, now).unwrap() {
        Read::Interval(interval) => interval.messages.into_iter().map(|message| message.payload.0).collect(),
        other => panic!("{other:?}"),
    }
}

/// For those who need maps of them.
pub type Exits = BTreeMap<Ticket, Exit>;
/// Frames on their way.
pub type Frames<T> = VecDeque<T>;
