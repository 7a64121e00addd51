//! The client against a small right server, with links that break, instances that die between any two actions, and logs
//! that are lost: each message is stored once and in order or its sender is told, and each stored one starts one handler.

mod v1_client_common;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use everwire_core::session::client::*;
use everwire_core::session::up::{Dropped, Exit};
use proptest::prelude::*;
use serde_json::{Value, json};
use v1_client_common::*;

/// What a server knows of a producer.
#[derive(Clone, Debug)]
struct Known {
    mark: u64,
    born: u64,
    floor: u64,
    refused: BTreeSet<u64>,
}

#[derive(Debug, Default)]
struct Link {
    number: u64,
    producer: String,
    filter: BTreeMap<String, u64>,
    scan: u64,
    acked: u64,
    open: bool,
    up: VecDeque<String>,
    down: VecDeque<String>,
}

/// Messages go to one of two rooms by their ticket, and every seventh is refused.
#[derive(Debug, Default)]
struct Server {
    epochs: u32,
    log: Vec<(u64, String)>,
    producers: BTreeMap<String, Known>,
    stored: Vec<u32>,
    link: Option<Link>,
}

fn is_refused(ticket: u32) -> bool {
    ticket % 7 == 3
}

impl Server {
    fn epoch(&self) -> String {
        format!("e{}", self.epochs)
    }

    fn head(&self) -> u64 {
        self.log.last().map_or(0, |(s, _)| *s)
    }

    fn store(&mut self, room: &str) {
        // Numbers need not be contiguous. [NUM-5]
        let s = self.head() + 1 + u64::from(self.log.len().is_multiple_of(3));
        self.log.push((s, room.into()));
    }

    fn claim(&mut self, hello: &Value) -> (String, &'static str, Known) {
        let number = |name: &str| hello[name].as_u64();
        let (oldest, written, link) =
            (number("oldest").unwrap(), number("written").unwrap(), number("link").unwrap());
        let producer = hello["producer"].as_str().unwrap().to_string();
        let fresh = Known { mark: 0, born: link, floor: 1, refused: BTreeSet::new() };
        match self.producers.get_mut(&producer) {
            None if written == 0 => {
                self.producers.insert(producer.clone(), fresh.clone());
                (producer, "kept", fresh)
            }
            Some(known)
                if number("born").is_none_or(|born| born == known.born)
                    && (oldest - 1..=written).contains(&known.mark)
                    && oldest >= known.floor =>
            {
                known.floor = oldest;
                known.refused.retain(|n| *n >= oldest);
                (producer, "kept", known.clone())
            }
            _ => {
                let successor = hello["successor"].as_str().expect("unknown, and no successor").to_string();
                self.producers.insert(successor.clone(), fresh.clone());
                (successor, "successor", fresh)
            }
        }
    }

    fn greet(&mut self, body: &str) {
        let hello: Value = serde_json::from_str(body).unwrap();
        let (producer, which, known) = self.claim(&hello);
        let (head, epoch) = (self.head(), self.epoch());
        let same = hello["logEpoch"] == epoch.as_str();
        let position = if same { hello["position"].as_u64().unwrap() } else { head };
        let mut filter = BTreeMap::from([(OWN.to_string(), position)]);
        let mut lost = Vec::new();
        for wished in hello["rooms"].as_array().unwrap() {
            let room = wished["room"].as_str().unwrap().to_string();
            let from = wished["from"].as_u64();
            if from.is_some() && !same {
                lost.push(room.clone());
            }
            filter.insert(room, from.filter(|_| same).unwrap_or(head));
        }
        let rooms: Vec<_> = filter.iter().map(|(room, from)| json!({ "room": room, "from": from })).collect();
        let refused: Vec<_> = known.refused.iter().map(|n| json!([n, "no"])).collect();
        let lost = if lost.is_empty() { Value::Null } else { json!({ "subjects": lost, "first": head + 1 }) };
        let welcome = json!({
            "version": 1, "identity": OWN, "producer": which, "born": known.born, "mark": known.mark,
            "refused": refused, "credit": known.mark + 8192, "logEpoch": epoch, "position": position, "rooms": rooms,
            "denied": [], "lost": lost, "durable": false, "heartbeat": 25_000, "window": 0,
            "limits": { "message": 1_048_576, "rooms": 256 }, "expires": null, "time": 0, "features": [],
        });
        let link = self.link.as_mut().unwrap();
        (link.producer, link.filter, link.scan, link.acked) = (producer, filter, position, known.mark);
        link.open = true;
        link.down.push_back(format!("welcome\n{welcome}"));
    }

    /// Reads one frame of the client.
    fn read(&mut self) {
        let Some(frame) = self.link.as_mut().and_then(|link| link.up.pop_front()) else { return };
        if let Some(body) = frame.strip_prefix("hello\n") {
            return self.greet(body);
        }
        let (head, names) = frame.split_once(" [").unwrap_or((&frame, ""));
        let words: Vec<_> = head.split(' ').collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        match words[0] {
            "send" => self.take(number(1), number(3), names.trim_end_matches(']')),
            "join" => {
                let head = self.head();
                let link = self.link.as_mut().unwrap();
                let from = head.max(link.scan);
                assert!(link.filter.insert(words[1].into(), from).is_none(), "joined twice");
                link.down.push_back(format!("joined {} {from} g", words[1]));
            }
            "leave" => {
                self.link.as_mut().unwrap().filter.remove(words[1]);
            }
            "ping" => self.link.as_mut().unwrap().down.push_back(format!("pong {}", words[1])),
            _ => {}
        }
    }

    fn take(&mut self, n: u64, oldest: u64, names: &str) {
        let link = self.link.as_ref().unwrap();
        let known = self.producers.get_mut(&link.producer).unwrap();
        assert!(oldest >= known.floor && oldest <= link.acked + 1, "[SEND-12] oldest {oldest}");
        assert_eq!(n, known.mark + 1, "[SEND-8]");
        known.floor = oldest;
        known.refused.retain(|n| *n >= oldest);
        for name in names.split(',').filter(|name| !name.is_empty()) {
            let ticket: u32 = name.parse().unwrap();
            let known = self.producers.get_mut(&self.link.as_ref().unwrap().producer).unwrap();
            known.mark += 1;
            if is_refused(ticket) {
                known.refused.insert(known.mark);
            } else {
                self.stored.push(ticket);
                self.store(if ticket.is_multiple_of(2) { "room_a" } else { "room_b" });
            }
        }
    }

    /// Acknowledges what is settled.
    fn acknowledge(&mut self) {
        let Some(link) = self.link.as_mut().filter(|link| link.open) else { return };
        let known = &self.producers[&link.producer];
        let refused = known.refused.range(link.acked + 1..).map(|n| format!(" {n}:no"));
        let refused: String = refused.collect();
        link.acked = known.mark;
        link.down.push_back(format!("ack {} {}{refused}", known.mark, known.mark + 8192));
    }

    /// Pushes so many messages of the filter at most, and perhaps again what came before.
    fn push(&mut self, many: usize, again: u64) {
        let head = self.head();
        let Some(link) = self.link.as_mut().filter(|link| link.open) else { return };
        let after = link.scan.saturating_sub(again);
        let passes = |s: u64, room: &String| link.filter.get(room).is_some_and(|from| s > *from) && s > after;
        let mut due = self.log.iter().filter(|(s, room)| passes(*s, room)).map(|(s, _)| *s);
        let now: Vec<_> = due.by_ref().take(many).collect();
        let upto = due.next().map_or(head.max(after), |next| next - 1);
        // Nothing lower than what was told is told anew without what lies between.
        if upto < link.scan {
            return;
        }
        link.scan = upto;
        let list: String = now.iter().map(|s| format!(" {s}")).collect();
        let body = vec![r#"{"type":"t","receiver":"RR"}"#; now.len()];
        let rooms: BTreeMap<u64, &String> = self.log.iter().map(|(s, room)| (*s, room)).collect();
        let body: Vec<_> = body.iter().zip(&now).map(|(text, s)| text.replace("RR", rooms[s])).collect();
        link.down.push_back(if now.is_empty() {
            format!("advance {after} {upto}")
        } else {
            format!("push {after} {upto}{list}\n[{}]", body.join(","))
        });
    }
}

#[derive(Clone, Debug)]
enum Op {
    Submit(u32),
    Read,
    Acknowledge,
    Push { many: usize, again: u64 },
    Deliver,
    Post(bool),
    Settle(usize),
    Join(bool),
    Leave(bool),
    Dial,
    Pass(u64),
    Break,
    Crash(usize),
    NewLog,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => (1u32..4).prop_map(Op::Submit),
        25 => Just(Op::Read),
        12 => Just(Op::Acknowledge),
        15 => (0usize..4, 0u64..4).prop_map(|(many, again)| Op::Push { many, again }),
        30 => Just(Op::Deliver),
        8 => any::<bool>().prop_map(Op::Post),
        10 => any::<usize>().prop_map(Op::Settle),
        4 => any::<bool>().prop_map(Op::Join),
        2 => any::<bool>().prop_map(Op::Leave),
        25 => Just(Op::Dial),
        4 => (0u64..1500).prop_map(Op::Pass),
        3 => Just(Op::Break),
        4 => (0usize..5).prop_map(Op::Crash),
        1 => Just(Op::NewLog),
    ]
}

struct World {
    host: Host,
    server: Server,
    tickets: u32,
    taken: usize,
    keeps: Option<usize>,
    /// Every handler that was ever started.
    started: Vec<(String, u64)>,
}

impl World {
    fn new() -> Self {
        let host = Host::new(Config::default());
        Self { host, server: Server::default(), tickets: 0, taken: 0, keeps: None, started: Vec::new() }
    }

    fn drain(&mut self) {
        if let Some(keeps) = self.keeps.take() {
            for _ in 0..keeps {
                self.host.carry_out_one();
            }
            self.after();
            self.host.crash();
            self.server.link = None;
        }
        self.host.drain();
        self.after();
    }

    /// What was written is on its way; what was started is remembered.
    fn after(&mut self) {
        let phase = self.host.client.phase();
        let linked = self.host.socket.is_some() && (phase == Phase::Greeting || phase.is_open());
        let number = self.host.client.link();
        if !linked || self.server.link.as_ref().is_none_or(|link| link.number != number) {
            self.server.link = linked.then(|| Link { number, ..Link::default() });
            self.taken = 0;
        }
        if let Some(link) = self.server.link.as_mut() {
            link.up.extend(self.host.wire.iter().skip(self.taken).cloned());
            self.taken = self.host.wire.len();
        }
        for action in self.host.done.drain(..) {
            match action {
                Action::Start(started) => self.started.push((started.epoch.to_string(), started.s)),
                Action::Leave { close: Some(Close { code: 4002, reason }), .. } => {
                    panic!("a right server is told of {reason}");
                }
                _ => {}
            }
        }
    }

    fn dial(&mut self) {
        let host = &mut self.host;
        match host.client.phase() {
            Phase::Idle => host.client.handle_connect(host.now),
            Phase::Waiting => {
                host.now = host.now.max(host.client.next_deadline().unwrap());
                host.client.handle_timeout(host.now);
            }
            Phase::Asking => host.dialled(),
            Phase::Dialling => {
                host.opens();
                self.taken = 0;
            }
            _ => {}
        }
    }

    fn apply(&mut self, op: Op) {
        let room = |a: bool| subject(if a { "room_a" } else { "room_b" });
        match op {
            Op::Submit(many) => {
                for _ in 0..many {
                    self.tickets += 1;
                    self.host.submit(text(self.tickets, 10));
                }
            }
            Op::Read => self.server.read(),
            Op::Acknowledge => self.server.acknowledge(),
            Op::Push { many, again } => self.server.push(many, again),
            Op::Deliver => {
                let frame = self.server.link.as_mut().and_then(|link| link.down.pop_front());
                if let Some(frame) = frame {
                    let split =
                        everwire_core::frame::split(everwire_core::frame::Form::Text, frame.as_bytes());
                    let (link, now) = (self.host.client.link(), self.host.now);
                    json::with_body(&split, |body| {
                        self.host.client.handle_frame(link, split.head, split.shape(), body, now);
                    });
                }
            }
            Op::Post(a) => self.server.store(room(a).as_str()),
            Op::Settle(index) => {
                let pending = &self.host.record.down.pending.entries;
                let running: Vec<_> = pending
                    .iter()
                    .filter(|(_, entry)| entry.started)
                    .map(|(delivery, _)| *delivery)
                    .collect();
                if let Some(delivery) = running.get(index % running.len().max(1)) {
                    self.host.record.handler_settled(*delivery);
                    self.host.client.handle_settled(*delivery, self.host.now);
                }
            }
            Op::Join(a) => {
                self.host.record.wished(room(a));
                self.host.client.handle_join(room(a), self.host.now);
            }
            Op::Leave(a) => {
                self.host.record.left(&room(a));
                self.host.client.handle_leave(&room(a), self.host.now);
            }
            Op::Dial => self.dial(),
            Op::Pass(millis) => {
                self.host.now = self.host.now + ms(millis);
                self.host.client.handle_timeout(self.host.now);
            }
            Op::Break => self.close(1006),
            Op::Crash(keeps) => {
                self.keeps = Some(keeps);
                return;
            }
            Op::NewLog => {
                self.server.epochs += 1;
                self.server.log.clear();
                self.server.producers.clear();
                self.close(4006);
            }
        }
        self.drain();
        assert_ne!(self.host.client.phase(), Phase::Closed, "a right server is not an error");
    }

    fn close(&mut self, code: u16) {
        self.server.link = None;
        let (link, now) = (self.host.client.link(), self.host.now);
        self.host.client.handle_link_closed(link, closed(code), "", now);
    }

    /// Without faults until nothing is left to do.
    fn rest(&mut self) {
        for round in 0.. {
            assert!(round < 3_000, "it never comes to rest");
            if self.host.client.phase() != Phase::Open {
                self.apply(Op::Dial);
            }
            for op in [
                Op::Read,
                Op::Acknowledge,
                Op::Push { many: 3, again: 0 },
                Op::Deliver,
                Op::Deliver,
                Op::Settle(0),
            ] {
                self.apply(op);
            }
            let head = self.server.head();
            let record = &self.host.record;
            let quiet = self.host.client.phase() == Phase::Open
                && self.server.link.as_ref().is_some_and(|link| {
                    link.up.is_empty() && link.down.iter().all(|frame| frame.starts_with("a"))
                })
                && record.down.received >= head
                && record.down.pending.entries.is_empty()
                && self.host.client.unsettled() == (0, 0)
                && record.down.seats.values().all(|seat| seat.from.is_some());
            if quiet {
                return;
            }
        }
    }

    fn check(&self) {
        let server = &self.server;
        assert!(
            server.stored.windows(2).all(|pair| pair[0] < pair[1]),
            "once and in order: {:?}",
            server.stored
        );
        let stored: BTreeSet<_> = server.stored.iter().copied().collect();
        for ticket in 1..=self.tickets {
            match self.host.exit(ticket) {
                Some(Exit::Settled) => assert!(stored.contains(&ticket), "a false receipt for {ticket}"),
                Some(Exit::Refused(_)) => assert!(is_refused(ticket) && !stored.contains(&ticket)),
                Some(Exit::Dropped(Dropped::Unknown)) => assert!(server.epochs > 0, "{ticket} is known"),
                other => panic!("{ticket}: {other:?}"),
            }
        }
        let mut last: BTreeMap<&str, u64> = BTreeMap::new();
        for (epoch, s) in &self.started {
            let last = last.entry(epoch).or_default();
            assert!(s > last, "{epoch} {s} after {last}");
            *last = *s;
        }
        let epoch = server.epoch();
        let started: BTreeSet<_> =
            self.started.iter().filter(|(of, _)| *of == epoch).map(|(_, s)| *s).collect();
        for (s, room) in &server.log {
            let from = self.host.record.down.seats.get(&subject(room)).and_then(|seat| seat.from);
            assert!(from.is_none_or(|from| *s <= from) || started.contains(s), "{room} {s} is missing");
        }
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    /// [KEEP-1] [KEEP-6] [SEND-2] [SEND-3] [SEND-4] [SEND-6] [SEND-8] [SEND-10] [SEND-11] [WELC-7] [WELC-8] [WELC-13]
    /// [POS-4] [POS-5] [POS-15] [POS-16] [ROOM-3] [ROOM-6] [HELLO-5] [HELLO-8] [HELLO-21] [EPOCH-2] [EPOCH-3] [NUM-5]
    #[test]
    fn once_and_in_order_or_told(ops in prop::collection::vec(op(), 0..200)) {
        let mut world = World::new();
        for op in ops {
            world.apply(op);
        }
        world.keeps = None;
        world.rest();
        world.check();
    }
}
