//! The node's side, for one link.

use std::collections::{BTreeSet, VecDeque};

use super::issued::{Issued, Pending};
use super::verdicts::{Ack, FAILED, Verdicts};
use super::{
    ACK_BYTES, ACK_DELAY, ACK_MESSAGES, REFRESH_DELAY, RETRY_DELAY, UNANSWERED_MAX, WINDOW_BYTES_MAX,
    WINDOW_MESSAGES_MAX,
};
use crate::engine::{
    Appended, Call, Engine, Failure, Fence, Payload, Post, REFUSALS_MAX, RefusalAnswer, RefusalCode, Refused,
    Subject,
};
use crate::frame::{BATCH_MESSAGES_MAX, Code, FromClient, NUMBER_MAX};
use crate::mutant::mutant;
use crate::time::Instant;

/// The subject of requests: nobody reads it. [REQ-1]
const REQUESTS: &str = "_requests";

/// What the node's checks and hooks have decided about a message. The engine's verdict is what counts. [SEND-18]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement<P> {
    /// It is to be stored.
    Store(Post<P>),
    /// It is a request, to be stored and then run.
    Request(P),
    /// It is to be refused.
    Refuse(RefusalCode),
}

/// The link is over for the upward half, and is closed with this code. Nothing further is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// 4002, 4004, 4005 or 4006.
    pub code: u16,
    /// The broken clause, if it is 4002.
    pub clause: Option<&'static str>,
}

/// What a link has carried upwards, and what has become of it.
///
/// 1. [`Settling::read`] for each `send`; then [`Settling::judge`] for each of its messages, in any order and when the
///    hooks have answered.
/// 2. [`Settling::call`] until it answers `None`; the answer of each call comes back by [`Settling::appended`] or
///    [`Settling::refused`]. There is one call at a time. [SEND-21] (Or [`Settling::run`], on an engine at hand.)
/// 3. [`Settling::next_run`] until it answers `None`: requests to be run.
/// 4. [`Settling::ack`] until it answers `None`.
/// 5. At [`Settling::deadline`], 2 to 4 again.
///
/// The answer to a call that was under way when the link ended still counts for its requests. [SEND-23]
///
/// It forgets nothing that must survive: the engine has it all, and another node goes on from there. [NODE-5] [KEEP-5]
#[derive(Clone, Debug)]
pub struct Settling<P> {
    fence: Fence,
    /// The highest number that this link has carried.
    read: u64,
    pending: VecDeque<Pending<P>>,
    /// The octets of what this link has carried and no `ack` has settled.
    bytes: u64,
    /// The octets of each number behind the last `ack` that is settled already.
    settled_bytes: VecDeque<u64>,
    verdicts: Verdicts,
    /// The refused numbers that the engine keeps.
    kept: BTreeSet<u64>,
    credit: u64,
    window: u64,
    /// Credit was withheld because no further refusal would have found room.
    withheld: bool,
    issued: Option<Issued<P>>,
    /// The engine was full then, for a call with this `oldest`.
    full: Option<(Instant, u64)>,
    called_at: Instant,
    ended: Option<Ended>,
    requests: Subject,
    /// So many requests may be stored, and run, for the time being.
    slots: usize,
    /// Requests that are stored and have not been handed out.
    runs: VecDeque<(u64, P)>,
}

impl<P: Payload> Settling<P> {
    /// A link whose claim has answered `mark` and `refused`; [`Settling::credit`] goes into its `welcome`.
    pub fn new(fence: Fence, mark: u64, refused: &[Refused], now: Instant) -> Self {
        let mut settling = Self {
            fence,
            read: mark,
            pending: VecDeque::new(),
            bytes: 0,
            settled_bytes: VecDeque::new(),
            verdicts: Verdicts::new(mark),
            kept: refused.iter().map(|(n, _)| *n).collect(),
            credit: mark,
            window: WINDOW_MESSAGES_MAX,
            withheld: refused.len() >= REFUSALS_MAX,
            issued: None,
            full: None,
            called_at: now,
            ended: None,
            requests: REQUESTS.into(),
            slots: usize::MAX,
            runs: VecDeque::new(),
        };
        settling.credit = settling.credit_for(mark);
        settling
    }

    /// The highest number that the client may write, as it has been told.
    pub fn credit(&self) -> u64 {
        self.credit
    }

    /// Why the link is over, if it is.
    pub fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// How far ahead of what is settled the client may write from now on: rate limits and a slow store withhold credit
    /// and never refuse [SEND-24]. What has been granted stays. [CRED-2]
    pub fn set_window(&mut self, messages: u64) {
        self.window = messages.min(WINDOW_MESSAGES_MAX);
    }

    /// The credit of a `welcome` under a narrower window than a whole one.
    #[must_use]
    pub fn with_window(mut self, messages: u64) -> Self {
        self.window = messages.min(WINDOW_MESSAGES_MAX);
        self.credit = self.credit_for(self.verdicts.mark);
        self
    }

    /// How many requests may begin to run; a further one waits before its `append`, with what stands behind it. [REQ-16]
    pub fn set_slots(&mut self, slots: usize) {
        self.slots = slots;
    }

    /// Whether a request waits for a slot.
    pub fn is_blocked(&self) -> bool {
        self.slots == 0 && self.issued.is_none() && matches!(self.judgement(0), Some(Judgement::Request(_)))
    }

    /// The next request to be run: one that is stored, and that this link has made so. [REQ-2]
    pub fn next_run(&mut self) -> Option<(u64, P)> {
        self.runs.pop_front()
    }

    /// The number up to which everything is settled, as last answered.
    pub fn mark(&self) -> u64 {
        self.verdicts.mark
    }

    /// Whether a call's answer is awaited.
    pub fn awaits(&self) -> bool {
        self.issued.as_ref().is_some_and(|issued| issued.awaited)
    }

    /// Whether everything that was read has a verdict.
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    /// Closes the upward half: no further call, no further `ack`.
    pub fn close(&mut self, code: u16) {
        self.end(code, None);
    }

    /// What an `ack` for `n` would grant: as much as the window allows, nothing while no refusal would find room.
    fn credit_for(&self, n: u64) -> u64 {
        if self.kept.len() >= REFUSALS_MAX { n } else { (n + self.window).min(NUMBER_MAX) }
    }

    /// Takes a `send`, whose elements have these lengths, in order. [SEND-8] to [SEND-15]
    pub fn read(&mut self, n: u64, oldest: u64, lengths: &[u64]) -> Result<(), Ended> {
        if let Some(ended) = self.ended {
            return Err(ended);
        }
        let Ok(count) = u16::try_from(lengths.len()) else { return self.broken("LIM-5") };
        if let Err(error) = (FromClient::Send { n, count, oldest }).check() {
            return self.broken(error.clause());
        }
        if n != self.read + 1 {
            return self.broken("SEND-8");
        }
        let last = n + u64::from(count) - 1;
        if count > 0 && last > self.credit {
            return self.broken("SEND-9");
        }
        if oldest < self.fence.oldest || oldest > self.verdicts.acked + 1 {
            return self.broken("SEND-12");
        }
        let begun = lengths.split_last().map_or(&[][..], |(_, begun)| begun);
        let before_last = begun.iter().fold(self.bytes, |sum, bytes| sum.saturating_add(*bytes));
        if count > 0 && before_last >= WINDOW_BYTES_MAX {
            return self.broken("CRED-6");
        }
        self.fence.oldest = oldest;
        self.read = last;
        self.bytes = lengths.iter().fold(self.bytes, |sum, bytes| sum.saturating_add(*bytes));
        self.pending.extend(lengths.iter().map(|bytes| Pending { bytes: *bytes, judgement: None }));
        Ok(())
    }

    /// What the checks and hooks have decided about a number that was read. A second decision about one that the
    /// engine has not been told of replaces the first.
    pub fn judge(&mut self, n: u64, judgement: Judgement<P>) {
        let told = self.issued.as_ref().map_or(0, |issued| issued.batch().len());
        let at = n.checked_sub(self.verdicts.mark + 1).and_then(|at| usize::try_from(at).ok());
        let Some(pending) = at.filter(|at| *at >= told).and_then(|at| self.pending.get_mut(at)) else {
            return;
        };
        pending.judgement = Some(match judgement {
            Judgement::Refuse(code) if Code::new(code.as_str().as_bytes()).is_err() => {
                Judgement::Refuse(FAILED.into())
            }
            judgement => judgement,
        });
    }

    /// The numbers that were read and are not settled.
    pub fn pending(&self) -> core::ops::RangeInclusive<u64> {
        self.verdicts.mark + 1..=self.read
    }

    /// The next call to the engine, if one is due and none is under way.
    pub fn call(&mut self, now: Instant) -> Option<Call<P>> {
        if self.ended.is_some() {
            return None;
        }
        if let Some(issued) = &mut self.issued {
            if now.since(issued.since) >= UNANSWERED_MAX {
                self.end(4004, None);
                return None;
            }
            if issued.awaited || now.since(issued.failed_at) < RETRY_DELAY {
                return None;
            }
            issued.awaited = true;
            if let Call::Append { fence, .. } | Call::Refuse { fence, .. } = &mut issued.call {
                fence.oldest = self.fence.oldest;
            }
            return Some(issued.call.clone());
        }
        let call = self.next_call(now)?;
        self.called_at = now;
        self.issued = Some(Issued { call: call.clone(), awaited: true, since: now, failed_at: now });
        Some(call)
    }

    fn next_call(&mut self, now: Instant) -> Option<Call<P>> {
        self.full.take_if(|(at, _)| now.since(*at) >= RETRY_DELAY);
        let frees = self.kept.first().is_some_and(|first| *first < self.fence.oldest);
        if self.full.is_some_and(|(_, oldest)| oldest >= self.fence.oldest) {
            return None;
        }
        let n = self.verdicts.mark + 1;
        if let Some(Judgement::Refuse(code)) = self.judgement(0) {
            if mutant!(RefusalBlocks) {
                return None;
            }
            return Some(Call::Refuse { fence: self.fence.clone(), n, code: code.clone() });
        }
        let batch = self.take_batch();
        let refreshes = now.since(self.called_at) >= REFRESH_DELAY;
        let due = !batch.is_empty() || frees || refreshes;
        due.then(|| Call::Append { fence: self.fence.clone(), n, batch: batch.into() })
    }

    /// The messages that are to be stored and stand in front of all others. They are in the call from now on; what of
    /// them is not stored comes back by [`Self::put_back`].
    fn take_batch(&mut self) -> Vec<Post<P>> {
        let (mut many, mut requests) = (0, 0);
        for pending in self.pending.iter().take(BATCH_MESSAGES_MAX) {
            match &pending.judgement {
                Some(Judgement::Store(_)) => {}
                Some(Judgement::Request(_)) if requests < self.slots => requests += 1,
                _ => break,
            }
            many += 1;
        }
        let mut batch = Vec::with_capacity(many);
        for pending in self.pending.iter_mut().take(many) {
            match pending.judgement.take() {
                Some(Judgement::Store(post)) => batch.push(post),
                Some(Judgement::Request(payload)) => batch.push(Post::new(self.requests.clone(), payload)),
                other => pending.judgement = other,
            }
        }
        batch
    }

    fn put_back(&mut self, batch: &[Post<P>]) {
        for (pending, post) in self.pending.iter_mut().zip(batch) {
            pending.judgement = Some(if self.requests == post.subject {
                Judgement::Request(post.payload.clone())
            } else {
                Judgement::Store(post.clone())
            });
        }
    }

    fn judgement(&self, at: usize) -> Option<&Judgement<P>> {
        self.pending.get(at)?.judgement.as_ref()
    }

    /// What an `append` has answered.
    pub fn appended(&mut self, answer: Result<Appended, Failure>, now: Instant) {
        let Some(oldest) = self.answered() else { return };
        match answer {
            Ok(Appended::Stored { mark, .. }) => self.settle(mark, None, oldest, now),
            Ok(Appended::Duplicate { mark, refusals }) => self.settle(mark, Some(refusals), oldest, now),
            Ok(Appended::Full { mark, .. }) => {
                self.settle(mark, None, oldest, now);
                self.full = Some((now, oldest));
            }
            Ok(Appended::Gap { .. }) => self.gap(),
            Ok(Appended::Fenced) => self.over(4005),
            Err(failure) => self.failed(failure, now),
        }
    }

    /// What a `refuse` has answered.
    pub fn refused(&mut self, answer: Result<RefusalAnswer, Failure>, now: Instant) {
        let Some(oldest) = self.answered() else { return };
        match answer {
            Ok(RefusalAnswer::Refused { mark }) => {
                let code = match &self.issued {
                    Some(Issued { call: Call::Refuse { n, code, .. }, .. }) => Some((*n, code.clone())),
                    _ => None,
                };
                self.kept.extend(code.iter().map(|(n, _)| *n));
                self.verdicts.refuse(code);
                self.settle(mark, None, oldest, now);
            }
            Ok(RefusalAnswer::Duplicate { mark, refusals }) => self.settle(mark, Some(refusals), oldest, now),
            Ok(RefusalAnswer::Full { mark }) => {
                self.settle(mark, None, oldest, now);
                self.full = Some((now, oldest));
            }
            Ok(RefusalAnswer::Gap { .. }) => self.gap(),
            Ok(RefusalAnswer::Fenced) => self.over(4005),
            Err(failure) => self.failed(failure, now),
        }
    }

    /// The `oldest` of the call under way; `None` if an answer is not awaited any more.
    fn answered(&self) -> Option<u64> {
        let issued = self.issued.as_ref().filter(|issued| issued.awaited)?;
        issued.fence().map(|fence| fence.oldest)
    }

    /// Everything up to the mark has a verdict; all refusals that the engine keeps, where it has said so.
    fn settle(&mut self, mark: u64, refusals: Option<Vec<Refused>>, oldest: u64, now: Instant) {
        let issued = self.issued.take();
        self.full = None;
        if mark > self.read || mark < self.verdicts.mark {
            // Nobody but this link may move the mark: such an engine's word is no verdict.
            return self.end(4004, None);
        }
        if let Some(refusals) = refusals {
            self.kept = refusals.iter().map(|(n, _)| *n).collect();
            self.verdicts.refuse(refusals);
        }
        let many = (mark - self.verdicts.mark) as usize;
        let batch = issued.as_ref().map_or(&[][..], Issued::batch);
        for (post, n) in batch.iter().take(many).zip(self.verdicts.mark + 1..) {
            if self.requests == post.subject && !self.kept.contains(&n) {
                self.runs.push_back((n, post.payload.clone()));
            }
        }
        let freed = self.kept.len();
        self.kept = self.kept.split_off(&oldest.min(mark + 1));
        if freed >= REFUSALS_MAX && self.kept.len() < REFUSALS_MAX {
            self.withheld = true;
        }
        let bytes = self.pending.drain(..many).map(|pending| pending.bytes);
        let before = self.settled_bytes.len();
        self.settled_bytes.extend(bytes);
        let sum = self.settled_bytes.iter().skip(before).fold(0u64, |sum, bytes| sum.saturating_add(*bytes));
        self.verdicts.settle(mark, sum, now);
        self.put_back(batch.get(many..).unwrap_or_default());
    }

    /// There is one call at a time, and it begins behind the mark: a gap means that the engine has lost what it had
    /// answered, and the missing numbers are no longer held here. [SEND-22]
    fn gap(&mut self) {
        self.over(4004);
    }

    /// An answer that ends the link, and with it the call.
    fn over(&mut self, code: u16) {
        self.issued = None;
        self.end(code, None);
    }

    fn failed(&mut self, failure: Failure, now: Instant) {
        if failure == Failure::EpochChanged {
            return self.over(4006);
        }
        let Some(issued) = &mut self.issued else { return };
        issued.awaited = false;
        issued.failed_at = now;
    }

    fn broken(&mut self, clause: &'static str) -> Result<(), Ended> {
        self.end(4002, Some(clause));
        Err(Ended { code: 4002, clause: Some(clause) })
    }

    fn end(&mut self, code: u16, clause: Option<&'static str>) {
        self.ended.get_or_insert(Ended { code, clause });
    }

    /// The next `ack`, if one is due. [ACK-7] [CRED-3] [REF-5]
    pub fn ack(&mut self, now: Instant) -> Option<Ack> {
        self.tell(false, now)
    }

    /// The next `ack` of a link that is about to end in good order: whatever is settled and not told. [BYE-2]
    pub fn last_ack(&mut self, now: Instant) -> Option<Ack> {
        self.tell(true, now)
    }

    fn tell(&mut self, last: bool, now: Instant) -> Option<Ack> {
        // What was carried out before a protocol error still counts; what a fenced link knows does not. [SEND-23]
        if self.ended.is_some() {
            return None;
        }
        let n = self.next_told();
        let granted = self.credit_for(n).max(self.credit);
        let grows = granted > self.credit && (self.read >= self.credit || self.withheld);
        let messages = n.max(self.verdicts.mark).saturating_sub(self.verdicts.acked);
        let idle = self.pending.is_empty();
        let many = messages >= ACK_MESSAGES || self.verdicts.bytes >= ACK_BYTES;
        // Only a known bug tells more than is settled.
        let early = n > self.verdicts.mark;
        let late = early || self.verdicts.since.is_some_and(|since| now.since(since) >= ACK_DELAY);
        if !(grows && !last || (messages > 0 && (idle || many || late || last || self.full.is_some()))) {
            return None;
        }
        let told = (n.saturating_sub(self.verdicts.acked) as usize).min(self.settled_bytes.len());
        let bytes = self.settled_bytes.drain(..told).fold(0u64, |sum, bytes| sum.saturating_add(bytes));
        self.bytes = if mutant!(AckBeforeAppend) { 0 } else { self.bytes.saturating_sub(bytes) };
        self.credit = granted;
        self.withheld = self.kept.len() >= REFUSALS_MAX;
        Some(self.verdicts.tell(n, bytes, granted, now))
    }

    /// The highest number that the next `ack` may tell.
    fn next_told(&mut self) -> u64 {
        if mutant!(AckBeforeAppend) {
            return self.read;
        }
        if mutant!(RefusalUnrecorded) {
            // Answered at once; the engine is told in the background.
            let refusal = |pending: &Pending<P>| match &pending.judgement {
                Some(Judgement::Refuse(code)) => Some(code.clone()),
                _ => None,
            };
            let leading: Vec<_> =
                self.pending.iter().map_while(refusal).zip(self.verdicts.mark + 1..).collect();
            self.verdicts.refuse(leading.iter().map(|(code, n)| (*n, code.clone())));
            return self.verdicts.next().max(leading.last().map_or(0, |(_, n)| *n));
        }
        self.verdicts.next()
    }

    /// When a call or an `ack` is due although nothing else happens.
    pub fn deadline(&self) -> Option<Instant> {
        if self.ended.is_some() {
            return None;
        }
        let ack = self.verdicts.since.map(|since| since + ACK_DELAY);
        let idle = self.full.map_or(self.called_at + REFRESH_DELAY, |(at, _)| at + RETRY_DELAY);
        let call = self.issued.as_ref().map_or(idle, |issued| {
            let (again, over) = (issued.failed_at + RETRY_DELAY, issued.since + UNANSWERED_MAX);
            if issued.awaited { over } else { again.min(over) }
        });
        [ack, Some(call)].into_iter().flatten().min()
    }

    /// Carries out every due call on an engine that answers at once.
    pub fn run(&mut self, engine: &mut impl Engine<P>, now: Instant) {
        while let Some(call) = self.call(now) {
            match call {
                Call::Append { fence, n, batch } => self.appended(engine.append(&fence, n, &batch, now), now),
                Call::Refuse { fence, n, code } => self.refused(engine.refuse(&fence, n, &code, now), now),
                _ => return,
            }
            if self.issued.is_some() {
                return;
            }
        }
    }
}
