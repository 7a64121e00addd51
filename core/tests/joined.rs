//! A client and a node on one perfect link, in virtual time, with nothing between them but frames of this protocol.
mod node_common;
mod v1_client_common;

use std::collections::{BTreeMap, VecDeque};

use everwire_core::engine::LogEpoch;
use everwire_core::frame::{Form, Shape, split};
use everwire_core::session::client::*;
use everwire_core::session::down;
use everwire_core::session::node::*;
use everwire_core::{Duration, Instant, State};
use node_common::{Rig, Said};
use v1_client_common::{Host, ms, secs};

/// One way.
const DELAY: Duration = Duration::from_millis(20);

struct Joined {
    host: Host,
    rig: Rig,
    up: VecDeque<(Instant, Outbound)>,
    down: VecDeque<(Instant, NodeFrame<node_common::Body>)>,
    /// Which frames have travelled, by their verbs.
    verbs: BTreeMap<String, u64>,
    /// What the node writes arrives, and what the client writes.
    hears: (bool, bool),
    closed: Option<(u16, String)>,
}

impl Joined {
    fn new(heartbeat: Duration) -> Self {
        let mut host = Host::new(Config::default());
        let mut rig = Rig::new();
        rig.now = host.now;
        rig.node = Node::new(NodeConfig { heartbeat, ..NodeConfig::default() }, host.now);
        host.connect();
        let (up, down) = (VecDeque::new(), VecDeque::new());
        let mut joined =
            Self { host, rig, up, down, verbs: BTreeMap::new(), hears: (true, true), closed: None };
        joined.collect();
        joined
    }

    fn count(&mut self, head: &[u8]) {
        let verb = head.split(|octet| *octet <= b' ').next().unwrap();
        *self.verbs.entry(String::from_utf8(verb.to_vec()).unwrap()).or_default() += 1;
    }

    /// What either end has written is on its way.
    fn collect(&mut self) {
        let now = self.host.now;
        for action in core::mem::take(&mut self.host.done) {
            match action {
                Action::Write { frame, .. } => self.up.push_back((now + DELAY, frame)),
                Action::Dial { link, .. } => assert_eq!(link, 1, "another link"),
                _ => {}
            }
        }
        for said in self.rig.take() {
            match said {
                Said::Frame(frame) => self.down.push_back((now + DELAY, frame)),
                Said::Close(code, reason) => self.closed = Some((code, reason)),
            }
        }
    }

    fn arrives_up(&mut self, frame: &Outbound) {
        let mut octets = Vec::new();
        frame.head(&mut octets);
        let parts = split(Form::Text, &octets);
        let head = String::from_utf8(parts.head.to_vec()).unwrap();
        self.count(head.as_bytes());
        match frame {
            Outbound::Hello(hello) => self.rig.hello((**hello).clone()),
            Outbound::Ping(_) | Outbound::Pong(_) | Outbound::Seen { .. } | Outbound::Vis(_) => {
                self.rig.line(&head);
            }
            other => panic!("{other:?}"),
        }
    }

    fn arrives_down(&mut self, frame: &NodeFrame<node_common::Body>) {
        let mut octets = Vec::new();
        frame.head(None, &mut octets);
        let parts = split(frame.form(), &octets);
        let head = parts.head.to_vec();
        self.count(&head);
        let messages: Vec<_>;
        let (body, body_bytes) = match frame {
            NodeFrame::Welcome(welcome) => (Body::Welcome(welcome), Some(500)),
            NodeFrame::Push { messages: pushed, .. } => {
                messages =
                    pushed.iter().map(|message| down::Element::Message(message.subject.clone())).collect();
                (Body::Elements(&messages), Some(frame.message_octets()))
            }
            NodeFrame::Ack(_)
            | NodeFrame::Advance { .. }
            | NodeFrame::Ping { .. }
            | NodeFrame::Pong { .. } => (Body::None, None),
            other => panic!("{other:?}"),
        };
        let shape = Shape { form: frame.form(), body_bytes, envelope_bytes: None };
        self.host.client.handle_frame(1, &head, shape, body, self.host.now);
        self.host.drain();
        self.host.settle_all();
    }

    /// The next thing that happens until then happens.
    fn step(&mut self, until: Instant) -> bool {
        let first = [
            self.up.front().map(|(at, _)| *at),
            self.down.front().map(|(at, _)| *at),
            self.host.client.next_deadline(),
            self.rig.node.next_deadline(),
        ];
        let Some(at) = first.into_iter().flatten().min().filter(|at| *at <= until) else {
            self.host.now = self.host.now.max(until);
            self.rig.now = self.host.now;
            return false;
        };
        self.host.now = self.host.now.max(at);
        self.rig.now = self.host.now;
        let now = self.host.now;
        while let Some(frame) = arrived(&mut self.up, now) {
            if self.hears.1 && self.closed.is_none() {
                self.arrives_up(&frame);
            }
        }
        while let Some(frame) = arrived(&mut self.down, now) {
            if self.hears.0 {
                self.arrives_down(&frame);
            }
        }
        self.host.client.handle_timeout(now);
        self.host.drain();
        if self.closed.is_none() {
            self.rig.timeout();
        }
        self.collect();
        true
    }

    fn pass(&mut self, span: Duration) {
        let until = self.host.now + span;
        while self.step(until) {}
    }
}

fn arrived<T>(way: &mut VecDeque<(Instant, T)>, now: Instant) -> Option<T> {
    way.front().filter(|(at, _)| *at <= now)?;
    way.pop_front().map(|(_, frame)| frame)
}

/// [TRN-6] Idle for six hours: one link, kept by `ping` and `pong` of this protocol, which a browser can write and read.
#[test]
fn a_quiet_link_is_kept_by_frames_alone() {
    // Whichever end asks first.
    for heartbeat in [secs(25), secs(60)] {
        quiet_for_hours(heartbeat);
    }
}

fn quiet_for_hours(heartbeat: Duration) {
    let mut joined = Joined::new(heartbeat);
    joined.pass(secs(6 * 3600));
    assert_eq!((joined.host.client.link(), joined.host.state(), &joined.closed), (1, State::Open, &None));
    assert_eq!(joined.host.record.down.epoch, Some(LogEpoch::from("e0")));
    let pings = joined.verbs["ping"];
    // At least one a minute and less than one in ten seconds, each answered.
    assert!((360..2160).contains(&pings), "{:?}", joined.verbs);
    assert!(joined.verbs["pong"] + 1 >= pings);
    joined
        .verbs
        .retain(|verb, _| !["hello", "welcome", "ack", "ping", "pong", "advance", "seen"].contains(&&**verb));
    assert_eq!(joined.verbs, BTreeMap::new());
    // And a message arrives as if it had been a second.
    joined.rig.post(node_common::OWN);
    joined.collect();
    joined.pass(ms(50));
    assert_eq!(joined.host.record.down.received, 1);
}

/// [TRN-6] Nothing below this protocol says that the peer is gone: each end finds it out by itself.
#[test]
fn a_verdict_needs_no_sign_from_below() {
    // The node hears and is not heard.
    let mut joined = Joined::new(secs(25));
    joined.pass(secs(60));
    joined.hears = (false, true);
    let since = joined.host.now;
    while joined.host.client.phase() == Phase::Open {
        assert!(joined.step(since + secs(100)), "no verdict");
    }
    assert!(joined.host.now.since(since) < secs(40), "{:?}", joined.host.now.since(since));
    // The client hears and is not heard.
    let mut joined = Joined::new(secs(25));
    joined.pass(secs(60));
    joined.hears = (true, false);
    let since = joined.host.now;
    while joined.closed.is_none() && joined.host.client.phase() == Phase::Open {
        assert!(joined.step(since + secs(100)), "no verdict");
    }
    assert!(joined.host.now.since(since) < secs(50), "{:?}", joined.host.now.since(since));
}
