//! The client's half: positions, the window, and what is on the host's record.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::pending::{Delivery, Pending};
use super::rooms::{self, LinkRooms, Place, Seat, Unfit, Wish};
use super::{Amount, SEEN_DELAY, STUCK_AFTER, Violation, WINDOW_MESSAGES, WINDOW_OCTETS};
use crate::engine::{LogEpoch, Subject};
use crate::frame::{FromClient, FromServer, Numbers};
use crate::time::Instant;

/// What the host keeps. It is written before the action that it belongs to is carried out; everything else of a
/// [`Reader`] may be lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The log in which the positions were given; `None` before the first `welcome`.
    pub epoch: Option<LogEpoch>,
    /// Everything of the filter up to here is in the host's hands.
    pub received: u64,
    /// The client's own subject as the last `welcome` named it.
    pub own: Option<Subject>,
    /// The rooms, the client's own subject among them.
    pub seats: BTreeMap<Subject, Seat>,
    /// What is not processed.
    pub pending: Pending,
}

/// What outlives a page, for delivery at least once. [HELLO-6]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persisted {
    /// The log in which the positions were given.
    pub epoch: LogEpoch,
    /// Everything of the filter up to here has been processed.
    pub seen: u64,
    /// The rooms that belonged to it.
    pub seats: BTreeMap<Subject, Seat>,
}

/// The part of `hello` that is about what comes down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// `logEpoch`.
    pub epoch: Option<LogEpoch>,
    /// `position`.
    pub position: Option<u64>,
    /// `rooms`.
    pub rooms: Vec<(Subject, Seat)>,
    /// `held`.
    pub held: Amount,
}

/// The part of `welcome` that is about what comes down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// `logEpoch`.
    pub epoch: LogEpoch,
    /// `identity`: the client's own subject.
    pub own: Subject,
    /// `position`.
    pub position: u64,
    /// `rooms`.
    pub rooms: Vec<Place>,
    /// `denied`, each with its code.
    pub denied: Vec<(Subject, Box<str>)>,
    /// `lost`.
    pub lost: Option<Loss>,
}

/// What is gone. [LOST-1]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Of these.
    pub subjects: Vec<Subject>,
    /// Everything from here on will be pushed.
    pub first: u64,
}

/// An element of a push, as the host has found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Element {
    /// For a handler.
    Message(Subject),
    /// No envelope, over the client's own limit, or of a type that nobody listens to: processed at once. [CRED-11]
    Skipped,
}

/// A message whose handler is to be started now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// Its name for [`Reader::settle`].
    pub delivery: Delivery,
    /// With `s`, its stable name. [POS-17]
    pub epoch: LogEpoch,
    /// Its place in the log.
    pub s: u64,
    /// Where it was addressed.
    pub subject: Subject,
}

/// What the application is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// It is in this room.
    Joined(Subject),
    /// It is not in this room, and this is why.
    Denied(Subject, Box<str>),
    /// Something of these is gone: they must be loaded afresh.
    Lost(Vec<Subject>),
    /// This handler has been running for [`STUCK_AFTER`].
    Unsettled(Delivery),
    /// Nothing has been processed for [`STUCK_AFTER`] while the server may push nothing; the oldest that is pending.
    WindowShut(Delivery),
}

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
        Self { running: running.collect(), record, ..Self::default() }
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
        let held = self.record.pending.held();
        self.link = Some(Link {
            open: false,
            rooms: LinkRooms::hello(&self.record.seats),
            given: held,
            processed: Amount::default(),
            reported: Amount::default(),
            unreported_since: None,
        });
        Hello {
            epoch: self.record.epoch.clone(),
            position: self.record.epoch.as_ref().map(|_| self.record.received),
            rooms: self.record.seats.iter().map(|(subject, seat)| (subject.clone(), seat.clone())).collect(),
            held,
        }
    }

    /// The link is gone.
    pub fn link_lost(&mut self) {
        self.link = None;
        self.shut = None;
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
            lost = known.map(|(subject, _)| subject.clone()).collect();
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
        lost.retain(|subject| self.record.seats.contains_key(subject));
        self.record.own = Some(welcome.own);
        self.record.epoch = Some(welcome.epoch);
        self.record.received = welcome.position;
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
    ) -> Result<(), Violation> {
        FromServer::Push { after, upto, numbers }.check().map_err(|_| Violation::Order)?;
        let messages = numbers.count() as u64;
        let link = open(&mut self.link)?;
        let record = &mut self.record;
        let Some(epoch) = record.epoch.as_ref() else { return Err(Violation::Unexpected) };
        if after > record.received {
            return Err(Violation::Gap);
        }
        if elements.len() as u64 != messages {
            return Err(Violation::Elements);
        }
        if !link.outstanding().admits(messages) {
            return Err(Violation::Window);
        }
        let received = record.received;
        let fresh = numbers.iter().zip(elements).filter_map(|(s, element)| match element {
            Element::Message(subject) if s > received => Some((s, subject.clone())),
            _ => None,
        });
        let processed = record.pending.add(epoch, messages, octets, fresh);
        record.received = received.max(upto);
        let octets = octets.min(super::FRAME_OCTETS_COUNTED_MAX);
        link.given = link.given.plus(Amount { messages, octets });
        if processed.messages > 0 {
            link.process(processed, now);
        }
        self.watch_window(now);
        Ok(())
    }

    /// Carries out an `advance`. [POS-12]
    pub fn handle_advance(&mut self, after: u64, upto: u64) -> Result<(), Violation> {
        FromServer::Advance { after, upto }.check().map_err(|_| Violation::Order)?;
        open(&mut self.link)?;
        if after > self.record.received {
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
        if let Some(link) = self.link.as_mut() {
            link.process(amount, now);
        }
        // Those that have settled leave with the first that has not, so twice the window is the most there can be.
        if self.running.len() as u64 > 2 * WINDOW_MESSAGES {
            self.running.retain(|(_, delivery)| self.record.pending.entries.contains_key(delivery));
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

    /// The application wishes to be in a room.
    pub fn join(&mut self, subject: Subject) -> Result<(), Unfit> {
        rooms::check(&self.record.seats, self.record.own.as_ref(), &subject)?;
        if let Some(link) = self.link.as_mut() {
            link.rooms.wish(&subject);
        }
        self.record.seats.entry(subject).or_default();
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

fn check_loss(loss: &Loss, position: u64) -> Result<u64, Violation> {
    let subjects: BTreeSet<_> = loss.subjects.iter().collect();
    match loss.first.checked_sub(1) {
        Some(from) if from >= position && !subjects.is_empty() && subjects.len() == loss.subjects.len() => {
            Ok(from)
        }
        _ => Err(Violation::Lost),
    }
}

/// [WELC-9] [WELC-10] [LOST-7]
fn check_welcome(welcome: &Welcome, record: &Record, named: &LinkRooms, same: bool) -> Result<(), Violation> {
    if same && welcome.position != record.received {
        return Err(Violation::Welcome);
    }
    let places: BTreeMap<_, _> = welcome.rooms.iter().map(|place| (&place.subject, place.from)).collect();
    let denied: BTreeSet<_> = welcome.denied.iter().map(|(subject, _)| subject).collect();
    let once = places.len() == welcome.rooms.len() && denied.len() == welcome.denied.len();
    let foreign =
        places.keys().chain(&denied).any(|subject| !named.was_named(subject) && **subject != welcome.own);
    let both = denied.iter().any(|subject| places.contains_key(*subject));
    let absent = named.named().any(|subject| !places.contains_key(subject) && !denied.contains(subject));
    if !once || foreign || both || absent || !places.contains_key(&welcome.own) {
        return Err(Violation::Welcome);
    }
    if let Some(loss) = &welcome.lost {
        check_loss(loss, welcome.position)?;
        if loss.subjects.iter().any(|subject| !places.contains_key(subject)) {
            return Err(Violation::Lost);
        }
    }
    let lost = |subject| welcome.lost.as_ref().is_some_and(|loss| loss.subjects.contains(subject));
    for (subject, from) in places {
        let known =
            record.seats.get(subject).filter(|_| !named.is_leaving(subject)).and_then(|seat| seat.from);
        let right = match known.filter(|_| same && !lost(subject)) {
            Some(known) => from == known,
            // A room that has been left since may come back with the `from` it had.
            None if named.is_leaving(subject) => true,
            None => from >= welcome.position,
        };
        if !right {
            return Err(Violation::Welcome);
        }
    }
    Ok(())
}
