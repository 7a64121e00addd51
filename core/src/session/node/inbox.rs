//! The private inbox of a producer, as the node of its link follows it. [REQ-6] [REQ-7]

use std::collections::{BTreeSet, VecDeque};

use crate::engine::{
    Answer, Call, Direction, Failure, Filter, Limit, LogEpoch, Message, Read, Span, Subject,
};
use crate::frame::BATCH_BYTES_MAX;

/// How many answers are read at a time. What is read waits in the node for its turn.
const ANSWERS_AT_ONCE: usize = 16;

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// It was answered.
    Done,
    /// It is to be asked again later.
    Later,
    /// The log epoch has changed.
    EpochChanged,
}

/// The place in the inbox. It begins at its beginning on every link: what the client has had is not in `pending`.
#[derive(Clone, Debug)]
pub(super) struct Inbox<P> {
    filter: Filter,
    position: u64,
    /// What `hello` says is unanswered.
    pending: BTreeSet<u64>,
    /// The highest number of earlier links: of those, only what is pending is of interest.
    base: u64,
    /// There may be something to read.
    due: bool,
    /// Answers were pushed out of the inbox before they were read: where it begins is asked.
    trimmed: bool,
    ready: VecDeque<Message<P>>,
}

impl<P> Inbox<P> {
    pub(super) fn new(name: &Subject, pending: BTreeSet<u64>, base: u64) -> Self {
        Self {
            filter: Filter::new().with(name.clone(), 0),
            position: 0,
            due: !pending.is_empty(),
            pending,
            base,
            trimmed: false,
            ready: VecDeque::new(),
        }
    }

    /// Something may have come: from another node, if anything of earlier links is pending.
    pub(super) fn wake(&mut self) {
        self.due |= !self.pending.is_empty();
    }

    /// An answer to a request of this link has come.
    pub(super) fn grown(&mut self) {
        self.due = true;
    }

    /// The next question to the engine. What it brings fits into memory: nothing is asked while answers wait.
    pub(super) fn call(&self, epoch: &LogEpoch) -> Option<Call<P>> {
        if !self.due || !self.ready.is_empty() {
            return None;
        }
        let (epoch, filter) = (epoch.clone(), self.filter.clone());
        Some(if self.trimmed {
            Call::Trimmed { epoch, filter }
        } else {
            let span = Span { after: self.position, before: u64::MAX };
            let limit = Limit { messages: ANSWERS_AT_ONCE, octets: BATCH_BYTES_MAX };
            Call::Read { epoch, filter, span, limit, direction: Direction::Upwards }
        })
    }

    pub(super) fn answered(&mut self, answer: Answer<P>) -> Asked {
        match answer {
            Answer::Read(Ok(Read::Interval(interval))) if interval.after == self.position => {
                self.position = interval.upto;
                self.due = interval.more;
                let (base, pending) = (self.base, &mut self.pending);
                let mut wanted = |n: u64| n > base || pending.remove(&n);
                self.ready.extend(
                    interval.messages.into_iter().filter(|answer| answer.tag.is_some_and(&mut wanted)),
                );
            }
            Answer::Read(Ok(Read::Trimmed(_))) => self.trimmed = true,
            Answer::Trimmed(Ok(trimmed)) => {
                let begins = trimmed.iter().map(|(_, trimmed)| *trimmed).max().unwrap_or(0);
                self.position = self.position.max(begins);
                self.trimmed = false;
            }
            Answer::Read(Err(Failure::EpochChanged)) | Answer::Trimmed(Err(Failure::EpochChanged)) => {
                return Asked::EpochChanged;
            }
            // A replica that lags, or no answer.
            _ => return Asked::Later,
        }
        Asked::Done
    }

    /// The next answer to be written, with the number of its request.
    pub(super) fn next(&mut self) -> Option<(u64, P)> {
        let answer = self.ready.pop_front()?;
        answer.tag.map(|n| (n, answer.payload))
    }
}
