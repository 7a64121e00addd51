//! The client's half: positions and the window.

use std::collections::VecDeque;

use super::pending::Delivery;
use super::record::{
    Element, Fresh, Hello, Loss, Persisted, Record, Report, Started, Taken, Welcome, check_loss,
    check_welcome,
};
use super::rooms::{self, LinkRooms, Place, Seat, Unfit, Wish};
use super::{Amount, SEEN_DELAY, STUCK_AFTER, Violation, WINDOW_MESSAGES, WINDOW_OCTETS};
use crate::engine::{LogEpoch, Subject};
use crate::frame::{FromClient, FromServer, Numbers};
use crate::gather::gather;
use crate::mutant::mutant;
use crate::time::Instant;

/// What is forgotten with the link. [KEEP-3]
#[derive(Clone, Debug)]
struct Link {
    open: bool,
    rooms: LinkRooms,
    /// `hello.held` and what this link has pushed.
    given: Amount,
    /// Of it, what is processed.
    processed: Amount,
    /// Of that, what has been written.
    reported: Amount,
    /// Since when something is processed and not written.
    unreported_since: Option<Instant>,
}

impl Link {
    fn outstanding(&self) -> Amount {
        self.given.minus(self.reported)
    }

    fn process(&mut self, amount: Amount, now: Instant) {
        self.processed = self.processed.plus(amount);
        self.unreported_since.get_or_insert(now);
    }
}

/// What a client knows of what comes down. The life of a link is [`Reader::hello`], [`Reader::handle_welcome`], frames,
/// [`Reader::link_lost`].
///
/// **After everything that is handled: put [`Reader::record`] by, then drain [`Reader::start`] and
/// [`Reader::next_wish`].** So a message is on the record before its handler starts [POS-5], and a crash in between
/// finds it either waiting or started, never both.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    record: Record,
    link: Option<Link>,
    /// In the order in which handlers started; those that have settled are still in it.
    running: VecDeque<(Instant, Delivery)>,
    /// Handlers before this one have started.
    unstarted: Delivery,
    /// Since when nothing has been processed while the window is shut, and whether that was reported.
    shut: Option<(Instant, bool)>,
}

impl Reader {
    /// A page that kept nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new page that kept positions. [HELLO-6]
    pub fn reopen(kept: Persisted) -> Self {
        let record =
            Record { epoch: Some(kept.epoch), received: kept.seen, seats: kept.seats, ..Record::default() };
        Self { record, ..Self::default() }
    }

    /// A fresh instance in a page that lives on, as one that has lost its link. [KEEP-1]
    pub fn restore(record: Record, now: Instant) -> Self {
        let entries = &record.pending.entries;
        // When they began died with the instance. [KEEP-2]
        let running = entries.iter().filter(|(_, entry)| entry.started).map(|(delivery, _)| (now, *delivery));
        let mut reader = Self { running: running.collect(), record, ..Self::default() };
        if mutant!(SeenInHello) {
            reader.record.received = reader.seen();
        }
        reader
    }

    /// What the host must keep.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// What a page may persist; `None` before the first `welcome`.
    pub fn persisted(&self) -> Option<Persisted> {
        let epoch = self.record.epoch.clone()?;
        Some(Persisted { epoch, seen: self.seen(), seats: self.record.seats.clone() })
    }

    /// Everything of the filter up to here is in the host's hands.
    pub fn received(&self) -> u64 {
        self.record.received
    }

    /// Everything of the filter up to here has been processed. Messages of another log, or of subjects that are no
    /// longer in the filter, are not waited for. [POS-13]
    pub fn seen(&self) -> u64 {
        let record = &self.record;
        if mutant!(SeenOnReceipt) {
            return record.received;
        }
        let counts = |subject, s| {
            let seat: Option<&Seat> = record.seats.get(subject);
            seat.and_then(|seat| seat.from).is_some_and(|from| s > from)
        };
        let mut pending = record.pending.entries.values();
        let oldest = pending
            .find(|entry| Some(&entry.epoch) == record.epoch.as_ref() && counts(&entry.subject, entry.s));
        oldest.map_or(record.received, |entry| (entry.s - 1).min(record.received))
    }

    /// A link has opened, and this is to be written.
    pub fn hello(&mut self) -> Hello {
        let held = if mutant!(SeenOnReceipt) { Amount::default() } else { self.record.pending.held() };
        self.link = Some(Link {
            open: false,
            rooms: LinkRooms::hello(&self.record.seats),
            given: held,
            processed: Amount::default(),
            reported: Amount::default(),
            unreported_since: None,
        });
        let seats = self.record.seats.iter();
        Hello {
            epoch: self.record.epoch.clone(),
            position: self.record.epoch.as_ref().map(|_| self.record.received),
            rooms: gather(seats.map(|(subject, seat)| (subject.clone(), seat.clone()))),
            held,
        }
    }

    /// The link is gone.
    pub fn link_lost(&mut self) {
        self.link = None;
        self.shut = None;
    }

    /// Whether this `welcome` answers what [`Reader::hello`] has said.
    pub fn check_welcome(&self, welcome: &Welcome) -> Result<(), Violation> {
        let Some(link) = self.link.as_ref().filter(|link| !link.open) else {
            return Err(Violation::Unexpected);
        };
        let same = self.record.epoch.as_ref() == Some(&welcome.epoch);
        check_welcome(welcome, &self.record, &link.rooms, same)
    }

    /// Carries out a `welcome`.
    pub fn handle_welcome(&mut self, welcome: Welcome, now: Instant) -> Result<Vec<Report>, Violation> {
        let Some(link) = self.link.as_mut().filter(|link| !link.open) else {
            return Err(Violation::Unexpected);
        };
        let same = self.record.epoch.as_ref() == Some(&welcome.epoch);
        check_welcome(&welcome, &self.record, &link.rooms, same)?;

        let mut reports = Vec::new();
        let mut lost = welcome.lost.as_ref().map(|loss| loss.subjects.clone()).unwrap_or_default();
        if !same && self.record.epoch.is_some() {
            let known = self.record.seats.iter().filter(|(_, seat)| seat.from.is_some());
            lost = gather(known.map(|(subject, _)| subject.clone()));
        }
        for (subject, code) in welcome.denied {
            if self.record.seats.remove(&subject).is_some() {
                reports.push(Report::Denied(subject, code));
            }
        }
        let subjects = welcome.rooms.iter().map(|place| place.subject.clone());
        link.rooms.welcome(welcome.own.clone(), subjects, &self.record.seats);
        for seat in self.record.seats.values_mut().filter(|_| !same) {
            *seat = Seat::default();
        }
        let first = welcome.lost.map(|loss| (loss.subjects, loss.first));
        for place in welcome.rooms {
            let raised = first.as_ref().filter(|(subjects, _)| subjects.contains(&place.subject));
            let from = raised.map_or(place.from, |(_, first)| place.from.max(first.saturating_sub(1)));
            let own = place.subject == welcome.own;
            if !own
                && (!self.record.seats.contains_key(&place.subject) || link.rooms.is_leaving(&place.subject))
            {
                continue;
            }
            let seat = Seat { from: Some(from), grant: place.grant };
            if self.record.seats.insert(place.subject.clone(), seat).is_none_or(|seat| seat.from.is_none())
                && !own
                && !lost.contains(&place.subject)
            {
                reports.push(Report::Joined(place.subject));
            }
        }
        // Of a room that was left since `hello` nothing is missed, even if it is wished for again.
        lost.retain(|subject| self.record.seats.get(subject).is_some_and(|seat| seat.from.is_some()));
        self.record.own = Some(welcome.own);
        self.record.epoch = Some(welcome.epoch);
        let keeps = mutant!(PositionAcrossEpochs) && !same && self.record.received > 0;
        self.record.received = if keeps { self.record.received } else { welcome.position };
        link.open = true;
        if !lost.is_empty() {
            reports.push(Report::Lost(lost));
        }
        self.watch_window(now);
        Ok(reports)
    }

    /// Carries out a `push`; `octets` are those of its body. [POS-4]
    pub fn handle_push(
        &mut self,
        after: u64,
        upto: u64,
        numbers: Numbers<'_>,
        elements: &[Element],
        octets: u64,
        now: Instant,
    ) -> Result<Taken, Violation> {
        FromServer::Push { after, upto, numbers }.check().map_err(|_| Violation::Order)?;
        let messages = numbers.count() as u64;
        let link = open(&mut self.link)?;
        let record = &mut self.record;
        let Some(epoch) = record.epoch.as_ref() else { return Err(Violation::Unexpected) };
        if after > record.received && !mutant!(NoGapCheck) {
            return Err(Violation::Gap);
        }
        if elements.len() as u64 != messages {
            return Err(Violation::Elements);
        }
        if !link.outstanding().admits(messages) {
            return Err(Violation::Window);
        }
        let received = record.received;
        let pairs = numbers.iter().zip(elements).enumerate();
        let fresh = pairs.filter_map(|(index, (s, element))| match element {
            Element::Message(subject) if s > received => {
                Some(Fresh { index: index as u16, s, subject: subject.clone() })
            }
            _ => None,
        });
        let fresh = gather(fresh);
        let known = numbers.iter().take_while(|s| *s <= received).count();
        let taken = Taken { upto: received.max(upto), known: known as u16, messages, octets, fresh };
        let mut processed = record.take(epoch.clone(), &taken);
        if mutant!(SeenOnReceipt) {
            processed = Amount { messages, octets: octets.min(super::FRAME_OCTETS_COUNTED_MAX) };
        }
        let octets = octets.min(super::FRAME_OCTETS_COUNTED_MAX);
        link.given = link.given.plus(Amount { messages, octets });
        if processed.messages > 0 {
            link.process(processed, now);
        }
        self.watch_window(now);
        Ok(taken)
    }

    /// Carries out an `advance`. [POS-12]
    pub fn handle_advance(&mut self, after: u64, upto: u64) -> Result<(), Violation> {
        FromServer::Advance { after, upto }.check().map_err(|_| Violation::Order)?;
        open(&mut self.link)?;
        if after > self.record.received && !mutant!(NoGapCheck) {
            return Err(Violation::Gap);
        }
        self.record.received = self.record.received.max(upto);
        Ok(())
    }

    /// The next handler to start, in the order of s and without waiting for the one before. [POS-15]
    pub fn start(&mut self, now: Instant) -> Option<Started> {
        let mut waiting = self.record.pending.entries.range_mut(self.unstarted..);
        let (delivery, entry) = waiting.find(|(_, entry)| !entry.started)?;
        entry.started = true;
        self.unstarted = Delivery(delivery.0 + 1);
        self.running.push_back((now, *delivery));
        let (epoch, subject) = (entry.epoch.clone(), entry.subject.clone());
        Some(Started { delivery: *delivery, epoch, s: entry.s, subject })
    }

    /// A handler has ended, well or badly. Whatever was not pending is ignored.
    pub fn settle(&mut self, delivery: Delivery, now: Instant) {
        let Some(amount) = self.record.pending.settle(delivery) else { return };
        if let Some(link) = self.link.as_mut().filter(|_| !mutant!(SeenOnReceipt)) {
            link.process(amount, now);
        }
        while self.running.front().is_some_and(|(_, first)| !self.record.pending.entries.contains_key(first))
        {
            self.running.pop_front();
        }
        // Those that have settled leave with the first that has not, so twice the window is the most there can be.
        if self.running.len() as u64 > 2 * WINDOW_MESSAGES {
            for _ in 0..self.running.len() {
                let Some(first) = self.running.pop_front() else { break };
                if self.record.pending.entries.contains_key(&first.1) {
                    self.running.push_back(first);
                }
            }
        }
        self.shut = None;
        self.watch_window(now);
    }

    /// When `seen` is due. [CRED-14]
    pub fn seen_due(&self) -> Option<Instant> {
        let link = self.link.as_ref().filter(|link| link.open)?;
        let since = link.unreported_since?;
        let outstanding = link.outstanding();
        let much = outstanding.messages >= WINDOW_MESSAGES / 2 || outstanding.octets >= WINDOW_OCTETS / 2;
        Some(if much { since } else { since + SEEN_DELAY })
    }

    /// The `seen` to be written now, if it is due.
    pub fn poll_seen(&mut self, now: Instant) -> Option<FromClient<'static>> {
        if self.seen_due()? > now { None } else { self.flush_seen(now) }
    }

    /// The `seen` to be written before a `pong`: whatever is not reported yet. [CRED-15]
    pub fn flush_seen(&mut self, now: Instant) -> Option<FromClient<'static>> {
        let s = self.seen();
        let link = self.link.as_mut().filter(|link| link.open)?;
        link.unreported_since.take()?;
        link.reported = link.processed;
        let Amount { messages: count, octets: bytes } = link.reported;
        self.watch_window(now);
        Some(FromClient::Seen { s, count, bytes })
    }

    /// When [`Reader::poll_stuck`] has something to say.
    pub fn stuck_due(&self) -> Option<Instant> {
        let handler =
            self.running.iter().find(|(_, delivery)| self.record.pending.entries.contains_key(delivery));
        let shut = self.shut.filter(|(_, reported)| !reported).map(|(since, _)| since);
        handler.map(|(since, _)| *since).into_iter().chain(shut).min().map(|since| since + STUCK_AFTER)
    }

    /// A handler, or a window, that has been stuck for [`STUCK_AFTER`]. Each is told once and counts as pending still.
    /// [POS-14] [CRED-17]
    pub fn poll_stuck(&mut self, now: Instant) -> Option<Report> {
        while let Some((since, delivery)) = self.running.front().copied() {
            let pending = self.record.pending.entries.contains_key(&delivery);
            if pending && now.since(since) < STUCK_AFTER {
                break;
            }
            self.running.pop_front();
            if pending {
                return Some(Report::Unsettled(delivery));
            }
        }
        let (since, reported) = self.shut.as_mut()?;
        if *reported || now.since(*since) < STUCK_AFTER {
            return None;
        }
        *reported = true;
        self.record.pending.entries.keys().next().copied().map(Report::WindowShut)
    }

    fn watch_window(&mut self, now: Instant) {
        let shut = self.link.as_ref().is_some_and(|link| link.open && !link.outstanding().admits(1));
        self.shut = if shut { self.shut.or(Some((now, false))) } else { None };
    }

    /// Whether [`Reader::join`] would take this room.
    pub fn admits(&self, subject: &Subject) -> Result<(), Unfit> {
        rooms::check(&self.record.seats, self.record.own.as_ref(), subject)
    }

    /// The application wishes to be in a room.
    pub fn join(&mut self, subject: Subject) -> Result<(), Unfit> {
        rooms::check(&self.record.seats, self.record.own.as_ref(), &subject)?;
        if let Some(link) = self.link.as_mut() {
            link.rooms.wish(&subject);
        }
        self.record.seats.or_default(subject);
        Ok(())
    }

    /// The application wishes to be in a room no longer: its `from` and grant are gone at once. [ROOM-14]
    pub fn leave(&mut self, subject: &Subject) {
        self.record.seats.remove(subject);
        if let Some(link) = self.link.as_mut() {
            link.rooms.leave(subject);
        }
    }

    /// The next `join` or `leave` to be written.
    pub fn next_wish(&mut self) -> Option<Wish> {
        self.link.as_mut()?.rooms.next(&self.record.seats)
    }

    /// Carries out a `joined`.
    pub fn handle_joined(&mut self, place: Place) -> Result<Option<Report>, Violation> {
        let link = open(&mut self.link)?;
        if place.from < self.record.received && link.rooms.is_next(&place.subject) {
            return Err(Violation::From);
        }
        link.rooms.answered(&place.subject, true)?;
        let Some(seat) = self.record.seats.get_mut(&place.subject) else { return Ok(None) };
        *seat = Seat { from: Some(place.from), grant: place.grant };
        Ok(Some(Report::Joined(place.subject)))
    }

    /// Carries out a `denied`: an answer, or a revocation. [ROOM-16] [ROOM-20]
    pub fn handle_denied(&mut self, subject: &Subject, code: &str) -> Result<Option<Report>, Violation> {
        let link = open(&mut self.link)?;
        if code == "revoked" {
            if link.rooms.is_asked(subject) || !link.rooms.revoked(subject) {
                return Ok(None);
            }
        } else {
            link.rooms.answered(subject, false)?;
        }
        let seat = self.record.seats.remove(subject);
        Ok(seat.map(|_| Report::Denied(subject.clone(), code.into())))
    }

    /// Carries out a `lost` in mid-link. [LOST-4] [LOST-7]
    pub fn handle_lost(&mut self, epoch: &LogEpoch, loss: &Loss) -> Result<Option<Report>, Violation> {
        open(&mut self.link)?;
        if self.record.epoch.as_ref() != Some(epoch) {
            return Err(Violation::Lost);
        }
        let from = check_loss(loss, self.record.received)?;
        let mut lost = Vec::new();
        for subject in &loss.subjects {
            let Some(seat) = self.record.seats.get_mut(subject).filter(|seat| seat.from.is_some()) else {
                continue;
            };
            seat.from = Some(from);
            lost.push(subject.clone());
        }
        Ok(Some(lost).filter(|lost| !lost.is_empty()).map(Report::Lost))
    }
}

fn open(link: &mut Option<Link>) -> Result<&mut Link, Violation> {
    link.as_mut().filter(|link| link.open).ok_or(Violation::Unexpected)
}
