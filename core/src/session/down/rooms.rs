//! The client's rooms: what is on the record, what is wished, and what this link has been asked for.

use super::{ROOMS_MAX, Violation};
use crate::engine::Subject;
use crate::frame::Room;
use crate::gather::take_at;
use crate::session::Secret;
use crate::sorted::SortedMap;

/// A room on the record: somebody wishes to be in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seat {
    /// Messages above it are this client's; `None` until the server has said so.
    pub from: Option<u64>,
    /// What lets a `hello` claim `from`.
    pub grant: Option<Secret>,
}

/// A room as `welcome` and `joined` give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The room.
    pub subject: Subject,
    /// Messages above it are pushed.
    pub from: u64,
    /// What lets a later `hello` claim `from`.
    pub grant: Option<Secret>,
}

/// A frame to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// `join`.
    Join(Subject),
    /// `leave`.
    Leave(Subject),
}

/// Why a room cannot be joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is no subject. [FRM-11]
    Malformed,
    /// [`ROOMS_MAX`] are on the record.
    TooMany,
}

pub(super) type Seats = SortedMap<Subject, Seat>;
/// Rooms without anything: one kind of map, so that its code is there once.
type Rooms = Seats;

/// What one link knows of rooms. Forgotten with it. [KEEP-3]
#[derive(Clone, Debug, Default)]
pub(super) struct LinkRooms {
    own: Option<Subject>,
    /// In the node's filter, as far as it has been told and has answered.
    in_force: Rooms,
    /// Left by the application while in force, or named in `hello`: a new wish must not take over the old `from`.
    leaving: Rooms,
    /// Joins without an answer, in their order.
    asked: Vec<Subject>,
    /// Rooms to be looked at by [`LinkRooms::next`].
    changed: Rooms,
    open: bool,
}

impl LinkRooms {
    /// A link whose `hello` names these.
    pub(super) fn hello(seats: &Seats) -> Self {
        Self { in_force: rooms(seats.keys().cloned()), ..Self::default() }
    }

    pub(super) fn was_named(&self, subject: &Subject) -> bool {
        !self.open && self.in_force.contains_key(subject)
    }

    /// The rooms of `hello`, until `welcome` has come.
    pub(super) fn named(&self) -> impl Iterator<Item = &Subject> {
        self.in_force.keys()
    }

    pub(super) fn is_leaving(&self, subject: &Subject) -> bool {
        self.leaving.contains_key(subject)
    }

    /// The filter is the one of `welcome`.
    pub(super) fn welcome(&mut self, own: Subject, rooms: impl Iterator<Item = Subject>, seats: &Seats) {
        self.in_force = self::rooms(rooms);
        let left = self.leaving.keys().filter(|room| self.in_force.contains_key(room)).cloned();
        self.leaving = self::rooms(left);
        self.changed = self::rooms(self.in_force.keys().chain(seats.keys()).cloned());
        self.own = Some(own);
        self.open = true;
    }

    pub(super) fn wish(&mut self, subject: &Subject) {
        self.changed.insert(subject.clone(), Seat::default());
    }

    pub(super) fn leave(&mut self, subject: &Subject) {
        if self.in_force.contains_key(subject) {
            self.leaving.insert(subject.clone(), Seat::default());
        }
        self.changed.insert(subject.clone(), Seat::default());
    }

    /// What is to be written next. Nothing of a room whose `join` is unanswered: the answer to an earlier join would be
    /// taken for that to a later one. [ROOM-3]
    pub(super) fn next(&mut self, seats: &Seats) -> Option<Wish> {
        while self.open {
            let (subject, _) = self.changed.pop_first()?;
            if self.asked.contains(&subject) || self.own.as_ref() == Some(&subject) {
                continue;
            }
            let wished = seats.contains_key(&subject);
            if self.in_force.contains_key(&subject) {
                if !wished || self.leaving.contains_key(&subject) {
                    self.in_force.remove(&subject);
                    self.leaving.remove(&subject);
                    self.changed.insert(subject.clone(), Seat::default());
                    return Some(Wish::Leave(subject));
                }
            } else if wished {
                self.asked.push(subject.clone());
                return Some(Wish::Join(subject));
            }
        }
        None
    }

    /// Takes the answer to the oldest join. [ROOM-2]
    pub(super) fn answered(&mut self, subject: &Subject, joined: bool) -> Result<(), Violation> {
        if self.asked.first() != Some(subject) {
            return Err(Violation::Unexpected);
        }
        take_at(&mut self.asked, 0);
        if joined {
            self.in_force.insert(subject.clone(), Seat::default());
        }
        self.changed.insert(subject.clone(), Seat::default());
        Ok(())
    }

    pub(super) fn is_next(&self, subject: &Subject) -> bool {
        self.asked.first() == Some(subject)
    }

    pub(super) fn is_asked(&self, subject: &Subject) -> bool {
        self.asked.contains(subject)
    }

    /// Whether a revocation was for this seat and not for one that had been left before.
    pub(super) fn revoked(&mut self, subject: &Subject) -> bool {
        let held = self.in_force.remove(subject).is_some();
        let left = self.leaving.remove(subject).is_some();
        self.changed.insert(subject.clone(), Seat::default());
        held && !left
    }
}

fn rooms(subjects: impl Iterator<Item = Subject>) -> Rooms {
    subjects.map(|subject| (subject, Seat::default())).collect()
}

/// Whether one more room fits on the record. [FRM-11] [LIM-11]
pub(super) fn check(seats: &Seats, own: Option<&Subject>, subject: &Subject) -> Result<(), Unfit> {
    let rooms = seats.keys().filter(|seat| own != Some(*seat)).count();
    if Room::encode(subject.as_str()).is_none() {
        Err(Unfit::Malformed)
    } else if rooms >= ROOMS_MAX && !seats.contains_key(subject) {
        Err(Unfit::TooMany)
    } else {
        Ok(())
    }
}
