//! The client's side.

use std::collections::VecDeque;

use super::greeting::{Hello, NotWelcome, Producing, Welcome};
use super::link::OnLink;
use super::message::{Dropped, Exit, Exited, Outgoing, Unwritten};
use super::record::{NotARecord, Numbered, Record};
use super::waiting::Waiting;
use super::{LONG_FRAME_BYTES, LONG_FRAME_LINKS, RELEASE_DELAY, SCRAP, UNRELEASED_MAX};
use crate::engine::{Producer, RefusalCode};
use crate::frame::{
    BATCH_BYTES_FILLED, BATCH_MESSAGES_MAX, Code, Form, FromClient, NUMBER_MAX, REFUSALS_MAX, Refusals,
};
use crate::limiter::{Limiter, Rate};
use crate::mutant::mutant;
use crate::outbox::OutboxConfig;
use crate::session::Broken;
use crate::time::Instant;

/// How a link has ended, as far as it bears on messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEnd {
    /// The node has closed with 1009. [REF-9]
    TooLong,
    /// 1006. [REF-9]
    Broke,
    /// Anything else, the client's own 1009 included. [REF-10]
    Other,
}

/// What may be written now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Everything.
    Open,
    /// What has a number; none are given. [AWAY-3]
    Given,
    /// No message: the release alone, which frees what is held up.
    Release,
}

/// A `send` to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The header.
    pub frame: FromClient<'static>,
    /// Text or binary.
    pub form: Form,
    /// The elements, with their numbers; of a withdrawn one, `null` is written.
    pub messages: Vec<Numbered>,
    /// Its octets, header line and all.
    pub octets: u64,
}

/// The client's outgoing messages, from submission to exit.
///
/// **Record, then act: after every call the host first brings its record up to date, and only then writes the frame or
/// tells the application what the call has answered.** So nothing goes out under a number that a restored instance would
/// give to another message [SEND-3], and no exit is told twice or never [KEEP-6].
///
/// 1. [`Sending::submit`] takes a message, [`Sending::remove`] gives one back that has no number.
/// 2. A link opens: [`Sending::hello`], which may need a spare from [`Sending::set_successor`] first.
/// 3. [`Sending::welcome`] settles what the server has; then [`Sending::write`] until it answers `None`, again after
///    every submission and every `ack`, and at [`Sending::deadline`].
/// 4. [`Sending::ack`] for each `ack`.
/// 5. [`Sending::link_ended`], and back to 2; or [`Sending::unknown`], or [`Sending::close`].
#[derive(Clone, Debug)]
pub struct Sending {
    pub(super) config: OutboxConfig,
    producer: Producer,
    successor: Option<Producer>,
    born: Option<u64>,
    pub(super) written: u64,
    pub(super) numbered: VecDeque<Numbered>,
    pub(super) waiting: Waiting,
    alone_until: Option<u64>,
    broken_links: u8,
    pub(super) message_bytes_max: Option<u32>,
    limiter: Limiter,
    /// When the rate lets the next message have its number, if one waits for that alone.
    limited_until: Option<Instant>,
    link: Option<OnLink>,
}

impl Sending {
    /// A client that has sent nothing under this producer, which no other wire may use. [HELLO-4]
    pub fn new(config: OutboxConfig, producer: Producer) -> Self {
        Self {
            config,
            producer,
            successor: None,
            born: None,
            written: 0,
            numbered: VecDeque::new(),
            waiting: Waiting::default(),
            alone_until: None,
            broken_links: 0,
            message_bytes_max: None,
            limiter: Limiter::default(),
            limited_until: None,
            link: None,
        }
    }

    /// At which rate numbers are given. What has one is sent again without regard to it: it was counted when it got it.
    pub fn limit(&mut self, rate: Option<Rate>) {
        self.limiter = Limiter::new(rate);
    }

    /// Whether the rate lets a cast pass; counts it.
    pub(in crate::session) fn take_allowance(&mut self, now: Instant) -> bool {
        self.limiter.take(now)
    }

    /// Goes on from what the host has kept, as after a lost link. [KEEP-1]
    pub fn restore(config: OutboxConfig, record: Record) -> Result<Self, NotARecord> {
        record.check()?;
        Ok(Self {
            successor: record.successor,
            born: record.born,
            written: record.written,
            numbered: record.numbered,
            waiting: record.waiting,
            alone_until: record.alone_until,
            broken_links: record.broken_links,
            ..Self::new(config, record.producer)
        })
    }

    /// What the host has to keep.
    pub fn record(&self) -> Record {
        Record {
            producer: self.producer,
            successor: self.successor,
            born: self.born,
            written: self.written,
            numbered: self.numbered.clone(),
            waiting: self.waiting.clone(),
            alone_until: self.alone_until,
            broken_links: self.broken_links,
        }
    }

    /// The lowest number that has not exited; the next one if all have. [SEND-10]
    pub fn oldest(&self) -> u64 {
        self.written - self.numbered.len() as u64 + 1
    }

    /// The highest number given.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// How many messages have not exited: those with a number, and those without.
    pub fn len(&self) -> (usize, usize) {
        (self.numbered.len(), self.waiting.len())
    }

    /// Whether every message has exited.
    pub fn is_empty(&self) -> bool {
        self.numbered.is_empty() && self.waiting.is_empty()
    }

    /// Names the spare producer, unless there is one: it stays the same until it is used. [HELLO-11]
    pub fn set_successor(&mut self, successor: Producer) {
        self.successor.get_or_insert(successor);
    }

    /// What to say in `hello`; `None` if a spare has to be named and recorded first.
    pub fn hello(&self) -> Option<Hello> {
        let successor = if self.written > 0 { Some(self.successor?) } else { None };
        let born = if self.written > 0 { self.born } else { None };
        Some(Hello { producer: self.producer, successor, oldest: self.oldest(), written: self.written, born })
    }

    /// Carries out the answer to [`Sending::hello`], whose numbers have not changed since.
    pub fn welcome(&mut self, welcome: &Welcome<'_>, now: Instant) -> Result<Vec<Exited>, NotWelcome> {
        if self.link.is_some() {
            return Err(broken("ERR-9"));
        }
        if welcome.credit < welcome.mark || welcome.credit > NUMBER_MAX {
            return Err(broken("CRED-2"));
        }
        let mut left = Vec::new();
        let mut refused = 0;
        match welcome.producing {
            Producing::Successor => {
                let Some(successor) = self.successor.filter(|_| self.written > 0) else {
                    return Err(broken("WELC-5"));
                };
                if welcome.mark != 0 || !welcome.refused.is_empty() {
                    return Err(broken("WELC-5"));
                }
                left = self.begin_anew(successor);
            }
            Producing::Kept => {
                let stranger = self.written > 0 && (welcome.epoch_changed || self.born != Some(welcome.born));
                if stranger || welcome.mark.saturating_add(1) < self.oldest() || welcome.mark > self.written {
                    return Err(NotWelcome::Unknown);
                }
                let codes = welcome.refused.iter().copied();
                if !ascending(self.oldest() - 1, welcome.mark, codes.map(|(n, _)| n)) {
                    return Err(broken("WELC-7"));
                }
                self.settle(welcome.mark, welcome.refused.iter().copied(), &mut left);
                refused = welcome.refused.len() as u64;
            }
        }
        self.born = Some(welcome.born);
        self.message_bytes_max = Some(welcome.message_bytes_max);
        self.link = Some(OnLink {
            written: welcome.mark,
            acked: welcome.mark,
            credit: welcome.credit,
            bytes: 0,
            long_frames: Vec::new(),
            unreleased: refused,
            release_at: (refused > 0).then_some(now + RELEASE_DELAY),
        });
        self.let_go_of_what_is_too_large(welcome.message_bytes_max, &mut left);
        Ok(left)
    }

    /// The next `send`, if one is due and allowed; call until `None`, unless the transport has enough. A new message
    /// has its number from here on, whether or not the frame gets out.
    pub fn write(&mut self, now: Instant) -> Option<Written> {
        self.write_within(Gate::Open, now)
    }

    /// As [`Sending::write`], of what this gate lets pass.
    pub fn write_within(&mut self, gate: Gate, now: Instant) -> Option<Written> {
        let alone = self.alone_until.is_some();
        let oldest = self.oldest();
        self.limited_until = None;
        let first = self.link.as_ref()?.written + 1;
        let gate = if self.has_room_for_scraps() { Gate::Release } else { gate };
        let mut messages = Vec::new();
        let mut body = "[]".len() as u64;
        let mut form = Form::Text;
        while messages.len() < BATCH_MESSAGES_MAX {
            let Some(next) = self.next(oldest, gate) else { break };
            let link = self.link.as_mut()?;
            let waits = alone && link.written > link.acked;
            let leeway = link.leeway();
            if waits || leeway.messages == 0 || leeway.octets == 0 {
                break;
            }
            let longer = body + next.bytes() + u64::from(!messages.is_empty());
            if !messages.is_empty() && (next.form() == Form::Binary || longer > BATCH_BYTES_FILLED) {
                break;
            }
            // Behind every other bound: what it has counted goes.
            if next.n > self.written && !self.limiter.take(now) {
                self.limited_until = self.limiter.next();
                break;
            }
            body = longer;
            form = next.form();
            link.written = next.n;
            link.bytes += next.bytes();
            if next.n > self.written {
                self.waiting.pop_front();
                self.written = next.n;
                self.numbered.push_back(next);
            }
            messages.push(next);
            if form == Form::Binary {
                break;
            }
        }
        if messages.is_empty() && !self.release_is_due(now) {
            return None;
        }
        let count = messages.len() as u16;
        let frame = FromClient::Send { n: first, count, oldest };
        let mut header = Vec::new();
        frame.write(&mut header);
        let link = self.link.as_mut()?;
        // The header line ends with the LF that stands before the body.
        let brackets = if form == Form::Binary { "[]".len() as u64 } else { 0 };
        let octets = header.len() as u64 + body - brackets;
        if octets > LONG_FRAME_BYTES && count > 0 {
            link.long_frames.push(link.written);
        }
        link.unreleased = 0;
        link.release_at = None;
        Some(Written { frame, form, messages, octets })
    }

    /// Whether the windows leave room for only a few of those that wait, and an `ack` that makes more is on its way: what
    /// follows each `ack` would else be a full frame and a scrap, and a frame costs a browser as much as twenty messages.
    /// As RFC 1122 §4.2.3.4 has it for TCP, with other fractions.
    fn has_room_for_scraps(&self) -> bool {
        let Some(link) = self.link.as_ref() else { return false };
        let shares = |next: &Outgoing| next.form == Form::Text && u64::from(next.bytes) < BATCH_BYTES_FILLED;
        if link.written < self.written || !self.waiting.front().is_some_and(shares) {
            return false;
        }
        let (out, leeway) = (link.written - link.acked, link.leeway());
        (leeway.messages < out / SCRAP && leeway.messages < self.waiting.len() as u64)
            || (leeway.octets < (link.bytes / SCRAP).min(BATCH_BYTES_FILLED)
                && leeway.octets < self.waiting.bytes())
    }

    /// What the link carries next: first again what has a number, then what has none. [WELC-8]
    fn next(&self, oldest: u64, gate: Gate) -> Option<Numbered> {
        let n = self.link.as_ref()?.written + 1;
        if gate == Gate::Release {
            return None;
        }
        if n <= self.written {
            return self.numbered.get((n - oldest) as usize).copied();
        }
        let message = *self.waiting.front().filter(|_| gate == Gate::Open)?;
        (n < NUMBER_MAX).then_some(Numbered { n, message, withdrawn: false })
    }

    fn release_is_due(&self, now: Instant) -> bool {
        self.link.as_ref().is_some_and(|link| {
            link.unreleased >= UNRELEASED_MAX
                || (link.unreleased > 0 && link.written >= link.credit)
                || link.release_at.is_some_and(|at| at <= now)
        })
    }

    /// When [`Sending::write`] has something to say although nothing else happens.
    pub fn deadline(&self) -> Option<Instant> {
        let release_at = self.link.as_ref()?.release_at;
        match (release_at, self.limited_until) {
            (Some(release), Some(limited)) => Some(release.min(limited)),
            (release, limited) => release.or(limited),
        }
    }

    /// Whether a message is being tried alone: no cast may be written, and no other frame over
    /// [`super::ALONE_FRAME_BYTES_MAX`]. [REF-9]
    pub fn is_alone(&self) -> bool {
        self.alone_until.is_some() && self.link.as_ref().is_some_and(|link| link.written > link.acked)
    }

    /// Carries out an `ack` of the link in use.
    pub fn ack(
        &mut self,
        n: u64,
        credit: u64,
        refused: Refusals<'_>,
        now: Instant,
    ) -> Result<Vec<Exited>, Broken> {
        let by_node = |clause| Err(Broken { clause });
        let Some(link) = self.link.as_mut() else { return by_node("ERR-9") };
        if n < link.acked {
            return by_node("ACK-5");
        }
        // What this link never carried cannot have been settled by it. [ACK-6]
        if n > link.written || !ascending(link.acked, n, refused.iter().map(|(refused, _)| refused)) {
            return by_node("ACK-6");
        }
        if credit < link.credit || credit < n || credit > NUMBER_MAX {
            return by_node("CRED-2");
        }
        let settled = self.numbered.iter().take_while(|numbered| numbered.n <= n);
        link.bytes -= settled.map(Numbered::bytes).sum::<u64>();
        link.acked = n;
        link.credit = if mutant!(CreditIncrement) { link.credit.saturating_add(credit) } else { credit };
        link.long_frames.retain(|last| *last > n);
        link.unreleased += refused.count() as u64;
        if link.unreleased > 0 {
            link.release_at.get_or_insert(now + RELEASE_DELAY);
        }
        let mut left = Vec::new();
        self.settle(n, refused.iter(), &mut left);
        Ok(left)
    }

    /// Everything up to the mark exits, refused if it is listed.
    fn settle<'a>(
        &mut self,
        mark: u64,
        refused: impl Iterator<Item = (u64, Code<'a>)>,
        left: &mut Vec<Exited>,
    ) {
        let mut refused = refused.peekable();
        while self.numbered.front().is_some_and(|numbered| numbered.n <= mark) {
            let Some(Numbered { n, message, withdrawn }) = self.numbered.pop_front() else { break };
            let exit = match refused.next_if(|(listed, _)| *listed == n) {
                Some((_, code)) if withdrawn && code.as_str() == "withdrawn" => {
                    Exit::Refused("too-large".into())
                }
                Some((_, code)) => Exit::Refused(RefusalCode::from(code.as_str())),
                None => Exit::Settled,
            };
            left.push(Exited { ticket: message.ticket, n: Some(n), exit });
        }
        if self.alone_until.is_some_and(|until| until <= mark) {
            self.alone_until = None;
        }
    }

    /// The producer in use.
    pub fn producer(&self) -> Producer {
        self.producer
    }

    /// Until which number messages go one at a time, and how many links have broken under a long frame. [REF-9]
    pub(in crate::session) fn alone(&self) -> (Option<u64>, u8) {
        (self.alone_until, self.broken_links)
    }

    /// Whether `null` is written in place of the lowest unsettled number.
    pub(in crate::session) fn is_first_withdrawn(&self) -> bool {
        self.numbered.front().is_some_and(|first| first.withdrawn)
    }

    /// Whether there is anything that the link in use has not carried.
    pub(in crate::session) fn is_behind(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.written < self.written || !self.waiting.is_empty())
    }

    /// Whether the lowest unsettled number was written on this link.
    pub fn is_oldest_written(&self) -> bool {
        self.link.as_ref().is_some_and(|link| !self.numbered.is_empty() && link.written >= self.oldest())
    }

    /// The highest number settled on this link, or by its `welcome`.
    pub fn acked(&self) -> Option<u64> {
        self.link.as_ref().map(|link| link.acked)
    }

    /// The link is gone, and with it all that it had carried and nobody has acknowledged: that goes again.
    pub fn link_ended(&mut self, end: LinkEnd) -> Vec<Exited> {
        let Some(link) = self.link.take() else { return Vec::new() };
        if mutant!(DropOnDisconnect) {
            let gone = self.numbered.drain(..);
            let settled =
                |gone: Numbered| Exited { ticket: gone.message.ticket, n: Some(gone.n), exit: Exit::Settled };
            return gone.map(settled).collect();
        }
        if mutant!(Renumber) {
            let again: Vec<_> = self.numbered.drain(..).map(|numbered| numbered.message).collect();
            self.waiting = again.into_iter().chain(self.waiting.iter().copied()).collect();
        }
        let under_long_frame = end == LinkEnd::Broke && !link.long_frames.is_empty();
        self.broken_links = if under_long_frame { self.broken_links.saturating_add(1) } else { 0 };
        if self.numbered.is_empty() {
            return Vec::new();
        }
        if end == LinkEnd::TooLong && self.alone_until.is_some() && link.written > link.acked {
            // It was the only one that was out: its octets are what no server takes.
            if let Some(first) = self.numbered.front_mut() {
                first.withdrawn = true;
            }
        } else if end == LinkEnd::TooLong || self.broken_links >= LONG_FRAME_LINKS {
            self.alone_until = Some(self.written);
        }
        Vec::new()
    }

    /// The server does not know the producer: what had a number leaves, what had none goes on under two fresh ones.
    /// After [`NotWelcome::Unknown`], and on 4005 of the newest link. [WELC-5] [CLOSE-8]
    pub fn unknown(&mut self, producer: Producer, successor: Producer) -> Vec<Exited> {
        self.link = None;
        let left = self.begin_anew(producer);
        self.successor = Some(successor);
        left
    }

    /// Whether every number is used up and has exited: the wire goes on at a new link after [`Sending::unknown`], which
    /// lets nothing go then. [NUM-6]
    pub fn is_exhausted(&self) -> bool {
        self.written >= NUMBER_MAX - 1 && self.numbered.is_empty()
    }

    fn begin_anew(&mut self, producer: Producer) -> Vec<Exited> {
        self.producer = producer;
        self.successor = None;
        self.born = None;
        self.written = 0;
        self.alone_until = None;
        self.broken_links = 0;
        self.drain_numbered(Dropped::Unknown)
    }

    fn drain_numbered(&mut self, why: Dropped) -> Vec<Exited> {
        let mut left = Vec::new();
        while let Some(Numbered { n, message, .. }) = self.numbered.pop_front() {
            left.push(Exited { n: Some(n), ..dropped(message, why) });
        }
        left
    }

    /// The wire closes for good: everything leaves. [CLOSE-5] [SEND-7]
    pub fn close(&mut self) -> Vec<Exited> {
        self.link = None;
        self.alone_until = None;
        let mut left = self.drain_numbered(Dropped::InDoubt);
        while let Some(message) = self.waiting.pop_front() {
            left.push(unwritten(message, Unwritten::Closed));
        }
        left
    }
}

pub(super) fn unwritten(message: Outgoing, why: Unwritten) -> Exited {
    dropped(message, Dropped::NeverWritten(why))
}

fn dropped(message: Outgoing, why: Dropped) -> Exited {
    Exited { ticket: message.ticket, n: None, exit: Exit::Dropped(why) }
}

fn broken(clause: &'static str) -> NotWelcome {
    NotWelcome::Broken(Broken { clause })
}

/// Whether these refused numbers ascend within (after, upto], and are no more than an engine keeps.
fn ascending(after: u64, upto: u64, mut numbers: impl Iterator<Item = u64>) -> bool {
    let mut last = after;
    let mut many = 0;
    let rising = numbers.all(|n| {
        let rises = n > last;
        last = n;
        many += 1;
        rises && many <= REFUSALS_MAX
    });
    rising && last <= upto
}
