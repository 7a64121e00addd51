//! Joins that a node has not answered yet. Hooks may finish in any order, answers may not. [ROOM-2] [ROOM-21]

use std::collections::VecDeque;

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

/// The joins of a link, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Joins(VecDeque<(Subject, Option<Verdict>)>);

impl Joins {
    pub(super) fn contains(&self, room: &Subject) -> bool {
        self.0.iter().any(|(subject, _)| subject == room)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, room: Subject, verdict: Option<Verdict>) {
        self.0.push_back((room, verdict));
    }

    pub(super) fn decide(&mut self, room: &Subject, verdict: Verdict) {
        if let Some((_, open)) = self.0.iter_mut().find(|(subject, open)| subject == room && open.is_none()) {
            *open = Some(verdict);
        }
    }

    /// The oldest, if it is decided.
    pub(super) fn pop(&mut self) -> Option<(Subject, Verdict)> {
        self.0.front()?.1.as_ref()?;
        let (room, verdict) = self.0.pop_front()?;
        verdict.map(|verdict| (room, verdict))
    }
}
