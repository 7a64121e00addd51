//! What a client keeps, is told, and tells.

use std::collections::BinaryHeap;

use super::pending::{Delivery, Pending};
use super::rooms::{LinkRooms, Place, Seat, Seats};
use super::{Amount, Violation};
use crate::engine::{LogEpoch, Subject};
use crate::frame::NUMBER_MAX;
use crate::sorted::SortedMap;

/// What the host keeps. It is written before the action that it belongs to is carried out; everything else of a
/// [`super::Reader`] may be lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The log in which the positions were given; `None` before the first `welcome`.
    pub epoch: Option<LogEpoch>,
    /// Everything of the filter up to here is in the host's hands.
    pub received: u64,
    /// The client's own subject as the last `welcome` named it.
    pub own: Option<Subject>,
    /// The rooms, the client's own subject among them.
    pub seats: SortedMap<Subject, Seat>,
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
    pub seats: SortedMap<Subject, Seat>,
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

/// A message that has come and not been there before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// Which element of the frame it is.
    pub index: u16,
    /// Its place in the log.
    pub s: u64,
    /// Where it was addressed.
    pub subject: Subject,
}

/// What a push has brought: its messages are deliveries in their order, from [`Pending::next`] on. [POS-5]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Everything up to here is in the host's hands.
    pub upto: u64,
    /// So many elements at the beginning had come before.
    pub known: u16,
    /// How many messages the frame had.
    pub messages: u64,
    /// The octets of its body.
    pub octets: u64,
    /// Those for handlers that had not come before.
    pub fresh: Vec<Fresh>,
}

impl Record {
    /// Takes in a push; answers what of it is processed already.
    pub(in crate::session) fn take(&mut self, epoch: LogEpoch, taken: &Taken) -> Amount {
        self.received = taken.upto;
        let fresh = taken.fresh.iter().map(|fresh| (fresh.s, fresh.subject.clone()));
        self.pending.add(&epoch, taken.messages, taken.octets, fresh)
    }

    /// A handler is started.
    pub(in crate::session) fn start(&mut self, delivery: Delivery) {
        if let Some(entry) = self.pending.entries.get_mut(&delivery) {
            entry.started = true;
        }
    }

    /// A handler has ended.
    pub(in crate::session) fn settle(&mut self, delivery: Delivery) {
        self.pending.settle(delivery);
    }

    /// The room has been joined, if it is still wished for.
    pub(in crate::session) fn joined(&mut self, place: &Place) {
        if let Some(seat) = self.seats.get_mut(&place.subject) {
            *seat = Seat { from: Some(place.from), grant: place.grant.clone() };
        }
    }

    /// These begin anew behind `from`.
    pub(in crate::session) fn raise(&mut self, subjects: &[Subject], from: u64) {
        for subject in subjects {
            if let Some(seat) = self.seats.get_mut(subject) {
                seat.from = Some(from);
            }
        }
    }
}

/// A message whose handler is to be started now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// Its name for [`super::Reader::settle`].
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
    /// This handler has been running for [`super::STUCK_AFTER`].
    Unsettled(Delivery),
    /// Nothing has been processed for [`super::STUCK_AFTER`] while the server may push nothing; the oldest that is pending.
    WindowShut(Delivery),
}

pub(super) fn check_loss(loss: &Loss, position: u64) -> Result<u64, Violation> {
    // As many as a frame holds: put into place one by one they would take time without bound.
    let subjects = loss.subjects.iter().collect::<BinaryHeap<_>>().into_sorted_vec();
    let once = subjects.windows(2).all(|pair| pair[0] != pair[1]);
    match loss.first.checked_sub(1).filter(|from| *from < NUMBER_MAX) {
        Some(from) if from >= position && !subjects.is_empty() && once => Ok(from),
        _ => Err(Violation::Lost),
    }
}

/// [WELC-9] [WELC-10] [LOST-7]
pub(super) fn check_welcome(
    welcome: &Welcome,
    record: &Record,
    named: &LinkRooms,
    same: bool,
) -> Result<(), Violation> {
    if same && welcome.position != record.received {
        return Err(Violation::Welcome);
    }
    // Each room once, with the place that it has got or without one.
    let mut answers = Seats::new();
    for place in &welcome.rooms {
        answers.insert(place.subject.clone(), Seat { from: Some(place.from), grant: None });
    }
    for (subject, _) in &welcome.denied {
        answers.insert(subject.clone(), Seat::default());
    }
    let once = answers.len() == welcome.rooms.len() + welcome.denied.len();
    let foreign = answers.keys().any(|subject| !named.was_named(subject) && *subject != welcome.own);
    let absent = named.named().any(|subject| !answers.contains_key(subject));
    let joined = |subject| answers.get(subject).is_some_and(|seat| seat.from.is_some());
    if !once || foreign || absent || !joined(&welcome.own) {
        return Err(Violation::Welcome);
    }
    if let Some(loss) = &welcome.lost {
        check_loss(loss, welcome.position)?;
        if loss.subjects.iter().any(|subject| !joined(subject)) {
            return Err(Violation::Lost);
        }
    }
    let lost = |subject| welcome.lost.as_ref().is_some_and(|loss| loss.subjects.contains(subject));
    for Place { subject, from, .. } in &welcome.rooms {
        let from = *from;
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
