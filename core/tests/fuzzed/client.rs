//! A client and its host under any inputs: what every property test and the fuzz target `client` assert.
#![allow(dead_code, unreachable_pub, reason = "each user has its own inputs")]

use std::collections::{BTreeMap, BTreeSet};

use everwire_core::frame::{Form, NUMBER_MAX, PageMark};
use everwire_core::session::REQUESTS_MAX;
use everwire_core::session::client::*;
use everwire_core::session::down::{Delivery, HELD_OCTETS_MAX, ROOMS_MAX, WINDOW_MESSAGES};
use everwire_core::session::up::{Exit, Outgoing, WINDOW_MESSAGES_MAX};
use everwire_core::{Duration, Ticket};

use crate::v1_client_common::*;

#[derive(Clone, Debug)]
pub enum Op {
    /// The next step to a link that is open, whatever that is.
    Go,
    /// What a right server would say now.
    Honest(Honest),
    Connect,
    Dialled {
        changed: bool,
    },
    DialFailed,
    Opens {
        selected: bool,
    },
    Welcome(String),
    Frame(String),
    Close(u16, &'static str),
    Submit {
        bytes: u32,
        key: Option<u32>,
        priority: u8,
        ttl: Option<u64>,
        request: Option<u64>,
        binary: bool,
    },
    Abort(u32),
    Cast(u32),
    Join(u8),
    Leave(u8),
    Page {
        before: Option<u64>,
        count: u16,
    },
    PageAbort(u32),
    Settle(usize),
    Pass(u64),
    Oversleep(u64),
    Timeout,
    Buffered(u64),
    WriteFailed,
    Renewed(u64),
    RenewalFailed,
    Visible(bool),
    Online,
    Offline,
    Wake,
    Suspend,
    Resume {
        visible: bool,
    },
    Reconnect,
    Shut(u64),
    Crash {
        keeps: usize,
    },
    StaleLink,
}

#[derive(Clone, Debug)]
pub enum Honest {
    Push { many: u64, again: u64, binary: bool },
    Ack { of: u64, refused: bool },
    Reply(usize),
    Page { s: u64, mark: &'static str },
    Pong(u64),
    Joined(bool),
    Lost,
    Revoked(u8),
}

pub struct Run {
    pub host: Host,
    tickets: u32,
    pages: u32,
    /// Pages that have not ended.
    asked: BTreeSet<PageId>,
    /// Requests, and whether each was answered or given up.
    requests: BTreeMap<Ticket, bool>,
    /// The handler that was started last.
    started: Option<Delivery>,
    was_closed: bool,
    /// So much of what is ordered next is carried out, then the instance dies.
    keeps: Option<usize>,
    /// On this link, so many joins and pages have been answered.
    answered: (u64, usize, usize),
}

impl Run {
    pub fn new(config: Config) -> Self {
        Self {
            host: Host::new(config),
            tickets: 0,
            pages: 0,
            asked: BTreeSet::new(),
            requests: BTreeMap::new(),
            started: None,
            was_closed: false,
            keeps: None,
            answered: (0, 0, 0),
        }
    }

    /// One input, and whatever must hold behind it.
    pub fn step(&mut self, op: Op) {
        self.apply(op);
        self.check();
    }

    /// What must hold whenever everything has been carried out. `Host` compares the records.
    pub fn check(&mut self) {
        let (client, record) = (&self.host.client, &self.host.record);
        if matches!(client.phase(), Phase::Suspended | Phase::Closed) {
            assert_eq!(client.next_deadline(), None);
        }
        assert!(!self.was_closed || record.is_closed(), "it has come back");
        self.was_closed = record.is_closed();
        let (numbered, waiting) = client.unsettled();
        assert!(numbered as u64 <= WINDOW_MESSAGES_MAX, "[SEND-24] {numbered}");
        let (messages_max, bytes_max) = self.host.config.outbox.bounds();
        assert!(waiting <= messages_max, "{waiting} wait");
        assert!(record.up.waiting.bytes() <= bytes_max);
        assert!(client.requests_unanswered() <= REQUESTS_MAX, "[REQ-13]");
        assert!(record.requests.len() <= REQUESTS_MAX, "[REQ-13]");
        let held = record.down.pending.held();
        assert!(held.octets <= HELD_OCTETS_MAX && held.messages < 2 * WINDOW_MESSAGES, "[CRED-10] {held:?}");
        assert!(record.down.seats.len() <= ROOMS_MAX + 1, "[LIM-11]");
        self.see();
    }

    /// What was ordered since: everything that the application waits for ends once.
    fn see(&mut self) {
        for action in core::mem::take(&mut self.host.done) {
            match action {
                Action::Start(started) => {
                    assert!(self.started < Some(started.delivery), "[POS-12] {started:?}");
                    self.started = Some(started.delivery);
                }
                Action::Paged { page, mark, .. } => {
                    assert!(self.asked.contains(&page), "{page:?} had ended");
                    if mark != PageMark::More {
                        self.asked.remove(&page);
                    }
                }
                Action::PageFailed { page, .. } => assert!(self.asked.remove(&page), "{page:?} had ended"),
                Action::Answered { ticket, .. } | Action::Unanswered { ticket, .. } => {
                    let before = self.requests.insert(ticket, true);
                    assert_eq!(before, Some(false), "{ticket:?} is answered twice, or was no request");
                }
                _ => {}
            }
        }
    }

    /// The end of the wire: everything has exited, once.
    pub fn finish(mut self) {
        self.keeps = None;
        let now = self.host.now;
        self.host.record.closing(now);
        self.host.client.handle_close(Duration::ZERO, now);
        self.host.drain();
        self.host.pass(secs(10));
        self.check();
        assert_eq!(self.host.client.phase(), Phase::Closed);
        let exited: BTreeSet<_> = self.host.exits.keys().map(|ticket| ticket.0).collect();
        assert_eq!(exited, (1..=self.tickets).collect::<BTreeSet<_>>());
        for (ticket, answered) in &self.requests {
            let settled = self.host.exits[ticket] == Exit::Settled;
            assert!(*answered || !settled, "[REQ-9] nobody hears of {ticket:?}");
        }
        assert!(self.asked.is_empty(), "[PAGE-7] {:?} never end", self.asked);
        assert_eq!(self.host.socket, None);
    }

    /// Carries everything out, or so much and then the instance dies.
    pub fn drain(&mut self) {
        if let Some(keeps) = self.keeps.take() {
            for _ in 0..keeps {
                self.host.carry_out_one();
            }
            // The pages of the dead one are the host's to fail. [KEEP-3]
            self.see();
            self.asked.clear();
            self.host.crash();
        }
        self.host.drain();
    }

    /// Several messages in one turn. What would not be taken is refused by a host that is about to die, which would
    /// otherwise find it on its record; another host may leave that to the machine.
    pub fn burst(&mut self, messages: impl Iterator<Item = Outgoing>) {
        for message in messages {
            let message = Outgoing { ticket: Ticket(self.tickets + 1), ..message };
            let admitted = self.host.client.admits(&message).is_ok();
            if !admitted && self.keeps.is_some() {
                continue;
            }
            self.tickets += 1;
            if message.answer_by.is_some() {
                self.requests.insert(message.ticket, false);
            }
            self.host.submit(message);
        }
        self.drain();
    }

    fn go(&mut self) {
        match self.host.client.phase() {
            Phase::Idle => self.host.client.handle_connect(self.host.now),
            Phase::Asking => self.host.dialled(),
            Phase::Dialling => self.host.opens(),
            Phase::Greeting => self.host.welcome("{}"),
            Phase::Waiting => self.host.sleep_to_deadline(),
            Phase::Suspended => self.host.client.handle_resume(true, self.host.now),
            Phase::Open | Phase::Leaving | Phase::Closing | Phase::Closed => {}
        }
    }

    fn honest(&mut self, honest: Honest) {
        let host = &mut self.host;
        if !host.client.phase().is_open() {
            return;
        }
        let received = host.record.down.received;
        if self.answered.0 != host.client.link() {
            self.answered = (host.client.link(), 0, 0);
        }
        let asked = |verb: &str, at: usize| {
            let mut frames = host.wire.iter().filter_map(|frame| frame.strip_prefix(verb));
            frames.nth(at).map(|rest| rest.split(' ').next().unwrap().to_string())
        };
        let frame = match honest {
            Honest::Push { many, again, binary } => {
                let after = received.saturating_sub(again);
                let numbers: Vec<_> = (after + 1..=after + many).map(|s| s.to_string()).collect();
                if binary && many == 1 {
                    let octets = format!("push {after} {} {}\n{{\"type\":\"t\"}}\nx", after + 2, after + 1);
                    return host.binary(octets.as_bytes());
                }
                let body = vec![r#"{"type":"t"}"#; many as usize].join(",");
                format!("push {after} {} {}\n[{body}]", after + many + 1, numbers.join(" "))
            }
            Honest::Ack { of, refused } => {
                let oldest = host.record.up.oldest();
                let n = (oldest - 1 + of).min(host.record.up.written);
                let listed = if refused && n >= oldest { format!(" {n}:forbidden") } else { String::new() };
                format!("ack {n} {}{listed}", n + 8192)
            }
            Honest::Reply(index) => {
                let pending: Vec<_> = host.record.requests.iter().map(|(n, _)| n).collect();
                let Some(n) = pending.get(index % pending.len().max(1)) else { return };
                format!("reply {n}\n[{{\"type\":\"t\"}}]")
            }
            Honest::Page { s, mark } => {
                let Some(id) = asked("page ", self.answered.2) else { return };
                self.answered.2 += 1;
                if s == 0 {
                    format!("page {id} end\n[]")
                } else {
                    format!("page {id} {mark} {s}\n[{{\"type\":\"t\"}}]")
                }
            }
            Honest::Pong(x) => format!("pong {x}"),
            Honest::Joined(denied) => {
                let Some(room) = asked("join ", self.answered.1) else { return };
                self.answered.1 += 1;
                if denied {
                    format!("denied {room} forbidden")
                } else {
                    format!("joined {room} {received} g")
                }
            }
            Honest::Lost => {
                let epoch = host.record.down.epoch.clone().unwrap();
                format!(
                    "lost\n{{\"logEpoch\":\"{epoch}\",\"subjects\":[\"user_1\",\"room_0\"],\"first\":{}}}",
                    received + 1
                )
            }
            Honest::Revoked(room) => format!("denied room_{room} revoked"),
        };
        host.frame(&frame);
    }

    #[allow(clippy::too_many_lines, reason = "one arm for each operation")]
    fn apply(&mut self, op: Op) {
        let now = self.host.now;
        let link = self.host.client.link();
        match op {
            Op::Go => self.go(),
            Op::Honest(honest) => self.honest(honest),
            Op::Connect => self.host.client.handle_connect(now),
            Op::Dialled { changed } => {
                self.host.token_changed = changed;
                self.host.dialled();
            }
            Op::DialFailed => self.host.client.handle_dial_failed(link, now),
            Op::Opens { selected } => self.host.client.handle_link_open(link, selected, now),
            Op::Welcome(members) => self.host.welcome(&members),
            Op::Frame(text) => self.host.frame(&text),
            Op::Close(code, reason) => self.host.client.handle_link_closed(link, closed(code), reason, now),
            Op::Submit { bytes, key, priority, ttl, request, binary } => {
                let form = if binary { Form::Binary } else { Form::Text };
                let message = Outgoing {
                    key,
                    priority,
                    expires: ttl.map(|ttl| now + ms(ttl)),
                    answer_by: request.map(|timeout| now + ms(timeout)),
                    ..Outgoing::new(Ticket(0), bytes, form)
                };
                return self.burst([message].into_iter());
            }
            Op::Abort(ticket) => {
                self.host.record.aborted(Ticket(ticket));
                self.host.client.handle_abort(Ticket(ticket), now);
            }
            Op::Cast(bytes) => {
                let cast = Cast { ticket: Ticket(0), bytes, form: Form::Text };
                self.host.client.cast(cast, now);
            }
            Op::Join(room) => {
                let room = subject(&format!("room_{room}"));
                if self.host.client.admits_room(&room).is_ok() {
                    self.host.record.wished(room.clone());
                    self.host.client.handle_join(room, now);
                }
            }
            Op::Leave(room) => {
                let room = subject(&format!("room_{room}"));
                self.host.record.left(&room);
                self.host.client.handle_leave(&room, now);
            }
            Op::Page { before, count } => {
                self.pages += 1;
                let fits = (1..=256).contains(&count) && before.is_none_or(|before| before <= NUMBER_MAX);
                let before = before.map(|before| ("e".into(), before));
                let ask = PageAsk { page: PageId(self.pages), subject: subject("room_0"), before, count };
                match self.host.client.page(ask, now) {
                    Ok(()) => assert!(fits && self.asked.insert(PageId(self.pages))),
                    Err(PageUnfit::Malformed) => assert!(!fits),
                    // Those that the host has aborted wait for their answers no longer than the others.
                    Err(PageUnfit::TooMany) => assert!(self.asked.len() >= PAGES_WAITING_MAX),
                    Err(PageUnfit::Closed) => {
                        assert!(self.host.record.closing.is_some() || self.host.record.is_closed());
                    }
                }
            }
            Op::PageAbort(page) => self.host.client.handle_page_abort(PageId(page), now),
            Op::Settle(index) => {
                if !self.host.started.is_empty() {
                    let index = index % self.host.started.len();
                    let started = self.host.started.remove(index);
                    self.host.record.handler_settled(started.delivery);
                    self.host.client.handle_settled(started.delivery, now);
                }
            }
            Op::Pass(millis) => self.host.pass(ms(millis)),
            Op::Oversleep(millis) => self.host.oversleep(ms(millis)),
            Op::Timeout => self.host.client.handle_timeout(now),
            Op::Buffered(octets) => self.host.client.handle_buffered(octets, now),
            Op::WriteFailed => self.host.client.handle_write_failed(link, now),
            Op::Renewed(octets) => self.host.client.handle_renewed(link, octets, now),
            Op::RenewalFailed => self.host.client.handle_renewal_failed(link, now),
            Op::Visible(visible) => self.host.client.handle_visible(visible, now),
            Op::Online => self.host.client.handle_online(now),
            Op::Offline => self.host.client.handle_offline(now),
            Op::Wake => self.host.client.handle_wake(now),
            Op::Suspend => self.host.client.handle_suspend(now),
            Op::Resume { visible } => self.host.client.handle_resume(visible, now),
            Op::Reconnect => self.host.client.handle_reconnect(now),
            Op::Shut(drain) => {
                self.host.record.closing(now + ms(drain));
                self.host.client.handle_close(ms(drain), now);
            }
            Op::Crash { keeps } => {
                self.keeps = Some(keeps);
                return;
            }
            Op::StaleLink => {
                let before = self.host.client.record();
                self.host.octets_come(link.wrapping_sub(1), Form::Text, b"advance 0 999");
                self.host.client.handle_link_closed(link.wrapping_sub(1), closed(4500), "", now);
                self.host.client.handle_link_open(link.wrapping_sub(1), true, now);
                self.host.drain();
                assert_eq!(self.host.client.record().down.received, before.down.received);
            }
        }
        self.drain();
    }
}
