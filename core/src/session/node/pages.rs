//! Pages that a client has asked for. [PAGE-1] to [PAGE-9]

use std::collections::VecDeque;

use crate::engine::{Call, Direction, Filter, Interval, Limit, LogEpoch, Message, Span, Subject};
use crate::frame::{BATCH_BYTES_FILLED, PAGE_MESSAGES_MAX, PageMark};
use crate::session::down::Content;
use crate::time::Instant;

/// Unanswered pages of a link. [LIM-13]
const PAGES_MAX: usize = 4;
/// The bodies of one answer together. [PAGE-4]
const ANSWER_OCTETS_MAX: u64 = 1 << 20;

/// A frame of an answer.
pub(super) type Part<P> = (PageMark, Vec<Message<P>>);

#[derive(Clone, Debug)]
enum Stage<P> {
    /// The hook is asked.
    Asking,
    /// It may be read above this.
    Ready {
        since: u64,
    },
    Refused(Box<str>),
    Writing(VecDeque<Part<P>>),
}

#[derive(Clone, Debug)]
struct Page<P> {
    id: u64,
    room: Subject,
    before: u64,
    count: u16,
    stage: Stage<P>,
    /// The engine is asked for this one.
    asked: bool,
}

/// What is to be written of the first page.
#[derive(Debug)]
pub(super) enum Due<P> {
    Part { id: u64, part: Part<P> },
    Refused { id: u64, code: Box<str> },
}

/// The pages of a link, oldest first. They are answered in that order.
#[derive(Clone, Debug)]
pub(super) struct Pages<P> {
    all: VecDeque<Page<P>>,
    /// The first has been the node's to answer since then. [ROOM-22]
    since: Instant,
}

impl<P: Content> Pages<P> {
    pub(super) fn new(now: Instant) -> Self {
        Self { all: VecDeque::new(), since: now }
    }

    /// Takes a question; the clause that it breaks, if it does.
    pub(super) fn push(
        &mut self,
        id: u64,
        room: Subject,
        before: u64,
        count: u16,
        now: Instant,
    ) -> Result<(), &'static str> {
        if self.all.len() >= PAGES_MAX {
            return Err("LIM-13");
        }
        if self.all.iter().any(|page| page.id == id) {
            return Err("ERR-21");
        }
        if self.all.is_empty() {
            self.since = now;
        }
        self.all.push_back(Page { id, room, before, count, stage: Stage::Asking, asked: false });
        Ok(())
    }

    fn stage(&mut self, id: u64, next: Stage<P>) {
        let mut asking = self.all.iter_mut().filter(|page| matches!(page.stage, Stage::Asking));
        if let Some(page) = asking.find(|page| page.id == id) {
            page.stage = next;
        }
    }

    /// It may be read above `since`. [ROOM-19]
    pub(super) fn allow(&mut self, id: u64, since: u64) {
        self.stage(id, Stage::Ready { since });
    }

    pub(super) fn refuse(&mut self, id: u64, code: &str) {
        self.stage(id, Stage::Refused(code.into()));
    }

    /// What has not been read of this room will not be.
    pub(super) fn revoke(&mut self, room: &Subject) {
        for page in self.all.iter_mut().filter(|page| page.room == *room) {
            if matches!(page.stage, Stage::Asking | Stage::Ready { .. }) {
                page.stage = Stage::Refused("forbidden".into());
            }
        }
    }

    /// The question to the engine for the first page.
    pub(super) fn call(&mut self, epoch: &LogEpoch) -> Option<Call<P>> {
        let page = self.all.front_mut()?;
        let Stage::Ready { since } = page.stage else { return None };
        if page.before <= 1 {
            page.stage = Stage::Writing([(PageMark::End, Vec::new())].into());
            return None;
        }
        page.asked = true;
        Some(Call::Read {
            epoch: epoch.clone(),
            filter: Filter::new().with(page.room.clone(), since),
            span: Span { after: 0, before: page.before },
            limit: Limit { messages: usize::from(page.count), octets: ANSWER_OCTETS_MAX },
            direction: Direction::Downwards,
        })
    }

    /// What the engine has answered; `None` if it could not. `told` is the highest position told on this link. [PAGE-9]
    pub(super) fn answered(&mut self, answer: Option<Interval<P>>, told: u64) {
        let Some(page) = self.all.front_mut() else { return };
        if !matches!(page.stage, Stage::Ready { .. }) || !page.asked {
            return;
        }
        page.stage = match answer.filter(|interval| interval.upto >= told.min(page.before - 1)) {
            Some(interval) => Stage::Writing(parts(interval)),
            None => Stage::Refused("unavailable".into()),
        };
    }

    /// What is to be written next, in so far as it is known; a part only where `admits` says so. [NODE-14]
    pub(super) fn next(&mut self, admits: bool, now: Instant) -> Option<Due<P>> {
        let page = self.all.front_mut()?;
        let id = page.id;
        let due = match &mut page.stage {
            Stage::Refused(code) => Due::Refused { id, code: core::mem::take(code) },
            Stage::Writing(_) if !admits => {
                self.since = now;
                return None;
            }
            Stage::Writing(parts) => {
                let part = parts.pop_front()?;
                if !parts.is_empty() {
                    return Some(Due::Part { id, part });
                }
                Due::Part { id, part }
            }
            Stage::Asking | Stage::Ready { .. } => return None,
        };
        self.all.pop_front();
        self.since = now;
        Some(due)
    }

    /// Since when the first page has been waiting for this node.
    pub(super) fn since(&self) -> Option<Instant> {
        self.all.front().map(|_| self.since)
    }

    /// A transport that takes nothing keeps the pages waiting, not the node.
    pub(super) fn is_writing(&self) -> bool {
        matches!(self.all.front(), Some(Page { stage: Stage::Writing(_), .. }))
    }
}

/// The newest messages that fit into one answer, in frames.
fn parts<P: Content>(interval: Interval<P>) -> VecDeque<Part<P>> {
    let mut messages = interval.messages;
    let mut octets = 0u64;
    // Each counts with two octets for brackets and commas: as many as it can need, so that no sum need be exact.
    let fitting = messages.iter().rev().take_while(|message| {
        octets = octets.saturating_add(message.payload.octets()).saturating_add(2);
        octets <= ANSWER_OCTETS_MAX
    });
    let kept = fitting.count().max(1).min(messages.len());
    let left_out = messages.len() - kept;
    let messages = messages.split_off(left_out);
    let last = if interval.more || left_out > 0 { PageMark::Cut } else { PageMark::End };

    let mut parts: VecDeque<Part<P>> = VecDeque::new();
    let (mut octets, mut open) = (0u64, false);
    for message in messages {
        let binary = message.payload.is_binary();
        let grown = octets.saturating_add(message.payload.octets()).saturating_add(1);
        match parts.back_mut() {
            Some((_, part))
                if open && !binary && grown < BATCH_BYTES_FILLED && part.len() < PAGE_MESSAGES_MAX =>
            {
                part.push(message);
                octets = grown;
            }
            _ => {
                octets = message.payload.octets().saturating_add(1);
                open = !binary;
                parts.push_back((PageMark::More, vec![message]));
            }
        }
    }
    match parts.back_mut() {
        Some((mark, _)) => *mark = last,
        None => parts.push_back((PageMark::End, Vec::new())),
    }
    parts
}
