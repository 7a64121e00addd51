//! Joins that a node has not answered yet. Hooks may finish in any order, answers may not. [ROOM-2] [ROOM-21]

use std::collections::VecDeque;

use super::Violation;
use crate::engine::Subject;

/// What the authorisation says of a `join`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The room may be read.
    Allowed {
        /// The engine's head as it was answered after the authorisation. [ROOM-4]
        head: u64,
    },
    /// It may not, for this reason.
    Denied(Box<str>),
}

#[derive(Clone, Debug)]
enum Join {
    Open(Subject, Option<Verdict>),
    /// No subject, as it stood in the header line.
    Malformed(Box<str>),
}

/// An answer to the oldest `join`.
#[derive(Debug)]
pub(super) enum Answered {
    Join(Subject, Verdict),
    Malformed(Box<str>),
}

/// The joins of a link, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Joins(VecDeque<Join>);

impl Joins {
    pub(super) fn contains(&self, room: &Subject) -> bool {
        self.0.iter().any(|join| matches!(join, Join::Open(subject, _) if subject == room))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, room: Subject, verdict: Option<Verdict>) {
        self.0.push_back(Join::Open(room, verdict));
    }

    pub(super) fn push_malformed(&mut self, encoded: &str) -> Result<(), Violation> {
        if self.0.iter().any(|join| matches!(join, Join::Malformed(room) if **room == *encoded)) {
            return Err(Violation::JoinUnanswered);
        }
        self.0.push_back(Join::Malformed(encoded.into()));
        Ok(())
    }

    fn verdict(&mut self, room: &Subject) -> Option<&mut Option<Verdict>> {
        self.0.iter_mut().find_map(|join| match join {
            Join::Open(subject, verdict) if subject == room => Some(verdict),
            _ => None,
        })
    }

    pub(super) fn decide(&mut self, room: &Subject, decided: Verdict) {
        if let Some(open) = self.verdict(room).filter(|open| open.is_none()) {
            *open = Some(decided);
        }
    }

    /// What was allowed, or may still be, is allowed no longer.
    pub(super) fn overrule(&mut self, room: &Subject) {
        if let Some(open) = self.verdict(room).filter(|open| !matches!(open, Some(Verdict::Denied(_)))) {
            *open = Some(Verdict::Denied("forbidden".into()));
        }
    }

    /// The oldest, if it is decided.
    pub(super) fn pop(&mut self) -> Option<Answered> {
        if let Join::Open(_, None) = self.0.front()? {
            return None;
        }
        match self.0.pop_front()? {
            Join::Open(room, verdict) => verdict.map(|verdict| Answered::Join(room, verdict)),
            Join::Malformed(room) => Some(Answered::Malformed(room)),
        }
    }
}
