//! A host around one client of `everwire.v1`: it notes, then carries out, and the test is the peer, in raw frames.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

pub mod json;

use std::collections::{BTreeMap, BTreeSet};

use everwire_core::engine::{Producer, Subject};
use everwire_core::frame::{Form, split};
use everwire_core::session::Client;
use everwire_core::session::client::*;
use everwire_core::session::down::{Delivery, Started};
use everwire_core::session::up::{Dropped, Exit, Exited, Outgoing};
use everwire_core::{Closed, Duration, Instant, State, Ticket};

pub const OWN: &str = "user_1";
/// Where the socket is, and where else it may be sent.
pub const HERE: &str = "wss://good.example/live";
pub const REDIRECTS: [&str; 1] = ["other.example"];

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

pub fn producer(id: u64) -> Producer {
    Producer(u128::from(id).to_be_bytes())
}

pub fn closed(code: u16) -> Closed {
    Closed { code, clean: code != 1006 }
}

/// A client, its record, and what it has done.
pub struct Host {
    pub client: Client,
    pub record: Record,
    pub config: Config,
    pub now: Instant,
    /// Frames written on the present link, as text: the header line, and the body as far as the test has one.
    pub wire: Vec<String>,
    /// Actions carried out since they were last taken.
    pub done: Vec<Action>,
    /// Every exit so far.
    pub exits: BTreeMap<Ticket, Exit>,
    pub started: Vec<Started>,
    /// The socket that is there: its link, and whether it has opened.
    pub socket: Option<u64>,
    /// What the transport's buffer keeps of what is written; `None`: everything leaves at once.
    pub stuck: Option<u64>,
    pub token_changed: bool,
    producers: u64,
    links: BTreeSet<u64>,
    octets: u64,
}

impl Host {
    pub fn new(config: Config) -> Self {
        let first = producer(1);
        Self {
            client: Client::new(config, 7, first),
            record: Record::new(first),
            config,
            now: Instant::default() + secs(10_000),
            wire: Vec::new(),
            done: Vec::new(),
            exits: BTreeMap::new(),
            started: Vec::new(),
            socket: None,
            stuck: None,
            token_changed: false,
            producers: 1,
            links: BTreeSet::new(),
            octets: 0,
        }
    }

    /// A client that is welcome on link 1, at position 0 of log `e`, with its own subject from 0.
    pub fn open() -> Self {
        Self::open_with(Config::default())
    }

    pub fn open_with(config: Config) -> Self {
        let mut host = Self::new(config);
        host.connect();
        host.welcome("{}");
        host.take();
        host
    }

    pub fn connect(&mut self) {
        self.client.handle_connect(self.now);
        self.drain();
        self.dial();
    }

    /// The dial that was asked for succeeds.
    pub fn dial(&mut self) {
        assert_eq!(self.client.phase(), Phase::Asking);
        self.dialled();
        self.opens();
    }

    pub fn dialled(&mut self) {
        let fresh = [0, 1, 2].map(|more| producer(self.producers + 1 + more));
        self.producers += 3;
        self.client.handle_dialled(self.client.link(), self.token_changed, fresh, self.now);
        self.drain();
    }

    pub fn opens(&mut self) {
        self.wire.clear();
        self.client.handle_link_open(self.client.link(), true, self.now);
        self.drain();
    }

    /// The next dial is due, and succeeds.
    pub fn redial(&mut self) {
        while self.client.phase() == Phase::Waiting {
            self.sleep_to_deadline();
        }
        self.dial();
    }

    /// The link breaks, and the next one opens.
    pub fn relink(&mut self) {
        self.close(1006);
        self.redial();
    }

    pub fn close(&mut self, code: u16) {
        self.close_with(code, "");
    }

    pub fn close_with(&mut self, code: u16, reason: &str) {
        self.client.handle_link_closed(self.client.link(), closed(code), reason, self.now);
        self.drain();
    }

    /// A `welcome` that answers the `hello` as a server would that has settled nothing; these members replace others.
    pub fn welcome(&mut self, members: &str) {
        let body = json::welcome(self.record.clone(), self.client.link(), members);
        self.frame(&format!("welcome\n{body}"));
    }

    /// The peer writes a text frame.
    pub fn frame(&mut self, text: &str) {
        self.octets_come(self.client.link(), Form::Text, text.as_bytes());
    }

    pub fn binary(&mut self, octets: &[u8]) {
        self.octets_come(self.client.link(), Form::Binary, octets);
    }

    pub fn octets_come(&mut self, link: u64, form: Form, octets: &[u8]) {
        let frame = split(form, octets);
        json::with_body(&frame, |body| {
            self.client.handle_frame(link, frame.head, frame.shape(), body, self.now);
        });
        self.drain();
    }

    /// As [`Self::frame`], of a body of so many octets that the host has read as so many messages for the own subject.
    pub fn long(&mut self, head: &str, octets: u64, messages: usize) {
        use everwire_core::frame::Shape;
        use everwire_core::session::down::Element;
        let elements = vec![Element::Message(subject(OWN)); messages];
        let shape = Shape { form: Form::Text, body_bytes: Some(octets), envelope_bytes: None };
        let body = Body::Elements(&elements);
        self.client.handle_frame(self.client.link(), head.as_bytes(), shape, body, self.now);
        self.drain();
    }

    // ---- the application ----

    pub fn submit(&mut self, message: Outgoing) {
        self.record.submitted(message);
        self.client.submit(message, self.now);
    }

    /// Hands over messages of 10 octets, in one turn.
    pub fn send(&mut self, tickets: core::ops::RangeInclusive<u32>) {
        for ticket in tickets {
            self.submit(text(ticket, 10));
        }
        self.drain();
    }

    pub fn send_one(&mut self, message: Outgoing) {
        self.submit(message);
        self.drain();
    }

    pub fn request(&mut self, ticket: u32, timeout: Duration) {
        self.send_one(Outgoing { answer_by: Some(self.now + timeout), ..text(ticket, 10) });
    }

    pub fn abort(&mut self, ticket: u32) {
        self.record.aborted(Ticket(ticket));
        self.client.handle_abort(Ticket(ticket), self.now);
        self.drain();
    }

    pub fn join(&mut self, room: &str) {
        self.client.admits_room(&subject(room)).unwrap();
        self.record.wished(subject(room));
        self.client.handle_join(subject(room), self.now);
        self.drain();
    }

    pub fn leave(&mut self, room: &str) {
        self.record.left(&subject(room));
        self.client.handle_leave(&subject(room), self.now);
        self.drain();
    }

    pub fn settle(&mut self, delivery: Delivery) {
        self.record.handler_settled(delivery);
        self.client.handle_settled(delivery, self.now);
        self.drain();
    }

    /// Every handler that was started ends.
    pub fn settle_all(&mut self) {
        for started in core::mem::take(&mut self.started) {
            self.record.handler_settled(started.delivery);
            self.client.handle_settled(started.delivery, self.now);
        }
        self.drain();
    }

    pub fn shut(&mut self, drain: Duration) {
        self.record.closing(self.now + drain);
        self.client.handle_close(drain, self.now);
        self.drain();
    }

    // ---- time ----

    /// So much passes; each deadline on the way is kept to the microsecond.
    pub fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        let mut rounds = 0;
        while let Some(due) = self.client.next_deadline().filter(|due| *due <= until) {
            rounds += 1;
            assert!(rounds < 10_000, "a deadline that never passes: {due:?}");
            self.now = self.now.max(due);
            self.client.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    /// So much passes, and every ping is answered at once; answers how many there were.
    pub fn pass_answered(&mut self, span: Duration) -> usize {
        let until = self.now + span;
        let mut pings = 0;
        while let Some(due) = self.client.next_deadline().filter(|due| *due <= until) {
            self.pass(due.since(self.now));
            let asked: Vec<_> = self.wire.iter().filter_map(|frame| frame.strip_prefix("ping ")).collect();
            let asked: Vec<String> = asked.into_iter().map(str::to_string).collect();
            self.wire.retain(|frame| !frame.starts_with("ping "));
            for x in asked {
                pings += 1;
                self.frame(&format!("pong {x}"));
            }
        }
        self.now = until;
        pings
    }

    pub fn sleep_to_deadline(&mut self) {
        let due = self.client.next_deadline().expect("nothing is due");
        self.now = self.now.max(due);
        self.client.handle_timeout(self.now);
        self.drain();
    }

    /// So much passes without anybody looking; then the timer fires.
    pub fn oversleep(&mut self, span: Duration) {
        self.now = self.now + span;
        self.client.handle_timeout(self.now);
        self.drain();
    }

    pub fn until_deadline(&self) -> Duration {
        self.client.next_deadline().expect("nothing is due").since(self.now)
    }

    /// How long until the next dial, of a client that waits.
    pub fn wait(&self) -> Duration {
        if self.client.phase() == Phase::Asking {
            return Duration::ZERO;
        }
        assert_eq!(self.client.phase(), Phase::Waiting);
        self.until_deadline()
    }

    // ---- the host ----

    /// Notes and carries out everything.
    pub fn drain(&mut self) {
        let mut rounds = 0;
        while self.carry_out_one() {
            rounds += 1;
            assert!(rounds < ROUNDS_MAX, "it never comes to rest");
        }
        self.check();
    }

    /// Notes and carries out one action.
    pub fn carry_out_one(&mut self) -> bool {
        let Some(action) = self.client.poll() else { return false };
        self.record.note(&action);
        match &action {
            Action::Dial { link, .. } => {
                assert!(self.links.insert(*link), "link {link} is used twice");
                assert_eq!(self.socket, None, "two links");
                self.socket = Some(*link);
                self.octets = 0;
            }
            Action::Leave { link, .. } if self.socket == Some(*link) => self.socket = None,
            Action::Write { link, frame } if self.socket == Some(*link) => {
                self.wire.push(written(frame));
                self.octets += frame_octets(frame);
                let buffered = self.stuck.map_or(0, |kept| self.octets.min(kept));
                self.client.handle_buffered(buffered, self.now);
            }
            Action::Exited { exited, .. } => {
                let twice = self.exits.insert(exited.ticket, exited.exit.clone());
                assert_eq!(twice, None, "{exited:?}");
            }
            Action::Start(started) => self.started.push(started.clone()),
            _ => {}
        }
        self.done.push(action);
        true
    }

    /// The record is what the machine says it must be.
    pub fn check(&self) {
        let mut fold = self.record.clone();
        fold.told = Told::default();
        fold.aborted.clear();
        let known = self.client.record();
        assert_eq!(fold.up, known.up);
        assert_eq!(fold.down, known.down);
        assert_eq!(fold.standing, known.standing);
        assert!(
            fold == known,
            "{:?} {:?}",
            (fold.link, fold.requests, fold.closing, fold.ended),
            (known.link, known.requests, known.closing, known.ended)
        );
    }

    /// The instance dies, and another takes its place.
    pub fn crash(&mut self) {
        let seed = self.now.as_micros();
        self.client = Client::restore(self.config, seed, self.record.clone(), self.now).unwrap();
        self.started.clear();
    }

    /// The pings that were written since.
    pub fn take_pings(&mut self) -> Vec<u64> {
        let pings = self.wire.iter().filter_map(|frame| frame.strip_prefix("ping ")?.parse().ok()).collect();
        self.wire.clear();
        pings
    }

    /// What was written since it was last taken.
    pub fn take(&mut self) -> Vec<String> {
        self.done.clear();
        core::mem::take(&mut self.wire)
    }

    pub fn exit(&self, ticket: u32) -> Option<&Exit> {
        self.exits.get(&Ticket(ticket))
    }

    pub fn dropped(&self, ticket: u32) -> Option<Dropped> {
        match self.exit(ticket)? {
            Exit::Dropped(why) => Some(*why),
            _ => None,
        }
    }

    pub fn notices(&self) -> Vec<Notice> {
        let notice = |action: &Action| match action {
            Action::Notice(notice) => Some(*notice),
            _ => None,
        };
        self.done.iter().filter_map(notice).collect()
    }

    /// The code with which the client has closed the last link.
    pub fn close_code(&self) -> Option<Close> {
        self.done.iter().rev().find_map(|action| match action {
            Action::Leave { close, .. } => Some(*close),
            _ => None,
        })?
    }

    /// The numbers of the handlers that were started since they were last taken.
    pub fn numbers(&self) -> Vec<u64> {
        self.started.iter().map(|started| started.s).collect()
    }

    pub fn did(&self, which: impl Fn(&Action) -> bool) -> usize {
        self.done.iter().filter(|action| which(action)).count()
    }

    pub fn state(&self) -> State {
        self.client.state()
    }

    /// The link was closed with 4002 for this clause, and nothing was carried out of it.
    pub fn assert_broken(&mut self, clause: &str) {
        let close = self.close_code().expect("not closed");
        assert_eq!((close.code, close.reason), (4002, clause));
    }

    /// The code and clause with which an open client answers this frame.
    pub fn answer_to(frame: &str) -> Option<(u16, &'static str)> {
        let mut host = Self::open();
        host.frame(frame);
        host.close_code().map(|close| (close.code, close.reason))
    }
}

pub fn text(ticket: u32, bytes: u32) -> Outgoing {
    Outgoing::new(Ticket(ticket), bytes, Form::Text)
}

pub fn exited(ticket: u32, n: u64, exit: Exit) -> Exited {
    Exited { ticket: Ticket(ticket), n: Some(n), exit }
}

fn frame_octets(frame: &Outbound) -> u64 {
    let mut head = Vec::new();
    frame.head(&mut head);
    match frame {
        Outbound::Send(written) => written.octets,
        Outbound::Cast(cast) => head.len() as u64 + u64::from(cast.bytes),
        Outbound::Hello(_) => 500,
        _ => head.len() as u64,
    }
}

/// The header line; behind that of `send`, the tickets, and `null` for what is withdrawn; behind `hello`, its body.
pub fn written(frame: &Outbound) -> String {
    let mut head = Vec::new();
    frame.head(&mut head);
    let head = String::from_utf8(head).unwrap();
    match frame {
        Outbound::Hello(hello) => {
            hello.check().unwrap();
            format!("{}\n{}", head.trim_end(), json::hello(hello))
        }
        Outbound::Send(written) => {
            let name = |numbered: &everwire_core::session::up::Numbered| {
                if numbered.withdrawn { "null".into() } else { numbered.message.ticket.0.to_string() }
            };
            let names: Vec<_> = written.messages.iter().map(name).collect();
            format!("{} [{}]", head.trim_end(), names.join(","))
        }
        _ => head.trim_end().into(),
    }
}
