//! What a node answers to `hello`: positions, froms, denials and what is lost.

use super::record::Loss;
use super::{Amount, Violation};
use crate::engine::{Filter, LogEpoch, Subject};
use crate::frame::NUMBER_MAX;

/// What the authorisation says of a room of `hello`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may be read.
    Allowed {
        /// The grant holds for `from`, or the identity could page the room back to it, or it is its own subject.
        from_holds: bool,
        /// From where on the identity may read. [ROOM-19]
        since: u64,
    },
    /// It may not, for this reason.
    Denied(Box<str>),
}

/// A room of `hello`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The room.
    pub subject: Subject,
    /// As the client has it on its record.
    pub from: Option<u64>,
    /// Whether it may.
    pub standing: Standing,
}

/// All that the answer depends on: `hello`, and the engine after the claim.
#[derive(Clone, Debug)]
pub struct Opening {
    /// `hello.logEpoch`.
    pub epoch: Option<LogEpoch>,
    /// `hello.position`.
    pub position: Option<u64>,
    /// `hello.rooms`, each authorised.
    pub rooms: Vec<Asked>,
    /// `hello.held`.
    pub held: Amount,
    /// The identity's own subject.
    pub own: Subject,
    /// The log of the claim.
    pub engine_epoch: LogEpoch,
    /// Its head.
    pub head: u64,
    /// The engine's answer for the subjects of [`Opening::question`], asked for after the claim.
    pub trimmed: Vec<(Subject, u64)>,
}

/// The engine has not come as far as the client: wait, then ask anew. [EPOCH-6]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// What it must reach.
    pub position: u64,
}

/// What `welcome` says. Grants are the composer's affair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// `position`.
    pub position: u64,
    /// `rooms`, the own subject among them.
    pub filter: Filter,
    /// `denied`.
    pub denied: Vec<(Subject, Box<str>)>,
    /// `lost`.
    pub lost: Option<Loss>,
}

impl Opening {
    /// Of what the engine is to be asked for what it has discarded: each subject with the number behind which it would be
    /// pushed, so that it can look whether that is too much. Direct messages never are. [LOST-2]
    pub fn question(&self) -> Filter {
        let position = self.position.filter(|_| self.epoch.as_ref() == Some(&self.engine_epoch));
        let mut filter = Filter::new().with(self.own.clone(), NUMBER_MAX);
        for room in self.rooms.iter().filter(|room| room.subject != self.own) {
            let missed = position.zip(room.from).map(|(position, from)| position.max(from));
            filter.insert(room.subject.clone(), missed.unwrap_or(NUMBER_MAX));
        }
        filter
    }

    /// Whether `held` is within what a client can have.
    pub fn check(&self) -> Result<(), Violation> {
        if self.held.is_holdable() { Ok(()) } else { Err(Violation::Totals) }
    }

    /// The answer.
    pub fn open(&self) -> Result<Opened, Behind> {
        let position = self.position.filter(|_| self.epoch.as_ref() == Some(&self.engine_epoch));
        let same = position.is_some();
        let froms = self.rooms.iter().filter_map(|room| room.from);
        let highest = froms.chain(position).max().unwrap_or(0);
        if same && highest > self.head {
            return Err(Behind { position: highest });
        }
        let position = position.unwrap_or(self.head);
        let trimmed = |subject| {
            let mut answers = self.trimmed.iter();
            answers.find(|(of, _)| of == subject).map_or(0, |(_, trimmed)| *trimmed)
        };
        // What has been discarded was below the head by then, even if the claim's answer is older.
        let head = self.trimmed.iter().map(|(_, trimmed)| *trimmed).fold(self.head, u64::max);

        let mut opened = Opened { position, filter: Filter::new(), denied: Vec::new(), lost: None };
        let mut lost = Vec::new();
        for room in &self.rooms {
            let (from_holds, since) = match &room.standing {
                Standing::Allowed { from_holds, since } => (*from_holds, *since),
                Standing::Denied(code) => {
                    opened.denied.push((room.subject.clone(), code.clone()));
                    continue;
                }
            };
            let intact = |from: u64| {
                let reached = position.max(from);
                same && from_holds && since <= reached && trimmed(&room.subject) <= reached
            };
            let from = match room.from {
                Some(from) if intact(from) => from,
                Some(_) => {
                    lost.push(room.subject.clone());
                    head
                }
                None => head,
            };
            opened.filter.insert(room.subject.clone(), from);
        }
        let own_denied = opened.denied.iter().any(|(subject, _)| *subject == self.own);
        if opened.filter.from(&self.own).is_none() && !own_denied {
            let gone = trimmed(&self.own) > position;
            opened.filter.insert(self.own.clone(), if gone { head } else { position });
            if gone {
                lost.push(self.own.clone());
            }
        }
        opened.lost = Some(lost)
            .filter(|lost| !lost.is_empty())
            .map(|subjects| Loss { subjects, first: head.saturating_add(1) });
        Ok(opened)
    }
}
