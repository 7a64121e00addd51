//! The node's half of one link.

use super::joins::{Answered, Joins, Verdict};
use super::opening::Opened;
use super::record::Loss;
use super::{ADVANCE_EVERY, Amount, Content, FRAME_OCTETS_COUNTED_MAX, ROOMS_MAX, Violation};
use crate::engine::{
    self, Call, Cursor, Direction, Engine, Failure, Filter, Interval, Limit, LogEpoch, Message, Post, Read,
    Span, Subject, Tailed,
};
use crate::frame::{BATCH_BYTES_FILLED, BATCH_MESSAGES_MAX, SUBJECT_BYTES_MAX};
use crate::mutant::mutant;
use crate::time::Instant;

/// A frame to be written, in this order. Bodies, codes' spelling and grants are the composer's affair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outbound<P> {
    /// `push`: everything of the filter in (after, upto].
    Push {
        /// Where the interval begins.
        after: u64,
        /// Where it ends.
        upto: u64,
        /// A single binary message, or text messages.
        messages: Vec<Message<P>>,
    },
    /// `advance`: nothing of the filter in (after, upto].
    Advance {
        /// Where the interval begins.
        after: u64,
        /// Where it ends.
        upto: u64,
    },
    /// `joined`.
    Joined {
        /// The room.
        room: Subject,
        /// Messages above it are pushed.
        from: u64,
    },
    /// `denied`.
    Denied {
        /// The room.
        room: Subject,
        /// Why.
        code: Box<str>,
    },
    /// `denied` of what is no subject, with the code `malformed`. [FRM-11]
    Malformed {
        /// What was asked for, as it stood in the header line.
        room: Box<str>,
    },
    /// `lost`, with the link's log epoch.
    Lost(Loss),
    /// `cast`.
    Cast(Post<P>),
}

/// With an empty filter it is answered by the head. [ENG-25]
pub(in crate::session) fn head_call<P>(epoch: LogEpoch) -> Call<P> {
    let (span, limit) = (Span { after: 0, before: u64::MAX }, Limit { messages: 1, octets: 0 });
    Call::Read { epoch, filter: Filter::new(), span, limit, direction: Direction::Upwards }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Tail(Cursor, Limit),
    /// Where those subjects go on of which something is gone.
    Head(Vec<Subject>),
}

impl Look {
    /// What the engine said to it.
    pub fn answered<P>(self, answer: engine::Answer<P>) -> Result<Answer<P>, Failure> {
        match (self, answer) {
            (Self { generation, grown, kind: Kind::Tail(_, limit) }, engine::Answer::Tail(tailed)) => {
                let (tailed, cursor) = tailed?;
                Ok(Answer {
                    look: Self { generation, grown, kind: Kind::Tail(cursor, limit) },
                    saw: Saw::Tailed(tailed),
                })
            }
            (look, engine::Answer::Read(read)) => Ok(Answer { look, saw: Saw::Read(read?) }),
            _ => Err(Failure::Unanswered),
        }
    }
}

/// A question to the engine. Its answer counts only while the link has not moved on: a filter that has changed, or an
/// answer that comes twice, makes it void.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    generation: u64,
    /// What was said of the log when it was asked: what is said later may not be in the answer.
    grown: u64,
    kind: Kind,
}

/// What the engine said to a [`Look`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<P> {
    look: Look,
    saw: Saw<P>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Saw<P> {
    Tailed(Tailed<P>),
    Read(Read<P>),
}

/// One link, as far as messages go down it. Nothing of it survives the link.
///
/// Wake it with [`Feed::wake`] when the log has grown; while [`Feed::look`] has a question, have it answered by [`Feed::ask`] and hand the
/// answer to [`Feed::handle_answer`]. Nothing is buffered here: what does not fit into the window stays in the engine and
/// is read again. [POS-18]
#[derive(Clone, Debug)]
pub struct Feed {
    epoch: LogEpoch,
    own: Subject,
    filter: Filter,
    joins: Joins,
    /// Up to here everything of the filter has been written. The next interval of the engine must begin here.
    cursor: Cursor,
    /// The highest `upto` written; between it and the cursor there is nothing of the filter.
    told: u64,
    told_at: Instant,
    /// `hello.held` and what has been pushed.
    given: Amount,
    /// The totals of the last `seen`.
    taken: Amount,
    seen: u64,
    generation: u64,
    /// Something may have come.
    woken: bool,
    /// A message waits in the engine for the window.
    shut: bool,
    clogged: bool,
    /// The next casts are too old to be passed on. [CAST-4]
    stale_casts: bool,
    lost: Vec<Subject>,
    rooms_max: usize,
    /// How often the log was said to have grown since the last answer.
    grown: u64,
    attaching: Vec<Subject>,
}

impl Feed {
    /// The link whose `welcome` says this.
    pub fn new(epoch: LogEpoch, own: Subject, held: Amount, opened: &Opened, now: Instant) -> Self {
        let filter = if mutant!(NoFrom) {
            opened.filter.iter().fold(Filter::new(), |filter, (subject, _)| filter.with(subject.clone(), 0))
        } else {
            opened.filter.clone()
        };
        Self {
            epoch,
            own,
            filter,
            joins: Joins::default(),
            cursor: Cursor::after(opened.position),
            told: opened.position,
            told_at: now,
            given: held,
            taken: Amount::default(),
            seen: 0,
            generation: 0,
            woken: true,
            shut: false,
            clogged: false,
            stale_casts: false,
            lost: Vec::new(),
            rooms_max: ROOMS_MAX,
            grown: 0,
            attaching: Vec::new(),
        }
    }

    /// Takes fewer rooms besides the own subject. [LIM-11]
    #[must_use]
    pub fn with_rooms_max(mut self, rooms: usize) -> Self {
        self.rooms_max = rooms.min(ROOMS_MAX);
        self
    }

    /// The highest `upto` written.
    pub fn told(&self) -> u64 {
        self.told
    }

    /// What passes at this place of the link's order. [POS-9]
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Pushed and not reported as processed.
    pub fn outstanding(&self) -> Amount {
        self.given.minus(self.taken)
    }

    /// The log has grown, or there are casts, or a replica has caught up.
    pub fn wake(&mut self) {
        self.woken = true;
        self.grown += 1;
    }

    /// Whether the transport takes no more. While it does not, messages stay in the engine and casts are gone.
    pub fn handle_transport(&mut self, clogged: bool) {
        self.clogged = clogged;
        self.stale_casts |= clogged;
        self.woken |= !clogged;
    }

    /// The next question to the engine. None while the next message waits for the window: the answer would be that
    /// message again. [POS-18]
    pub fn look(&self) -> Option<Look> {
        if self.clogged || !self.woken || (self.shut && self.lost.is_empty()) {
            return None;
        }
        let kind = if mutant!(HistoryBeforeAttach) && !self.attaching.is_empty() {
            Kind::Head(Vec::new())
        } else if self.lost.is_empty() {
            let free = super::WINDOW_MESSAGES.saturating_sub(self.outstanding().messages);
            let messages =
                usize::try_from(free).map_or(BATCH_MESSAGES_MAX, |free| free.min(BATCH_MESSAGES_MAX));
            Kind::Tail(self.cursor.clone(), Limit { messages, octets: BATCH_BYTES_FILLED })
        } else {
            Kind::Head(self.lost.clone())
        };
        Some(Look { generation: self.generation, grown: self.grown, kind })
    }

    /// The question as a call.
    pub fn call<P>(&self, look: &Look) -> Call<P> {
        let epoch = self.epoch.clone();
        match &look.kind {
            Kind::Tail(cursor, limit) => {
                Call::Tail { epoch, filter: self.filter.clone(), cursor: cursor.clone(), limit: *limit }
            }
            Kind::Head(_) => head_call(epoch),
        }
    }

    /// Has a question answered by an engine at hand. The answer may wait: [`Feed::handle_answer`] sees whether it still
    /// counts.
    pub fn ask<P: Content>(
        &self,
        engine: &mut impl Engine<P>,
        look: Look,
        now: Instant,
    ) -> Result<Answer<P>, Failure> {
        let call = self.call(&look);
        look.answered(call.carry_out(engine, now))
    }

    /// Carries out what the engine has answered.
    pub fn handle_answer<P: Content>(&mut self, answer: Answer<P>, now: Instant) -> Vec<Outbound<P>> {
        let mut out = Vec::new();
        if answer.look.generation != self.generation {
            return out;
        }
        let woken = answer.look.grown != self.grown;
        match (answer.look.kind, answer.saw) {
            (Kind::Tail(cursor, _), Saw::Tailed(Tailed::Step { interval, casts })) => {
                // Two intervals with a hole between them say nothing of the hole. [NODE-2]
                if interval.after != self.cursor.position {
                    return out;
                }
                self.cursor = cursor;
                let passed_on = !self.stale_casts && self.outstanding().admits(1);
                self.stale_casts = false;
                if passed_on {
                    out.extend(casts.into_iter().map(Outbound::Cast));
                }
                self.woken = interval.more || woken;
                self.push(interval, &mut out, now);
                self.grown = 0;
            }
            (_, Saw::Tailed(Tailed::Trimmed(subjects))) => self.lost = subjects,
            (Kind::Head(_), Saw::Read(Read::Interval(head)))
                if mutant!(HistoryBeforeAttach) && self.lost.is_empty() =>
            {
                for room in core::mem::take(&mut self.attaching) {
                    self.filter.insert(room, head.upto);
                }
            }
            (Kind::Head(lost), Saw::Read(Read::Interval(head))) => {
                self.lost.clear();
                self.lose(lost, head.upto, &mut out);
            }
            // The engine lags: whoever drives it knows when it is worth another look.
            _ => self.woken = woken,
        }
        self.generation += 1;
        out
    }

    /// Writes what fits of an interval, and comes back later for the rest. [POS-11]
    fn push<P: Content>(&mut self, interval: Interval<P>, out: &mut Vec<Outbound<P>>, now: Instant) {
        let mut upto_all = interval.upto;
        if let Some(last) = interval.messages.last().filter(|_| mutant!(UptoComputed)) {
            upto_all = last.s + self.grown;
            self.cursor.position = upto_all;
        }
        let mut waiting = interval.messages.into_iter().peekable();
        let mut begun = false;
        while let Some(next) = waiting.peek() {
            // The engine was asked for one frame, in which brackets and commas count too. What did not fit goes first in
            // the next one: a frame of its own would cost a browser as much as twenty messages.
            if begun && interval.more {
                self.cursor.position = next.s - 1;
                self.woken = true;
                return;
            }
            begun = true;
            let mut frame = Vec::new();
            let mut octets = 0;
            while let Some(message) = waiting.peek() {
                let more = frame.len() as u64 + 1;
                // The first is announced by a bracket as the others are by commas, and one bracket ends the body.
                let binary = message.payload.is_binary();
                let grown = message.payload.octets().saturating_add(if binary { 0 } else { octets + 1 });
                let batch = frame.is_empty()
                    || (!binary && grown < BATCH_BYTES_FILLED && frame.len() < BATCH_MESSAGES_MAX);
                if !batch || !self.outstanding().admits(more) {
                    break;
                }
                octets = grown;
                if frame.is_empty() && !binary {
                    frame.reserve_exact(waiting.len().min(BATCH_MESSAGES_MAX));
                }
                frame.extend(waiting.next());
                if binary {
                    break;
                }
            }
            let Some(binary) = frame.first().map(|message| message.payload.is_binary()) else { break };
            let upto = waiting.peek().map_or(upto_all, |next| next.s - 1);
            let octets = (octets + u64::from(!binary)).min(FRAME_OCTETS_COUNTED_MAX);
            self.given = self.given.plus(Amount { messages: frame.len() as u64, octets });
            out.push(Outbound::Push { after: self.told, upto, messages: frame });
            self.told = upto;
            self.told_at = now;
        }
        if let Some(next) = waiting.peek() {
            self.cursor.position = next.s - 1;
            self.shut = true;
            self.woken = false;
            // What is cast until the window opens has gone by then. [CAST-4]
            self.stale_casts = true;
        }
    }

    /// From here on as if joined anew. [LOST-3] [LOST-6]
    fn lose<P>(&mut self, mut subjects: Vec<Subject>, head: u64, out: &mut Vec<Outbound<P>>) {
        let from = head.max(self.cursor.position);
        subjects.retain(|subject| self.filter.from(subject).is_some());
        for subject in &subjects {
            self.filter.insert(subject.clone(), from);
        }
        if !subjects.is_empty() {
            out.push(Outbound::Lost(Loss { subjects, first: from.saturating_add(1) }));
        }
    }

    /// When an `advance` is due.
    pub fn advance_due(&self) -> Option<Instant> {
        (self.cursor.position > self.told).then(|| self.told_at + ADVANCE_EVERY)
    }

    /// The `advance` to be written now, if it is due. [POS-12]
    pub fn poll_advance<P>(&mut self, now: Instant) -> Option<Outbound<P>> {
        if self.advance_due()? > now { None } else { self.last_advance(now) }
    }

    /// The `advance` before the link is closed.
    pub fn last_advance<P>(&mut self, now: Instant) -> Option<Outbound<P>> {
        let (after, upto) = (self.told, self.cursor.position);
        if after >= upto {
            return None;
        }
        self.told = upto;
        self.told_at = now;
        Some(Outbound::Advance { after, upto })
    }

    /// Carries out a `seen`. [CRED-16]
    pub fn handle_seen(&mut self, s: u64, count: u64, bytes: u64) -> Result<(), Violation> {
        let totals = Amount { messages: count, octets: bytes };
        let falls = count < self.taken.messages || bytes < self.taken.octets || s < self.seen;
        if falls || count > self.given.messages || bytes > self.given.octets || s > self.told {
            return Err(Violation::Totals);
        }
        self.taken = totals;
        self.seen = s;
        if self.shut && self.outstanding().admits(1) {
            self.shut = false;
            self.woken = true;
        }
        Ok(())
    }

    /// Carries out the s of a `bye`. [CRED-16]
    pub fn handle_bye(&mut self, s: u64) -> Result<(), Violation> {
        if s < self.seen || s > self.told {
            return Err(Violation::Totals);
        }
        self.seen = s;
        Ok(())
    }

    /// Takes in a `join`, to be authorised if it answers true; drain [`Feed::poll_join`] afterwards.
    pub fn handle_join(&mut self, room: Subject) -> Result<bool, Violation> {
        if self.joins.contains(&room) {
            return Err(Violation::JoinUnanswered);
        }
        let rooms = self.filter.iter().filter(|(subject, _)| **subject != self.own).count();
        let code = if room.as_str().len() > SUBJECT_BYTES_MAX || room.as_str().chars().any(char::is_control) {
            Some("malformed")
        } else if room.as_str().starts_with('_') {
            Some("forbidden")
        } else if self.filter.from(&room).is_none() && rooms + self.joins.len() >= self.rooms_max {
            Some("too-many")
        } else {
            None
        };
        self.joins.push(room, code.map(|code| Verdict::Denied(code.into())));
        Ok(code.is_none())
    }

    /// Takes in a `join` of what is no subject, as it stands in the header line. Its answer keeps its place. [ROOM-2]
    pub fn handle_malformed_join(&mut self, encoded: &str) -> Result<(), Violation> {
        self.joins.push_malformed(encoded)
    }

    /// How many joins are unanswered.
    pub fn joins(&self) -> usize {
        self.joins.len()
    }

    /// The authorisation of a `join` has come; drain [`Feed::poll_join`] afterwards.
    pub fn handle_verdict(&mut self, room: &Subject, verdict: Verdict) {
        self.joins.decide(room, verdict);
    }

    /// The next answer to a `join`, in the order of the joins.
    pub fn poll_join<P>(&mut self) -> Option<Outbound<P>> {
        let (room, verdict) = match self.joins.pop()? {
            Answered::Join(room, verdict) => (room, verdict),
            Answered::Malformed(room) => return Some(Outbound::Malformed { room }),
        };
        match verdict {
            Verdict::Denied(code) => {
                if self.filter.from(&room).is_some() {
                    self.take_out(&room);
                }
                Some(Outbound::Denied { room, code })
            }
            Verdict::Allowed { head } => {
                // A room that is in the filter has been pushed up to here, and nothing of it may be skipped. [ROOM-13]
                let known = self.filter.from(&room);
                let from = known.map_or(head.max(self.cursor.position), |from| from.max(self.told));
                self.filter.insert(room.clone(), if mutant!(NoFrom) { 0 } else { from });
                if mutant!(HistoryBeforeAttach) && known.is_none() {
                    self.attaching.push(room.clone());
                }
                self.refresh();
                Some(Outbound::Joined { room, from })
            }
        }
    }

    /// Carries out a `leave`; of a room that is not in the filter, or the own subject, it is nothing. [ROOM-15]
    pub fn handle_leave(&mut self, room: &Subject) {
        if *room != self.own && self.filter.from(room).is_some() {
            self.take_out(room);
        }
    }

    /// The identity may no longer read this room. An unanswered `join` of it is denied in its turn. [ROOM-20]
    pub fn revoke<P>(&mut self, room: &Subject) -> Option<Outbound<P>> {
        self.joins.overrule(room);
        self.filter.from(room)?;
        self.take_out(room);
        Some(Outbound::Denied { room: room.clone(), code: "revoked".into() })
    }

    /// The identity may read this room only above `since`: what it would get at or below that is lost to it. [ROOM-19]
    pub fn exclude(&mut self, room: &Subject, since: u64) {
        let reached = self.filter.from(room).map(|from| from.max(self.cursor.position));
        if reached.is_some_and(|reached| since > reached) && !self.lost.contains(room) {
            self.lost.push(room.clone());
            self.generation += 1;
            self.woken = true;
        }
    }

    fn take_out(&mut self, room: &Subject) {
        self.filter.remove(room);
        self.refresh();
    }

    /// What is being read was asked for with another filter.
    fn refresh(&mut self) {
        self.generation += 1;
        self.lost.clear();
        self.shut = false;
        self.woken = true;
    }
}
